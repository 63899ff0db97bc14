"""What extract makes of QuickBooks' answers: the mirror, its generations and its positions."""

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import breakers, runs
from quickbooks_crm.errors import BreakerTripped, QuickBooksRefused, QuickBooksUnavailable
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.records import Changes, Page, Record, envelope_of, page_of
from quickbooks_crm.runs import Attempt, Run
from simulator import Company, Simulator, serve
from tests.integration.connected import client_of, company
from tests.integration.extracting import (
    NOON,
    REALM,
    Books,
    Told,
    changes_of,
    customer,
    extract,
    mirrored,
    names,
    position,
    read_before,
    read_rows,
    stub,
    truth,
    versions,
)

RUN = Run("sample", REALM, "run-1")
FOR_EVER = 1000


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    """As the pipeline opens it: every statement commits by itself."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def attempt(connection: Connection[Any]) -> Attempt:
    """A try of the task extract, in a run that holds the lease."""
    runs.start(connection, RUN, "manual", None)
    runs.take_lease(connection, RUN)
    return runs.attempt(connection, RUN, "extract")


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with company(customers=30, items=5, throttle=False) as simulated:
        yield simulated


# Which version of a row the mirror keeps


@pytest.mark.parametrize("arrival", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_newest_version_wins_whatever_the_order_of_arrival(
    connection: Connection[Any], attempt: Attempt, arrival: tuple[int, ...]
) -> None:
    mirror = Mirror(connection, attempt)

    for token in arrival:
        mirror.write(read_rows(customer("1", token, minute=token, DisplayName=f"Version {token}")))

    assert names(connection) == {"1": "Version 2"}


def test_versions_are_compared_as_numbers(connection: Connection[Any], attempt: Attempt) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 10, DisplayName="Tenth")))
    mirror.write(read_rows(customer("1", 9, minute=1, DisplayName="Ninth")))

    assert names(connection) == {"1": "Tenth"}


def test_of_one_version_that_comes_again_changed_the_later_one_is_taken(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """A balance may change without a new version."""
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 3, Balance=10)))
    mirror.write(read_rows(customer("1", 3, Balance=25.5)))

    assert str(mirrored(connection)["1"]["payload"]["Balance"]) == "25.5"


def test_of_one_version_an_earlier_time_is_not_taken(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 3, minute=5, DisplayName="Late")))
    mirror.write(read_rows(customer("1", 3, minute=4, DisplayName="Early")))

    assert names(connection) == {"1": "Late"}


def test_the_same_id_twice_in_a_page_keeps_the_newer(
    connection: Connection[Any], attempt: Attempt
) -> None:
    rows = [customer("1", 2, DisplayName="Two"), customer("1", 11, DisplayName="Eleven")]

    Mirror(connection, attempt).write(read_rows(*rows, customer("2"), rows[0]))

    assert names(connection) == {"1": "Eleven", "2": "Customer 2"}


def test_the_same_id_in_two_pages_is_one_row(connection: Connection[Any], attempt: Attempt) -> None:
    pages = [
        Page(read_rows(customer("1"), customer("2")), NOON),
        Page(read_rows(customer("2")), NOON),
    ]

    extracted = extract(connection, Told(pages), attempt, ["Customer"], everything=False)

    assert sorted(mirrored(connection)) == ["1", "2"]
    assert extracted.fetched == {"Customer": 2}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"MetaData": None}, id="MetaData is null"),
        pytest.param({"MetaData": {}}, id="MetaData is empty"),
        pytest.param({"MetaData": {"LastUpdatedTime": "yesterday"}}, id="no time"),
        pytest.param({"Id": 1}, id="Id is a number"),
        pytest.param({"SyncToken": 7}, id="SyncToken is a number"),
        pytest.param({"SyncToken": None}, id="SyncToken is null"),
    ],
)
def test_an_odd_row_is_mirrored_all_the_same(
    connection: Connection[Any], attempt: Attempt, odd: dict[str, Any]
) -> None:
    Mirror(connection, attempt).write(read_rows(customer("1", **odd)))

    assert mirrored(connection)["1"]["payload"] == customer("1", **odd)


def test_a_row_without_times_is_still_brought_up_to_date(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 0, minute=None)))
    mirror.write(read_rows(customer("1", 1, minute=None, DisplayName="Newer")))

    assert names(connection) == {"1": "Newer"}


def test_a_page_written_twice_changes_nothing(
    connection: Connection[Any], attempt: Attempt
) -> None:
    page = read_rows(customer("1", 1), customer("2", 5, Balance=3.10), stub("3"))
    Mirror(connection, attempt).write(page)
    before = mirrored(connection)

    Mirror(connection, attempt).write(page)

    assert mirrored(connection) == before


def test_only_rows_that_changed_get_the_new_generation(
    connection: Connection[Any], attempt: Attempt
) -> None:
    first = Mirror(connection, attempt)
    first.write(read_rows(customer("1"), customer("2"), customer("3", 4)))

    second = Mirror(connection, attempt)
    second.write(read_rows(customer("1"), customer("2", 1), customer("3", 3), customer("4")))

    given = {id: row["generation"] for id, row in mirrored(connection).items()}
    assert given == {
        "1": first.generation,
        "2": second.generation,
        "3": first.generation,
        "4": second.generation,
    }


def test_amounts_are_stored_to_the_last_digit(
    connection: Connection[Any], attempt: Attempt
) -> None:
    raw = b'{"Id":"1","SyncToken":"0","Balance":0.10,"Big":12345678901234567.89}'

    Mirror(connection, attempt).write([Record("Customer", "1", 0, None, False, raw)])

    stored = connection.execute("SELECT payload::text FROM quickbooks.record").fetchone()
    assert stored is not None
    assert '"Balance": 0.10' in stored[0]
    assert '"Big": 12345678901234567.89' in stored[0]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param(r"a\u0000b", "a\ufffdb", id="NUL"),
        pytest.param(r"\u0000\u0000", "\ufffd\ufffd", id="two NULs"),
        pytest.param(r"a\\u0000b", r"a\u0000b", id="a backslash before the word u0000"),
        pytest.param(r"a\\\u0000b", "a\\\ufffdb", id="a backslash, then NUL"),
        pytest.param(r"\ud800", "\ufffd", id="the first half of a character"),
        pytest.param(r"\udc00x", "\ufffdx", id="the second half"),
        pytest.param(r"\uD83D\uDE00", "\U0001f600", id="both halves"),
        pytest.param(r"\ud800\ud83d\ude00", "\ufffd\U0001f600", id="a half, then a whole"),
        pytest.param(r"\ude00\ud83d", "\ufffd\ufffd", id="the halves in the wrong order"),
        pytest.param(r"\\ud800", r"\ud800", id="a backslash before the word ud800"),
    ],
)
def test_what_postgres_cannot_store_is_replaced_and_the_row_is_kept(
    connection: Connection[Any], attempt: Attempt, sent: str, stored: str
) -> None:
    body = '{"QueryResponse":{"Customer":[{"Id":"1","DisplayName":"%s"},{"Id":"2"}]},"time":"%s"}'
    envelope = envelope_of((body % (sent, NOON.isoformat())).encode())
    assert envelope is not None

    Mirror(connection, attempt).write(page_of(envelope).records)

    assert names(connection) == {"1": stored, "2": None}


def test_a_record_that_another_connection_brings_first_is_merged(
    connection: Connection[Any], attempt: Attempt, database_url: str
) -> None:
    """Nothing is looked up of an entity that the mirror has nothing of."""
    mirror = Mirror(connection, attempt)
    assert mirror.is_empty("Customer")
    with psycopg.connect(database_url, autocommit=True) as other:
        mirror.beside(other).write(read_rows(customer("2", 7), customer("3", 1)))

    mirror.write(read_rows(*(customer(str(n), 4) for n in range(1, 5))))

    assert versions(connection) == {"1": "4", "2": "7", "3": "4", "4": "4"}


# Deletes


def test_a_delete_keeps_the_last_known_payload(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 4, DisplayName="Last known")))
    mirror.write(read_rows(stub("1", minute=1)))

    row = mirrored(connection)["1"]
    assert (row["deleted"], row["payload"]["DisplayName"]) == (True, "Last known")
    assert row["sync_token"] == 4


def test_a_delete_of_a_row_never_seen_is_kept_as_deleted(
    connection: Connection[Any], attempt: Attempt
) -> None:
    Mirror(connection, attempt).write(read_rows(stub("1")))

    assert mirrored(connection)["1"]["deleted"]


def test_an_older_version_that_arrives_late_does_not_bring_a_deleted_row_back(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 4, minute=0)))
    mirror.write(read_rows(stub("1", minute=5)))

    mirror.write(read_rows(customer("1", 4, minute=0), customer("1", 3, minute=0)))

    assert mirrored(connection)["1"]["deleted"]


def test_an_old_delete_does_not_remove_a_row_changed_after_it(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 5, minute=9)))
    mirror.write(read_rows(stub("1", minute=5)))

    assert not mirrored(connection)["1"]["deleted"]


def test_a_row_that_comes_back_is_no_longer_deleted(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 4), stub("2")))
    mirror.write(read_rows(stub("1", minute=1)))

    mirror.write(read_rows(customer("1", 5, minute=2), customer("2", 0, minute=2)))

    assert not any(row["deleted"] for row in mirrored(connection).values())


@pytest.mark.parametrize("still_there", [True, False])
def test_a_delete_of_a_name_list_row_is_believed_only_when_it_is_confirmed(
    connection: Connection[Any], attempt: Attempt, still_there: bool
) -> None:
    """QuickBooks only ever makes such rows inactive."""
    told = Told([Page(read_rows(customer("1")), NOON)])
    extract(connection, told, attempt, ["Customer"], everything=True)
    read_before_now = Told(changed=changes_of(stub("1", minute=1)))
    read_before_now.there = (
        read_rows(customer("1", 1, minute=1, Active=False)) if still_there else []
    )
    connection.execute("UPDATE sync.entity_position SET changed_since = now()")

    extract(connection, read_before_now, attempt, ["Customer"], everything=False)

    assert mirrored(connection)["1"]["deleted"] is not still_there


def test_a_row_that_vanished_without_a_word_is_found_by_reading_everything(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    books = Books(client_of(quickbooks))
    extract(connection, books, attempt, ["Customer"], everything=False)
    del quickbooks.company.table("Customer").rows["7"]
    quickbooks.company.table("Customer")._selections.clear()

    extract(connection, books, attempt, ["Customer"], everything=True)

    deleted = [id for id, row in mirrored(connection).items() if row["deleted"]]
    assert deleted == ["7"]
    assert versions(connection) == truth(quickbooks)


def test_a_row_that_a_full_read_only_missed_is_not_taken_for_deleted(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """Pages shift while people work: what was not seen is asked for by its id."""
    extract(
        connection,
        Told([Page(read_rows(customer("1"), customer("2")), NOON)]),
        attempt,
        ["Customer"],
        everything=True,
    )
    shifted = Told([Page(read_rows(customer("1")), NOON)], there=read_rows(customer("2", 1)))

    extract(connection, shifted, attempt, ["Customer"], everything=True)

    assert versions(connection) == {"1": "0", "2": "1"}


def test_a_company_that_suddenly_has_nothing_is_not_believed(
    connection: Connection[Any], attempt: Attempt
) -> None:
    full = Told([Page(read_rows(customer("1"), customer("2")), NOON)])
    extract(connection, full, attempt, ["Customer"], everything=True)
    before = mirrored(connection)

    with pytest.raises(BreakerTripped, match="no Customer at all, though the mirror has 2"):
        extract(connection, Told([Page([], NOON)]), attempt, ["Customer"], everything=True)

    assert mirrored(connection) == before


def test_a_company_that_never_had_anything_is_believed(
    connection: Connection[Any], attempt: Attempt
) -> None:
    told = Told([Page([], NOON)])

    extracted = extract(connection, told, attempt, ["Customer"], everything=False)

    assert (extracted.fetched, mirrored(connection)) == ({"Customer": 0}, {})


def deletes_too_many(
    connection: Connection[Any], quickbooks: Simulator, attempt: Attempt, everything: bool = False
) -> bool:
    """Whether a run is stopped by them; when it is, that is noted."""
    books = Books(client_of(quickbooks), size=1000)
    failed = extract(connection, books, attempt, ["Invoice", "Item"], everything).failed
    for error in failed.values():
        assert isinstance(error, BreakerTripped)
        breakers.note(connection, RUN, error.danger)
    return bool(failed)


@pytest.fixture
def too_many(connection: Connection[Any], attempt: Attempt) -> Iterator[Simulator]:
    """25 of 300 invoices are deleted, and a run has met that."""
    with company(customers=30, items=5, invoices=300, throttle=False) as simulated:
        assert not deletes_too_many(connection, simulated, attempt)
        for row in simulated.rows("Invoice")[:25]:
            simulated.delete("Invoice", row["Id"])
        assert deletes_too_many(connection, simulated, attempt)
        yield simulated


def release_deletes(connection: Connection[Any]) -> None:
    breakers.release(connection, "sample", "mass_delete:Invoice", "anna", "they were drafts")


def breakers_past(connection: Connection[Any]) -> list[str]:
    assert not breakers.open_ones(connection, "sample")
    return [past.state for past in breakers.past_ones(connection, "sample", 9)]


@pytest.mark.parametrize("released", [True, False])
def test_deletes_that_are_no_danger_any_more_leave_neither_breaker_nor_release(
    connection: Connection[Any], attempt: Attempt, too_many: Simulator, released: bool
) -> None:
    """So many invoices came in that 25 deletes are few."""
    if released:
        release_deletes(connection)
    for _ in range(300):
        too_many.add("Invoice", CustomerRef={"value": "1"})

    assert not deletes_too_many(connection, too_many, attempt)

    assert breakers_past(connection) == ["passed"]
    for row in too_many.rows("Invoice")[:40]:
        too_many.delete("Invoice", row["Id"])
    assert deletes_too_many(connection, too_many, attempt)


def test_a_release_of_deletes_is_used_by_the_run_that_writes_them(
    connection: Connection[Any], attempt: Attempt, too_many: Simulator
) -> None:
    release_deletes(connection)

    assert not deletes_too_many(connection, too_many, attempt)

    assert breakers_past(connection) == ["used"]
    assert versions(connection, "Invoice") == truth(too_many, "Invoice")


def test_what_stopped_a_full_read_is_not_over_because_no_change_tells_of_it(
    connection: Connection[Any], attempt: Attempt
) -> None:
    with company(customers=30, items=5, invoices=300, throttle=False) as quickbooks:
        assert not deletes_too_many(connection, quickbooks, attempt)
        for row in quickbooks.rows("Invoice")[:25]:
            quickbooks.vanish("Invoice", row["Id"])
        assert deletes_too_many(connection, quickbooks, attempt, everything=True)
        release_deletes(connection)

        assert not deletes_too_many(connection, quickbooks, attempt)

        [waits] = breakers.open_ones(connection, "sample")
        assert waits.state == "released"
        assert not deletes_too_many(connection, quickbooks, attempt, everything=True)
        assert breakers_past(connection) == ["used"]


# Positions


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


# More changes than QuickBooks tells at once


@pytest.fixture
def large() -> Iterator[Simulator]:
    """1,200 invoices and customers, and an item; QuickBooks tells of 1000 changes at most."""
    with company(customers=1200, items=1, invoices=1200, throttle=False) as simulated:
        yield simulated


ALL = ["Customer", "Invoice", "Item"]


def many_change(quickbooks: Simulator, entity: str, number: int = 1100) -> None:
    for row in quickbooks.rows(entity)[:number]:
        quickbooks.change(entity, row["Id"], PrivateNote="changed")


def asked_for(quickbooks: Simulator, entity: str) -> list[str]:
    """What was asked of an entity alone: the kind of each question."""
    words = [c.statement for c in quickbooks.calls if c.kind == "query" and entity in c.statement]
    return [
        "count" if "COUNT" in word else "changes" if "LastUpdatedTime" in word else "everything"
        for word in words
    ]


def test_more_changes_than_quickbooks_tells_at_once_are_queried_by_their_time(
    connection: Connection[Any], attempt: Attempt, large: Simulator
) -> None:
    books = Books(client_of(large), size=1000)
    extract(connection, books, attempt, ALL, everything=False)
    many_change(large, "Customer")
    large.add("Customer", DisplayName="New")
    large.change("Item", "1", Name="Changed")
    large.reset_calls()

    extract(connection, books, attempt, ALL, everything=False)

    kinds = [c.kind for c in large.calls]
    assert all(versions(connection, entity) == truth(large, entity) for entity in ALL)
    assert kinds.count("cdc") == 4  # all together, then each alone
    assert "everything" not in asked_for(large, "Customer")
    assert len(large.calls) < 12

    large.reset_calls()
    extract(connection, books, attempt, ["Item"], everything=False)
    assert [c.kind for c in large.calls] == ["cdc"]


@pytest.mark.parametrize("entity", ["Customer", "Invoice"])
def test_deletes_among_too_many_changes_are_found_by_counting(
    connection: Connection[Any], attempt: Attempt, large: Simulator, entity: str
) -> None:
    books = Books(client_of(large), size=1000)
    extract(connection, books, attempt, ALL, everything=False)
    many_change(large, entity)
    for row in large.rows(entity)[-10:]:
        large.delete(entity, row["Id"])

    extract(connection, books, attempt, ALL, everything=False)

    assert versions(connection, entity) == truth(large, entity)


def test_a_delete_and_an_addition_among_too_many_changes_do_not_hide_each_other(
    connection: Connection[Any], attempt: Attempt, large: Simulator
) -> None:
    books = Books(client_of(large), size=1000)
    extract(connection, books, attempt, ALL, everything=False)
    many_change(large, "Invoice")
    large.delete("Invoice", large.rows("Invoice")[-1]["Id"])
    large.add("Invoice", CustomerRef={"value": "1"})

    extract(connection, books, attempt, ALL, everything=False)

    assert versions(connection, "Invoice") == truth(large, "Invoice")


@pytest.mark.parametrize("odd", ["cannot be stored", "has no MetaData", "has an odd CreateTime"])
def test_a_delete_among_too_many_changes_is_found_beside_a_record_of_unknown_age(
    connection: Connection[Any], attempt: Attempt, large: Simulator, odd: str
) -> None:
    """QuickBooks counts such a record, and the mirror cannot: the delete would make them even."""
    books = Books(client_of(large), size=1000)
    row = large.rows("Invoice")[0]
    times = {"LastUpdatedTime": row["MetaData"]["LastUpdatedTime"], "CreateTime": "long ago"}
    head = {name: value for name, value in row.items() if name != "MetaData"}
    served = {
        "cannot be stored": json.dumps(row, default=float)[:-1] + ', "Odd": 1e200000}',
        "has no MetaData": json.dumps(head, default=float),
        "has an odd CreateTime": json.dumps(head | {"MetaData": times}, default=float),
    }
    large.put("Invoice", row, served=served[odd].encode())
    extract(connection, books, attempt, ["Invoice"], everything=False)
    large.advance(3600)
    for row in large.rows("Invoice")[10:1110]:
        large.change("Invoice", row["Id"], PrivateNote="changed")
    large.delete("Invoice", large.rows("Invoice")[-1]["Id"])

    extract(connection, books, attempt, ["Invoice"], everything=False)

    assert versions(connection, "Invoice").keys() == truth(large, "Invoice").keys()


@pytest.mark.parametrize("after", [1, 2])
def test_records_that_change_while_changes_are_queried_are_not_lost(
    connection: Connection[Any], attempt: Attempt, large: Simulator, after: int
) -> None:
    """They come amid the others and move these behind."""
    books = Books(client_of(large), size=200)
    extract(connection, books, attempt, ALL, everything=False)
    many_change(large, "Invoice")
    large.when(
        "query",
        lambda: [
            large.change("Invoice", row["Id"], PrivateNote="again")
            for row in large.rows("Invoice")[::30]
        ],
        matching="LastUpdatedTime",
        after=after,
    )

    extract(connection, books, attempt, ALL, everything=False)
    extract(connection, books, attempt, ALL, everything=False)

    assert versions(connection, "Invoice") == truth(large, "Invoice")


# Whatever happens to a record, the mirror ends as QuickBooks has it


def test_a_window_with_only_deletes_moves_the_position(
    connection: Connection[Any], attempt: Attempt, large: Simulator
) -> None:
    books = Books(client_of(large), size=1000)
    extract(connection, books, attempt, ALL, everything=False)
    before = position(connection, "Invoice")
    for row in large.rows("Invoice")[:10]:
        large.delete("Invoice", row["Id"])

    extract(connection, books, attempt, ALL, everything=False)

    assert versions(connection, "Invoice") == truth(large, "Invoice")
    assert position(connection, "Invoice") > before


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param([lambda q: q.inactivate("Customer", "3")], id="inactive"),
        pytest.param(
            [lambda q: q.inactivate("Customer", "3"), lambda q: q.reactivate("Customer", "3")],
            id="inactive, then active again",
        ),
        pytest.param([lambda q: q.void("Invoice", "2")], id="voided"),
        pytest.param([lambda q: q.merge("Customer", "3", "4")], id="merged away"),
        pytest.param([lambda q: q.delete("Invoice", "2")], id="deleted"),
        pytest.param(
            [lambda q: q.delete("Invoice", q.add("Invoice", CustomerRef={"value": "1"}))],
            id="created and deleted in between",
        ),
    ],
)
def test_what_happens_to_a_record_between_two_runs_reaches_the_mirror(
    connection: Connection[Any],
    attempt: Attempt,
    happens: list[Callable[[Simulator], object]],
) -> None:
    with company(customers=30, items=5, invoices=20, throttle=False) as quickbooks:
        books = Books(client_of(quickbooks))
        extract(connection, books, attempt, ALL, everything=False)
        for happen in happens:
            happen(quickbooks)
            extract(connection, books, attempt, ALL, everything=False)

        for entity in ALL:
            rows = mirrored(connection, entity).items()
            assert versions(connection, entity) == truth(quickbooks, entity)
            assert {id: row["payload"] for id, row in rows if not row["deleted"]} == {
                row["Id"]: row
                for row in json.loads(json.dumps(quickbooks.rows(entity), default=float))
            }


# Breakers


def test_deletes_that_look_like_an_accident_are_not_written_before_a_person_releases_them(
    connection: Connection[Any], attempt: Attempt
) -> None:
    with company(customers=100, items=5, invoices=100, throttle=False) as quickbooks:
        books = Books(client_of(quickbooks))
        extract(connection, books, attempt, ALL, everything=False)
        for row in quickbooks.rows("Invoice")[:25]:
            quickbooks.delete("Invoice", row["Id"])
        quickbooks.change("Customer", "1", Notes="changed")

        extracted = extract(connection, books, attempt, ALL, everything=False)

        assert str(extracted.failed["Invoice"]).startswith(
            "25 of 100 records of Invoice are deleted in QuickBooks: 25 %; "
        )
        assert len(versions(connection, "Invoice")) == 100
        assert versions(connection) == truth(quickbooks)

        released(connection, extracted.failed["Invoice"])
        extract(connection, books, attempt, ALL, everything=False)
        assert versions(connection, "Invoice") == truth(quickbooks, "Invoice")


def released(connection: Connection[Any], error: Exception) -> None:
    """A person has looked at it and lets it pass."""
    assert isinstance(error, BreakerTripped)
    breakers.note(connection, RUN, error.danger)
    name = breakers.name(error.danger.code, error.danger.subject)
    breakers.release(connection, "sample", name, "tester", "it is right")


def test_records_missing_from_a_full_read_are_not_written_as_deleted_before_a_release(
    connection: Connection[Any], attempt: Attempt
) -> None:
    rows = read_rows(*(customer(str(n)) for n in range(100)))
    extract(connection, Told([Page(rows, NOON)]), attempt, ["Customer"], everything=True)
    fewer = Told([Page(rows[:70], NOON)])

    with pytest.raises(BreakerTripped, match="30 of 100 records of Customer") as tripped:
        extract(connection, fewer, attempt, ["Customer"], everything=True)
    assert len(versions(connection)) == 100

    released(connection, tripped.value)
    extract(connection, fewer, attempt, ["Customer"], everything=True)
    assert len(versions(connection)) == 70


def test_only_a_full_read_without_danger_ends_what_stopped_an_earlier_one(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    books, nothing = Books(client_of(quickbooks)), Told([Page([], NOON)])
    extract(connection, books, attempt, ["Customer"], everything=True)
    with pytest.raises(BreakerTripped) as tripped:
        extract(connection, nothing, attempt, ["Customer"], everything=True)
    breakers.note(connection, RUN, tripped.value.danger)

    extract(connection, books, attempt, ["Customer"], everything=False)
    assert [stopped.name for stopped in breakers.open_ones(connection, "sample")] == [
        "empty_source:Customer"
    ]

    extract(connection, books, attempt, ["Customer"], everything=True)
    assert breakers.open_ones(connection, "sample") == []


# Companies that change while they are read


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda q: q.add("Customer", DisplayName="Aaa"), id="a row is added"),
        pytest.param(lambda q: q.change("Customer", "3", DisplayName="Zzz"), id="renamed"),
        pytest.param(lambda q: q.inactivate("Customer", "3"), id="made inactive"),
        pytest.param(lambda q: q.delete("Customer", "29"), id="deleted behind it"),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_company_that_changes_while_it_is_read_loses_nothing_after_one_more_run(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    meanwhile: Callable[[Simulator], object],
    page: int,
) -> None:
    books = Books(client_of(quickbooks))
    quickbooks.when("query", lambda: meanwhile(quickbooks), matching="SELECT *", after=page)

    extract(connection, books, attempt, ["Customer"], everything=False)
    extract(connection, books, attempt, ["Customer"], everything=False)

    assert versions(connection) == truth(quickbooks)


def test_a_delete_while_reading_hides_no_other_row_from_the_mirror(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rows behind it move down by one, and the next page would begin one too late."""
    monkeypatch.setattr(reading, "CONNECTIONS", 1)  # pages come in order
    quickbooks.when(
        "query", lambda: quickbooks.delete("Customer", "1"), matching="STARTPOSITION", after=1
    )

    extract(connection, Books(client_of(quickbooks)), attempt, ["Customer"], everything=False)

    assert mirrored(connection).keys() == {str(n) for n in range(1, 31)}
