"""The two questions: everything of an entity, and what changed since. Paging stays in here."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from quickbooks_crm.errors import ChangesTooFast, QuickBooksUnavailable
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.entities import Entity, known
from quickbooks_crm.quickbooks.problems import AnswerTooLong
from quickbooks_crm.quickbooks.records import Changes, Page, Span

log = logging.getLogger(__name__)

PAGE_SIZE = 1000
SMALLEST = 100  # so small are pages made that QuickBooks does not send in time
LESS_FOR = 45 * 60.0  # seconds from a walk's begin in which pages are made smaller
CDC_LIMIT = 1000
CDC_WINDOW = timedelta(days=29)  # Intuit promises 30
CONNECTIONS = 10
NAMED = 200  # ids asked for at once
AHEAD = 2 * CONNECTIONS  # pages fetched but not taken yet: these bound the memory, not the company
BORDER = 50  # ids remembered of each page's ends: so many deletes there may be before it is unknown
READS = 10  # pages read again over one gap, or at the end while others come in


def everything(
    client: QuickBooksClient, entity: str, size: int = PAGE_SIZE, done: Sequence[Span] = ()
) -> Iterator[Page]:
    """Every record of an entity, inactive ones too, in pages of any order; one may come twice.
    Pages `done` are those that an earlier read brought: they are not read again.

    A delete meanwhile moves all later records down by one. So each page begins with what should be
    the last record of the page before, and where two pages have no record in common, what lies
    between is read again. Raises `ChangesTooFast` when that does not help.
    """
    about = known(entity)
    if about.only_one:
        return iter([_only(entity, client.query(" ".join(("SELECT * FROM", entity))))])
    walk = _Walk(client, about, size)
    return _joined(walk, [span for span in done if walk.is_stretch(span)])


def updated(
    client: QuickBooksClient, entity: str, since: datetime, size: int = PAGE_SIZE
) -> Iterator[Page]:
    """The records that were added or changed since then, in pages as those of `everything`.

    Without an upper bound: what is changed meanwhile stays among them.
    """
    where = f"MetaData.LastUpdatedTime >= {_moment(since)}"
    return _joined(_Walk(client, known(entity), size, where), ())


def count(client: QuickBooksClient, entity: str, created_until: datetime) -> int:
    """How many records there are of those created until then, inactive ones too."""
    where = f"MetaData.CreateTime <= {_moment(created_until)}"
    return client.count(entity, _all_of(where, known(entity).condition))


def _joined(walk: "_Walk", done: Sequence[Span]) -> Iterator[Page]:
    spans: list[Span] = []
    for page in walk.through(done):
        spans.append(page.span)
        yield page
    for earlier, later in _gaps([*done, *spans]):
        yield from walk.between(earlier, later)


def named(client: QuickBooksClient, entity: str, ids: Sequence[str]) -> Iterator[Page]:
    """The records with these ids, inactive ones too, as far as QuickBooks has them."""
    for start in range(0, len(ids), NAMED):
        values = ", ".join(map(_literal, ids[start : start + NAMED]))
        where = _all_of(f"Id IN ({values})", known(entity).condition)
        statement = " ".join(("SELECT * FROM", entity, "WHERE", where, f"MAXRESULTS {NAMED}"))
        yield _only(entity, client.query(statement))


def changes(
    client: QuickBooksClient, entities: Sequence[str], since: datetime, most: int = CDC_LIMIT
) -> Changes:
    """What changed in these entities since then, deletes too: one request, or one per entity.

    All of them have overflowed when that is longer ago than QuickBooks remembers: by its own clock,
    since a computer's may be wrong.
    """
    for entity in entities:
        if not known(entity).cdc:
            raise ValueError(f"QuickBooks does not tell what changed in {entity}.")
    together = client.changed(entities, since)
    if since < together.time - CDC_WINDOW:
        return replace(together, overflowed=frozenset(entities))
    if together.total < most:
        return together
    if len(entities) == 1:
        return replace(together, overflowed=frozenset(entities))
    return _one_by_one(client, entities, since, most)


def _one_by_one(
    client: QuickBooksClient, entities: Sequence[str], since: datetime, most: int
) -> Changes:
    each = [changes(client, [entity], since, most) for entity in entities]
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


def _moment(time: datetime) -> str:
    """A moment in QuickBooks' query language, rounded down to the second."""
    return _literal(time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _all_of(*conditions: str) -> str:
    return " AND ".join(filter(None, conditions))


def _gaps(spans: Iterable[Span]) -> list[tuple[Span, Span]]:
    """The neighbours that have no record in common: others may have slipped away between them."""
    spans = sorted(spans, key=lambda span: span.start)
    filled = [span for span in spans if span.head]
    behind = [span for span in spans if filled and span.start > filled[-1].start]
    neighbours = pairwise([*filled, *behind[:1]])
    return [(earlier, later) for earlier, later in neighbours if not earlier.tail & later.head]


class _Walk:
    """The records of an entity that meet a condition by Id: the only order that holds still while
    people work in QuickBooks. A page is what there was at one moment; two with a record in common
    have all that lies between their ends."""

    def __init__(
        self, client: QuickBooksClient, entity: Entity, size: int, where: str = ""
    ) -> None:
        self._client = client
        self._entity = entity.name
        self._where = _all_of(where, entity.condition)
        self._grows = bool(where)
        self._size = size
        self._most = size
        self._give_up = time.monotonic() + LESS_FOR

    def through(self, done: Sequence[Span]) -> Iterator[Page]:
        """All pages but those done, and behind the last that was counted on the rest, when that one
        was full."""
        total = self._count()
        skipped = {span.start for span in done}
        starts = [
            start for start in range(1, max(total, 2), self._size - 1) if start not in skipped
        ]
        last = max(done, key=_start_of, default=None)
        for page in _concurrently(self.stretch, starts, total):
            last = max(last or page.span, page.span, key=_start_of)
            yield page
        short_ones = 0
        while last and self._more_behind(last):
            page = self._read(last.end, self._size)
            yield page
            if page.span.end <= last.end and self._is_end(page.span, total):
                return
            last = page.span
            short_ones += not last.full
            if short_ones > READS:
                raise self._too_fast()

    def _more_behind(self, last: Span) -> bool:
        """Whether records may lie behind a page. Where a change adds records amid the others, even
        a page cut short may have been followed by more: a look behind it proves or refutes that,
        and a count would not, since deletes may offset additions."""
        return last.full or (self._grows and bool(last.head))

    def is_stretch(self, span: Span) -> bool:
        """Whether a page is one that no other need be read for. The rest of a stretch whose page
        came short lies amid that page when it comes whole, and would look like a gap."""
        step = self._size - 1
        return (span.start - 1) % step == 0 and span.end - span.start >= step

    def stretch(self, start: int, total: int) -> list[Page]:
        """The pages from `start` to the next stretch: several when QuickBooks sends short ones."""
        pages: list[Page] = []
        end = start + self._size
        while not pages or start < min(end - 1, total):
            page = self._read(start, end - start)
            pages.append(page)
            span = page.span
            if span.end <= start and self._is_end(span, total):
                break
            start = span.end
        return pages

    def between(self, earlier: Span, later: Span) -> Iterator[Page]:
        """The pages between two that do not meet: back until one meets the earlier, then forth
        until one meets the later. They tell no place: one remembered at the place of another, which
        was not written yet, would stand for it."""
        start = max(1, later.start - self._most + 1)
        for _ in range(READS):
            page = self._read(start, self._size)
            span = page.span
            yield replace(page, span=Span())
            ids = {record.id for record in page.records}
            if start > 1 and not ids & earlier.tail:
                start = max(1, start - self._most + 1)
                continue
            if ids & later.head or self._nothing_behind(span):
                return
            earlier, start = span, span.end
        raise self._too_fast()

    def _too_fast(self) -> ChangesTooFast:
        return ChangesTooFast(
            f"QuickBooks' records of {self._entity} change faster than they can be read. "
            "Try again later."
        )

    def _nothing_behind(self, span: Span) -> bool:
        return not span.full and self._count() <= span.end

    def _count(self) -> int:
        return self._client.count(self._entity, self._where)

    def _read(self, start: int, limit: int) -> Page:
        """A page, or the beginning of it when QuickBooks does not send so much in time: then no
        other page of this walk is asked for in full."""
        while True:
            most = min(limit, self._most)
            try:
                return self._page(start, most)
            except AnswerTooLong:
                if most <= SMALLEST or time.monotonic() > self._give_up:
                    raise
                self._most = min(self._most, max(SMALLEST, most // 2))
                log.warning("%s: pages of %d at most from here on", self._entity, self._most)

    def _page(self, start: int, limit: int) -> Page:
        where = f"WHERE {self._where}" if self._where else ""
        paging = f"ORDERBY Id STARTPOSITION {start} MAXRESULTS {limit}"
        page = self._client.query(
            " ".join(filter(None, ("SELECT * FROM", self._entity, where, paging)))
        )
        ids = [record.id for record in _only(self._entity, page).records]
        head, tail = frozenset(ids[:BORDER]), frozenset(ids[-BORDER:])
        return replace(page, span=Span(start, start + len(ids) - 1, len(ids) >= limit, head, tail))

    def _is_end(self, span: Span, total: int) -> bool:
        """Whether nothing lies behind a page that brought nothing new. Where that is less than was
        counted, or records may have come amid the others, counting again must say so."""
        if span.end >= total and not self._grows:
            return True
        if self._count() > span.end:
            raise QuickBooksUnavailable(
                f"QuickBooks sent nothing of {self._entity} from position {span.end + 1} on "
                "although it counts more records."
            )
        return True


def _start_of(span: Span) -> int:
    return span.start


def _concurrently(
    stretch: Callable[[int, int], list[Page]], starts: Iterable[int], total: int
) -> Iterator[Page]:
    """The pages of all stretches as they arrive, a bounded number ahead of whoever takes them."""
    remaining = iter(starts)
    pending: set[Future[list[Page]]] = set()
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
