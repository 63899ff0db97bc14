"""Migrations: all or nothing, once each, never edited, never run by an older version."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from demo import ports
from demo.postgres import Server
from quickbooks_crm import database
from quickbooks_crm.errors import DatabaseFailed, SchemaOutdated, SettingsError

CRM = Path(__file__).resolve().parents[2] / "include" / "crm"


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database with nothing in it."""
    name = f"empty_{os.getpid()}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def connection(url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of two small migrations, in place of the project's."""
    monkeypatch.setattr(database, "HERE", tmp_path)
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE sync.first (n int);")
    (folder / "0002_second.sql").write_text("CREATE TABLE sync.second (n int);")
    database._migrations.cache_clear()
    yield folder
    database._migrations.cache_clear()


def written(migrations: Path, name: str, statements: str) -> None:
    (migrations / f"{name}.sql").write_text(statements)
    database._migrations.cache_clear()


def tables(connection: Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables"
        " WHERE schemaname IN ('sync', 'quickbooks', 'crm') ORDER BY 1"
    )
    return [row[0] for row in rows]


def test_calls_counted_before_there_was_a_ledger_are_kept(connection: Connection[Any]) -> None:
    for name in ("0001_mirror_and_sync", "0002_what_a_run_tells"):
        connection.execute(database._migrations()[name].encode())
    connection.execute(
        "INSERT INTO sync.run (realm, run_id, company, trigger, started_at, api_calls) VALUES"
        " ('1', 'old', 'sample', 'manual', '2026-03-31 23:30-01', 7),"
        " ('1', 'quiet', 'sample', 'manual', now(), 0)"
    )

    connection.execute(database._migrations()["0003_calls"].encode())

    found = connection.execute("SELECT run_id, month::text, purpose, calls, metered FROM sync.call")
    assert found.fetchall() == [("old", "2026-04-01", "", 7, 0)]


def test_reasons_are_counted_also_for_runs_from_before_they_were(
    connection: Connection[Any],
) -> None:
    every = database._migrations()
    for name in filter("0042".__gt__, every):
        connection.execute(every[name].encode())
    connection.execute(
        "INSERT INTO sync.run (realm, run_id, company, trigger, started_at) VALUES"
        " ('1', 'old', 'sample', 'manual', now())"
    )
    connection.execute(
        "INSERT INTO sync.activity (realm, run_id, module, mapping_hash, mode, from_generation,"
        " to_generation, read, added, updated, unchanged, duplicate, not_added, excluded,"
        " deactivated, deleted, resolved)"
        " SELECT '1', 'old', module, '', 'merge', 0, 1, 4, 1, 0, 0, 0, 2, 1, 0, 0, 0"
        "   FROM unnest('{products,accounts}'::text[]) AS module"
    )
    connection.execute(
        "INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, reason, message)"
        " SELECT '1', 'old', 'products', 'Item', * FROM (VALUES"
        " ('2', 'not_added', 'invalid_value', 'Ann'), ('3', 'not_added', 'invalid_value', 'Bob'),"
        " ('4', 'excluded', 'excluded_by_mapping', 'Bundles.')) AS known"
    )

    connection.execute(every["0042_counted_reasons"].encode())

    found = connection.execute("SELECT reasons FROM sync.activity ORDER BY module").fetchall()
    invalid = {"outcome": "not_added", "reason": "invalid_value", "because": None, "count": 2}
    bundles = {"outcome": "excluded", "reason": "excluded_by_mapping", "because": "Bundles."}
    assert found == [([],), ([invalid, bundles | {"count": 1}],)]


def test_an_index_that_somebody_has_made_of_a_former_normal_form_stays_right(
    connection: Connection[Any],
) -> None:
    every = database._migrations()
    for name in filter("0067".__gt__, every):
        connection.execute(every[name].encode())
    connection.execute("CREATE SCHEMA own")
    connection.execute("CREATE TABLE own.things AS SELECT '555 0100 x' || n AS phone FROM"
                       " generate_series(1, 9) AS n")  # fmt: skip
    connection.execute("CREATE INDEX ON own.things (sync.normal_phone(phone))")

    connection.execute(every["0067_more_normal_forms"].encode())

    connection.execute("SET enable_seqscan = off")
    query = "SELECT phone FROM own.things WHERE sync.normal_phone(phone) = '55501007'"
    assert connection.execute(query).fetchall() == [("555 0100 x7",)]


def test_a_former_normal_form_of_which_nothing_is_made_is_gone(connection: Connection[Any]) -> None:
    database.migrate(connection)

    found = connection.execute("SELECT to_regproc('sync.normal_phone')").fetchone()

    assert found == (None,)


def test_a_new_database_gets_every_migration(connection: Connection[Any]) -> None:
    applied = database.migrate(connection)

    assert applied == sorted(file.stem for file in (database.HERE / "migrations").glob("*.sql"))
    assert applied[0] == "0001_mirror_and_sync"
    database.require_current(connection)
    assert {"quickbooks.record", "sync.run", "sync.link"} <= set(tables(connection))


def test_migrating_twice_changes_nothing(connection: Connection[Any]) -> None:
    database.migrate(connection)
    connection.execute("INSERT INTO sync.lease (realm) VALUES ('1')")
    before = tables(connection)

    assert database.migrate(connection) == []

    assert tables(connection) == before
    assert connection.execute("SELECT count(*) FROM sync.lease").fetchone() == (1,)


def test_only_what_is_missing_is_applied(connection: Connection[Any], migrations: Path) -> None:
    database.migrate(connection)
    written(migrations, "0003_third", "CREATE TABLE sync.third (n int);")

    assert database.migrate(connection) == ["0003_third"]


def test_a_run_does_not_begin_while_a_migration_is_missing(
    connection: Connection[Any], migrations: Path
) -> None:
    database.migrate(connection)
    written(migrations, "0003_third", "CREATE TABLE sync.third (n int);")

    with pytest.raises(SchemaOutdated) as stopped:
        database.require_current(connection)

    assert str(stopped.value) == (
        "The CRM database lacks 1 of this version's migrations, from 0003_third on. "
        "Run: python -m quickbooks_crm migrate"
    )


@pytest.mark.parametrize("act", [database.migrate, database.require_current])
def test_an_older_version_does_not_touch_a_newer_database(
    connection: Connection[Any], migrations: Path, act: Any
) -> None:
    database.migrate(connection)
    (migrations / "0002_second.sql").unlink()
    database._migrations.cache_clear()

    with pytest.raises(SchemaOutdated, match="has the migration 0002_second, which this version"):
        act(connection)


@pytest.mark.parametrize("act", [database.migrate, database.require_current])
def test_a_migration_that_was_edited_after_it_was_applied_is_refused(
    connection: Connection[Any], migrations: Path, act: Any
) -> None:
    database.migrate(connection)
    written(migrations, "0001_first", "CREATE TABLE sync.first (n bigint);")

    with pytest.raises(SchemaOutdated, match="0001_first differs from the one that was applied"):
        act(connection)


def test_a_migration_that_fails_half_way_leaves_nothing_of_any(
    connection: Connection[Any], migrations: Path
) -> None:
    written(migrations, "0003_third", "CREATE TABLE sync.third (n int); SELECT 1 / 0;")

    with pytest.raises(psycopg.errors.DivisionByZero):
        database.migrate(connection)

    assert tables(connection) == []


def test_after_a_failed_migration_the_mended_one_is_applied(
    connection: Connection[Any], migrations: Path
) -> None:
    database.migrate(connection)
    written(migrations, "0003_third", "CREATE TABLE sync.third (n int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        database.migrate(connection)

    written(migrations, "0003_third", "CREATE TABLE sync.third (n int);")

    assert database.migrate(connection) == ["0003_third"]


def test_two_who_migrate_at_once_take_turns(url: str, migrations: Path) -> None:
    written(migrations, "0003_slow", "SELECT pg_sleep(0.3); CREATE TABLE sync.third (n int);")
    applied: list[list[str]] = []

    def migrate() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            applied.append(database.migrate(connection))

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(applied) == [[], ["0001_first", "0002_second", "0003_slow"]]


def test_the_reference_crm_may_be_installed_again_and_keeps_what_people_changed(
    connection: Connection[Any],
) -> None:
    database.migrate(connection)
    database.install_crm(connection, CRM)
    database.add_companies(connection, CRM, {"sample": "Sample"})
    connection.execute("UPDATE crm.form_field SET label = 'Mine' WHERE column_name = 'name'")
    connection.execute("INSERT INTO crm.accounts (company_id, name) VALUES ('sample', 'Kept')")

    database.install_crm(connection, CRM)
    database.add_companies(connection, CRM, {"sample": "Renamed", "second": "Second"})

    assert connection.execute("SELECT name FROM crm.accounts").fetchall() == [("Kept",)]
    assert connection.execute(
        "SELECT DISTINCT label FROM crm.form_field WHERE column_name = 'name'"
    ).fetchall() == [("Mine",)]
    assert connection.execute("SELECT id, name FROM crm.companies ORDER BY id").fetchall() == [
        ("sample", "Renamed"),
        ("second", "Second"),
    ]


def test_every_statement_commits_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", url)

    with database.connect() as one, database.connect() as other:
        one.execute("CREATE TABLE told (n int)")

        assert other.execute("SELECT count(*) FROM told").fetchone() == (0,)


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = ports.free(59990)
    address = f"postgresql://somebody:pass-word@127.0.0.1:{port}/books"
    monkeypatch.setenv("AIRFLOW_CONN_CRM", address)

    with pytest.raises(DatabaseFailed) as stopped, database.connect():
        pass

    assert f"books at 127.0.0.1, port {port}, cannot be opened" in str(stopped.value)
    assert "pass-word" not in str(stopped.value)


def test_a_wrong_password_is_told_as_such(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", url.replace("@", "0@"))

    with (
        pytest.raises(DatabaseFailed, match="password authentication failed"),
        database.connect(),
    ):
        pass


def test_what_the_connection_says_of_ssl_is_heeded(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests' own Postgres has no SSL, so a connection that insists on it must fail."""
    monkeypatch.setenv("AIRFLOW_CONN_CRM", f"{url}?sslmode=require")

    with pytest.raises(DatabaseFailed, match="SSL"), database.connect():
        pass


def test_the_project_says_to_postgres_who_it_is(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", url)

    with database.connect() as connection:
        told = connection.execute("SHOW application_name").fetchone()

    assert told == ("quickbooks_crm",)


@pytest.mark.parametrize("written", ["postgresql://ann:pa/ss@127.0.0.1/crm", '{"conn_type": pa/ss'])
def test_a_connection_that_airflow_cannot_read_is_told_as_such_without_its_password(
    airflow_metadata: None, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", written)

    with pytest.raises(SettingsError) as error, database.connect():
        pass

    told = str(error.value)
    assert told.startswith("Airflow cannot read the connection 'crm' in AIRFLOW_CONN_CRM. Write ")
    assert "ss" not in told.replace("address", "").replace("password", "")


def test_without_an_airflow_connection_a_person_is_told_to_add_one(
    airflow_metadata: None,
) -> None:
    with (
        pytest.raises(SettingsError, match="Airflow has no connection 'crm'"),
        database.connect(),
    ):
        pass
