"""What the receiver of webhooks keeps, whatever happens to it and its database: W10 to W13, W16."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import requests
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from demo.postgres import ADMINISTRATOR
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.inbox import Waiting
from quickbooks_crm.webhooks.keeper import Keeper
from quickbooks_crm.webhooks.receiver import Receiver
from quickbooks_crm.webhooks.server import settings
from tests.integration.deliveries import TOKEN, cloud_event
from tests.integration.kept_events import counts, database, receiver, stored, unread
from tests.integration.receiving import Receiving, keeper, receiving, until
from tests.integration.runs import NOON, REALM

__all__ = ["database", "receiver"]


def test_events_of_several_companies_each_find_theirs_and_strangers_are_counted(
    database: Connection[Any], database_url: str
) -> None:
    """W10."""
    database.execute("INSERT INTO sync.lease (realm, company) VALUES ('77', 'other')")
    told = [cloud_event(1), cloud_event(2, intuitaccountid="77"), cloud_event(3)]
    told.append(cloud_event(4, intuitaccountid="88"))

    with receiving(keeper(database_url)) as receiver:
        assert receiver.deliver(told) == 200

    found = database.execute("SELECT realm, id FROM sync.webhook_event ORDER BY id").fetchall()
    assert found == [(REALM, "1"), ("77", "2"), (REALM, "3")]
    assert counts(database) == {"accepted": 1, "stored": 3, "unknown company": 1}


def test_the_same_told_again_is_kept_once(database: Connection[Any], database_url: str) -> None:
    """W11."""
    with receiving(keeper(database_url)) as receiver:
        for told in ([cloud_event(2), cloud_event(1)], [cloud_event(1)], [cloud_event(2)] * 3):
            assert receiver.deliver(told) == 200

    assert stored(database) == ["1", "2"]
    assert counts(database) == {"accepted": 3, "stored": 2, "repeated": 4}


def test_of_a_record_only_its_id_is_kept(receiver: Receiving, database: Connection[Any]) -> None:
    told = cloud_event(1, type="qbo.customer.merged.v1", data={"deletedid": "27", "name": "Anna"})
    receiver.deliver([told])

    [row] = database.execute("SELECT to_jsonb(event) FROM sync.webhook_event AS event").fetchall()
    assert row[0].pop("received_at")
    assert row[0].pop("occurred_at").startswith("2026-03-17T")
    assert row[0] == {
        "realm": REALM,
        "event_id": "event-1",
        "entity": "customer",
        "id": "1",
        "operation": "merged",
        "merged_id": "27",
    }


def test_a_flood_is_kept_whole_and_is_one_hint(
    database: Connection[Any], database_url: str
) -> None:
    """W12. benchmarks/webhooks.py measures how soon each is answered. A machine that is busy with
    other things may ask to be told again, as Intuit then does; one that is not never does."""
    with receiving(keeper(database_url)) as receiver, ThreadPoolExecutor(20) as pool:

        def deliver(number: int) -> None:
            until(lambda: receiver.deliver([cloud_event(number)]) == 200)

        list(pool.map(deliver, range(500)))

    assert inbox.waiting(database) == {"sample": Waiting(500, NOON)}


def test_while_the_database_is_away_intuit_is_asked_to_tell_again(
    database: Connection[Any], database_url: str
) -> None:
    """W13. The connection breaks, opens again by itself, and nothing that was accepted is lost."""
    there = True

    def connect() -> Connection[Any]:
        if not there:
            raise psycopg.OperationalError("nobody answers")
        return psycopg.connect(database_url, autocommit=True)

    with receiving(Keeper(connect)) as receiver:
        assert receiver.deliver([cloud_event(1)]) == 200
        there = False
        _end_the_other_connections(database)
        assert {receiver.deliver([cloud_event(2)]) for _ in range(5)} == {503}
        there = True
        until(lambda: receiver.deliver([cloud_event(2)]) == 200)

    assert stored(database) == ["1", "2"]


def test_a_database_that_hangs_is_not_waited_for(
    database: Connection[Any], database_url: str
) -> None:
    """W13. Intuit takes three seconds without an answer for a failure, and so do we."""
    with receiving(keeper(database_url)) as receiver, psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE sync.webhook_event")
        assert receiver.deliver([cloud_event(1)]) == 503
        other.rollback()
        until(lambda: receiver.deliver([cloud_event(1)]) == 200)

    assert stored(database) == ["1"]


def _end_the_other_connections(database: Connection[Any]) -> None:
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_killed_between_keeping_and_answering_it_is_told_again_and_kept_once(
    database: Connection[Any], database_url: str
) -> None:
    """W16."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        child = os.fork()
        if child == 0:
            _receive_until_something_is_kept(listening, database_url)
        told = Receiving(listening.getsockname()[1])
    until(lambda: _answers(told))

    with pytest.raises(requests.ConnectionError):
        told.deliver([cloud_event(1)])
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert stored(database) == ["1"]

    with receiving(keeper(database_url)) as again:
        assert again.deliver([cloud_event(1)]) == 200
    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}


def _answers(receiver: Receiving) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{receiver.port}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


class _Killed(Keeper):
    async def do(self, work: Any) -> Any:
        done = await super().do(work)
        if isinstance(done, dict):  # how events ended
            os.kill(os.getpid(), signal.SIGKILL)
        return done


def _receive_until_something_is_kept(listening: socket.socket, url: str) -> None:
    """Never returns."""
    import uvicorn

    try:
        killed = _Killed(lambda: psycopg.connect(url, autocommit=True))
        config = settings(Receiver([TOKEN], killed), "127.0.0.1", 0)
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        os._exit(2)


def test_what_is_old_is_forgotten(database: Connection[Any], database_url: str) -> None:
    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1), cloud_event(2)])
        receiver.deliver(b"unread")
    for table in ("webhook_event", "webhook_unread"):
        age = f"UPDATE sync.{table} SET received_at = received_at - %s"
        database.execute(age.encode(), [timedelta(days=31)])
    database.execute("UPDATE sync.webhook_event SET received_at = now() WHERE id = '2'")
    database.execute("UPDATE sync.webhook_count SET day = day - 91 WHERE what = 'stored'")

    inbox.forget(database)

    assert (stored(database), unread(database)) == (["2"], [])
    assert counts(database) == {"accepted": 2, "unread": 1}


def test_the_receivers_role_may_keep_what_it_is_told_and_nothing_else(
    database: Connection[Any], database_url: str
) -> None:
    with _role(database_url) as (role, address):
        inbox.allow(database, role)

        with receiving(keeper(address)) as receiver:
            assert receiver.deliver([cloud_event(1)]) == 200
            assert receiver.deliver(b"unread") == 200

        assert stored(database) == ["1"]
        assert counts(database) == {"accepted": 2, "stored": 1, "unread": 1}
        assert _rights(database, role) == {
            ("webhook_count", "DELETE,INSERT,SELECT,UPDATE"),
            ("webhook_event", "DELETE,INSERT,SELECT,UPDATE"),
            ("webhook_unread", "DELETE,INSERT,SELECT,UPDATE"),
            ("lease.realm", "SELECT"),
        }


def test_a_role_that_is_not_there_is_named(database: Connection[Any]) -> None:
    with pytest.raises(SettingsError, match="no database role nobody_here"):
        inbox.allow(database, "nobody_here")


@contextmanager
def _role(url: str) -> Iterator[tuple[str, str]]:
    """A role that may log in and nothing else, and the address by which it does."""
    role = f"webhooks_{os.getpid()}"
    administrator = make_conninfo(url, user=ADMINISTRATOR)
    try:
        made = psycopg.connect(administrator, autocommit=True)
    except psycopg.OperationalError:
        pytest.skip("on the server of TEST_DATABASE_URL we cannot make a role")
    with made as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'none'".encode())
        try:
            yield role, make_conninfo(url, user=role, password="none")
        finally:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def _rights(database: Connection[Any], role: str) -> set[tuple[str, str]]:
    return set(
        database.execute(
            """
            SELECT table_name, string_agg(privilege_type, ',' ORDER BY privilege_type)
              FROM information_schema.table_privileges WHERE grantee = %(role)s GROUP BY 1
            UNION ALL
            SELECT table_name || '.' || column_name, privilege_type
              FROM information_schema.column_privileges
             WHERE grantee = %(role)s AND table_name NOT LIKE 'webhook%%'
            """,
            {"role": role},
        ).fetchall()
    )
