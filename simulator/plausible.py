"""Fills in what a record needs besides the fields that are given."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from simulator.basics import (
    PAYABLE,
    customer_basics,
    invoice_basics,
    item_basics,
    sale_basics,
    vendor_basics,
)
from simulator.clock import pacific
from simulator.company import Company
from simulator.currencies import DOLLAR, FOREIGN, exchanged
from simulator.lists import SUPPLIES
from simulator.rows import Data

_SALES = frozenset({"Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt"})
_PURCHASES = frozenset({"Bill", "PurchaseOrder"})
_TREES = frozenset({"Customer", "Vendor", "Employee", "Item", "Class", "Department"})
_USUAL_TOTAL = 100


def filled_in(company: Company, entity: str, fields: Data) -> Data:
    """What is needed to make a plausible record of the fields given; None leaves a field out."""
    id = company.table(entity).next_id()
    always = _ALWAYS.get(entity, lambda id, fields: {})
    data = {**always(id, fields), **_below(company, entity, fields), **fields}
    if entity in _SALES:
        data = {**_sold_once(company, entity, data), **data}
    if entity in _PURCHASES:
        data = {**_bought_once(company, data), **data}
    if entity == "Payment":
        data = {**_dated(company), **_reference(company, "Customer", "CustomerRef"), **data}
    if entity in _SALES or entity == "Payment":
        data = {**data, **_in_their_currency(company, data), **fields}
    if entity in _TREES and "FullyQualifiedName" not in fields:
        data["FullyQualifiedName"] = _full_name(company, entity, data)
    if entity in ("Customer", "Vendor"):
        data.setdefault("PrintOnCheckName", data.get("DisplayName"))
    return {name: value for name, value in data.items() if value is not None}


def _below(company: Company, entity: str, fields: Data) -> Data:
    """What a parent brings with it."""
    parent = company.table(entity).rows.get((fields.get("ParentRef") or {}).get("value", ""))
    if parent is None:
        return {}
    kind = {"Customer": {"Job": True, "BillWithParent": True}, "Item": {"SubItem": True}}
    return {**kind.get(entity, {}), "Level": parent.data.get("Level", 0) + 1}


def _sold_once(company: Company, entity: str, data: Data) -> Data:
    """A day, a customer and one line for a sale that names none."""
    total, day = data["TotalAmt"], _dated(company)["TxnDate"]
    line = {"Id": "1", "LineNum": 1, "Amount": total, "DetailType": "SalesItemLineDetail"}
    detail = {"UnitPrice": total, "Qty": 1, "TaxCodeRef": {"value": "NON"}}
    line["SalesItemLineDetail"] = {**detail, **_reference(company, "Item", "ItemRef")}
    subtotal = {"Amount": total, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    sold: Data = {"TxnDate": day, "TxnTaxDetail": {"TotalTax": 0}, "Line": [line, subtotal]}
    if entity == "Invoice":
        sold["DueDate"] = day
    return sold | _reference(company, "Customer", "CustomerRef")


def _in_their_currency(company: Company, data: Data) -> Data:
    """The currency of the customer, and what it is worth on the day."""
    whose = company.table("Customer").rows.get((data.get("CustomerRef") or {}).get("value", ""))
    code = ((whose.data.get("CurrencyRef") if whose else None) or DOLLAR.reference)["value"]
    foreign = [currency for currency in FOREIGN if currency.code == code]
    return exchanged(foreign[0], data["TxnDate"]) if foreign and data.get("TxnDate") else {}


def _bought_once(company: Company, data: Data) -> Data:
    """A day, a vendor and one line for a purchase that names none."""
    day, kind = _dated(company)["TxnDate"], "AccountBasedExpenseLineDetail"
    line = {"Id": "1", "LineNum": 1, "Amount": data["TotalAmt"], "DetailType": kind}
    line[kind] = {"AccountRef": SUPPLIES, "TaxCodeRef": {"value": "NON"}}
    bought = {"TxnDate": day, "DueDate": day, "Line": [line]}
    return bought | _reference(company, "Vendor", "VendorRef")


def _dated(company: Company) -> Data:
    return {"TxnDate": pacific(company.clock.now())[:10]}


def _reference(company: Company, entity: str, field: str) -> Data:
    """A reference to the first row there is."""
    first = next(iter(company.table(entity).rows.values()), None)
    return {field: {"value": first.id, "name": first.name}} if first else {}


def _full_name(company: Company, entity: str, data: Data) -> Any:
    own = data.get("DisplayName") or data.get("Name")
    parent = company.table(entity).rows.get((data.get("ParentRef") or {}).get("value", ""))
    return f"{parent.name}:{own}" if parent else own


def _sale(id: str, fields: Data) -> Data:
    total = fields.get("TotalAmt", _USUAL_TOTAL)
    return {**sale_basics(), "DocNumber": str(1000 + int(id)), "TotalAmt": total}


def _invoice(id: str, fields: Data) -> Data:
    sale = _sale(id, fields)
    return {**sale, **invoice_basics(), "Balance": sale["TotalAmt"]}


def _estimate(id: str, fields: Data) -> Data:
    return {**_sale(id, fields), "TxnStatus": "Pending", "LinkedTxn": []}


def _credit_memo(id: str, fields: Data) -> Data:
    sale = _sale(id, fields)
    left = fields.get("Balance", sale["TotalAmt"])
    return {**sale, "Balance": left, "RemainingCredit": left}


def _payment(id: str, fields: Data) -> Data:
    total = fields.get("TotalAmt", _USUAL_TOTAL)
    applied = sum(Decimal(str(line.get("Amount", 0))) for line in fields.get("Line") or [])
    return {
        "TotalAmt": total,
        "UnappliedAmt": Decimal(str(total)) - applied if applied else total,
        "CurrencyRef": DOLLAR.reference,
        "ProcessPayment": False,
        "Line": [],
    }


def _purchase(id: str, fields: Data) -> Data:
    total = fields.get("TotalAmt", _USUAL_TOTAL)
    return {
        "DocNumber": str(5000 + int(id)),
        "TotalAmt": total,
        "APAccountRef": PAYABLE,
        "CurrencyRef": DOLLAR.reference,
        "LinkedTxn": [],
    }


def _named(kind: str) -> Callable[[str, Data], Data]:
    return lambda id, fields: {"Name": f"{kind} {id}", "Active": True}


_ALWAYS: dict[str, Callable[[str, Data], Data]] = {
    "Customer": lambda id, fields: customer_basics(f"Customer {id}"),
    "Item": lambda id, fields: item_basics(f"Item {id}", fields.get("Type", "Service")),
    "Vendor": lambda id, fields: vendor_basics(f"Vendor {id}"),
    "Employee": lambda id, fields: {"DisplayName": f"Employee {id}", "Active": True},
    "Invoice": _invoice,
    "Estimate": _estimate,
    "SalesReceipt": lambda id, fields: {**_sale(id, fields), "Balance": 0},
    "CreditMemo": _credit_memo,
    "RefundReceipt": _sale,
    "Payment": _payment,
    "Bill": lambda id, fields: {
        **_purchase(id, fields),
        "Balance": fields.get("TotalAmt", _USUAL_TOTAL),
    },
    "PurchaseOrder": lambda id, fields: {**_purchase(id, fields), "POStatus": "Open"},
    **{
        kind: _named(kind)
        for kind in ("Term", "PaymentMethod", "Class", "Department", "TaxCode", "CustomerType")
    },
}
