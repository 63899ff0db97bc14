"""A receiver, and what it has kept in the database of a company that reads customers."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.integration.receiving import Receiving, keeper, receiving
from tests.integration.runs import NOON, REALM, started


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    """Where the company is known, and reads customers."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO sync.lease (realm, company) VALUES (%s, 'sample')", [REALM])
        connection.execute(
            "INSERT INTO sync.entity_position VALUES (%s, 'Customer', now(), now())", [REALM]
        )
        started(connection, "the last sync", started_at=NOON)
        yield connection


@pytest.fixture
def receiver(database: Connection[Any], database_url: str) -> Iterator[Receiving]:
    with receiving(keeper(database_url)) as receiver:
        yield receiver


def stored(database: Connection[Any]) -> list[str]:
    """The ids of the records that events were kept of."""
    return [id for (id,) in database.execute("SELECT id FROM sync.webhook_event ORDER BY id")]


def unread(database: Connection[Any]) -> list[tuple[int, str]]:
    return database.execute("SELECT bytes, reason FROM sync.webhook_unread").fetchall()


def counts(database: Connection[Any]) -> dict[str, int]:
    return dict(database.execute("SELECT what, count FROM sync.webhook_count").fetchall())
