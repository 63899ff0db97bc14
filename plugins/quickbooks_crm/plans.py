"""What Airflow shows of the companies, as far as their files can be read."""

from dataclasses import dataclass

from quickbooks_crm import companies, mapping
from quickbooks_crm.errors import SettingsError


@dataclass(frozen=True)
class Plan:
    """What Airflow shows of a company: its modules in load order, each with the table it fills, as
    far as its mapping can be read."""

    title: str
    schedule: str | None
    reconcile: str | None
    tables: dict[str, str | None]


def plans(only: str = "") -> dict[str, Plan]:
    """The plan of every company that has a file, or of one.

    Settings that are wrong do not raise here, or one company's mistake would stop all others: such
    a company's runs fail in check_settings, which says what is wrong.
    """
    try:
        known = mapping.load(companies.INCLUDE / "mappings")
        tables: dict[str, str | None] = {m: known[m].table for m in mapping.load_order(known)}
        by_name = {module for module in known if known[module].by_name}
    except SettingsError:
        files = (companies.INCLUDE / "mappings").glob("*.yaml")
        tables = dict.fromkeys(sorted(file.stem for file in files))
        by_name = set()
    names = companies.names(companies.INCLUDE / "companies")
    return {name: _plan(name, tables, by_name) for name in names if only in ("", name)}


def _plan(name: str, tables: dict[str, str | None], by_name: set[str]) -> Plan:
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
    except SettingsError:
        return Plan(name, "@hourly", companies.WEEKLY, tables)
    taken = {m: t for m, t in tables.items() if company.takes(m, m in by_name)}
    return Plan(company.title, company.schedule, company.reconcile, taken)
