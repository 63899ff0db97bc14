"""How every run begins and ends: what it will use is settled before any row moves, and what it did
is said whatever happens."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as ReadOnly
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import Connection
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quickbooks_crm import (
    activity,
    answers,
    calls,
    catalog,
    companies,
    database,
    fitting,
    in_force,
    runs,
    versions,
    wording,
)
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import BreakerTripped, SettingsError, SyncFailed
from quickbooks_crm.failures import noted
from quickbooks_crm.in_force import InForce
from quickbooks_crm.judge import STRICT, Lenience
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.reconcile import report as reconciled
from quickbooks_crm.runs import Run
from quickbooks_crm.status import replays_due, warn_when_login_ends
from quickbooks_crm.webhooks import inbox

again_after_deadlock = retry(
    retry=retry_if_exception_type(
        (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
    ),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(max=10),
    reraise=True,
)
"""Does a whole transaction again that was in another's way."""


@dataclass(frozen=True)
class Request:
    """What a run was asked for, by whom. No modules named means all that the company takes; a
    `previewed` run lends its mappings, modules and settings instead. A preview may show stored
    `versions` of modules' mappings that are not in force yet, and what becomes of `older` records
    of those whose mapping has changed."""

    trigger: str
    started_by: str | None = None
    modules: tuple[str, ...] = ()
    previewed: str = ""
    versions: ReadOnly[str, int] = field(default_factory=dict)
    older: bool = False


def run_of(company: str, run_id: str) -> Run:
    """A run of a company, in the realm that its connection leads to."""
    found = companies.load_one(companies.INCLUDE / "companies", company)
    return Run(company, QuickBooksHook(found.quickbooks).connection_settings().realm, run_id)


def settle(run: Run, request: Request, kind: str) -> list[str]:
    """Settle what a run of this kind will use; the modules in load order. All but a preview take
    the company's lease.

    A module whose table is not as its mapping needs it is left out, which is noted on the run.
    Raises a `SettingsError` that names everything that is wrong: connections, mappings, tables
    where none fits, and required CRM fields without a source; and when there was no Yes to the
    preview that it is to follow.
    """
    with database.connect() as connection, catalog.once(connection):
        database.require_current(connection)
        runs.start(connection, run, request.trigger, request.started_by, kind)
        with noted(connection, run, "check_settings"):
            if request.previewed:
                answers.follow(connection, run, kind, request.previewed)
            settings = _company(connection, run, request)
            versions.note_drafts(
                connection, run, in_force.drafts(connection, settings, request.versions)
            )
            used = _mappings(connection, run, request, settings)
            _require_versions(connection, settings, request, kind)
            known = used.mappings
            asked = _modules(connection, run, request)
            fit = fitting.parted(connection, known, settings, asked)
            named = companies.names(companies.INCLUDE / "companies")
            runs.require_own_realm(connection, run, named)
            runs.require_same_tables(connection, run, known.values())
            runs.require_same_mappings(connection, run, known.values())
            fitting.require_same_keys(connection, known, runs.keys(connection, run))
            if kind != "preview":
                runs.take_lease(connection, run)
            if request.previewed:
                preview = replace(run, run_id=request.previewed)
                in_force.use_previewed(connection, settings, preview, request.started_by)
            runs.settle(connection, run, known.values(), fit.modules, settings.for_loads)
            runs.bring_whole(connection, run, _whole(connection, run, request))
            runs.block(connection, run, fit.unfit)
        if said := inbox.warning(connection):
            runs.warn(connection, run, "webhooks", said)
        doubtful = fitting.warnings(connection, known, fit.modules)
        for key, sentences in (("mapping_files", used.warnings), ("mappings", doubtful)):
            for at, sentence in enumerate(sentences, 1):
                runs.warn(connection, run, f"{key}.{at:04}", sentence)
    return fit.modules


def _modules(connection: Connection[Any], run: Run, request: Request) -> tuple[str, ...]:
    """The modules that are asked for, or those of which a person has seen what would become."""
    if request.previewed:
        return tuple(runs.asked(connection, replace(run, run_id=request.previewed)))
    return request.modules


def _mappings(connection: Connection[Any], run: Run, request: Request, company: Company) -> InForce:
    """The mappings in force, or those that a person has seen the effect of."""
    if request.previewed:
        seen = runs.mappings(connection, replace(run, run_id=request.previewed))
        return InForce(in_force.as_filed(seen, company))
    return in_force.of(connection, company, request.versions)


def _whole(connection: Connection[Any], run: Run, request: Request) -> list[str]:
    """The modules of which all records are brought, as a person has seen it, or is to see it."""
    asked = runs.asked(connection, run)
    if request.previewed:
        seen = runs.whole(connection, replace(run, run_id=request.previewed))
        return sorted(seen & asked.keys())
    return replays_due(connection, run.realm, list(asked.values())) if request.older else []


def _require_versions(
    connection: Connection[Any], company: Company, request: Request, kind: str
) -> None:
    """Stored versions are for previews, and only those that were offered for it."""
    if request.versions and kind != "preview":
        raise SettingsError(
            f"A run of the kind {kind} takes the mappings in force, no other versions. Nothing was "
            "changed. Preview the versions, and say Yes to that."
        )
    in_force.require_offered(connection, company, request.versions)


def _company(connection: Connection[Any], run: Run, request: Request) -> Company:
    """The company as its file says, but for what loads depend on where a person has seen that."""
    if request.previewed:
        return settled(connection, replace(run, run_id=request.previewed))
    return companies.load_one(companies.INCLUDE / "companies", run.company)


def settled(connection: Connection[Any], run: Run) -> Company:
    """The company as a run that has settled what it uses knows it. How much at once looks like an
    accident is as its file says now."""
    company = companies.load_one(companies.INCLUDE / "companies", run.company)
    return company.settled(runs.settings(connection, run))


def bringing(connection: Connection[Any], run: Run, lenience: Lenience = STRICT) -> Bringing:
    """What brings the modules of a settled run in."""
    known, whole = runs.mappings(connection, run), runs.whole(connection, run)
    return Bringing(run, settled(connection, run), known, lenience, whole)


def each(modules: Iterable[str], act: Callable[[str], object]) -> None:
    """Do something with every module: a breaker of one stops no other. Raises the first, with the
    others as notes on it."""
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


@contextmanager
def ended(company: str, run_id: str, kind: str) -> Iterator[None]:
    """The stages of a run of a kind, which ends whatever happens in them."""
    with database.kept_open(), ExitStack() as at_the_end:
        at_the_end.callback(finish, company, run_id, kind)
        yield


@contextmanager
def completed(company: str, run_id: str, kind: str) -> Iterator[None]:
    """The same. Raises `SyncFailed` when the stages went well and a module did not load."""
    with database.kept_open():
        with ExitStack() as at_the_end:
            at_the_end.callback(finish, company, run_id, kind)
            yield
            at_the_end.pop_all()
        missing, _ = finish(company, run_id, kind)
    if missing:
        raise SyncFailed(f"Not finished in this run: {', '.join(missing)}.")


def finish(company: str, run_id: str, kind: str) -> tuple[list[str], str]:
    """End a run of a kind: what of it is missing, and what it did, in words. One that was refused,
    since another has its id, ends nothing of that."""
    run = run_of(company, run_id)
    with database.connect() as connection:
        database.require_current(connection)
        if not runs.has_begun(connection, run, kind):
            return ["check_settings"], f"Run {run_id} has not started."
        _warn(connection, run)
        missing = runs.finish(connection, run)
        reconciled.settle(connection, run.realm, run.run_id)
        found = activity.run(connection, run.realm, run.run_id)
    return missing, wording.summary(found) if found else ""


def _warn(connection: Connection[Any], run: Run) -> None:
    """Tell on the run what will need a person, though it stops nothing yet."""
    calls.warn_when_nearly_used(connection, run)
    warn_when_login_ends(connection, run)
    company = companies.load_one(companies.INCLUDE / "companies", run.company)
    if refused := QuickBooksHook(company.quickbooks).refused_first_token(connection):
        runs.warn(connection, run, "first_token", refused)
