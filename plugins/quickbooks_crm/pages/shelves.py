"""The CRM records of a company's modules, as the pages about records reach them."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from fastapi import HTTPException
from psycopg import Connection

from quickbooks_crm import catalog, in_force, one_module, records
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.records import Shelf


def of_module(connection: Connection[Any], company: Company, module: str) -> Shelf:
    """The records of one module: 404 when the company does not take it. Raises `SettingsError` when
    its mapping or its table is not as it must be."""
    known = in_force.taken(connection, company)
    if module not in known:
        raise HTTPException(404)
    return _shelf(connection, company, known, module, _realm(connection, company))


def of_company(connection: Connection[Any], company: Company) -> dict[str, Shelf]:
    """Those of all modules whose tables are there, in load order."""
    known = in_force.taken(connection, company)
    with catalog.once(connection, known.values()):
        return dict(_there(connection, company, known))


def among_others(
    connection: Connection[Any], company: Company, module: str
) -> tuple[Shelf, dict[str, Shelf]]:
    """The records of one module, and those of all. Raises as `of_module` does."""
    found = of_company(connection, company)
    return found.get(module) or of_module(connection, company, module), found


def _there(
    connection: Connection[Any], company: Company, known: dict[str, Mapping]
) -> Iterator[tuple[str, Shelf]]:
    realm = _realm(connection, company)
    for module in known:
        with suppress(SettingsError):
            yield module, _shelf(connection, company, known, module, realm)


def _realm(connection: Connection[Any], company: Company) -> str:
    return records.realm(connection, company.name) or ""


def _shelf(
    connection: Connection[Any],
    company: Company,
    known: dict[str, Mapping],
    module: str,
    realm: str,
) -> Shelf:
    target = one_module.target(connection, known[module], company)
    sharing = tuple(name for name, other in known.items() if other.table == known[module].table)
    return Shelf(company.name, realm, target, sharing)
