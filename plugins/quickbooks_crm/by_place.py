"""Reads what was just staged in the order in which it lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from quickbooks_crm.sql import statements


@contextmanager
def by_place(connection: Connection[Any]) -> Iterator[None]:
    """Let statements read many rows in the order in which they lie, not in that of their keys. Be
    inside a transaction."""
    connection.execute(statements("by_place")["on"])
    yield
    connection.execute(statements("by_place")["off"])
