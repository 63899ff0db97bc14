"""A document and its lines are one record: what the CRM holds of both after a load."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.suiting import missing_fields
from tests.integration.crm import (
    End,
    Record,
    accounts,
    by_hand,
    count,
    customer,
    gone,
    item,
    one,
    outcome,
    products,
    rows,
    sync,
)

LINES = """
    SELECT position, description, quantity, amount, product_id FROM crm.invoice_lines
     ORDER BY invoice_id, position"""
TEXTS = "SELECT position, description FROM crm.invoice_lines ORDER BY invoice_id, position"
KEYED = """
    SELECT line.id, line.description FROM crm.invoice_lines AS line
     ORDER BY invoice_id, position"""
REFERRED = """
    SELECT product.name FROM crm.invoice_lines AS line
      LEFT JOIN crm.products AS product ON product.id = line.product_id
     ORDER BY invoice_id, position"""

DOCUMENTS = """\
entities: [Invoice, CreditMemo]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id, within: kind}
fields:
  quickbooks_invoice_id: {from: Id}
  kind:    {for_entity: {Invoice: {value: invoice}, CreditMemo: {value: credit memo}}}
  number:  {from: DocNumber}
  total:   {from: TotalAmt, for_entity: {CreditMemo: {negate: true}}}
  voided:  {value: false}
  deleted: {value: false}
when_inactive: {voided: true}
when_deleted: {deleted: true}
lines:
  from: Line
  table: crm.invoice_lines
  parent: invoice_id
  position: position
  exclude: [{where: {DetailType: SubTotalLineDetail}, because: it sells nothing}]
  fields:
    product_id:  {from: SalesItemLineDetail.ItemRef.value, refers: products}
    description: {from: Description}
    quantity:    {from: SalesItemLineDetail.Qty, for_entity: {CreditMemo: {negate: true}}}
    amount:      {from: Amount, for_entity: {CreditMemo: {negate: true}}}
"""
NOTHING = {"product_id": None, "quantity": None, "amount": None}


def known(*others: str) -> dict[str, Mapping]:
    """Products and documents."""
    of_products = products()["products"].text
    return parse_all({"products": of_products, "documents": DOCUMENTS, **dict(_pairs(others))})


def with_customers() -> dict[str, Mapping]:
    """Products, customers, and documents that say whose they are."""
    text = DOCUMENTS.replace(
        "  number:", "  account_id: {from: CustomerRef.value, refers: accounts}\n  number:"
    )
    of_products = products()["products"].text
    return parse_all({"products": of_products, "accounts": accounts(), "documents": text})


def _pairs(others: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"other{number}", text) for number, text in enumerate(others)]


def line(text: str, product: str | None = None, **fields: Any) -> dict[str, Any]:
    """One line of a document, perhaps of a product."""
    plain: dict[str, Any] = {"DetailType": "SalesItemLineDetail", "Description": text}
    detail = {"ItemRef": {"value": product}} if product else {}
    return plain | {"SalesItemLineDetail": detail} | fields


def invoice(id: str, *lines: dict[str, Any], **fields: Any) -> Record:
    """A QuickBooks invoice."""
    return Record("Invoice", id, {"Id": id, "TxnDate": "2026-01-02", "Line": [*lines]} | fields)


def credit(id: str, *lines: dict[str, Any], **fields: Any) -> Record:
    """A QuickBooks credit memo."""
    return Record("CreditMemo", id, {"Id": id, "TxnDate": "2026-01-02", "Line": [*lines]} | fields)


def image(position: int, text: str, **fields: Any) -> dict[str, Any]:
    return {"position": position, "description": text} | NOTHING | fields


def trigger(connection: Connection[Any], body: str) -> None:
    connection.execute(
        f"CREATE FUNCTION crm.own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END'"
    )
    connection.execute(
        "CREATE TRIGGER own BEFORE INSERT OR UPDATE ON crm.invoice_lines "
        "FOR EACH ROW EXECUTE FUNCTION crm.own()"
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


def test_a_deleted_document_keeps_its_lines_and_is_flagged(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a")))

    ended = sync(connection, known(), gone(invoice("1", line("a"))))

    assert ended == [End("1", "updated")]
    assert rows(connection, "SELECT deleted FROM crm.invoices") == [(True,)]
    assert rows(connection, TEXTS) == [(1, "a")]
    assert sync(connection, known(), gone(invoice("1"))) == [End("1", "unchanged")]


def test_a_document_that_comes_back_loses_the_flag(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a")))
    sync(connection, known(), gone(invoice("1")))

    sync(connection, known(), invoice("1", line("a"), line("b")))

    assert rows(connection, "SELECT deleted FROM crm.invoices") == [(False,)]
    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


def test_a_voided_document_is_flagged_and_told_of(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a", Amount=5), TotalAmt=5))

    void = invoice("1", line("a", Amount=0), TotalAmt=Decimal("0.00"), PrivateNote="Voided")
    ended = sync(connection, known(), void)

    assert ended == [End("1", "updated")]
    assert outcome(connection, "1", "flag") == ("deactivated",)
    assert rows(connection, "SELECT voided, total FROM crm.invoices") == [(True, 0)]


@pytest.mark.parametrize("fields", [{"TotalAmt": 0}, {"TotalAmt": 5, "PrivateNote": "Voided"}])
def test_a_document_over_nothing_or_with_such_a_note_is_not_voided(
    connection: Connection[Any], fields: dict[str, Any]
) -> None:
    sync(connection, known(), invoice("1", **fields))

    assert rows(connection, "SELECT voided FROM crm.invoices") == [(False,)]


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


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("CHECK (description <> 'bad')", "violates check constraint"),
        ("UNIQUE (invoice_id, description)", "duplicate key value violates unique constraint"),
    ],
)
def test_a_line_that_the_table_refuses_keeps_its_document_out_and_is_named(
    connection: Connection[Any], rule: str, said: str
) -> None:
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD CONSTRAINT own {rule}")
    refused = invoice("2", line("bad"), line("fine"), line("bad"))

    ended = sync(connection, known(), invoice("1", line("a")), refused, invoice("3", line("b")))

    assert ended == [
        End("1", "added"), End("2", "not_added", "refused_by_table"), End("3", "added")
    ]  # fmt: skip
    [message, details] = outcome(connection, "2", "message", "details")
    assert message.startswith("The CRM table refused line ") and said in message
    assert details["constraint"] == "own" and details["line"] in (1, 3)
    assert rows(connection, TEXTS) == [(1, "a"), (1, "b")]


def test_a_line_that_a_trigger_leaves_out_keeps_its_document_out(
    connection: Connection[Any],
) -> None:
    trigger(connection, "IF NEW.description = ''bad'' THEN RETURN NULL; END IF; RETURN NEW;")

    ended = sync(connection, known(), invoice("1", line("a"), line("bad")), invoice("2", line("c")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    assert outcome(connection, "1", "message") == (
        "The CRM table refused line 2: a trigger left it out without saying why.",
    )
    assert rows(connection, TEXTS) == [(1, "c")]


def test_a_refused_change_leaves_the_document_and_all_its_lines_as_they_were(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b"), DocNumber="1"))
    connection.execute("ALTER TABLE crm.invoice_lines ADD CHECK (description <> 'bad')")

    ended = sync(connection, known(), invoice("1", line("new"), line("bad"), DocNumber="2"))

    assert ended == [End("1", "not_added", "refused_by_table")]
    assert rows(connection, "SELECT number FROM crm.invoices") == [("1",)]
    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


UNIQUE = "CREATE UNIQUE INDEX own ON crm.invoice_lines (invoice_id, description)"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("ab", "ba"),
        ("abc", "bca"),
        ("abc", "bc"),
        ("ab", "cab"),
        ("abcd", "dxba"),
    ],
)
def test_lines_that_change_places_pass_a_unique_index_of_their_table(
    connection: Connection[Any], was: str, becomes: str
) -> None:
    connection.execute(UNIQUE)
    connection.execute("ALTER TABLE crm.invoice_lines ADD remark text")
    sync(connection, known(), invoice("1", *map(line, was)), invoice("2", line("a")))
    connection.execute("UPDATE crm.invoice_lines SET remark = position")
    keys = rows(connection, KEYED)

    ended = sync(connection, known(), invoice("1", *map(line, becomes)))

    assert ended == [End("1", "updated")]
    assert rows(connection, TEXTS) == [*enumerate(becomes, 1), (1, "a")]
    stay = min(len(was), len(becomes))
    assert [key for key, _ in rows(connection, KEYED)[:stay]] == [key for key, _ in keys[:stay]]
    remarks = "SELECT remark FROM crm.invoice_lines ORDER BY invoice_id, position"
    assert rows(connection, remarks)[:stay] == [(str(place + 1),) for place in range(stay)]
    assert sync(connection, known(), invoice("1", *map(line, becomes))) == [End("1", "unchanged")]


def test_lines_that_others_records_go_with_are_not_taken_out(connection: Connection[Any]) -> None:
    connection.execute(UNIQUE)
    connection.execute(
        "CREATE TABLE crm.remarks (line_id bigint REFERENCES crm.invoice_lines ON DELETE CASCADE)"
    )
    sync(connection, known(), invoice("1", line("a"), line("b")))
    connection.execute("INSERT INTO crm.remarks SELECT id FROM crm.invoice_lines")

    ended = sync(connection, known(), invoice("1", line("b"), line("a")), invoice("2", line("a")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    message, details = outcome(connection, "1", "message", "details")
    assert "line 1: duplicate key value" in message and details == {"constraint": "own", "line": 1}
    assert one(connection, "SELECT count(*) FROM crm.remarks") == 2


def test_two_lines_that_a_unique_index_does_not_let_be_the_same_are_told(
    connection: Connection[Any],
) -> None:
    connection.execute(UNIQUE)

    ended = sync(connection, known(), invoice("1", line("a"), line("a")), invoice("2", line("a")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    message, details = outcome(connection, "1", "message", "details")
    assert message == (
        'The CRM table refused line 2: duplicate key value violates unique constraint "own".'
    )
    assert details == {"constraint": "own", "line": 2}


def test_a_line_that_another_documents_line_keeps_out_names_that_document(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX own ON crm.invoice_lines (description)")
    sync(connection, known(), invoice("1", line("a"), line("b")), invoice("2", line("c")))

    sync(connection, known(), invoice("3", line("x"), line("b")))

    first = one(connection, "SELECT id::text FROM crm.invoices WHERE quickbooks_invoice_id = '1'")
    assert outcome(connection, "3", "message") == (
        'The CRM table refused line 2: duplicate key value violates unique constraint "own".',
    )
    assert rows(connection, "SELECT id, candidates FROM sync.held") == [("3", [first])]
    connection.execute("DELETE FROM crm.invoices WHERE quickbooks_invoice_id = '1'")
    assert sync(connection, known()) == [End("3", "added")]


def test_a_document_whose_line_is_mended_is_added(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a", Amount="much")))

    assert sync(connection, known(), invoice("1", line("a", Amount=1))) == [End("1", "added")]
    assert count(connection, "sync.held") == 0


def test_a_value_that_only_the_tables_own_type_refuses_keeps_its_document_out(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER description TYPE inet USING NULL")

    ended = sync(connection, known(), invoice("1", line("10.0.0.1")), invoice("2", line("here")))

    assert ended == [End("1", "added"), End("2", "not_added", "refused_by_table")]
    assert outcome(connection, "2", "message") == (
        'The CRM table refused line 1: invalid input syntax for type inet: "here".',
    )


def test_the_lines_of_refused_documents_are_not_written(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoices ADD CHECK (number <> 'bad')")

    sync(connection, known(), invoice("1", line("a"), DocNumber="bad"), invoice("2", line("b")))

    assert rows(connection, TEXTS) == [(1, "b")]


def test_a_blank_is_left_to_the_columns_own_default(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET DEFAULT 1")
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET NOT NULL")

    sync(connection, known(), invoice("1", line("a")))
    sync(connection, known(), invoice("1", line("b")))

    assert rows(connection, LINES) == [(1, "b", 1, None, None)]


def test_a_line_that_moves_up_does_not_take_over_what_stood_there(
    connection: Connection[Any],
) -> None:
    """What it leaves blank is the column's own default again, not another line's value."""
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET DEFAULT 1")
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET NOT NULL")
    five = line("a", SalesItemLineDetail={"Qty": 5})

    sync(connection, known(), invoice("1", five, line("b")))
    ended = sync(connection, known(), invoice("1", line("b")))
    again = sync(connection, known(), invoice("1", line("b")))

    assert rows(connection, LINES) == [(1, "b", 1, None, None)]
    assert (ended, again) == ([End("1", "updated")], [End("1", "unchanged")])


def owned(connection: Connection[Any]) -> dict[str, Mapping]:
    """Documents whose lines say whose they are."""
    connection.execute("ALTER TABLE crm.invoice_lines ADD company_id varchar(50) NOT NULL")
    lines = DOCUMENTS.replace(
        "  position: position\n", "  position: position\n  company: company_id\n"
    )
    return parse_all({"products": products()["products"].text, "documents": lines})


def test_a_line_may_say_whose_it_is(connection: Connection[Any]) -> None:
    mappings = owned(connection)
    sync(connection, mappings, invoice("1", line("a"), line("b")))
    sync(connection, mappings, invoice("1", line("a2")), realm="2", company="other")

    ended = sync(connection, mappings, invoice("1", line("b"), line("a"), line("c")))

    assert ended == [End("1", "updated")]
    query = "SELECT company_id, description FROM crm.invoice_lines ORDER BY invoice_id, position"
    assert rows(connection, query) == [
        *(("sample", text) for text in "bac"), ("other", "a2")
    ]  # fmt: skip
    assert sync(connection, mappings, invoice("1", line("b"), line("a"), line("c"))) == [
        End("1", "unchanged")
    ]


def test_a_required_company_of_lines_that_the_mapping_does_not_name_is_missing(
    connection: Connection[Any],
) -> None:
    mappings = owned(connection)

    told = [
        missing_fields(known()["documents"], catalog.of(connection, known()["documents"])),
        missing_fields(mappings["documents"], catalog.of(connection, mappings["documents"])),
    ]

    assert told == [["Company id of crm.invoice_lines"], []]


@pytest.mark.parametrize("key", ["invoice_id, position", "position, invoice_id"])
def test_lines_may_have_document_and_position_for_their_primary_key(
    connection: Connection[Any], key: str
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines DROP id")
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD PRIMARY KEY ({key})".encode())
    three = [line("a", "7"), line("b"), line("c")]

    sync(connection, known(), invoice("1", *three), invoice("2", line("x")))
    ended = sync(connection, known(), invoice("1", line("b"), line("a", "7")), item("7"))

    assert ended == [End("7", "added"), End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "b"), (2, "a"), (1, "x")]
    assert rows(connection, REFERRED) == [(None,), ("Item 7",), (None,)]
    documents = known()["documents"]
    assert list(catalog.misfits(catalog.of(connection, documents), documents)) == []


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


# Several kinds of documents in one table


def test_documents_of_two_kinds_with_one_id_are_two_records(connection: Connection[Any]) -> None:
    ended = sync(connection, known(), invoice("1", line("a")), credit("1", line("b", Amount=5)))

    assert ended == [End("1", "added"), End("1", "added")]
    kinds = "SELECT kind, quickbooks_invoice_id FROM crm.invoices ORDER BY kind"
    assert rows(connection, kinds) == [("credit memo", "1"), ("invoice", "1")]
    assert rows(connection, "SELECT amount FROM crm.invoice_lines WHERE amount < 0") == [(-5,)]


@pytest.mark.parametrize("kind", ["invoice", "Credit  Memo"])
def test_a_document_that_a_person_made_is_found_by_its_kind_and_typed_id(
    connection: Connection[Any], kind: str
) -> None:
    made = by_hand(connection, "crm.invoices", kind=kind, quickbooks_invoice_id="1")

    sync(connection, known(), invoice("1", TotalAmt=1), credit("1", TotalAmt=2))

    totals = {id: total for id, total in rows(connection, "SELECT id, total FROM crm.invoices")}
    assert totals.pop(made) == (1 if kind == "invoice" else -2)
    assert list(totals.values()) == [-2 if kind == "invoice" else 1]


def test_lines_of_a_document_that_a_person_made_become_quickbooks(
    connection: Connection[Any],
) -> None:
    made = by_hand(connection, "crm.invoices", kind="invoice", quickbooks_invoice_id="1")
    by_hand(connection, "crm.invoice_lines", invoice_id=made, position=1, description="mine")
    by_hand(connection, "crm.invoice_lines", invoice_id=made, position=2, description="mine")

    assert sync(connection, known(), invoice("1", line("a"))) == [End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "a")]
    assert outcome(connection, "1", "before")[0]["@lines"] == [image(1, "mine"), image(2, "mine")]


# A start date

EARLY, LATE = ("2023-12-31", "2024-01-01")
NUMBERS = "SELECT quickbooks_invoice_id FROM crm.invoices ORDER BY 1"


def test_documents_before_the_start_date_stay_out_and_say_so(connection: Connection[Any]) -> None:
    early, late = invoice("1", line("a"), TxnDate=EARLY), invoice("2", TxnDate=LATE)

    ended = sync(connection, known(), early, late, start_date=LATE)

    assert ended == [End("1", "excluded", "before_start_date"), End("2", "added")]
    assert outcome(connection, "1", "message") == ("Dated before the company's start date.",)
    assert rows(connection, TEXTS) == []


def test_an_earlier_start_date_brings_older_documents_in(connection: Connection[Any]) -> None:
    old = [invoice(str(year), line("a"), TxnDate=f"{year}-06-01") for year in (2020, 2021, 2022)]
    sync(connection, known(), *old, start_date="2022-01-01")

    assert sync(connection, known(), start_date="2021-01-01") == [End("2021", "added")]
    assert sync(connection, known(), start_date="2021-01-01") == []
    assert sync(connection, known()) == [End("2020", "added")]
    assert rows(connection, NUMBERS) == [("2020",), ("2021",), ("2022",)]


def test_a_later_start_date_leaves_what_is_in_the_crm_and_keeps_it_up_to_date(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", TxnDate=EARLY))

    ended = sync(connection, known(), invoice("1", TxnDate=EARLY, DocNumber="5"), start_date=LATE)

    assert ended == [End("1", "updated")]


def test_records_that_are_no_documents_know_no_start_date(connection: Connection[Any]) -> None:
    assert sync(connection, known(), item("7"), start_date=LATE) == [End("7", "added")]


def test_a_document_that_is_given_a_later_day_comes_in(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", TxnDate=EARLY), start_date=LATE)

    assert sync(connection, known(), invoice("1", TxnDate=LATE), start_date=LATE) == [
        End("1", "added")
    ]
