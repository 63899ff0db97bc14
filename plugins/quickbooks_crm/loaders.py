"""Several connections that write pages into the mirror at the same time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue

from quickbooks_crm.mirror import Mirror, PageRead
from quickbooks_crm.quickbooks.records import Record


class Loaders:
    """A thread for each connection. Pages that wait are few: they bound the memory."""

    def __init__(self, mirrors: Sequence[Mirror], pool: ThreadPoolExecutor) -> None:
        self._idle: SimpleQueue[Mirror] = SimpleQueue()
        for mirror in mirrors:
            self._idle.put(mirror)
        self._pool = pool
        self._most = 2 * len(mirrors)
        self._pending: set[Future[None]] = set()

    def write(self, page: PageRead | None, fresh: Sequence[Record]) -> None:
        """Have the fresh records of a page written; raises what befell an earlier page."""
        self._pending.add(self._pool.submit(self._write, page, fresh))
        self._settle(self._most)

    def finish(self) -> None:
        """Wait until every page is written."""
        self._settle(1)

    def _settle(self, most: int) -> None:
        while len(self._pending) >= most:
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for written in done:
                written.result()

    def _write(self, page: PageRead | None, fresh: Sequence[Record]) -> None:
        mirror = self._idle.get()
        try:
            mirror.write_page(page, fresh)
        finally:
            self._idle.put(mirror)


@contextmanager
def loading(mirrors: Sequence[Mirror]) -> Iterator[Loaders]:
    """Loaders that have written everything when the block ends."""
    with ThreadPoolExecutor(len(mirrors), thread_name_prefix="loader") as pool:
        loaders = Loaders(mirrors, pool)
        try:
            yield loaders
            loaders.finish()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
