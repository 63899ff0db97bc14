"""Do the mappings fit the CRM's tables? Proven before any row moves, for all modules at once."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, held_keys, keywords, lacking, mapping, owners, rights
from quickbooks_crm.catalog import Table
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MandatoryFieldsMissing, SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.suiting import (
    called_alike,
    may_be_too_long,
    may_not_hold,
    misnamed_fields,
    missing_lines,
    misspelt,
    never_fits,
    unfit_constants,
)


@dataclass(frozen=True)
class Fit:
    """The modules that fit the CRM's tables, in load order, and the others, each with a sentence
    that says why it does not."""

    modules: list[str]
    unfit: dict[str, str]


def modules(connection: Connection[Any], known: dict[str, Mapping], company: Company) -> list[str]:
    """The modules that a company takes, in load order, all proven to fit the CRM's tables.

    Raises a `SettingsError` that names everything that does not.
    """
    taken = _taken(known, company, ())
    with catalog.once(connection, taken):
        _require_mandatory(connection, taken)
        _require_none(_misfits_of(connection, known, taken, company))
    return [m.module for m in taken]


def require(
    connection: Connection[Any], known: dict[str, Mapping], company: Company, module: str
) -> None:
    """Raise a `SettingsError` that names everything in which one module does not fit the CRM's
    tables, whether or not the company takes it."""
    asked = [known[module]]
    with catalog.once(connection, asked):
        _require_mandatory(connection, asked)
        _require_none(_misfits_of(connection, known, asked, company))


def parted(
    connection: Connection[Any],
    known: dict[str, Mapping],
    company: Company,
    asked: tuple[str, ...],
) -> Fit:
    """The modules that a run will load, and those that it cannot, since their tables are not as
    their mappings need them.

    Raises a `SettingsError` that names everything when a mapping is wrong whatever its table is
    like, when a required field has no source, and when no module fits.
    """
    taken = _taken(known, company, asked)
    with catalog.once(connection, taken):
        _require_mandatory(connection, taken)
        found = _misfits_of(connection, known, taken, company)
        if len(found) == len(taken) or any(_mistakes(connection, m) for m in taken):
            _require_none(found)
    unfit = {name: " ".join(problems) for name, problems in found.items()}
    return Fit([m.module for m in taken if m.module not in unfit], unfit)


def unfit(
    connection: Connection[Any], known: dict[str, Mapping], company: Company
) -> dict[str, str]:
    """The modules that a company takes and that no run could load now, each with what is wrong.
    Raises `SettingsError` when it takes one that has no mapping."""
    taken = _taken(known, company, ())
    with catalog.once(connection, taken):
        found = _misfits_of(connection, known, taken, company)
        missing = {m.module: _missing(connection, m) for m in taken}
    for module, lines in missing.items():
        if lines:
            found.setdefault(module, []).extend(lines)
    return {module: " ".join(problems) for module, problems in found.items()}


def fits(table: Table, known: Mapping) -> bool:
    """Whether a table has what its mapping asks of it, and the login may do what that needs."""
    return not any((*lacking.misfits(table, known), *rights.misfits(table, known)))


def _taken(known: dict[str, Mapping], company: Company, asked: tuple[str, ...]) -> list[Mapping]:
    """The mappings of the modules that are asked for, or else taken, in load order."""
    unknown = sorted({*(company.modules or ()), *asked} - set(known))
    if unknown:
        raise SettingsError(
            f"There is no mapping for {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
    taking = {m: company.takes(m, known[m].by_name) for m in known}
    not_taken = sorted(m for m in asked if not taking[m])
    if not_taken:
        raise SettingsError(
            f"Company {company.name} does not take {', '.join(not_taken)}. Add it to the modules "
            f"in {company.name}.yaml, or ask for another."
        )
    return [known[m] for m in mapping.load_order(known) if taking[m] and m in (asked or known)]


def _require_mandatory(connection: Connection[Any], taken: list[Mapping]) -> None:
    missing = []
    for m in taken:
        if lines := _missing(connection, m):
            missing += [f"  {said}" for said in lines]
            near = misnamed_fields(m, catalog.of(connection, m))
            missing += [f"    {said}" for said in near]
    if missing:
        raise MandatoryFieldsMissing(
            "Required CRM fields have neither a source nor a default:\n"
            + "\n".join(missing)
            + "\nOr give them a default in the table."
        )


def _misfits_of(
    connection: Connection[Any], known: dict[str, Mapping], taken: list[Mapping], company: Company
) -> dict[str, list[str]]:
    """What does not fit of each module that does not."""
    others = [m for m in known.values() if m not in taken]
    found = {
        m.module: [
            *_misfits(connection, m, others, company),
            *held_keys.misfits(connection, m, known),
        ]
        for m in taken
    }
    return {module: problems for module, problems in found.items() if problems}


def _require_none(found: dict[str, list[str]]) -> None:
    problems = [f"  {problem}" for own in found.values() for problem in own]
    if problems:
        raise SettingsError("The mappings do not fit the CRM:\n" + "\n".join(problems))


def _mistakes(connection: Connection[Any], known: Mapping) -> list[str]:
    """What is wrong with a mapping whatever its table is like; a table that is gone is another
    thing."""
    try:
        return list(lacking.unfilled(catalog.of(connection, known), known))
    except SettingsError:
        return []


def require_still(connection: Connection[Any], known: Mapping) -> None:
    """Raise `SettingsError` when somebody has changed a module's table since the run began, so that
    its mapping no longer fits."""
    table = catalog.of(connection, known)
    problems = [*lacking.misfits(table, known), *rights.misfits(table, known)]
    problems += missing_lines(known, table)
    if problems:
        raise SettingsError(
            f"{known.table} was changed while this run was at work, and {known.module} no longer "
            "fits it:\n" + "\n".join(f"  {problem}" for problem in problems)
        )


def require_same_keys(
    connection: Connection[Any], known: dict[str, Mapping], keys: dict[str, dict[str, Any]]
) -> None:
    """Raise `SettingsError` when a module's table has another primary key than its links hold
    values of: they would mean no records, or strangers. A table that is gone is another thing."""
    if told := list(moved_keys(connection, known, keys)):
        raise SettingsError(
            "\n".join(
                f"{moved} Give the table its key back; or give the mapping a file of another name, "
                "which makes it a module of its own and finds its records by import.key."
                for moved in told
            )
        )


def moved_keys(
    connection: Connection[Any], known: dict[str, Mapping], keys: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """The modules whose table has another primary key than their links hold values of."""
    for name in sorted(keys.keys() & known.keys()):
        with suppress(SettingsError):
            table = catalog.of(connection, known[name])
            if catalog.moved_key(table, keys[name]):
                was, key = keys[name], table.columns[table.key]
                again = (key.name, key.kind) == (was["name"], was["kind"])
                now = "another column of that name" if again else f"{key.name} ({key.type})"
                yield (
                    f"{known[name].file} line {known[name].line('table')}: {name} has been loaded "
                    f"into {table.name} by its primary key {was['name']} ({was['kind']}), and that "
                    f"is {now} now."
                )


def unfound(connection: Connection[Any], known: dict[str, Mapping]) -> Iterator[str]:
    """The columns by which records and lines are told apart that tables have no more, each with
    its line. A table that is gone is another thing."""
    for name in sorted(known):
        with suppress(SettingsError):
            yield from lacking.unfound(catalog.of(connection, known[name]), known[name])


def misfits(
    connection: Connection[Any], known: dict[str, Mapping], company: Company, module: str
) -> list[str]:
    """What one module's mapping asks of the CRM that it has not, each with its line."""
    others = [m for m in known.values() if m.module != module]
    with catalog.once(connection):
        return [
            *_misfits(connection, known[module], others, company),
            *held_keys.misfits(connection, known[module], known),
        ]


def warnings(
    connection: Connection[Any], known: dict[str, Mapping], modules: Iterable[str]
) -> Iterator[str]:
    """What a person should know of mappings that fit, each with its line."""
    for taken in (known[module] for module in modules):
        table = catalog.of(connection, taken)
        yield from may_be_too_long(taken, table)
        yield from may_not_hold(taken, table)
        yield from held_keys.warnings(connection, taken, known)
        yield from called_alike(taken, table)
        yield from misspelt(taken, table)
        yield from rights.warnings(table, taken)


def _missing(connection: Connection[Any], known: Mapping) -> list[str]:
    """What is said of the required columns that the mapping leaves out; a table that is gone is a
    misfit."""
    try:
        return list(missing_lines(known, catalog.of(connection, known)))
    except SettingsError:
        return []


def _misfits(
    connection: Connection[Any], known: Mapping, others: list[Mapping], company: Company
) -> Iterator[str]:
    """What the mapping asks of its table that the table has not, and of the login that it may not
    do. `others` are the mappings that are looked at for their records only."""
    try:
        table = catalog.of(connection, known)
    except SettingsError as error:
        yield str(error)
        return
    yield from lacking.misfits(table, known)
    yield from rights.misfits(table, known)
    yield from unfit_constants(known, table)
    yield from never_fits(known, table)
    yield from keywords.misfits(known, table)
    if forbidden := list(rights.around(connection, table, known, others)):
        yield from forbidden
        return
    yield from keywords.unlisted(connection, known, table)
    yield from owners.misfits(connection, known, table, company.default_owner)
    yield from _said_by_fields(connection, known, table, company)
    if unkept := list(_unkept_company(connection, known, table, company)):
        yield from unkept
    elif known.company in table.columns and not catalog.company_is_known(
        connection, table, known.company, company.crm_company
    ):
        yield (
            f"{known.file}: the CRM has no company '{company.crm_company}' for "
            f"{known.table}.{known.company}. "
            "Add it to the CRM (the reference CRM: python -m quickbooks_crm install-crm)."
        )


def _said_by_fields(
    connection: Connection[Any], known: Mapping, table: Table, company: Company
) -> Iterator[str]:
    """The fields that say in place of the sync which company a record belongs to."""
    for part, own in zip(known.parts, (table, table.lines), strict=False):
        for name in part.fields if own else ():
            if own and _tells_company(connection, part, own, name, company.crm_company):
                yield (
                    f"{part.file} line {part.line(f'fields.{name}')}: {part.at}fields.{name}: "
                    f"{own.name}.{name} says which company a record belongs to, and the sync "
                    f"itself fills it. Take it out, and write company: {name}."
                )


def _tells_company(
    connection: Connection[Any], part: Mapping, table: Table, name: str, company: str
) -> bool:
    """Whether a field fills a column that leads to the table of companies, which has this one."""
    field, column = part.fields[name], table.columns.get(name)
    if column is None or column.points_to is None or field.refers or field.owner:
        return False
    of_companies = column.points_to[1] == "companies"
    return of_companies and catalog.company_is_known(connection, table, name, company)


def _unkept_company(
    connection: Connection[Any], known: Mapping, table: Table, company: Company
) -> Iterator[str]:
    """The columns that would not keep the company just as its file writes it: records of the same
    company are found by that text."""
    written = f"'{company.crm_company}', the crm_company of {company.name}.yaml"
    for part, own in zip(known.parts, (table, table.lines), strict=False):
        if own is None or part.company not in own.columns:
            continue
        column = own.columns[part.company]
        place = f"{known.file} line {part.line('company')}: {part.at}company: {own.name}"
        kept = catalog.company_kept(connection, column, company.crm_company)
        if kept is None:
            yield (
                f"{place}.{column.name} does not take {written}: it takes {column.type}. Write "
                "another crm_company there, or change the column."
            )
        elif kept != company.crm_company:
            yield (
                f"{place}.{column.name} keeps {written}, as '{kept}', so that no record of the "
                f"company would be found again. Write crm_company: '{kept}' there."
            )
