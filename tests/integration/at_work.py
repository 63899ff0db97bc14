"""Runs at work for a company, as their tasks begin them, and how one falls silent."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.runs import Run
from tests.acceptance.kept_in_step import Kept, kept_in_step

REALM = "9341452000000001"
FIRST, SECOND = Run("sample", REALM, "run-1"), Run("sample", REALM, "run-2")
OTHER_COMPANY = Run("other", "9341452000000002", "run-1")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def second_connection(database_url: str) -> Iterator[Connection[Any]]:
    """Another process; it does not wait long for locks."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '2s'")
        yield connection


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=12, items=4) as company:
        yield company


def begun(connection: Connection[Any], run: Run) -> None:
    runs.start(connection, run, "manual", None)
    runs.take_lease(connection, run)


def fell_silent(connection: Connection[Any]) -> None:
    """Let the last sign of life of every run be three minutes old."""
    for statement in (
        "UPDATE sync.lease SET taken_at = now() - interval '3 minutes'",
        "UPDATE sync.attempt SET renewed_at = now() - interval '3 minutes'",
        "UPDATE sync.run SET started_at = now() - interval '3 minutes'",
    ):
        connection.execute(statement)


def state(kept: Kept, run_id: str) -> str:
    return kept.run(run_id).state
