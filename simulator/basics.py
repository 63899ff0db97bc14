"""The small pieces rows are made of, and the fields every row of an entity has."""

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal

from simulator.clock import pacific
from simulator.currencies import DOLLAR
from simulator.rows import Data

INCOME = {
    "Service": {"value": "45", "name": "Landscaping Services"},
    "goods": {"value": "79", "name": "Sales of Product Income"},
}
EXPENSE = {"value": "80", "name": "Cost of Goods Sold"}
ASSET = {"value": "81", "name": "Inventory Asset"}
DISCOUNTS = {"value": "86", "name": "Discounts given"}
UNDEPOSITED = {"value": "4", "name": "Undeposited Funds"}
PAYABLE = {"value": "33", "name": "Accounts Payable (A/P)"}
CHECKING = {"value": "35", "name": "Checking"}
TERMS = {
    "1": ("Due on receipt", 0),
    "2": ("Net 15", 15),
    "3": ("Net 30", 30),
    "4": ("Net 60", 60),
}
TAX_CODE = "2"
TAX_RATE = "3"
TAX_PERCENT = 8
CENT = Decimal("0.01")


def money(amount: Decimal) -> Decimal | int:
    """An amount with two decimals; nothing is written `0`."""
    return amount.quantize(CENT, ROUND_HALF_UP) if amount else 0


def plain(number: Decimal) -> Decimal | int:
    """A price or quantity without zeros at its end: `75`, `6.5`."""
    return int(number) if number == number.to_integral_value() else number.normalize()


def slug(text: str) -> str:
    """ASCII letters and digits only, for addresses on the web."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    return re.sub("[^a-z0-9]", "", apart)


_LETTERS = str.maketrans({"ø": "o", "ł": "l", "ß": "ss", "đ": "d", "æ": "ae"})


def identity(id: str, versions: int, created: float, updated: float | None = None) -> Data:
    """What every row says of itself; `updated` is when the last of its versions was written."""
    changed = created if updated is None else updated
    return {
        "domain": "QBO",
        "sparse": False,
        "Id": id,
        "SyncToken": str(versions),
        "MetaData": {"CreateTime": pacific(created), "LastUpdatedTime": pacific(changed)},
    }


def customer_basics(name: str) -> Data:
    """What every customer has."""
    return {
        "Taxable": False,
        "Job": False,
        "BillWithParent": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "CurrencyRef": DOLLAR.reference,
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
        "LinkedTxn": [],
        **sale_basics(),
    }


def sale_basics() -> Data:
    """What every document that a customer gets has besides its content."""
    return {
        "CustomField": [],
        "CurrencyRef": DOLLAR.reference,
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }


def vendor_basics(name: str) -> Data:
    """What every vendor has."""
    return {
        "Balance": 0,
        "Vendor1099": False,
        "CurrencyRef": DOLLAR.reference,
        "DisplayName": name,
        "Active": True,
    }
