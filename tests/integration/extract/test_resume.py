"""A full read that was stopped goes on where it was, whatever stopped it."""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.errors import BreakerTripped, QuickBooksRefused
from quickbooks_crm.extract import due
from quickbooks_crm.extract import extract as read_quickbooks
from quickbooks_crm.loaders import loading
from quickbooks_crm.mirror import Mirror, PageRead
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.records import Changes, Span
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of, company
from tests.integration.extracting import (
    NOON,
    REALM,
    Books,
    customer,
    extract,
    mirrored,
    read_rows,
    truth,
    versions,
)

ROWS = 60


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with company(customers=30, items=5, invoices=ROWS, throttle=False) as simulated:
        yield simulated


@pytest.fixture
def books(quickbooks: Simulator) -> Books:
    """Seven pages of invoices: from 1, 10, 19, 28, 37, 46 and 55 on."""
    return Books(client_of(quickbooks))


def stopped(connection: Connection[Any], books: Books, attempt: Attempt, position: int) -> None:
    """A full read of which the page at this position cannot be had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CONNECTIONS", 1)  # pages come in order
        patch.setattr(reading, "AHEAD", 1)
        with pytest.raises(QuickBooksRefused):
            extract(connection, books, attempt, ["Invoice"], everything=True)


def fail_at(quickbooks: Simulator, position: int) -> None:
    quickbooks.fail("query", 400, matching=f"STARTPOSITION {position} ")


def starts(quickbooks: Simulator) -> list[int]:
    """The positions of the pages that were asked for, less what a gap made necessary."""
    asked = [c.statement.partition("STARTPOSITION ")[2] for c in quickbooks.calls]
    return sorted({int(rest.split()[0]) for rest in asked if rest})


def test_the_next_try_reads_only_the_pages_that_are_missing(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    fail_at(quickbooks, 46)
    stopped(connection, books, attempt, 46)
    quickbooks.reset_calls()

    extracted = extract(connection, books, attempt, ["Invoice"], everything=True)

    assert starts(quickbooks) == [46, 55]
    assert extracted.fetched == {"Invoice": ROWS}
    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def test_a_full_read_that_has_ended_leaves_nothing_to_go_on_with(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    extract(connection, books, attempt, ["Invoice"], everything=True)
    quickbooks.reset_calls()

    extract(connection, books, attempt, ["Invoice"], everything=True)

    assert starts(quickbooks) == [1, 10, 19, 28, 37, 46, 55]


@pytest.mark.parametrize(
    "old",
    [
        "UPDATE sync.page_read SET read_at = now() - interval '25 hours' WHERE start < 20",
        # QuickBooks' clock, so far back that it would not tell what changed since
        "UPDATE sync.page_read SET time = now() - interval '29 days' WHERE start < 20",
    ],
)
def test_pages_that_are_older_than_a_day_are_read_again(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    books: Books,
    old: LiteralString,
) -> None:
    fail_at(quickbooks, 46)
    stopped(connection, books, attempt, 46)
    connection.execute(old)
    quickbooks.reset_calls()

    extract(connection, books, attempt, ["Invoice"], everything=True)

    assert starts(quickbooks) == [1, 10, 19, 46, 55]


def test_the_rest_of_a_page_that_came_short_makes_no_gap_when_it_comes_whole(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing has changed: so nothing is read twice but that page, and what changed is asked."""
    monkeypatch.setattr(reading, "BORDER", 2)  # fewer than a page has, as in life
    quickbooks.script("query", ["short"], matching="STARTPOSITION 37 ")
    fail_at(quickbooks, 55)
    stopped(connection, books, attempt, 55)
    quickbooks.reset_calls()

    extract(connection, books, attempt, ["Invoice"], everything=True)

    assert starts(quickbooks) == [37, 55]
    assert len(quickbooks.calls) == 4  # a count and what changed, too


@pytest.mark.parametrize("deleted", [["3"], ["20", "21"], ["37"], ["50"], ["60"], ["1", "60"]])
def test_deletes_between_two_tries_are_found_and_hide_no_other_record(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    books: Books,
    deleted: list[str],
) -> None:
    """They move the records that are still to be read onto pages that are not read again."""
    fail_at(quickbooks, 37)
    stopped(connection, books, attempt, 37)
    ids = [row["Id"] for row in quickbooks.rows("Invoice")]
    for place in deleted:
        quickbooks.delete("Invoice", ids[int(place) - 1])

    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def test_what_changed_on_a_page_of_the_first_try_costs_the_second_one_call(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    """A run that ends well must not leave the mirror as it was on the day before."""
    fail_at(quickbooks, 46)
    stopped(connection, books, attempt, 46)
    quickbooks.change("Invoice", quickbooks.rows("Invoice")[2]["Id"], PrivateNote="changed since")
    quickbooks.reset_calls()

    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")
    assert [c.kind for c in quickbooks.calls] == ["query"] * 3 + ["cdc"]  # a count, two pages


class Overflowing(Books):
    """More has changed than QuickBooks tells of."""

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        return replace(super().changes(entities, since), overflowed=frozenset(entities))


def test_more_changes_since_the_first_try_than_quickbooks_tells_of_let_all_be_read(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    books = Overflowing(client_of(quickbooks))
    fail_at(quickbooks, 46)
    stopped(connection, books, attempt, 46)
    quickbooks.change("Invoice", quickbooks.rows("Invoice")[2]["Id"], PrivateNote="changed since")
    quickbooks.reset_calls()

    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")
    assert starts(quickbooks) == [1, 10, 19, 28, 37, 46, 55]


def test_what_changed_on_a_page_read_before_is_known_after_the_next_try(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    fail_at(quickbooks, 37)
    stopped(connection, books, attempt, 37)
    quickbooks.change("Invoice", "1", PrivateNote="changed")
    quickbooks.delete("Invoice", "2")

    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def test_a_page_that_fills_a_gap_is_not_remembered_at_the_place_of_another(
    quickbooks: Simulator, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other may not be written yet when the process is killed, and would never be."""
    monkeypatch.setattr(reading, "CONNECTIONS", 1)  # pages come in order
    monkeypatch.setattr(reading, "AHEAD", 1)
    quickbooks.when(
        "query",
        lambda: [quickbooks.delete("Invoice", id) for id in ("1", "2", "3")],
        matching="STARTPOSITION 10 ",
    )

    pages = list(reading.everything(books.client, "Invoice", books.size))

    starts = [page.span.start for page in pages if page.span.full]
    assert len(pages) > len(starts) == len(set(starts))


def test_a_page_is_not_remembered_before_all_pages_before_it_are_written(
    connection: Connection[Any], attempt: Attempt, database_url: str
) -> None:
    """Its records on their borders are left to them."""
    first = Mirror(connection, attempt)
    with (
        psycopg.connect(database_url, autocommit=True) as second,
        loading([first, first.beside(second)]) as both,
        psycopg.connect(database_url) as other,
    ):
        Mirror(other, attempt).write(read_rows(customer("1")))  # holds the first page up
        for start in (1, 3, 5):
            rows = read_rows(customer(str(start)), customer(str(start + 1)))
            both.write(PageRead("Customer", Span(start, start + 1, True), b"", NOON), rows)
        while "5" not in mirrored(other):
            time.sleep(0.01)

        assert other.execute("SELECT start FROM sync.page_read").fetchall() == []
        assert both.whole() == []
        other.rollback()


def test_deletes_at_the_end_after_every_page_do_not_stop_a_read(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    books.size = 25
    quickbooks.between_pages(
        lambda: quickbooks.delete("Invoice", quickbooks.rows("Invoice")[-1]["Id"])
    )

    extract(connection, books, attempt, ["Invoice"], everything=True)
    quickbooks.calm()
    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def test_so_many_deletes_that_the_pages_no_longer_meet_begin_the_read_anew(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, books: Books
) -> None:
    fail_at(quickbooks, 55)
    stopped(connection, books, attempt, 55)
    for row in quickbooks.rows("Invoice")[:50]:
        quickbooks.delete("Invoice", row["Id"])

    for _ in range(2):
        ask = due(connection, REALM, ["Invoice"], False)
        lenient = Thresholds(mass_delete=Thresholds().mass_change)
        read_quickbooks([connection], books, attempt, ask, lenient)

    assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def test_a_full_read_that_a_breaker_stopped_is_read_again_from_its_beginning(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """For a while QuickBooks did not show some invoices: the next read looks at all again."""
    with company(customers=5, items=5, invoices=300, throttle=False) as quickbooks:
        books = Books(client_of(quickbooks), size=50)
        extract(connection, books, attempt, ["Invoice"], everything=True)
        hidden = [deepcopy(row) for row in quickbooks.rows("Invoice")[100:160]]
        for row in hidden:
            quickbooks.vanish("Invoice", row["Id"])
        with pytest.raises(BreakerTripped):
            extract(connection, books, attempt, ["Invoice"], everything=True)
        for row in hidden:
            quickbooks.put("Invoice", row)

        extract(connection, books, attempt, ["Invoice"], everything=True)

        assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


class Killed(BaseException):
    """What no code of ours may catch."""


class Deadly:
    """Connections on which nothing more is sent from a certain statement on."""

    def __init__(self, url: str, last: int) -> None:
        self.url, self.sent = url, itertools.count(1)
        self.last = last

    def connect(self) -> Connection[Any]:
        deadly = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(self, *values: Any, **how: Any) -> Any:
                deadly.live()
                return super().execute(*values, **how)

            def copy(self, *values: Any, **how: Any) -> Any:
                deadly.live()
                return super().copy(*values, **how)

        return psycopg.connect(self.url, autocommit=True, cursor_factory=Cursor)

    def live(self) -> None:
        if next(self.sent) > self.last:
            raise Killed


def something_happens(quickbooks: Simulator, turn: int) -> None:
    ids = [row["Id"] for row in quickbooks.rows("Invoice")]
    quickbooks.delete("Invoice", ids[turn * 7 % len(ids)])
    quickbooks.change("Invoice", ids[(turn * 7 + 3) % len(ids)], PrivateNote=f"turn {turn}")
    quickbooks.add("Invoice", CustomerRef={"value": "1"})


def test_a_full_read_killed_at_any_statement_goes_on_and_loses_nothing(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    books: Books,
    database_url: str,
) -> None:
    for last in itertools.count(3, 4):
        deadly = Deadly(database_url, last)
        ask = due(connection, REALM, ["Invoice"], True)
        with deadly.connect() as first, deadly.connect() as second, suppress(Killed):
            read_quickbooks([first, second], books, attempt, ask, Thresholds())
            break
        done = connection.execute("SELECT count(*) FROM sync.page_read").fetchone()
        something_happens(quickbooks, last)
        quickbooks.reset_calls()

        extract(connection, books, attempt, ["Invoice"], everything=True)
        again = [c for c in quickbooks.calls if "STARTPOSITION" in c.statement]
        assert done is not None
        assert len(again) <= 10 - done[0], f"killed after statement {last}"
        assert versions(connection, "Invoice") == truth(quickbooks, "Invoice"), last
    assert last > 60
