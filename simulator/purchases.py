"""Sample purchase orders, the bills for them and for other things, and what was paid of those."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from simulator.basics import CHECKING, PAYABLE, TERMS, identity, money, plain
from simulator.clock import DAY, pacific
from simulator.company import Company
from simulator.currencies import at_home, exchanged, priced
from simulator.lists import DEPARTMENTS, SUPPLIES, UTILITIES
from simulator.market import Market, Spread
from simulator.people import Vendors
from simulator.rows import Data
from simulator.sold import custom_field, part_of


class Purchases:
    """What a company has ordered from its vendors, been billed and paid."""

    def __init__(self, company: Company, market: Market, vendors: Vendors) -> None:
        self._company = company
        self._market = market
        self._vendors = vendors
        self._goods = [item for item in market.sold if item.get("PurchaseCost")]
        self.owed: dict[int, Decimal] = defaultdict(Decimal)
        self._paid = 0

    def put(self, orders: int, bills: int) -> None:
        """Put so many purchase orders and bills into the company; `owed` then says what is open."""
        spread = Spread(bills, min(bills, orders) * 3 // 5, orders)
        for number in range(1, orders + 1):
            self._put_order(number, orders, spread)
        for place, number in enumerate(spread.left, 1):
            random = self._market.random("bill", number)
            created = self._market.moment(place, len(spread.left))
            vendor, day = self._vendor(random), pacific(created)[:10]
            data = self._purchase(number, vendor, day)
            self._put_bill(
                number, vendor, data | _total(self._expenses(vendor, day, random)), created, random
            )

    def _put_order(self, number: int, orders: int, bills: Spread) -> None:
        random = self._market.random("purchase order", number)
        created = self._market.moment(number, orders)
        vendor, day = self._vendor(random), pacific(created)[:10]
        data = self._purchase(number, vendor, day) | _total(self._ordered(vendor, day, random))
        data |= {"CustomField": custom_field(random), "LinkedTxn": [], "POStatus": "Open"}
        changed = created
        if bills.due(number):
            changed = self._bill_for(number, bills.take(), vendor, data, created)
        self._company.load(
            "PurchaseOrder",
            [data | identity(str(number), int(changed > created), created, changed)],
        )

    def _bill_for(self, order: int, number: int, vendor: int, data: Data, ordered: float) -> float:
        """Bill what was ordered, which closes the order; when that was."""
        random = self._market.random("bill", number)
        created = ordered + random.uniform(0.1, 0.9) * min(20 * DAY, self._market.latest - ordered)
        bill = self._purchase(number, vendor, pacific(created)[:10])
        bill |= {name: data[name] for name in ("Line", "TotalAmt")}
        bill["LinkedTxn"] = [{"TxnId": str(order), "TxnType": "PurchaseOrder"}]
        self._put_bill(number, vendor, bill, created, random)
        data["LinkedTxn"] = [{"TxnId": str(number), "TxnType": "Bill"}]
        data["POStatus"] = "Closed"
        return created

    def _put_bill(
        self, number: int, vendor: int, data: Data, created: float, random: Random
    ) -> None:
        id = random.choice(list(TERMS))
        due = date.fromisoformat(data["TxnDate"]) + timedelta(days=TERMS[id][1])
        data |= {"SalesTermRef": {"value": id}, "DueDate": due.isoformat()}
        total = Decimal(data["TotalAmt"])
        left = part_of(total, random.choice((0, 0, 0, Decimal("0.5"), 1, 1)))
        data["Balance"] = money(left)
        data.setdefault("LinkedTxn", [])
        self.owed[vendor] += left
        if random.random() < 0.1:
            place = random.choice(list(DEPARTMENTS))
            data["DepartmentRef"] = {"value": place, "name": DEPARTMENTS[place]}
        changed = self._pay(number, vendor, data, total - left, created, random)
        data |= at_home(data, HomeBalance="Balance")
        row = identity(str(number), int(changed > created), created, changed)
        self._company.load("Bill", [data | row])

    def _pay(
        self, bill: int, vendor: int, data: Data, amount: Decimal, billed: float, random: Random
    ) -> float:
        """Pay part of a bill, or nothing; when that was."""
        if not amount:
            return billed
        self._paid += 1
        paid = min(billed + random.uniform(1, 40) * DAY, self._market.latest)
        day = pacific(paid)[:10]
        linked = [{"TxnId": str(bill), "TxnType": "Bill"}]
        payment = {
            "VendorRef": data["VendorRef"],
            "PayType": "Check",
            "CheckPayment": {"BankAccountRef": CHECKING, "PrintStatus": "NeedToPrint"},
            "TotalAmt": money(amount),
            "DocNumber": str(self._paid),
            "TxnDate": day,
            **exchanged(self._vendors.currency(vendor), day),
            "Line": [{"Amount": money(amount), "LinkedTxn": linked}],
        }
        self._company.load("BillPayment", [payment | identity(str(self._paid), 0, paid)])
        data["LinkedTxn"].append({"TxnId": str(self._paid), "TxnType": "BillPaymentCheck"})
        return paid

    def _vendor(self, random: Random) -> int:
        while True:
            number = random.randint(1, self._vendors.count)
            if self._vendors.active(number):
                return number

    def _purchase(self, number: int, vendor: int, day: str) -> Data:
        return {
            "DocNumber": str(5000 + number),
            "TxnDate": day,
            "VendorRef": {"value": str(vendor), "name": self._vendors.name(vendor)},
            "APAccountRef": PAYABLE,
            **exchanged(self._vendors.currency(vendor), day),
        }

    def _ordered(self, vendor: int, day: str, random: Random) -> list[Data]:
        chosen = random.sample(self._goods, min(len(self._goods), random.randint(1, 4)))
        lines = []
        for item in chosen:
            quantity = random.randint(1, 20)
            price = priced(Decimal(item["PurchaseCost"]), self._vendors.currency(vendor), day)
            detail = {
                "ItemRef": {"value": item["Id"], "name": item["FullyQualifiedName"]},
                "UnitPrice": plain(price),
                "Qty": quantity,
                "TaxCodeRef": {"value": "NON"},
                **self._on_account_of(random),
            }
            kind = "ItemBasedExpenseLineDetail"
            lines.append({"Amount": money(price * quantity), "DetailType": kind, kind: detail})
        return lines

    def _expenses(self, vendor: int, day: str, random: Random) -> list[Data]:
        lines = []
        for account in random.sample((UTILITIES, SUPPLIES), random.randint(1, 2)):
            dollars = Decimal(random.randint(1000, 90_000)) / 100
            amount = priced(dollars, self._vendors.currency(vendor), day)
            detail = {
                "AccountRef": account,
                "TaxCodeRef": {"value": "NON"},
                **self._on_account_of(random),
            }
            kind = "AccountBasedExpenseLineDetail"
            lines.append({"Amount": money(amount), "DetailType": kind, kind: detail})
        return lines

    def _on_account_of(self, random: Random) -> Data:
        """Some of it was bought for a customer."""
        if not self._market.size or random.random() > 0.2:
            return {"BillableStatus": "NotBillable"}
        customer = self._market.buyer(random)
        whom = {"value": str(customer.number), "name": customer.name}
        return {"BillableStatus": "Billable", "CustomerRef": whom}


def _total(lines: list[Data]) -> Data:
    """Number the lines and add them up."""
    numbered = [{"Id": str(place), "LineNum": place, **line} for place, line in enumerate(lines, 1)]
    total = sum((Decimal(line["Amount"]) for line in lines), Decimal(0))
    return {"Line": numbered, "TotalAmt": money(total)}
