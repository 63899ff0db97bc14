"""An undone undo brings nothing into the CRM that has come there as another record since."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import linking, one_module
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    REALM,
    End,
    by_hand,
    item,
    mapping,
    one,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.undo import company, undo

NAMES = "SELECT name FROM crm.products ORDER BY id"
KEPT = End("7", "kept", "came_since")
BY_CODE = "{key: code, check: [name]}"
BY_BOTH = "{key: quickbooks_product_id, check: [name, code]}"


def told(connection: Connection[Any]) -> tuple[Any, ...]:
    return outcome(connection, "7", "message")


def undone(connection: Connection[Any], settings: str, **fields: Any) -> None:
    """Product 7, added by a run that was undone."""
    sync(connection, products(settings), item("7", **fields), run_id="wrong")
    undo(connection, products(settings), "wrong", run_id="back")


def test_a_duplicate_that_came_in_after_an_undo_keeps_the_record_out(
    connection: Connection[Any],
) -> None:
    same = [item("7", Name="Same"), item("8", Name="same")]
    sync(connection, products(), *same, run_id="wrong")
    undo(connection, products(), "wrong", run_id="back")
    assert sync(connection, products(), same[1]) == [End("8", "added")]

    assert undo(connection, products(), "back") == [KEPT]
    assert rows(connection, NAMES) == [("same",)]
    assert rows(connection, "SELECT id FROM sync.link") == [("8",)]
    assert ("7", "undone") in rows(connection, "SELECT id, reason FROM sync.held")


@pytest.mark.parametrize(
    ("settings", "own", "label"),
    [
        (BY_CODE, {"name": "Own", "quickbooks_product_id": " 7"}, "QuickBooks product id"),
        (BY_CODE, {"name": "Own", "code": "p-1"}, "Product code"),
        (BY_CODE, {"name": "PUMP", "code": "own"}, "Product name"),
        (BY_BOTH, {"name": "pump", "code": "p-1"}, "Product name and Product code"),
    ],
)
def test_a_record_is_known_again_as_a_load_knows_it(
    connection: Connection[Any], settings: str, own: dict[str, str], label: str
) -> None:
    undone(connection, settings, Name="Pump", Sku="P-1")
    key = by_hand(connection, "crm.products", company_id="sample", **own)

    assert undo(connection, products(settings), "back") == [KEPT]
    message = f"The CRM has another record with the same {label} by now. Its key is {key}."
    assert told(connection) == (message,)


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        (BY_BOTH, {"name": "Pump", "code": "own"}),
        (BY_BOTH, {"name": "Pump"}),
        (BY_CODE, {"name": "Own"}),
    ],
)
def test_a_record_that_differs_or_has_a_blank_is_not_in_the_way(
    connection: Connection[Any], settings: str, own: dict[str, str]
) -> None:
    undone(connection, settings, Name="Pump")
    by_hand(connection, "crm.products", **own)

    assert undo(connection, products(settings), "back") == [End("7", "added")]


def test_a_record_of_another_company_is_not_in_the_way(connection: Connection[Any]) -> None:
    undone(connection, BY_CODE, Name="Pump")
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    by_hand(connection, "crm.products", name="Pump", company_id="other")

    assert undo(connection, products(BY_CODE), "back") == [End("7", "added")]


def test_a_record_that_a_person_told_apart_is_not_in_the_way(connection: Connection[Any]) -> None:
    undone(connection, BY_CODE, Name="Pump")
    key = by_hand(connection, "crm.products", name="Pump")
    target = one_module.target(connection, products(BY_CODE)["products"], company())
    place = Place("sample", REALM, target, ("products",), "Item", "7")
    linking.tell_apart(connection, place, str(key), "ann")

    assert undo(connection, products(BY_CODE), "back") == [End("7", "added")]


def test_what_was_there_beside_a_record_when_it_was_undone_is_not_in_the_way(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Name="Pump"), run_id="wrong")
    by_hand(connection, "crm.products", name="Pump")

    undo(connection, products(), "wrong", run_id="back")
    assert undo(connection, products(), "back", run_id="forth") == [End("7", "added")]
    undo(connection, products(), "forth", run_id="back again")
    assert undo(connection, products(), "back again") == [End("7", "added")]


def test_a_record_that_gets_another_name_again_is_not_in_the_way(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("5", Name="Pump"))
    sync(connection, products(), item("5", Name="Old pump"), item("7", Name="Pump"), run_id="wrong")
    undo(connection, products(), "wrong", run_id="back")

    again = undo(connection, products(), "back")

    assert again == [End("5", "updated"), End("7", "added")]
    assert rows(connection, NAMES) == [("Old pump",), ("Pump",)]


def test_a_record_that_would_get_another_name_but_is_kept_is_in_the_way(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("5", Name="Pump"))
    sync(connection, products(), item("5", Name="Old pump"), item("7", Name="Pump"), run_id="wrong")
    undo(connection, products(), "wrong", run_id="back")
    connection.execute("UPDATE crm.products SET name = 'pump'")

    again = undo(connection, products(), "back")

    assert again == [End("5", "kept", "changed_since"), KEPT]


def test_a_column_that_is_gone_is_not_compared(connection: Connection[Any]) -> None:
    undone(connection, BY_BOTH, Name="Pump", Sku="P-1")
    by_hand(connection, "crm.products", name="Pump", code="P-1")
    connection.execute("ALTER TABLE crm.products DROP code")

    assert undo(connection, products(BY_BOTH), "back") == [End("7", "added")]


def test_a_column_that_no_longer_takes_its_value_refuses_only_records_that_have_one(
    connection: Connection[Any],
) -> None:
    records = [item("7", Sku="P-1"), item("8")]
    sync(connection, products(BY_BOTH), *records, run_id="wrong")
    undo(connection, products(BY_BOTH), "wrong", run_id="back")
    connection.execute("ALTER TABLE crm.products ALTER code TYPE integer USING NULL")

    ended = undo(connection, products(BY_BOTH), "back")

    assert ended == [End("7", "kept", "refused_by_table"), End("8", "added")]


def test_another_record_under_the_same_key_is_told_whatever_the_key_is(
    connection: Connection[Any],
) -> None:
    connection.execute("""
        CREATE SCHEMA own;
        CREATE TABLE own.things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                                 quickbooks_id text, name text)""")
    known = parse_all({"things": mapping("own.things")})
    sync(connection, known, item("7"), run_id="wrong")
    key = one(connection, "SELECT id FROM own.things")
    undo(connection, known, "wrong", run_id="back")
    connection.execute("INSERT INTO own.things (id, name) VALUES (%s, 'Own')", [key])

    assert undo(connection, known, "back") == [End("7", "kept", "number_taken")]
    assert told(connection) == ("The CRM has another record under that key by now.",)


OTHER = ("other", "9341452000000002")
TAKEN_OVER = """\
entities: [Item]
table: crm.products
company: company_id
import: {key: name}
fields: {name: {from: Name}, code: {from: Sku}}
"""


@pytest.mark.parametrize("code", [None, "P-1"])
@pytest.mark.parametrize("of", [("sample", REALM), OTHER])
def test_a_record_that_has_been_taken_over_since_as_another_is_left_to_that(
    connection: Connection[Any], of: tuple[str, str], code: str | None
) -> None:
    """A CRM record is one QuickBooks record at most, of whichever company."""
    known = parse_all({"products": TAKEN_OVER})
    by_hand(connection, "crm.products", name="Pump")
    sync(connection, known, item("7", Name="Pump", Sku=code), run_id="wrong")
    undo(connection, known, "wrong", run_id="back")
    name, realm = of
    sync(connection, known, item("8", Name="Pump"), company=name, realm=realm)

    assert undo(connection, known, "back") == [End("7", "kept", "linked_since")]
    assert rows(connection, "SELECT realm, id FROM sync.link") == [(realm, "8")]
    assert rows(connection, "SELECT code FROM crm.products") == [(None,)]
