"""Names and texts with a `%` in statements that have parameters.

psycopg reads such a statement for its parameters after names and texts have been filled in, so a
column `Discount %` would begin one. Its way out is to write `%%`, but only where parameters are
given: whether they are is known when the statement is executed, and so it is done there.
"""

from typing import Any

from psycopg import Connection, Cursor, ServerCursor, sql


class _Cursor(Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **others: Any) -> Any:
        return super().execute(_fit(query, params, self), params, **others)


class _ServerCursor(ServerCursor[Any]):
    def execute(self, query: Any, params: Any = None, **others: Any) -> Any:
        return super().execute(_fit(query, params, self), params, **others)


def take_any_name(connection: Connection[Any]) -> None:
    """Let the connection's statements hold names and texts with a `%`."""
    connection.cursor_factory = _Cursor
    connection.server_cursor_factory = _ServerCursor


def _fit(query: Any, params: Any, cursor: Cursor[Any] | ServerCursor[Any]) -> Any:
    return query if params is None else _doubled(query, cursor)


def _doubled(query: Any, cursor: Cursor[Any] | ServerCursor[Any]) -> Any:
    """The statement with every `%` doubled in what was filled in, none in what our files say."""
    if isinstance(query, sql.Composed):
        return sql.Composed([_doubled(part, cursor) for part in query])
    if isinstance(query, sql.Identifier | sql.Literal):
        return sql.SQL(query.as_string(cursor).replace("%", "%%"))
    return query
