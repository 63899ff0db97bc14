"""What QuickBooks lets be queried: entities, their properties, and which of them filter or sort.

From Intuit's entity pages, in short form: `kind` of the value, then `*` where it sorts, `-` where
the property exists but cannot be queried.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """A property as the query language sees it."""

    name: str
    kind: str
    filterable: bool
    sortable: bool


@dataclass(frozen=True)
class Entity:
    """A record type; a name list hides its inactive rows and comes sorted by name."""

    name: str
    properties: dict[str, Property]
    name_list: bool
    hides_inactive: bool
    counts_its_pages: bool
    in_cdc: bool

    def property(self, name: str) -> Property | None:
        """The property of that name in any case, or None."""
        return self.properties.get(name.lower())


_COMMON = (
    "Id:id* MetaData.CreateTime:time* MetaData.LastUpdatedTime:time* SyncToken:text- domain:text- "
    "sparse:bool-"
)
_PERSON = (
    "DisplayName:text* FullyQualifiedName:text* CompanyName:text* GivenName:text MiddleName:text "
    "FamilyName:text PrintOnCheckName:text* Active:bool* Balance:number* Title:text- Suffix:text- "
    "PrimaryPhone:complex- AlternatePhone:complex- Mobile:complex- Fax:complex- WebAddr:complex- "
    "BillAddr:complex- CurrencyRef:ref-"
)
_LIST = "Name:text* Active:bool* FullyQualifiedName:text*"
_SALE = (
    "DocNumber:text* TxnDate:date* CustomerRef:ref DepartmentRef:ref- CurrencyRef:ref- "
    "Line:complex- PrivateNote:text- CustomField:complex- LinkedTxn:complex- "
    "TxnTaxDetail:complex- BillAddr:complex- ShipAddr:complex- BillEmail:complex- "
    "EmailStatus:text- PrintStatus:text- CustomerMemo:complex- ExchangeRate:number- "
    "ApplyTaxAfterDiscount:bool- TxnStatus:text- HomeTotalAmt:number- HomeBalance:number- "
    "FreeFormAddress:bool- DeliveryInfo:complex-"
)
_PAID = "PaymentMethodRef:ref- PaymentRefNum:text- DepositToAccountRef:ref-"

_PROPERTIES = {
    "Customer": (
        f"{_PERSON} "
        "PrimaryEmailAddr:email Job:bool- Level:number- ParentRef:ref- CustomerTypeRef:ref- "
        "Notes:text- BalanceWithJobs:number- BillWithParent:bool- ShipAddr:complex- Taxable:bool- "
        "SalesTermRef:ref- PaymentMethodRef:ref- PreferredDeliveryMethod:text- "
        "DefaultTaxCodeRef:ref- ResaleNum:text- ARAccountRef:ref- RootCustomerRef:ref- "
        "IsProject:bool- Source:text- PrimaryTaxIdentifier:text-"
    ),
    "Vendor": (f"{_PERSON} PrimaryEmailAddr:email- AcctNum:text- Vendor1099:bool- TermRef:ref-"),
    "Employee": (
        "DisplayName:text* GivenName:text FamilyName:text PrintOnCheckName:text* Active:bool* "
        "MiddleName:text- PrimaryPhone:complex- PrimaryAddr:complex- SSN:text- BirthDate:date- "
        "PrimaryEmailAddr:email- HiredDate:date- BillableTime:bool-"
    ),
    "Item": (
        "Name:text* Type:text* Active:bool Taxable:bool FullyQualifiedName:text SubItem:bool "
        "Sku:text UnitPrice:number* PurchaseCost:number* Description:text- PurchaseDesc:text- "
        "QtyOnHand:number- TrackQtyOnHand:bool- InvStartDate:date- ReorderPoint:number- "
        "SalesTaxCodeRef:ref- ParentRef:ref- Level:number- IncomeAccountRef:ref- "
        "ExpenseAccountRef:ref- AssetAccountRef:ref- PrefVendorRef:ref- ItemGroupDetail:complex- "
        "PrintGroupedItems:bool-"
    ),
    "Account": (
        f"{_LIST} "
        "AccountType:text* AccountSubType:text Classification:text* SubAccount:bool "
        "CurrentBalance:number* CurrentBalanceWithSubAccounts:number- CurrencyRef:ref- "
        "ParentRef:ref- AcctNum:text-"
    ),
    "Invoice": (
        f"{_SALE} "
        "DueDate:date* Balance:number* TotalAmt:number* SalesTermRef:ref ProjectRef:ref "
        "ShipDate:date- AllowIPNPayment:bool- AllowOnlinePayment:bool- "
        "AllowOnlineCreditCardPayment:bool- AllowOnlineACHPayment:bool-"
    ),
    "Estimate": (
        f"{_SALE} DueDate:date* ProjectRef:ref TotalAmt:number- ExpirationDate:date- "
        "AcceptedBy:text- AcceptedDate:date-"
    ),
    "SalesReceipt": (f"{_SALE} {_PAID} TotalAmt:number Balance:number*"),
    "CreditMemo": (f"{_SALE} TotalAmt:number Balance:number* RemainingCredit:number-"),
    "RefundReceipt": (f"{_SALE} {_PAID} TotalAmt:number"),
    "Payment": (
        "TxnDate:date* TotalAmt:number CustomerRef:ref PaymentMethodRef:ref PaymentRefNum:text "
        "UnappliedAmt:number- Line:complex- CurrencyRef:ref- DepositToAccountRef:ref- "
        "ProcessPayment:bool- ExchangeRate:number- PrivateNote:text-"
    ),
    "PurchaseOrder": (
        "DocNumber:text TxnDate:date DueDate:date POStatus:text- VendorRef:ref- Line:complex- "
        "APAccountRef:ref- CurrencyRef:ref- ExchangeRate:number- TotalAmt:number- "
        "CustomField:complex- LinkedTxn:complex- PrivateNote:text-"
    ),
    "Bill": (
        "DocNumber:text TxnDate:date DueDate:date VendorRef:ref APAccountRef:ref TotalAmt:number "
        "Balance:number Line:complex- CurrencyRef:ref- LinkedTxn:complex- SalesTermRef:ref- "
        "ExchangeRate:number- HomeBalance:number- DepartmentRef:ref- PrivateNote:text-"
    ),
    "BillPayment": (
        "DocNumber:text TxnDate:date VendorRef:ref TotalAmt:number PayType:text- Line:complex- "
        "CheckPayment:complex- CurrencyRef:ref- ExchangeRate:number-"
    ),
    "Purchase": ("DocNumber:text TxnDate:date TotalAmt:number Line:complex-"),
    "JournalEntry": ("DocNumber:text TxnDate:date Line:complex-"),
    "TimeActivity": ("TxnDate:date"),
    "Deposit": ("TxnDate:date TotalAmt:number"),
    "Transfer": ("TxnDate:date"),
    "VendorCredit": ("DocNumber:text TxnDate:date TotalAmt:number"),
    "Term": (f"{_LIST} DueDays:number- Type:text-"),
    "PaymentMethod": (f"{_LIST} Type:text-"),
    "Class": (f"{_LIST} SubClass:bool- ParentRef:ref-"),
    "Department": (f"{_LIST} SubDepartment:bool- ParentRef:ref-"),
    "TaxCode": (
        f"{_LIST} Description:text- Taxable:bool- TaxGroup:bool- SalesTaxRateList:complex- "
        "PurchaseTaxRateList:complex-"
    ),
    "TaxRate": (
        f"{_LIST} Description:text- RateValue:number- AgencyRef:ref- SpecialTaxType:text- "
        "DisplayType:text-"
    ),
    "TaxAgency": ("DisplayName:text* TaxTrackedOnSales:bool- TaxTrackedOnPurchases:bool-"),
    "CustomerType": ("Name:text* Active:bool-"),
    "Budget": ("Name:text* Active:bool*"),
    "CompanyCurrency": ("Name:text* Active:bool* Code:text-"),
    "CompanyInfo": (
        "CompanyName:text- LegalName:text- CompanyStartDate:date- FiscalYearStartMonth:text- "
        "Country:text- SupportedLanguages:text- CompanyAddr:complex- LegalAddr:complex- "
        "CustomerCommunicationAddr:complex- PrimaryPhone:complex- Email:complex- "
        "WebAddr:complex- NameValue:complex-"
    ),
    "Preferences": "",
}

_NAME_LISTS = frozenset(
    {
        *("Customer", "Vendor", "Employee", "Item", "Account", "Term", "PaymentMethod", "Class"),
        *("Department", "TaxCode", "TaxRate", "TaxAgency", "CustomerType", "Budget"),
        *("CompanyCurrency", "CompanyInfo", "Preferences"),
    }
)
_ALWAYS_SHOWN = {"CustomerType", "TaxAgency", "CompanyInfo", "Preferences", "CompanyCurrency"}
_NEVER_COUNTED = {"Customer", "Vendor", "Item", "Account", "Employee"}
_NOT_IN_CDC = {"JournalCode", "TaxAgency", "TimeActivity", "TaxCode", "TaxRate"}
_THOUGHT_NOT_IN_CDC = {"CustomerType", "CompanyInfo", "Preferences"}


def _property(text: str) -> Property:
    name, kind = text.split(":")
    return Property(name, kind.strip("*-"), not kind.endswith("-"), kind.endswith("*"))


def _entity(name: str, properties: str) -> Entity:
    listed = [_property(text) for text in f"{_COMMON} {properties}".split()]
    return Entity(
        name=name,
        properties={each.name.lower(): each for each in listed},
        name_list=name in _NAME_LISTS,
        hides_inactive=name in _NAME_LISTS and name not in _ALWAYS_SHOWN,
        counts_its_pages=name not in _NEVER_COUNTED,
        in_cdc=name not in _NOT_IN_CDC | _THOUGHT_NOT_IN_CDC,
    )


ENTITIES = {name: _entity(name, properties) for name, properties in _PROPERTIES.items()}
_BY_ANY_CASE = {name.lower(): entity for name, entity in ENTITIES.items()}


def entity(name: str) -> Entity | None:
    """The entity of that name in any case, or None."""
    return _BY_ANY_CASE.get(name.lower())
