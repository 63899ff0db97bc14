"""The CRM database, as the pages reach it: with little patience, and for reading or for writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from quickbooks_crm import catalog, database
from quickbooks_crm.sql import statements

PATIENCE = "5000"
"""Milliseconds for which a page waits for one answer of the database."""

FOR_OTHERS = "3000"
"""The same, for others that write to the same rows, where Intuit is asked meanwhile."""


@contextmanager
def reading() -> Iterator[Connection[Any]]:
    """One moment of the database, in which nothing can be changed."""
    with database.connect(timeout=2) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            _be_patient(connection)
            with catalog.once(connection):
                yield connection


@contextmanager
def writing() -> Iterator[Connection[Any]]:
    """A transaction that is kept as a whole when the block ends, or not at all."""
    with database.connect(timeout=2) as connection, connection.transaction():
        _be_patient(connection)
        yield connection


@contextmanager
def with_others() -> Iterator[Connection[Any]]:
    """For what waits for Intuit meanwhile: every statement is kept by itself, and none waits long
    for others."""
    with database.connect(timeout=2) as connection:
        patience = {"milliseconds": PATIENCE, "for_others": FOR_OTHERS}
        connection.execute(statements("consent")["patience"], patience)
        yield connection


def _be_patient(connection: Connection[Any]) -> None:
    connection.execute(statements("activity")["patience"], {"milliseconds": PATIENCE})
