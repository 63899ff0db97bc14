"""Voiding a transaction: it stays, and all its amounts are 0."""

from typing import Any

from simulator.company import Company
from simulator.entities import ENTITIES
from simulator.rows import Data

_AMOUNTS = (
    *("TotalAmt", "HomeTotalAmt", "Balance", "HomeBalance", "RemainingCredit", "UnappliedAmt"),
    *("Amount", "UnitPrice", "Qty", "TotalTax", "TaxAmount", "NetAmountTaxable"),
)


def void(company: Company, entity: str, id: str) -> Data:
    """The transaction as QuickBooks keeps it; raises KeyError, and ValueError for a name list."""
    if entity in ENTITIES and ENTITIES[entity].name_list:
        raise ValueError(f"{entity} cannot be voided: it is no transaction")
    with company.lock:
        fields = _emptied(company.row(entity, id))
        fields |= {"PrivateNote": "Voided", "LinkedTxn": [] if "LinkedTxn" in fields else None}
        return company.change(entity, id, fields, "Void")


def _emptied(value: Any) -> Any:
    """The same with 0 for every amount, on the lines too."""
    if isinstance(value, list):
        return [_emptied(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: 0 if name in _AMOUNTS else _emptied(each) for name, each in value.items()}
