"""The fields every row of an entity has, and the small pieces rows are made of."""

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from simulator.clock import pacific
from simulator.company import Company
from simulator.rows import Data

DOLLAR = {"value": "USD", "name": "United States Dollar"}
INCOME = {
    "Service": {"value": "45", "name": "Landscaping Services"},
    "goods": {"value": "79", "name": "Sales of Product Income"},
}
EXPENSE = {"value": "80", "name": "Cost of Goods Sold"}
ASSET = {"value": "81", "name": "Inventory Asset"}
TERMS = {
    "1": ("Due on receipt", 0),
    "2": ("Net 15", 15),
    "3": ("Net 30", 30),
    "4": ("Net 60", 60),
}
_CENT = Decimal("0.01")


def money(amount: Decimal) -> Decimal | int:
    """An amount with two decimals; nothing is written `0`."""
    return amount.quantize(_CENT, ROUND_HALF_UP) if amount else 0


def plain(number: Decimal) -> Decimal | int:
    """A price or quantity without zeros at its end: `75`, `6.5`."""
    return int(number) if number == number.to_integral_value() else number.normalize()


def slug(text: str) -> str:
    """ASCII letters and digits only, for addresses on the web."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    return re.sub("[^a-z0-9]", "", apart)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "ß": "ss", "đ": "d", "æ": "ae"})


def filled_in(company: Company, entity: str, fields: Data) -> Data:
    """What is needed to make a plausible record of the fields given; None leaves a field out."""
    id = company.table(entity).next_id()
    data = {**_always(entity, id, fields), **_below(company, entity, fields), **fields}
    if entity == "Invoice":
        data = {**_sold_once(company, data), **data}
    if entity in ("Customer", "Vendor", "Employee", "Item") and "FullyQualifiedName" not in fields:
        data["FullyQualifiedName"] = _full_name(company, entity, data)
    if entity == "Customer":
        data.setdefault("PrintOnCheckName", data.get("DisplayName"))
    return {name: value for name, value in data.items() if value is not None}


def _below(company: Company, entity: str, fields: Data) -> Data:
    """What a parent brings with it."""
    parent = company.table(entity).rows.get((fields.get("ParentRef") or {}).get("value", ""))
    if parent is None:
        return {}
    kind = {"Customer": {"Job": True, "BillWithParent": True}, "Item": {"SubItem": True}}
    return {**kind.get(entity, {}), "Level": parent.data.get("Level", 0) + 1}


def _sold_once(company: Company, data: Data) -> Data:
    """A day, a customer and one line for an invoice that names none."""
    customer = next(iter(company.table("Customer").rows.values()), None)
    item = next(iter(company.table("Item").rows.values()), None)
    line = {"Id": "1", "LineNum": 1, "Amount": data["TotalAmt"]}
    detail = {"UnitPrice": data["TotalAmt"], "Qty": 1, "TaxCodeRef": {"value": "NON"}}
    if item:
        detail["ItemRef"] = {"value": item.id, "name": item.name}
    line |= {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    subtotal = {"Amount": data["TotalAmt"], "DetailType": "SubTotalLineDetail"}
    today = pacific(company.clock.now())[:10]
    sold: Data = {"TxnDate": today, "DueDate": today, "TxnTaxDetail": {"TotalTax": 0}}
    sold["Line"] = [line, {**subtotal, "SubTotalLineDetail": {}}]
    if customer:
        sold["CustomerRef"] = {"value": customer.id, "name": customer.name}
    return sold


def _full_name(company: Company, entity: str, data: Data) -> Any:
    own = data.get("DisplayName") or data.get("Name")
    parent = company.table(entity).rows.get((data.get("ParentRef") or {}).get("value", ""))
    return f"{parent.name}:{own}" if parent else own


def _always(entity: str, id: str, fields: Data) -> Data:
    if entity == "Customer":
        return customer_basics(f"Customer {id}")
    if entity == "Item":
        return item_basics(f"Item {id}", fields.get("Type", "Service"))
    if entity == "Invoice":
        total = fields.get("TotalAmt", 100)
        return {
            **invoice_basics(),
            "DocNumber": str(1000 + int(id)),
            "TotalAmt": total,
            "Balance": total,
        }
    if entity in ("Vendor", "Employee"):
        return {"DisplayName": f"{entity} {id}", "Active": True}
    return {}


def customer_basics(name: str) -> Data:
    """What every customer has."""
    return {
        "Taxable": False,
        "Job": False,
        "BillWithParent": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "CurrencyRef": DOLLAR,
        "PreferredDeliveryMethod": "Print",
        "DisplayName": name,
        "Active": True,
    }


def item_basics(name: str, kind: str) -> Data:
    """What every item of a kind has; a category and a bundle have no price."""
    basics: Data = {"Name": name, "Active": True, "FullyQualifiedName": name, "Type": kind}
    if kind == "Category":
        return basics
    if kind == "Group":
        return {**basics, "Taxable": False, "PrintGroupedItems": False}
    basics |= {"Taxable": kind != "Service", "UnitPrice": 0, "PurchaseCost": 0}
    basics["IncomeAccountRef"] = INCOME.get(kind, INCOME["goods"])
    basics["TrackQtyOnHand"] = kind == "Inventory"
    return basics


def invoice_basics() -> Data:
    """What every invoice has besides its content."""
    return {
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        "CustomField": [],
        "CurrencyRef": DOLLAR,
        "LinkedTxn": [],
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }
