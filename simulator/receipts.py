"""Sample sales receipts, paid on the spot, and the refunds of some of them."""

from decimal import Decimal
from random import Random

from simulator.basics import UNDEPOSITED, identity, money, plain
from simulator.clock import DAY, pacific
from simulator.company import Company
from simulator.currencies import at_home
from simulator.customers import Sketch
from simulator.lists import PAYMENT_METHODS
from simulator.market import Market, Spread
from simulator.rows import Data
from simulator.sold import sale, taken_back, totals


def put_receipts(company: Company, market: Market, count: int, refunds: int) -> None:
    """Put so many sales receipts into a company, and so many refunds, of receipts or of nothing."""
    spread = Spread(refunds, min(refunds, count), count)
    for number in range(1, count + 1):
        random = market.random("sales receipt", number)
        created, customer = market.moment(number, count), market.buyer(random)
        data = sale(number, customer, market.sold, pacific(created)[:10], random)
        if random.random() < 0.15:
            _ship(data, random)
        if data["TotalAmt"] and spread.due(number):
            _put_refund(company, market, spread.take(), data, customer, created)
        _put(company, "SalesReceipt", number, {**data, "Balance": 0}, created, random)
    for place, number in enumerate(spread.left, 1):
        random = market.random("refund", number)
        created, customer = market.moment(place, len(spread.left)), market.buyer(random)
        data = sale(number, customer, market.sold, pacific(created)[:10], random)
        _put(company, "RefundReceipt", number, data, created, random)


def _put_refund(
    company: Company, market: Market, number: int, receipt: Data, customer: Sketch, sold: float
) -> None:
    random = market.random("refund", number)
    created = sold + random.uniform(0.1, 0.9) * min(market.latest - sold, 20 * DAY)
    data = taken_back(number, receipt, customer, pacific(created)[:10], random)
    _put(company, "RefundReceipt", number, data, created, random)


def _put(
    company: Company, entity: str, number: int, data: Data, created: float, random: Random
) -> None:
    method = random.choice(list(PAYMENT_METHODS))
    data |= {"DepositToAccountRef": UNDEPOSITED}
    data["PaymentMethodRef"] = {"value": method, "name": PAYMENT_METHODS[method]}
    if method == "2":
        data["PaymentRefNum"] = str(3000 + number)
    amounts = {"HomeBalance": "Balance"} if "Balance" in data else {}
    data |= at_home(data, HomeTotalAmt="TotalAmt", **amounts)
    company.load(entity, [data | identity(str(number), 0, created)])


def _ship(data: Data, random: Random) -> None:
    """Add what sending it costs: a line whose item is a word, not an id."""
    items = [line for line in data["Line"] if line["DetailType"] == "SalesItemLineDetail"]
    price = Decimal(random.randint(8, 60)) / 2
    detail = {"ItemRef": {"value": "SHIPPING_ITEM_ID"}, "TaxCodeRef": {"value": "NON"}}
    shipping = {
        "Id": str(len(items) + 1),
        "LineNum": len(items) + 1,
        "Amount": money(price),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {**detail, "UnitPrice": plain(price), "Qty": 1},
    }
    data |= totals([*items, shipping], 0)
