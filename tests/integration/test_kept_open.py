"""Within a run, a connection that is let go waits for who asks for one next, as good as new."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from demo.postgres import Server
from quickbooks_crm import database
from tests.integration.crm import End, item, one, rows, sync
from tests.integration.own_tables import into, things
from tests.integration.undo import bring_all, undo

pytestmark = pytest.mark.usefixtures("crm")
WHO = "SELECT pg_backend_pid()"
LEFT = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid = %s"


def who(*, then: str = "SELECT") -> int:
    """The server's process that somebody was connected to, and did something with."""
    with database.connect() as connection:
        connection.execute(then.encode())
        return int(one(connection, WHO))


def test_it_waits_until_the_block_ends(connection: Connection[Any]) -> None:
    with database.kept_open():
        first = who()
        assert who() == first
        with database.kept_open():
            assert who() == first
        assert who() == first

    assert who() != first
    assert one(connection, LEFT, [first]) == 0


def test_two_at_once_are_two() -> None:
    with database.kept_open():
        with database.connect() as own:
            both = {who(), one(own, WHO)}
        assert len(both) == 2 and who() in both


@pytest.mark.parametrize(
    ("done", "asked"),
    [
        ("SET work_mem = '7MB'", "SELECT current_setting('work_mem') = '7MB'"),
        (
            "SET search_path = crm",
            "SELECT current_setting('search_path') = 'crm'",
        ),
        ("CREATE TEMP TABLE own (n int)", "SELECT to_regclass('pg_temp.own') IS NOT NULL"),
        (
            "SELECT pg_advisory_lock(7)",
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')",
        ),
        (
            "PREPARE own AS SELECT 1",
            "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'own')",
        ),
    ],
)
def test_nothing_of_who_had_it_before_is_left(done: str, asked: str) -> None:
    with database.kept_open():
        first = who(then=done)
        with database.connect() as connection:
            assert (one(connection, WHO), one(connection, asked)) == (first, False)


def test_statements_that_were_prepared_are_prepared_again() -> None:
    with database.kept_open():
        who()
        for _ in range(4):
            with database.connect() as connection:
                for number in range(8):
                    assert one(connection, "SELECT %s::int", [number]) == number


def test_what_the_server_sets_for_the_login_stays_out_of_the_way(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER ROLE CURRENT_USER SET statement_timeout = '5s'")
    connection.commit()
    try:
        with database.kept_open():
            for _ in range(2):
                with database.connect() as own:
                    assert one(own, "SELECT current_setting('statement_timeout')") == "0"
    finally:
        connection.execute("ALTER ROLE CURRENT_USER RESET statement_timeout")
        connection.commit()


FORMS = {
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "0",
}
VALUE = """
    SELECT concat_ws(' ', timestamptz '2026-07-01 12:00:00Z', interval '1 day 02:00', bytea 'a',
                     0.1::float8 + 0.2::float8)"""


@pytest.fixture
def other_forms(connection: Connection[Any]) -> None:
    """A database that writes values in other ways than most."""
    database = one(connection, "SELECT quote_ident(current_database())")
    for name, value in FORMS.items():
        connection.execute(f"ALTER DATABASE {database} SET {name} = '{value}'".encode())
    connection.commit()


@pytest.mark.usefixtures("other_forms")
def test_the_same_value_is_the_same_text_however_the_server_writes_it() -> None:
    with database.kept_open():
        for _ in range(2):
            with database.connect() as own:
                text = "2026-07-01 12:00:00+00 1 day 02:00:00 \\x61 0.30000000000000004"
                assert one(own, VALUE) == text
                moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
                assert one(own, "SELECT timestamptz '2026-07-01 12:00:00Z'") == moment
                assert one(own, "SELECT interval '1 day 02:00'") == timedelta(days=1, hours=2)


@pytest.mark.usefixtures("other_forms")
@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("timestamptz", "2026-07-01T23:59:59-08:00"),
        ("interval", "1 day 02:00:00"),
        ("tstzrange", "[2026-07-01 00:00:00+00,2026-08-01 00:00:00-08)"),
        ("bytea", "\\x61"),
        ("double precision", "0.1"),
    ],
)
def test_nothing_is_tried_again_for_how_the_server_writes_what_is_in_its_way(
    type_: str, value: str
) -> None:
    with database.connect() as own:
        own.execute("CREATE SCHEMA own")
        things(own, f"value {type_} UNIQUE")
        two = (item(id, Value=value) for id in "78")
        refused = End("8", "not_added", "refused_by_table")
        assert sync(own, into("x"), *two, run_id="wrong") == [End("7", "added"), refused]

        assert sync(own, into("x")) == []
        assert undo(own, into("x"), "wrong")[0] == End("7", "removed")


@pytest.mark.parametrize(
    ("place", "sent", "held"),
    [
        ("de_DE.UTF-8", ["1234.5", "-7.25", "0.05"], ["1234.50", "-7.25", "0.05"]),
        ("ja_JP.UTF-8", ["1234", "-7", "5"], ["1234", "-7", "5"]),
        ("C", ["1234.5", "-7.25", "0.05"], ["1234.50", "-7.25", "0.05"]),
    ],
)
def test_an_amount_of_money_is_what_quickbooks_says_wherever_the_server_is(
    connection: Connection[Any], place: str, sent: list[str], held: list[str]
) -> None:
    name = one(connection, "SELECT quote_ident(current_database())")
    try:
        connection.execute(f"ALTER DATABASE {name} SET lc_monetary = '{place}'".encode())
    except psycopg.errors.InvalidParameterValue:
        pytest.skip(f"the server of these tests does not know {place}")
    connection.commit()
    with database.connect() as own:
        own.execute("CREATE SCHEMA own")
        things(own, "value money NOT NULL DEFAULT 9::numeric::money")
        records = [item(str(number), Value=value) for number, value in enumerate(sent, 1)]
        sync(own, into("x"), *records, item("9"), run_id="wrong")

        amounts = "SELECT value::numeric::text FROM own.things ORDER BY quickbooks_id"
        assert [amount for (amount,) in rows(own, amounts)][:-1] == held
        assert {end.outcome for end in bring_all(own, into("x"), "again")} == {"unchanged"}
        assert {end.outcome for end in undo(own, into("x"), "wrong")} == {"removed"}


def test_one_in_the_middle_of_something_is_closed(connection: Connection[Any]) -> None:
    with database.kept_open():
        with database.connect() as unfinished:
            unfinished.autocommit = False
            first = one(unfinished, WHO)
        assert who() != first


def test_one_that_the_server_has_ended_is_not_given_away(connection: Connection[Any]) -> None:
    with database.kept_open():
        first = who()
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert who() != first


def test_one_that_leads_elsewhere_is_not_given_away(
    server: Server, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.kept_open():
        who()
        monkeypatch.setenv("AIRFLOW_CONN_CRM", server.url(template))
        with database.connect() as other:
            assert one(other, "SELECT current_database()") == template


def test_one_that_broke_is_closed_and_the_error_told() -> None:
    with (
        pytest.raises(psycopg.errors.AdminShutdown),
        database.kept_open(),
        database.connect() as own,
    ):
        own.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_one_that_is_interrupted_when_it_is_let_go_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with database.kept_open(), pytest.raises(KeyboardInterrupt), database.connect() as own:
        monkeypatch.setattr(own, "execute", interrupted)

    assert own.closed


def test_who_has_it_next_has_room_for_rows_all_the_same() -> None:
    """Postgres gives a session room for temporary tables only before its first."""
    with database.kept_open():
        with database.connect() as own:
            own.execute("CREATE TEMP TABLE first (n int)")
            assert one(own, "SELECT current_setting('temp_buffers')") == "128MB"
        with database.connect() as own:
            own.execute("SET temp_buffers = '128MB'")  # refused if it has had another room
