"""Signs of life while a task waits, which it does longer than it writes: QuickBooks may take
minutes to answer, and may ask for a minute without calls."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from quickbooks_crm import database, runs
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.runs import Attempt

log = logging.getLogger(__name__)

SIGNS = 4
"""Signs in the time after which a run without any has lost its lease."""
ENDS_WITHIN = 5
"""Seconds that the end of a task waits for a sign that is under way."""


@contextmanager
def alive(attempt: Attempt) -> Iterator[None]:
    """Until the block ends, or this process does, show that a try is alive: through a connection of
    its own, and not before the first sign is due. A process that is stopped shows none."""
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(attempt, ended), name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(ENDS_WITHIN)


def _show(attempt: Attempt, ended: threading.Event) -> None:
    pause = runs.SILENCE.total_seconds() / SIGNS
    while not ended.wait(pause):
        try:
            with database.connect() as connection:
                attempt.renew(connection)
                while not ended.wait(pause):
                    attempt.renew(connection)
        except (psycopg.Error, QuickBooksCrmError) as error:
            log.warning("A sign of life was not noted: %s", type(error).__name__)
