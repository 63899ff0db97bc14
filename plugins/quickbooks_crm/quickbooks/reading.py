"""The two questions: everything of an entity, and what changed since. Paging stays in here."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from quickbooks_crm.errors import QuickBooksUnavailable
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.entities import Entity, known
from quickbooks_crm.quickbooks.records import Changes, Page

PAGE_SIZE = 1000
CDC_LIMIT = 1000
CDC_WINDOW = timedelta(days=29)  # Intuit promises 30
CONNECTIONS = 10
NAMED = 200  # ids asked for at once
AHEAD = 2 * CONNECTIONS  # pages fetched but not taken yet: these bound the memory, not the company
TAIL = 50  # ids remembered of each page's end: so many deletes there may be before it is unknown
TRIES = 3  # pages read back over one gap


def everything(client: QuickBooksClient, entity: str, size: int = PAGE_SIZE) -> Iterator[Page]:
    """Every record of an entity, inactive ones too, in pages of any order; one may come twice.

    A delete meanwhile moves all later records down by one. So each page begins with what should be
    the last record of the page before, and where it does not, what lies between is read again.
    """
    walk = _Walk(client, known(entity), size)
    spans: list[_Span] = []
    for span, page in walk.through():
        spans.append(span)
        yield page
    for earlier, later in _gaps(spans):
        yield from walk.between(earlier, later)


def named(client: QuickBooksClient, entity: str, ids: Sequence[str]) -> Iterator[Page]:
    """The records with these ids, inactive ones too, as far as QuickBooks has them."""
    for start in range(0, len(ids), NAMED):
        values = ", ".join(map(_literal, ids[start : start + NAMED]))
        where = " AND ".join(filter(None, (f"Id IN ({values})", known(entity).condition)))
        statement = " ".join(("SELECT * FROM", entity, "WHERE", where, f"MAXRESULTS {NAMED}"))
        yield _only(entity, client.query(statement))


def changes(client: QuickBooksClient, entities: Sequence[str], since: datetime) -> Changes:
    """What changed in these entities since then, deletes too: one request, or one per entity.

    Raises `ValueError` when that is longer ago than QuickBooks remembers: read `everything` then.
    """
    if since < datetime.now(UTC) - CDC_WINDOW:
        raise ValueError(
            f"QuickBooks tells what changed in the last {CDC_WINDOW.days} days, not since {since}."
        )
    for entity in entities:
        if not known(entity).cdc:
            raise ValueError(f"QuickBooks does not tell what changed in {entity}.")
    together = client.changed(entities, since)
    if together.total < CDC_LIMIT:
        return together
    if len(entities) == 1:
        return Changes(together.records, together.time, frozenset(entities))
    return _one_by_one(client, entities, since)


def _one_by_one(client: QuickBooksClient, entities: Sequence[str], since: datetime) -> Changes:
    each = [changes(client, [entity], since) for entity in entities]
    return Changes(
        records={
            entity: part.records.get(entity, [])
            for entity, part in zip(entities, each, strict=True)
        },
        time=min(part.time for part in each),
        overflowed=frozenset().union(*(part.overflowed for part in each)),
    )


def _only(entity: str, page: Page) -> Page:
    """The page, once it is sure that it holds the entity that was asked for."""
    if any(record.entity != entity for record in page.records):
        raise QuickBooksUnavailable(
            f"QuickBooks answered a query for {entity} with something else."
        )
    return page


def _literal(value: str) -> str:
    """A text in QuickBooks' query language."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True)
class _Span:
    """What is remembered of a page: the positions it had and the ids at its borders."""

    start: int
    end: int
    full: bool
    first: str | None
    tail: frozenset[str]


_Read = tuple[_Span, Page]


def _gaps(spans: Sequence[_Span]) -> list[tuple[_Span, _Span]]:
    """The neighbours that do not meet: records may have slipped away between them."""
    spans = sorted(spans, key=lambda span: span.start)
    filled = [span for span in spans if span.first is not None]
    behind = [span for span in spans if filled and span.start > filled[-1].start]
    neighbours = pairwise([*filled, *behind[:1]])
    return [(earlier, later) for earlier, later in neighbours if later.first not in earlier.tail]


class _Walk:
    """One entity by Id: the only order that holds still while people work in QuickBooks.

    New records come last, so a record's position never grows; it shrinks by the deletes before it.
    """

    def __init__(self, client: QuickBooksClient, entity: Entity, size: int) -> None:
        self._client = client
        self._entity = entity.name
        self._where = entity.condition
        self._size = size

    def through(self) -> Iterator[_Read]:
        """All pages, and behind the last that was counted on the rest, when that one was full."""
        total = self._count()
        starts = range(1, max(total, 2), self._size - 1)
        last: _Span | None = None
        for read in _concurrently(self.stretch, starts, total):
            last = max(last or read[0], read[0], key=lambda span: span.start)
            yield read
        while last and last.full:
            read = self._read(last.end, self._size)
            last = read[0]
            yield read

    def stretch(self, start: int, total: int) -> list[_Read]:
        """The pages from `start` to the next stretch: several when QuickBooks sends short ones."""
        reads: list[_Read] = []
        end = start + self._size
        while not reads or start < min(end - 1, total):
            span, page = self._read(start, end - start)
            reads.append((span, page))
            if span.end <= start:
                self._believe_end(span.end, total)
                break
            start = span.end
        return reads

    def between(self, earlier: _Span, later: _Span) -> Iterator[Page]:
        """The pages between two that do not meet, read backwards: what a delete moves down
        meanwhile has been read."""
        end = later.start
        for _ in range(TRIES):
            start = max(1, end - self._size + 1)
            spans, pages = zip(*self.stretch(start, end), strict=True)
            yield from pages
            if _gaps(spans):
                continue
            if start == 1 or _ids(pages) & earlier.tail:
                return
            end = start
        raise QuickBooksUnavailable(
            f"QuickBooks' records of {self._entity} change faster than they can be read. "
            "Try again later."
        )

    def _count(self) -> int:
        return self._client.count(self._entity, self._where)

    def _read(self, start: int, limit: int) -> _Read:
        where = f"WHERE {self._where}" if self._where else ""
        paging = f"ORDERBY Id STARTPOSITION {start} MAXRESULTS {limit}"
        page = self._client.query(
            " ".join(filter(None, ("SELECT * FROM", self._entity, where, paging)))
        )
        ids = [record.id for record in _only(self._entity, page).records]
        end = start + len(ids) - 1
        first = ids[0] if ids else None
        return _Span(start, end, len(ids) >= limit, first, frozenset(ids[-TAIL:])), page

    def _believe_end(self, end: int, total: int) -> None:
        """A page with nothing new where records were counted is checked by counting again."""
        if end < total and self._count() > end:
            raise QuickBooksUnavailable(
                f"QuickBooks sent nothing of {self._entity} from position {end + 1} on although "
                "it counts more records."
            )


def _ids(pages: Sequence[Page]) -> set[str]:
    return {record.id for page in pages for record in page.records}


def _concurrently(
    stretch: Callable[[int, int], list[_Read]], starts: range, total: int
) -> Iterator[_Read]:
    """The pages of all stretches as they arrive, a bounded number ahead of whoever takes them."""
    remaining = iter(starts)
    pending: set[Future[list[_Read]]] = set()
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="quickbooks") as pool:
        try:
            while True:
                for start in remaining:
                    pending.add(pool.submit(stretch, start, total))
                    if len(pending) >= AHEAD:
                        break
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
