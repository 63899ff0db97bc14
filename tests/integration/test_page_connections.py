"""A person connects, reconnects and disconnects a company on its page, by Intuit's consent."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import requests
from psycopg import Connection

from quickbooks_crm import companies
from simulator import Simulator
from tests.integration.connected import FIRST, company, typed_as_json

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

AIRFLOW = "https://airflow.example.com/tools"
FROM_A_PAGE = {"sec-fetch-site": "same-origin", "content-type": "application/json"}
FRAMED = "../plugin/quickbooks-activity/quickbooks-crm/connections"
OTHER = {"realm": "9341452000000002", "refresh_token": "other-refresh-token"}
STRICT = {"customers": 1, "items": 1, "rotation": "every_use", "reuse": "kill_family"}


@pytest.fixture
def quickbooks(monkeypatch: pytest.MonkeyPatch, crm: str) -> Iterator[Simulator]:
    """The sample company; its connection brings no first token."""
    with company(**STRICT) as simulated:
        leads_to(monkeypatch, simulated, refresh_token="")
        yield simulated


@pytest.fixture
def operator(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    quickbooks: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> httpx.Client:
    """A browser in which somebody is signed in who may change connections."""
    from quickbooks_crm.pages import connections

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", AIRFLOW)
    connections.SELDOM.start_anew()
    signed_in_as("op")
    return anonymous


def leads_to(
    monkeypatch: pytest.MonkeyPatch, quickbooks: Simulator, name: str = "SAMPLE", **changed: Any
) -> None:
    value = typed_as_json(quickbooks, **changed)
    monkeypatch.setenv(f"AIRFLOW_CONN_QUICKBOOKS_{name}", value)


def has_a_twin(monkeypatch: pytest.MonkeyPatch, include: Path) -> None:
    """The sample company is one of two here."""
    (include / "companies").mkdir()
    for name in ("sample", "twin"):
        text = f"name: {name}\nquickbooks: quickbooks_{name}\n"
        (include / "companies" / f"{name}.yaml").write_text(text)
    monkeypatch.setattr(companies, "INCLUDE", include)


def pressed(
    browser: httpx.Client, button: str = "connect", company: str = "sample"
) -> httpx.Response:
    address = f"/quickbooks-crm/connections/{company}/{button}"
    return browser.post(address, headers=FROM_A_PAGE, content=b"{}")


def agreed(browser: httpx.Client, decision: str = "connect") -> dict[str, str]:
    """What Intuit lets the browser bring back when the person presses a button there."""
    address = pressed(browser).json()["leave"]
    sent = requests.post(address, data={"decision": decision}, allow_redirects=False, timeout=5)
    told = parse_qs(urlsplit(sent.headers["location"]).query)
    return {name: values[0] for name, values in told.items()}


def comes_back(browser: httpx.Client, told: dict[str, str]) -> httpx.Response:
    return browser.get("/quickbooks-crm/callback", params=told)


def shown(browser: httpx.Client) -> str:
    """What a person reads on the page, on one line."""
    return text(browser.get("/quickbooks-crm/connections"))


def text(answer: httpx.Response) -> str:
    body = re.sub(r"<dialog.*?</dialog>", "", answer.text.partition("<main>")[2], flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def logins(quickbooks: Simulator) -> list[int]:
    return [call.status for call in quickbooks.calls if call.kind == "token"]


def token_row(connection: Connection[Any]) -> tuple[Any, ...] | None:
    connection.rollback()
    return connection.execute("SELECT * FROM sync.token").fetchone()


def access_token() -> str:
    """What a run would send to QuickBooks; it proves that the stored login works."""
    from quickbooks_crm.quickbooks.hook import QuickBooksHook

    hook = QuickBooksHook("quickbooks_sample")
    hook.company()
    return hook.get_conn()._tokens.access_token()


def test_connect_sends_the_browser_to_intuit_and_back_to_airflows_own_address(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    address = pressed(operator).json()["leave"]

    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{quickbooks.url}/connect/oauth2?")
    assert asked["redirect_uri"] == [f"{AIRFLOW}/quickbooks-crm/callback"]
    assert asked["scope"] == ["com.intuit.quickbooks.accounting"]
    assert asked["client_id"] == [quickbooks.client_id]
    assert len(asked["state"][0]) >= 32


def test_the_host_that_a_request_names_is_not_where_intuit_sends_people(
    operator: httpx.Client,
) -> None:
    address = "/quickbooks-crm/connections/sample/connect"
    forged = {**FROM_A_PAGE, "host": "evil.example", "x-forwarded-host": "evil.example"}

    assert "evil" not in operator.post(address, headers=forged, content=b"{}").text


def test_a_consent_connects_the_company_and_the_page_says_which(operator: httpx.Client) -> None:
    before = shown(operator)
    answer = comes_back(operator, agreed(operator))

    assert (answer.status_code, answer.headers["location"]) == (303, FRAMED)
    assert "never connected" in before and "Connect to QuickBooks" in before
    assert "Connected to Sample Landscaping & Garden (simulator, company id" in shown(operator)
    assert "Login good until" in shown(operator)
    assert access_token()


def test_the_way_back_is_the_page_in_airflows_frame() -> None:
    from quickbooks_crm.pages import FRAMED as framed
    from quickbooks_crm_plugin import QuickBooksCrmPlugin

    [view] = [v for v in QuickBooksCrmPlugin.external_views if v["destination"] == "nav"]

    assert framed == f"plugin/{view['url_route']}/{view['href'].rstrip('/')}"


def test_a_code_is_exchanged_once_though_the_browser_comes_back_twice_at_once(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    told = agreed(operator)
    with ThreadPoolExecutor(2) as browsers:
        answers = list(browsers.map(lambda _: comes_back(operator, told), range(2)))

    assert [a.headers["location"] for a in answers] == [FRAMED] * 2
    assert logins(quickbooks) == [200]
    assert access_token()


def test_an_answer_waits_for_another_at_work_only_for_a_moment(
    operator: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from quickbooks_crm.pages import reaching

    monkeypatch.setattr(reaching, "FOR_OTHERS", "100")
    told = agreed(operator)
    connection.execute("SELECT FROM sync.consent FOR UPDATE")
    waited = comes_back(operator, told)
    connection.rollback()

    assert waited.status_code == 503
    assert "This answer of Intuit's is at work already" in text(waited)
    assert comes_back(operator, told).status_code == 303


def test_a_later_answer_with_the_same_state_changes_nothing(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    told = agreed(operator)
    comes_back(operator, told)

    comes_back(operator, told | {"code": "another", "realmId": "1"})
    comes_back(operator, {"state": told["state"], "error": "access_denied"})

    assert "Connected to Sample Landscaping" in shown(operator)
    assert logins(quickbooks) == [200]


def test_a_no_at_intuit_leaves_the_login_as_it_was(
    operator: httpx.Client, connection: Connection[Any]
) -> None:
    comes_back(operator, agreed(operator))
    before = token_row(connection)

    comes_back(operator, agreed(operator, "cancel"))

    assert token_row(connection) == before
    assert "Nobody agreed at Intuit. The connection is as it was before" in shown(operator)


def test_who_comes_back_after_ten_minutes_has_to_begin_again(
    operator: httpx.Client, quickbooks: Simulator, connection: Connection[Any]
) -> None:
    told = agreed(operator)
    connection.execute("UPDATE sync.consent SET asked_at = now() - interval '601 seconds'")
    connection.commit()

    comes_back(operator, told)

    assert "More than ten minutes have passed" in shown(operator)
    assert logins(quickbooks) == []


def test_another_person_cannot_end_what_somebody_began(
    operator: httpx.Client, signed_in_as: Callable[[str], None], quickbooks: Simulator
) -> None:
    told = agreed(operator)
    signed_in_as("admin")
    answer = comes_back(operator, told)
    signed_in_as("op")

    assert answer.status_code == 409
    assert "Somebody else has begun to connect sample" in text(answer)
    assert logins(quickbooks) == []
    assert comes_back(operator, told).status_code == 303


@pytest.mark.parametrize("state", ["", "forged"])
def test_a_state_that_was_not_given_out_does_nothing(
    operator: httpx.Client, quickbooks: Simulator, state: str
) -> None:
    told = agreed(operator) | {"state": state}

    answer = comes_back(operator, told)

    assert answer.status_code == 409
    assert "Nobody here has asked to connect a company in this way" in text(answer)
    assert logins(quickbooks) == []


def test_who_may_not_change_connections_any_more_cannot_come_back(
    operator: httpx.Client, quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    told = agreed(operator)
    monkeypatch.setattr(SimpleAuthManager, "is_authorized_connection", lambda *_, **__: False)

    assert comes_back(operator, told).status_code == 403
    assert logins(quickbooks) == []


def test_another_company_chosen_at_intuit_is_not_connected(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    comes_back(operator, agreed(operator) | {"realmId": OTHER["realm"]})

    assert "9341452000000002 was chosen, but sample is the one" in shown(operator)
    assert logins(quickbooks) == []


def test_what_intuit_gives_is_not_stored_when_it_opens_another_company(
    operator: httpx.Client, quickbooks: Simulator, connection: Connection[Any]
) -> None:
    comes_back(operator, agreed(operator))
    before = token_row(connection)
    quickbooks.fail("companyinfo", 403, times=5)

    comes_back(operator, agreed(operator))

    assert token_row(connection) == before
    assert "does not open the company that sample was read from" in shown(operator)


def test_a_company_made_at_another_time_is_not_the_one_that_was_read(
    operator: httpx.Client, connection: Connection[Any], quickbooks: Simulator
) -> None:
    comes_back(operator, agreed(operator))
    before = token_row(connection)
    bound = (quickbooks.realm, "simulator", "Sample", "2001-01-01")
    connection.execute(
        "INSERT INTO sync.company (company, realm, environment, name, created_at)"
        " VALUES ('sample', %s, %s, %s, %s)",
        bound,
    )
    connection.commit()

    comes_back(operator, agreed(operator))

    assert token_row(connection) == before
    assert "does not open the company that sample was read from" in shown(operator)


def test_while_intuit_is_down_nothing_is_lost_and_the_same_answer_works_later(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    told = agreed(operator)
    quickbooks.fail("token", 503, times=1)
    down = comes_back(operator, told)

    assert down.status_code == 503
    assert "Intuit's login cannot be used now" in text(down)
    assert "Try again" in text(down)
    assert comes_back(operator, told).status_code == 303
    assert "Connected to Sample" in shown(operator)


def test_while_quickbooks_is_down_the_code_is_not_spent_in_vain(
    operator: httpx.Client, quickbooks: Simulator, connection: Connection[Any]
) -> None:
    told = agreed(operator)
    quickbooks.fail("companyinfo", 503, times=1)
    down = comes_back(operator, told)
    begun = token_row(connection)

    comes_back(operator, told)

    assert "QuickBooks does not say at the moment which company this is" in text(down)
    assert begun is None
    assert logins(quickbooks) == [200]
    assert "Connected to Sample" in shown(operator)


def test_a_wrong_client_secret_is_told_in_words(
    operator: httpx.Client, quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = agreed(operator)
    leads_to(monkeypatch, quickbooks, refresh_token="", password="wrong")

    comes_back(operator, told)

    assert "Intuit does not know the app's keys" in shown(operator)


def test_reconnecting_lets_the_first_token_of_the_connection_rest(
    operator: httpx.Client, quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old refresh token that comes back ends the login here."""
    leads_to(monkeypatch, quickbooks, refresh_token=FIRST)
    comes_back(operator, agreed(operator))

    access_token()
    access_token()

    assert logins(quickbooks) == [200]


def test_reconnecting_after_the_login_has_ended(
    operator: httpx.Client, quickbooks: Simulator, connection: Connection[Any]
) -> None:
    comes_back(operator, agreed(operator))
    connection.execute("UPDATE sync.token SET state = 'reconnect_needed'")
    connection.commit()
    before = shown(operator)

    comes_back(operator, agreed(operator))

    assert "reconnect needed" in before and "Reconnect" in before
    assert "reconnect needed" not in shown(operator)
    assert access_token()


def test_disconnect_ends_the_login_at_intuit_and_can_be_taken_back(
    operator: httpx.Client, quickbooks: Simulator
) -> None:
    comes_back(operator, agreed(operator))

    answer = pressed(operator, "disconnect").json()
    gone = quickbooks.refresh_token
    after = shown(operator)
    comes_back(operator, agreed(operator))

    assert answer == {"go": "connections", "said": "Sample company is disconnected."}
    assert gone is None
    assert " disconnected " in after and "Connect to QuickBooks" in after
    assert access_token()


def test_disconnect_while_intuit_is_down_changes_nothing(
    operator: httpx.Client, quickbooks: Simulator, connection: Connection[Any]
) -> None:
    comes_back(operator, agreed(operator))
    before = token_row(connection)
    quickbooks.fail("revoke", 503, times=5)

    answer = pressed(operator, "disconnect")

    assert answer.status_code == 409
    assert "Intuit's login cannot be used now" in answer.json()["message"]
    assert token_row(connection) == before


def test_no_two_companies_here_are_connected_to_the_same_one(
    operator: httpx.Client,
    quickbooks: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    has_a_twin(monkeypatch, tmp_path)
    leads_to(monkeypatch, quickbooks, "TWIN", refresh_token="")

    answer = pressed(operator)

    assert answer.status_code == 409
    assert "that another company here has" in answer.json()["message"]
    assert "twin" not in answer.json()["message"]


def test_a_connection_that_leads_to_another_company_cannot_end_its_login(
    operator: httpx.Client,
    quickbooks: Simulator,
    connection: Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    comes_back(operator, agreed(operator))
    before = token_row(connection)
    has_a_twin(monkeypatch, tmp_path)
    leads_to(monkeypatch, quickbooks, "TWIN", refresh_token="")

    answer = pressed(operator, "disconnect", "twin")

    assert answer.status_code == 409
    assert "that another company here has" in answer.json()["message"]
    assert token_row(connection) == before
    assert quickbooks.refresh_token is not None


@pytest.mark.parametrize("page", ["", "health", "connections", "import"])
def test_a_connection_that_leads_to_another_company_shows_nothing_of_it(
    operator: httpx.Client,
    quickbooks: Simulator,
    connection: Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    page: str,
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    comes_back(operator, agreed(operator))
    has_a_twin(monkeypatch, tmp_path)
    leads_to(monkeypatch, quickbooks, "TWIN", refresh_token="")

    def only_twin(self: object, *, dag_ids: set[str], **_: object) -> set[str]:
        return dag_ids & {"quickbooks_to_crm_twin"}

    monkeypatch.setattr(SimpleAuthManager, "filter_authorized_dag_ids", only_twin)

    said = text(operator.get(f"/quickbooks-crm/{page}"))

    assert "that another company here has" in said
    assert "sample" not in said.lower()
    assert "good until" not in said and "Connected" not in said


def test_an_airflow_that_does_not_know_its_address_says_so(
    operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")

    assert "AIRFLOW__API__BASE_URL" in pressed(operator).json()["message"]
    assert "AIRFLOW__API__BASE_URL" in shown(operator)


def test_the_page_tells_what_a_connection_lacks(
    operator: httpx.Client, quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, quickbooks, realm_id="")

    assert "Company id (realm) must be digits only" in shown(operator)
    assert "Company id (realm)" in pressed(operator).json()["message"]


def test_only_who_may_change_connections_sees_the_buttons(
    operator: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    comes_back(operator, agreed(operator))
    signed_in_as("viewer")

    page = operator.get("/quickbooks-crm/connections").text

    assert "<form" not in page and "<dialog" not in page
    assert "/quickbooks-crm/callback" not in page


def test_neither_state_nor_code_stays_anywhere_in_the_clear(
    operator: httpx.Client,
    connection: Connection[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = agreed(operator)
    comes_back(operator, told)
    logged = "".join(capsys.readouterr())

    connection.rollback()
    stored = connection.execute("SELECT consent::text FROM sync.consent").fetchall()
    stored += connection.execute("SELECT token::text FROM sync.token").fetchall()
    assert "/quickbooks-crm/callback" in logged
    assert told["state"] not in logged + str(stored)
    assert told["code"] not in logged + str(stored)


def test_nor_do_those_that_nobody_gave_out(
    operator: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    comes_back(operator, {"state": "somebody-elses-state", "code": "a-stolen-code", "realmId": "1"})
    logged = "".join(capsys.readouterr())

    assert "/quickbooks-crm/callback" in logged
    assert "somebody-elses-state" not in logged
    assert "a-stolen-code" not in logged


def test_who_presses_connect_again_and_again_has_to_wait(operator: httpx.Client) -> None:
    answers = [pressed(operator) for _ in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert answers[-1].json()["message"] == "That was too often. Wait a minute, then try again."
    assert comes_back(operator, {"state": "x"}).status_code == 429
