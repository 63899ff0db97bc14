"""What all documents of a sale have: to whom, which lines, which tax, and how much in all."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from simulator.basics import (
    CENT,
    DISCOUNTS,
    TAX_CODE,
    TAX_PERCENT,
    TAX_RATE,
    TERMS,
    money,
    plain,
    sale_basics,
)
from simulator.currencies import exchanged, priced
from simulator.customers import Sketch, address
from simulator.lists import CLASSES, DEPARTMENTS
from simulator.rows import Data

_WHO = ("CustomerRef", "BillAddr", "ShipAddr", "BillEmail", "CustomerMemo", "DepartmentRef")


def sale(number: int, customer: Sketch, sold: list[Data], day: str, random: Random) -> Data:
    """A document that sells something: all but its id, its state and what it leaves open."""
    data = sale_basics() | exchanged(customer.currency, day)
    data |= {"DocNumber": str(1000 + number), "TxnDate": day, "CustomField": custom_field(random)}
    data |= addressed(number, customer, random)
    lines = item_lines(customer, sold, random, day)
    data |= totals(lines, 10 if random.random() < 0.06 else 0)
    file_under(data, random)
    return data


def taken_back(number: int, of: Data, customer: Sketch, day: str, random: Random) -> Data:
    """A document that takes the first line of another back."""
    data = sale_basics() | exchanged(customer.currency, day)
    data |= {"DocNumber": str(1000 + number), "TxnDate": day, "CustomField": custom_field(random)}
    data |= {name: of[name] for name in _WHO if name in of}
    return data | totals(of["Line"][:1], 0)


def term(day: str, random: Random) -> Data:
    """Until when it is to be paid."""
    id = random.choice(("1", "2", "3", "3", "3", "4"))
    name, days = TERMS[id]
    due = date.fromisoformat(day) + timedelta(days=days)
    return {"SalesTermRef": {"value": id, "name": name}, "DueDate": due.isoformat()}


def addressed(number: int, customer: Sketch, random: Random) -> Data:
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


def item_lines(
    customer: Sketch, sold: list[Data], random: Random, day: str, void: bool = False
) -> list[Data]:
    """One to five items, in the customer's currency; none of each on a void document."""
    chosen = random.sample(sold, min(len(sold), random.randint(1, 5)))
    lines = []
    for place, item in enumerate(chosen, 1):
        dollars = Decimal(item["UnitPrice"]) or Decimal(random.randint(20, 300))
        price = priced(dollars, customer.currency, day)
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


def totals(lines: list[Data], percent_off: int) -> Data:
    """Subtotal, less a discount, plus tax on what is taxable before it, is the total."""
    total = sum((Decimal(line["Amount"]) for line in lines), Decimal(0))
    subtotal: Data = {
        "Amount": money(total),
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    }
    all_lines = [*lines, subtotal]
    if percent_off:
        discount = _discount(total, percent_off)
        all_lines.append(discount)
        total -= Decimal(discount["Amount"])
    tax = _tax([line for line in lines if _code(line) == "TAX"])
    total += Decimal(tax["TotalTax"])
    return {"Line": all_lines, "TxnTaxDetail": tax, "TotalAmt": money(total)}


def _code(line: Data) -> str:
    code: str = line["SalesItemLineDetail"]["TaxCodeRef"]["value"]
    return code


def _discount(subtotal: Decimal, percent: int) -> Data:
    return {
        "Amount": money(subtotal * percent / 100),
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {
            "PercentBased": True,
            "DiscountPercent": percent,
            "DiscountAccountRef": DISCOUNTS,
        },
    }


def _tax(taxed: list[Data]) -> Data:
    net = sum((Decimal(line["Amount"]) for line in taxed), Decimal(0))
    if not net:
        return {"TotalTax": 0}
    amount = money(net * TAX_PERCENT / 100)
    detail = {
        "TaxRateRef": {"value": TAX_RATE},
        "PercentBased": True,
        "TaxPercent": TAX_PERCENT,
        "NetAmountTaxable": money(net),
    }
    return {
        "TxnTaxCodeRef": {"value": TAX_CODE},
        "TotalTax": amount,
        "TaxLine": [{"Amount": amount, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}],
    }


def part_of(total: Decimal, share: Decimal | int) -> Decimal:
    """A share of an amount, in whole cents."""
    return (total * share).quantize(CENT, ROUND_HALF_UP)


def file_under(data: Data, random: Random) -> None:
    """Put some documents under a department, and the lines of some under a class."""
    chance = random.random()
    if chance < 0.12:
        id = random.choice(list(DEPARTMENTS))
        data["DepartmentRef"] = {"value": id, "name": DEPARTMENTS[id]}
    elif chance < 0.2:
        id = random.choice(list(CLASSES))
        for line in data["Line"]:
            if "SalesItemLineDetail" in line:
                line["SalesItemLineDetail"]["ClassRef"] = {"value": id, "name": CLASSES[id]}


def custom_field(random: Random) -> list[Data]:
    """The one field of the company's own, often left empty."""
    field = {"DefinitionId": "1", "Name": "Crew #", "Type": "StringType"}
    return [
        {**field, "StringValue": str(random.randint(100, 140))} if random.random() < 0.3 else field
    ]
