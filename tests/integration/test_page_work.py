"""How much of the database a page reads: what it shows, and not what there is."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from benchmarks import pages
from benchmarks.pages import Asked, every_page, fill
from tests.integration import counting

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

ROWS = 60_000
COUNTED = 10_001
"""So many rows are counted at most: a table must have more for it to show that not all are read."""

MOST = 40
"""So many statements make a page at most: a page that asks table by table needs many more."""

READ = "SELECT relid::regclass::text, n_live_tup, seq_tup_read FROM pg_stat_user_tables"


def test_no_page_reads_a_table_from_end_to_end_or_asks_for_each_thing_apart(
    connection: psycopg.Connection[Any],
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", pages.quickbooks())
    signed_in_as("admin")
    _filled(connection)

    def get(asked: Asked) -> httpx.Response:
        return anonymous.get(asked.address, headers=asked.headers)

    read, asked_of_database = {}, {}
    for asked in every_page(get, ROWS):
        before = _read(connection)
        with counting.statements() as sent:
            assert get(asked).status_code == 200, asked
        after = _read(connection)
        read |= {(str(asked), name): after[name] - before[name] for name in after}
        asked_of_database[str(asked)] = len(sent)

    rows = _rows(connection)
    whole = {of: count for of, count in read.items() if count >= max(rows[of[1]], COUNTED)}
    assert len(read) > 1000
    assert whole == {}
    assert {page: many for page, many in asked_of_database.items() if many > MOST} == {}


def _filled(connection: psycopg.Connection[Any]) -> None:
    fill(connection, ROWS)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")


def _read(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows were ever read of each table without an index."""
    _wait_for_others(connection)
    return {name: read for name, _, read in connection.execute(READ).fetchall()}


def _rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return {name: rows for name, rows, _ in connection.execute(READ).fetchall()}


def _wait_for_others(connection: psycopg.Connection[Any]) -> None:
    """Until the page's connection has ended: what it read is told then."""
    others = (
        "SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        "   AND backend_type = 'client backend'"
    )
    while connection.execute(others).fetchone() is not None:
        time.sleep(0.005)
