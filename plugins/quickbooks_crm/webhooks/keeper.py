"""A way to the database for code that may not wait: one connection, used by a thread of its own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from quickbooks_crm import database
from quickbooks_crm.errors import DatabaseFailed, QuickBooksCrmError
from quickbooks_crm.sql import statements

WITHIN = 2.5
"""Seconds for one piece of work, its waiting included: Intuit waits three for an answer."""
AFTER_A_FAILURE = 1.0
"""Seconds in which no new connection is tried: every delivery would wait for it."""
NOT_NOW = (psycopg.Error, QuickBooksCrmError, TimeoutError)
"""What may pass by itself."""

T = TypeVar("T")
Connect = Callable[[], AbstractContextManager[Connection[Any]]]


def briefly() -> AbstractContextManager[Connection[Any]]:
    """The CRM database, with little patience."""
    return database.connect(timeout=2)


class Keeper:
    """Does work on the database, a piece at a time. Raises one of `NOT_NOW` when that cannot be."""

    def __init__(self, connect: Connect = briefly) -> None:
        self._connect = connect
        self._lane = _Lane(connect)

    async def do(self, work: Callable[[Connection[Any]], T]) -> T:
        """What the work gives, within `WITHIN` seconds; work given up on may still be done."""
        lane = self._lane
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WITHIN):
                return await loop.run_in_executor(lane.thread, lane.do, work)
        except TimeoutError:
            if self._lane is lane:  # a connection nobody answers on would hold up all that follow
                lane.abandon()
                self._lane = _Lane(self._connect)
            raise

    def close(self) -> None:
        """Close the connection when the work under way has ended."""
        self._lane.abandon()


class _Lane:
    """A thread and its connection."""

    def __init__(self, connect: Connect) -> None:
        self.thread = ThreadPoolExecutor(1, "webhooks")
        self._connect = connect
        self._opened: Connection[Any] | None = None
        self._closing = ExitStack()
        self._not_before = 0.0

    def do(self, work: Callable[[Connection[Any]], T]) -> T:
        if time.monotonic() < self._not_before:
            raise DatabaseFailed("The CRM database did not answer a moment ago")
        try:
            return work(self._connection())
        except (psycopg.OperationalError, DatabaseFailed):
            self._not_before = time.monotonic() + AFTER_A_FAILURE
            self._close()
            raise

    def _connection(self) -> Connection[Any]:
        if self._opened is None:
            self._opened = self._closing.enter_context(self._connect())
            brief = statements("webhooks")["only_briefly"]
            self._opened.execute(brief, {"milliseconds": str(int(WITHIN * 1000))})
        return self._opened

    def abandon(self) -> None:
        """Take no more work; the connection is closed after what is under way."""
        self.thread.submit(self._close)
        self.thread.shutdown(wait=False)

    def _close(self) -> None:
        self._opened = None
        with suppress(psycopg.Error):  # it may be broken, which is why it is closed
            self._closing.close()
