"""Counts what is asked of the database, on every connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent until the block ends."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def told(self: psycopg.Cursor[Any], query: Any, *rest: Any, **words: Any) -> Any:
        sent.append(query if isinstance(query, str) else str(query))
        return execute(self, query, *rest, **words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", told)
        yield sent
