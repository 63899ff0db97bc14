"""The story: what a run does, stage by stage. Airflow's tasks and the command line call these
functions.

    check_settings ▶ extract ▶ transform ▶ load, module by module ▶ record_activity
    check_reconcile ▶ extract ▶ compare ▶ record_reconcile

Each function may be called twice; the second time changes nothing. Between them data rests in
Postgres.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection
from tenacity import retry as retried
from tenacity import retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quickbooks_crm import (
    activity,
    calls,
    companies,
    company_check,
    database,
    fitting,
    leaving,
    mapping,
    one_module,
    preview,
    replay,
    retention,
    retry,
    runs,
    stage,
    stand_ins,
    undoing,
)
from quickbooks_crm.alive import alive
from quickbooks_crm.errors import (
    BreakerTripped,
    DriftFound,
    SettingsError,
    SyncFailed,
)
from quickbooks_crm.extract import due
from quickbooks_crm.extract import extract as read_quickbooks
from quickbooks_crm.failures import block, noted
from quickbooks_crm.judge import STRICT, Lenience
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.reconcile import comparing
from quickbooks_crm.reconcile import report as reconciled
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.reconcile.report import Report
from quickbooks_crm.retention import Purged
from quickbooks_crm.runs import Attempt, Run
from quickbooks_crm.status import warn_when_login_ends
from quickbooks_crm.webhooks import inbox

log = logging.getLogger(__name__)

EXPECTED = {"replay": Lenience(replay.EXPECTED)}
"""What a person expects who asks for a run of this kind."""

INCLUDE = companies.INCLUDE


@dataclass(frozen=True)
class Request:
    """What a run was asked for, by whom. No modules named means all that the company takes; a
    `previewed` run lends its mappings and modules instead."""

    trigger: str
    started_by: str | None = None
    modules: tuple[str, ...] = ()
    previewed: str = ""


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
        known = mapping.load(INCLUDE / "mappings")
        tables: dict[str, str | None] = {m: known[m].table for m in mapping.load_order(known)}
        by_name = {module for module in known if known[module].by_name}
    except SettingsError:
        tables = dict.fromkeys(sorted(file.stem for file in (INCLUDE / "mappings").glob("*.yaml")))
        by_name = set()
    names = companies.names(INCLUDE / "companies")
    return {name: _plan(name, tables, by_name) for name in names if only in ("", name)}


def _plan(name: str, tables: dict[str, str | None], by_name: set[str]) -> Plan:
    try:
        company = companies.load_one(INCLUDE / "companies", name)
    except SettingsError:
        return Plan(name, "@hourly", companies.WEEKLY, tables)
    taken = {m: t for m, t in tables.items() if company.takes(m, m in by_name)}
    return Plan(company.title, company.schedule, company.reconcile, taken)


def check_settings(company: str, run_id: str, request: Request) -> list[str]:
    """Settle what the run will use, before any row moves; the modules in load order.

    Raises a `SettingsError` that names everything that is wrong: connections, mappings, tables, and
    required CRM fields without a source.
    """
    return _settle(_run(company, run_id), request, "sync", runs.take_lease)


def check_preview(company: str, run_id: str, request: Request) -> list[str]:
    """The same as `check_settings`, for a run that only rehearses: it keeps no other one away."""
    return _settle(_run(company, run_id), request, "preview", lambda _connection, _run: None)


def _settle(
    run: Run, request: Request, kind: str, take: Callable[[Connection[Any], Run], None]
) -> list[str]:
    with database.connect() as connection:
        database.require_current(connection)
        runs.start(connection, run, request.trigger, request.started_by, kind)
        with noted(connection, run, "check_settings"):
            known = _mappings(connection, run, request)
            settings = companies.load_one(INCLUDE / "companies", run.company)
            asked = _modules(connection, run, request)
            modules = fitting.modules(connection, known, settings, asked)
            runs.require_own_realm(connection, run, companies.names(INCLUDE / "companies"))
            runs.require_same_tables(connection, run, known.values())
            take(connection, run)
            runs.settle(connection, run, known.values(), modules, settings.for_loads)
        if said := inbox.warning(connection):
            runs.warn(connection, run, "webhooks", said)
        if doubtful := list(fitting.warnings(connection, [known[m] for m in modules])):
            runs.warn(connection, run, "mappings", " ".join(doubtful))
    return modules


def _modules(connection: Connection[Any], run: Run, request: Request) -> tuple[str, ...]:
    """The modules that are asked for, or those of which a person has seen what would become."""
    if request.previewed:
        return tuple(runs.asked(connection, replace(run, run_id=request.previewed)))
    return request.modules


def _mappings(connection: Connection[Any], run: Run, request: Request) -> dict[str, Mapping]:
    """The mappings of the files, or those that a person has seen the effect of."""
    if request.previewed:
        return runs.mappings(connection, replace(run, run_id=request.previewed))
    return mapping.load(INCLUDE / "mappings")


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
        work = one_module.with_work(connection, _bringing(connection, run), loadable)
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
    run = _run(company, run_id)
    task = f"{module}.transform"
    with database.connect() as connection, noted(connection, run, task):
        known = runs.asked_for(connection, run, module)
        fitting.require_still(connection, known)
        attempt = runs.attempt(connection, run, task)
        with connection.transaction():
            attempt.require(connection)
            window = one_module.pending(connection, run.realm, module)
            stage.clear(connection, run, known)
            counts = one_module.stage_rows(connection, run, known, window)
    log.info("%s: %d staged, %d excluded, %d not added", module, *counts.values())
    return counts


def load(company: str, run_id: str, module: str) -> dict[str, int]:
    """Load a module's staged rows; its counts by outcome. Rows that are not, or no longer, staged
    are staged again."""
    run = _run(company, run_id)
    task = f"{module}.load"
    with database.connect() as connection, noted(connection, run, task):
        known = runs.asked_for(connection, run, module)
        fitting.require_still(connection, known)
        if stage.sealed(connection, run, known) is None:
            transform(company, run_id, module)
        counts = _load(connection, _bringing(connection, run), module)
    log.info("%s: %s", module, one_module.words(counts))
    return counts


def record_activity(company: str, run_id: str) -> str:
    """End the run, whatever happened, and say, in the log too, what it did. Raises `SyncFailed`
    when a module did not load."""
    missing, summary = _finish(company, run_id)
    log.info("what this run did\n%s", summary)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.\n{summary}")
    return summary


def sync(company: str, run_id: str, request: Request, everything: bool = False) -> None:
    """A whole run, one stage after the other. Raises what stopped it; a breaker of one module stops
    no other, and the breakers after the first are notes on it."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, company, run_id)
        check_settings(company, run_id, request)
        _each(
            extract(company, run_id, everything)["work"], partial(_transform_load, company, run_id)
        )
        at_the_end.pop_all()
    missing, _ = _finish(company, run_id)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.")


def rehearse(company: str, run_id: str, read: bool = False) -> list[str]:
    """What a sync that began now would do, kept as this run's activity, after `check_preview`; the
    modules with something to load. QuickBooks is asked for what changed only to `read` it."""
    run = _run(company, run_id)
    with database.connect() as connection, noted(connection, run, "preview"):
        fetched = extract(company, run_id)["fetched"] if read else {}
        runs.release_lease(connection, run)
        bringing = _bringing(connection, run, Lenience(rehearsal=True))
        asked = list(runs.asked(connection, run))
        work = preview.rehearse(run, lambda inside: preview.sync(inside, bringing, asked))
        runs.will_load(connection, run, work, fetched)
    return work


def preview_run(company: str, run_id: str, request: Request, read: bool = False) -> None:
    """A whole rehearsal of a sync, one stage after the other. Raises what stopped it."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, company, run_id)
        check_preview(company, run_id, request)
        rehearse(company, run_id, read)


def plan_replay(company: str, run_id: str, request: Request) -> None:
    """A whole rehearsal of a replay. Raises what stopped it."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, company, run_id)
        modules = check_preview(company, run_id, request)
        run = _run(company, run_id)
        with database.connect() as connection, noted(connection, run, "preview"):
            bringing = _bringing(connection, run, Lenience(replay.EXPECTED, rehearsal=True))
            preview.rehearse(run, lambda inside: preview.replays(inside, bringing, modules))
            runs.will_load(connection, run, modules, {})


def replay_run(company: str, run_id: str, request: Request) -> None:
    """Bring all that the mirror has to the mappings in force, without a call to QuickBooks. Raises
    what stopped it; then another goes on where it was."""
    _again(_run(company, run_id), request, "replay", replay.bring)


def retry_run(company: str, run_id: str, request: Request, reasons: Sequence[str] = ()) -> None:
    """Try again what is held back, without a call to QuickBooks. Raises what stopped it."""
    _again(_run(company, run_id), request, "retry", partial(retry.bring, reasons=reasons))


def _again(run: Run, request: Request, kind: str, bring: Callable[..., None]) -> None:
    """Bring modules in again from what the mirror has; a breaker of one module stops no other."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, run.company, run.run_id)
        modules = _settle(run, request, kind, runs.take_lease)
        with database.connect() as connection:
            _refresh_stand_ins(connection, run)
            runs.will_load(connection, run, modules, {})
        _each(modules, partial(_bring_again, run, EXPECTED.get(kind, STRICT), bring))
        at_the_end.pop_all()
    missing, _ = _finish(run.company, run.run_id)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.")


def _refresh_stand_ins(connection: Connection[Any], run: Run) -> None:
    with noted(connection, run, "stand_ins"):
        attempt = runs.attempt(connection, run, "stand_ins")
        stand_ins.refresh(connection, attempt, runs.mappings(connection, run))


def _bring_again(run: Run, lenience: Lenience, bring: Callable[..., None], module: str) -> None:
    task = f"{module}.load"
    with database.connect() as connection, noted(connection, run, task):
        bringing = _bringing(connection, run, lenience)
        attempt = runs.attempt(connection, run, task)
        bring(connection, bringing, module, partial(_writing, connection, attempt))


@contextmanager
def _writing(connection: Connection[Any], attempt: Attempt) -> Iterator[None]:
    """A transaction in which this try may write."""
    attempt.renew(connection)
    with connection.transaction():
        attempt.require(connection)
        yield


def _each(modules: Iterable[str], act: Callable[[str], object]) -> None:
    """Do something with every module. The breakers after the first are notes on it."""
    tripped: list[BreakerTripped] = []
    for module in modules:
        try:
            act(module)
        except BreakerTripped as trip:
            tripped.append(trip)
    for other in tripped[1:]:
        tripped[0].add_note(str(other))
    if tripped:
        raise tripped[0]


def _bringing(connection: Connection[Any], run: Run, lenience: Lenience = STRICT) -> Bringing:
    company = companies.load_one(INCLUDE / "companies", run.company)
    return Bringing(run, company, runs.mappings(connection, run), lenience)


def _transform_load(company: str, run_id: str, module: str) -> None:
    transform(company, run_id, module)
    load(company, run_id, module)


def purge(company: str, by: str, plan: bool = False) -> Purged:
    """Throw away what is older than the company's settings keep it; with `plan`, only count it."""
    settings = companies.load_one(INCLUDE / "companies", company)
    with database.connect() as connection:
        database.require_current(connection)
        try:
            realm = leaving.realm_of(connection, company)
        except SettingsError:
            return Purged(company)
        if plan:
            return retention.plan(connection, company, realm, settings.retention)
        purged = retention.purge(connection, company, realm, settings.retention, by)
    log.info("%s: %s", company, asdict(purged))
    return purged


def purge_all() -> None:
    """The same for every company, as Airflow does it daily. One whose file is wrong stops no
    other."""
    for name in companies.names(INCLUDE / "companies"):
        try:
            purge(name, "airflow")
        except SettingsError as error:
            log.warning("%s: nothing was thrown away: %s", name, error)


def check_reconcile(company: str, run_id: str, request: Request) -> list[str]:
    """The same as `check_settings`, for a run that compares."""
    modules = check_settings(company, run_id, request)
    with database.connect() as connection:
        comparing.begin(connection, _run(company, run_id))
    return modules


def compare(company: str, run_id: str, wish: Wish) -> Report:
    """Compare QuickBooks with the mirror and the mirror with the CRM, after `extract`; what
    differs, and where that is wished, is repaired but for what the next sync has to load."""
    run = _run(company, run_id)
    settings = companies.load_one(INCLUDE / "companies", company)
    wish = replace(wish, limits=settings.breakers)
    with (
        closing(QuickBooksHook(settings.quickbooks, run_id)) as quickbooks,
        database.connect() as connection,
        noted(connection, run, "compare"),
    ):
        modules = [
            (
                one_module.target(connection, known, settings),
                runs.position(connection, run.realm, name),
            )
            for name, known in runs.asked(connection, run).items()
        ]
        attempt = runs.attempt(connection, run, "compare")
        with alive(attempt):
            company_check.require_same_company(connection, run, quickbooks)
            return comparing.compare(connection, quickbooks, attempt, modules, wish)


def record_reconcile(company: str, run_id: str) -> bool:
    """End the run, whatever happened; whether a repair left something for a sync to load. Raises
    `SyncFailed` when it could not compare everything, and `DriftFound` when somebody has to see to
    what it found."""
    record_activity(company, run_id)
    run = _run(company, run_id)
    with database.connect() as connection:
        found = reconciled.read(connection, run.realm, run.run_id)
    if found and not found.in_step:
        raise DriftFound(
            f"QuickBooks, the mirror and the CRM of {company} do not agree: the activity of run "
            f"{run_id} says where. Repair it with: {reconciled.to_repair(company)}"
        )
    return bool(found and found.to_load)


def reconcile(company: str, run_id: str, request: Request, wish: Wish) -> Report:
    """A whole reconcile, one stage after the other. Raises what stopped it; that something differs
    does not."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_finish, company, run_id)
        check_reconcile(company, run_id, request)
        extract(company, run_id)
        found = compare(company, run_id, wish)
        at_the_end.pop_all()
    missing, _ = _finish(company, run_id)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.")
    return found


def undo(company: str, run_id: str, wish: undoing.Wish, plan: bool = False) -> undoing.Report:
    """Undo what a run did, as far as nobody has changed it since; with `plan`, only tell what that
    would be."""
    settings = companies.load_one(INCLUDE / "companies", company)
    do = undoing.rehearse if plan else undoing.carry_out
    return do(_run(company, run_id), settings, wish)


def _finish(company: str, run_id: str) -> tuple[list[str], str]:
    run = _run(company, run_id)
    with database.connect() as connection:
        _warn(connection, run)
        missing = runs.finish(connection, run)
        reconciled.settle(connection, run.realm, run.run_id)
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


@retried(
    retry=retry_if_exception_type(
        (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
    ),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(max=10),
    reraise=True,
)
def _load(connection: Connection[Any], bringing: Bringing, module: str) -> dict[str, int]:
    attempt = runs.attempt(connection, bringing.run, f"{module}.load")
    with connection.transaction():
        attempt.require(connection)
        replay.note_due(connection, bringing, module)
        return one_module.load_rows(connection, bringing, module)
