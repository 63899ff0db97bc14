"""What the server and the settings of the login decide never harms a sync, or is told before it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from demo import ports, postgres
from quickbooks_crm import catalog, database, fitting, leaving, mapping, rights
from quickbooks_crm.command_line import main
from quickbooks_crm.companies import INCLUDE
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.runs import Run
from quickbooks_crm.transform import columns
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
from tests.integration.documents import invoice, line
from tests.integration.documents import known as documents

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


@pytest.fixture
def standby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connection `crm` leads to a server that follows another."""
    directory, port = tmp_path / "standby", ports.free(postgres.PORT + 7000)
    try:
        postgres.start(directory, "secret", port, postgres.FORGETFUL).close()
        postgres.stop(directory)
        Path(postgres._place(directory).data, "standby.signal").touch()
        with closing(postgres.start(directory, "secret", port)) as server:
            monkeypatch.setenv("AIRFLOW_CONN_CRM", server.url("postgres"))
            yield
    finally:
        postgres.remove(directory)


@pytest.mark.usefixtures("standby")
def test_a_server_that_only_follows_another_is_refused() -> None:
    """What it says may be of the past, so nothing may be decided by it."""
    for asked in (database.require_current, database.migrate):
        with database.connect() as connection, pytest.raises(SettingsError) as told:
            asked(connection)

        assert str(told.value) == (
            "The Airflow connection 'crm' leads to a standby server, which can only be read. Let "
            "it lead to the primary one."
        )


def test_a_server_that_is_too_old_is_refused_with_the_version_that_is_needed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests' server is made too old by asking for one that is newer."""
    with psycopg.connect(database_url) as connection:
        version = connection.info.server_version // 10_000
    monkeypatch.setattr(database, "OLDEST", version + 1)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", database_url)

    for asked in (database.require_current, database.migrate):
        with database.connect() as connection, pytest.raises(SettingsError) as told:
            asked(connection)

        assert str(told.value) == (
            f"The Airflow connection 'crm' leads to a server of PostgreSQL {version}. "
            f"This project needs {version + 1} or newer: upgrade the server."
        )


def _always(connection: Connection[Any], setting: str, value: str) -> None:
    """Set it for every later connection to this database."""
    name = connection.info.dbname
    connection.execute(f'ALTER DATABASE "{name}" SET {setting} = {value}'.encode())


# ── rights ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("revoked", "said"),
    [
        ("USAGE ON SCHEMA crm", "no right to use the schema crm. Let its owner GRANT USAGE ON SCH"),
        ("SELECT ON crm.form_field", "no right to SELECT from crm.form_field, which says what the"),
        ("SELECT ON crm.users", "no right to SELECT id, external_user_id, active, email of crm.us"),
        ("SELECT ON crm.companies", "no right to SELECT id of crm.companies. Let its owner GRANT"),
        ("SELECT ON crm.keyword_values", "no right to SELECT id, list_id, value of crm.keyword_v"),
        ("SELECT ON crm.keyword_aliases", "no right to SELECT on crm.keyword_aliases. Let its ow"),
        ("INSERT ON crm.keyword_values", "no right to INSERT list_id, value of crm.keyword_value"),
        ("DELETE ON crm.invoice_lines", "no right to DELETE from crm.invoice_lines. Let its owner"),
        ("INSERT ON crm.invoice_lines", "no right to INSERT type, product_id, desc"),
    ],
)
def test_check_names_every_right_that_is_missing(
    connection: Connection[Any],
    crm: str,
    capsys: pytest.CaptureFixture[str],
    revoked: str,
    said: str,
) -> None:
    ready(connection)
    connection.execute(f"REVOKE {revoked} FROM current_user".encode())

    code = main(["check"])

    assert code == 2
    assert said in capsys.readouterr().err


def test_a_document_is_loaded_once_its_lines_may_be_deleted(connection: Connection[Any]) -> None:
    known = mapping.load(INCLUDE / "mappings")["invoices"]
    connection.execute("REVOKE DELETE ON crm.invoice_lines FROM current_user")

    told = list(rights.misfits(catalog.of(connection, known), known))

    assert told == [
        "invoices.yaml: this login has no right to DELETE from crm.invoice_lines. Let its owner "
        "GRANT DELETE on the table."
    ]


def test_without_merge_nothing_but_flags_needs_to_be_changed(connection: Connection[Any]) -> None:
    known = products("{mode: create, check: [name]}")
    connection.execute("REVOKE UPDATE, DELETE ON crm.products FROM current_user")

    told = list(rights.misfits(catalog.of(connection, known["products"]), known["products"]))
    ended = sync(connection, known, item("7"))

    assert told == [
        "products.yaml: this login has no right to UPDATE active, deleted of crm.products. Let its "
        "owner GRANT UPDATE on the table, or on these columns."
    ]
    assert ended == [End("7", "added")]


def test_a_sequence_that_any_default_takes_numbers_from_is_needed(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE SEQUENCE crm.numbers")
    connection.execute(
        "ALTER TABLE crm.products ADD number int NOT NULL DEFAULT nextval('crm.numbers')"
    )
    connection.execute("REVOKE ALL ON SEQUENCE crm.numbers FROM current_user")
    known = products()["products"]

    told = list(rights.misfits(catalog.of(connection, known), known))

    assert told == [
        "products.yaml: this login has no right to use the sequence crm.numbers, which numbers new "
        "records of crm.products. Let its owner GRANT USAGE on it."
    ]


def test_row_level_security_that_may_hide_records_is_warned_of(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "ALTER TABLE crm.products ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )

    warned = list(fitting.warnings(connection, products(), ["products"]))

    assert len(warned) == 1
    assert warned[0].startswith("products.yaml: row level security holds for this login on crm.pro")


def test_an_undo_that_lacks_a_right_says_which_before_it_begins(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    connection.execute("REVOKE DELETE ON crm.products FROM current_user")
    run, known = Run("sample", REALM, "run-1"), products()
    table = catalog.of(connection, known["products"])
    target = Target(known["products"], table, "sample", tuple(columns(known["products"])))

    with pytest.raises(SettingsError) as told:
        rights.require_for_undo(connection, run, [target])

    assert str(told.value) == (
        "Run run-1 cannot be undone. Nothing was undone:\n"
        "  this login has no right to DELETE on crm.products. Let its owner GRANT DELETE on the "
        "table."
    )


def test_an_undo_of_documents_needs_to_change_their_lines(connection: Connection[Any]) -> None:
    known = documents()
    sync(connection, known, invoice("7", line("A")))
    connection.execute("REVOKE UPDATE ON crm.invoice_lines FROM current_user")
    table = catalog.of(connection, known["documents"])
    target = Target(known["documents"], table, "sample", tuple(columns(known["documents"])))

    with pytest.raises(SettingsError, match=r"no right to UPDATE .* crm\.invoice_lines"):
        rights.require_for_undo(connection, Run("sample", REALM, "run-1"), [target])


def test_a_removal_that_lacks_a_right_says_which_before_it_begins(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    connection.execute(
        "INSERT INTO sync.company (company, realm, environment, name)"
        " VALUES ('sample', %s, '', '')",
        [REALM],
    )
    connection.execute("REVOKE DELETE ON crm.products FROM current_user")

    with pytest.raises(SettingsError, match=r"no right to DELETE on crm\.products"):
        leaving.remove_company(connection, "sample", "remove", "ann")

    assert rows(connection, "SELECT count(*) FROM crm.products") == [(1,)]


def test_what_the_database_refuses_a_command_is_told_without_a_traceback(
    crm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.connect() as connection:
        connection.execute("REVOKE SELECT ON sync.migration FROM current_user")

    code = main(["check"])

    assert code == 1
    assert capsys.readouterr().err == (
        "The CRM database failed: InsufficientPrivilege (42501). Nothing of this task was kept. "
        "The login lacks a right: permission denied for table migration. It must own the schemas "
        "quickbooks and sync; what it must be allowed in the CRM's tables tells python -m "
        "quickbooks_crm check.\n"
    )


def test_a_right_that_a_trigger_says_is_missing_is_not_told_in_its_words(crm: str) -> None:
    """They may hold customer data."""
    raising = "DO $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'not for Ann'; END $$"

    with database.connect() as connection, pytest.raises(psycopg.Error) as error:
        connection.execute(raising)

    told = str(database.failure(error.value))
    assert "Ann" not in told
    assert "The login lacks a right: the database's log names it. It must own " in told


def test_of_a_connection_that_is_lost_it_is_not_said_that_nothing_was_kept(
    connection: Connection[Any],
) -> None:
    """It may have been lost after a COMMIT had arrived."""
    with pytest.raises(psycopg.OperationalError) as error:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    lost = psycopg.OperationalError("the connection is lost")

    assert "Nothing of this task was kept." in str(database.failure(error.value))
    assert "may have been kept or not" in str(database.failure(lost))
