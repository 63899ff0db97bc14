"""One login for all processes, and no refresh token is ever lost by us.

What Intuit's token endpoint may do to us, and where it is tested:

- an answer lost after Intuit has processed the request: `test_an_answer_that_got_lost_…`
- an answer without a refresh token: `test_a_refresh_token_that_is_not_repeated_stays`
- several processes at once: `test_many_processes_at_once_…`
- a killed worker, a full disk, a lost key: tests/faults/test_token_loss.py
- a first token that it refuses: test_first_token_beside_a_login.py
- another company's token, another app's keys: test_first_token.py
- a login near its end: tests/acceptance/test_status.py
"""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm.errors import QuickBooksClosed, QuickBooksLoginExpired, QuickBooksUnavailable
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.identity import Identity
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.tokens import TokenStore
from simulator import Simulator
from tests.integration.connected import FIRST, NoLimits, company, settings, store_of, vault_in
from tests.integration.raw_server import answering, http
from tests.integration.stored_login import KEY, ask, change, expire, logins, quickbooks, row

__all__ = ["quickbooks"]


@pytest.fixture
def hasty() -> Iterator[Simulator]:
    """The same, however fast it is asked: clients without limits would be throttled."""
    with company(customers=1, items=1, rotation="every_use", throttle=False) as simulated:
        yield simulated


def test_the_first_login_begins_with_the_connections_token(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    token = store_of(database_url, quickbooks, KEY).access_token()

    stored = row(connection)
    assert KEY.unlock(stored["access_token"]) == token
    assert KEY.unlock(stored["refresh_token"]) == quickbooks.refresh_token
    assert KEY.unlock(stored["previous_refresh_token"]) == FIRST
    assert stored["state"] == "connected"


def test_nothing_is_stored_in_the_clear(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    token = store_of(database_url, quickbooks, KEY).access_token()

    stored = repr(row(connection))
    assert token not in stored
    assert FIRST not in stored
    assert str(quickbooks.refresh_token) not in stored


def test_lifetimes_are_stored(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()

    stored = row(connection)
    assert round((stored["access_expires_at"] - stored["updated_at"]).total_seconds(), -2) == 3600
    assert (stored["refresh_expires_at"] - stored["updated_at"]).days in (99, 100)
    assert (stored["hard_expires_at"] - stored["updated_at"]).days > 1800


def test_another_process_uses_the_same_token(database_url: str, quickbooks: Simulator) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()

    assert store_of(database_url, quickbooks, KEY).access_token() == first
    assert logins(quickbooks) == [200]


def test_many_processes_at_once_log_in_once(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """First with no token at all, then with one that has expired."""
    asked = (database_url, settings(quickbooks), KEY)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        first = {f.result() for f in [pool.submit(ask, *asked) for _ in range(4)]}
        change(connection, "access_expires_at = now()")
        second = {f.result() for f in [pool.submit(ask, *asked) for _ in range(4)]}

    assert (len(first), len(second)) == (1, 1)
    assert first != second
    assert logins(quickbooks) == [200, 200]


@pytest.mark.parametrize(("minutes", "again"), [(11, False), (9, True), (-60, True)])
def test_a_token_is_renewed_ten_minutes_before_its_end(
    database_url: str,
    connection: Connection[Any],
    quickbooks: Simulator,
    minutes: int,
    again: bool,
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "access_expires_at = now() + make_interval(mins => %(m)s)", m=minutes)

    second = store_of(database_url, quickbooks, KEY).access_token()

    assert (second != first) is again
    assert len(logins(quickbooks)) == 1 + again


def test_a_rejected_token_is_renewed_once_for_all(database_url: str, quickbooks: Simulator) -> None:
    """The second process finds what the first has renewed."""
    one, other = (store_of(database_url, quickbooks, KEY) for _ in range(2))
    rejected = one.access_token()
    assert other.access_token() == rejected

    renewed = one.renewed(rejected)

    assert other.renewed(rejected) == renewed != rejected
    assert logins(quickbooks) == [200, 200]


def test_a_rejected_token_is_not_sent_again_when_no_other_can_be_had(
    database_url: str, quickbooks: Simulator
) -> None:
    """Every later request would go out once more only to be refused."""
    tokens = store_of(database_url, quickbooks, KEY)
    client = QuickBooksClient(settings(quickbooks), tokens, NoLimits())
    client.count("Customer")
    quickbooks.expire_access_tokens()
    quickbooks.fail("token", 503, times=4)
    for _ in range(2):
        with pytest.raises(QuickBooksUnavailable, match="Intuit's login cannot be used now"):
            client.count("Customer")

    quickbooks.revoke_refresh_token()
    for _ in range(2):
        with pytest.raises(QuickBooksLoginExpired, match="nothing is asked of it"):
            client.count("Customer")

    assert [c.status for c in quickbooks.calls if c.kind == "query"] == [200, 401]
    assert logins(quickbooks) == [200, 503, 503, 503, 503, 400, 400]


def ask_in_a_new_task(database_url: str, quickbooks: Simulator, times: int = 1) -> str:
    """Ask so often for a count; what stopped it, if anything did."""
    tokens = store_of(database_url, quickbooks, KEY)
    client = QuickBooksClient(settings(quickbooks), tokens, NoLimits())
    said = ""
    for _ in range(times):
        try:
            client.count("Customer")
        except QuickBooksLoginExpired as error:
            said = str(error)
    return said


def test_a_login_that_quickbooks_refuses_in_three_tasks_in_a_row_is_not_tried_again(
    database_url: str, connection: Connection[Any], hasty: Simulator
) -> None:
    """Intuit gives tokens, and QuickBooks takes none of them."""
    hasty.fail("query", 401, times=1000)

    said = [ask_in_a_new_task(database_url, hasty, times=3) for _ in range(3)]
    hasty.reset_calls()
    said.append(ask_in_a_new_task(database_url, hasty))

    assert ["nothing is asked of it" in text for text in said] == [False, False, True, True]
    assert not hasty.calls
    assert row(connection)["state"] == "reconnect_needed"


def test_a_login_that_quickbooks_accepts_in_between_is_tried_again(
    database_url: str, connection: Connection[Any], hasty: Simulator
) -> None:
    for _ in range(2):
        hasty.fail("query", 401, times=4)
        for _ in range(2):
            assert ask_in_a_new_task(database_url, hasty)
        assert not ask_in_a_new_task(database_url, hasty)

    assert (row(connection)["state"], row(connection)["refusals"]) == ("connected", 0)


def test_the_previous_token_is_tried_when_the_newest_is_not_known(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Intuit may have honoured it all along, and there is nothing left to lose."""
    store_of(database_url, quickbooks, KEY).access_token()
    change(
        connection,
        "refresh_token = %(r)s, previous_refresh_token = %(p)s, access_token = NULL",
        r=KEY.lock("lost"),
        p=KEY.lock(str(quickbooks.refresh_token)),
    )

    assert store_of(database_url, quickbooks, KEY).access_token()
    assert logins(quickbooks) == [200, 400, 200]
    assert KEY.unlock(row(connection)["refresh_token"]) == quickbooks.refresh_token


def test_an_ended_login_is_told_once_and_intuit_left_alone(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "access_token = NULL, previous_refresh_token = NULL")
    quickbooks.revoke_refresh_token()

    for _ in range(3):
        with pytest.raises(QuickBooksLoginExpired, match="until someone connects it again"):
            store_of(database_url, quickbooks, KEY).access_token()

    assert row(connection)["state"] == "reconnect_needed"
    assert logins(quickbooks) == [200, 400]


@pytest.mark.parametrize("form", ["upper", "html", "empty", "text"])
def test_intuit_failing_once_is_asked_again(
    database_url: str, quickbooks: Simulator, form: str
) -> None:
    quickbooks.fail("token", 503, form=form)

    assert store_of(database_url, quickbooks, KEY).access_token()
    assert logins(quickbooks) == [503, 200]


def test_an_answer_that_got_lost_is_asked_for_again(database_url: str) -> None:
    """Most days the value does not change, so the same token works again."""
    with company(customers=1, items=1, rotation="daily", reuse="kill_family") as quickbooks:
        quickbooks.fail("token", 200, form="lost")

        assert store_of(database_url, quickbooks, KEY).access_token()
        assert logins(quickbooks) == [200, 200]


def test_an_answer_that_got_lost_with_a_new_token_in_it_is_told_at_the_first_attempt(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Nobody but Intuit knows the token now: this is what no software can prevent."""
    store_of(database_url, quickbooks, KEY).access_token()
    expire(connection)
    quickbooks.fail("token", 200, form="lost")

    with pytest.raises(QuickBooksLoginExpired, match="until someone connects it again"):
        store_of(database_url, quickbooks, KEY).access_token()

    assert row(connection)["state"] == "reconnect_needed"


def test_intuit_being_down_gives_no_token_up(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "access_token = NULL")
    before = row(connection)
    quickbooks.fail("token", 500, times=2)

    with pytest.raises(QuickBooksUnavailable, match="No token was given up"):
        store_of(database_url, quickbooks, KEY).access_token()

    assert row(connection) == before
    assert store_of(database_url, quickbooks, KEY).access_token()


def test_wrong_keys_are_told_as_such(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "access_token = NULL")
    before = row(connection)

    with pytest.raises(QuickBooksClosed, match=r"\(invalid_client, .*Check client id and"):
        store_of(database_url, quickbooks, KEY, password="wrong").access_token()

    assert row(connection) == before


def test_a_database_that_cannot_write_costs_no_refresh_token(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "access_token = NULL")
    read_only = f"{database_url}?options=-c%20default_transaction_read_only%3Don"

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        store_of(read_only, quickbooks, KEY).access_token()

    assert logins(quickbooks) == [200]


def test_a_refresh_token_that_is_not_repeated_stays(
    database_url: str, connection: Connection[Any]
) -> None:
    with intuit({"access_token": "new", "expires_in": 3600, "token_type": "bearer"}) as known:
        assert trusting(database_url, known).access_token() == "new"

    assert KEY.unlock(row(connection)["refresh_token"]) == FIRST


def test_an_odd_lifetime_does_not_cost_the_new_refresh_token(
    database_url: str, connection: Connection[Any]
) -> None:
    answer = {"access_token": "new", "refresh_token": "next", "expires_in": "soon"}
    with intuit(answer | {"x_refresh_token_expires_in": None}) as known:
        trusting(database_url, known).access_token()

    stored = row(connection)
    assert KEY.unlock(stored["refresh_token"]) == "next"
    assert stored["refresh_expires_at"] is None


def test_an_answer_without_an_access_token_changes_nothing(
    database_url: str, connection: Connection[Any]
) -> None:
    with intuit({"token_type": "bearer"}) as known, pytest.raises(QuickBooksUnavailable):
        trusting(database_url, known).access_token()

    assert row(connection) == {}


def test_no_token_gets_into_a_log_or_an_error(
    database_url: str, quickbooks: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = store_of(database_url, quickbooks, KEY)
    secrets = [FIRST, store.access_token(), str(quickbooks.refresh_token)]
    quickbooks.revoke_refresh_token()

    with pytest.raises(QuickBooksLoginExpired) as caught:
        store.renewed(secrets[1])

    texts = caplog.text + str(caught.value) + repr(store.__dict__)
    assert [secret for secret in secrets if secret in texts] == []
    assert "invalid_grant" in caplog.text


def trusting(database_url: str, known: Settings) -> TokenStore:
    """Tokens of a company that every access token opens."""
    return TokenStore(
        vault_in(database_url, KEY), known, lambda _: Identity(known.realm, "simulator", "", None)
    )


class intuit:
    """A token endpoint that always gives this answer; the settings that lead to it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = http(json.dumps(answer).encode())

    def __enter__(self) -> Settings:
        self._tokens = answering(self._answer)
        token_url, _ = self._tokens.__enter__()
        endpoints = {
            "authorization_endpoint": "",
            "token_endpoint": token_url,
            "revocation_endpoint": "",
            "issuer": "",
            "jwks_uri": "",
            "userinfo_endpoint": "",
        }
        self._discovery = answering(http(json.dumps(endpoints).encode()))
        discovery_url, _ = self._discovery.__enter__()
        return Settings("simulator", "9341", "id", "hush", FIRST, token_url, discovery_url)

    def __exit__(self, *raised: Any) -> None:
        self._discovery.__exit__(*raised)
        self._tokens.__exit__(*raised)
