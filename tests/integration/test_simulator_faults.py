"""The simulator's misbehaviour: scripted faults, limits, and the ledger of what was asked."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from simulator import Simulator
from tests.integration.simulator_caller import Caller

ALL = "SELECT * FROM Customer ORDERBY Id"


@pytest.fixture(scope="module")
def logged_in() -> Iterator[Caller]:
    with Simulator(customers=20, items=3, invoices=0, throttle=False) as quickbooks:
        yield Caller(quickbooks)


@pytest.fixture
def app(logged_in: Caller) -> Caller:
    """An app whose QuickBooks behaves, until the test says otherwise."""
    logged_in.quickbooks.clear_faults()
    logged_in.quickbooks.reset_calls()
    return logged_in


def statuses(app: Caller, count: int) -> list[int]:
    return [app.query(ALL).status_code for _ in range(count)]


def test_a_fault_comes_as_often_as_scripted(app: Caller) -> None:
    app.quickbooks.fail("query", 503, times=2, after=1)

    assert statuses(app, 5) == [200, 503, 503, 200, 200]


def test_a_fault_may_be_meant_for_one_kind_of_call(app: Caller) -> None:
    app.quickbooks.fail("cdc", 500)

    assert statuses(app, 1) == [200]
    since = "2026-01-01T00:00:00Z"
    assert app.get("cdc", entities="Item", changedSince=since).status_code == 500


def test_a_fault_may_be_meant_for_some_statements(app: Caller) -> None:
    app.quickbooks.fail("query", 500, matching="from item", times=9)

    assert statuses(app, 1) == [200]
    assert app.query("SELECT * FROM Item").status_code == 500


def test_faults_can_be_taken_back(app: Caller) -> None:
    app.quickbooks.fail(times=9)

    app.quickbooks.clear_faults()

    assert statuses(app, 1) == [200]


@pytest.mark.parametrize(
    ("form", "content", "holds"),
    [
        ("upper", "application/json", '{"Fault": {"Error": [{"Message": "message=Throttle'),
        ("lower", "application/json", '"fault": {"error": [{"message": "message=Throttle'),
        ("xml", "application/xml", '<Error code="3001"><Message>message=Throttle'),
        ("html", "text/html", "<h1>429 "),
        ("text", "text/plain", "stream timeout"),
    ],
)
def test_a_fault_comes_in_every_form(app: Caller, form: str, content: str, holds: str) -> None:
    app.quickbooks.fail("query", 429, form=form)

    response = app.query(ALL)

    assert response.status_code == 429
    assert response.headers["content-type"].startswith(content)
    assert holds in response.text


def test_a_fault_may_have_no_body(app: Caller) -> None:
    app.quickbooks.fail("query", 429, form="empty", headers={"Retry-After": "7"})

    response = app.query(ALL)

    assert (response.text, response.headers["retry-after"]) == ("", "7")


def test_a_fault_may_ride_on_a_success(app: Caller) -> None:
    app.quickbooks.fail("query", 200, form="lower", code="10000")

    response = app.query(ALL)

    assert response.status_code == 200
    assert response.json()["fault"]["error"][0]["code"] == "10000"


def test_an_answer_may_be_anything(app: Caller) -> None:
    app.quickbooks.fail("token", 200, body='{"access_token": "only"}')

    assert app.refresh("simulator-refresh-token").json() == {"access_token": "only"}


@pytest.mark.parametrize("form", ["cut", "lost"])
def test_an_answer_may_break_off(app: Caller, form: str) -> None:
    app.quickbooks.fail("query", form=form)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        app.query(ALL)

    assert statuses(app, 1) == [200]


def test_a_rotated_token_may_be_lost_on_its_way() -> None:
    """The ambiguous case: Intuit has turned the token, the app has not heard the new one."""
    with Simulator(customers=0, items=0, invoices=0, rotation="every_use") as quickbooks:
        app = Caller(quickbooks)
        stored = str(quickbooks.refresh_token)
        quickbooks.fail("token", form="lost")

        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            app.refresh(stored)

        assert app.refresh(stored).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_client")])
def test_the_token_endpoint_fails_in_its_own_words(app: Caller, status: int, error: str) -> None:
    app.quickbooks.fail("token", status)

    response = app.refresh("simulator-refresh-token")

    assert (response.status_code, response.json()) == (status, {"error": error})


def test_an_answer_may_be_late(app: Caller) -> None:
    app.quickbooks.fail("query", status=0, seconds=0.2)

    began = time.perf_counter()
    assert statuses(app, 1) == [200]

    assert time.perf_counter() - began >= 0.2


def test_a_row_may_change_between_two_pages(app: Caller) -> None:
    """Inactive rows leave the result, so that the rows after them move up: one is skipped."""
    app.quickbooks.when(
        "query", lambda: app.quickbooks.inactivate("Customer", "1"), matching="STARTPOSITION 5"
    )

    first = app.ids(f"{ALL} STARTPOSITION 1 MAXRESULTS 4")
    second = app.ids(f"{ALL} STARTPOSITION 5 MAXRESULTS 2")

    assert first == ["1", "2", "3", "4"]
    assert second[0] == "6"


def test_a_form_that_is_none_is_refused(app: Caller) -> None:
    with pytest.raises(ValueError, match="form cannot be 'upperr'"):
        app.quickbooks.fail(form="upperr")


# Limits


@pytest.mark.exceeds_limits("it shows what happens then")
def test_the_eleventh_call_within_a_second_is_too_many() -> None:
    with Simulator(customers=1, items=0, invoices=0) as quickbooks:
        answers = [Caller(quickbooks)] * 12
        codes = Counter(app.query(ALL).status_code for app in answers)

        assert codes == {200: 10, 429: 2}
        assert quickbooks.maxima["per_second"] == 12


@pytest.mark.exceeds_limits("it shows what happens then")
def test_the_eleventh_call_at_once_is_too_many() -> None:
    settings = {"customers": 1, "items": 0, "invoices": 0, "latency_ms": 300}
    with Simulator(**settings) as quickbooks:
        app = Caller(quickbooks)
        with ThreadPoolExecutor(11) as pool:
            codes = Counter(pool.map(lambda _: app.query(ALL).status_code, range(11)))

        assert codes == {200: 10, 429: 1}
        assert quickbooks.maxima["in_flight"] == 11


def test_a_monthly_quota_ends_all_reading() -> None:
    with Simulator(customers=1, items=0, invoices=0, quota=3) as quickbooks:
        assert statuses(Caller(quickbooks), 5) == [200, 200, 200, 429, 429]

        quickbooks.advance(31 * 86_400)

        assert statuses(Caller(quickbooks), 4) == [200, 200, 200, 429]


# The ledger


def test_every_call_is_in_the_ledger(app: Caller) -> None:
    app.refresh("simulator-refresh-token")
    app.query("SELECT COUNT(*) FROM Item")
    app.get("cdc", entities="Item", changedSince="2026-01-01", minorversion="75")
    app.get("companyinfo/1")
    app.get("customer/7")
    app.query("SELECT")

    calls = app.quickbooks.calls
    assert [(call.method, call.kind, call.statement, call.status) for call in calls] == [
        ("POST", "token", "refresh_token", 200),
        ("GET", "query", "SELECT COUNT(*) FROM Item", 200),
        ("GET", "cdc", "entities=Item&changedSince=2026-01-01", 200),
        ("GET", "companyinfo", "", 200),
        ("GET", "read", "7", 200),
        ("GET", "query", "SELECT", 400),
    ]


def test_only_reads_that_succeed_are_metered(app: Caller) -> None:
    app.quickbooks.fail("query", 500)

    app.refresh("simulator-refresh-token")
    statuses(app, 3)

    assert app.quickbooks.metered == 2
