"""A whole comparison: every entity with QuickBooks, then every module with the CRM, then, where
asked for, the seal of the repair."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import Connection

from quickbooks_crm import breakers
from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import (
    BreakerTripped,
    QuickBooksCrmError,
    QuickBooksRefused,
    QuickBooksUnavailable,
    RunError,
)
from quickbooks_crm.reconcile import report, with_crm, with_quickbooks
from quickbooks_crm.reconcile.mirror_side import MirrorSide
from quickbooks_crm.reconcile.report import Report
from quickbooks_crm.reconcile.with_quickbooks import Source
from quickbooks_crm.runs import Attempt, Run
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What is asked for: to compare every record, and to repair what differs; and when its
    breakers trip."""

    everything: bool = False
    repair: bool = False
    limits: Thresholds = field(default_factory=Thresholds)


def begin(connection: Connection[Any], run: Run) -> None:
    """Let the run have compared nothing yet."""
    connection.execute(statements("reconcile")["forget_all"], asdict(run))


def compare(
    connection: Connection[Any],
    quickbooks: Source,
    attempt: Attempt,
    modules: Iterable[tuple[Target, int]],
    wish: Wish,
) -> Report:
    """Compare, and record what differs; `modules` are targets, each with the generation it has
    loaded. What QuickBooks changed without saying so is taken over, for the next sync to load.

    An entity that cannot be compared stops no other one; when all is done, raises why: then a next
    try compares only what is left. A repair is whole by then, as far as it got.
    """
    modules = list(modules)
    _nothing_to_load(connection, attempt)
    generation = _new_generation(connection, attempt)
    entities = {entity for target, _ in modules for entity in target.mapping.reads}
    problems: list[QuickBooksCrmError] = []
    for entity in sorted(entities - _done(connection, attempt)):
        repair = wish.limits if wish.repair else None
        mirror = MirrorSide(connection, attempt, entity, generation, repair)
        try:
            with_quickbooks.compare(quickbooks, mirror, entity, wish.everything)
        except (QuickBooksUnavailable, QuickBooksRefused, BreakerTripped) as problem:
            log.warning("%s was not compared with QuickBooks", entity)
            problems.append(problem)
    connection.execute(statements("reconcile")["statistics"])
    for target, position in modules:
        with_crm.compare(connection, attempt, target, position)
    _end(connection, attempt, generation, wish)
    _stop_for(connection, attempt.run, problems)
    return _found(connection, attempt)


def _nothing_to_load(connection: Connection[Any], attempt: Attempt) -> None:
    """Leave what extract found to the next sync: it is not this run that lacks it."""
    with connection.transaction():
        attempt.require(connection)
        connection.execute(statements("reconcile")["nothing_to_load"], asdict(attempt))


def _new_generation(connection: Connection[Any], attempt: Attempt) -> int:
    """Under which the mirror is to have what is put right in it."""
    with connection.transaction():
        attempt.require(connection)
        row = connection.execute(
            statements("reconcile")["new_generation"], asdict(attempt)
        ).fetchone()
    return row[0] if row else 0


def _done(connection: Connection[Any], attempt: Attempt) -> set[str]:
    """The entities that an earlier try of this task has compared."""
    return {e for (e,) in connection.execute(statements("reconcile")["done"], asdict(attempt))}


def _end(connection: Connection[Any], attempt: Attempt, generation: int, wish: Wish) -> None:
    """Give the next sync all that was put right, and, in a repair, what is wrong in the CRM."""
    with connection.transaction():
        attempt.require(connection)
        where = asdict(attempt) | {"generation": generation}
        blocks = statements("reconcile")
        if wish.repair:
            pass_over = statements("stand_ins")["pass_over"].format(again=blocks["strayed_records"])
            connection.execute(pass_over, where)
            connection.execute(blocks["load_again"], where)
        connection.execute(statements("runs")["seal_generation"], where)


def _stop_for(
    connection: Connection[Any], run: Run, problems: Sequence[QuickBooksCrmError]
) -> None:
    if len(problems) == 1:
        raise problems[0]
    for problem in problems:
        if isinstance(problem, BreakerTripped):
            breakers.note(connection, run, problem.danger)
    said = "\n".join(map(str, problems))
    if any(isinstance(problem, QuickBooksUnavailable) for problem in problems):
        raise QuickBooksUnavailable(said)
    if problems:
        raise QuickBooksRefused(said)


def _found(connection: Connection[Any], attempt: Attempt) -> Report:
    found = report.read(connection, attempt.realm, attempt.run_id)
    if found is None:
        raise RunError(f"Run {attempt.run_id} has no module to compare. Ask for one.")
    return found
