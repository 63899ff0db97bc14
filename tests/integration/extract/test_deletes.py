"""What QuickBooks has deleted, or only seems to have, and deletes that look like an accident."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import breakers
from quickbooks_crm.errors import BreakerTripped
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.records import Page
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of, company
from tests.integration.extracting import (
    ALL,
    NOON,
    RUN,
    Books,
    Told,
    changes_of,
    customer,
    extract,
    mirrored,
    read_rows,
    stub,
    truth,
    versions,
)


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
