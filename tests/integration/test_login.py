"""What the server and the settings of the login decide never harms a sync, or is told before it."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import database
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    End,
    item,
    load_rows,
    mirror,
    products,
    ready,
    rows,
    stage_rows,
    sync,
)

# ── names ───────────────────────────────────────────────────────────────────────────────────


def test_a_table_of_the_crm_with_the_name_of_a_temporary_one_stays(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE TABLE public.comparing AS SELECT 'precious' AS held")

    ended = sync(connection, products(), item("7"))

    assert ended == [End("7", "added")]
    assert rows(connection, "SELECT held FROM public.comparing") == [("precious",)]


def test_no_statement_drops_a_table_that_may_be_the_crms() -> None:
    dropped = [
        line.strip()
        for file in database.HERE.glob("*.sql")
        for line in file.read_text().splitlines()
        if line.strip().startswith("DROP TABLE")
    ]

    assert dropped
    assert [line for line in dropped if "pg_temp." not in line] == []


def test_temporary_tables_come_first_whatever_the_search_path(crm: str) -> None:
    with psycopg.connect(crm, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA own")
        owner.execute("CREATE TABLE own.incoming (theirs int)")
    with database.connect() as before:
        _always(before, "search_path", "own, public, pg_temp")

    with database.connect() as connection:
        ended = sync(connection, products(), item("7"))
        path = rows(connection, "SHOW search_path")

    assert ended == [End("7", "added")]
    assert path == [("own, public",)]


# ── limits ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "limit",
    [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    ],
)
def test_a_limit_that_the_server_sets_for_the_login_stops_no_long_work(
    crm: str, limit: str
) -> None:
    with database.connect() as before:
        _always(before, limit, "10000")

    with database.connect() as connection:
        assert rows(connection, f"SHOW {limit}") == [("0",)]


def test_a_rehearsal_stays_impatient_while_it_loads(connection: Connection[Any]) -> None:
    ready(connection)
    run, known = Run("sample", REALM, "run-1"), products()
    mirror(connection, run, item("7"))
    stage_rows(connection, run, known["products"])

    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '10s'")
        load_rows(connection, run, known, "products")
        waits = rows(connection, "SHOW lock_timeout")

    assert waits == [("10s",)]


@pytest.mark.parametrize("asked", [database.require_current, database.migrate])
def test_a_login_that_may_only_read_is_told_so(crm: str, asked: Any) -> None:
    with database.connect() as before:
        _always(before, "default_transaction_read_only", "on")

    with database.connect() as connection, pytest.raises(SettingsError) as told:
        asked(connection)

    assert str(told.value) == (
        "The login of the Airflow connection 'crm' may only read: default_transaction_read_only is "
        "on. Turn it off for this login: ALTER ROLE ... SET default_transaction_read_only = off."
    )


def _always(connection: Connection[Any], setting: str, value: str) -> None:
    """Set it for every later connection to this database."""
    name = connection.info.dbname
    connection.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}'.encode())
