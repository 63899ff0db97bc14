"""A whole replay or retry: records are brought in again from what the mirror has, without a call to
QuickBooks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import database, replay, retry, running, runs, stand_ins
from quickbooks_crm.failures import noted
from quickbooks_crm.judge import STRICT, TO_A_MAPPING, Lenience
from quickbooks_crm.running import Request, again_after_deadlock, run_of
from quickbooks_crm.runs import Attempt, Run

EXPECTED = {"replay": Lenience(TO_A_MAPPING)}
"""What a person expects who asks for a run of this kind."""


def replay_all(company: str, run_id: str, request: Request) -> None:
    """Bring all that the mirror has to the mappings in force. Raises what stopped it; then another
    goes on where it was."""
    _again(run_of(company, run_id), request, "replay", replay.bring)


def retry_held(company: str, run_id: str, request: Request, reasons: Sequence[str] = ()) -> None:
    """Try again what is held back. Raises what stopped it."""
    bring = partial(retry.bring, reasons=reasons)
    _again(run_of(company, run_id), request, "retry", bring, reasons)


def _again(
    run: Run,
    request: Request,
    kind: str,
    bring: Callable[..., None],
    reasons: Sequence[str] = (),
) -> None:
    """Bring modules in again; a breaker of one module stops no other."""
    with running.completed(run.company, run.run_id, kind):
        modules = running.settle(run, request, kind)
        with database.connect() as connection:
            runs.asked_for_by(connection, run, None, reasons)
            _refresh_stand_ins(connection, run)
            runs.will_load(connection, run, modules, {})
        running.each(modules, partial(_bring_again, run, EXPECTED.get(kind, STRICT), bring))


def _refresh_stand_ins(connection: Connection[Any], run: Run) -> None:
    with noted(connection, run, "stand_ins"):
        attempt = runs.attempt(connection, run, "stand_ins")
        stand_ins.refresh(connection, attempt, runs.mappings(connection, run))


def _bring_again(run: Run, lenience: Lenience, bring: Callable[..., None], module: str) -> None:
    task = f"{module}.load"
    with database.connect() as connection, noted(connection, run, task):
        bringing = running.bringing(connection, run, lenience)
        attempt = runs.attempt(connection, run, task)
        writing = partial(_writing, connection, attempt)
        again_after_deadlock(bring)(connection, bringing, module, writing)


@contextmanager
def _writing(connection: Connection[Any], attempt: Attempt) -> Iterator[None]:
    """A transaction in which this try may write."""
    attempt.renew(connection)
    with connection.transaction():
        attempt.require(connection)
        yield
