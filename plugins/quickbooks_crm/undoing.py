"""A whole undo: which run, which modules in which order, each in a transaction of its own."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import (
    activity,
    answers,
    catalog,
    companies,
    database,
    fitting,
    in_force,
    one_module,
    rights,
    running,
    runs,
    undo,
)
from quickbooks_crm import preview as rehearsing
from quickbooks_crm.alive import alive
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingError, SettingsError, SyncFailed, UndoImpossible
from quickbooks_crm.failures import noted
from quickbooks_crm.mapping import Mapping, load_order
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.running import again_after_deadlock, run_of
from quickbooks_crm.runs import Run
from quickbooks_crm.undo import Undo
from quickbooks_crm.undone import Undone, begin, find, require_images, would_begin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """Which run to undo, who asks for it, and of which modules; none named means all. They may have
    `previewed` it."""

    undone: str
    trigger: str
    started_by: str | None = None
    modules: tuple[str, ...] = ()
    previewed: str | None = None


@dataclass(frozen=True)
class Report:
    """What an undo did or would do: its run with the counts, and by module the records that were
    kept, each with the reason; `again` says that it did the run before it again. It holds customer
    data: never log it."""

    run: activity.Run
    kept: dict[str, list[activity.Row]]
    again: bool


@dataclass(frozen=True)
class _Plan:
    """An undo that can be: what is undone, which modules of it in which order, and what the mapping
    of each that is in force now is known by."""

    bringing: Bringing
    undone: Undone
    modules: list[str]
    in_force: dict[str, str]


def carry_out(company: str, run_id: str, wish: Wish) -> Report:
    """Undo a run, as far as nobody has changed since what it did. Each module commits by itself:
    what is killed can be done again, and does the rest. Raises `UndoImpossible` before anything is
    undone."""
    run = run_of(company, run_id)
    with database.connect() as connection:
        database.require_current(connection)
        plan = _plan(connection, run, wish)
        runs.start(connection, run, wish.trigger, wish.started_by, "undo")
        with ExitStack() as at_the_end:
            at_the_end.callback(_finish, run)
            _undo(connection, plan, wish)
        report = _report(connection, plan)
    for module in report.run.counts:
        ends = {name: getattr(module, name) for name in ("read", *report.run.outcomes)}
        log.info("%s: %s", module.module, one_module.words(ends))
    return report


def rehearse(company: str, run_id: str, wish: Wish) -> Report:
    """What an undo would do: all of it is done, and rolled back."""
    run = run_of(company, run_id)
    with database.connect() as connection:
        database.require_current(connection)
        with connection.transaction(force_rollback=True):
            plan = _plan(connection, run, wish)
            runs.start(connection, run, wish.trigger, wish.started_by, "undo")
            _undo(connection, plan, wish)
            runs.finish(connection, run)
            return _report(connection, plan)


def preview(company: str, run_id: str, wish: Wish) -> None:
    """What an undo would do, kept as the activity of a preview: the same, without the lease, in a
    transaction of which nothing stays. Raises `UndoImpossible` where nothing can be undone."""
    run = run_of(company, run_id)
    with running.ended(company, run_id, "preview"), database.connect() as connection:
        database.require_current(connection)
        runs.start(connection, run, wish.trigger, wish.started_by, "preview")
        with noted(connection, run, "preview"):
            plan = _plan(connection, run, wish)
            would_begin(connection, run, plan.undone, plan.modules)
            rehearsing.rehearse(run, partial(_rehearse, plan))


def _rehearse(plan: _Plan, inside: Connection[Any]) -> list[str]:
    begin(inside, plan.bringing.run, plan.undone, plan.modules)
    rehearsing.take_turn(inside, plan.bringing)
    for module in plan.modules:
        with rehearsing.whole(inside):
            _undo_rows(inside, plan, module)
    return plan.modules


def _undo(connection: Connection[Any], plan: _Plan, wish: Wish) -> None:
    run = plan.bringing.run
    with noted(connection, run, "begin"), connection.transaction():
        runs.take_lease(connection, run)
        if wish.previewed:
            answers.follow(connection, run, "undo", wish.previewed)
        begin(connection, run, plan.undone, plan.modules)
    for module in plan.modules:
        with noted(connection, run, f"{module}.undo"):
            _undo_module(connection, plan, module)


def _finish(run: Run) -> None:
    """End the undo on a connection of its own, since its other one may be what failed."""
    with database.connect() as connection:
        runs.finish(connection, run)


def _plan(connection: Connection[Any], run: Run, wish: Wish) -> _Plan:
    company = companies.load_one(companies.INCLUDE / "companies", run.company)
    undone = find(connection, run, wish.undone)
    known = runs.mappings(connection, Run(run.company, run.realm, wish.undone))
    modules = _modules(undone, load_order(known), wish)
    require_images(undone, modules)
    _require_found(connection, run, undone, {module: known[module] for module in modules})
    bringing = Bringing(run, company, known)
    before = Run(run.company, run.realm, wish.undone)
    rights.require_for_undo(connection, before, bringing.targets(connection, modules))
    hashes = {module: mapping.hash for module, mapping in known.items()}
    return _Plan(bringing, undone, modules, hashes | _in_force(connection, company))


def _require_found(
    connection: Connection[Any], run: Run, undone: Undone, known: dict[str, Mapping]
) -> None:
    """By another primary key than the run has left its records under, these would be others; and
    without the columns of company, parent and position nobody knows which they are."""
    moved = fitting.moved_keys(connection, known, runs.keys(connection, run))
    if told := [*moved, *fitting.unfound(connection, known)]:
        raise UndoImpossible(
            f"Run {undone.run_id} cannot be undone, since its records cannot be told from others "
            f"any more. Nothing was undone: {' '.join(told)} Give the table back what it had; "
            "other modules can be undone with --module."
        )


def _in_force(connection: Connection[Any], company: Company) -> dict[str, str]:
    """What the mappings in force are known by; where these cannot be read, an undo goes by those of
    the run."""
    try:
        known = in_force.for_loads(connection, company)
    except (MappingError, SettingsError):
        return {}
    return {module: mapping.hash for module, mapping in known.items()}


def _modules(undone: Undone, order: list[str], wish: Wish) -> list[str]:
    """The modules to undo, those that refer to others before these; to do again, after them."""
    unknown = sorted(set(wish.modules) - set(undone.modules))
    if unknown:
        raise UndoImpossible(
            f"Run {undone.run_id} has not loaded {', '.join(unknown)}, only "
            f"{', '.join(m for m in order if m in undone.modules)}. Nothing was undone."
        )
    taken = [m for m in order if m in (wish.modules or undone.modules)]
    return taken if undone.again else taken[::-1]


@again_after_deadlock
def _undo_module(connection: Connection[Any], plan: _Plan, module: str) -> None:
    attempt = runs.attempt(connection, plan.bringing.run, f"{module}.undo")
    with alive(attempt), connection.transaction():
        attempt.require(connection)
        _undo_rows(connection, plan, module)


def _undo_rows(connection: Connection[Any], plan: _Plan, module: str) -> None:
    """Undo a module, unless an earlier try of the same run has: its activity says so."""
    bringing, run = plan.bringing, plan.bringing.run
    if runs.has_activity(connection, run, module):
        return
    with catalog.once(connection, bringing.beside(module)):
        target = one_module.target(connection, bringing.known[module], bringing.company)
        pointing = tuple(bringing.referring(connection, module))
    position = runs.position(connection, run.realm, module)
    hash_in_force = plan.in_force[module]
    undo.undo(connection, Undo(run, plan.undone, target, pointing, position, hash_in_force))


def _report(connection: Connection[Any], plan: _Plan) -> Report:
    run = plan.bringing.run
    found = activity.run(connection, run.realm, run.run_id)
    if found is None:
        raise SyncFailed(f"Run {run.run_id} has left no activity.")
    kept = {m.module: list(_kept(connection, run, m.module)) for m in found.counts if m.kept}
    return Report(found, kept, plan.undone.again)


def _kept(connection: Connection[Any], run: Run, module: str) -> Iterator[activity.Row]:
    after = ("", "")
    while page := activity.rows(connection, run.realm, run.run_id, module, "kept", after):
        yield from page
        after = (page[-1].id, page[-1].entity)
