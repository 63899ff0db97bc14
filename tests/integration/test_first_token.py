"""What a person puts into a connection replaces the stored login only when it is proven."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import dict_row

from quickbooks_crm.errors import (
    QuickBooksClosed,
    QuickBooksLoginExpired,
    QuickBooksUnavailable,
    SettingsError,
)
from simulator import Simulator
from tests.integration.connected import FIRST, Key, company, store_of

KEY = Key()
STRICT = {"customers": 1, "items": 1, "rotation": "every_use", "reuse": "kill_family"}
OTHER = {"realm": "9341452000000002", "refresh_token": "other-refresh-token"}


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    """Our company."""
    with company(**STRICT) as simulated:
        yield simulated


@pytest.fixture
def other() -> Iterator[Simulator]:
    """Another company of the same app."""
    with company(**STRICT, **OTHER) as simulated:
        yield simulated


def pasted_from(other: Simulator) -> dict[str, str]:
    """Our connection with the other company's token in it, and the way to that company's Intuit."""
    urls = {"api_url": other.url, "discovery_url": other.discovery_url}
    return {"refresh_token": "other-refresh-token", **urls}


def row(connection: Connection[Any], realm: str) -> dict[str, Any]:
    connection.rollback()
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("SELECT * FROM sync.token WHERE realm = %s", [realm]).fetchone()
    return {name: value for name, value in (found or {}).items() if name != "refused_seeds"}


def change(connection: Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())
    connection.commit()


def logins(quickbooks: Simulator) -> list[int]:
    return [call.status for call in quickbooks.calls if call.kind == "token"]


def test_another_companys_token_is_refused_and_the_stored_login_goes_on(
    database_url: str, connection: Connection[Any], quickbooks: Simulator, other: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()
    before = row(connection, quickbooks.realm)

    with pytest.raises(QuickBooksLoginExpired, match=r"belongs to another company.* was kept"):
        store_of(database_url, quickbooks, KEY, **pasted_from(other)).prove_connection()

    assert row(connection, quickbooks.realm) == before
    store = store_of(database_url, quickbooks, KEY)
    assert store.access_token() == first
    assert store.renewed(first) != first


def test_a_token_pasted_into_the_wrong_connection_still_works_in_its_own(
    database_url: str, quickbooks: Simulator, other: Simulator
) -> None:
    """It has rotated when it was tried; what came of it was kept."""
    for _ in range(2):
        with pytest.raises(QuickBooksLoginExpired, match="belongs to another company"):
            store_of(database_url, quickbooks, KEY, **pasted_from(other)).prove_connection()

    own = store_of(database_url, other, KEY, refresh_token="other-refresh-token")
    own.prove_connection()

    assert own.renewed(own.access_token())
    assert logins(other) == [200, 200]


def test_the_token_of_a_company_that_is_connected_is_not_even_tried(
    database_url: str, quickbooks: Simulator, other: Simulator
) -> None:
    """Trying it again would end that company's login."""
    own = store_of(database_url, other, KEY, refresh_token="other-refresh-token")
    token = own.access_token()
    store_of(database_url, quickbooks, KEY).access_token()

    with pytest.raises(QuickBooksLoginExpired, match="belongs to another company"):
        store_of(database_url, quickbooks, KEY, **pasted_from(other)).prove_connection()

    assert logins(other) == [200]
    assert own.renewed(token) != token


def test_a_run_reads_on_with_the_stored_login_and_asks_about_a_refused_token_once(
    database_url: str, quickbooks: Simulator, other: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()

    for _ in range(2):
        store = store_of(database_url, quickbooks, KEY, **pasted_from(other))
        assert store.access_token() == first

    assert [call.kind for call in other.calls].count("companyinfo") == 1


def test_a_person_may_put_right_why_the_company_was_not_opened(
    database_url: str, quickbooks: Simulator
) -> None:
    """The owner of the company had not agreed yet, say; the same token is good afterwards."""
    quickbooks.fail("companyinfo", 403)
    store = store_of(database_url, quickbooks, KEY)
    with pytest.raises(QuickBooksLoginExpired, match="No stored login works"):
        store.prove_connection()

    store.prove_connection()

    assert store.access_token()
    assert logins(quickbooks) == [200]


def test_a_token_is_not_lost_when_quickbooks_cannot_say_which_company_it_opens(
    database_url: str, quickbooks: Simulator
) -> None:
    quickbooks.fail("companyinfo", 503, times=100)
    with pytest.raises(QuickBooksUnavailable):
        store_of(database_url, quickbooks, KEY).access_token()
    quickbooks.clear_faults()

    assert store_of(database_url, quickbooks, KEY).access_token()
    assert logins(quickbooks) == [200]


def test_what_came_of_a_token_on_trial_is_renewed_when_it_has_grown_old(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    quickbooks.fail("companyinfo", 403)
    store = store_of(database_url, quickbooks, KEY)
    with pytest.raises(QuickBooksLoginExpired):
        store.prove_connection()
    change(connection, "UPDATE sync.candidate SET access_expires_at = now()")

    store.prove_connection()

    stored = row(connection, quickbooks.realm)
    assert KEY.unlock(stored["refresh_token"]) == quickbooks.refresh_token
    assert logins(quickbooks) == [200, 200]


@pytest.mark.parametrize(
    ("assignment", "kept"),
    [
        ("created_at = '2001-01-01'", True),
        ("environment = 'sandbox'", True),
        ("name = 'Renamed'", False),
    ],
)
def test_a_login_that_works_does_not_go_to_another_company_with_the_same_id(
    database_url: str,
    connection: Connection[Any],
    quickbooks: Simulator,
    assignment: str,
    kept: bool,
) -> None:
    """Two sandboxes, say. A company that was only renamed is connected; the run then asks."""
    store_of(database_url, quickbooks, KEY).access_token()
    seen = "('sample', '9341452000000001', 'simulator', '', NULL)"
    columns = "(company, realm, environment, name, created_at)"
    change(connection, f"INSERT INTO sync.company {columns} VALUES {seen}")
    change(connection, f"UPDATE sync.company SET {assignment}")
    quickbooks.connect("second")
    before = row(connection, quickbooks.realm)
    store = store_of(database_url, quickbooks, KEY, refresh_token="second")

    if kept:
        with pytest.raises(QuickBooksLoginExpired, match="belongs to another company"):
            store.prove_connection()
    else:
        store.prove_connection()

    assert (row(connection, quickbooks.realm) == before) is kept


def test_another_apps_keys_are_told_and_the_stored_login_goes_on_with_its_own(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    first = store_of(database_url, quickbooks, KEY).access_token()
    before = row(connection, quickbooks.realm)
    wrong = store_of(database_url, quickbooks, KEY, login="another-app-1234")

    with pytest.raises(SettingsError, match=r"ends in 1234\) than .*\(ient\).*login was kept"):
        wrong.prove_connection()

    assert wrong.access_token() == first
    with pytest.raises(SettingsError, match="keys of another app"):
        wrong.renewed(first)
    assert row(connection, quickbooks.realm) == before
    assert logins(quickbooks) == [200]
    assert store_of(database_url, quickbooks, KEY).renewed(first) != first


def test_a_wrong_secret_is_found_by_testing_although_the_stored_login_works(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    before = row(connection, quickbooks.realm)

    with pytest.raises(QuickBooksClosed, match="does not know the app's keys"):
        store_of(database_url, quickbooks, KEY, password="wrong").prove_connection()

    assert row(connection, quickbooks.realm) == before
    store_of(database_url, quickbooks, KEY).prove_connection()
    assert logins(quickbooks) == [200, 401]


def test_a_token_refused_at_the_very_first_leaves_no_login(
    database_url: str, connection: Connection[Any], quickbooks: Simulator, other: Simulator
) -> None:
    store = store_of(database_url, quickbooks, KEY, **pasted_from(other))

    with pytest.raises(QuickBooksLoginExpired, match=r"another company.* No stored login works"):
        store.access_token()

    assert row(connection, quickbooks.realm)["refresh_token"] is None
    assert store_of(database_url, quickbooks, KEY, refresh_token=FIRST).access_token()


def test_a_company_that_was_disconnected_stays_so_until_there_is_a_new_token(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store = store_of(database_url, quickbooks, KEY)
    store.access_token()

    store.disconnect()

    assert quickbooks.refresh_token is None
    stored = row(connection, quickbooks.realm)
    assert (stored["state"], stored["refresh_token"]) == ("disconnected", None)
    for again in (store, store_of(database_url, quickbooks, KEY)):
        with pytest.raises(QuickBooksLoginExpired, match="was disconnected, and nothing"):
            again.access_token()
    quickbooks.connect("second")
    assert store_of(database_url, quickbooks, KEY, refresh_token="second").access_token()


def test_a_first_token_that_was_never_tried_does_not_undo_a_disconnect(
    database_url: str, quickbooks: Simulator
) -> None:
    store_of(database_url, quickbooks, KEY).access_token()
    changed = store_of(database_url, quickbooks, KEY, refresh_token="second")

    changed.disconnect()

    with pytest.raises(QuickBooksLoginExpired, match="was disconnected"):
        changed.access_token()


def test_intuit_being_down_disconnects_nothing(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store = store_of(database_url, quickbooks, KEY)
    store.access_token()
    before = row(connection, quickbooks.realm)
    quickbooks.fail("revoke", 503)

    with pytest.raises(QuickBooksUnavailable):
        store.disconnect()

    assert row(connection, quickbooks.realm) == before


def test_a_login_that_intuit_has_ended_already_can_be_disconnected(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    store = store_of(database_url, quickbooks, KEY)
    store.access_token()
    quickbooks.revoke_refresh_token()

    store.disconnect()

    assert row(connection, quickbooks.realm)["state"] == "disconnected"
