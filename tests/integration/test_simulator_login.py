"""The simulator's OAuth over HTTP, and what a token opens."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from simulator import Simulator
from tests.integration.simulator_caller import Caller

DAY = 86_400


@pytest.fixture
def start() -> Iterator[Callable[..., Caller]]:
    """Starts simulators with settings, and stops them."""
    started: list[Simulator] = []

    def start(**settings: Any) -> Caller:
        started.append(Simulator(customers=3, items=0, invoices=0, **settings).start())
        return Caller(started[-1])

    yield start
    for simulator in started:
        simulator.stop()


@pytest.fixture
def app(start: Callable[..., Caller]) -> Caller:
    return start()


def first_token(app: Caller) -> str:
    return str(app.quickbooks.refresh_token)


def refused(response: requests.Response) -> tuple[int, Any]:
    return response.status_code, response.json().get("error")


def test_discovery_names_the_endpoints_on_the_simulators_own_host(app: Caller) -> None:
    document = requests.get(app.quickbooks.discovery_url, timeout=5).json()

    url = app.quickbooks.url
    assert document["token_endpoint"] == f"{url}/oauth2/v1/tokens/bearer"
    assert document["authorization_endpoint"] == f"{url}/connect/oauth2"
    assert document["revocation_endpoint"] == f"{url}/v2/oauth2/tokens/revoke"


def test_a_refresh_token_brings_an_access_token_for_an_hour(app: Caller) -> None:
    tokens = app.refresh(first_token(app)).json()

    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["x_refresh_token_expires_in"] == 8_640_000
    assert "x_refresh_token_hard_expires_in" not in tokens


def test_the_hard_expiry_is_told_when_asked_for(app: Caller) -> None:
    header = {"x-include-refresh-token-hard-expires-in": "true"}

    tokens = app.refresh(first_token(app), **header).json()

    assert tokens["x_refresh_token_hard_expires_in"] == pytest.approx(5 * 365 * DAY, abs=60)


def test_a_refresh_token_keeps_its_value_for_a_day(app: Caller) -> None:
    first = first_token(app)

    same = app.refresh(first).json()["refresh_token"]
    app.quickbooks.advance(DAY + 60)
    new = app.refresh(first).json()["refresh_token"]

    assert same == first != new
    assert refused(app.refresh(first)) == (400, "invalid_grant")
    assert app.refresh(new).ok


def test_a_refresh_token_may_change_at_every_use(start: Callable[..., Caller]) -> None:
    app = start(rotation="every_use")
    current = first_token(app)

    new = app.refresh(current).json()["refresh_token"]

    assert new != current
    assert refused(app.refresh(current)) == (400, "invalid_grant")
    assert app.refresh(new).ok


def test_an_old_refresh_token_may_kill_the_whole_family(start: Callable[..., Caller]) -> None:
    app = start(rotation="every_use", reuse="kill_family")
    old = first_token(app)
    new = app.refresh(old).json()["refresh_token"]

    app.refresh(old)

    assert refused(app.refresh(new)) == (400, "invalid_grant")


def test_the_refresh_token_before_the_newest_may_have_a_grace(
    start: Callable[..., Caller],
) -> None:
    app = start(rotation="every_use", reuse="kill_family", grace_seconds=60)
    older = first_token(app)
    old = app.refresh(older).json()["refresh_token"]
    newest = app.refresh(old).json()["refresh_token"]

    within = app.refresh(old).json()["refresh_token"]
    app.quickbooks.advance(61)

    assert within == newest
    assert refused(app.refresh(old)) == (400, "invalid_grant")
    assert app.quickbooks.refresh_token is None


def test_a_refresh_token_dies_after_100_idle_days(app: Caller) -> None:
    app.quickbooks.advance(101 * DAY)

    assert refused(app.refresh(first_token(app))) == (400, "invalid_grant")


def test_a_refresh_token_dies_after_five_years_of_use(app: Caller) -> None:
    token = first_token(app)
    for _ in range(20):
        app.quickbooks.advance(90 * DAY)
        token = app.refresh(token).json()["refresh_token"]

    app.quickbooks.advance(90 * DAY)

    assert refused(app.refresh(token)) == (400, "invalid_grant")


def test_a_restarted_simulator_knows_the_tokens_it_once_gave(
    start: Callable[..., Caller],
) -> None:
    """An app's stored token must survive a restart, as it would survive one of Intuit's servers."""
    stored = start(rotation="every_use").quickbooks.refresh_token

    restarted = start(rotation="every_use")

    assert restarted.refresh(str(stored)).ok


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "wrong"}, "invalid_grant"),
        ({}, "invalid_request"),
    ],
)
def test_a_wrong_request_for_tokens_is_refused(
    app: Caller, form: dict[str, str], error: str
) -> None:
    quickbooks = app.quickbooks
    response = requests.post(
        f"{quickbooks.url}/oauth2/v1/tokens/bearer",
        auth=(quickbooks.client_id, quickbooks.client_secret),
        data=form,
        timeout=5,
    )

    assert refused(response) == (400, error)


def test_a_wrong_secret_is_the_apps_fault_not_the_users(app: Caller) -> None:
    response = requests.post(
        f"{app.quickbooks.url}/oauth2/v1/tokens/bearer",
        auth=(app.quickbooks.client_id, "wrong"),
        data={"grant_type": "refresh_token", "refresh_token": first_token(app)},
        timeout=5,
    )

    assert refused(response) == (401, "invalid_client")


def test_an_expired_access_token_is_refused_and_echoed(app: Caller) -> None:
    app.quickbooks.advance(3601)

    response = app.query("SELECT * FROM Customer")

    error = response.json()["fault"]["error"][0]
    token = str(app.session.headers["Authorization"]).removeprefix("Bearer ")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Intuit", error="invalid_token"'
    assert (error["code"], token in error["detail"]) == ("3200", True)
    assert isinstance(response.json()["time"], int)


def test_access_tokens_may_be_made_to_expire(app: Caller) -> None:
    app.quickbooks.expire_access_tokens()
    assert app.query("SELECT * FROM Customer").status_code == 401

    app.log_in()
    assert app.query("SELECT * FROM Customer").ok


def test_another_company_is_forbidden(app: Caller) -> None:
    url = f"{app.quickbooks.url}/v3/company/123/query"

    response = app.session.get(url, params={"query": "SELECT * FROM Item"}, timeout=5)

    assert response.status_code == 403
    assert response.json()["fault"]["error"][0]["code"] == "3100"


def test_a_revoked_token_opens_nothing(app: Caller) -> None:
    quickbooks = app.quickbooks
    token = first_token(app)

    revoked = requests.post(
        f"{quickbooks.url}/v2/oauth2/tokens/revoke",
        auth=(quickbooks.client_id, quickbooks.client_secret),
        json={"token": token},
        timeout=5,
    )

    assert revoked.status_code == 200
    assert refused(app.refresh(token)) == (400, "invalid_grant")
    assert app.query("SELECT * FROM Customer").status_code == 401


def test_an_unknown_token_cannot_be_revoked(app: Caller) -> None:
    quickbooks = app.quickbooks

    response = requests.post(
        f"{quickbooks.url}/v2/oauth2/tokens/revoke",
        auth=(quickbooks.client_id, quickbooks.client_secret),
        json={"token": "wrong"},
        timeout=5,
    )

    assert response.status_code == 400


def test_a_disconnected_app_can_be_connected_again(app: Caller) -> None:
    app.quickbooks.revoke_refresh_token()
    assert app.quickbooks.refresh_token is None

    app.quickbooks.connect("another-token")

    assert app.refresh("another-token").ok


# Consent

ASKED = {
    "client_id": "simulator-client",
    "response_type": "code",
    "scope": "com.intuit.quickbooks.accounting",
    "redirect_uri": "http://localhost:5000/callback?from=us",
    "state": "xyz",
}


def consented(app: Caller, decision: str) -> dict[str, list[str]]:
    """What the app is told when the user has pressed a button."""
    response = requests.post(
        f"{app.quickbooks.url}/connect/oauth2",
        params=ASKED,
        data={"decision": decision},
        allow_redirects=False,
        timeout=5,
    )
    assert response.status_code == 302
    assert response.headers["location"].startswith(ASKED["redirect_uri"])
    return parse_qs(urlsplit(response.headers["location"]).query)


def exchanged(app: Caller, code: str) -> requests.Response:
    return requests.post(
        f"{app.quickbooks.url}/oauth2/v1/tokens/bearer",
        auth=(app.quickbooks.client_id, app.quickbooks.client_secret),
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": ASKED["redirect_uri"],
        },
        timeout=5,
    )


def test_the_consent_page_names_the_company_and_asks(app: Caller) -> None:
    page = requests.get(f"{app.quickbooks.url}/connect/oauth2", params=ASKED, timeout=5)

    assert "Connect to Sample Landscaping &amp; Garden?" in page.text
    assert 'value="connect"' in page.text and 'value="cancel"' in page.text


@pytest.mark.parametrize("field", sorted(ASKED))
def test_a_consent_asked_for_wrongly_is_refused_to_the_user(app: Caller, field: str) -> None:
    page = requests.get(
        f"{app.quickbooks.url}/connect/oauth2", params={**ASKED, field: ""}, timeout=5
    )

    assert page.status_code == 400
    assert field in page.text


def test_a_consent_ends_in_tokens_and_tells_the_realm(app: Caller) -> None:
    told = consented(app, "connect")
    tokens = exchanged(app, told["code"][0]).json()

    assert (told["state"], told["realmId"]) == (["xyz"], [app.quickbooks.realm])
    assert app.refresh(tokens["refresh_token"]).ok


def test_a_code_works_once(app: Caller) -> None:
    code = consented(app, "connect")["code"][0]
    exchanged(app, code)

    assert refused(exchanged(app, code)) == (400, "invalid_grant")


def test_a_code_is_too_old_after_ten_minutes(app: Caller) -> None:
    code = consented(app, "connect")["code"][0]
    app.quickbooks.advance(601)

    assert refused(exchanged(app, code)) == (400, "invalid_grant")


def test_a_user_may_say_no(app: Caller) -> None:
    told = consented(app, "cancel")

    assert told == {"from": ["us"], "state": ["xyz"], "error": ["access_denied"]}
