"""Sample estimates: every second one has become an invoice with the same lines."""

from datetime import date, timedelta

from simulator.basics import identity
from simulator.clock import DAY, pacific
from simulator.company import Company
from simulator.currencies import at_home, exchanged
from simulator.customers import Sketch
from simulator.market import Market, Spread
from simulator.rows import Data
from simulator.sold import custom_field, sale

_FROM_INVOICE = (
    *("CustomerRef", "BillAddr", "ShipAddr", "BillEmail", "CustomerMemo"),
    *("Line", "TxnTaxDetail", "TotalAmt", "DepartmentRef"),
)


class Estimates:
    """So many estimates of a market, put into a company as they come up."""

    def __init__(self, company: Company, market: Market, count: int, invoices: int) -> None:
        self._company = company
        self._market = market
        self._spread = Spread(count, (count + 1) // 2, invoices)

    def before(self, number: int, invoice: Data, customer: Sketch, created: float) -> str | None:
        """The id of the estimate that this invoice was made from, if there is one."""
        if not self._spread.due(number):
            return None
        own = self._spread.take()
        random = self._market.random("estimate", own)
        written = created - random.uniform(1, 20) * DAY
        day = pacific(written)[:10]
        data = exchanged(customer.currency, day) | {"CustomField": custom_field(random)}
        data |= {name: invoice[name] for name in _FROM_INVOICE if name in invoice}
        data |= {"DocNumber": str(1000 + own), "TxnDate": day}
        data |= {"ApplyTaxAfterDiscount": False, "PrintStatus": "NeedToPrint"}
        data |= {"EmailStatus": "NotSet", "TxnStatus": "Closed"}
        data["LinkedTxn"] = [{"TxnId": str(number), "TxnType": "Invoice"}]
        if random.random() < 0.4:
            data |= {"AcceptedBy": "By phone", "AcceptedDate": pacific(created)[:10]}
        self._put(data, identity(str(own), 1, written, created))
        return str(own)

    def put_the_rest(self) -> None:
        """Those that have not become an invoice."""
        for place, number in enumerate(self._spread.left, 1):
            random = self._market.random("estimate", number)
            created = self._market.moment(place, len(self._spread.left))
            day, customer = pacific(created)[:10], self._market.buyer(random)
            data = sale(number, customer, self._market.sold, day, random)
            data["TxnStatus"] = random.choice(("Pending", "Pending", "Accepted", "Rejected"))
            data["LinkedTxn"] = []
            if random.random() < 0.15:
                data["Line"].append(_remark(data["Line"]))
            if random.random() < 0.5:
                until = date.fromisoformat(day) + timedelta(days=30)
                data["ExpirationDate"] = until.isoformat()
            self._put(data, identity(str(number), random.choice((0, 0, 1)), created))

    def _put(self, data: Data, identity: Data) -> None:
        home = at_home(data, HomeTotalAmt="TotalAmt")
        self._company.load("Estimate", [{"FreeFormAddress": True, **data, **home, **identity}])


def _remark(lines: list[Data]) -> Data:
    """A line that sells nothing."""
    place = len(lines)
    return {
        "Id": str(place),
        "LineNum": place,
        "Description": "Valid for thirty days. Weather permitting.",
        "DetailType": "DescriptionOnly",
        "DescriptionLineDetail": {},
    }
