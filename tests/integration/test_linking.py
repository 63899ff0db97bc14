"""What a person settles about links, for good."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import acts, linking, one_module
from quickbooks_crm.errors import LinkRefused
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping
from tests.integration import documents
from tests.integration.crm import (
    REALM,
    End,
    by_hand,
    count,
    gone,
    item,
    one,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.undo import company, release, undo

NAMED = "{key: name, check: [name]}"
HELD = "SELECT id, reason, due FROM sync.held ORDER BY id"
LINKS = "SELECT id, record_key FROM sync.link ORDER BY id"


def place(connection: Connection[Any], id: str = "7", entity: str = "Item") -> Place:
    return place_of(connection, products()["products"], id, entity)


def place_of(connection: Connection[Any], known: Mapping, id: str, entity: str) -> Place:
    target = one_module.target(connection, known, company())
    return Place("sample", REALM, target, (known.module,), entity, id)


def due(connection: Connection[Any]) -> list[End]:
    """The next sync: what it takes by itself."""
    return sync(connection, products(NAMED))


def two_pumps(connection: Connection[Any]) -> tuple[int, int]:
    """Two CRM records that one item may be, so that a person has to tell."""
    first = by_hand(connection, "crm.products", name="Pump", code="own")
    second = by_hand(connection, "crm.products", name="pump")
    ended = sync(connection, products(NAMED), item("7", Name="Pump", UnitPrice=2))
    assert ended == [End("7", "not_added", "ambiguous_key")]
    return first, second


# ── link ────────────────────────────────────────────────────────────────────────────────────


def test_a_linked_record_is_brought_up_to_date_by_the_next_sync(
    connection: Connection[Any],
) -> None:
    _, second = two_pumps(connection)

    said = linking.link(connection, place(connection), str(second), "ann")

    assert said == f"Item 7 is CRM record {second} from now on; the next sync updates it."
    assert due(connection) == [End("7", "updated")]
    assert rows(connection, "SELECT name, price::int FROM crm.products ORDER BY id") == [
        ("Pump", None),
        ("Pump", 2),
    ]
    assert rows(connection, HELD) == []
    assert due(connection) == []


@pytest.mark.parametrize(
    ("settings", "excluded", "why"),
    [
        (
            "{mode: ignore, key: code, check: [name]}",
            "Group",
            ", since its mapping has mode: ignore",
        ),
        ("{mode: create, check: [name]}", "Group", ", since its mapping has mode: create"),
        (NAMED, "Category", " as long as its mapping excludes it"),
    ],
)
def test_of_a_linked_record_that_no_sync_updates_it_is_said_why(
    connection: Connection[Any], settings: str, excluded: str, why: str
) -> None:
    known = products(settings, exclude=f"[{{where: {{Type: {excluded}}}, because: a folder}}]")
    mine = by_hand(connection, "crm.products", name="Pump")
    sync(connection, known, item("7", Name="Pump", Type="Category", UnitPrice=2))
    target = one_module.target(connection, known["products"], company())
    asked = Place("sample", REALM, target, ("products",), "Item", "7")

    said = linking.link(connection, asked, str(mine), "ann")

    assert said == f"Item 7 is CRM record {mine} from now on; no sync updates it{why}."
    sync(connection, known)
    assert rows(connection, "SELECT id, price FROM crm.products") == [(mine, None)]


def test_what_a_person_entered_stays_where_quickbooks_has_nothing(
    connection: Connection[Any],
) -> None:
    first, _ = two_pumps(connection)

    linking.link(connection, place(connection), str(first), "ann")

    assert due(connection) == [End("7", "updated")]
    assert one(connection, "SELECT code FROM crm.products ORDER BY id") == "own"


def test_who_linked_it_is_written_down(connection: Connection[Any]) -> None:
    first, _ = two_pumps(connection)

    linking.link(connection, place(connection), str(first), "ann")

    [act] = acts.listed(connection, "sample", 5)
    assert (act.kind, act.subject, act.by_whom) == ("linked", "Item 7", "ann")
    assert act.details == {"module": "products", "record_key": str(first)}


def test_a_run_that_updated_what_a_person_linked_can_be_undone(
    connection: Connection[Any],
) -> None:
    first, _ = two_pumps(connection)
    linking.link(connection, place(connection), str(first), "ann")
    sync(connection, products(NAMED), run_id="wrong")

    assert undo(connection, products(NAMED), "wrong") == [End("7", "updated")]
    assert rows(connection, LINKS) == [("7", str(first))]
    assert one(connection, "SELECT price FROM crm.products ORDER BY id") is None


OF_PRODUCTS = "python -m quickbooks_crm {} --company sample --module products"
NO_RECORD = (
    "crm.products has no record {} of sample. Name one by its id, as it is written there. What is "
    f"left to settle is on Review: {OF_PRODUCTS.format('review')}"
)
UNLINK_6 = "python -m quickbooks_crm unlink --company sample products Item 6"
REFUSALS = {
    ("Item", "8", "1"): "The mirror has no Item 8 of sample. If QuickBooks has it, sync first: "
    f"{OF_PRODUCTS.format('sync')}",
    ("Item", "7", "99"): NO_RECORD.format("99"),
    ("Item", "7", "x"): NO_RECORD.format("x"),
    ("Item", "7", "3"): NO_RECORD.format("3"),
    ("Vendor", "7", "1"): "products takes Item, not Vendor. Nothing was done.",
    ("Item", "6", "1"): f"Item 6 is CRM record 4. Unlink it first: {UNLINK_6}",
    ("Item", "7", "4"): "CRM record 4 is QuickBooks' Item 6. Name another record, or unlink that "
    f"first: {UNLINK_6}",
    ("Item", "6", "4"): "Item 6 is CRM record 4 already. Nothing to do.",
}


def test_what_a_person_has_linked_since_a_run_is_kept_by_its_undo(
    connection: Connection[Any],
) -> None:
    sync(connection, products(NAMED), item("7", Name="Pump"))
    sync(connection, products(NAMED), item("7", Name="Pump", Sku="wrong"), run_id="wrong")
    key = one(connection, "SELECT record_key FROM sync.link")
    linking.unlink(connection, place(connection), "ann")
    linking.link(connection, place(connection), key, "ann")

    ended = undo(connection, products(NAMED), "wrong")

    assert ended == [End("7", "kept", "linked_since")]
    said = outcome(connection, "7", "message", "details")
    assert said == ("Linked since by a person.", {"by": "a person"})


@pytest.mark.parametrize("asked", REFUSALS)
def test_a_link_that_cannot_be_is_refused(
    connection: Connection[Any], asked: tuple[str, str, str]
) -> None:
    two_pumps(connection)
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    by_hand(connection, "crm.products", name="Theirs", company_id="other")
    sync(connection, products(NAMED), item("6"))
    entity, id, key = asked

    with pytest.raises(LinkRefused) as refused:
        linking.link(connection, place(connection, id, entity), key, "ann")

    assert str(refused.value) == REFUSALS[asked]
    assert count(connection, "sync.act") == 0


def test_a_record_that_is_one_of_another_company_is_not_linked_and_none_of_ours_is_named(
    connection: Connection[Any],
) -> None:
    sync(connection, products(NAMED), item("7"))
    key = by_hand(connection, "crm.products", name="Theirs")
    connection.execute(
        "INSERT INTO sync.link (realm, entity, id, module, record_key, source_hash, written, state,"
        " run_id) SELECT 'another', 'Item', '1', 'products', %s, '', '{}', 'active', 'theirs'",
        [str(key)],
    )
    linking.unlink(connection, place(connection), "ann")

    with pytest.raises(LinkRefused) as refused:
        linking.link(connection, place(connection), str(key), "ann")

    assert str(refused.value) == (
        f"CRM record {key} is a record of another company. What is left to settle is on Review: "
        f"{OF_PRODUCTS.format('review')}"
    )


# ── unlink ──────────────────────────────────────────────────────────────────────────────────


def test_an_unlinked_record_has_no_conflicts_any_more(connection: Connection[Any]) -> None:
    known = products(NAMED, fields="description: {from: Description, edits: crm}")
    sync(connection, known, item("7", Name="Pump", Description="A"))
    connection.execute("UPDATE crm.products SET description = 'mine'")
    sync(connection, known, item("7", Name="Pump", Description="B"))
    assert count(connection, "sync.conflict") == 1

    linking.unlink(connection, place(connection), "ann")

    assert count(connection, "sync.conflict") == 0


def test_an_unlinked_record_is_left_alone_for_good(connection: Connection[Any]) -> None:
    sync(connection, products(NAMED), item("7", Name="Pump"))
    linking.unlink(connection, place(connection), "ann")
    before = rows(connection, "SELECT * FROM crm.products")

    ended = [
        sync(connection, products(NAMED), item("7", Name="Pump", Sku="A")),
        sync(connection, products(NAMED), gone(item("7", Name="Pump"))),
        sync(connection, products(NAMED), item("7", Name="Other")),
        sync(connection, products(NAMED, fields="type: {from: Type}")),
    ]

    assert ended == [[End("7", "not_added", "unlinked")]] * 4
    assert outcome(connection, "7", "message") == ("ann has unlinked it from CRM record 1.",)
    assert rows(connection, "SELECT * FROM crm.products") == before
    assert rows(connection, HELD) == [("7", "unlinked", False)]


def test_an_unlinked_record_can_be_linked_to_another(connection: Connection[Any]) -> None:
    other = by_hand(connection, "crm.products", name="Other")
    sync(connection, products(NAMED), item("7", Name="Pump"))

    linking.unlink(connection, place(connection), "ann")
    linking.link(connection, place(connection), str(other), "ann")

    assert due(connection) == [End("7", "updated")]
    assert rows(connection, LINKS) == [("7", str(other))]
    assert count(connection, "sync.unlinked") == 0


def test_an_unlinked_record_is_unlinked_again_when_its_new_link_is_taken_back(
    connection: Connection[Any],
) -> None:
    other = by_hand(connection, "crm.products", name="Other")
    sync(connection, products(NAMED), item("7", Name="Pump"))
    linking.unlink(connection, place(connection), "ann")
    parted = rows(connection, "SELECT * FROM sync.unlinked")
    linking.link(connection, place(connection), str(other), "bob")
    since = one(connection, "SELECT held_since FROM sync.held")

    linking.take_back(connection, place(connection), "linked", since, "bob")

    assert rows(connection, "SELECT * FROM sync.unlinked") == parted
    assert due(connection) == [End("7", "not_added", "unlinked")]
    assert rows(connection, LINKS) == []


def test_what_is_no_crm_record_cannot_be_unlinked_and_what_helps_is_told(
    connection: Connection[Any],
) -> None:
    first, _ = two_pumps(connection)
    told = []

    for _ in range(2):
        with pytest.raises(LinkRefused) as refused:
            linking.unlink(connection, place(connection), "ann")
        told.append(str(refused.value))
        linking.link(connection, place(connection), str(first), "ann")
        linking.unlink(connection, place(connection), "ann")

    assert told == [
        "Item 7 is no CRM record of products. What is left to settle is on Review: "
        f"{OF_PRODUCTS.format('review')}",
        "Item 7 is no CRM record of products, and stays unlinked until you ask for it: "
        f"{OF_PRODUCTS.format('retry')} --reason unlinked",
    ]


# ── different ───────────────────────────────────────────────────────────────────────────────


def test_what_is_different_is_no_duplicate(connection: Connection[Any]) -> None:
    mine = by_hand(connection, "crm.products", name="Pump")
    known = products("{key: quickbooks_product_id, check: [name]}")
    assert sync(connection, known, item("7", Name="Pump")) == [
        End("7", "duplicate", "check_fields")
    ]

    linking.tell_apart(connection, place(connection), str(mine), "ann")

    assert sync(connection, known) == [End("7", "added")]
    assert sync(connection, known, item("7", Name="PUMP")) == [End("7", "updated")]
    assert count(connection, "crm.products") == 2


def test_what_is_different_is_not_found_by_its_key(connection: Connection[Any]) -> None:
    first, second = two_pumps(connection)

    linking.tell_apart(connection, place(connection), str(first), "ann")

    assert due(connection) == [End("7", "updated")]
    assert rows(connection, LINKS) == [("7", str(second))]


def test_what_is_said_of_two_records_again_is_noted_once(connection: Connection[Any]) -> None:
    first, second = map(str, two_pumps(connection))
    own, pair = place(connection), place(connection, "", "")

    for _ in range(2):
        linking.tell_apart(connection, own, first, "ann")
        linking.tell_records_apart(connection, pair, first, second, "ann")
        linking.say_same(connection, own, second, "ann")
        linking.say_records_same(connection, pair, second, first, "ann")

    noted = rows(connection, "SELECT kind, subject FROM sync.act ORDER BY kind, subject")
    assert noted == [
        ("said_same", f"CRM record {first}"),
        ("said_same", "Item 7"),
        ("told_apart", f"CRM record {first}"),
        ("told_apart", "Item 7"),
    ]


def test_what_is_one_thing_is_not_different(connection: Connection[Any]) -> None:
    sync(connection, products(NAMED), item("7"))

    with pytest.raises(LinkRefused, match=r"^Item 7 is CRM record 1\. Unlink it: python"):
        linking.tell_apart(connection, place(connection), "1", "ann")


TYPED = "SELECT id, quickbooks_product_id FROM crm.products ORDER BY id"


def unlinked(connection: Connection[Any]) -> str:
    """An item that a sync added, parted from its CRM record; the record's key."""
    sync(connection, products(), item("7", Name="Pump"))
    linking.unlink(connection, place(connection), "ann")
    return str(rows(connection, TYPED)[0][0])


def test_what_was_unlinked_and_is_different_becomes_a_record_of_its_own(
    connection: Connection[Any],
) -> None:
    """The id that a sync wrote would make it the old record, or be refused as there twice."""
    key = unlinked(connection)

    said = linking.tell_apart(connection, place(connection), key, "ann")
    held = sync(connection, products(), item("7", Name="Pump", UnitPrice=3))
    connection.execute("DELETE FROM sync.unlinked")
    ended = sync(connection, products(), item("7", Name="Pump", UnitPrice=4))

    assert said == (
        f"Item 7 and CRM record {key} are different. Its quickbooks_product_id, which said "
        "otherwise, was emptied. Item 7 stays unlinked until you ask for it: Try again what is "
        "held back, on a run's page."
    )
    assert held == [End("7", "not_added", "unlinked")]
    assert ended == [End("7", "added")]
    assert [typed for _, typed in rows(connection, TYPED)] == [None, "7"]
    [told] = [act for act in acts.listed(connection, None, 9) if act.kind == "told_apart"]
    assert told.details["emptied"] == "quickbooks_product_id"


def test_what_was_unlinked_and_is_different_becomes_a_document_of_its_own(
    connection: Connection[Any],
) -> None:
    """Ids are taken out of documents of the same kind only: an invoice's may be a credit memo's."""
    known = documents.known()
    memo = by_hand(connection, "crm.invoices", kind="credit memo", quickbooks_invoice_id="7")
    mine = by_hand(connection, "crm.invoices", kind="invoice", quickbooks_invoice_id="7")
    assert sync(connection, known, documents.invoice("7", TotalAmt=5)) == [End("7", "updated")]
    here = place_of(connection, known["documents"], "7", "Invoice")
    linking.unlink(connection, here, "ann")

    said = [linking.tell_apart(connection, here, str(key), "ann") for key in (memo, mine)]

    assert ["was emptied" in each for each in said] == [False, True]
    assert release(connection, known, "unlinked", "retry") == [End("7", "added")]
    assert rows(connection, "SELECT quickbooks_invoice_id FROM crm.invoices ORDER BY id") == [
        ("7",),
        (None,),
        ("7",),
    ]


def test_the_id_of_another_record_stays(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="Pump"), item("8", Name="Hose"))
    mine = str(by_hand(connection, "crm.products", name="Lamp", quickbooks_product_id="9"))
    linking.unlink(connection, place(connection), "ann")
    before = rows(connection, TYPED)

    for key in ("2", mine):
        said = linking.tell_apart(connection, place(connection), key, "ann")
        assert "otherwise" not in said

    assert rows(connection, TYPED) == before


def test_an_id_that_the_table_keeps_is_told(connection: Connection[Any]) -> None:
    key = unlinked(connection)
    connection.execute("ALTER TABLE crm.products ALTER quickbooks_product_id SET NOT NULL")

    said = linking.tell_apart(connection, place(connection), key, "ann")

    assert "The table does not let its quickbooks_product_id be emptied, which says that" in said
    assert [typed for _, typed in rows(connection, TYPED)] == ["7"]
    told = rows(connection, "SELECT record_key FROM sync.different")
    assert told == [(key,)]
