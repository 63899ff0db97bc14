"""The modules of a company, as the pages show them."""

from typing import Any

from psycopg import Connection

from quickbooks_crm import in_force, mapping
from quickbooks_crm.companies import Company
from quickbooks_crm.mapping import Mapping


def taken(connection: Connection[Any], company: Company) -> dict[str, Mapping]:
    """The mappings in force of the modules that a company takes, in load order. Raises
    `SettingsError` when one cannot be read."""
    known = in_force.of(connection, company).mappings
    order = mapping.load_order(known)
    return {m: known[m] for m in order if company.takes(m, known[m].by_name)}
