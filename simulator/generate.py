"""Makes a plausible company, the same for the same seed; its dates count back from `as_of`."""

from datetime import UTC, datetime, time
from random import Random

from simulator.clock import DAY, PACIFIC, pacific
from simulator.company import Company
from simulator.customers import Customers
from simulator.invoices import Invoices
from simulator.items import Items
from simulator.plausible import ASSET, DOLLAR, EXPENSE, INCOME, TERMS
from simulator.rows import Data
from simulator.settings import Settings


def generated(settings: Settings) -> Company:
    """The company the settings describe."""
    company = Company()
    day = settings.as_of or datetime.now(UTC).date()
    now = datetime.combine(day, time.min, PACIFIC).timestamp()
    items = Items(settings.seed, settings.items, now)
    customers = Customers(settings.seed, now)
    invoices = Invoices(settings.seed, settings.invoices if settings.customers else 0, now)
    company.load("Item", items.rows)
    company.load("Invoice", invoices.rows(customers, settings.customers, items.sold))
    owed = (invoices.owed, invoices.owed_with_jobs)
    numbers = range(1, settings.customers + 1)
    company.load("Customer", (customers.row(number, *owed) for number in numbers))
    company.load("Account", _accounts(now))
    company.load("Term", _terms(now))
    company.load("CompanyInfo", [company_info(now)])
    for entity in ("Item", "Customer", "Invoice"):
        _delete_some(company, entity, settings.seed, now)
    return company


def _delete_some(company: Company, entity: str, seed: int, now: float) -> None:
    """Rows that are no more: only change data capture knows them; their ids follow the last."""
    table, random = company.table(entity), Random(f"{seed} deleted {entity}")
    count = len(table.rows)
    gone = count // 100 or int(count >= 20)
    for number in range(count + 1, count + 1 + gone):
        table.deleted[str(number)] = int(now - random.uniform(3, 25) * DAY)


def _listed(id: str, now: float, fields: Data) -> Data:
    made = pacific(now - 1900 * DAY)
    times = {"CreateTime": made, "LastUpdatedTime": made}
    return {
        **fields,
        "domain": "QBO",
        "sparse": False,
        "Id": id,
        "SyncToken": "0",
        "MetaData": times,
    }


def _accounts(now: float) -> list[Data]:
    """The ledger accounts that items refer to."""
    kinds = [
        (INCOME["Service"], "Revenue", "Income", "ServiceFeeIncome"),
        (INCOME["goods"], "Revenue", "Income", "SalesOfProductIncome"),
        (EXPENSE, "Expense", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
        (ASSET, "Asset", "Other Current Asset", "Inventory"),
    ]
    return [_account(reference, now, *kind) for reference, *kind in kinds]


def _account(
    reference: dict[str, str], now: float, classification: str, type: str, subtype: str
) -> Data:
    fields = {
        "Name": reference["name"],
        "SubAccount": False,
        "FullyQualifiedName": reference["name"],
        "Active": True,
        "Classification": classification,
        "AccountType": type,
        "AccountSubType": subtype,
        "CurrentBalance": 0,
        "CurrentBalanceWithSubAccounts": 0,
        "CurrencyRef": DOLLAR,
    }
    return _listed(reference["value"], now, fields)


def _terms(now: float) -> list[Data]:
    return [
        _listed(id, now, {"Name": name, "Active": True, "Type": "STANDARD", "DueDays": days})
        for id, (name, days) in TERMS.items()
    ]


def company_info(now: float) -> Data:
    """What a company says about itself."""
    where = {
        "Id": "1",
        "Line1": "2500 Garden Way",
        "City": "Mountain View",
        "Country": "USA",
        "CountrySubDivisionCode": "CA",
        "PostalCode": "94043",
    }
    fields = {
        "CompanyName": "Sample Landscaping & Garden",
        "LegalName": "Sample Landscaping & Garden",
        "CompanyAddr": where,
        "CustomerCommunicationAddr": where,
        "LegalAddr": where,
        "PrimaryPhone": {"FreeFormNumber": "(650) 555-0100"},
        "CompanyStartDate": pacific(now - 1900 * DAY)[:10],
        "FiscalYearStartMonth": "January",
        "Country": "US",
        "Email": {"Address": "office@example.com"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"}],
    }
    return _listed("1", now, fields)
