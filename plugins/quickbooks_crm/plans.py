"""What Airflow shows of the companies, as far as their files can be read."""

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass

from quickbooks_crm import companies, mapping
from quickbooks_crm.errors import SettingsError


@dataclass(frozen=True)
class Plan:
    """What Airflow shows of a company: its modules in load order, each with the table it fills, as
    far as its mapping can be read, and after which others each loads."""

    title: str
    schedule: str | None
    reconcile: str | None
    tables: dict[str, str | None]
    after: dict[str, set[str]]


def plans(only: str = "") -> dict[str, Plan]:
    """The plan of every company that has a file, or of one.

    Settings that are wrong do not raise here, or one company's mistake would stop all others: such
    a company's runs fail in check_settings, which says what is wrong.
    """
    shared = _tables({})
    names = companies.names(companies.INCLUDE / "companies")
    return {name: _plan(name, shared) for name in names if only in ("", name)}


@dataclass(frozen=True)
class _Tables:
    """The modules in load order with their tables, after which others each loads, and those that
    companies have by name only."""

    of: dict[str, str | None]
    after: dict[str, set[str]]
    by_name: set[str]


def _tables(own: ReadOnly[str, str]) -> _Tables:
    """The modules as the files have them, whatever is stored: no database is asked while Airflow
    parses. Without order and tables when a mapping cannot be read."""
    try:
        known = mapping.load(companies.INCLUDE / "mappings", own)
        after = mapping.loads_after(known)
        tables: dict[str, str | None] = {module: known[module].table for module in after}
        return _Tables(tables, after, {module for module in known if known[module].by_name})
    except SettingsError:
        files = (companies.INCLUDE / "mappings").glob("*.yaml")
        return _Tables(dict.fromkeys(sorted({*(file.stem for file in files), *own})), {}, set())


def _plan(name: str, shared: _Tables) -> Plan:
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
    except SettingsError:
        return Plan(name, "@hourly", companies.WEEKLY, shared.of, shared.after)
    tables = _tables(company.mappings) if company.mappings else shared
    taken = {m: t for m, t in tables.of.items() if company.takes(m, m in tables.by_name)}
    after = {m: tables.after[m] & set(taken) for m in taken} if tables.after else {}
    return Plan(company.title, company.schedule, company.reconcile, taken, after)
