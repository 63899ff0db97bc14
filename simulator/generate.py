"""Makes a plausible company, the same for the same seed; its dates count back from `as_of`."""

from datetime import UTC, datetime, time
from random import Random

from simulator.clock import DAY, PACIFIC
from simulator.company import Company
from simulator.credit_memos import CreditMemos
from simulator.customers import Customers
from simulator.estimates import Estimates
from simulator.invoices import Invoices
from simulator.items import Items
from simulator.lists import company_info, load_lists
from simulator.market import Market, Receivable
from simulator.payments import Payments
from simulator.people import Employees, Vendors
from simulator.purchases import Purchases
from simulator.receipts import put_receipts
from simulator.settings import Settings

_DELETED = (
    *("Item", "Customer", "Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt"),
    *("Payment", "PurchaseOrder", "Bill"),
)


def generated(settings: Settings) -> Company:
    """The company the settings describe."""
    company = Company()
    day = settings.as_of or datetime.now(UTC).date()
    now = datetime.combine(day, time.min, PACIFIC).timestamp()
    company.load("CompanyInfo", [company_info(now)])
    load_lists(company, now)
    items = Items(settings.seed, settings.items, now)
    company.load("Item", items.rows)
    company.load("Employee", Employees(settings.seed, settings.employees, now).rows())
    customers = Customers(settings.seed, now)
    market = Market(settings.seed, now, customers, settings.customers, items.sold)
    _load_sales(company, market, settings)
    _load_purchases(company, market, settings)
    for entity in _DELETED:
        _delete_some(company, entity, settings.seed, now)
    return company


def _load_sales(company: Company, market: Market, settings: Settings) -> None:
    """The customers, and what they were offered, sold, given back and have paid."""
    receivable = Receivable(market.customers)
    if market.size:
        count = settings.invoices
        estimates = Estimates(company, market, settings.estimates, count)
        memos = CreditMemos(company, market, receivable, settings.credit_memos, count)
        payments = Payments(market)
        invoices = Invoices(market, count, estimates, memos, payments)
        company.load("Invoice", invoices.rows(receivable))
        estimates.put_the_rest()
        memos.put_the_rest()
        company.load("Payment", payments.rows(receivable))
        put_receipts(company, market, settings.sales_receipts, settings.refund_receipts)
    owed = (receivable.alone, receivable.with_jobs)
    numbers = range(1, settings.customers + 1)
    company.load("Customer", (market.customers.row(number, *owed) for number in numbers))


def _load_purchases(company: Company, market: Market, settings: Settings) -> None:
    """The vendors, and what was ordered from them, billed and paid."""
    vendors = Vendors(settings.seed, settings.vendors, market.now)
    purchases = Purchases(company, market, vendors)
    if vendors.count:
        purchases.put(settings.purchase_orders, settings.bills)
    company.load("Vendor", vendors.rows(purchases.owed))


def _delete_some(company: Company, entity: str, seed: int, now: float) -> None:
    """Rows that are no more: only change data capture knows them; their ids follow the last."""
    table, random = company.table(entity), Random(f"{seed} deleted {entity}")
    count = len(table.rows)
    gone = count // 100 or int(count >= 20)
    for number in range(count + 1, count + 1 + gone):
        table.deleted[str(number)] = int(now - random.uniform(3, 25) * DAY)
