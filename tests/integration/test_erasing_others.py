"""A person is erased: what was decided of others who only name them stays, with what undoes it."""

from typing import Any

import pytest
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import linking, one_module
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import (
    REALM,
    End,
    Record,
    accounts,
    by_hand,
    customer,
    in_capitals,
    one,
    outcome,
    rows,
    sync,
)
from tests.integration.test_erasing import CANARY, MORE, erase, found, person
from tests.integration.undo import company, undo

FIELDS = (
    MORE.replace("Notes", "Notes, edits: crm") + ", website: {from: ParentRef.name, edits: crm}"
)
CONFLICTS = "SELECT field, crm, quickbooks FROM sync.conflict ORDER BY field"


def known() -> dict[str, Mapping]:
    """Accounts with the name of their parent in a column; people edit that one and another."""
    return parse_all({"accounts": accounts(FIELDS)})


def child(**fields: Any) -> Record:
    parent = {"value": "57", "name": f"{CANARY} Ann"}
    return customer("58", **{"DisplayName": "Kitchen", "ParentRef": parent, "Notes": "a"} | fields)


def own(connection: Connection[Any], column: str) -> Any:
    """What the child's CRM record holds."""
    query = sql.SQL("SELECT {} FROM crm.accounts WHERE quickbooks_customer_id = '58'")
    return one(connection, query.format(sql.Identifier(column)))


def write(connection: Connection[Any], column: str, value: str) -> None:
    """Let a person write into it."""
    query = "UPDATE crm.accounts SET {} = %s WHERE quickbooks_customer_id = '58'"
    connection.execute(sql.SQL(query).format(sql.Identifier(column)), [value])


def place(connection: Connection[Any]) -> Place:
    target = one_module.target(connection, known()["accounts"], company())
    return Place("sample", REALM, target, ("accounts",), "Customer", "58")


@pytest.fixture
def family(connection: Connection[Any]) -> Connection[Any]:
    """A person and a sub-customer, who names them."""
    sync(connection, known(), person(), child())
    connection.execute(
        "INSERT INTO sync.company (company, realm, environment, name) VALUES "
        "('sample', %s, 'x', 'A')",
        [REALM],
    )
    return connection


def test_somebody_unlinked_stays_so(family: Connection[Any]) -> None:
    linking.unlink(family, place(family), "ann")
    write(family, "phone", "own")

    erase(family)

    ended = sync(family, known(), child(PrimaryPhone={"FreeFormNumber": "theirs"}))
    assert ended == [End("58", "not_added", "unlinked")]
    assert own(family, "phone") == "own"


@pytest.mark.parametrize("settle", [linking.tell_apart, linking.say_same])
def test_who_they_are_and_are_not_stays_known(family: Connection[Any], settle: Any) -> None:
    another = by_hand(family, "crm.accounts", name="Bath", company_id="sample")
    settle(family, place(family), str(another), "ann")
    said = (
        "SELECT id, record_key FROM sync.different UNION ALL SELECT id, record_key FROM sync.same"
    )

    erase(family)

    assert rows(family, said) == [("58", str(another))]


def test_a_conflict_stays_but_for_the_name(family: Connection[Any]) -> None:
    write(family, "notes", "own")
    write(family, "website", "own")
    renamed = {"value": "57", "name": f"{CANARY} Lee"}
    sync(family, known(), child(Notes="b", ParentRef=renamed))
    assert [field for field, *_ in rows(family, CONFLICTS)] == ["notes", "website"]

    erase(family)

    assert rows(family, CONFLICTS) == [("notes", "own", "b")]
    assert "sync.conflict" not in found(family)


def test_what_people_have_edited_stays_theirs(family: Connection[Any]) -> None:
    write(family, "notes", "own")

    erase(family)

    sync(family, known(), child(Notes="b"))
    assert own(family, "notes") == "own"
    assert rows(family, CONFLICTS) == [("notes", "own", "b")]


def test_what_a_run_wrote_is_undone_and_the_undo_too(family: Connection[Any]) -> None:
    sync(family, known(), child(DisplayName="Wrong", Notes="b"), run_id="wrong")
    undo(family, known(), "wrong", run_id="back")

    erase(family)

    assert undo(family, known(), "back", run_id="again") == [End("58", "updated")]
    assert (own(family, "name"), own(family, "notes")) == ("Wrong", "b")
    assert undo(family, known(), "again") == [End("58", "updated")]
    assert (own(family, "name"), own(family, "website")) == ("Kitchen", "Erased on request")
    sync(family, known(), child(Notes="c"))
    assert own(family, "notes") == "c"


def test_what_their_images_say_of_the_person_is_gone(family: Connection[Any]) -> None:
    sync(family, known(), child(Notes="b"), run_id="wrong")
    assert {"sync.former", "sync.link", "sync.outcome"} <= set(found(family))

    erase(family)

    assert found(family) == []


def test_so_is_what_was_said_where_the_table_has_made_something_else_of_it(
    family: Connection[Any],
) -> None:
    in_capitals(family, "crm.accounts", "website")
    sync(family, known(), child(Notes="b"))
    assert one(family, "SELECT said FROM sync.link WHERE id = '58'") == {"website": f"{CANARY} Ann"}
    sync(family, known(), child(DisplayName="Wrong"), run_id="wrong")
    undo(family, known(), "wrong", run_id="back")

    erase(family)

    assert found(family) == []
    assert undo(family, known(), "back") == [End("58", "updated")]


def test_so_is_what_they_were_called_after_the_person(family: Connection[Any]) -> None:
    sync(family, known(), child(DisplayName=f"{CANARY} Ann"))
    sync(family, known(), child())

    erase(family)

    assert found(family) == []


def test_so_is_all_that_a_module_without_a_mapping_has_noted(family: Connection[Any]) -> None:
    write(family, "notes", "own")
    sync(family, known(), child(Notes="b"))
    for table in ("outcome", "link", "module_position", "former", "conflict"):
        statement = sql.SQL("UPDATE sync.{} SET module = 'people'")
        family.execute(statement.format(sql.Identifier(table)))

    erase(family)

    assert rows(family, CONFLICTS) == []
    assert [table for table in found(family) if table.startswith("sync.")] == []


def test_of_which_references_an_undo_was_stays_known(family: Connection[Any]) -> None:
    told = Jsonb({"references": ["owner_id"], "value": CANARY})
    family.execute("UPDATE sync.outcome SET details = %s WHERE id = '58'", [told])

    erase(family)

    assert outcome(family, "58", "details") == ({"references": ["owner_id"]},)


def test_of_the_person_nothing_stays_that_was_decided(family: Connection[Any]) -> None:
    whose = "UPDATE sync.unlinked SET id = '57'"
    linking.unlink(family, place(family), "ann")
    family.execute(whose)

    erase(family)

    assert rows(family, "SELECT id FROM sync.unlinked") == []
