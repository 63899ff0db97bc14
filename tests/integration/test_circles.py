"""Customers that are each other's parent: loaded as QuickBooks has them, told, and never a loop."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import End, Record, accounts, customer, outcome, rows, sync

PARENTS = """
    SELECT child.quickbooks_customer_id, parent.quickbooks_customer_id FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id
     ORDER BY child.quickbooks_customer_id::integer"""
TOLD = """
    SELECT id FROM sync.outcome
     WHERE run_id = %s AND details -> 'notes' -> 0 ->> 'reason' = 'circle'
     ORDER BY id::integer"""
WARNED = "SELECT warnings ->> 'accounts.circle.parent_id' FROM sync.run WHERE run_id = %s"


def mapped() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts()})


def child(id: str, parent: str, **fields: Any) -> Record:
    return customer(id, ParentRef={"value": parent}, **fields)


def told(connection: Connection[Any], run_id: str) -> list[str]:
    return [row[0] for row in connection.execute(TOLD, [run_id])]


def warned(connection: Connection[Any], run_id: str) -> str | None:
    row = connection.execute(WARNED, [run_id]).fetchone()
    return row[0] if row else None


def test_customers_that_are_each_others_parent_are_loaded_so_and_told(
    connection: Connection[Any],
) -> None:
    records = [child("1", "2"), child("2", "3"), child("3", "1"), child("4", "1"), customer("5")]

    ended = sync(connection, mapped(), *records, run_id="first")

    assert ended == [End(str(n), "added") for n in range(1, 6)]
    assert dict(rows(connection, PARENTS)) == {"1": "2", "2": "3", "3": "1", "4": "1", "5": None}
    assert told(connection, "first") == ["1", "2", "3"]
    assert warned(connection, "first") == (
        "accounts: Parent account leads from 1, 2, 3 back to the record itself. That is loaded as "
        "QuickBooks has it; put it right there."
    )
    assert outcome(connection, "2", "details")[0]["notes"] == [
        {
            "reason": "circle",
            "field": "parent_id",
            "label": "Parent account",
            "rule": "leads back to the record itself",
        }
    ]


def test_a_customer_that_is_its_own_parent_is_loaded_so_and_told(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), child("1", "1"), run_id="first")

    assert rows(connection, PARENTS) == [("1", "1")]
    assert told(connection, "first") == ["1"]


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_a_circle_that_a_later_run_closes_is_told_then(
    connection: Connection[Any], order: tuple[str, str]
) -> None:
    other = {"1": "2", "2": "1"}
    sync(connection, mapped(), child(order[0], other[order[0]]), run_id="first")
    sync(connection, mapped(), child(order[1], other[order[1]]), run_id="second")

    assert rows(connection, PARENTS) == [("1", "2"), ("2", "1")]
    assert told(connection, "first") == []
    assert order[1] in told(connection, "second")


def test_a_circle_is_not_told_again_while_nothing_changes(connection: Connection[Any]) -> None:
    sync(connection, mapped(), child("1", "2"), child("2", "1"))

    ended = sync(connection, mapped(), child("1", "2"), child("2", "1"), run_id="again")

    assert ended == [End("1", "unchanged"), End("2", "unchanged")]
    assert warned(connection, "again") is None


def test_a_chain_of_fifty_levels_is_no_circle(connection: Connection[Any]) -> None:
    chain = [child(str(n), str(n - 1)) for n in range(2, 51)]

    sync(connection, mapped(), customer("1"), *chain, run_id="first")

    assert len(rows(connection, PARENTS)) == 50
    assert told(connection, "first") == []
