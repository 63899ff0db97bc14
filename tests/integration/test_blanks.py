"""What a blank of QuickBooks does to what a person wrote, and to what the sync did."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    End,
    accounts,
    by_hand,
    code,
    customer,
    gone,
    item,
    products,
    rows,
    set_code,
    sync,
    under,
)


def test_a_blank_keeps_what_a_person_wrote_however_often_the_rest_changes(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")

    for name in ("Pump", "Hose", "Pump"):
        assert sync(connection, products(), item("7", Name=name)) == [End("7", "updated")]

    assert code(connection) == "by hand"


def test_a_blank_keeps_what_a_record_made_by_hand_had(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="P", code="by hand", quickbooks_product_id="7")

    for name in ("Pump", "Hose"):
        sync(connection, products(), item("7", Name=name))

    assert code(connection) == "by hand"


def test_what_the_sync_wrote_over_a_persons_value_is_its_own_again(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")
    for sku in (None, "A", None):
        sync(connection, products(), item("7", Sku=sku, UnitPrice=1))

    assert code(connection) is None


def test_a_persons_value_does_not_become_the_syncs_own_by_a_delete(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")

    sync(connection, products(), gone(item("7")))
    sync(connection, products(), item("7"))

    assert code(connection) == "by hand"


def test_a_persons_value_does_not_become_the_syncs_own_when_a_reference_is_closed(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts("notes: {from: Notes}")})
    sync(connection, known, under("9", "8"))
    connection.execute("UPDATE crm.accounts SET notes = 'by hand'")

    sync(connection, known, customer("9"))
    sync(connection, known, customer("8", DisplayName="Renamed"))

    assert rows(connection, "SELECT name, notes FROM crm.accounts ORDER BY id") == [
        ("Renamed", "by hand"),
        ("Customer 9", None),
    ]


def test_a_blank_that_overwrites_from_now_on_clears_a_record_that_did_not_change(
    connection: Connection[Any],
) -> None:
    always = "{key: quickbooks_product_id, blank_overwrites: true}"
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")
    sync(connection, products(), item("7", Name="Pump"))

    assert sync(connection, products(always), item("7", Name="Pump")) == [End("7", "updated")]
    assert code(connection) is None


def test_a_blank_leaves_a_column_that_takes_none_to_its_default(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.products ADD COLUMN level integer NOT NULL DEFAULT 3")
    known = products(fields="level: {from: Level}")

    added = sync(connection, known, item("7"), item("8", Level=5))
    updated = sync(connection, known, item("8", Name="Pump"))

    assert (added, updated) == ([End("7", "added"), End("8", "added")], [End("8", "updated")])
    assert rows(connection, "SELECT level FROM crm.products ORDER BY id") == [(3,), (5,)]
