"""The QuickBooks entities a CRM uses, and how each has to be asked for."""

from dataclasses import dataclass

from quickbooks_crm.errors import SettingsError


@dataclass(frozen=True)
class Entity:
    """How an entity behaves: whether queries leave its inactive rows out, whether CDC knows it,
    and whether there is only ever one row, which needs no paging."""

    name: str
    hides_inactive: bool = False
    cdc: bool = True
    only_one: bool = False

    @property
    def condition(self) -> str:
        """What a query must say to be told of every record."""
        return "Active IN (true, false)" if self.hides_inactive else ""


# TaxCode is excluded from CDC by Intuit's page; of CustomerType and CompanyInfo it is not known, so
# they are queried.
ENTITIES = {
    entity.name: entity
    for entity in (
        Entity("Customer", hides_inactive=True),
        Entity("Item", hides_inactive=True),
        Entity("Invoice"),
        Entity("Estimate"),
        Entity("SalesReceipt"),
        Entity("CreditMemo"),
        Entity("RefundReceipt"),
        Entity("Payment"),
        Entity("Vendor", hides_inactive=True),
        Entity("Employee", hides_inactive=True),
        Entity("Term", hides_inactive=True),
        Entity("PaymentMethod", hides_inactive=True),
        Entity("Class", hides_inactive=True),
        Entity("Department", hides_inactive=True),
        Entity("TaxCode", hides_inactive=True, cdc=False),
        Entity("CustomerType", cdc=False),
        Entity("CompanyInfo", cdc=False, only_one=True),
        Entity("PurchaseOrder"),
        Entity("Bill"),
    )
}


def known(name: str) -> Entity:
    """The entity of that name.

    Raises `SettingsError` for any other: entity names are written as QuickBooks does.
    """
    if name not in ENTITIES:
        raise SettingsError(
            f"'{name}' is not a QuickBooks entity we read. Known are: {', '.join(ENTITIES)}."
        )
    return ENTITIES[name]
