"""A first token that a person puts beside a stored login, or in the place of none, is tried once;
one that is refused costs nothing."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm.errors import (
    QuickBooksClosed,
    QuickBooksLoginExpired,
    QuickBooksUnavailable,
    SettingsError,
)
from simulator import Simulator
from tests.integration.connected import FIRST, Key, settings, store_of
from tests.integration.stored_login import KEY, ask, change, expire, logins, quickbooks, row

__all__ = ["quickbooks"]


def refused(refresh_token: str, client_id: str = "simulator-client") -> str:
    """How a row remembers a first token that Intuit refused to this app."""
    return hashlib.sha256(f"simulator {client_id} {refresh_token}".encode()).hexdigest()


def test_a_new_first_token_connects_the_company_again(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    quickbooks.revoke_refresh_token()
    with pytest.raises(QuickBooksLoginExpired):
        store_of(database_url, quickbooks, KEY).access_token()
    quickbooks.connect("second")

    assert store_of(database_url, quickbooks, KEY, refresh_token="second").access_token()

    stored = row(connection)
    assert stored["state"] == "connected"
    assert KEY.unlock(stored["previous_refresh_token"]) == "second"


def test_a_refused_first_token_leaves_the_stored_login_exactly_as_it_was(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Someone presses Test with a typo in a form that was not even saved."""
    store_of(database_url, quickbooks, KEY).access_token()
    before = row(connection)

    for _ in range(2):
        with pytest.raises(QuickBooksLoginExpired, match=r"refused the first .*stored.* was kept"):
            store_of(database_url, quickbooks, KEY, refresh_token="typo").prove_connection()

    assert row(connection) == before | {"refused_seeds": {refused("typo"): "unknown"}}
    assert logins(quickbooks) == [200, 400]


def test_a_run_goes_on_with_the_stored_login_when_the_first_token_is_refused(
    database_url: str,
    connection: Connection[Any],
    quickbooks: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()
    run, later = (store_of(database_url, quickbooks, KEY, refresh_token="typo") for _ in range(2))

    assert run.access_token() == first
    assert run.renewed(first) != first
    expire(connection)
    assert later.access_token() != first

    assert logins(quickbooks) == [200, 400, 200, 200]
    warned = [r.message for r in caplog.records if "goes on with the stored login" in r.message]
    assert len(warned) == 2  # one a run


def test_a_refused_first_token_is_remembered_although_the_stored_login_cannot_be_used_now(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    expire(connection)
    run = store_of(database_url, quickbooks, KEY, refresh_token="typo")
    quickbooks.fail("token", 500, times=2, after=1)

    with pytest.raises(QuickBooksUnavailable):
        run.access_token()

    assert run.access_token()
    assert logins(quickbooks) == [200, 400, 500, 500, 200]


def test_several_refused_first_tokens_are_tried_once_each(
    database_url: str, quickbooks: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()

    for typo in ("one", "two", "one", "two"):
        assert store_of(database_url, quickbooks, KEY, refresh_token=typo).access_token() == first

    assert logins(quickbooks) == [200, 400, 400]


def test_a_refused_first_token_beside_an_ended_login_says_to_connect_again(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    change(connection, "state = 'reconnect_needed', access_token = NULL")
    before = row(connection)
    store = store_of(database_url, quickbooks, KEY, refresh_token="typo")

    for asked in (store.access_token, store.prove_connection):
        with pytest.raises(QuickBooksLoginExpired, match=r"refused the first .*connects it again"):
            asked()

    assert row(connection) == before | {"refused_seeds": {refused("typo"): "unknown"}}
    assert logins(quickbooks) == [200, 400]


def test_a_first_token_refused_at_the_very_beginning_is_tried_once(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    for _ in range(2):
        with pytest.raises(QuickBooksLoginExpired, match="until someone connects it again"):
            store_of(database_url, quickbooks, KEY, refresh_token="typo").access_token()
    assert logins(quickbooks) == [400]
    with pytest.raises(SettingsError, match="was never connected"):
        store_of(database_url, quickbooks, KEY, refresh_token="").access_token()

    assert store_of(database_url, quickbooks, KEY).access_token()
    assert row(connection)["state"] == "connected"


def test_a_first_token_refused_to_one_app_is_tried_for_another(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Sandbox keys with a production company's token: the token is right, and the keys change."""
    store_of(database_url, quickbooks, KEY).access_token()
    told = Jsonb({refused("second", "another-app"): "unknown"})
    change(connection, "refused_seeds = %(told)s", told=told)
    quickbooks.connect("second")

    store_of(database_url, quickbooks, KEY, refresh_token="second").prove_connection()

    assert KEY.unlock(row(connection)["refresh_token"]) == quickbooks.refresh_token


def test_an_accepted_first_token_replaces_the_stored_login_before_that_has_ended(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()
    quickbooks.connect("second")
    store = store_of(database_url, quickbooks, KEY, refresh_token="second")

    store.prove_connection()

    assert store.access_token() != first
    stored = row(connection)
    assert KEY.unlock(stored["previous_refresh_token"]) == "second"
    assert stored["seed_hash"] == hashlib.sha256(b"second").hexdigest()
    assert stored["refused_seeds"] == {}
    assert logins(quickbooks) == [200, 200]


def test_a_first_token_that_had_its_turn_is_not_tried_again(
    database_url: str, quickbooks: Simulator
) -> None:
    """Two connections to one company do not take turns. Here trying would end the login."""
    one = store_of(database_url, quickbooks, KEY)
    one.access_token()
    other = {"refresh_token": str(quickbooks.refresh_token)}
    newest = store_of(database_url, quickbooks, KEY, **other).access_token()

    for changed in ({}, other, {}):
        store = store_of(database_url, quickbooks, KEY, **changed)
        store.prove_connection()
        assert store.access_token() == newest

    assert logins(quickbooks) == [200, 200]
    assert one.renewed(newest) != newest


def test_many_processes_at_once_prove_a_first_token_once(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    quickbooks.connect("second")
    asked = [
        (database_url, settings(quickbooks, refresh_token=token), KEY)
        for token in (FIRST, "second", "second", "typo", "typo")
    ]

    with ProcessPoolExecutor(5, mp_context=get_context("spawn")) as pool:
        answers = [f.result() for f in [pool.submit(ask, *one) for one in asked]]

    assert answers[1] == answers[2]
    assert sorted(logins(quickbooks)) == [200, 200, 400]
    assert KEY.unlock(row(connection)["refresh_token"]) == quickbooks.refresh_token


@pytest.mark.parametrize(
    ("status", "password", "error"),
    [(500, "simulator-secret", QuickBooksUnavailable), (401, "wrong", QuickBooksClosed)],
)
def test_a_first_token_that_nobody_has_judged_is_tried_again(
    database_url: str,
    connection: Connection[Any],
    quickbooks: Simulator,
    status: int,
    password: str,
    error: type[Exception],
) -> None:
    """Intuit is down, or the app's keys are wrong: that says nothing about the token."""
    store_of(database_url, quickbooks, KEY).access_token()
    before = row(connection)
    quickbooks.connect("second")
    if status == 500:
        quickbooks.fail("token", 500, times=2)

    with pytest.raises(error):
        changed = {"refresh_token": "second", "password": password}
        store_of(database_url, quickbooks, KEY, **changed).prove_connection()

    assert row(connection) == before
    store_of(database_url, quickbooks, KEY, refresh_token="second").prove_connection()


def test_a_database_that_cannot_write_costs_no_first_token(
    database_url: str, quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    quickbooks.connect("second")
    read_only = f"{database_url}?options=-c%20default_transaction_read_only%3Don"

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        store_of(read_only, quickbooks, KEY, refresh_token="second").prove_connection()

    assert logins(quickbooks) == [200]


def test_a_new_first_token_helps_when_the_stored_ones_cannot_be_read(
    database_url: str, quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, Key()).access_token()
    quickbooks.connect("second")

    assert store_of(database_url, quickbooks, KEY, refresh_token="second").access_token()


def test_the_connection_may_forget_its_first_token(
    database_url: str, quickbooks: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()

    assert store_of(database_url, quickbooks, KEY, refresh_token="").access_token() == first


def test_a_company_that_was_never_connected_says_so(
    database_url: str, quickbooks: Simulator
) -> None:
    with pytest.raises(SettingsError, match="Company 9341452000000001 was never connected"):
        store_of(database_url, quickbooks, KEY, refresh_token="").access_token()
