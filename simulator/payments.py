"""Sample payments: each pays an invoice or several of one customer, some with a credit memo."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from simulator.basics import UNDEPOSITED, identity, money
from simulator.clock import DAY, pacific
from simulator.currencies import exchanged
from simulator.customers import Sketch
from simulator.lists import PAYMENT_METHODS
from simulator.market import Market, Receivable
from simulator.rows import Data

_TOGETHER = 0.25
"""So many payments wait a quarter of a year for further invoices of the customer."""
_TOO_MUCH = 0.04


@dataclass(slots=True)
class Payment:
    """One payment while what it pays is being gathered: kind, id and amount of each document."""

    number: int
    customer: int
    at: float
    unapplied: int
    lines: list[tuple[str, str, Decimal]] = field(default_factory=list)


class Payments:
    """The payments that the invoices of a market call for."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._all: list[Payment] = []
        self._gathering: dict[int, Payment] = {}

    def covering(self, customer: Sketch, since: float, random: Random) -> Payment:
        """A payment of the customer's made after a moment: one that pays others too, or a new."""
        known = self._gathering.get(customer.number)
        if known and known.at > since:
            return known
        gathers = random.random() < _TOGETHER
        wait = random.uniform(60, 200) if gathers else random.uniform(0.5, 60)
        at = min(since + wait * DAY, self._market.latest)
        unapplied = random.randint(5, 80) if random.random() < _TOO_MUCH else 0
        payment = Payment(len(self._all) + 1, customer.number, at, unapplied)
        self._all.append(payment)
        if gathers:
            self._gathering[customer.number] = payment
        return payment

    def rows(self, receivable: Receivable) -> Iterator[Data]:
        """The records; complete when the invoices are."""
        for payment in self._all:
            customer = self._market.customers.sketch(payment.customer)
            receivable.owe(customer, Decimal(-payment.unapplied))
            yield self._row(payment, customer)

    def _row(self, payment: Payment, customer: Sketch) -> Data:
        day = pacific(payment.at)[:10]
        total = sum(
            (-amount if kind == "CreditMemo" else amount for kind, _, amount in payment.lines),
            Decimal(payment.unapplied),
        )
        method = str(payment.number % len(PAYMENT_METHODS) + 1)
        data = {
            "CustomerRef": {"value": str(customer.number), "name": customer.name},
            "DepositToAccountRef": {"value": UNDEPOSITED["value"]},
            "TotalAmt": money(total),
            "UnappliedAmt": payment.unapplied,
            "ProcessPayment": False,
            "TxnDate": day,
            **exchanged(customer.currency, day),
            "Line": [_line(*line) for line in payment.lines],
            **identity(str(payment.number), 0, payment.at),
        }
        if payment.number % 3:
            data["PaymentMethodRef"] = {"value": method, "name": PAYMENT_METHODS[method]}
        if method == "2":
            data["PaymentRefNum"] = str(2000 + payment.number)
        return data


def _line(kind: str, id: str, amount: Decimal) -> Data:
    linked = [{"TxnId": id, "TxnType": kind}]
    return {"Amount": money(amount), "LinkedTxn": linked, "LineEx": {"any": []}}
