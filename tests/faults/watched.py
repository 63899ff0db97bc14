"""Something to happen right before a chosen statement reaches Postgres."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from quickbooks_crm import database


def before_each_statement(patch: pytest.MonkeyPatch, act: Callable[[str], object]) -> None:
    """Call `act` with every statement that the project is about to send."""

    class Watched(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **how: Any) -> Any:
            act(_text(query))
            return super().execute(query, *values, **how)

        def copy(self, statement: Any, *values: Any, **how: Any) -> Any:
            act(_text(statement))
            return super().copy(statement, *values, **how)

    really = database.connect

    @contextmanager
    def connect(*how: Any) -> Iterator[psycopg.Connection[Any]]:
        with really(*how) as connection:
            connection.cursor_factory = Watched
            yield connection

    patch.setattr(database, "connect", connect)


def _text(query: Any) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string()
    return query.decode() if isinstance(query, bytes) else query
