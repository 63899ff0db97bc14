"""What a blank of QuickBooks does to what a person wrote, and to what the sync did."""

from typing import Any

import pytest
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
from tests.integration.undo import undo

ALWAYS = "{key: quickbooks_product_id, blank_overwrites: true}"
PARENT = """
    SELECT parent.name
      FROM crm.accounts AS own
      LEFT JOIN crm.accounts AS parent ON parent.id = own.parent_id
     WHERE own.quickbooks_customer_id = '8'"""


def agree(connection: Connection[Any]) -> None:
    """A person writes the code that QuickBooks says then, too."""
    sync(connection, products(), item("7"))
    set_code(connection, "A")
    assert sync(connection, products(), item("7", Sku="A")) == [End("7", "unchanged")]


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


def test_a_blank_keeps_what_a_person_wrote_though_quickbooks_has_said_the_same(
    connection: Connection[Any],
) -> None:
    agree(connection)

    for name in ("Pump", "Hose"):
        assert sync(connection, products(), item("7", Name=name)) == [End("7", "updated")]

    assert code(connection) == "A"


def test_a_blank_that_overwrites_clears_also_what_quickbooks_had_only_said_too(
    connection: Connection[Any],
) -> None:
    agree(connection)

    assert sync(connection, products(ALWAYS), item("7")) == [End("7", "updated")]
    assert code(connection) is None


@pytest.mark.parametrize("key", ["quickbooks_product_id", "name"])
def test_a_blank_keeps_what_stood_in_a_record_that_was_taken_over(
    connection: Connection[Any], key: str
) -> None:
    known = products(f"{{key: {key}}}")
    by_hand(connection, "crm.products", **{"name": "P", "code": "A", "price": 5, key: "7"})

    sync(connection, known, item("7", Name="7", Sku="A", UnitPrice=6))
    assert sync(connection, known, item("7", Name="7")) == [End("7", "updated")]

    assert rows(connection, "SELECT code, price FROM crm.products") == [("A", None)]


def test_a_blank_clears_what_a_person_changed_and_changed_back(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Sku="A"))
    for by_person in ("B", "A"):
        set_code(connection, by_person)

    assert sync(connection, products(), item("7")) == [End("7", "updated")]
    assert code(connection) is None


def test_a_blank_keeps_a_persons_value_that_quickbooks_took_over_from_the_sync(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Sku="A"))
    set_code(connection, "B")

    sync(connection, products(), item("7", Sku="B"))
    sync(connection, products(), item("7"))

    assert code(connection) == "B"


def test_a_blank_keeps_a_persons_value_however_often_quickbooks_says_the_same(
    connection: Connection[Any],
) -> None:
    agree(connection)

    for news in ({"Sku": "A", "Name": "Pump"}, {}, {"Sku": "A"}, {}):
        sync(connection, products(), item("7", **news))

    assert code(connection) == "A"


def test_what_the_sync_wrote_over_a_value_that_both_had_is_its_own(
    connection: Connection[Any],
) -> None:
    agree(connection)

    for sku in ("B", None):
        assert sync(connection, products(), item("7", Sku=sku)) == [End("7", "updated")]

    assert code(connection) is None


def test_a_value_that_both_had_is_still_the_persons_after_a_delete(
    connection: Connection[Any],
) -> None:
    agree(connection)

    for record in (gone(item("7", Sku="A")), item("7", Sku="A"), item("7")):
        sync(connection, products(), record)

    assert code(connection) == "A"


def test_a_value_that_both_had_is_the_persons_again_when_the_run_that_changed_it_is_undone(
    connection: Connection[Any],
) -> None:
    agree(connection)
    sync(connection, products(), item("7", Sku="B"), run_id="later")

    undo(connection, products(), "later")
    sync(connection, products(), item("7"))

    assert code(connection) == "A"


def test_a_blank_keeps_a_reference_that_a_person_had_set_before_it_was_closed(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))
    above = by_hand(connection, "crm.accounts", name="Own")
    connection.execute(
        "UPDATE crm.accounts SET parent_id = %s WHERE quickbooks_customer_id = '8'", [above]
    )
    connection.execute(
        "UPDATE crm.accounts SET quickbooks_customer_id = '9' WHERE id = %s", [above]
    )

    sync(connection, known, customer("9", DisplayName="Own"))
    sync(connection, known, customer("8"))

    assert rows(connection, PARENT) == [("Own",)]


def test_a_blank_clears_a_reference_that_was_closed(connection: Connection[Any]) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))

    sync(connection, known, customer("9"))
    assert rows(connection, PARENT) == [("Customer 9",)]
    sync(connection, known, customer("8"))

    assert rows(connection, PARENT) == [(None,)]


def test_of_links_from_before_it_was_noted_every_value_counts_as_the_syncs(
    connection: Connection[Any],
) -> None:
    agree(connection)
    connection.execute("UPDATE sync.link SET agreed = NULL")

    sync(connection, products(), item("7"))

    assert code(connection) is None


def test_a_blank_that_overwrites_from_now_on_clears_a_record_that_did_not_change(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")
    sync(connection, products(), item("7", Name="Pump"))

    assert sync(connection, products(ALWAYS), item("7", Name="Pump")) == [End("7", "updated")]
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
