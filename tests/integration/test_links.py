"""What a link means: a record of one table, of one QuickBooks record, as long as the CRM has it."""

from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import linking, one_module, runs
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    End,
    accounts,
    by_hand,
    customer,
    gone,
    item,
    products,
    rows,
    sync,
)
from tests.integration.undo import company

SUPPLIERS = """\
entities: [Vendor]
table: crm.accounts
company: company_id
import: {key: name}
fields: {name: {from: DisplayName}}
"""
FAMILY = """
    SELECT child.name, parent.name
      FROM crm.accounts AS child LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id
     ORDER BY child.name"""
OWN_CODE = """
    CREATE FUNCTION crm.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.name = 'Bad' THEN
            RAISE EXCEPTION 'not this one' USING ERRCODE = %s;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON crm.products
        FOR EACH ROW EXECUTE FUNCTION crm.refuse()"""


def unlink(connection: Connection[Any], mapping: Mapping, id: str) -> None:
    """A person says that a customer is not the CRM record that it became."""
    target = one_module.target(connection, mapping, company())
    place = Place("sample", REALM, target, (mapping.module,), "Customer", id)
    linking.unlink(connection, place, "ann")


@pytest.mark.parametrize("code", ["P0002", "55000", "CRM01", "22012", "0A000"])
def test_whatever_code_a_trigger_refuses_with_only_its_row_stays_out(
    connection: Connection[Any], code: str
) -> None:
    connection.execute(OWN_CODE.replace("%s", f"'{code}'").encode())

    ended = sync(connection, products(), item("7"), item("8", Name="Bad"))

    assert ended == [End("7", "added"), End("8", "not_added", "refused_by_table")]


def test_names_too_long_for_an_index_can_be_the_same_thing_twice(
    connection: Connection[Any],
) -> None:
    known = products("{key: quickbooks_product_id, check: [description]}", "description: {from: D}")
    long = "".join(f"{number:x}" for number in range(5_000))

    ended = sync(connection, known, item("7", D=long), item("8", D=long.upper()))

    assert ended == [End("7", "added"), End("8", "duplicate", "same_in_batch")]


def test_a_record_that_a_person_deleted_does_not_stop_what_refers_to_it(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, customer("1"))
    connection.execute("DELETE FROM crm.accounts")

    child = sync(connection, known, customer("2", ParentRef={"value": "1"}))
    parent = sync(connection, known, customer("1", DisplayName="Back again"))

    assert (child, parent) == ([End("2", "added")], [End("1", "added")])
    family = (
        "SELECT c.name, p.name FROM crm.accounts c LEFT JOIN crm.accounts p ON p.id = c.parent_id"
    )
    assert rows(connection, f"{family} ORDER BY 1") == [
        ("Back again", None),
        ("Customer 2", "Back again"),
    ]


@pytest.mark.parametrize("then", [{}, {"ParentRef": {"value": "9"}}], ids=["none", "another"])
def test_a_reference_that_was_open_and_is_closed_follows_what_quickbooks_says_next(
    connection: Connection[Any], then: dict[str, Any]
) -> None:
    """Open, it says as little of a record as none, or as another that is open."""
    known = parse_all({"accounts": accounts()})
    sync(connection, known, customer("2", DisplayName="Child", ParentRef={"value": "1"}))
    sync(connection, known, customer("1", DisplayName="Parent"))
    assert rows(connection, FAMILY) == [("Child", "Parent"), ("Parent", None)]

    ended = sync(connection, known, customer("2", DisplayName="Child", **then))

    assert ended == [End("2", "updated")]
    assert rows(connection, FAMILY) == [("Child", None), ("Parent", None)]
    assert sync(connection, known, customer("2", DisplayName="Child", **then)) == [
        End("2", "unchanged")
    ]


@pytest.mark.parametrize("since", [0, 1], ids=["not read since", "read since"])
def test_a_reference_is_open_again_when_what_it_means_is_parted_from_its_crm_record(
    connection: Connection[Any], since: int
) -> None:
    known = parse_all({"accounts": accounts()})
    child = customer("2", DisplayName="Child", ParentRef={"value": "1"})
    for read in [child], [customer("1", DisplayName="Parent")], *[[child]] * since:
        sync(connection, known, *read)
    unlink(connection, known["accounts"], "1")

    assert sync(connection, known, child) == [End("2", "updated")]
    assert rows(connection, FAMILY) == [("Child", None), ("Parent", None)]


@pytest.mark.parametrize(
    ("fields", "ended"),
    [
        ({"Job": True}, End("1", "excluded", "excluded_by_mapping")),
        ({"DisplayName": ""}, End("1", "not_added", "missing_required")),
    ],
)
def test_a_reference_to_a_row_that_is_not_brought_in_means_what_a_person_gave_its_id(
    connection: Connection[Any], fields: dict[str, Any], ended: End
) -> None:
    excluding = "exclude: [{where: {Job: true}, because: it is a job}]\n"
    known = parse_all({"accounts": excluding + accounts()})
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")
    child = customer("2", DisplayName="Child", ParentRef={"value": "1"})

    assert sync(connection, known, customer("1", **fields), child) == [ended, End("2", "added")]

    assert rows(connection, FAMILY) == [("By hand", None), ("Child", "By hand")]


def test_a_deleted_record_that_another_refers_to_is_the_one_that_a_person_gave_its_id(
    connection: Connection[Any],
) -> None:
    """Found in the same load, so that reading both again changes nothing more."""
    flagged = accounts("deleted: {value: false}") + "when_deleted: {deleted: true}\n"
    known = parse_all({"accounts": flagged})
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")
    both = (gone(customer("1")), customer("2", DisplayName="Child", ParentRef={"value": "1"}))

    first = sync(connection, known, *both)

    assert first == [End("1", "updated"), End("2", "added")]
    assert rows(connection, FAMILY) == [("By hand", None), ("Child", "By hand")]
    assert rows(connection, "SELECT name FROM crm.accounts WHERE deleted") == [("By hand",)]
    assert sync(connection, known, *both) == [End("1", "unchanged"), End("2", "unchanged")]


def test_modules_that_share_a_table_do_not_take_each_others_records(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts(), "suppliers": SUPPLIERS})
    vendor = replace(customer("5", DisplayName="customer 1"), entity="Vendor")

    sync(connection, parse_all({"accounts": accounts()}), customer("1"))
    ended = sync(connection, known, vendor)

    assert ended == [End("5", "duplicate", "key_taken")]
    assert rows(connection, "SELECT name FROM crm.accounts") == [("Customer 1",)]


def test_a_mapping_that_names_another_table_than_it_has_loaded_is_refused(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    moved = products(table="crm.parts")

    with pytest.raises(SettingsError) as stopped:
        runs.require_same_tables(connection, Run("sample", REALM, "run-2"), moved.values())

    assert str(stopped.value) == (
        "products.yaml line 2: products has been loaded into crm.products, not crm.parts. Write "
        "that table again; to load another one, give the mapping a file of another name, which "
        "makes it a module of its own."
    )
