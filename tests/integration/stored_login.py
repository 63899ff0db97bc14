"""A company's stored login, looked at and changed behind its back."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from quickbooks_crm.quickbooks.settings import Settings
from simulator import Simulator
from tests.integration.connected import Key, company, store_for

KEY = Key()


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    """Intuit at its strictest: every use gives a new refresh token, an old one ends the login."""
    with company(customers=1, items=1, rotation="every_use", reuse="kill_family") as simulated:
        yield simulated


def row(connection: Connection[Any]) -> dict[str, Any]:
    connection.rollback()
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM sync.token").fetchone() or {}


def change(connection: Connection[Any], assignment: str, **values: Any) -> None:
    connection.execute(f"UPDATE sync.token SET {assignment}".encode(), values)
    connection.commit()


def expire(connection: Connection[Any]) -> None:
    change(connection, "access_expires_at = now()")


def logins(quickbooks: Simulator) -> list[int]:
    return [call.status for call in quickbooks.calls if call.kind == "token"]


def ask(database_url: str, known: Settings, key: Key) -> str:
    """What one process of many does."""
    return store_for(database_url, known, key).access_token()
