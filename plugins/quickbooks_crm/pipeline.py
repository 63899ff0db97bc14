"""The story: what a run does, stage by stage. Airflow's tasks and the command line call these
functions.

    check_settings ▶ extract ▶ transform ▶ load, module by module ▶ record_activity

Each function may be called twice; the second time changes nothing. Between them data rests in
Postgres.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quickbooks_crm import (
    activity,
    calls,
    catalog,
    companies,
    company_check,
    database,
    mapping,
    runs,
    stage,
)
from quickbooks_crm.catalog import Table
from quickbooks_crm.check import check, missing_fields, unfit_constants
from quickbooks_crm.companies import Company
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import (
    BreakerTripped,
    MandatoryFieldsMissing,
    SettingsError,
    StageIncomplete,
    SyncFailed,
)
from quickbooks_crm.extract import due
from quickbooks_crm.extract import extract as read_quickbooks
from quickbooks_crm.failures import block, noted
from quickbooks_crm.load import Load
from quickbooks_crm.load import load as load_staged
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.runs import Run
from quickbooks_crm.stage import Window
from quickbooks_crm.status import warn_when_login_ends
from quickbooks_crm.transform import columns
from quickbooks_crm.transform import transform as shape
from quickbooks_crm.webhooks import inbox

log = logging.getLogger(__name__)

INCLUDE = Path(__file__).parents[2] / "include"
"""Where the project keeps its mappings and companies."""


@dataclass(frozen=True)
class Request:
    """What a run was asked for, by whom. No modules named means all that the company takes."""

    trigger: str
    started_by: str | None = None
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What Airflow shows of a company: its modules in load order, each with the table it fills, as
    far as its mapping can be read."""

    title: str
    schedule: str | None
    tables: dict[str, str | None]


def plans(only: str = "") -> dict[str, Plan]:
    """The plan of every company that has a file, or of one.

    Settings that are wrong do not raise here, or one company's mistake would stop all others: such
    a company's runs fail in check_settings, which says what is wrong.
    """
    try:
        known = mapping.load(INCLUDE / "mappings")
        tables: dict[str, str | None] = {m: known[m].table for m in mapping.load_order(known)}
    except SettingsError:
        tables = dict.fromkeys(sorted(file.stem for file in (INCLUDE / "mappings").glob("*.yaml")))
    names = companies.names(INCLUDE / "companies")
    return {name: _plan(name, tables) for name in names if only in ("", name)}


def _plan(name: str, tables: dict[str, str | None]) -> Plan:
    try:
        company = companies.load_one(INCLUDE / "companies", name)
    except SettingsError:
        return Plan(name, "@hourly", tables)
    return Plan(
        company.title, company.schedule, {m: t for m, t in tables.items() if company.takes(m)}
    )


def check_settings(company: str, run_id: str, request: Request) -> list[str]:
    """Settle what the run will use, before any row moves; the modules in load order.

    Raises a `SettingsError` that names everything that is wrong: connections, mappings, tables, and
    required CRM fields without a source.
    """
    run = _run(company, run_id)
    with database.connect() as connection:
        database.require_current(connection)
        runs.start(connection, run, request.trigger, request.started_by)
        with noted(connection, run, "check_settings"):
            known = mapping.load(INCLUDE / "mappings")
            settings = companies.load_one(INCLUDE / "companies", company)
            modules = _settings(connection, known, settings, request.modules)
            runs.require_own_realm(connection, run, companies.names(INCLUDE / "companies"))
            runs.require_same_tables(connection, run, known.values())
            runs.take_lease(connection, run)
            runs.settle(connection, run, known.values(), modules)
        if said := inbox.warning(connection):
            runs.warn(connection, run, "webhooks", said)
    return modules


def check_files(names: list[str]) -> None:
    """Check mappings, companies and the CRM's tables without touching any data. Raises a
    `SettingsError`."""
    known = mapping.load(INCLUDE / "mappings")
    found = companies.load(INCLUDE / "companies", list(known))
    with database.connect() as connection:
        database.require_current(connection)
        for name in names or sorted(found):
            _settings(connection, known, companies.load_one(INCLUDE / "companies", name), ())


def extract(company: str, run_id: str, everything: bool = False) -> dict[str, Any]:
    """Bring the mirror up to date: what was `fetched` by entity, and the modules with `work` to
    load."""
    run = _run(company, run_id)
    settings = companies.load_one(INCLUDE / "companies", company)
    with (
        closing(QuickBooksHook(settings.quickbooks, run_id)) as quickbooks,
        database.connect() as connection,
        noted(connection, run, "extract"),
    ):
        known = runs.asked(connection, run)
        entities = sorted({entity for m in known.values() for entity in m.entities})
        attempt = runs.attempt(connection, run, "extract")
        ask = due(connection, run.realm, entities, everything)
        if ask.everything or company_check.is_due(connection, run):
            company_check.require_same_company(connection, run, quickbooks)
        with _connections(connection, 2 if ask.everything else 1) as writing:
            extracted = read_quickbooks(writing, quickbooks, attempt, ask, settings.breakers)
        for key, sentence in extracted.warnings.items():
            runs.warn(connection, run, key, sentence)
        blocked = block(connection, run, known, extracted.failed)
        loadable = {module: m for module, m in known.items() if module not in blocked}
        work = runs.extracted(connection, run, loadable, extracted.fetched)
    fetched = extracted.fetched
    log.info(
        "extract: %d records fetched, to load: %s",
        sum(fetched.values()),
        ", ".join(work) or "nothing",
    )
    return {"fetched": fetched, "work": work}


@contextmanager
def _connections(first: Connection[Any], number: int) -> Iterator[list[Connection[Any]]]:
    """A connection and others beside it."""
    with ExitStack() as opened:
        others = (opened.enter_context(database.connect()) for _ in range(number - 1))
        yield [first, *others]


def transform(company: str, run_id: str, module: str) -> dict[str, int]:
    """Stage a module's rows, checked: how many are `staged` in all, `excluded` and `not_added`."""
    run = _run(company, run_id)
    task = f"{module}.transform"
    with database.connect() as connection, noted(connection, run, task):
        known = runs.asked_for(connection, run, module)
        table = catalog.read(connection, known.table)
        attempt = runs.attempt(connection, run, task)
        with connection.transaction():
            attempt.require(connection)
            counts = _stage(connection, run, known, table)
    log.info("%s: %d staged, %d excluded, %d not added", module, *counts.values())
    return counts


def load(company: str, run_id: str, module: str) -> dict[str, int]:
    """Load a module's staged rows; its counts by outcome. Rows that are not, or no longer, staged
    are staged again."""
    run = _run(company, run_id)
    task = f"{module}.load"
    with database.connect() as connection, noted(connection, run, task):
        if stage.sealed(connection, run, runs.asked_for(connection, run, module)) is None:
            transform(company, run_id, module)
        counts = _load(connection, run, runs.mappings(connection, run), module)
    log.info(
        "%s: %s",
        module,
        ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()),
    )
    return counts


def record_activity(company: str, run_id: str) -> None:
    """End the run, whatever happened, and say in the log what it did. Raises `SyncFailed` when a
    module did not load."""
    missing, summary = _finish(company, run_id)
    log.info("what this run did\n%s", summary)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.\n{summary}")


def sync(company: str, run_id: str, request: Request, everything: bool = False) -> None:
    """A whole run, one stage after the other. Raises what stopped it; a breaker of one module stops
    no other."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, company, run_id)
        check_settings(company, run_id, request)
        tripped: BreakerTripped | None = None
        for module in extract(company, run_id, everything)["work"]:
            transform(company, run_id, module)
            try:
                load(company, run_id, module)
            except BreakerTripped as trip:
                tripped = tripped or trip
        if tripped:
            raise tripped
        at_the_end.pop_all()
    missing, _ = _finish(company, run_id)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.")


def _finish(company: str, run_id: str) -> tuple[list[str], str]:
    run = _run(company, run_id)
    with database.connect() as connection:
        _warn(connection, run)
        missing = runs.finish(connection, run)
        found = activity.run(connection, run.realm, run.run_id)
    if found is None:
        return ["check_settings"], f"Run {run_id} has not started."
    return missing, activity.summary(found)


def _warn(connection: Connection[Any], run: Run) -> None:
    """Tell on the run what will need a person, though it stops nothing yet."""
    calls.warn_when_nearly_used(connection, run)
    warn_when_login_ends(connection, run)
    company = companies.load_one(INCLUDE / "companies", run.company)
    if refused := QuickBooksHook(company.quickbooks).refused_first_token(connection):
        runs.warn(connection, run, "first_token", refused)


def _run(company: str, run_id: str) -> Run:
    found = companies.load_one(INCLUDE / "companies", company)
    return Run(company, QuickBooksHook(found.quickbooks).connection_settings().realm, run_id)


def _settings(
    connection: Connection[Any],
    known: dict[str, Mapping],
    company: Company,
    asked: tuple[str, ...],
) -> list[str]:
    """The modules that a run will load, in load order, proven to fit the CRM's tables."""
    unknown = sorted({*(company.modules or ()), *asked} - set(known))
    if unknown:
        raise SettingsError(
            f"There is no mapping for {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
    not_taken = sorted(m for m in asked if not company.takes(m))
    if not_taken:
        raise SettingsError(
            f"Company {company.name} does not take {', '.join(not_taken)}. Add it to the modules "
            f"in {company.name}.yaml, or ask for another."
        )
    taken = [
        known[m] for m in mapping.load_order(known) if company.takes(m) and m in (asked or known)
    ]
    missing = [
        f"  {m.module}: {', '.join(fields)}" for m in taken if (fields := _missing(connection, m))
    ]
    if missing:
        raise MandatoryFieldsMissing(
            "Required CRM fields have neither a source nor a default:\n"
            + "\n".join(missing)
            + "\nMap them, or give them a default, in include/mappings/. No row was moved."
        )
    problems = [problem for m in taken for problem in _misfits(connection, m, company)]
    if problems:
        raise SettingsError(
            "The mappings do not fit the CRM:\n" + "\n".join(f"  {p}" for p in problems)
        )
    return [m.module for m in taken]


def _missing(connection: Connection[Any], known: Mapping) -> list[str]:
    """The labels of required fields that the mapping leaves out; a table that is gone is a
    misfit."""
    try:
        return missing_fields(known, _table(connection, known))
    except SettingsError:
        return []


def _misfits(connection: Connection[Any], known: Mapping, company: Company) -> Iterator[str]:
    """What the mapping asks of its table that the table has not."""
    try:
        table = _table(connection, known)
    except SettingsError as error:
        yield str(error)
        return
    yield from catalog.misfits(table, known)
    yield from unfit_constants(known, table)
    if known.company in table.columns and not catalog.company_is_known(
        connection, table, known.company, company.crm_company
    ):
        yield (
            f"{known.file}: the CRM has no company '{company.crm_company}' for "
            f"{known.table}.{known.company}. "
            "Add it to the CRM (the reference CRM: python -m quickbooks_crm install-crm)."
        )


def _table(connection: Connection[Any], known: Mapping) -> Table:
    return catalog.read(connection, known.table)


def _stage(connection: Connection[Any], run: Run, known: Mapping, table: Table) -> dict[str, int]:
    window = Window(
        runs.position(connection, run.realm, known.module), runs.sealed(connection, run.realm)
    )
    stage.clear(connection, run, known)
    counts = {"staged": 0, "excluded": 0, "not_added": 0}
    for batch in stage.batches(connection, run, known, window):
        kept, excluded = shape(batch, known)
        fit, refused = check(kept, known, table)
        stage.write(connection, run, known, table, fit, [excluded, refused])
        counts["excluded"] += len(excluded)
        counts["not_added"] += len(refused)
        log.info("%s: %d rows shaped", known.module, len(batch))
    counts["staged"] = stage.seal(connection, run, known, window)
    return counts


@retry(
    retry=retry_if_exception_type(
        (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
    ),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(max=10),
    reraise=True,
)
def _load(
    connection: Connection[Any], run: Run, known: dict[str, Mapping], module: str
) -> dict[str, int]:
    company = companies.load_one(INCLUDE / "companies", run.company)
    target = _target(connection, known[module], company)
    referring = list(_referring(connection, known, company, module))
    referred = tuple(_referred(connection, known, company, module))
    attempt = runs.attempt(connection, run, f"{module}.load")
    with connection.transaction():
        attempt.require(connection)
        generation = stage.sealed(connection, run, known[module])
        if generation is None:
            raise StageIncomplete(
                f"The staged rows of {module} are no longer whole. Nothing was loaded; the next "
                "try stages them again."
            )
        position = runs.position(connection, run.realm, module)
        sharing = tuple(m.module for m in known.values() if m.table == target.mapping.table)
        work = Load(run, target, position, generation, sharing, referred, company.breakers)
        return load_staged(connection, work, referring)


def _referring(
    connection: Connection[Any], known: dict[str, Mapping], company: Company, module: str
) -> Iterator[Target]:
    """The targets whose records may point to records of a module. One whose table is gone is none
    of this module's business: its references stay open."""
    for other in known.values():
        if any(field.refers and field.refers.module == module for field in other.fields.values()):
            with suppress(SettingsError):
                yield _target(connection, other, company)


def _referred(
    connection: Connection[Any], known: dict[str, Mapping], company: Company, module: str
) -> Iterator[Target]:
    """The targets that a module's records may point to, as far as their tables are there."""
    fields = known[module].fields.values()
    for other in sorted({field.refers.module for field in fields if field.refers}):
        with suppress(SettingsError):
            yield _target(connection, known[other], company)


def _target(connection: Connection[Any], known: Mapping, company: Company) -> Target:
    return Target(known, _table(connection, known), company.crm_company, tuple(columns(known)))
