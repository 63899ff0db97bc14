"""Several connections that write pages into the mirror at the same time."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue

from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.mirror import Mirror, PageRead
from quickbooks_crm.quickbooks.records import Record


class Loaders:
    """A thread for each connection. Pages that wait are few: they bound the memory.

    A page is remembered once it and all pages before it are written: one of its records may have
    been left to any of these.
    """

    def __init__(self, mirrors: Sequence[Mirror], pool: ThreadPoolExecutor) -> None:
        self._idle: SimpleQueue[Mirror] = SimpleQueue()
        for mirror in mirrors:
            self._idle.put(mirror)
        self._pool = pool
        self._most = 2 * len(mirrors)
        self._pending: set[Future[None]] = set()
        self._begun: deque[tuple[Future[None], PageRead | None]] = deque()

    def write(self, page: PageRead | None, fresh: Sequence[Record]) -> None:
        """Have the fresh records of a page written; raises what befell an earlier page."""
        written = self._pool.submit(self._write, fresh, self.whole())
        self._pending.add(written)
        self._begun.append((written, page))
        self._settle(self._most)

    def whole(self) -> list[PageRead]:
        """The pages that may be remembered, each told once."""
        found = []
        while self._begun and _is_written(self._begun[0][0]):
            _, page = self._begun.popleft()
            found += [page] if page else []
        return found

    def finish(self) -> None:
        """Wait until every page is written."""
        self._settle(1)

    def _settle(self, most: int) -> None:
        while len(self._pending) >= most:
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for written in done:
                written.result()

    def _write(self, fresh: Sequence[Record], whole: Sequence[PageRead]) -> None:
        mirror = self._idle.get()
        try:
            mirror.write_page(fresh, whole)
        finally:
            self._idle.put(mirror)


def _is_written(future: Future[None]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


@contextmanager
def loading(mirrors: Sequence[Mirror]) -> Iterator[Loaders]:
    """Loaders that have written everything when the block ends."""
    with ThreadPoolExecutor(len(mirrors), thread_name_prefix="loader") as pool:
        loaders = Loaders(mirrors, pool)
        try:
            yield loaders
            loaders.finish()
        except QuickBooksCrmError:
            pool.shutdown(wait=True, cancel_futures=True)
            mirrors[0].remember(loaders.whole())
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
