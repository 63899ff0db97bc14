"""Triggers that change records after they were written, or when their lines are: what counts is
what the table holds in the end."""

from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import End, item, rows, sync
from tests.integration.documents import invoice, known, line
from tests.integration.own_tables import into, own, things
from tests.integration.undo import bring_all, undo

__all__ = ["own"]

CAPITALS = "UPDATE own.things SET name = upper(name) WHERE name <> upper(name);"
COUNT = """
    UPDATE crm.invoices
       SET number = (SELECT count(*) FROM crm.invoice_lines WHERE invoice_id = NEW.invoice_id)
     WHERE id = NEW.invoice_id;"""
EACH = "AFTER INSERT OR UPDATE ON {} FOR EACH ROW"
ALL = "AFTER INSERT OR UPDATE ON {} FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)"
LAST = "AFTER INSERT OR UPDATE ON {} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"


def trigger(connection: Connection[Any], kind: str, when: str, table: str, body: str) -> None:
    """A trigger of a table that does something when rows of it have been written."""
    connection.execute(
        "CREATE FUNCTION crm.after() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NULL; END $$;"
        f"CREATE {kind} after {when.format(table)} EXECUTE FUNCTION crm.after()".encode()
    )


@pytest.fixture(
    params=[("TRIGGER", EACH), ("TRIGGER", ALL), ("CONSTRAINT TRIGGER", LAST)],
    ids=["each", "all", "deferred"],
)
def capitals(request: pytest.FixtureRequest, own: Connection[Any]) -> Connection[Any]:
    """A table that writes names in capitals, once they are there."""
    things(own, "value text, CHECK (value <> 'bad')")
    trigger(own, *request.param, "own.things", CAPITALS)
    return own


@pytest.fixture(params=[("TRIGGER", EACH), ("CONSTRAINT TRIGGER", LAST)], ids=["each", "deferred"])
def counting(request: pytest.FixtureRequest, connection: Connection[Any]) -> Connection[Any]:
    """Lines that tell their document how many there are."""
    trigger(connection, *request.param, "crm.invoice_lines", COUNT)
    return connection


def test_what_a_table_changes_afterwards_is_not_changed_again(capitals: Connection[Any]) -> None:
    first = sync(capitals, into("x"), item("7"), item("8"), item("9", Value="bad"))

    again = bring_all(capitals, into("x"), "again")
    changed = sync(capitals, into("x"), item("7", Value="a"), item("8"))

    assert [end.outcome for end in first] == ["added", "added", "not_added"]
    assert [end.outcome for end in again] == ["unchanged", "unchanged", "not_added"]
    assert changed == [End("7", "updated"), End("8", "unchanged")]
    held = rows(capitals, "SELECT name, value FROM own.things ORDER BY id")
    assert held == [("ITEM 7", "a"), ("ITEM 8", None)]


def test_what_a_table_changed_afterwards_is_nobodys_edit_for_an_undo(
    capitals: Connection[Any],
) -> None:
    sync(capitals, into("x"), item("7"), run_id="wrong")
    sync(capitals, into("x"), item("7", Name="Pump"), run_id="worse")

    assert undo(capitals, into("x"), "worse") == [End("7", "updated")]
    assert rows(capitals, "SELECT name FROM own.things") == [("ITEM 7",)]
    assert undo(capitals, into("x"), "wrong") == [End("7", "removed")]


def test_a_change_that_the_table_takes_back_afterwards_is_none(capitals: Connection[Any]) -> None:
    sync(capitals, into("x"), item("7"))

    assert sync(capitals, into("x"), item("7", Name="iTEM 7")) == [End("7", "unchanged")]


def test_what_lines_change_of_their_document_is_not_changed_again(
    counting: Connection[Any],
) -> None:
    seven = invoice("7", line("a"), line("b"), DocNumber="x")
    sync(counting, known(), seven, run_id="wrong")

    again = bring_all(counting, known(), "again")

    assert again == [End("7", "unchanged")]
    assert sync(counting, known(), seven) == [End("7", "unchanged")]
    assert rows(counting, "SELECT number FROM crm.invoices") == [("2",)]
    assert undo(counting, known(), "wrong") == [End("7", "removed")]
