"""The receiver of QuickBooks' webhooks: W01 to W16 of what it has to withstand, over real
HTTP. Here: who may tell something, and what cannot be read.

The forms (W09) are in tests/unit/test_webhooks_notification.py, what is kept (W10 to W13, W16) in
test_webhooks_kept.py, what a company and a person are told in test_webhooks_hint.py, and what a
sync makes of it all (W11, W15) in tests/acceptance/test_webhooks.py.
"""

import base64
import json
import socket
import threading
from typing import Any

import pytest
import requests
from psycopg import Connection

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.inbox import Waiting
from quickbooks_crm.webhooks.receiver import Limits
from quickbooks_crm.webhooks.server import InTime, verifier_tokens
from tests.integration.deliveries import cloud_event, old_entity, old_form, signed
from tests.integration.kept_events import counts, database, receiver, stored, unread
from tests.integration.receiving import Receiving, keeper, receiving, until
from tests.integration.runs import NOON

__all__ = ["database", "receiver"]

SMALL = Limits(readable=1000, largest=5000, held=2000)

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


def test_other_methods_and_addresses_are_refused(receiver: Receiving) -> None:
    host = f"http://127.0.0.1:{receiver.port}"

    assert requests.get(f"{host}/health", timeout=10).text == "ok"
    for method in ("GET", "PUT", "DELETE", "TRACE", "OPTIONS"):
        assert requests.request(method, receiver.url, timeout=10).status_code == 405
    for path in ("/", "/docs", "/openapi.json", "/webhooks/more"):
        assert requests.post(host + path, data=b"[]", timeout=10).status_code == 404


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
