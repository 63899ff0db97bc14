"""Paging trusts no single answer; the pages here are of an entity that answers oddly on purpose."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickbooks_crm.errors import ChangesTooFast, QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.records import Changes, Page, Record

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Company:
    """As many customers as `ids`, answered page by page; `odd` may change a page or a count, and
    before the query of that number (from 1) what `meanwhile` says happens to the ids."""

    def __init__(
        self,
        ids: int,
        odd: Callable[[int, list[int]], list[int]] = lambda _, page: page,
        count: Sequence[int] = (),
        meanwhile: Callable[[int, list[int]], None] = lambda _, ids: None,
    ) -> None:
        self.asked: list[str] = []
        self.queries = 0
        self.meanwhile = meanwhile
        self.ids = list(range(1, ids + 1))
        self._odd = odd
        self._counts = list(count)

    def count(self, entity: str, where: str) -> int:
        self.asked.append(f"count {entity} {where}".strip())
        return self._counts.pop(0) if self._counts else len(self.ids)

    def query(self, statement: str) -> Page:
        self.asked.append(statement)
        self.queries += 1
        self.meanwhile(self.queries, self.ids)
        start, limit = map(int, re.findall(r"STARTPOSITION (\d+) MAXRESULTS (\d+)", statement)[0])
        ids = self._odd(start, self.ids[start - 1 : start - 1 + limit])
        return Page([record(id) for id in ids], NOW)

    @property
    def client(self) -> QuickBooksClient:
        return cast(QuickBooksClient, self)


def record(id: int, entity: str = "Customer", deleted: bool = False) -> Record:
    return Record(entity, str(id), 0, None, deleted, b"{}")


def ids_of(company: Company, entity: str = "Customer", size: int = 10) -> list[int]:
    """The ids that a full read brings; some come twice, since pages overlap."""
    pages = reading.everything(company.client, entity, size)
    return sorted({int(record.id) for page in pages for record in page.records})


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 25, 300])
def test_every_record_is_read(rows: int) -> None:
    assert ids_of(Company(rows)) == list(range(1, rows + 1))


@pytest.mark.parametrize(
    ("rows", "queries"),
    [(0, 1), (1, 1), (999, 1), (1000, 2), (1001, 2), (1998, 2), (1999, 3), (2500, 3)],
)
def test_a_full_read_costs_a_count_and_a_page_for_every_999_records(
    rows: int, queries: int
) -> None:
    """The thousandth of each page is the first of the next one."""
    company = Company(rows)

    assert ids_of(company, size=1000) == list(range(1, rows + 1))
    assert len(company.asked) == 1 + queries


def test_a_page_begins_with_the_last_record_of_the_one_before() -> None:
    pages = list(reading.everything(Company(25).client, "Customer", 10))

    pages.sort(key=lambda page: int(page.records[0].id))
    assert len(pages) == 3
    assert all(one.records[-1] == next.records[0] for one, next in pairwise(pages))


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
    company = Company(25, odd=lambda start, page: [] if start == 10 else page)

    with pytest.raises(QuickBooksUnavailable, match="nothing of Customer from position 10 on"):
        ids_of(company)


def test_an_empty_page_is_the_end_when_the_records_are_gone() -> None:
    """Five of the thirty that were counted are deleted before the last page is read."""
    company = Company(20, count=[30, 20])

    assert ids_of(company) == list(range(1, 21))


def in_turn(
    order: Callable[[list[int]], list[int]] = lambda starts: starts,
) -> Any:
    """Pages are read one after the other, in this order, so that a test can say what happens
    between two of them."""

    def one_by_one(
        stretch: Callable[[int, int], list[Any]], starts: range, total: int
    ) -> Iterator[Any]:
        for start in order(list(starts)):
            yield from stretch(start, total)

    return mock.patch.object(reading, "_concurrently", one_by_one)


def deleting(ids: Sequence[int], before: int) -> Callable[[int, list[int]], None]:
    """These are deleted before the query of that number."""

    def meanwhile(query: int, there: list[int]) -> None:
        if query == before:
            there[:] = [id for id in there if id not in ids]

    return meanwhile


@pytest.mark.parametrize("order", [list, lambda starts: starts[::-1]], ids=["forth", "back"])
@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize(
    "deleted",
    [[1], [10], [1, 10], [3, 4, 5, 9, 10], [10, 11], [*range(1, 10)], [28], [1, 25, 26, 27, 28]],
    ids=str,
)
def test_a_delete_while_reading_hides_no_other_record(
    deleted: list[int], before: int, order: Callable[[list[int]], list[int]]
) -> None:
    """It moves all later records down by one, the first of a page to the page before."""
    company = Company(28, meanwhile=deleting(deleted, before))

    with in_turn(order):
        read = ids_of(company)

    assert set(read) >= set(range(1, 29)) - set(deleted)


def test_a_delete_while_reading_costs_one_page_and_a_look_at_the_end() -> None:
    """The end is looked at since it is one before where it was counted."""
    company = Company(2500, meanwhile=deleting([1], before=2))

    with in_turn():
        read = ids_of(company, size=1000)

    assert read == list(range(1, 2501))
    assert [statement.partition("STARTPOSITION ")[2] for statement in company.asked] == [
        *("", "1 MAXRESULTS 1000", "1000 MAXRESULTS 1000", "1999 MAXRESULTS 1000"),
        *("2499 MAXRESULTS 500", ""),
        "1 MAXRESULTS 1000",
    ]


def test_a_page_whose_last_record_was_deleted_is_known_by_those_before() -> None:
    company = Company(40, meanwhile=deleting([19], before=3))

    with in_turn():
        ids_of(company)

    read_back = [one for one in company.asked if "STARTPOSITION 10 " in one]
    assert len(read_back) == 2
    assert len(company.asked) == 9  # a count, five pages, a look at the end, and one read back


def test_a_delete_before_each_of_many_pages_hides_no_other_record() -> None:
    company = Company(200, meanwhile=lambda query, ids: ids.remove(query) if query < 20 else None)

    with in_turn():
        read = ids_of(company)

    assert set(read) >= set(range(20, 201))


def test_deletes_of_all_that_was_to_come_next_hide_no_other_record() -> None:
    """Eleven of thirty are left: where the third page was counted there is nothing now."""
    company = Company(30, meanwhile=deleting(range(1, 20), before=3))

    with in_turn():
        read = ids_of(company)

    assert read == list(range(1, 31))


def test_a_delete_behind_the_counted_end_hides_no_other_record() -> None:
    company = Company(35, count=[19], meanwhile=deleting([1, 2], before=3))

    with in_turn():
        read = ids_of(company)

    assert read == list(range(1, 36))


def test_a_delete_between_short_pages_hides_no_other_record() -> None:
    company = Company(25, lambda _, page: page[:4], meanwhile=deleting([1, 2], before=2))

    with in_turn():
        read = ids_of(company)

    assert read == list(range(1, 26))


def test_a_delete_while_a_gap_is_read_again_hides_no_other_record() -> None:
    """Record 20 slips away before the third page, and again between two short pages of the gap."""

    def meanwhile(query: int, ids: list[int]) -> None:
        deleting([1, 2], before=4)(query, ids)
        deleting(range(3, 10), before=9)(query, ids)

    company = Company(
        40, lambda start, page: page[:4] if start == 10 else page, meanwhile=meanwhile
    )

    with in_turn():
        read = ids_of(company)

    assert read == list(range(1, 41))


def test_a_company_that_never_holds_still_is_read_later() -> None:
    """Each page is short and a record goes before each: no two pages ever meet."""

    def meanwhile(_: int, ids: list[int]) -> None:
        del ids[:2]

    company = Company(300, lambda _, page: page[:4], meanwhile=meanwhile)

    with in_turn(), pytest.raises(QuickBooksUnavailable, match="Customer change faster than"):
        ids_of(company)

    assert company.queries < 300


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, int, list[tuple[list[int], int]], st.DataObject]:
    """A company's size, the page size, and what happens before each query: deletes, additions."""
    rows = draw(st.integers(0, 60))
    deletes = st.lists(st.integers(0, max(rows - 1, 0)), max_size=4)
    happening = st.lists(st.tuples(deletes, st.integers(0, 3)), max_size=12)
    return rows, draw(st.integers(2, 12)), draw(happening), draw(st.data())


@given(lives(), st.integers(2, 14))
def test_what_is_there_from_start_to_end_is_read_whatever_happens_meanwhile(
    life: tuple[int, int, list[tuple[list[int], int]], st.DataObject], longest: int
) -> None:
    """In whatever order pages are read, and however short they are. A company too busy to be read
    is read when it has calmed down."""
    rows, size, happening, data = life

    def meanwhile(query: int, ids: list[int]) -> None:
        deletes, additions = happening[query - 1] if query <= len(happening) else ([], 0)
        for place in deletes:
            del ids[place : place + 1]
        ids.extend(range(1000 * query, 1000 * query + additions))

    company = Company(rows, lambda _, page: page[:longest], meanwhile=meanwhile)
    with in_turn(lambda starts: data.draw(st.permutations(starts))):
        try:
            read = ids_of(company, size=size)
        except QuickBooksUnavailable:
            assert happening
            company.meanwhile = lambda *_: None
            read = ids_of(company, size=size)

    assert set(read) >= {id for id in company.ids if id <= rows}


@given(lives(), st.integers(2, 14))
def test_what_an_earlier_read_has_done_may_be_left_out_whatever_happened_since(
    life: tuple[int, int, list[tuple[list[int], int]], st.DataObject], longest: int
) -> None:
    """Some pages of a first read are kept, records come and go, and a second read goes on."""
    rows, size, happening, data = life
    company = Company(rows, lambda _, page: page[:longest])
    with in_turn():
        first = list(reading.everything(company.client, "Customer", size))
    kept = [page for page in first if page.span.full and data.draw(st.booleans())]

    def meanwhile(query: int, ids: list[int]) -> None:
        deletes, additions = happening[query - 1] if query <= len(happening) else ([], 0)
        for place in deletes:
            del ids[place : place + 1]
        ids.extend(range(1000 * query, 1000 * query + additions))

    company.queries, company.meanwhile = 0, meanwhile
    with in_turn(lambda starts: data.draw(st.permutations(starts))):
        try:
            done = [page.span for page in kept]
            second = list(reading.everything(company.client, "Customer", size, done))
        except QuickBooksUnavailable:
            return  # such a read begins anew

    read = {int(record.id) for page in (*kept, *second) for record in page.records}
    assert read >= {id for id in company.ids if id <= rows}


@given(lives(), st.integers(2, 14))
def test_what_changed_is_read_although_more_changes_amid_it_meanwhile(
    life: tuple[int, int, list[tuple[list[int], int]], st.DataObject], longest: int
) -> None:
    """What changes meanwhile comes amid the others and moves those behind it up."""
    rows, size, happening, data = life

    def meanwhile(query: int, ids: list[int]) -> None:
        deletes, additions = happening[query - 1] if query <= len(happening) else ([], 0)
        for place in deletes:
            del ids[place : place + 1]
        for new in range(1000 * query, 1000 * query + 4 * additions):
            ids.insert(new % 7 * len(ids) // 7, new)

    company = Company(rows, lambda _, page: page[:longest], meanwhile=meanwhile)
    with in_turn(lambda starts: data.draw(st.permutations(starts))):
        try:
            pages = list(reading.updated(company.client, "Customer", NOW, size))
        except QuickBooksUnavailable:
            return  # all is read instead

    read = {int(record.id) for page in pages for record in page.records}
    assert read >= {id for id in company.ids if id <= rows}


def test_the_last_of_what_changed_is_not_missed_because_deletes_offset_what_came() -> None:
    """Four more changes move record 31 up behind the last page, four deletes move it down again. So
    a count finds nothing missing; only a look behind the last page does."""

    def meanwhile(query: int, ids: list[int]) -> None:
        if query == 2:
            ids[5:5] = [2000, 2001, 2002, 2003]
        if query == 3:
            del ids[:4]

    company = Company(31, lambda _, page: page[:3], meanwhile=meanwhile)
    with in_turn(lambda starts: [28, 10, 19, 1]), pytest.raises(ChangesTooFast):
        list(reading.updated(company.client, "Customer", NOW, 10))


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
        return reading.changes(client, entities, NOW - timedelta(days=1))


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


def test_what_quickbooks_tells_of_longer_ago_than_29_days_is_not_believed_to_be_all() -> None:
    """By QuickBooks' own clock: a worker's may be wrong."""
    client = cast(QuickBooksClient, Capture(Item=5))

    forgotten = reading.changes(client, ["Item", "Customer"], NOW - timedelta(days=29))
    remembered = reading.changes(client, ["Item", "Customer"], NOW - timedelta(days=28, hours=23))

    assert forgotten.overflowed == {"Item", "Customer"}
    assert remembered.overflowed == frozenset()


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
