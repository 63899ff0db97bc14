"""The two questions: everything of an entity, and what changed since. Paging stays in here."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

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


def everything(client: QuickBooksClient, entity: str, size: int = PAGE_SIZE) -> Iterator[Page]:
    """Every record of an entity, inactive ones too, in pages of any order; one may come twice."""
    walk = _Walk(client, known(entity), size)
    total = walk.count()
    yield from _concurrently(walk.stretch, range(1, max(total, 1) + 1, size), total)
    yield from walk.rest()


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


class _Walk:
    """One entity by Id: the only order that holds still while people work in QuickBooks."""

    def __init__(self, client: QuickBooksClient, entity: Entity, size: int) -> None:
        self._client = client
        self._entity = entity.name
        self._where = entity.condition
        self._size = size
        self._next: int | None = None

    def count(self) -> int:
        return self._client.count(self._entity, self._where)

    def page(self, start: int, limit: int) -> Page:
        where = f"WHERE {self._where}" if self._where else ""
        paging = f"ORDERBY Id STARTPOSITION {start} MAXRESULTS {limit}"
        page = self._client.query(
            " ".join(filter(None, ("SELECT * FROM", self._entity, where, paging)))
        )
        return _only(self._entity, page)

    def stretch(self, start: int, total: int) -> list[Page]:
        """The pages from `start` to the next stretch: several when QuickBooks sends short ones."""
        pages: list[Page] = []
        end = start + self._size
        while start < end and (start <= total or not pages):
            limit = end - start
            page = self.page(start, limit)
            pages.append(page)
            if not page.records:
                self._believe_end(start, total)
                break
            start += len(page)
            if start > total:
                self._next = start if len(page) >= limit else None
        return pages

    def rest(self) -> Iterator[Page]:
        """What lies behind the last page that was counted on, when that one was full."""
        while self._next is not None:
            page = self.page(self._next, self._size)
            if page.records:
                yield page
            self._next = self._next + len(page) if len(page) >= self._size else None

    def _believe_end(self, start: int, total: int) -> None:
        """An empty page where records were counted is checked by counting again."""
        if start <= total and self.count() >= start:
            raise QuickBooksUnavailable(
                f"QuickBooks sent an empty page of {self._entity} at position {start} although it "
                "counts more records."
            )


def _concurrently(
    stretch: Callable[[int, int], list[Page]], starts: range, total: int
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
