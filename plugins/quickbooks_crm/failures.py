"""Why a task failed, noted on its run: whoever looks at the run must find it there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from quickbooks_crm import breakers, database, runs
from quickbooks_crm.errors import BreakerTripped, DatabaseFailed, QuickBooksCrmError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.runs import Run

log = logging.getLogger(__name__)


@contextmanager
def noted(connection: Connection[Any], run: Run, task: str) -> Iterator[None]:
    """Note on the run why a task failed; take the note off when a later try succeeds. What the
    database itself raises becomes a `DatabaseFailed`."""
    try:
        yield
    except QuickBooksCrmError as error:
        _note(run, task, error)
        raise
    except psycopg.Error as error:
        failure = database.failure(error)
        _note(run, task, failure)
        raise failure from None  # the database's own words may hold customer data
    runs.recovered(connection, run, task)


def block(
    connection: Connection[Any],
    run: Run,
    known: dict[str, Mapping],
    failed: dict[str, QuickBooksCrmError],
) -> dict[str, str]:
    """Note the modules that cannot be loaded since an entity of theirs could not be read: each with
    a sentence that says why. What is only looked up in an entity stops no module."""
    for error in failed.values():
        if isinstance(error, BreakerTripped):
            breakers.note(connection, run, error.danger)
    reasons = {}
    for module, mapping in known.items():
        missing = [entity for entity in mapping.entities if entity in failed]
        if missing:
            reasons[module] = " ".join(_sentence(entity, failed[entity]) for entity in missing)
    runs.block(connection, run, reasons)
    _warn_of_names(connection, run, known, failed)
    return reasons


def _warn_of_names(
    connection: Connection[Any],
    run: Run,
    known: dict[str, Mapping],
    failed: dict[str, QuickBooksCrmError],
) -> None:
    for entity, error in failed.items():
        showing = [
            m.module for m in known.values() if entity in m.reads and entity not in m.entities
        ]
        if showing:
            said = (
                f"{_sentence(entity, error)} What {', '.join(showing)} show of it is as it was "
                "known before."
            )
            runs.warn(connection, run, f"looked_up.{entity}", said)


def _sentence(entity: str, error: QuickBooksCrmError) -> str:
    told = "" if isinstance(error, BreakerTripped) else f"{entity} could not be read: "
    return f"{told}{error}"


def _note(run: Run, task: str, error: QuickBooksCrmError) -> None:
    """On a connection of its own, since the task's may be what failed."""
    try:
        with database.connect() as connection:
            runs.failed(connection, run, task, error)
            if isinstance(error, BreakerTripped):
                breakers.note(connection, run, error.danger)
    except (psycopg.Error, DatabaseFailed):
        log.warning("%s failed, and that could not be noted in the CRM database", task)
