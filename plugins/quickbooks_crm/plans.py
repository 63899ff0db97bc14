"""What Airflow shows of the companies, as far as their files can be read."""

from dataclasses import dataclass, replace

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
    try:
        known = mapping.load(companies.INCLUDE / "mappings")
        after = mapping.loads_after(known)
        tables: dict[str, str | None] = {module: known[module].table for module in after}
        by_name = {module for module in known if known[module].by_name}
    except SettingsError:
        files = (companies.INCLUDE / "mappings").glob("*.yaml")
        tables, after = dict.fromkeys(sorted(file.stem for file in files)), {}
        by_name = set()
    names = companies.names(companies.INCLUDE / "companies")
    every = Plan("", "@hourly", companies.WEEKLY, tables, after)
    return {name: _plan(name, every, by_name) for name in names if only in ("", name)}


def _plan(name: str, every: Plan, by_name: set[str]) -> Plan:
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
    except SettingsError:
        return replace(every, title=name)
    taken = {m: t for m, t in every.tables.items() if company.takes(m, m in by_name)}
    after = {module: every.after[module] & set(taken) for module in taken} if every.after else {}
    return Plan(company.title, company.schedule, company.reconcile, taken, after)
