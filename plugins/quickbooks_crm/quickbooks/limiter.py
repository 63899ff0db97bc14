"""Turns to call QuickBooks: Intuit's limits and the month's budget hold over all processes.

A turn is taken from the database before a request and ended after it, one short statement each.
No lock is held between the two.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any, Protocol

import psycopg
from psycopg import Connection

from quickbooks_crm.errors import BudgetSpent, DatabaseFailed
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.transport import BoundedSession
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

IN_FLIGHT = 10
# The first is 10 a second with room for requests that reach QuickBooks late and thus closer
# together; the second leaves a few of the 500 a minute for others who use the same company.
WINDOWS = ((10, timedelta(seconds=1.25)), (480, timedelta(seconds=60)))
LONGEST = timedelta(seconds=BoundedSession.deadline + 30)
"""After this a request is over, whatever became of the process that sent it."""


class Outcome(Enum):
    """What a request has cost."""

    BILLED = "billed"
    FREE = "free"
    UNSENT = "unsent"


@dataclass
class Turn:
    """One request on its way; whoever does not know what became of it leaves it billed."""

    outcome: Outcome = Outcome.BILLED


class Limits(Protocol):
    """Who says when a request may start, and writes down that it did."""

    def turn(self, purpose: str) -> AbstractContextManager[Turn]:
        """Wait until one more request may start; the block is that request.

        Raises `BudgetSpent` when there may be none in this month.
        """


class SharedLimits:
    """Intuit's limits for a company, and its app's budget, shared with all other processes.

    The calls are on the account of `run_id`, empty for calls by hand. The connection to the
    database is opened with the first call.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection[Any]]],
        settings: Settings,
        run_id: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._settings = settings
        self._run_id = run_id
        self._pause = pause
        self._in_flight = threading.BoundedSemaphore(IN_FLIGHT)
        self._first_in_line = threading.Lock()
        self._using = threading.Lock()
        self._connection: Connection[Any] | None = None
        self._opened = ExitStack()
        # Whoever forgets to close leaves no connection behind.
        weakref.finalize(self, self._opened.close).atexit = False

    @contextmanager
    def turn(self, purpose: str) -> Iterator[Turn]:
        """As `Limits` says."""
        with self._in_flight:
            number = self._begun(purpose)
            turn = Turn()
            try:
                yield turn
            finally:
                self._end(number, turn.outcome)

    def close(self) -> None:
        """Close the connection; a later turn opens another."""
        with self._using:
            self._forget_connection()

    def _begun(self, purpose: str) -> int:
        """The number of a turn. Only one thread asks and waits at a time."""
        with self._first_in_line:
            while True:
                turn, wait, spent, month = self._asked_for_turn(purpose)
                if turn is not None:
                    return int(turn)
                if wait is None:
                    raise _all_spent(self._settings, spent, month)
                self._pause(wait)

    def _asked_for_turn(self, purpose: str) -> tuple[Any, ...]:
        values = {
            "realm": self._settings.realm,
            "client_id": self._settings.client_id,
            "run_id": self._run_id,
            "purpose": purpose,
            "budget": self._settings.budget,
            "in_flight": IN_FLIGHT,
            "longest": LONGEST,
            "counts": [count for count, _ in WINDOWS],
            "spans": [span for _, span in WINDOWS],
        }
        try:
            return self._asked("begin", values)
        except psycopg.OperationalError:
            # It was idle while QuickBooks answered, and has been lost since. A new one may work.
            return self._asked("begin", values)

    def _end(self, number: int, outcome: Outcome) -> None:
        try:
            self._asked("end", {"turn": number, "outcome": outcome.value})
        except (psycopg.Error, DatabaseFailed) as error:
            # QuickBooks' answer is worth more. The turn ends by itself later, and stays billed.
            log.warning("The end of a QuickBooks call was not noted: %s", type(error).__name__)

    def _asked(self, statement: str, values: dict[str, Any]) -> tuple[Any, ...]:
        with self._using:
            try:
                if self._connection is None:
                    self._connection = self._opened.enter_context(self._connect())
                row = self._connection.execute(statements("calls")[statement], values).fetchone()
            except psycopg.Error:
                self._forget_connection()
                raise
        return row or ()

    def _forget_connection(self) -> None:
        self._connection = None
        self._opened.close()


def _all_spent(settings: Settings, spent: int, month: date) -> BudgetSpent:
    until = (month + timedelta(days=31)).replace(day=1)
    return BudgetSpent(
        f"The QuickBooks app whose client id ends in '{settings.client_id[-4:]}' has used "
        f"{spent:,} calls in {month:%B %Y}, of {settings.monthly_calls:,} that it may. Nothing is "
        f"called before {until} 00:00 UTC, and the first run after that goes on from here. If "
        "Intuit's plan allows more, raise Calls a month in the connections of all companies with "
        "this app (Admin > Connections)."
    )
