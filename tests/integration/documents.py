"""Invoices and credit memos with their lines, and mappings that bring them in."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import Record, accounts, products

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


def owned(connection: Connection[Any]) -> dict[str, Mapping]:
    """Documents whose lines say whose they are."""
    connection.execute("ALTER TABLE crm.invoice_lines ADD company_id varchar(50) NOT NULL")
    lines = DOCUMENTS.replace(
        "  position: position\n", "  position: position\n  company: company_id\n"
    )
    return parse_all({"products": products()["products"].text, "documents": lines})
