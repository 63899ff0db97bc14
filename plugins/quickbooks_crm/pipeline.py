"""The story: what a sync does, stage by stage. Airflow's tasks and the command line call these
functions.

    check_settings ▶ extract ▶ transform ▶ load, module by module ▶ record_activity

Each function may be called twice; the second time changes nothing. Between them data rests in
Postgres. How every run begins and ends: `running`. The other kinds of runs: `previewing`,
`repeating` (replay and retry), `reconciling` and `undoing`.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import (
    catalog,
    companies,
    company_check,
    database,
    fitting,
    one_module,
    replay,
    running,
    runs,
    stage,
    stand_ins,
)
from quickbooks_crm.alive import alive
from quickbooks_crm.errors import SyncFailed
from quickbooks_crm.extract import due
from quickbooks_crm.extract import extract as read_quickbooks
from quickbooks_crm.failures import block, noted
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.running import Request, again_after_deadlock, run_of
from quickbooks_crm.runs import Run

log = logging.getLogger(__name__)


def check_settings(company: str, run_id: str, request: Request) -> list[str]:
    """Settle what the run will use, before any row moves; the modules in load order.

    A module whose table is not as its mapping needs it is left out, and the run fails in the end.
    Raises a `SettingsError` that names everything that is wrong: connections, mappings, tables
    where none fits, and required CRM fields without a source.
    """
    return running.settle(run_of(company, run_id), request, "sync")


def extract(company: str, run_id: str, everything: bool = False) -> dict[str, Any]:
    """Bring the mirror up to date: what was `fetched` by entity, and the modules with `work` to
    load."""
    run = run_of(company, run_id)
    settings = companies.load_one(companies.INCLUDE / "companies", company)
    with (
        closing(QuickBooksHook(settings.quickbooks, run_id)) as quickbooks,
        database.connect() as connection,
        noted(connection, run, "extract"),
    ):
        known = runs.asked(connection, run)
        entities = sorted({entity for m in known.values() for entity in m.reads})
        attempt = runs.attempt(connection, run, "extract")
        ask = due(connection, run.realm, entities, everything)
        with alive(attempt), _connections(connection, 2 if ask.everything else 1) as writing:
            if ask.everything or company_check.is_due(connection, run):
                company_check.require_same_company(connection, run, quickbooks)
            extracted = read_quickbooks(writing, quickbooks, attempt, ask, settings.breakers)
        for key, sentence in extracted.warnings.items():
            runs.warn(connection, run, key, sentence)
        blocked = block(connection, run, known, extracted.failed)
        if extracted.stopped:
            raise extracted.stopped
        loadable = [module for module in known if module not in blocked]
        stand_ins.refresh(connection, attempt, runs.mappings(connection, run))
        work = one_module.with_work(connection, running.bringing(connection, run), loadable)
        fetched = extracted.fetched
        runs.will_load(connection, run, work, fetched)
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
    run = run_of(company, run_id)
    task = f"{module}.transform"
    with database.connect() as connection, noted(connection, run, task), catalog.once(connection):
        known = runs.asked_for(connection, run, module)
        fitting.require_still(connection, known)
        attempt = runs.attempt(connection, run, task)
        bringing = running.bringing(connection, run)
        with connection.transaction():
            attempt.require(connection)
            window = one_module.wanted(connection, bringing, module)
            stage.clear(connection, run, known)
            counts = one_module.stage_rows(connection, run, known, window)
    log.info("%s: %d staged, %d excluded, %d not added", module, *counts.values())
    return counts


def load(company: str, run_id: str, module: str) -> dict[str, int]:
    """Load a module's staged rows; its counts by outcome. Rows that are not, or no longer, staged
    are staged again."""
    run = run_of(company, run_id)
    task = f"{module}.load"
    with database.connect() as connection, noted(connection, run, task):
        known = runs.asked_for(connection, run, module)
        if not _is_staged(connection, run, known):
            transform(company, run_id, module)
        counts = _load(connection, running.bringing(connection, run), module)
    log.info("%s: %s", module, one_module.words(counts))
    return counts


def _is_staged(connection: Connection[Any], run: Run, known: Mapping) -> bool:
    """Whether the module's rows are all there, for a table that its mapping still fits."""
    with catalog.once(connection):
        fitting.require_still(connection, known)
        return stage.sealed(connection, run, known, catalog.of(connection, known)) is not None


@again_after_deadlock
def _load(connection: Connection[Any], bringing: Bringing, module: str) -> dict[str, int]:
    """Load in one transaction. It warns at its end: the run's other loads may be at work and wait
    for who has written to the run."""
    attempt = runs.attempt(connection, bringing.run, f"{module}.load")
    with connection.transaction():
        attempt.require(connection)
        warnings = replay.note_due(connection, bringing, module)
        counts = one_module.load_rows(connection, bringing, module)
        for key, sentence in warnings.items():
            runs.warn(connection, bringing.run, key, sentence)
    return counts


def record_activity(company: str, run_id: str, kind: str = "sync") -> str:
    """End the run, whatever happened, and say, in the log too, what it did. Raises `SyncFailed`
    when a module did not load."""
    missing, summary = running.finish(company, run_id, kind)
    log.info("what this run did\n%s", summary)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.\n{summary}")
    return summary


def sync(company: str, run_id: str, request: Request, everything: bool = False) -> None:
    """A whole run, one stage after the other. Raises what stopped it; a breaker of one module stops
    no other, and the breakers after the first are notes on it."""
    with running.completed(company, run_id, "sync"):
        check_settings(company, run_id, request)
        work = extract(company, run_id, everything)["work"]
        for module in work:
            transform(company, run_id, module)
        running.each(work, partial(load, company, run_id))
