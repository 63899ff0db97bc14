"""A network and a QuickBooks that fail in every way: an answer is whole, or it is asked for again,
or a person is told; and nothing hangs.

The numbers of the faults are those of test_rows.py.
"""

import logging
import re
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import quickbooks_crm
from quickbooks_crm.errors import (
    QuickBooksAsksToWait,
    QuickBooksError,
    QuickBooksForbidden,
    QuickBooksLoginExpired,
    QuickBooksRefused,
    QuickBooksUnavailable,
)
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.limiter import Outcome
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.transport import BoundedSession, never_sent
from simulator import Simulator
from tests.integration.connected import Key, NoLimits, client_of, company, settings, store_of
from tests.integration.raw_server import http, whole_request

CUSTOMERS = "SELECT * FROM Customer ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000"
WHOLE = b'{"QueryResponse":{"Customer":[{"Id":"1"}]},"time":"2026-11-22T03:00:00-08:00"}'
Behaviour = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def served() -> Iterator[Simulator]:
    with company(customers=20, throttle=False) as quickbooks:
        yield quickbooks


@pytest.fixture
def quickbooks(served: Simulator) -> Simulator:
    served.clear_faults()
    served.reset_calls()
    return served


class Hasty(BoundedSession):
    """A session with little time."""

    read_timeout = 0.2
    deadline = 0.5


class HastyClient(QuickBooksClient):
    """A client with as little."""

    session_type = Hasty


class Login:
    """A token for servers that do not look at it."""

    def access_token(self) -> str:
        return "the-token"

    def renewed(self, rejected: str) -> str:
        return "another"

    def refused(self) -> None:
        """Nothing is counted."""

    def accepted(self) -> None:
        """Nothing was counted."""


def to(url: str, limits: NoLimits) -> QuickBooksClient:
    known = Settings("simulator", "9341", "id", "hush", "", url, f"{url}/discovery")
    return HastyClient(known, Login(), limits, lambda _: None)


@contextmanager
def serving(*behaviours: Behaviour) -> Iterator[str]:
    """A server that behaves in these ways, one connection after the other, then well."""
    left = list(behaviours)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            whole_request(self.request)
            behave = left.pop(0) if left else _well
            with suppress(OSError):
                behave(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _well(client: socket.socket) -> None:
    client.sendall(http(WHOLE))


def silent(client: socket.socket) -> None:
    """N02: the request is read, and that is all until the caller goes."""
    client.recv(1)


def dripping(first: bytes, drop: bytes) -> Behaviour:
    """N03: each byte comes long before any timeout for a single one."""

    def behave(client: socket.socket) -> None:
        client.sendall(first)
        while True:
            client.sendall(drop)
            threading.Event().wait(0.05)

    return behave


def reset_after(sent: bytes) -> Behaviour:
    """N04, N05: the connection is torn down without a goodbye."""

    def behave(client: socket.socket) -> None:
        client.sendall(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(silent, id="N02"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"z"), id="N03-in-a-header"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="N03-header-by-header"),
        pytest.param(dripping(b"", b"H"), id="N03-in-the-status"),
        pytest.param(dripping(http(b"", length=10**9), b" "), id="N03-in-the-body"),
        pytest.param(reset_after(b""), id="N04"),
        pytest.param(reset_after(b"HTTP/1.1 200 OK\r\nContent-"), id="N04-in-the-headers"),
        pytest.param(reset_after(http(WHOLE)[:-9]), id="N05"),
    ],
)
def test_what_breaks_off_or_does_not_end_is_asked_for_again_and_counts_as_billed(
    behave: Behaviour,
) -> None:
    """Nobody knows what QuickBooks did with the first request."""
    limits = NoLimits()
    with serving(behave) as url:
        page = to(url, limits).query(CUSTOMERS)

    assert [record.id for record in page.records] == ["1"]
    assert limits.outcomes == [Outcome.BILLED, Outcome.BILLED]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_nobody_there_is_told_after_a_bounded_number_of_tries_and_costs_nothing(url: str) -> None:
    """N01."""
    limits = NoLimits()

    with pytest.raises(QuickBooksUnavailable, match="could not be reached for a query"):
        to(url, limits).query(CUSTOMERS)

    assert limits.outcomes == [Outcome.UNSENT] * 6


IN_A_MINUTE = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("17", 17, 17),
        ("0", 1, 1),
        ("-5", 1, 1),
        ("60", 60, 60),
        (lambda: format_datetime(datetime.now(UTC) + IN_A_MINUTE, usegmt=True), 55, 60),
        ("soon", 1, 8),
        (None, 1, 8),
    ],
)
def test_a_throttled_request_waits_as_long_as_quickbooks_says_or_a_random_time(
    quickbooks: Simulator, retry_after: Any, least: float, most: float
) -> None:
    """N16, N17."""
    waits: list[float] = []
    said = retry_after() if callable(retry_after) else retry_after
    quickbooks.fail("query", 429, headers={"Retry-After": said} if said else None)

    client_of(quickbooks, waits.append).query(CUSTOMERS)

    assert len(waits) == 1
    assert least <= waits[0] <= most


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("retry_after", "seconds"), [("61", 61), ("315360000", 900)])
def test_whoever_is_asked_to_wait_longer_than_a_minute_gives_up_at_once_and_calls_no_more(
    quickbooks: Simulator, status: int, retry_after: str, seconds: float
) -> None:
    """N16: a worker is not kept waiting, and nobody calls before."""
    client = client_of(quickbooks, lambda _: pytest.fail("waited"))
    quickbooks.fail("query", status, headers={"Retry-After": retry_after})

    with pytest.raises(QuickBooksAsksToWait, match=f"called for {seconds} seconds") as asked:
        client.query(CUSTOMERS)
    with pytest.raises(QuickBooksAsksToWait) as still:
        client.count("Item")

    assert asked.value.seconds == seconds
    assert 0 < still.value.seconds <= seconds
    assert _statuses(quickbooks) == [status]


def test_a_page_that_is_asked_to_wait_ends_the_reading_for_all(quickbooks: Simulator) -> None:
    """N16: other pages are under way at the same time, and more were to come."""
    quickbooks.fail("query", 429, after=3, headers={"Retry-After": "300"})
    quickbooks.fail("query", 0, seconds=0.3, times=99)
    client = client_of(quickbooks)

    with pytest.raises(QuickBooksAsksToWait):
        list(reading.everything(client, "Customer", size=2))
    with pytest.raises(QuickBooksAsksToWait):
        client.query(CUSTOMERS)

    assert _statuses(quickbooks).count(429) == 1
    assert len(_statuses(quickbooks)) <= 1 + reading.CONNECTIONS


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_failure_of_quickbooks_is_tried_again_and_then_given_up(
    quickbooks: Simulator, status: int
) -> None:
    """N19."""
    quickbooks.fail("query", status, times=9)

    with pytest.raises(QuickBooksUnavailable, match=f"status {status}"):
        client_of(quickbooks).query(CUSTOMERS)

    assert _statuses(quickbooks) == [status] * 6


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (400, QuickBooksRefused, "code 4001"),
        (403, QuickBooksForbidden, "does not let this app"),
    ],
)
def test_a_refusal_is_not_tried_again(
    quickbooks: Simulator, status: int, error: type[Exception], told: str
) -> None:
    """N21, N24."""
    quickbooks.fail("query", status, times=9)

    with pytest.raises(error, match=told):
        client_of(quickbooks).query(CUSTOMERS)

    assert _statuses(quickbooks) == [status]


def test_a_login_that_ends_between_two_pages_is_renewed_and_no_record_is_missed(
    quickbooks: Simulator,
) -> None:
    """N22."""
    client = client_of(quickbooks)
    quickbooks.fail("query", 401, after=3)

    pages = list(reading.everything(client, "Customer", size=5))

    assert {record.id for page in pages for record in page.records} == _ids(quickbooks)
    assert client._tokens.renewals == 1
    assert _statuses(quickbooks).count(401) == 1


def test_a_login_that_is_refused_anew_is_not_renewed_for_ever(quickbooks: Simulator) -> None:
    """N23."""
    quickbooks.fail("query", 401, times=9)

    with pytest.raises(QuickBooksLoginExpired, match="Connect the company again"):
        client_of(quickbooks).query(CUSTOMERS)

    assert _statuses(quickbooks) == [401, 401]


def test_a_company_that_disconnects_between_two_pages_ends_the_reading(database_url: str) -> None:
    """N25."""
    with company(customers=20, throttle=False) as quickbooks:
        tokens = store_of(database_url, quickbooks, Key())
        client = QuickBooksClient(settings(quickbooks), tokens, NoLimits())
        client.query(CUSTOMERS)
        quickbooks.when("query", quickbooks.expire_access_tokens, after=2)
        quickbooks.when("query", quickbooks.revoke_refresh_token, after=1)

        with pytest.raises(QuickBooksLoginExpired, match="until someone connects it again"):
            list(reading.everything(client, "Customer", size=5))

        assert [call.kind for call in quickbooks.calls].count("token") == 2


def test_no_log_and_no_error_has_the_token_whatever_goes_wrong(
    quickbooks: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """QuickBooks echoes the token that it refuses; urllib3 logs addresses and statuses."""
    caplog.set_level(logging.DEBUG)
    client, told = client_of(quickbooks), []
    token = client._tokens.access_token()

    for status in (400, 401, 403, 429, 500):
        quickbooks.fail("query", status, times=9, body=f"refused: Bearer {token}")
        with pytest.raises(QuickBooksError) as e:
            client.query(CUSTOMERS)
        told.append(f"{e.value!r} {e.value.__context__!r} {e.value.__cause__!r}")
        quickbooks.clear_faults()

    assert token not in caplog.text + " ".join(told)
    assert "POST /v3/company" in caplog.text


def _statuses(quickbooks: Simulator) -> list[int]:
    return [call.status for call in quickbooks.calls if call.kind == "query"]


def _ids(quickbooks: Simulator) -> set[str]:
    return {row["Id"] for row in quickbooks.rows("Customer")}


DAY = timedelta(days=1)


def _certificate(directory: Path, host: str, ends: timedelta) -> tuple[Path, Path]:
    """A key and a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    names = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - 9 * DAY)
        .not_valid_after(datetime.now(UTC) + ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = directory / "certificate.pem", directory / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


@contextmanager
def _tls(certificate: Path, key: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A server that shows this certificate; and what it was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as safe,
            ):
                received.append(whole_request(safe))
                safe.sendall(http(WHOLE))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("host", "ends", "trusted", "why"),
    [
        ("elsewhere.example", DAY, True, "not valid for|doesn't match|mismatch"),
        ("127.0.0.1", -DAY, True, "expired"),
        ("127.0.0.1", DAY, False, "self-signed"),
    ],
)
def test_a_server_that_cannot_prove_who_it_is_is_sent_nothing(
    tmp_path: Path, host: str, ends: timedelta, trusted: bool, why: str
) -> None:
    """N28."""
    certificate, key = _certificate(tmp_path, host, ends)
    session = BoundedSession()
    if trusted:
        session.verify = str(certificate)

    with (
        _tls(certificate, key) as (url, received),
        pytest.raises(requests.exceptions.SSLError, match=why) as caught,
    ):
        session.get(url, headers={"Authorization": "Bearer the-token"})

    assert received == []
    assert never_sent(caught.value)


def test_a_server_that_can_prove_it_is_answered_within_the_deadline_too(tmp_path: Path) -> None:
    """The same server and session as above, so that the test above fails for its reason."""
    certificate, key = _certificate(tmp_path, "127.0.0.1", DAY)
    session = BoundedSession()
    session.verify = str(certificate)

    with _tls(certificate, key) as (url, received):
        assert session.get(url).content == WHOLE

    assert len(received) == 1


def test_no_code_leaves_out_the_check_of_certificates() -> None:
    """N28."""
    off = re.compile(r"verify\s*=\s*False|CERT_NONE|_create_unverified_context|check_hostname")
    package = Path(quickbooks_crm.__file__).parent

    assert [file for file in package.rglob("*.py") if off.search(file.read_text())] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"QueryResponse":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 100_000,
        b"<a>" * 100_000,
    ],
)
def test_an_answer_nested_too_deep_is_an_answer_that_cannot_be_used(
    quickbooks: Simulator, body: bytes
) -> None:
    quickbooks.fail("query", 200, times=6, body=body.decode())

    with pytest.raises(QuickBooksUnavailable, match=r"no usable answer|documented form"):
        client_of(quickbooks).query(CUSTOMERS)
