"""Whether mappings, companies and the CRM's tables fit together, told without touching any data.

Imports no Airflow, and so takes a moment only; a run proves the same before any row moves.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import (
    catalog,
    companies,
    database,
    environment,
    fitting,
    in_force,
    mapping,
)
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingError, SettingsError
from quickbooks_crm.in_force import InForce
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.paths import picks_of, written
from quickbooks_crm.mapping.problems import report
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
    """What was found of the companies' modules, what a person should know though it stops nothing,
    and what only Airflow could have told."""

    companies: dict[str, list[Module]]
    warnings: list[str]
    not_looked_at: list[str]


def check(names: list[str]) -> Checked:
    """Check the files of the project, and the stored versions in force, against its CRM; all
    companies if none is named. Raises a `SettingsError` that names everything that is wrong."""
    found = _right(names)
    told, stopped = dict[str, list[Module]](), list[SettingsError]()
    warnings, not_looked_at = list(_unused(found.values())), list[str]()
    with database.looking() as connection, catalog.once(connection):
        database.require_current(connection)
        for name in names or sorted(found):
            company = companies.load_one(companies.INCLUDE / "companies", name)
            try:
                used = in_force.of(connection, company)
                told[name] = list(_modules(connection, used, company))
            except SettingsError as error:
                stopped.append(error)
                continue
            taken = [m.module for m in told[name]]
            warnings += [*used.warnings, *fitting.warnings(connection, used.mappings, taken)]
            warnings += _connection(company)
            not_looked_at += _unknown_connection(company)
    if stopped:
        raise type(stopped[0])("\n".join(dict.fromkeys(map(str, stopped))))
    return Checked(told, list(dict.fromkeys(warnings)), not_looked_at)


def _right(names: list[str]) -> dict[str, Company]:
    """The companies. Raises a `SettingsError` that names all that is wrong in files, be it of
    mappings, of companies or of mappings that only a company of these names has."""
    shared = mapping.written(companies.INCLUDE / "mappings")
    found, of_companies = companies.looked_at(companies.INCLUDE / "companies", list(shared))
    _, of_mappings = mapping.looked_at(shared)
    for company in found.values():
        if company.name in (names or found):
            _, own = mapping.looked_at(in_force.files_of(company))
            for file, problems in own.items():
                of_mappings[file] = [*of_mappings.get(file, ()), *problems]
    said = report(of_mappings, then=report(of_companies, "company"))
    if any(of_mappings.values()):
        raise MappingError(said)
    if any(of_companies.values()):
        raise SettingsError(said)
    return found


def _connection(company: Company) -> Iterator[str]:
    """What is wrong with the connection to QuickBooks, where Airflow is here to be asked: what the
    CRM's connection was found without is not imported for this."""
    if "airflow" not in sys.modules:
        return
    from quickbooks_crm.quickbooks.hook import QuickBooksHook

    try:
        QuickBooksHook(company.quickbooks).connection_settings()
    except SettingsError as error:
        yield f"{_named(company)}: {error}"


def _unknown_connection(company: Company) -> Iterator[str]:
    """The connection to QuickBooks, where only Airflow could tell whether it is there."""
    if "airflow" not in sys.modules and not environment.has_connection(company.quickbooks):
        yield (
            f"{_named(company)}: whether Airflow has the connection '{company.quickbooks}'. To "
            f"see: python -m quickbooks_crm status --company {company.name}"
        )


def _named(company: Company) -> str:
    place = companies.place(companies.INCLUDE / "companies", company.name, "quickbooks")
    return f"{place}: quickbooks"


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
    for one in checked.not_looked_at:
        yield f"Not looked at: {one}"
