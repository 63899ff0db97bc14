"""Paging trusts no single answer; the pages here are of an entity that answers oddly on purpose."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from quickbooks_crm.errors import QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.records import Changes, Page, Record

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Company:
    """As many customers as `ids`, answered page by page; `odd` may change a page or a count."""

    def __init__(
        self,
        ids: int,
        odd: Callable[[int, list[int]], list[int]] = lambda _, page: page,
        count: Sequence[int] = (),
    ) -> None:
        self.asked: list[str] = []
        self._ids = list(range(1, ids + 1))
        self._odd = odd
        self._counts = list(count)

    def count(self, entity: str, where: str) -> int:
        self.asked.append(f"count {entity} {where}".strip())
        return self._counts.pop(0) if self._counts else len(self._ids)

    def query(self, statement: str) -> Page:
        self.asked.append(statement)
        start, limit = map(int, re.findall(r"STARTPOSITION (\d+) MAXRESULTS (\d+)", statement)[0])
        ids = self._odd(start, self._ids[start - 1 : start - 1 + limit])
        return Page([record(id) for id in ids], NOW)

    @property
    def client(self) -> QuickBooksClient:
        return cast(QuickBooksClient, self)


def record(id: int, entity: str = "Customer", deleted: bool = False) -> Record:
    return Record(entity, str(id), 0, None, deleted, b"{}")


def ids_of(company: Company, entity: str = "Customer", size: int = 10) -> list[int]:
    pages = reading.everything(company.client, entity, size)
    return sorted(int(record.id) for page in pages for record in page.records)


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 25, 300])
def test_every_record_is_read_once(rows: int) -> None:
    assert ids_of(Company(rows)) == list(range(1, rows + 1))


def test_a_full_read_costs_its_pages_and_a_count() -> None:
    company = Company(25)

    ids_of(company)

    assert len(company.asked) == 4


def test_inactive_records_are_asked_for() -> None:
    company = Company(1)

    ids_of(company)

    assert company.asked == [
        "count Customer Active IN (true, false)",
        "SELECT * FROM Customer WHERE Active IN (true, false) "
        "ORDERBY Id STARTPOSITION 1 MAXRESULTS 10",
    ]


def test_documents_have_no_inactive_records_to_ask_for() -> None:
    company = Company(0)

    ids_of(company, "Invoice")

    assert company.asked == [
        "count Invoice",
        "SELECT * FROM Invoice ORDERBY Id STARTPOSITION 1 MAXRESULTS 10",
    ]


def test_a_page_shorter_than_asked_is_not_the_end() -> None:
    company = Company(25, odd=lambda start, page: page[:4] if start == 1 else page)

    assert ids_of(company) == list(range(1, 26))


def test_a_page_longer_than_asked_loses_nothing() -> None:
    company = Company(25, odd=lambda start, page: [*page, 11] if start == 1 else page)

    assert set(ids_of(company)) == set(range(1, 26))


def test_what_is_added_while_reading_is_read_too() -> None:
    company = Company(35, count=[20])

    assert ids_of(company) == list(range(1, 36))


def test_a_count_of_nothing_is_not_believed_without_looking() -> None:
    assert ids_of(Company(25, count=[0])) == list(range(1, 26))


def test_an_empty_page_amid_records_is_an_error_and_not_the_end() -> None:
    company = Company(25, odd=lambda start, page: [] if start == 11 else page)

    with pytest.raises(QuickBooksUnavailable, match="empty page of Customer at position 11"):
        ids_of(company)


def test_an_empty_page_is_the_end_when_the_records_are_gone() -> None:
    """Five of the thirty that were counted are deleted before the last page is read."""
    company = Company(20, count=[30, 20])

    assert ids_of(company) == list(range(1, 21))


def test_an_empty_entity_still_says_quickbooks_time() -> None:
    (page,) = reading.everything(Company(0).client, "Customer")

    assert (page.records, page.time) == ([], NOW)


def test_pages_are_not_fetched_far_ahead_of_who_takes_them() -> None:
    company = Company(2000)
    pages = reading.everything(company.client, "Customer", 10)

    next(pages)
    pages.close()

    assert len(company.asked) <= 1 + reading.AHEAD


def test_another_entity_than_asked_is_an_error() -> None:
    with pytest.raises(QuickBooksUnavailable, match="a query for Vendor"):
        ids_of(Company(1), "Vendor")


def test_an_unknown_entity_is_named() -> None:
    with pytest.raises(SettingsError, match="'Custmer' is not a QuickBooks entity"):
        ids_of(Company(1), "Custmer")


class Capture:
    """Change data capture with so many changes of each entity, cut at 1000 in all."""

    def __init__(self, **changes: int) -> None:
        self.asked: list[list[str]] = []
        self._changes = changes

    def changed(self, entities: Sequence[str], since: datetime) -> Changes:
        self.asked.append(list(entities))
        left, told = 1000, {}
        for entity in entities:
            number = min(self._changes.get(entity, 0), left)
            left -= number
            told[entity] = [record(id, entity) for id in range(number)]
        return Changes(told, NOW + timedelta(seconds=len(self.asked)))

    def changes(self, *entities: str) -> Changes:
        client = cast(QuickBooksClient, self)
        return reading.changes(client, entities, datetime.now(UTC) - timedelta(days=1))


def test_few_changes_cost_one_request() -> None:
    capture = Capture(Item=3, Customer=996)

    assert capture.changes("Item", "Customer").total == 999
    assert capture.asked == [["Item", "Customer"]]


def test_many_changes_are_asked_for_entity_by_entity() -> None:
    """Together they were cut at 1000; the earliest time counts, so nothing is missed."""
    capture = Capture(Item=600, Customer=600)

    changes = capture.changes("Item", "Customer")

    assert changes.total == 1200
    assert changes.overflowed == frozenset()
    assert changes.time == NOW + timedelta(seconds=2)
    assert capture.asked == [["Item", "Customer"], ["Item"], ["Customer"]]


def test_an_entity_with_too_many_changes_has_to_be_read_wholly() -> None:
    changes = Capture(Item=5, Customer=1000).changes("Item", "Customer")

    assert changes.overflowed == {"Customer"}
    assert len(changes.records["Item"]) == 5


def test_quickbooks_is_not_asked_for_what_it_has_forgotten() -> None:
    client = cast(QuickBooksClient, Capture())

    with pytest.raises(ValueError, match="in the last 29 days"):
        reading.changes(client, ["Item"], datetime.now(UTC) - timedelta(days=30))


def test_an_entity_that_change_data_capture_excludes_is_not_asked_for() -> None:
    with pytest.raises(ValueError, match="TaxCode"):
        Capture().changes("Item", "TaxCode")


class Named:
    """Answers queries for ids, one page each."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, statement: str) -> Page:
        self.asked.append(statement)
        return Page([], NOW)


def test_named_records_are_asked_for_in_their_language() -> None:
    named = Named()

    list(reading.named(cast(QuickBooksClient, named), "Customer", ["7", "o'x\\"]))

    assert named.asked == [
        r"SELECT * FROM Customer WHERE Id IN ('7', 'o\'x\\') AND Active IN (true, false) "
        "MAXRESULTS 200"
    ]


def test_many_named_records_take_several_questions() -> None:
    named = Named()

    pages = list(reading.named(cast(QuickBooksClient, named), "Invoice", ["7"] * 401))

    assert len(pages) == len(named.asked) == 3
