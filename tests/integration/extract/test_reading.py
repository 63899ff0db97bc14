"""Pages that overlap, shift or are short, clocks that are wrong, fields that nobody knows: the
mirror ends as QuickBooks has it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

import quickbooks_crm
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of, company
from tests.integration.extracting import (
    Books,
    extract,
    mirrored,
    position,
    truth,
    versions,
)

MINUTES = 60


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_page_that_is_sent_twice_hides_no_row_and_is_counted_once(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, after: int
) -> None:
    """N29: the answer to another position repeats a page's rows."""
    quickbooks.fail("query", form="again", after=after)

    extracted = extract(connection, Books(client_of(quickbooks)), attempt, ["Customer"], True)

    assert extracted.fetched == {"Customer": 30}
    assert versions(connection) == truth(quickbooks)


@pytest.mark.parametrize("answer", ["[]", '[{"QueryResponse":[]}]', '[{"QueryResponse":[{}]}]'])
def test_changes_that_quickbooks_keeps_silent_about_are_asked_for(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, answer: str
) -> None:
    """It promises a group for each entity that was asked for; here groups are missing."""
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer", "Item"], True)
    quickbooks.change("Customer", "7", Notes="changed")
    time = datetime.now(UTC).isoformat()
    quickbooks.fail("cdc", 200, body=f'{{"CDCResponse":{answer},"time":"{time}"}}')

    extract(connection, books, attempt, ["Customer", "Item"], False)

    assert versions(connection) == truth(quickbooks)


@pytest.mark.parametrize("form", ["short", "long"])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_page_of_another_length_than_asked_hides_no_row(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, after: int, form: str
) -> None:
    """N32."""
    quickbooks.fail("query", form=form, after=after, times=2)

    extract(connection, Books(client_of(quickbooks)), attempt, ["Customer"], everything=True)

    assert versions(connection) == truth(quickbooks)


@pytest.mark.parametrize("minutes", [10, -10, 45, -45])
def test_a_quickbooks_whose_clock_is_wrong_tells_every_change_all_the_same(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, minutes: int
) -> None:
    """N34: its own clock is what changes are asked by; ours and the database's go otherwise."""
    quickbooks.advance(minutes * MINUTES)
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer", "Item"], everything=False)

    for customer in ("3", "4"):
        quickbooks.change("Customer", customer, Notes="changed")
        quickbooks.change("Item", customer, Description="changed")
        quickbooks.reset_calls()
        extract(connection, books, attempt, ["Customer", "Item"], everything=False)

        assert [call.kind for call in quickbooks.calls] == ["cdc"]
        assert versions(connection) == truth(quickbooks)
        assert versions(connection, "Item") == truth(quickbooks, "Item")


@pytest.mark.parametrize("minutes", [-9, -120])
def test_a_clock_that_is_put_back_during_a_full_read_hides_no_later_change(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator, minutes: int
) -> None:
    """N35."""
    quickbooks.when("query", lambda: quickbooks.advance(minutes * MINUTES), after=2)
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer"], everything=True)

    quickbooks.change("Customer", "3", Notes="changed")
    extract(connection, books, attempt, ["Customer"], everything=False)

    assert versions(connection) == truth(quickbooks)


def test_a_clock_that_is_put_back_between_two_reads_hides_no_later_change(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    """N35: as far as the overlap of two reads goes."""
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer"], everything=True)
    before = position(connection)

    quickbooks.advance(-9 * MINUTES)
    quickbooks.change("Customer", "3", Notes="changed")
    extract(connection, books, attempt, ["Customer"], everything=False)

    assert versions(connection) == truth(quickbooks)
    assert position(connection) >= before


CLOCK = re.compile(r"datetime\.now|time\.time\(|utcnow|date\.today")
MAY_LOOK = {
    "command_line/starting.py",  # the name of a run
    "quickbooks/retry_after.py",  # a Retry-After that is a date
}


def test_the_workers_clock_decides_nothing_that_is_read_or_written() -> None:
    """N34, N35: positions are QuickBooks' time, ages the database's, durations monotonic."""
    package = Path(quickbooks_crm.__file__).parent
    looking = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if CLOCK.search(file.read_text())
    }

    assert looking == MAY_LOOK


def test_more_changes_within_one_second_than_quickbooks_tells_are_all_read(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """N38: no time lies between two of them at which one could ask again."""
    with company(customers=1100, items=1, throttle=False) as large:
        books = Books(client_of(large), size=1000)
        extract(connection, books, attempt, ["Customer"], everything=True)
        large.stop_clock()
        for row in large.rows("Customer"):
            large.change("Customer", row["Id"], Notes="changed")
        large.start_clock()

        extract(connection, books, attempt, ["Customer"], everything=False)

        assert len({row["MetaData"]["LastUpdatedTime"] for row in large.rows("Customer")}) == 1
        assert versions(connection) == truth(large)


@pytest.mark.parametrize("fault", [{"status": 504}, {"form": "cut"}])
def test_pages_that_do_not_arrive_in_time_are_asked_for_smaller(
    connection: Connection[Any], attempt: Attempt, fault: dict[str, Any]
) -> None:
    """N19: Intuit gives up after two minutes; a thousand long documents may always take more."""
    with company(customers=1500, items=1, throttle=False) as large:
        large.fail("query", matching="MAXRESULTS 1000", times=1000, **fault)

        extract(connection, Books(client_of(large), size=1000), attempt, ["Customer"], True)

        assert versions(connection) == truth(large)
        assert any("MAXRESULTS 500" in call.statement for call in large.calls)


def test_a_field_that_nobody_knows_and_one_that_is_gone_are_kept_as_sent(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    """N50: another minor version, with a new field and another renamed."""
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer"], everything=True)
    drifted = {"BrandNew": {"Deep": [1, "two", None]}, "GivenName": None, "FirstName": "Renamed"}
    sent = quickbooks.change("Customer", "3", **drifted)

    extract(connection, books, attempt, ["Customer"], everything=False)

    payload = mirrored(connection)["3"]["payload"]
    assert payload["BrandNew"] == {"Deep": [1, "two", None]}
    assert ("GivenName" in payload, payload["FirstName"]) == (False, "Renamed")
    assert set(payload) == set(sent)
