"""More changes than QuickBooks tells of at once."""

import json
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of
from tests.integration.extracting import ALL, Books, extract, position, truth, versions


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
