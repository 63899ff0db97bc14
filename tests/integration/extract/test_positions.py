"""What is asked of QuickBooks and from when on; an entity that fails stops no other."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.errors import QuickBooksRefused, QuickBooksUnavailable
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.records import Changes, Page, Record
from quickbooks_crm.runs import Attempt
from simulator import Company, Simulator, serve
from tests.integration.connected import client_of
from tests.integration.extracting import (
    NOON,
    REALM,
    Books,
    Told,
    customer,
    extract,
    mirrored,
    position,
    read_before,
    read_rows,
    truth,
    versions,
)

FOR_EVER = 1000


def test_a_position_is_quickbooks_own_clock_before_the_first_page(
    connection: Connection[Any], attempt: Attempt
) -> None:
    pages = [
        Page(read_rows(customer("1")), NOON + timedelta(seconds=3)),
        Page(read_rows(customer("2")), NOON),
        Page(read_rows(customer("3")), NOON + timedelta(seconds=9)),
    ]

    extract(connection, Told(pages), attempt, ["Customer"], everything=False)

    assert position(connection) == NOON


def test_a_position_never_moves_backwards(connection: Connection[Any], attempt: Attempt) -> None:
    """QuickBooks' clock jumped back, or an answer was old."""
    later = datetime.now(UTC) - timedelta(hours=1)
    read_before(connection, later)

    earlier = Told(changed=Changes({}, later - timedelta(minutes=30)))
    extract(connection, earlier, attempt, ["Customer"], everything=False)

    assert position(connection) == later


def test_changes_are_asked_for_from_before_the_oldest_position(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """QuickBooks may show a change late."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    read_before(connection, hour_ago)
    read_before(connection, hour_ago - timedelta(hours=1), "Item")
    told = Told(changed=Changes({}, hour_ago))

    extract(connection, told, attempt, ["Customer", "Item"], everything=False)

    assert told.asked_since == hour_ago - timedelta(hours=1, minutes=10)


def test_an_entity_that_fails_stops_no_other_and_only_it_is_read_again(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    books = Books(client_of(quickbooks))
    quickbooks.fail("query", 400, matching="FROM Item", times=FOR_EVER)

    extracted = extract(connection, books, attempt, ["Customer", "Item"], everything=False)

    assert list(extracted.failed) == ["Item"]
    assert isinstance(extracted.failed["Item"], QuickBooksRefused)
    assert runs.sealed(connection, REALM) > 0
    assert len(mirrored(connection)) == 30

    quickbooks.clear_faults()
    quickbooks.reset_calls()
    extract(connection, books, attempt, ["Customer", "Item"], everything=False)

    asked = [c.statement for c in quickbooks.calls if c.kind in ("cdc", "query")]
    assert asked[0].startswith("entities=Customer&")
    assert all("Item" in statement for statement in asked[1:])
    assert versions(connection, "Item") == truth(quickbooks, "Item")


def test_when_no_entity_can_be_read_the_run_says_why(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    quickbooks.fail("query", 400, times=FOR_EVER)

    with pytest.raises(QuickBooksRefused):
        extract(connection, Books(client_of(quickbooks)), attempt, ["Customer", "Item"], False)

    assert runs.sealed(connection, REALM) == 0


def test_an_outage_is_not_tried_entity_by_entity(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    quickbooks.fail("query", 503, times=FOR_EVER)
    entities = ["Bill", "Customer", "Estimate", "Invoice", "Item", "Payment"]

    with pytest.raises(QuickBooksUnavailable):
        extract(connection, Books(client_of(quickbooks)), attempt, entities, everything=False)

    asked = {c.statement.split()[3] for c in quickbooks.calls if c.kind == "query"}
    assert asked == {"Bill", "Customer", "Estimate"}


def test_an_entity_whose_changes_cannot_be_told_stops_no_other(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    """Asked for together it lets the whole question fail: then each is asked for alone."""
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer", "Item"], everything=False)
    quickbooks.change("Customer", "1", Notes="changed")
    quickbooks.change("Item", "1", Description="changed")
    quickbooks.fail("cdc", 400, matching="Item", times=FOR_EVER)

    extracted = extract(connection, books, attempt, ["Customer", "Item"], everything=False)

    assert list(extracted.failed) == ["Item"]
    assert versions(connection) == truth(quickbooks)

    quickbooks.clear_faults()
    extract(connection, books, attempt, ["Customer", "Item"], everything=False)
    assert versions(connection, "Item") == truth(quickbooks, "Item")


def test_an_entity_that_has_fallen_behind_is_asked_for_alone(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    """All others would be told their old changes again, perhaps more than QuickBooks tells."""
    read_before(connection, datetime.now(UTC) - timedelta(hours=1), "Customer")
    read_before(connection, datetime.now(UTC) - timedelta(hours=2), "Invoice")
    read_before(connection, datetime.now(UTC) - timedelta(days=9), "Item")
    entities = ["Customer", "Invoice", "Item"]

    extract(connection, Books(client_of(quickbooks)), attempt, entities, everything=False)

    asked = [c.statement.partition("&")[0] for c in quickbooks.calls if c.kind == "cdc"]
    assert asked == ["entities=Customer,Invoice", "entities=Item"]


def test_a_clock_that_is_ahead_does_not_hide_changes_to_come(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)

    mirror.advance({"Customer": datetime(2099, 1, 1, tzinfo=UTC)})

    assert position(connection) < datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("id", "balance"),
    [(secrets.token_hex(6_000), "0"), ("7\0", "0"), ("7", "1e200000")],
    ids=["an endless Id", "an Id with NUL", "a number without end"],
)
def test_a_record_that_cannot_be_stored_is_set_aside_and_stops_no_other(
    connection: Connection[Any], attempt: Attempt, id: str, balance: str
) -> None:
    raw = f'{{"Id": {json.dumps(id)}, "DisplayName": "Odd", "Balance": {balance}}}'.encode()
    odd = Record("Customer", id, 0, NOON, False, raw)

    Mirror(connection, attempt).write([*read_rows(customer("1")), odd, *read_rows(customer("2"))])

    stored = mirrored(connection)
    assert {"1", "2"} < set(stored)
    [only_its_id] = [row["payload"] for known, row in stored.items() if known not in ("1", "2")]
    assert set(only_its_id) == {"Id"}


@pytest.mark.parametrize(
    ("days", "calls"),
    [(28, ["cdc"]), *((days, ["query"] * 4) for days in (30, 31, 45, 400))],  # a count, three pages
)
def test_what_was_read_longer_than_29_days_ago_is_read_wholly(
    connection: Connection[Any], attempt: Attempt, days: int, calls: list[str]
) -> None:
    read_before(connection, datetime.now(UTC) - timedelta(days=days))
    small = Company()
    small.load("Customer", [customer(str(n)) for n in range(25)])

    with serve(small) as quickbooks:
        extract(connection, Books(client_of(quickbooks)), attempt, ["Customer"], everything=False)

        assert [c.kind for c in quickbooks.calls if c.kind in ("cdc", "query")] == calls


@pytest.mark.parametrize(("hours", "read"), [(1, []), (19, []), (21, ["1"]), (900, ["1"])])
def test_an_entity_that_quickbooks_tells_no_changes_of_is_read_once_a_day(
    connection: Connection[Any], attempt: Attempt, hours: int, read: list[str]
) -> None:
    read_before(connection, datetime.now(UTC) - timedelta(hours=hours), "TaxCode")
    told = Told([Page(read_rows(customer("1"), entity="TaxCode"), NOON)])

    extract(connection, told, attempt, ["TaxCode"], everything=False)

    assert told.asked_since is None
    assert list(mirrored(connection, "TaxCode")) == read


def test_a_quiet_sync_of_many_entities_costs_one_call(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    entities = ["CompanyInfo", "Customer", "CustomerType", "Invoice", "Item", "TaxCode", "Term"]
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, entities, everything=False)
    quickbooks.reset_calls()

    extract(connection, books, attempt, entities, everything=False)

    assert [c.kind for c in quickbooks.calls] == ["cdc"]
