"""Sample credit memos: what was taken back of an invoice, or is to the customer's credit."""

from decimal import Decimal

from simulator.basics import identity, money
from simulator.clock import DAY, pacific
from simulator.company import Company
from simulator.currencies import at_home
from simulator.customers import Sketch
from simulator.market import Market, Receivable, Spread
from simulator.rows import Data
from simulator.sold import sale, taken_back

_SOON = 20 * DAY


class CreditMemos:
    """So many credit memos of a market, put into a company as they come up."""

    def __init__(
        self, company: Company, market: Market, receivable: Receivable, count: int, invoices: int
    ) -> None:
        self._company = company
        self._market = market
        self._receivable = receivable
        self._spread = Spread(count, count, invoices)

    def due(self, number: int, invoice: Data) -> bool:
        """Whether something of this invoice is taken back."""
        return self._spread.due(number) and bool(invoice["TotalAmt"])

    def of(
        self, invoice: Data, customer: Sketch, within: tuple[float, float], up_to: Decimal
    ) -> tuple[str, Decimal]:
        """Take the first line back; the memo's id, and how much of it pays for the invoice."""
        number = self._spread.take()
        random = self._market.random("credit memo", number)
        since, until = within
        created = since + random.uniform(0.1, 0.9) * min(until - since, _SOON)
        data = taken_back(number, invoice, customer, pacific(created)[:10], random)
        applied = min(up_to, Decimal(data["TotalAmt"]))
        self._put(number, customer, data, applied, (created, until if applied else created))
        return str(number), applied

    def put_the_rest(self) -> None:
        """Those that belong to no invoice."""
        for place, number in enumerate(self._spread.left, 1):
            random = self._market.random("credit memo", number)
            created = self._market.moment(place, len(self._spread.left))
            customer = self._market.buyer(random)
            data = sale(number, customer, self._market.sold, pacific(created)[:10], random)
            self._put(number, customer, data, Decimal(0), (created, created))

    def _put(
        self,
        number: int,
        customer: Sketch,
        data: Data,
        applied: Decimal,
        times: tuple[float, float],
    ) -> None:
        left = Decimal(data["TotalAmt"]) - applied
        self._receivable.owe(customer, -left)
        data |= {"Balance": money(left), "RemainingCredit": money(left)}
        data |= at_home(data, HomeTotalAmt="TotalAmt", HomeBalance="Balance")
        data |= identity(str(number), int(applied > 0), *times)
        self._company.load("CreditMemo", [data])
