"""The receiver of QuickBooks' webhooks: W01 to W16 of what it has to withstand, over real
HTTP.

The forms (W09) are in tests/unit/test_webhooks_notification.py, what a sync makes of it all (W11,
W15) is in tests/acceptance/test_webhooks.py.
"""

import asyncio
import base64
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
import requests
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from demo.postgres import ADMINISTRATOR
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.hint import APART, LOST_AFTER, Asking, WebhookHint
from quickbooks_crm.webhooks.inbox import Waiting
from quickbooks_crm.webhooks.keeper import Keeper
from quickbooks_crm.webhooks.receiver import Limits, Receiver
from quickbooks_crm.webhooks.server import InTime, settings, verifier_tokens
from tests.integration.deliveries import TOKEN, cloud_event, old_entity, old_form, signed
from tests.integration.receiving import Receiving, keeper, receiving, until
from tests.integration.runs import NOON, REALM, started

SMALL = Limits(readable=1000, largest=5000, held=2000)


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


# Who may tell something


def test_a_signed_delivery_is_kept(receiver: Receiving, database: Connection[Any]) -> None:
    assert receiver.deliver([cloud_event(1), cloud_event(2)]) == 200
    assert receiver.deliver(old_form(old_entity(id="3"))) == 200

    assert stored(database) == ["1", "2", "3"]


UNSIGNED = (
    {},
    {"intuit-signature": ""},
    {"intuit-signature": "not base64!"},
    {"intuit-signature": base64.b64encode(b"too short").decode()},
    {"intuit-signature": signed(b"[]").rstrip("=")},
    {"intuit-signature": " ".join(signed(b"[]"))},
    {"intuit-signature": "é"},
)
WRONG = (
    {"intuit-signature": signed(b"[] ")},
    {"intuit-signature": signed(b"[]", token="another")},
    {"intuit-signature": signed(b"[]", token="")},
)


def test_without_its_right_signature_nothing_is_read(
    database: Connection[Any], database_url: str
) -> None:
    """W01 and W03. What is signed wrongly is not even parsed: it would be counted as unread."""
    body = json.dumps([cloud_event(1)]).encode()

    with receiving(keeper(database_url)) as receiver:
        answers = {
            (content, receiver.post(content, headers))
            for headers in (*UNSIGNED, *WRONG)
            for content in (body, b"no JSON")
        }

    assert answers == {(body, 401), (b"no JSON", 401)}
    assert counts(database) == {"unsigned": 2 * len(UNSIGNED), "refused": 2 * len(WRONG)}
    assert stored(database) == unread(database) == []


def test_two_signatures_are_as_good_as_none(receiver: Receiving) -> None:
    """W03. `requests` cannot send a header twice."""
    one = f"intuit-signature: {signed(b'[]')}\r\n"
    head = f"POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{one}{one}\r\n[]"

    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.sendall(head.encode())
        assert b" 401 " in connection.recv(1000)


def test_the_raw_bytes_are_signed_and_not_what_they_mean(
    receiver: Receiving, database: Connection[Any]
) -> None:
    """W04. Spaces, escapes, doubled keys: written again, the body would be another one."""
    odd = json.dumps([cloud_event(1)], indent=3).replace("sample", "\\u0073ample").encode()
    odd = b"\r\n" + odd.replace(b'"source"', b'"source": 1, "source"') + b" \n"
    normal = json.dumps(json.loads(odd)).encode()

    assert receiver.post(odd, {"intuit-signature": signed(normal)}) == 401
    assert receiver.post(odd, {"intuit-signature": signed(odd)}) == 200
    assert stored(database) == ["1"]


def test_the_former_and_the_present_token_are_both_good_while_one_replaces_the_other(
    database: Connection[Any], database_url: str
) -> None:
    """W05."""
    with receiving(keeper(database_url), tokens=["former", "present"]) as receiver:
        answers = [
            receiver.deliver([cloud_event(number)], token)
            for number, token in enumerate(["former", "present", "older"], start=1)
        ]

    assert answers == [200, 200, 401]
    assert stored(database) == ["1", "2"]
    assert counts(database) == {"accepted": 2, "refused": 1, "stored": 2}


def test_the_tokens_are_a_connections_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_QUICKBOOKS_WEBHOOKS", '{"conn_type": "generic", "password": "one two\\n"}'
    )

    assert verifier_tokens() == ["one", "two"]


@pytest.mark.parametrize("password", [None, "", " "])
def test_without_a_token_there_is_no_receiver(
    monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    """An empty key would sign for everybody."""
    if password is not None:
        known = json.dumps({"conn_type": "generic", "password": password})
        monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_WEBHOOKS", known)

    with pytest.raises(SettingsError, match="quickbooks_webhooks"):
        verifier_tokens()


# What cannot be read


def test_a_long_body_is_not_read_and_every_company_then_reads_what_changed(
    database: Connection[Any], database_url: str
) -> None:
    """W07. Refused, it would be told again and again, and hold up what comes after it."""
    body = json.dumps([cloud_event(number) for number in range(12)]).encode()
    assert SMALL.readable < len(body) < SMALL.largest

    with receiving(keeper(database_url), limits=SMALL) as receiver:
        answers = [receiver.deliver(body), receiver.deliver(body)]

    assert answers == [200, 200]
    assert unread(database) == [(len(body), "too long to be read")]
    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_huge_body_is_refused_before_it_is_whole(
    database: Connection[Any], database_url: str, chunked: bool
) -> None:
    """W07. With a length it is refused before it is sent at all."""
    size = "Transfer-Encoding: chunked" if chunked else "Content-Length: 5001"
    head = (
        f"POST /webhooks HTTP/1.1\r\nHost: x\r\nintuit-signature: {signed(b'')}\r\n{size}\r\n\r\n"
    )
    sent = b"1389\r\n" + b" " * 5001 if chunked else b""

    with (
        receiving(keeper(database_url), limits=SMALL) as receiver,
        socket.create_connection(("127.0.0.1", receiver.port)) as connection,
    ):
        connection.sendall(head.encode() + sent)
        answer = b"".join(iter(lambda: connection.recv(1000), b""))

    assert b" 413 " in answer
    assert counts(database) == {"too large": 1}
    assert "64 MB" in str(inbox.warning(database))


def test_the_limits_are_far_above_what_intuit_sends() -> None:
    assert Limits() == Limits(readable=8_388_608, largest=67_108_864, held=67_108_864)


def test_bodies_that_nobody_has_proven_yet_take_only_so_much_memory(
    database: Connection[Any], database_url: str
) -> None:
    limits = Limits(readable=1000, largest=5000, held=999)
    body = b" " * 990 + b"[]"

    with (
        receiving(keeper(database_url), limits=limits) as receiver,
        socket.create_connection(("127.0.0.1", receiver.port)) as other,
    ):
        head = f"POST /webhooks HTTP/1.1\r\nHost: x\r\nintuit-signature: {signed(b'')}\r\n"
        other.sendall(f"{head}Content-Length: 100\r\n\r\n{' ' * 50}".encode())
        until(lambda: receiver.deliver(body) == 503)
        other.close()
        until(lambda: receiver.deliver(body) == 200)


def test_a_signed_delivery_that_nobody_understands_holds_up_nothing(
    receiver: Receiving, database: Connection[Any]
) -> None:
    """W14."""
    for poison in (b"no JSON", b"[" * 100_000, b'{"hello": 1}', b"\xff"):
        assert [receiver.deliver(poison), receiver.deliver(poison)] == [200, 200]
    assert receiver.deliver([cloud_event(1)]) == 200

    assert sorted(size for size, _ in unread(database)) == [1, 7, 12, 100_000]
    assert stored(database) == ["1"]


def test_an_event_of_no_known_kind_is_counted_and_the_others_are_kept(
    database: Connection[Any], database_url: str
) -> None:
    """W09 and W14."""
    with receiving(keeper(database_url)) as receiver:
        told = [cloud_event(1), cloud_event(2, type="com.example.other"), {"id": "\x00"}]
        assert receiver.deliver(told) == 200
        assert receiver.deliver([]) == 200

    assert stored(database) == ["1"]
    assert counts(database) == {"accepted": 2, "stored": 1, "ignored": 2}


def test_what_a_log_says_of_a_delivery_is_no_word_of_it(
    receiver: Receiving, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.deliver(b'{"secret": "canary"}')
    receiver.deliver([cloud_event(1, data={"name": "canary"})], token="another canary")

    assert "SHA-256" in caplog.text
    assert "canary" not in caplog.text


# What is kept


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


class Hasty(InTime):
    deadline = 0.3


SLOW = (
    "",
    "POST /webhooks HTTP/1.1\r\nHost: x\r\n",
    f"POST /webhooks HTTP/1.1\r\nHost: x\r\nintuit-signature: {signed(b'')}\r\n"
    "Content-Length: 1000\r\n\r\n",
)


@pytest.mark.parametrize("sent", SLOW)
def test_who_sends_too_slowly_is_cut_off(sent: str) -> None:
    """W08. A byte now and then does not lengthen it."""
    with (
        receiving(keeper("port=9 host=127.0.0.1"), protocol=Hasty) as receiver,
        socket.create_connection(("127.0.0.1", receiver.port)) as connection,
    ):
        connection.sendall(sent.encode())
        with pytest.raises(OSError):
            for _ in range(200):
                connection.sendall(b"a")
                threading.Event().wait(0.02)


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


def test_other_methods_and_addresses_are_refused(receiver: Receiving) -> None:
    host = f"http://127.0.0.1:{receiver.port}"

    assert requests.get(f"{host}/health", timeout=10).text == "ok"
    for method in ("GET", "PUT", "DELETE", "TRACE", "OPTIONS"):
        assert requests.request(method, receiver.url, timeout=10).status_code == 405
    for path in ("/", "/docs", "/openapi.json", "/webhooks/more"):
        assert requests.post(host + path, data=b"[]", timeout=10).status_code == 404


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


# The hint


def test_a_company_waits_when_something_that_it_reads_has_changed(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1, type="qbo.journalentry.updated.v1")])
    receiver.deliver([cloud_event(2, intuitaccountid="88")])
    assert inbox.waiting(database) == {}

    receiver.deliver([cloud_event(3)])

    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}


def test_a_sync_that_began_later_has_seen_to_it(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1)])
    started(database, "a reconcile", started_at=NOON + timedelta(days=900), kind="reconcile")
    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}

    database.execute("UPDATE sync.run SET started_at = clock_timestamp()")

    assert inbox.waiting(database) == {}


def test_a_company_is_asked_for_once_until_its_sync_has_begun() -> None:
    asking = Asking()
    before, after = Waiting(1, NOON), Waiting(9, NOON + timedelta(hours=1))

    assert asking.due(before, now=0)
    assert not asking.due(before, now=APART + 1)
    assert asking.due(after, now=APART + 2)


def test_a_company_that_is_told_without_end_syncs_no_more_than_once_a_minute() -> None:
    asking = Asking()

    asked = [
        second
        for second in range(0, 300, 5)
        if asking.due(Waiting(1, NOON + timedelta(seconds=second)), now=second)
    ]

    assert asked == [0, 60, 120, 180, 240]


def test_a_sync_that_failed_has_not_seen_to_it(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1)])
    later = NOON + timedelta(days=900)
    started(database, "an early sync", started_at=later, state="running")
    assert inbox.waiting(database) == {}

    database.execute("UPDATE sync.run SET state = 'failed' WHERE run_id = 'an early sync'")

    assert inbox.waiting(database) == {"sample": Waiting(1, later, failed=1)}


def test_after_each_failure_a_company_waits_twice_as_long_for_its_next_early_sync() -> None:
    asking, asked = Asking(), []

    for second in range(0, 20_000, 5):
        failed = len(asked)
        if asking.due(Waiting(1, NOON + timedelta(hours=failed), failed), now=second):
            asked.append(second)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:8] == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_sync_that_never_began_is_asked_for_again() -> None:
    asking, waiting = Asking(), Waiting(1, NOON)

    assert asking.due(waiting, now=0)
    assert not asking.due(waiting, now=LOST_AFTER - 1)
    assert asking.due(waiting, now=LOST_AFTER)


def test_all_companies_share_one_look_at_the_inbox() -> None:
    one, other = WebhookHint("one"), WebhookHint("other")

    assert one.shared_stream_key() == other.shared_stream_key() is not None
    assert one.serialize() == ("quickbooks_crm.webhooks.hint.WebhookHint", {"company": "one"})


def test_the_hint_of_one_company_says_nothing_of_another(
    receiver: Receiving, database: Connection[Any], crm: str
) -> None:
    receiver.deliver([cloud_event(1), cloud_event(2)])
    seen = asyncio.run(_first_look())

    assert asyncio.run(_events("sample", seen)) == [{"company": "sample", "events": 2}]
    assert asyncio.run(_events("other", seen)) == []


async def _first_look() -> dict[str, Waiting]:
    looking = WebhookHint.open_shared_stream({})
    try:
        return await anext(looking)
    finally:
        await looking.aclose()


async def _events(company: str, seen: dict[str, Waiting]) -> list[Any]:
    async def stream() -> Any:
        for _ in range(3):
            yield seen

    return [event.payload async for event in WebhookHint(company).filter_shared_stream(stream())]


# What a person is told


def test_a_run_warns_when_no_signature_is_right_any_more(
    database: Connection[Any], database_url: str
) -> None:
    """W05. One that is right silences it: then the wrong ones were not Intuit's."""
    assert inbox.warning(database) is None

    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)], token="another")
    assert "1 in the last day or two" in str(inbox.warning(database))
    assert "connection quickbooks_webhooks" in str(inbox.warning(database))

    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)])
    assert inbox.warning(database) is None

    database.execute("UPDATE sync.webhook_count SET last_at = now() - interval '9 days'")
    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)], token="another")
    assert "Webhooks are refused since " in str(inbox.warning(database))


def test_a_missing_signature_is_any_passer_by_and_worries_nobody(
    database: Connection[Any], database_url: str
) -> None:
    with receiving(keeper(database_url)) as receiver:
        receiver.post(b"[]", {})

    assert counts(database) == {"unsigned": 1}
    assert inbox.warning(database) is None
