"""What the client makes of QuickBooks' answers, over real HTTP."""

import gzip
import logging
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from quickbooks_crm.errors import (
    QuickBooksClosed,
    QuickBooksForbidden,
    QuickBooksLoginExpired,
    QuickBooksRefused,
    QuickBooksUnavailable,
)
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.limiter import Outcome
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.transport import BoundedSession
from simulator import Simulator
from tests.integration.connected import NoLimits, client_of, company
from tests.integration.raw_server import answering, http

CUSTOMERS = "SELECT * FROM Customer ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000"
FORMS = ["upper", "lower", "xml", "html", "text", "empty"]


@pytest.fixture(scope="module")
def served() -> Iterator[Simulator]:
    with company(customers=20, throttle=False) as quickbooks:
        yield quickbooks


@pytest.fixture
def quickbooks(served: Simulator) -> Simulator:
    served.clear_faults()
    served.reset_calls()
    return served


def kinds(quickbooks: Simulator) -> list[tuple[str, int]]:
    return [(c.kind, c.status) for c in quickbooks.calls if c.kind not in ("discovery", "token")]


def test_a_query_gives_the_records_as_they_are(quickbooks: Simulator) -> None:
    page = client_of(quickbooks).query(CUSTOMERS)

    active = {row["Id"]: row for row in quickbooks.rows("Customer") if row["Active"]}
    assert {record.id for record in page.records} == set(active)
    assert all(record.entity == "Customer" and record.updated_at for record in page.records)
    assert abs(page.time - datetime.now(UTC)) < timedelta(minutes=1)


def test_everything_is_what_the_company_has(quickbooks: Simulator) -> None:
    pages = reading.everything(client_of(quickbooks), "Customer", size=3)

    read = {record.id for page in pages for record in page.records}  # pages overlap
    assert read == {row["Id"] for row in quickbooks.rows("Customer")}


def test_the_company_says_its_name(quickbooks: Simulator) -> None:
    assert client_of(quickbooks).company_info()["CompanyName"] == "Sample Landscaping & Garden"


def test_changes_tell_of_edits_and_deletes() -> None:
    with company() as quickbooks:
        client = client_of(quickbooks)
        before = client.query(CUSTOMERS).time
        invoice = quickbooks.add("Invoice")
        quickbooks.change("Customer", "7", Notes="new")
        quickbooks.delete("Invoice", invoice)

        changes = reading.changes(client, ["Customer", "Item", "Invoice"], before)

    told = {(r.entity, r.id, r.deleted) for records in changes.records.values() for r in records}
    assert ("Customer", "7", False) in told
    assert ("Invoice", invoice, True) in told


def test_every_try_takes_a_turn_and_only_the_answer_is_billed(quickbooks: Simulator) -> None:
    limits = NoLimits()
    quickbooks.fail("query", 503, times=2)

    client_of(quickbooks, limits=limits).query(CUSTOMERS)

    assert limits.outcomes == [Outcome.FREE, Outcome.FREE, Outcome.BILLED]
    assert kinds(quickbooks) == [("query", 503), ("query", 503), ("query", 200)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(quickbooks: Simulator, status: int, form: str) -> None:
    client = client_of(quickbooks)
    quickbooks.fail("query", status, form=form)

    assert len(client.query(CUSTOMERS)) > 0
    assert len(kinds(quickbooks)) == 2


@pytest.mark.parametrize("form", ["html", "text", "empty", "cut", "lost"])
def test_an_unusable_answer_with_status_200_is_tried_again(
    quickbooks: Simulator, form: str
) -> None:
    """Half a page, nothing or a maintenance page: never taken for the end of the data."""
    client = client_of(quickbooks)
    quickbooks.fail("query", 200, form=form)

    assert len(client.query(CUSTOMERS)) > 0
    assert len(kinds(quickbooks)) == 2


@pytest.mark.parametrize("form", ["upper", "lower", "xml"])
def test_a_fault_with_status_200_is_a_fault(quickbooks: Simulator, form: str) -> None:
    quickbooks.fail("query", 200, form=form, code="4001")

    with pytest.raises(QuickBooksRefused, match="code 4001"):
        client_of(quickbooks).query(CUSTOMERS)


def test_what_lasts_is_given_up_with_its_reason(quickbooks: Simulator) -> None:
    quickbooks.fail("query", 503, times=6)

    with pytest.raises(QuickBooksUnavailable) as caught:
        client_of(quickbooks).query(CUSTOMERS)

    assert str(caught.value) == (
        "QuickBooks gave no usable answer to a query for company 9341452000000001 (simulator): "
        "status 503, code 10000, System Failure: An error occurred, "
        f"intuit_tid {quickbooks.calls[-1].tid}. Nothing is lost: the next try goes on from here."
    )


def test_a_retry_after_is_kept_to(quickbooks: Simulator) -> None:
    waits: list[float] = []
    quickbooks.fail("query", 429, headers={"Retry-After": "17"})

    client_of(quickbooks, waits.append).query(CUSTOMERS)

    assert waits == [17]


def test_a_wrong_query_is_refused_once(quickbooks: Simulator) -> None:
    client = client_of(quickbooks)

    with pytest.raises(QuickBooksRefused, match=r"code 4001, .*Custmoer"):
        client.query("SELECT * FROM Custmoer")

    assert kinds(quickbooks) == [("query", 400)]


@pytest.mark.parametrize("form", FORMS)
def test_a_forbidden_company_is_refused_with_what_to_check(
    quickbooks: Simulator, form: str
) -> None:
    quickbooks.fail("query", 403, form=form)

    with pytest.raises(QuickBooksForbidden, match="Check that company id, environment and keys"):
        client_of(quickbooks).query(CUSTOMERS)


def test_a_lapsed_subscription_is_told(quickbooks: Simulator) -> None:
    quickbooks.fail("query", 400, code="6190")

    with pytest.raises(QuickBooksClosed, match="subscription has probably lapsed"):
        client_of(quickbooks).query(CUSTOMERS)


@pytest.mark.parametrize("form", FORMS)
def test_an_expired_login_is_renewed_once_and_the_request_repeated(
    quickbooks: Simulator, form: str
) -> None:
    client = client_of(quickbooks)
    quickbooks.fail("query", 401, form=form)

    assert len(client.query(CUSTOMERS)) > 0
    assert kinds(quickbooks) == [("query", 401), ("query", 200)]


def test_a_login_that_stays_expired_is_not_renewed_for_ever(quickbooks: Simulator) -> None:
    quickbooks.fail("query", 401, times=5)

    with pytest.raises(QuickBooksLoginExpired, match="Connect the company again"):
        client_of(quickbooks).query(CUSTOMERS)

    assert kinds(quickbooks) == [("query", 401), ("query", 401)]


def test_the_token_that_quickbooks_echoes_gets_into_no_log_and_no_error(
    quickbooks: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(quickbooks)
    token = client._tokens.access_token()
    quickbooks.expire_access_tokens()
    quickbooks.fail("query", 401, after=1)

    with pytest.raises(QuickBooksLoginExpired) as caught:
        client.query(CUSTOMERS)

    texts = caplog.text + str(caught.value) + repr(client.__dict__)
    assert token not in texts
    assert quickbooks.client_secret not in texts
    assert "intuit_tid 1-" in caplog.text


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda client: client.create_object("Customer", '{"DisplayName":"x"}'),
        lambda client: client.delete_object("Invoice", '{"Id":"1"}'),
        lambda client: client.batch_operation("{}"),
        lambda client: client.get_report("ProfitAndLoss"),
        lambda client: client.get_current_user(),
        lambda client: client.get("https://elsewhere.example/v3/company/9341452000000001/query"),
        lambda client: client.post(f"{client.api_url}/company/1/query", "SELECT 1"),
    ],
)
def test_only_reading_our_own_company_is_ever_sent(
    quickbooks: Simulator, forbidden: Callable[[QuickBooksClient], Any]
) -> None:
    client = client_of(quickbooks)

    with pytest.raises(QuickBooksRefused, match="Not sent to QuickBooks"):
        forbidden(client)

    assert quickbooks.calls == []


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


def to(url: str, limits: NoLimits | None = None) -> QuickBooksClient:
    known = Settings("simulator", "9341", "id", "hush", "", url, f"{url}/discovery")
    return QuickBooksClient(known, Login(), limits or NoLimits(), lambda _: None)


WHOLE = b'{"QueryResponse":{"Customer":[{"Id":"1"}]},"time":"2026-11-22T03:00:00-08:00"}'
FLIPPED = bytearray(gzip.compress(WHOLE))
FLIPPED[len(FLIPPED) // 2] ^= 0xFF
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200",
        http(WHOLE[:40]),
        http(WHOLE, length=len(WHOLE) + 1),
        http(WHOLE[:-1], length=len(WHOLE)),
        CHUNKED + b"%x\r\n%b\r\n" % (len(WHOLE), WHOLE),
        CHUNKED + b"%x\r\n%b" % (len(WHOLE) + 9, WHOLE),
        http(bytes(FLIPPED), "Content-Encoding: gzip"),
        http(gzip.compress(WHOLE)[:-20], "Content-Encoding: gzip"),
        http(b"null"),
        http(b"", status="204 No Content"),
        http(b'{"QueryResponse":null,"time":"2026-11-22T03:00:00-08:00"}'),
    ],
)
def test_a_broken_answer_is_asked_for_again(broken: bytes) -> None:
    with answering(broken, http(WHOLE)) as (url, received):
        page = to(url).query(CUSTOMERS)

    assert [record.id for record in page.records] == ["1"]
    assert len(received) == 2


@pytest.mark.parametrize(
    "whole",
    [
        http(WHOLE),
        http(gzip.compress(WHOLE), "Content-Encoding: gzip"),
        CHUNKED
        + b"".join(b"1\r\n%b\r\n" % WHOLE[i : i + 1] for i in range(len(WHOLE)))
        + b"0\r\n\r\n",
    ],
)
def test_a_whole_answer_is_taken_in_any_transfer_form(whole: bytes) -> None:
    with answering(whole) as (url, _):
        assert len(to(url).query(CUSTOMERS)) == 1


def test_a_redirect_is_never_followed() -> None:
    """The other host would be handed the token."""
    with answering(http(WHOLE)) as (elsewhere, received_elsewhere):
        moved = http(b"", f"Location: {elsewhere}/", status="307 Temporary Redirect")
        with answering(moved) as (url, received), pytest.raises(QuickBooksRefused):
            to(url).query(CUSTOMERS)

    assert len(received) == 1
    assert received_elsewhere == []


def test_no_proxy_and_no_password_file_gets_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    with answering(http(WHOLE)) as (url, received):
        to(url).query(CUSTOMERS)

    assert b"Authorization: Bearer the-token" in received[0]


def test_nobody_there_is_unavailable_and_costs_no_call() -> None:
    limits = NoLimits()

    with pytest.raises(QuickBooksUnavailable, match=r"could not be reached .*ConnectionError"):
        to("http://127.0.0.1:9", limits).query(CUSTOMERS)

    assert set(limits.outcomes) == {Outcome.UNSENT}


class Hasty(BoundedSession):
    """A session with little time."""

    deadline = 0.3


def test_a_drip_of_single_bytes_is_cut_off() -> None:
    """Each byte arrives well before the read timeout."""
    done = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not done.wait(0.05):
                try:
                    self.request.sendall(b" ")
                except OSError:
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(requests.exceptions.ChunkedEncodingError, match="TimeoutError"):
                Hasty().get(f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            done.set()
            server.shutdown()
            thread.join()


def test_a_statement_goes_out_as_intuit_documents_it() -> None:
    with answering(http(WHOLE)) as (url, received):
        to(url).query("SELECT * FROM Customer WHERE DisplayName = 'Caf\u00e9'")

    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v3/company/9341/query?minorversion=75 HTTP/1.1")
    assert b"Content-Type: application/text" in head
    assert b"Accept: application/json" in head
    assert body.decode() == "SELECT * FROM Customer WHERE DisplayName = 'Caf\u00e9'"


def test_changes_are_asked_for_in_utc() -> None:
    body = b'{"CDCResponse":[{"QueryResponse":[{}]}],"time":"2026-11-22T03:00:00-08:00"}'
    since = datetime(2026, 11, 21, 16, 0, 0, 900_000, tzinfo=UTC).astimezone()

    with answering(http(body)) as (url, received):
        to(url).changed(["Customer", "Item"], since)

    assert received[0].startswith(
        b"GET /v3/company/9341/cdc?entities=Customer%2CItem"
        b"&changedSince=2026-11-21T16%3A00%3A00Z&minorversion=75 HTTP/1.1"
    )
