"""The only place a Postgres connection is opened, and its schema brought up to date."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import copy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import Connection

from quickbooks_crm import environment
from quickbooks_crm.errors import DatabaseFailed, SchemaOutdated, SettingsError, TableBusy
from quickbooks_crm.quoting import take_any_name
from quickbooks_crm.sql import HERE, statements

CONNECTION_ID = "crm"
SETTINGS = {"application_name": "quickbooks_crm", "client_encoding": "utf-8"}
OLDEST = 15
"""The first version of PostgreSQL that has all that the migrations and statements use."""
PATIENCE_MS = 10_000
"""How long a person is kept waiting who only wants to look at tables."""

_Idle = list[tuple[Connection[Any], Any]]
_IDLE: ContextVar[_Idle | None] = ContextVar("idle", default=None)


@contextmanager
def connect(timeout: int = 10) -> Iterator[Connection[Any]]:
    """A connection to the CRM database that Airflow knows as `crm`, closed when the block ends, or
    `kept_open`.

    Every statement commits by itself unless it is inside `with connection.transaction()`. After
    `timeout` seconds without an answer it gives up. Raises `SettingsError` when Airflow has no such
    connection, `DatabaseFailed` when nobody answers there or does not let us in.
    """
    known = _known()
    connection = _kept(known) or _new(known, timeout)
    try:
        yield connection
    finally:
        _let_go(connection, known)


@contextmanager
def looking() -> Iterator[Connection[Any]]:
    """A connection for a look at the CRM's tables. Raises `TableBusy`, which says who is in the
    way, where one of them cannot be looked at for ten seconds."""
    sql = statements("database")
    with connect() as connection:
        connection.execute(sql["patience"], {"milliseconds": PATIENCE_MS})
        try:
            yield connection
        except psycopg.errors.LockNotAvailable:
            [(holders,)] = connection.execute(sql["holders"]).fetchall()
            raise TableBusy(
                f"A table could not be looked at for {PATIENCE_MS // 1000} seconds, since others "
                f"hold it for themselves alone: {holders or 'they have just let it go'}. Try again "
                "when they have ended, or end them."
            ) from None


@contextmanager
def kept_open() -> Iterator[None]:
    """Until the block ends, a connection that is let go waits for the next who asks for one, as
    good as new to the server: only what it has learned of the database's tables and functions is
    not forgotten. To learn it takes longer than most statements of a small run. What is set on the
    `Connection` itself, such as `row_factory`, is not taken back."""
    if _IDLE.get() is not None:
        yield
        return
    idle: _Idle = []
    token = _IDLE.set(idle)
    try:
        yield
    finally:
        _IDLE.reset(token)
        for connection, _ in idle:
            connection.close()


def _kept(known: Any) -> Connection[Any] | None:
    """One that waits, leads where it is wanted, and still answers."""
    idle = _IDLE.get() or []
    for own in [own for own in idle if own[1] == known]:
        idle.remove(own)
        try:
            _settle(own[0])
        except psycopg.Error:
            own[0].close()
        except BaseException:
            own[0].close()
            raise
        else:
            return own[0]
    return None


def _let_go(connection: Connection[Any], known: Any) -> None:
    idle, kept = _IDLE.get(), False
    try:
        if idle is not None:
            with suppress(psycopg.Error):  # such as: it is in the middle of a transaction
                # Only of a prepared one does psycopg notice that all it has prepared is gone.
                connection.execute("DISCARD ALL", prepare=True)
                idle.append((connection, known))
                kept = True
    finally:
        if not kept:
            connection.close()


def _new(known: Any, timeout: int) -> Connection[Any]:
    settings = {"connect_timeout": timeout, **SETTINGS}
    opened = _opened if isinstance(known, dict) else _opened_by_airflow
    connection = opened(known, settings)
    try:
        connection.autocommit = True
        take_any_name(connection)
        _settle(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _settle(connection: Connection[Any]) -> None:
    """Let no setting of the server or the login come between."""
    for name in ("own_settings", "own_names_first"):
        connection.execute(statements("database")[name])
    if _IDLE.get() is not None:  # before any other stage has temporary tables on it
        connection.execute(statements("load")["room_for_rows"])


def _known() -> Any:
    """Where the connection leads to: from the environment, or as Airflow knows it.

    Airflow is imported here only: it takes seconds, and what the environment tells needs none of
    it."""
    if "airflow" not in sys.modules and (known := environment.connection(CONNECTION_ID)):
        return known
    from airflow.exceptions import AirflowNotFoundException
    from airflow.sdk import BaseHook

    try:
        return BaseHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException as error:
        raise SettingsError(_no_connection()) from error


def _no_connection() -> str:
    """Airflow passes over what it cannot read, and says of it only that there is nothing."""
    variable = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"
    if os.environ.get(variable):
        return (
            f"Airflow cannot read the connection '{CONNECTION_ID}' in {variable}. Write an "
            "address, postgresql://login:password@host:5432/database, with / ? # @ and % of the "
            "password as %2F %3F %23 %40 and %25; or JSON."
        )
    return (
        f"Airflow has no connection '{CONNECTION_ID}'. Add one of type Postgres that points to the "
        "CRM's database."
    )


def _opened(known: dict[str, Any], settings: dict[str, Any]) -> Connection[Any]:
    try:
        return psycopg.connect(**settings | known)
    except psycopg.OperationalError as error:
        name, host, port = (known.get(part) for part in ("dbname", "host", "port"))
        raise _unreachable(name, host, port, error) from None


def _opened_by_airflow(known: Any, settings: dict[str, Any]) -> Any:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    whole = copy(known)
    whole.extra = json.dumps(settings | known.extra_dejson)
    try:
        return PostgresHook(connection=whole).get_conn()
    except psycopg.OperationalError as error:
        raise _unreachable(known.schema, known.host, known.port, error) from None


def _unreachable(
    name: Any, host: Any, port: Any, error: psycopg.OperationalError
) -> DatabaseFailed:
    said = str(error).strip().splitlines()
    return DatabaseFailed(
        f"The CRM database {name} at {host}, port {port}, cannot be opened: "
        f"{said[0] if said else type(error).__name__}. See that it runs, and that the Airflow "
        f"connection '{CONNECTION_ID}' leads to it."
    )


def now(connection: Connection[Any]) -> datetime:
    """The database's time, by which all ages are told: machines may disagree."""
    row = connection.execute(statements("database")["now"]).fetchone()
    return cast(datetime, row[0] if row else None)


def failure(error: psycopg.Error) -> DatabaseFailed:
    """What the database itself raised, without its words: these may hold customer data."""
    diag = error.diag
    named = {
        "table": diag.table_name,
        "column": diag.column_name,
        "constraint": diag.constraint_name,
    }
    where = "".join(f", {what} {name}" for what, name in named.items() if name)
    missing = isinstance(error, psycopg.errors.InsufficientPrivilege)
    kept = (
        "Nothing of this task was kept. "
        if error.sqlstate
        else "If the connection broke off, its last step may have been kept or not: the next try "
        "sees which. "
    )
    return DatabaseFailed(
        f"The CRM database failed: {type(error).__name__} ({error.sqlstate or 'no code'}{where}). "
        + kept
        + (
            _right_missing(diag)
            if missing
            else "If it happens again, look up the code in the database's log."
        )
    )


def _right_missing(diag: psycopg.errors.Diagnostic) -> str:
    """Which right it is, in the words of the database's own check; a trigger that raises the same
    has words of its own, and the log has these."""
    own = diag.source_function == "aclcheck_error"
    which = diag.message_primary if own else "the database's log names it"
    return (
        f"The login lacks a right: {which}. It must own the schemas quickbooks and sync; what it "
        "must be allowed in the CRM's tables tells python -m quickbooks_crm check."
    )


def migrate(connection: Connection[Any]) -> list[str]:
    """Bring the schemas `quickbooks` and `sync` up to date, all or nothing; the names of what was
    applied."""
    sql = statements("database")
    _require_suitable(connection)
    with connection.transaction():
        connection.execute(sql["one_migration_at_a_time"])
        connection.execute(sql["migration_table"])
        missing = _missing(connection)
        for name in missing:
            connection.execute(_migrations()[name].encode())
            connection.execute(sql["applied"], {"name": name, "hash": _hash(name)})
    return missing


def require_current(connection: Connection[Any]) -> None:
    """Raise `SchemaOutdated` unless the database has exactly the migrations this version knows, and
    `SettingsError` when it takes no change or its server is too old."""
    _require_suitable(connection)
    missing = _missing(connection)
    if missing:
        raise SchemaOutdated(
            f"The CRM database lacks {len(missing)} of this version's migrations, from "
            f"{missing[0]} on. "
            "Run: python -m quickbooks_crm migrate"
        )


def _require_suitable(connection: Connection[Any]) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise SettingsError(
            f"The Airflow connection '{CONNECTION_ID}' leads to a server of PostgreSQL {version}. "
            f"This project needs {OLDEST} or newer: upgrade the server."
        )
    _require_writable(connection)


def _require_writable(connection: Connection[Any]) -> None:
    row = connection.execute(statements("database")["read_only"]).fetchone()
    read_only, copy = row or (False, False)
    if copy:
        raise SettingsError(
            f"The Airflow connection '{CONNECTION_ID}' leads to a standby server, which can only "
            "be read. Let it lead to the primary one."
        )
    if read_only:
        raise SettingsError(
            f"The login of the Airflow connection '{CONNECTION_ID}' may only read: "
            "default_transaction_read_only is on. Turn it off for this login: ALTER ROLE ... SET "
            "default_transaction_read_only = off."
        )


def install_crm(connection: Connection[Any], directory: Path) -> list[str]:
    """Create the reference CRM from the numbered SQL files of a directory, all or nothing; the
    names of the files."""
    files = sorted(directory.glob("[0-9]*.sql"))
    with connection.transaction():
        for file in files:
            connection.execute(file.read_bytes())
    return [file.name for file in files]


def add_companies(connection: Connection[Any], directory: Path, names: dict[str, str]) -> None:
    """Make companies known to the reference CRM: what stands in the company column, and the
    company's name."""
    statement = (directory / "each_company.sql").read_bytes()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(statement, [{"id": id, "name": name} for id, name in names.items()])


def _missing(connection: Connection[Any]) -> list[str]:
    known = _migrations()
    if connection.execute(statements("database")["has_migration_table"]).fetchone() == (None,):
        return list(known)
    applied = dict(connection.execute(statements("database")["migrations"]).fetchall())
    newer = sorted(set(applied) - set(known))
    if newer:
        raise SchemaOutdated(
            f"The CRM database has the migration {newer[0]}, which this version does not know. "
            "Deploy the version of this project that made it, or a newer one."
        )
    changed = [name for name in applied if applied[name] != _hash(name)]
    if changed:
        raise SchemaOutdated(
            f"The migration {changed[0]} differs from the one that was applied to the CRM "
            "database. "
            "A migration is never edited: restore the file, and put the change into a new one."
        )
    return [name for name in known if name not in applied]


@cache
def _migrations() -> dict[str, str]:
    files = sorted((HERE / "migrations").glob("[0-9]*.sql"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def _hash(name: str) -> str:
    return hashlib.sha256(_migrations()[name].encode()).hexdigest()
