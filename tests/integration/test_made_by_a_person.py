"""What a person makes for references that wait: these are closed, whatever has become of the
records that have them, and no sync has work because of it again."""

from collections.abc import Mapping as ReadOnly
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration import documents
from tests.integration.crm import End, Record, accounts, by_hand, counts, customer, item, rows, sync
from tests.integration.documents import invoice, line
from tests.integration.test_undo_lines import PARKED, with_customers
from tests.integration.undo import release, undo

OF_INVOICES = """
    SELECT invoices.number, accounts.name FROM crm.invoices
      LEFT JOIN crm.accounts ON accounts.id = account_id"""
TEN = {"CustomerRef": {"value": "10"}}


def make_ten(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="10")


def told(connection: Connection[Any], known: ReadOnly[str, Mapping]) -> list[list[End]]:
    """How records end in the next two syncs."""
    return [sync(connection, known), sync(connection, known)]


@pytest.mark.parametrize(
    "newest",
    [
        pytest.param({"TotalAmt": "much"}, id="has a wrong value"),
        pytest.param({"DocNumber": "no"}, id="is excluded"),
    ],
)
def test_a_reference_is_closed_though_a_newer_version_is_held_back(
    connection: Connection[Any], newest: dict[str, str]
) -> None:
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    texts["documents"] += "exclude: [{where: {DocNumber: 'no'}, because: nobody wants it}]\n"
    known = parse_all(texts)
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="1"))
    sync(connection, known, invoice("7", line("A"), **TEN, **newest))
    make_ten(connection)

    assert told(connection, known) == [[], []]
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]
    assert rows(connection, PARKED) == []


def test_what_is_undone_stays_so_and_its_reference_is_closed(connection: Connection[Any]) -> None:
    known = with_customers()
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="1"))
    sync(connection, known, invoice("7", line("B"), **TEN, DocNumber="2"), run_id="wrong")
    undo(connection, known, "wrong")
    make_ten(connection)

    assert told(connection, known) == [[], []]
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]
    assert release(connection, known, "undone", "retry")[-1] == End("7", "updated")
    assert rows(connection, OF_INVOICES) == [("2", "By hand")]


@pytest.mark.parametrize("mode", ["create", "ignore"])
def test_a_reference_is_closed_of_a_record_that_is_never_updated(
    connection: Connection[Any], mode: str
) -> None:
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    key = "{key: quickbooks_invoice_id, within: kind}"
    texts["documents"] = texts["documents"].replace(
        key, "{mode: create}" if mode == "create" else key.replace("{", "{mode: ignore, ")
    )
    known = parse_all(texts)
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="1"))
    make_ten(connection)

    assert told(connection, known) == [[], []]
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]


def refusing(connection: Connection[Any]) -> None:
    """The CRM lets account 2 have no parent."""
    connection.execute("""
        CREATE FUNCTION crm.own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.quickbooks_customer_id = '2' AND NEW.parent_id IS NOT NULL THEN
                RAISE EXCEPTION 'not this one';
            END IF;
            RETURN NEW;
        END $$""")
    connection.execute(
        "CREATE TRIGGER own BEFORE UPDATE ON crm.accounts FOR EACH ROW EXECUTE FUNCTION crm.own()"
    )


BELOW = {"ParentRef": {"value": "10"}}
PARENTS = """
    SELECT own.quickbooks_customer_id, above.name FROM crm.accounts AS own
      JOIN crm.accounts AS above ON above.id = own.parent_id"""


def test_a_reference_that_the_table_lets_nobody_close_is_tried_once(
    connection: Connection[Any],
) -> None:
    """Its record is read again, so that its own activity says why; the others get theirs."""
    known = parse_all({"accounts": accounts()})
    refusing(connection)
    sync(connection, known, customer("2", **BELOW), customer("3", **BELOW))
    make_ten(connection)

    assert told(connection, known) == [
        [End("2", "not_added", "refused_by_table"), End("3", "updated")],
        [],
    ]


def test_what_the_table_lets_nobody_close_keeps_no_other_reference_open_and_is_warned_of(
    connection: Connection[Any],
) -> None:
    created = accounts().replace("key: quickbooks_customer_id", "mode: create")
    known = parse_all({"accounts": created})
    refusing(connection)
    sync(connection, known, customer("2", **BELOW), customer("3", **BELOW))
    make_ten(connection)

    assert told(connection, known) == [[], []]
    assert rows(connection, PARENTS) == [("3", "By hand")]
    warned = (
        "SELECT warnings ->> 'accounts.parent_id.stays_open' FROM sync.run WHERE run_id = 'run-2'"
    )
    assert rows(connection, warned) == [
        (
            "The CRM refused 1 reference in parent_id of accounts to records that are there now. "
            "They stay open: see what the table's triggers and constraints demand.",
        )
    ]


def test_a_line_that_the_table_lets_nobody_change_keeps_no_other_reference_open(
    connection: Connection[Any],
) -> None:
    known = with_customers()
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own"
        " CHECK (description <> 'bare' OR product_id IS NULL)"
    )
    sync(connection, known, invoice("7", line("bare", "1")), invoice("8", line("B", "1")))

    sync(connection, known, item("1"))

    lines = "SELECT description, product_id IS NULL FROM crm.invoice_lines ORDER BY 1"
    assert rows(connection, lines) == [("B", False), ("bare", True)]


def test_a_module_whose_table_could_not_be_used_gets_its_references_when_it_can(
    connection: Connection[Any],
) -> None:
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    key = "{key: quickbooks_invoice_id, within: kind}"
    texts["documents"] = texts["documents"].replace(key, "{mode: create}")
    known = parse_all(texts)
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="1"))
    make_ten(connection)
    others = {name: mapping for name, mapping in known.items() if name != "documents"}
    sync(connection, others)

    assert told(connection, known) == [[], []]
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]


ONLY = ["documents"]
OF_LINES = """
    SELECT line.description, product.name FROM crm.invoice_lines AS line
      LEFT JOIN crm.products AS product ON product.id = line.product_id"""


def documents_of(mode: str) -> dict[str, Mapping]:
    """Products, accounts, and documents that are loaded in a mode."""
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    key = "{key: quickbooks_invoice_id, within: kind}"
    own = {"merge": key, "ignore": key.replace("{", "{mode: ignore, "), "create": "{mode: create}"}
    texts["documents"] = texts["documents"].replace(key, own[mode])
    return parse_all(texts)


@pytest.mark.parametrize("mode", ["merge", "ignore", "create"])
def test_a_reference_is_closed_though_no_run_loads_the_module_that_it_refers_to(
    connection: Connection[Any], mode: str
) -> None:
    """Such as the products of a company that keeps these by hand."""
    known = documents_of(mode)
    sync(connection, known, invoice("7", line("A", "1"), **TEN, DocNumber="1"), modules=ONLY)
    make_ten(connection)
    by_hand(connection, "crm.products", name="Own", quickbooks_product_id="1")

    again = [End("7", "updated")] if mode == "merge" else []
    assert sync(connection, known, modules=ONLY, run_id="closes") == again
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]
    assert rows(connection, OF_LINES) == [("A", "Own")]
    assert rows(connection, PARKED) == []
    assert sync(connection, known, modules=ONLY) == []

    undo(connection, known, "closes")
    assert rows(connection, OF_INVOICES) == [("1", None)]
    assert rows(connection, OF_LINES) == [("A", None)]


def test_a_reference_of_a_version_that_is_held_back_is_closed_though_no_run_loads_what_it_means(
    connection: Connection[Any],
) -> None:
    known = with_customers()
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="1"), modules=ONLY)
    sync(connection, known, invoice("7", line("A"), **TEN, TotalAmt="much"), modules=ONLY)
    make_ten(connection)

    assert sync(connection, known, modules=ONLY) == []
    assert rows(connection, OF_INVOICES) == [("1", "By hand")]
    assert counts(connection, "documents") == {"resolved": 1}


def test_what_the_table_lets_nobody_close_is_tried_once_though_no_run_loads_what_it_means(
    connection: Connection[Any],
) -> None:
    known = documents_of("create")
    connection.execute(
        "ALTER TABLE crm.invoices ADD CHECK (number <> 'refused' OR account_id IS NULL)"
    )
    sync(connection, known, invoice("7", line("A"), **TEN, DocNumber="refused"), modules=ONLY)
    make_ten(connection)

    sync(connection, known, modules=ONLY, run_id="tries")
    sync(connection, known, modules=ONLY, run_id="rests")

    loads = "SELECT run_id, resolved FROM sync.activity WHERE run_id IN ('tries', 'rests')"
    assert rows(connection, loads) == [("tries", 0)]
    assert rows(connection, OF_INVOICES) == [("refused", None)]


PAYMENTS = """\
entities: [Payment]
table: crm.payments
import: {key: quickbooks_payment_id}
fields: {quickbooks_payment_id: {from: Id}}
lines:
  from: Line
  table: crm.payment_applications
  parent: payment_id
  position: position
  fields:
    invoice_id:     {from: Invoice, refers: {module: documents, entity: Invoice}}
    credit_memo_id: {from: CreditMemo, refers: {module: documents, entity: CreditMemo}}
"""


@pytest.mark.parametrize("first", ["the payment", "the documents"])
def test_a_document_that_a_person_made_is_told_by_its_id_and_its_kind(
    connection: Connection[Any], first: str
) -> None:
    """QuickBooks counts invoices and credit memos each from 1."""
    known = documents.known(PAYMENTS)
    payment = Record("Payment", "9", {"Id": "9", "Line": [{"Invoice": "7", "CreditMemo": "7"}]})
    if first == "the payment":
        sync(connection, known, payment)

    memo = by_hand(connection, "crm.invoices", kind="Credit memo", quickbooks_invoice_id="7")
    paid = by_hand(connection, "crm.invoices", kind="invoice", quickbooks_invoice_id="7")
    sync(connection, known, *([payment] if first == "the documents" else []))

    applied = "SELECT invoice_id, credit_memo_id FROM crm.payment_applications"
    assert rows(connection, applied) == [(paid, memo)]
    assert rows(connection, PARKED) == []
