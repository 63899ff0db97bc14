"""Whether mappings, companies and the CRM's tables fit together, told without touching any data.

Imports no Airflow, and so takes a moment only; a run proves the same before any row moves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, companies, database, fitting, in_force, mapping
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.companies import Company
from quickbooks_crm.in_force import InForce
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.paths import picks_of, written
from quickbooks_crm.quantity import many


@dataclass(frozen=True)
class Module:
    """What a module is filled with: how many columns `mapped` from which `entities`, and the labels
    of required fields, each with what fills it; `origin` is the file or version that says so."""

    module: str
    entities: tuple[str, ...]
    table: str
    mapped: int
    required: dict[str, str]
    origin: str


@dataclass(frozen=True)
class Checked:
    """What was found of the companies' modules, and what a person should know though it stops
    nothing."""

    companies: dict[str, list[Module]]
    warnings: list[str]


def check(names: list[str]) -> Checked:
    """Check the files of the project, and the stored versions in force, against its CRM; all
    companies if none is named. Raises a `SettingsError` that names everything that is wrong."""
    shared = mapping.load(companies.INCLUDE / "mappings")
    found = companies.load(companies.INCLUDE / "companies", list(shared))
    told: dict[str, list[Module]] = {}
    warnings = list(_unused(found.values()))
    with database.looking() as connection, catalog.once(connection):
        database.require_current(connection)
        for name in names or sorted(found):
            company = companies.load_one(companies.INCLUDE / "companies", name)
            in_force.of_files(company)
            used = in_force.of(connection, company)
            told[name] = list(_modules(connection, used, company))
            taken = [m.module for m in told[name]]
            warnings += [*used.warnings, *fitting.warnings(connection, used.mappings, taken)]
    return Checked(told, list(dict.fromkeys(warnings)))


def _unused(known: Iterable[Company]) -> Iterator[str]:
    """Files of companies' own that no company names: whoever wrote one may think that it is
    used."""
    used = {name for company in known for name in company.mappings.values()}
    for file in sorted((companies.INCLUDE / "mappings").glob("*/*.y*ml")):
        name = f"{file.parent.name}/{file.name}"
        if name not in used:
            yield (
                f"include/mappings/{name} is used by no company. Name it under mappings in the "
                "file of one, or remove it."
            )


def _modules(connection: Connection[Any], used: InForce, company: Company) -> Iterator[Module]:
    for name in fitting.modules(connection, used.mappings, company):
        known, origin = used.mappings[name], used.origins[name]
        yield _module(known, catalog.of(connection, known), origin.words)


def _module(known: Mapping, table: Table, origin: str) -> Module:
    required = {
        column.label: _filled_by(known, column)
        for column in table.columns.values()
        if column in table.required or _requires(known, column)
    }
    return Module(known.module, known.entities, table.name, len(known.fields), required, origin)


def _requires(known: Mapping, column: Column) -> bool:
    return column.name in known.fields and known.fields[column.name].required


def _filled_by(known: Mapping, column: Column) -> str:
    """What fills a column, as a person reads it."""
    if column.name == known.company:
        return "the company"
    if column.name not in known.fields:
        return "the table"
    field = known.fields[column.name]
    sources = [source for variant in field.variants for source in variant.sources]
    given = [written(pick) for source in sources for pick in picks_of(source)]
    constants = [text for each in field.variants for text in (each.value, each.default)]
    given += [f"'{text}'" for text in constants if text]
    return ", ".join(dict.fromkeys(given))


def lines(checked: Checked) -> Iterator[str]:
    """What was found, for a person."""
    for company, modules in checked.companies.items():
        yield company
        for module in modules:
            yield (
                f"  {module.module}: {many(module.mapped, 'column')} of {module.table} from "
                f"{', '.join(module.entities)} ({module.origin})"
            )
            for label, filled_by in module.required.items():
                yield f"    required: {label} <- {filled_by}"
    for warning in checked.warnings:
        yield f"Warning: {warning}"
