"""A document and its lines are one record: what the CRM holds of both after a load."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    End,
    Record,
    by_hand,
    count,
    customer,
    item,
    one,
    outcome,
    rows,
    sync,
)
from tests.integration.documents import (
    DOCUMENTS,
    KEYED,
    LINES,
    REFERRED,
    TEXTS,
    image,
    invoice,
    known,
    line,
    trigger,
    with_customers,
)

# Lines come and go with what QuickBooks says


def test_a_document_comes_with_its_lines_in_their_order(connection: Connection[Any]) -> None:
    sold = line("Pump", "7", Amount=Decimal("0.30"), SalesItemLineDetail={"Qty": 3})

    ended = sync(connection, known(), invoice("1", sold, line("Hose")), invoice("2"))

    assert ended == [End("1", "added"), End("2", "added")]
    assert rows(connection, LINES) == [
        (1, "Pump", Decimal(3), Decimal("0.30"), None),
        (2, "Hose", None, None, None),
    ]


@pytest.mark.parametrize("said", [{"Description": "A"}, "A", 1, True, {}])
def test_what_is_no_list_of_lines_removes_none(connection: Connection[Any], said: Any) -> None:
    sync(connection, known(), invoice("1", line("A"), line("B")))
    before = rows(connection, TEXTS)

    wrong, blank = invoice("1", Line=said), invoice("3", Line=None)
    ended = sync(connection, known(), wrong, invoice("2", line("C")), blank)

    invalid = End("1", "not_added", "invalid_value")
    assert ended == [invalid, End("2", "added"), End("3", "added")]
    assert outcome(connection, "1", "message") == ("Line is not a list.",)
    assert rows(connection, TEXTS)[:2] == before
    assert sync(connection, known(), invoice("1", line("D"))) == [End("1", "updated")]


def test_the_same_document_again_changes_nothing(connection: Connection[Any]) -> None:
    version = "SELECT xmin::text, id FROM crm.invoice_lines ORDER BY id"
    sync(connection, known(), invoice("1", line("a", Amount=Decimal("1.50")), line("b")))
    before = rows(connection, version)

    again = sync(connection, known(), invoice("1", line("a", Amount=Decimal("1.5")), line("b")))

    assert again == [End("1", "unchanged")]
    assert rows(connection, version) == before


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (("a", "b", "c"), 3),
        (("a", "x", "c"), 3),
        (("a", "c"), 2),
        (("b",), 1),
        ((), 0),
        (("c", "b", "a"), 3),
        (("a", "b", "c", "d", "e"), 3),
    ],
)
def test_lines_change_in_place_are_added_and_removed(
    connection: Connection[Any], now: tuple[str, ...], kept: int
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b"), line("c")))
    keys = [key for key, _ in rows(connection, KEYED)]

    [ended] = sync(connection, known(), invoice("1", *map(line, now)))

    assert ended == End("1", "unchanged" if now == ("a", "b", "c") else "updated")
    found = rows(connection, KEYED)
    assert tuple(text for _, text in found) == now
    assert [key for key, _ in found][:kept] == keys[:kept]


def test_a_line_that_does_not_change_is_not_written(connection: Connection[Any]) -> None:
    version = "SELECT xmin::text FROM crm.invoice_lines ORDER BY position"
    sync(connection, known(), invoice("1", line("a"), line("b"), line("c")))
    before = rows(connection, version)

    sync(connection, known(), invoice("1", line("a"), line("new"), line("c"), DocNumber="5"))

    after = rows(connection, version)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_what_the_mapping_does_not_fill_stays_in_a_line(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ADD COLUMN commission integer")
    sync(connection, known(), invoice("1", line("a"), line("b")))
    connection.execute("UPDATE crm.invoice_lines SET commission = position")

    sync(connection, known(), invoice("1", line("new"), line("b"), line("c")))

    found = rows(connection, "SELECT commission FROM crm.invoice_lines ORDER BY position")
    assert found == [(1,), (2,), (None,)]


def test_lines_of_other_documents_stay(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a")), invoice("2", line("b")))

    sync(connection, known(), invoice("1"))

    assert rows(connection, TEXTS) == [(1, "b")]


def test_a_line_that_a_person_changed_added_or_removed_goes_back_with_the_next_change(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b")))
    document = one(connection, "SELECT id FROM crm.invoices")
    connection.execute("UPDATE crm.invoice_lines SET description = 'mine' WHERE position = 1")
    connection.execute("DELETE FROM crm.invoice_lines WHERE position = 2")
    by_hand(connection, "crm.invoice_lines", invoice_id=document, position=9)

    sync(connection, known(), invoice("1", line("a"), line("b"), DocNumber="5"))

    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE crm.invoice_lines SET description = 'mine' WHERE position = 1",
        "DELETE FROM crm.invoice_lines WHERE position = 2",
        "INSERT INTO crm.invoice_lines (invoice_id, position) SELECT id, 9 FROM crm.invoices",
    ],
)
def test_lines_are_put_right_when_quickbooks_says_the_same_again(
    connection: Connection[Any], change: str
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b")))
    connection.execute(change.encode())

    ended = sync(connection, known(), invoice("1", line("a"), line("b")))

    assert ended == [End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


def test_several_lines_at_one_position_become_one(connection: Connection[Any]) -> None:
    connection.execute(
        "ALTER TABLE crm.invoice_lines DROP CONSTRAINT invoice_lines_invoice_id_position_key"
    )
    sync(connection, known(), invoice("1", line("a")))
    document = one(connection, "SELECT id FROM crm.invoices")
    by_hand(connection, "crm.invoice_lines", invoice_id=document, position=1)

    sync(connection, known(), invoice("1", line("b")))

    assert rows(connection, TEXTS) == [(1, "b")]


def test_the_lines_of_a_bundle_follow_it(connection: Connection[Any]) -> None:
    inside = {"GroupItemRef": {"value": "9"}, "Line": [line("wheel"), line("bell")]}
    bundle = {"DetailType": "GroupLineDetail", "Description": "bike", "GroupLineDetail": inside}
    subtotal = {"DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}

    sync(connection, known(), invoice("1", line("a"), bundle, subtotal, line("z")))

    assert rows(connection, TEXTS) == [
        (1, "a"), (2, "bike"), (3, "wheel"), (4, "bell"), (5, "z")
    ]  # fmt: skip


# Images


def test_the_outcome_shows_the_lines_before_and_after(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b")))
    [after] = outcome(connection, "1", "after")
    sync(connection, known(), invoice("1", line("c", Amount=2)))

    before, now = outcome(connection, "1", "before", "after")

    assert after["@lines"] == before["@lines"] == [image(1, "a"), image(2, "b")]
    assert now["@lines"] == [image(1, "c", amount=2)]
    assert one(connection, "SELECT written -> '@lines' FROM sync.link") == now["@lines"]


def test_what_a_trigger_makes_of_a_line_is_what_is_remembered(connection: Connection[Any]) -> None:
    trigger(connection, "NEW.description := upper(NEW.description); RETURN NEW;")

    sync(connection, known(), invoice("1", line("a")))
    again = sync(connection, known(), invoice("1", line("a")))

    assert again == [End("1", "unchanged")]
    assert rows(connection, TEXTS) == [(1, "A")]


# One outcome


def test_a_line_that_cannot_be_loaded_keeps_its_document_out(connection: Connection[Any]) -> None:
    bad = invoice("1", line("a"), line("b", Amount="much"))

    ended = sync(connection, known(), bad, invoice("2", line("c")))

    assert ended == [End("1", "not_added", "invalid_value"), End("2", "added")]
    assert outcome(connection, "1", "message") == ("Line 2: Amount 'much' is not a number.",)
    assert count(connection, "crm.invoices") == 1


def test_a_document_whose_line_is_mended_is_added(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a", Amount="much")))

    assert sync(connection, known(), invoice("1", line("a", Amount=1))) == [End("1", "added")]
    assert count(connection, "sync.held") == 0


# References


def test_a_line_shows_its_product(connection: Connection[Any]) -> None:
    sync(connection, known(), item("7"), item("8"), invoice("1", line("a", "8"), line("b", "7")))

    assert rows(connection, REFERRED) == [("Item 8",), ("Item 7",)]
    assert count(connection, "sync.parked") == 0


def test_a_line_whose_product_arrives_one_run_later_gets_it_then(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b", "7"), line("c", "8")))
    assert rows(connection, REFERRED) == [(None,), (None,), (None,)]

    sync(connection, known(), item("7"))

    assert rows(connection, REFERRED) == [(None,), ("Item 7",), (None,)]
    assert rows(connection, "SELECT field, target_id FROM sync.parked") == [
        ("@lines.3.product_id", "8")
    ]
    product = one(connection, "SELECT id FROM crm.products")
    assert one(
        connection, "SELECT written -> '@lines' -> 1 FROM sync.link WHERE entity = 'Invoice'"
    ) == image(2, "b", product_id=product)
    closed = "SELECT module, entity, id, field, closed_by FROM sync.resolved_reference"
    assert rows(connection, closed) == [
        ("documents", "Invoice", "1", "@lines.2.product_id", "products")
    ]


def test_a_closed_reference_is_no_change_at_the_next_run(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("b", "7")))
    sync(connection, known(), item("7"))

    assert sync(connection, known(), invoice("1", line("b", "7"))) == [End("1", "unchanged")]


@pytest.mark.parametrize("then", [None, "8"], ids=["none", "another"])
def test_a_line_whose_product_was_closed_follows_what_quickbooks_says_next(
    connection: Connection[Any], then: str | None
) -> None:
    sync(connection, known(), invoice("1", line("A pump", "7")))
    sync(connection, known(), item("7", Name="Pump"))

    ended = sync(connection, known(), invoice("1", line("A pump", then)))

    assert ended == [End("1", "updated")]
    assert rows(connection, REFERRED) == [(None,)]


def test_a_reference_is_closed_by_a_product_that_a_person_made_with_the_typed_id(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", line("b", "7")))
    made = by_hand(connection, "crm.products", name="Mine", quickbooks_product_id="7")

    sync(connection, known(), item("7", Name="Pump"))

    assert rows(connection, "SELECT product_id FROM crm.invoice_lines") == [(made,)]


def test_a_reference_that_moves_to_another_line_waits_there(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("b", "7"), line("c")))
    sync(connection, known(), invoice("1", line("c"), line("b", "7")))

    assert rows(connection, "SELECT field FROM sync.parked") == [("@lines.2.product_id",)]
    sync(connection, known(), item("7"))
    assert rows(connection, REFERRED) == [(None,), ("Item 7",)]


def test_a_document_that_is_excluded_waits_for_no_field_that_its_mapping_has_lost(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    waiting = invoice("7", line("A", "1"), DocNumber="no", CustomerRef={"value": "2"})
    sync(connection, several, waiting)
    text = DOCUMENTS + "exclude: [{where: {DocNumber: 'no'}, because: nobody wants it}]\n"
    fewer = parse_all({name: m.text for name, m in several.items()} | {"documents": text})
    sync(connection, fewer, waiting)

    sync(connection, fewer, customer("2"))

    assert sync(connection, fewer) == []
    assert rows(connection, "SELECT field FROM sync.parked") == [("@lines.1.product_id",)]


def test_a_word_in_the_place_of_an_id_waits_for_nothing(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("by ship", "SHIPPING_ITEM_ID")))

    assert rows(connection, TEXTS) == [(1, "by ship")]
    assert count(connection, "sync.parked") == 0


def test_a_line_of_a_duplicate_product_shows_the_product_it_collided_with(
    connection: Connection[Any],
) -> None:
    made = by_hand(connection, "crm.products", name="Pump")

    sync(connection, known(), item("7", Name="Pump"), invoice("1", line("a", "7")))

    assert rows(connection, "SELECT product_id FROM crm.invoice_lines") == [(made,)]


def test_a_reference_of_the_document_closes_without_forgetting_its_lines(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    document = invoice("1", line("a"), CustomerRef={"value": "3"})
    sync(connection, several, document)

    sync(connection, several, Record("Customer", "3", {"Id": "3", "DisplayName": "Acme"}))

    assert one(connection, "SELECT account_id IS NOT NULL FROM crm.invoices")
    assert sync(connection, several, document) == [End("1", "unchanged")]
