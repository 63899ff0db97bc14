"""Sample invoices that add up, and what comes before and after each: estimate, payment, credit."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from simulator.basics import identity, invoice_basics, money
from simulator.clock import DAY, pacific
from simulator.credit_memos import CreditMemos
from simulator.currencies import at_home, exchanged
from simulator.customers import Sketch
from simulator.estimates import Estimates
from simulator.market import Market, Receivable
from simulator.payments import Payments
from simulator.rows import Data
from simulator.sold import addressed, file_under, item_lines, part_of, term, totals


class Invoices:
    """The invoices of a market."""

    def __init__(
        self,
        market: Market,
        count: int,
        estimates: Estimates,
        credit_memos: CreditMemos,
        payments: Payments,
    ) -> None:
        self._market = market
        self._count = count
        self._estimates = estimates
        self._credit_memos = credit_memos
        self._payments = payments

    def rows(self, receivable: Receivable) -> Iterator[Data]:
        """The records, oldest first; what belongs to them is complete when all have been taken."""
        for number in range(1, self._count + 1):
            random = self._market.random("invoice", number)
            customer = self._market.buyer(random)
            data = self._row(number, customer, random)
            receivable.owe(customer, Decimal(data["Balance"]))
            yield data

    def _row(self, number: int, customer: Sketch, random: Random) -> Data:
        created = self._market.moment(number, self._count)
        versions = random.choice((0, 0, 1, 2))
        updated = created + (random.uniform(0, 3) * DAY if versions else 0)
        day = pacific(created)[:10]
        data = invoice_basics() | exchanged(customer.currency, day)
        data |= {"DocNumber": str(1000 + number), "TxnDate": day}
        data |= term(day, random) | addressed(number, customer, random)
        void = random.random() < 0.02
        lines = item_lines(customer, self._market.sold, random, day, void)
        percent_off = random.choice((5, 10)) if not void and random.random() < 0.06 else 0
        data |= totals(lines, percent_off)
        open_part = random.choice((0, 0, 0, 0, Decimal("0.5"), 1, 1, 1))
        data["Balance"] = money(part_of(Decimal(data["TotalAmt"]), open_part))
        file_under(data, random)
        if void:
            data["PrivateNote"] = "Voided"
        else:
            updated = max(updated, self._linked(number, customer, data, created, random))
        data |= at_home(data, HomeTotalAmt="TotalAmt", HomeBalance="Balance")
        versions = max(versions, int(updated > created))
        return data | identity(str(number), versions, created, min(updated, self._market.latest))

    def _linked(
        self, number: int, customer: Sketch, data: Data, created: float, random: Random
    ) -> float:
        """Say what the invoice was made from and what it was paid with; when that was."""
        paid = Decimal(data["TotalAmt"]) - Decimal(data["Balance"])
        payment = self._payments.covering(customer, created, random) if paid else None
        until = payment.at if payment else self._market.latest
        if self._credit_memos.due(number, data):
            memo, applied = self._credit_memos.of(data, customer, (created, until), paid)
            if payment:
                payment.lines.append(("CreditMemo", memo, applied))
        estimate = self._estimates.before(number, data, customer, created)
        if estimate:
            data["LinkedTxn"].append({"TxnId": estimate, "TxnType": "Estimate"})
        if payment:
            payment.lines.append(("Invoice", str(number), paid))
            data["LinkedTxn"].append({"TxnId": str(payment.number), "TxnType": "Payment"})
        return payment.at if payment else created
