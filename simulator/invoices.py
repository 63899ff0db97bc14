"""Sample invoices whose lines, discounts, taxes, totals and balances add up."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from simulator.clock import DAY, pacific
from simulator.customers import Customers, Sketch, address
from simulator.plausible import TERMS, invoice_basics, money, plain
from simulator.rows import Data

_CENT = Decimal("0.01")
_TAX_PERCENT = 8
_DAYS = 700


class Invoices:
    """The invoices of a seed, and what they leave each customer owing."""

    def __init__(self, seed: int, count: int, now: float) -> None:
        self._seed = seed
        self._count = count
        self._now = now
        self.owed: dict[int, Decimal] = defaultdict(Decimal)
        self.owed_with_jobs: dict[int, Decimal] = defaultdict(Decimal)

    def rows(self, customers: Customers, how_many: int, sold: list[Data]) -> Iterator[Data]:
        """The records, oldest first; `owed` is complete when they have all been taken."""
        for number in range(1, self._count + 1):
            random = Random(f"{self._seed} invoice {number}")
            customer = _buyer(customers, how_many, random)
            data = self._row(number, customer, sold, random)
            self._owe(customers, customer, Decimal(data["Balance"]))
            yield data

    def _owe(self, customers: Customers, customer: Sketch, balance: Decimal) -> None:
        self.owed[customer.number] += balance
        above: Sketch | None = customer
        while above:
            self.owed_with_jobs[above.number] += balance
            above = customers.sketch(above.parent) if above.parent else None

    def _row(self, number: int, customer: Sketch, sold: list[Data], random: Random) -> Data:
        created = self._now - (self._count - number + 1) / self._count * _DAYS * DAY - 4 * DAY
        data = invoice_basics() | _identity(number, created, random)
        data["DocNumber"] = str(1000 + number)
        data["TxnDate"] = data["MetaData"]["CreateTime"][:10]
        data |= _term(data["TxnDate"], random) | _addressed(number, customer, random)
        void = random.random() < 0.02
        lines = _lines(customer, sold, random, void)
        data |= _totals(lines, random, void)
        if void:
            data["PrivateNote"] = "Voided"
        return data


def _buyer(customers: Customers, how_many: int, random: Random) -> Sketch:
    while True:
        found = customers.sketch(random.randint(1, how_many))
        if found.active:
            return found


def _identity(number: int, created: float, random: Random) -> Data:
    versions = random.choice((0, 0, 1, 2))
    updated = created + (random.uniform(0, 3) * DAY if versions else 0)
    return {
        "domain": "QBO",
        "sparse": False,
        "Id": str(number),
        "SyncToken": str(versions),
        "MetaData": {"CreateTime": pacific(created), "LastUpdatedTime": pacific(updated)},
    }


def _term(day: str, random: Random) -> Data:
    id = random.choice(("1", "2", "3", "3", "3", "4"))
    name, days = TERMS[id]
    due = date.fromisoformat(day) + timedelta(days=days)
    return {"SalesTermRef": {"value": id, "name": name}, "DueDate": due.isoformat()}


def _addressed(number: int, customer: Sketch, random: Random) -> Data:
    """To whom: a transaction's billing address is free lines, not fields."""
    where = address(customer)
    person = " ".join(part for part in customer.person or () if part)
    town = f"{where['City']}, {where['CountrySubDivisionCode']}  {where['PostalCode']}"
    lines = [line for line in (person, customer.business, where["Line1"], town) if line]
    bill: dict[str, Any] = {"Id": str(100_000 + number)}
    bill |= {f"Line{place}": line for place, line in enumerate(lines, 1)}
    data: Data = {"CustomerRef": {"value": str(customer.number), "name": customer.name}}
    data["BillAddr"] = {**bill, "Lat": where["Lat"], "Long": where["Long"]}
    if random.random() < 0.85:
        data["ShipAddr"] = {"Id": str(2 * customer.number), **where}
    if customer.email:
        data["BillEmail"] = {"Address": customer.email}
        if random.random() < 0.2:
            data |= {"EmailStatus": "NeedToSend", "DeliveryInfo": {"DeliveryType": "Email"}}
    data["CustomerMemo"] = {"value": "Thank you for your business and have a great day!"}
    return data


def _lines(customer: Sketch, sold: list[Data], random: Random, void: bool) -> list[Data]:
    chosen = random.sample(sold, min(len(sold), random.randint(1, 5)))
    lines = []
    for place, item in enumerate(chosen, 1):
        price = Decimal(item["UnitPrice"]) or Decimal(random.randint(20, 300))
        quantity = 0 if void else random.randint(1, 12)
        taxed = customer.taxable and item["Taxable"]
        line: Data = {"Id": str(place), "LineNum": place}
        if "Description" in item:
            line["Description"] = item["Description"]
        line |= {"Amount": money(price * quantity), "DetailType": "SalesItemLineDetail"}
        line["SalesItemLineDetail"] = {
            "ItemRef": {"value": item["Id"], "name": item["FullyQualifiedName"]},
            "UnitPrice": plain(price),
            "Qty": quantity,
            "TaxCodeRef": {"value": "TAX" if taxed else "NON"},
        }
        lines.append(line)
    return lines


def _totals(lines: list[Data], random: Random, void: bool) -> Data:
    """Subtotal, less a discount, plus tax on what is taxable before it, is the total."""
    total = sum((Decimal(line["Amount"]) for line in lines), Decimal(0))
    subtotal: Data = {
        "Amount": money(total),
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    }
    all_lines = [*lines, subtotal]
    if not void and random.random() < 0.06:
        discount = _discount(total, random.choice((5, 10)))
        all_lines.append(discount)
        total -= Decimal(discount["Amount"])
    tax = _tax(
        [line for line in lines if line["SalesItemLineDetail"]["TaxCodeRef"]["value"] == "TAX"]
    )
    total += Decimal(tax["TotalTax"])
    open_part = random.choice((0, 0, 0, 0, Decimal("0.5"), 1, 1, 1))
    return {
        "Line": all_lines,
        "TxnTaxDetail": tax,
        "TotalAmt": money(total),
        "Balance": money((total * open_part).quantize(_CENT, ROUND_HALF_UP)),
    }


def _discount(subtotal: Decimal, percent: int) -> Data:
    return {
        "Amount": money(subtotal * percent / 100),
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {
            "PercentBased": True,
            "DiscountPercent": percent,
            "DiscountAccountRef": {"value": "86", "name": "Discounts given"},
        },
    }


def _tax(taxed: list[Data]) -> Data:
    net = sum((Decimal(line["Amount"]) for line in taxed), Decimal(0))
    if not net:
        return {"TotalTax": 0}
    amount = money(net * _TAX_PERCENT / 100)
    detail = {
        "TaxRateRef": {"value": "3"},
        "PercentBased": True,
        "TaxPercent": _TAX_PERCENT,
        "NetAmountTaxable": money(net),
    }
    return {
        "TxnTaxCodeRef": {"value": "2"},
        "TotalTax": amount,
        "TaxLine": [{"Amount": amount, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}],
    }
