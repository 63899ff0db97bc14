"""Merging two customers or two vendors: one stays, and what referred to the other refers to it."""

from typing import Any

from simulator.company import Company
from simulator.rows import Data, Row, encode

_REFERENCES = {"Customer": ("CustomerRef",), "Vendor": ("VendorRef", "PrefVendorRef")}
_OWN_REFERENCES = ("ParentRef", "RootCustomerRef")


def merge(company: Company, entity: str, loser: str, survivor: str) -> Data:
    """The survivor; raises KeyError, and ValueError for what QuickBooks does not merge."""
    with company.lock:
        kept, gone = company.row(entity, survivor), company.row(entity, loser)
        _check(company, entity, loser, survivor)
        reference = {"value": survivor, "name": company.table(entity).rows[survivor].name}
        for table in company.tables:
            names = _REFERENCES[entity] + (_OWN_REFERENCES if table == entity else ())
            for row in _referring(company, table, loser):
                _repoint(company, table, row, names, loser, reference)
        sums = {
            field: kept.get(field, 0) + gone[field]
            for field in ("Balance", "BalanceWithJobs")
            if gone.get(field)
        }
        company.change(entity, loser, dict.fromkeys(sums, 0), operation="")
        company.inactivate(entity, loser, operation="")
        company.change(entity, survivor, sums, operation="")
        company.tell(entity, survivor, "Merge", lost=loser)
        return company.row(entity, survivor)


def _check(company: Company, entity: str, loser: str, survivor: str) -> None:
    if entity not in _REFERENCES:
        raise ValueError(f"{entity} cannot be merged, only {' and '.join(_REFERENCES)}")
    above = survivor
    while above:
        if above == loser:
            raise ValueError(f"{loser} cannot be merged into {survivor}, which is itself or below")
        above = company.row(entity, above).get("ParentRef", {}).get("value", "")


def _referring(company: Company, table: str, id: str) -> list[Row]:
    """Rows that may refer to the id: most are ruled out without decoding them."""
    wanted = b'"value":%s' % encode(id)
    return [row for row in company.table(table).rows.values() if wanted in row.raw]


def _repoint(
    company: Company, table: str, row: Row, names: tuple[str, ...], loser: str, reference: Data
) -> None:
    """Let a row refer to the survivor; those below it are as deep as under their old parent."""
    data = row.data
    fields = {
        name: new
        for name, value in data.items()
        if (new := _repointed(name, value, names, loser, reference)) != value
    }
    if "ParentRef" in fields and "Level" in data:
        above = company.row(table, reference["value"])
        fields["Level"] = above.get("Level", 0) + 1
    if fields:
        company.change(table, row.id, fields)


def _repointed(name: str, value: Any, names: tuple[str, ...], loser: str, reference: Data) -> Any:
    if isinstance(value, list):
        return [_repointed(name, each, names, loser, reference) for each in value]
    if not isinstance(value, dict):
        return value
    if name in names and value.get("value") == loser:
        return reference
    return {key: _repointed(key, each, names, loser, reference) for key, each in value.items()}
