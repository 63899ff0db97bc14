"""The short lists of a sample company: ledger accounts, terms, taxes, classes and such."""

from simulator.basics import (
    ASSET,
    CHECKING,
    DISCOUNTS,
    EXPENSE,
    INCOME,
    PAYABLE,
    TAX_CODE,
    TAX_PERCENT,
    TAX_RATE,
    TERMS,
    UNDEPOSITED,
    identity,
)
from simulator.clock import DAY, pacific
from simulator.company import DELETED_SUFFIX, Company
from simulator.currencies import DOLLAR, FOREIGN
from simulator.rows import Data

_AGE = 1900 * DAY
_LONG = 5_000_000_000_000_000_000
"""Some lists have ids of 19 digits, beyond what a float holds."""

PAYMENT_METHODS = {"1": "Cash", "2": "Check", "3": "Visa", "4": "MasterCard", "5": "Bank Transfer"}
CARDS = ("3", "4")
DEPARTMENTS = {"1": "Main Street", "2": "Nursery", "3": "Workshop"}
CLASSES = {
    str(_LONG + 7280): "Residential",
    str(_LONG + 7281): "Commercial",
    str(_LONG + 7282): "Public Works",
}
_CLASSES_BELOW = {
    str(_LONG + 7283): (str(_LONG + 7280), "Gardens"),
    str(_LONG + 7284): (str(_LONG + 7281), "Retail Parks"),
}
CUSTOMER_TYPES = {
    str(_LONG + 3466): "Retail",
    str(_LONG + 3467): "Wholesale",
    str(_LONG + 3468): "Government",
    str(_LONG + 3469): "Referral",
}
UTILITIES = {"value": "76", "name": "Utilities"}
SUPPLIES = {"value": "20", "name": "Supplies"}


def load_lists(company: Company, now: float) -> None:
    """Fill the lists, the same in every sample company."""
    company.load("Account", _accounts(now))
    company.load("Term", _terms(now))
    company.load("PaymentMethod", _payment_methods(now))
    company.load("Class", _classes(now))
    company.load("Department", _departments(now))
    company.load("CustomerType", _customer_types(now))
    company.load("TaxCode", _tax_codes(now))
    company.load("TaxRate", [_tax_rate(now)])
    company.load("TaxAgency", [_tax_agency(now)])
    company.load("CompanyCurrency", _currencies(now))


def _listed(id: str, now: float, fields: Data) -> Data:
    return {**fields, **identity(id, 0, now - _AGE)}


def _named(id: str, now: float, name: str, **more: object) -> Data:
    return _listed(id, now, {"Name": name, "FullyQualifiedName": name, **more, "Active": True})


def _inactive(data: Data) -> Data:
    marked = {name: data[name] + DELETED_SUFFIX for name in ("Name", "FullyQualifiedName")}
    return data | marked | {"Active": False, "SyncToken": "1"}


def _accounts(now: float) -> list[Data]:
    """The ledger accounts that other rows refer to."""
    kinds = [
        (INCOME["Service"], "Revenue", "Income", "ServiceFeeIncome"),
        (INCOME["goods"], "Revenue", "Income", "SalesOfProductIncome"),
        (EXPENSE, "Expense", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
        (ASSET, "Asset", "Other Current Asset", "Inventory"),
        (DISCOUNTS, "Revenue", "Income", "DiscountsRefundsGiven"),
        (UNDEPOSITED, "Asset", "Other Current Asset", "UndepositedFunds"),
        (PAYABLE, "Liability", "Accounts Payable", "AccountsPayable"),
        (CHECKING, "Asset", "Bank", "Checking"),
        (UTILITIES, "Expense", "Expense", "Utilities"),
        (SUPPLIES, "Expense", "Expense", "SuppliesMaterials"),
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
        "CurrencyRef": DOLLAR.reference,
    }
    return _listed(reference["value"], now, fields)


def _terms(now: float) -> list[Data]:
    return [
        _listed(id, now, {"Name": name, "Active": True, "Type": "STANDARD", "DueDays": days})
        for id, (name, days) in TERMS.items()
    ]


def _payment_methods(now: float) -> list[Data]:
    return [
        _listed(
            id,
            now,
            {
                "Name": name,
                "Active": True,
                "Type": "CREDIT_CARD" if id in CARDS else "NON_CREDIT_CARD",
            },
        )
        for id, name in PAYMENT_METHODS.items()
    ]


def _classes(now: float) -> list[Data]:
    rows = [_named(id, now, name, SubClass=False) for id, name in CLASSES.items()]
    for id, (above, name) in _CLASSES_BELOW.items():
        full = f"{CLASSES[above]}:{name}"
        parent = {"value": above, "name": CLASSES[above]}
        row = _named(id, now, name, SubClass=True, ParentRef=parent)
        rows.append(row | {"FullyQualifiedName": full})
    return [*rows, _inactive(_named("9", now, "Test", SubClass=False))]


def _departments(now: float) -> list[Data]:
    rows = [_named(id, now, name, SubDepartment=False) for id, name in DEPARTMENTS.items()]
    return [*rows, _inactive(_named("4", now, "Old Yard", SubDepartment=False))]


def _customer_types(now: float) -> list[Data]:
    return [_listed(id, now, {"Name": name, "Active": True}) for id, name in CUSTOMER_TYPES.items()]


def _tax_codes(now: float) -> list[Data]:
    """`TAX` and `NON` on a line are no rows of this list."""
    detail = {
        "TaxTypeApplicable": "TaxOnAmount",
        "TaxRateRef": {"value": TAX_RATE, "name": "California"},
        "TaxOrder": 0,
    }
    codes: tuple[tuple[str, str, Data], ...] = (
        (TAX_CODE, "California", {"TaxRateDetail": [detail]}),
        ("4", "Out of scope", {}),
    )
    return [
        _listed(
            id,
            now,
            {
                "Name": name,
                "Description": name,
                "Active": True,
                "Taxable": bool(rates),
                "TaxGroup": True,
                "SalesTaxRateList": rates,
                "PurchaseTaxRateList": {"TaxRateDetail": []},
            },
        )
        for id, name, rates in codes
    ]


def _tax_rate(now: float) -> Data:
    fields = {
        "Name": "California",
        "Description": "Sales Tax",
        "Active": True,
        "RateValue": TAX_PERCENT,
        "AgencyRef": {"value": "1"},
        "SpecialTaxType": "NONE",
        "DisplayType": "ReadOnly",
    }
    return _listed(TAX_RATE, now, fields)


def _tax_agency(now: float) -> Data:
    fields = {
        "DisplayName": "California Department of Tax and Fee Administration",
        "TaxTrackedOnPurchases": False,
        "TaxTrackedOnSales": True,
    }
    return _listed("1", now, fields)


def _currencies(now: float) -> list[Data]:
    return [
        _listed(str(number), now, {"Code": currency.code, "Name": currency.name, "Active": True})
        for number, currency in enumerate(FOREIGN, 1)
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
        "CompanyStartDate": pacific(now - _AGE)[:10],
        "FiscalYearStartMonth": "January",
        "Country": "US",
        "Email": {"Address": "office@example.com"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"}],
    }
    return _listed("1", now, fields)
