"""What QuickBooks' fields are called by people, what they hold, and how long they may be.

One line a field: its path, what it holds (`text 100` is no longer than 100 characters, as Intuit's
API reference says; `money` is an amount in the record's currency), and its labels, the usual one
first. A field that is not here can be mapped all
the same; nothing is known of it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from quickbooks_crm.mapping.paths import Path

Kind = Literal["text", "number", "money", "yes_no", "day", "moment"]


@dataclass(frozen=True)
class KnownField:
    """A field of a QuickBooks entity; without a length it is unlimited, or not known."""

    path: Path
    kind: Kind
    length: int | None
    labels: tuple[str, ...]


_RECORD = """
Id | text | QuickBooks id, QuickBooks {entity} id, External id
MetaData.CreateTime | moment | Created in QuickBooks, Creation time
MetaData.LastUpdatedTime | moment | Changed in QuickBooks, Last modified
"""

_ACTIVE = """
Active | yes_no | Active, Is active
"""

_ADDRESS = """
{path}.Line1 | text 500 | {name} street, {name} address, {name} street 1
{path}.Line2 | text 500 | {name} street 2, {name} address 2, {name} address line 2
{path}.Line3 | text 500 | {name} street 3, {name} address 3, {name} address line 3
{path}.City | text 255 | {name} city, {name} town
{path}.CountrySubDivisionCode | text 255 | {name} state, {name} province, {name} region
{path}.PostalCode | text 31 | {name} postal code, {name} zip code
{path}.Country | text 255 | {name} country
"""

_PERSON = """
DisplayName | text 500 | Name, Display name, {entity} name
CompanyName | text 100 | Company name, Company, Registered name
Title | text 16 | Salutation, Title
GivenName | text 100 | First name, Given name
MiddleName | text 100 | Middle name
FamilyName | text 100 | Last name, Family name, Surname
Suffix | text 16 | Suffix
PrimaryPhone.FreeFormNumber | text 30 | Phone, Phone number, Telephone, Primary phone
AlternatePhone.FreeFormNumber | text 30 | Other phone, Alternate phone, Second phone
Mobile.FreeFormNumber | text 30 | Mobile, Mobile phone, Cell phone
Fax.FreeFormNumber | text 30 | Fax, Fax number
PrimaryEmailAddr.Address | text 100 | E-mail, Email, E-mail address, Email address
WebAddr.URI | text 1000 | Website, Web site, Web address, URL, Homepage
Balance | money | Open balance, Balance
CurrencyRef.value | text 3 | Currency, Currency code
PrintOnCheckName | text 110 | Name on checks
"""

_DOCUMENT = """
DocNumber | text 21 | Number, {entity} number, Document number, No.
TxnDate | day | Date, {entity} date, Transaction date
DueDate | day | Due date
TotalAmt | money | Total, Total amount, Amount
Balance | money | Open balance, Balance, Balance due
CurrencyRef.value | text 3 | Currency, Currency code
ExchangeRate | number | Exchange rate
CustomerRef.value | text | QuickBooks customer id, QuickBooks account id
CustomerRef.name | text 500 | Customer, Customer name
CustomerMemo.value | text 1000 | Message, Customer memo, Memo
PrivateNote | text 4000 | Notes, Private note
BillEmail.Address | text 100 | E-mail, Email, Billing e-mail
TxnTaxDetail.TotalTax | money | Tax, Total tax, Sales tax
"""

LINE = "Line"
"""What the lines of documents are known by, beside the entities."""

_FIELDS = {
    LINE: """
LineNum | number | Line number
Description | text 4000 | Description
Amount | money | Amount
DetailType | text | Type, Line type
SalesItemLineDetail.ItemRef.name | text | Product
SalesItemLineDetail.Qty | number | Quantity
SalesItemLineDetail.UnitPrice | money | Unit price, Price
SalesItemLineDetail.ServiceDate | day | Service date
SalesItemLineDetail.DiscountRate | number | Discount rate
SalesItemLineDetail.DiscountAmt | money | Discount
DescriptionLineDetail.ServiceDate | day | Service date
GroupLineDetail.Quantity | number | Quantity
DiscountLineDetail.PercentBased | yes_no | In percent
DiscountLineDetail.DiscountPercent | number | Discount in percent
""",
    "Customer": """
FullyQualifiedName | text | Full name
Notes | text 2000 | Notes, Description, Remarks
ResaleNum | text 16 | Tax number, Resale number, Tax id
Taxable | yes_no | Taxable
ParentRef.value | text | QuickBooks parent id
ParentRef.name | text | Parent, Parent {entity}
SalesTermRef.name | text 31 | Terms, Payment terms
PaymentMethodRef.name | text 31 | Payment method
CustomerTypeRef.name | text | Customer type
PreferredDeliveryMethod | text | Delivery method
Job | yes_no | Is a job
""",
    "Vendor": """
AcctNum | text 100 | Account number
TermRef.name | text 31 | Terms, Payment terms
Notes | text 2000 | Notes, Description, Remarks
""",
    "Employee": """
EmployeeNumber | text 100 | Employee number
HiredDate | day | Hired, Hire date
""",
    "Item": """
Name | text 100 | Name, {entity} name
Sku | text 100 | SKU, Code, {entity} code
Description | text 4000 | Description, Sales description
PurchaseDesc | text 1000 | Purchase description
Type | text | Type, {entity} type
UnitPrice | money | Price, Unit price, Sales price
PurchaseCost | money | Cost, Purchase cost
QtyOnHand | number | Quantity on hand, Stock
ReorderPoint | number | Reorder point
Taxable | yes_no | Taxable
ParentRef.value | text | QuickBooks category id
ParentRef.name | text | Category
FullyQualifiedName | text | Full name
""",
    "Invoice": """
ShipDate | day | Shipping date, Ship date
ShipMethodRef.name | text | Shipping method
TrackingNum | text 31 | Tracking number
SalesTermRef.name | text 31 | Terms, Payment terms
Deposit | money | Deposit
""",
    "Estimate": """
TxnStatus | text | Status, {entity} status
ExpirationDate | day | Expiration date, Valid until
AcceptedDate | day | Accepted on, Accepted date
AcceptedBy | text | Accepted by
""",
    "SalesReceipt": """
PaymentRefNum | text 21 | Reference number, Payment reference
PaymentMethodRef.name | text 31 | Payment method
""",
    "CreditMemo": """
RemainingCredit | money | Remaining credit
""",
    "RefundReceipt": """
PaymentMethodRef.name | text 31 | Payment method
""",
    "Payment": """
PaymentRefNum | text 21 | Reference number, Payment reference, Check number
PaymentMethodRef.name | text 31 | Payment method
UnappliedAmt | money | Unapplied amount
""",
    "Bill": """
VendorRef.value | text | QuickBooks vendor id
VendorRef.name | text 500 | Vendor, Vendor name
SalesTermRef.name | text 31 | Terms, Payment terms
""",
    "PurchaseOrder": """
POStatus | text | Status
VendorRef.value | text | QuickBooks vendor id
VendorRef.name | text 500 | Vendor, Vendor name
""",
    "Class": "\nName | text 100 | Name, Class name\nFullyQualifiedName | text | Full name\n",
    "CustomerType": "\nName | text | Name, Customer type\n",
    "Department": "\nName | text 100 | Name, Location\nFullyQualifiedName | text | Full name\n",
    "PaymentMethod": "\nName | text 31 | Name, Payment method\n",
    "TaxCode": "\nName | text 100 | Name, Tax code\nDescription | text | Description\n",
    "Term": "\nName | text 31 | Name, Terms\nDueDays | number | Due days\n",
}

_CALLED = {
    "Customer": ("customer", "account"),
    "Item": ("item", "product"),
    "Estimate": ("estimate", "quote"),
    "SalesReceipt": ("sales receipt", "receipt"),
    "CreditMemo": ("credit memo",),
    "RefundReceipt": ("refund receipt", "refund"),
    "PurchaseOrder": ("purchase order", "order"),
}
_PEOPLE = {"Customer", "Vendor", "Employee"}
_LISTS = {"Item", "Class", "CustomerType", "Department", "PaymentMethod", "TaxCode", "Term"}
_ADDRESSES = {
    "Customer": {"BillAddr": "Billing", "ShipAddr": "Shipping"},
    "Vendor": {"BillAddr": "Billing"},
    "Employee": {"PrimaryAddr": "Home"},
    "Invoice": {"BillAddr": "Billing", "ShipAddr": "Shipping"},
    "Estimate": {"BillAddr": "Billing", "ShipAddr": "Shipping"},
    "SalesReceipt": {"BillAddr": "Billing", "ShipAddr": "Shipping"},
}


_TAKEN_BY = {
    "number": {"numeric", "integer"},
    "money": {"numeric", "integer"},
    "yes_no": {"boolean"},
    "day": {"date"},
    "moment": {"timestamp"},
}


def can_become(kind: Kind, column: str) -> bool:
    """Whether a field of this kind can fill a column of that kind, as the catalog calls kinds; a
    text may hold anything."""
    return kind == "text" or column in ("text", "choice", "other") or column in _TAKEN_BY[kind]


@cache
def fields_of(entity: str) -> dict[Path, KnownField]:
    """The known fields of an entity, or of a `LINE`, by their paths, the most usual ones first."""
    own = _FIELDS.get(entity, "")
    text = _of_all(entity) + own if entity in _PEOPLE | _LISTS else own + _of_all(entity)
    for path, name in _ADDRESSES.get(entity, {}).items():
        text += _ADDRESS.format(path=path, name=name)
    fields: dict[Path, KnownField] = {}
    for line in filter(None, (text + _RECORD).splitlines()):
        field = _field(line, entity)
        fields.setdefault(field.path, field)
    return fields


def known_field(entity: str, path: Path) -> KnownField | None:
    """What is known of the field at a path of an entity, or of a `LINE`."""
    return fields_of(entity).get(path)


def _of_all(entity: str) -> str:
    if entity == LINE:
        return ""
    if entity in _PEOPLE:
        return _PERSON + _ACTIVE
    return _ACTIVE if entity in _LISTS else _DOCUMENT


def _field(line: str, entity: str) -> KnownField:
    path, holds, labels = (part.strip() for part in line.split("|"))
    kind, _, length = holds.partition(" ")
    nouns = _CALLED.get(entity, (entity.lower(),))
    names = [label.format(entity=noun) for label in labels.split(", ") for noun in nouns]
    longest = int(length) if length else None
    return KnownField(
        tuple(path.split(".")), cast(Kind, kind), longest, tuple(dict.fromkeys(names))
    )
