"""Records that are each other's parents go, and come back, together, whatever else stays."""

from typing import Any

import pytest
from psycopg import Connection, sql

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import End, accounts, customer, outcome, rows, sync, under
from tests.integration.undo import undo

REFUSES = """
    CREATE FUNCTION crm.own() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF {record}.quickbooks_customer_id = '9' THEN RAISE EXCEPTION 'not this one'; END IF;
        RETURN {record};
    END $$;
    CREATE TRIGGER own BEFORE {operation} ON crm.accounts FOR EACH ROW EXECUTE FUNCTION crm.own()"""
PARENTS = """
    SELECT child.quickbooks_customer_id, parent.quickbooks_customer_id FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id
     ORDER BY child.quickbooks_customer_id"""
TWO, THREE = {"1": "2", "2": "1"}, {"1": "2", "2": "3", "3": "1"}
ALONE = "The CRM table refused it: not this one."
TOGETHER = (
    "The CRM table refused it, or one of the records that refer to each other in a circle with it: "
    "not this one."
)
NEEDED = "Records that could not be removed refer to it."


def mapped() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts()})


def bring(connection: Connection[Any], parents: dict[str, str], *others: str) -> None:
    """Customers with their parents, and others without any, by a run that is wrong."""
    records = [under(parent, id) for id, parent in parents.items()]
    sync(connection, mapped(), *records, *map(customer, others), run_id="wrong")


def refuse_the_ninth(connection: Connection[Any], operation: str) -> None:
    record = sql.SQL({"DELETE": "OLD", "INSERT": "NEW"}[operation])
    names = {"record": record, "operation": sql.SQL(operation)}
    connection.execute(sql.SQL(REFUSES).format(**names))


@pytest.mark.parametrize("circle", [TWO, THREE])
def test_a_circle_goes_beside_a_record_that_is_refused(
    connection: Connection[Any], circle: dict[str, str]
) -> None:
    bring(connection, circle, "9")
    refuse_the_ninth(connection, "DELETE")

    ended = undo(connection, mapped(), "wrong")

    assert ended == [*(End(id, "removed") for id in circle), End("9", "kept", "refused_by_table")]
    assert outcome(connection, "9", "message") == (ALONE,)


@pytest.mark.parametrize("circle", [TWO, THREE])
def test_a_circle_comes_back_beside_a_record_that_is_refused(
    connection: Connection[Any], circle: dict[str, str]
) -> None:
    bring(connection, circle, "9")
    undo(connection, mapped(), "wrong", run_id="back")
    refuse_the_ninth(connection, "INSERT")

    ended = undo(connection, mapped(), "back")

    assert ended == [*(End(id, "added") for id in circle), End("9", "kept", "refused_by_table")]
    assert dict(rows(connection, PARENTS)) == circle


def test_a_circle_goes_beside_one_of_which_a_record_is_refused(connection: Connection[Any]) -> None:
    bring(connection, {**TWO, "8": "9", "9": "8", "7": "9"})
    refuse_the_ninth(connection, "DELETE")

    ended = undo(connection, mapped(), "wrong")

    kept = [End(id, "kept", "refused_by_table") for id in "89"]
    assert ended == [*(End(id, "removed") for id in "127"), *kept]
    assert [outcome(connection, id, "message") for id in "89"] == [(TOGETHER,)] * 2
    assert rows(connection, PARENTS) == [("8", "9"), ("9", "8")]


def test_a_circle_comes_back_beside_one_of_which_a_record_is_refused(
    connection: Connection[Any],
) -> None:
    bring(connection, {**TWO, "8": "9", "9": "8"})
    undo(connection, mapped(), "wrong", run_id="back")
    refuse_the_ninth(connection, "INSERT")

    ended = undo(connection, mapped(), "back")

    kept = [End(id, "kept", "refused_by_table") for id in "89"]
    assert ended == [*(End(id, "added") for id in "12"), *kept]
    assert dict(rows(connection, PARENTS)) == TWO


def test_a_circle_that_a_refused_record_refers_to_stays_whole(connection: Connection[Any]) -> None:
    """Its foreign key would let the circle go, and take the parent of the record that stays."""
    bring(connection, {**TWO, "9": "1"}, "5")
    refuse_the_ninth(connection, "DELETE")

    ended = undo(connection, mapped(), "wrong")

    kept = [End("1", "kept", "referenced"), End("2", "kept", "referenced")]
    assert ended == [*kept, End("5", "removed"), End("9", "kept", "refused_by_table")]
    assert outcome(connection, "2", "message") == (NEEDED,)
    assert dict(rows(connection, PARENTS)) == {**TWO, "9": "1"}


@pytest.mark.parametrize(("operation", "done"), [("DELETE", "removed"), ("INSERT", "added")])
def test_what_a_circle_refers_to_and_what_refers_to_it_have_their_own_turns(
    connection: Connection[Any], operation: str, done: str
) -> None:
    connection.execute("ALTER TABLE crm.accounts ADD second_id bigint REFERENCES crm.accounts")
    known = parse_all({"accounts": accounts("second_id: {from: Second, refers: accounts}")})
    circle = [under("3", "2"), customer("3", ParentRef={"value": "2"}, Second="4")]
    sync(connection, known, *circle, customer("4"), under("2", "1"), customer("9"), run_id="wrong")
    if operation == "INSERT":
        undo(connection, known, "wrong", run_id="back")
    refuse_the_ninth(connection, operation)

    ended = undo(connection, known, "back" if operation == "INSERT" else "wrong")

    kept = End("9", "kept", "refused_by_table")
    assert ended == [*(End(id, done) for id in "1234"), kept]
