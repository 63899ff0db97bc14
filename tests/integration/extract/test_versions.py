"""Which version of a row the mirror keeps, and what of it."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.records import Page, Record, envelope_of, page_of
from quickbooks_crm.runs import Attempt
from tests.integration.extracting import (
    NOON,
    Told,
    customer,
    extract,
    mirrored,
    names,
    read_rows,
    stub,
    versions,
)


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
