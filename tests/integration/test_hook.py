"""An Airflow connection becomes a client, and its Test button tells a person what is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from airflow.sdk._shared.secrets_masker import redact
from cryptography.fernet import Fernet

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.quickbooks.hook import AirflowCipher, QuickBooksHook
from simulator import Simulator
from tests.integration.connected import Key, company, typed_as_json

SAMPLE = "quickbooks_sample"


def connect(monkeypatch: pytest.MonkeyPatch, quickbooks: Simulator, **changed: Any) -> None:
    """Tell Airflow of the company."""
    value = typed_as_json(quickbooks, **changed)
    monkeypatch.setenv(f"AIRFLOW_CONN_{SAMPLE.upper()}", value)


def pressed() -> tuple[bool, str]:
    """What the Test button says, in a process that knows nothing yet."""
    return QuickBooksHook(SAMPLE).test_connection()


@pytest.fixture
def quickbooks(monkeypatch: pytest.MonkeyPatch, crm: str) -> Any:
    with company(customers=3, items=2, rotation="every_use", reuse="kill_family") as simulated:
        connect(monkeypatch, simulated)
        yield simulated


def test_the_test_button_names_the_company(quickbooks: Simulator) -> None:
    told = "Connected to Sample Landscaping & Garden (simulator, company id 9341452000000001)."

    assert pressed() == (True, told)


def test_testing_spends_no_refresh_token_behind_our_back(quickbooks: Simulator) -> None:
    """A test that logged in for itself would end the login here: old tokens kill the family."""
    assert [pressed()[0] for _ in range(3)] == [True] * 3

    assert [call.kind for call in quickbooks.calls].count("token") == 1


def test_testing_a_form_with_a_mistyped_first_token_does_not_end_the_login(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form is not saved: the next run brings the connection's own first token."""
    connected = pressed()
    connect(monkeypatch, quickbooks, refresh_token="typo")

    answers = [pressed(), pressed()]

    assert answers[0] == answers[1]
    assert not answers[0][0]
    assert "refused the first refresh token" in answers[0][1]
    assert "was kept" in answers[0][1]
    connect(monkeypatch, quickbooks)
    quickbooks.expire_access_tokens()
    assert pressed() == connected


def test_testing_a_form_with_a_new_first_token_connects_anew_for_good(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not saved either: the connection's own first token has had its turn, and is left alone."""
    connected = pressed()
    quickbooks.connect("second")
    connect(monkeypatch, quickbooks, refresh_token="second")
    assert pressed() == connected

    connect(monkeypatch, quickbooks)

    assert pressed() == connected
    assert [call.status for call in quickbooks.calls if call.kind == "token"] == [200, 200]


def test_a_run_reads_although_the_connections_first_token_is_refused(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed()
    connect(monkeypatch, quickbooks, refresh_token="typo")

    assert len(list(QuickBooksHook(SAMPLE).everything("Customer"))) == 1


def test_everything_and_changes_are_read(quickbooks: Simulator) -> None:
    hook = QuickBooksHook(SAMPLE)

    pages = list(hook.everything("Customer"))
    quickbooks.change("Item", "1", Description="new")
    changes = hook.changes(["Customer", "Item"], datetime.now(UTC) - timedelta(hours=1))

    assert {r.id for page in pages for r in page.records} == {"1", "2", "3"}
    assert "1" in {record.id for record in changes.records["Item"]}
    assert [r.id for page in hook.named("Customer", ["2", "99"]) for r in page.records] == ["2"]


def test_a_missing_connection_is_named(crm: str) -> None:
    """K20."""
    told = "Airflow has no connection 'quickbooks_sample'. Add one of type QuickBooks Online under"

    assert pressed() == (False, f"{told} Admin > Connections.")


def test_a_missing_database_connection_is_named(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CRM")

    worked, told = pressed()

    assert (worked, told.split(".")[0]) == (False, "Airflow has no connection 'crm'")


def test_a_database_that_is_away_is_told(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", "postgresql://crm:hush@127.0.0.1:9/crm")

    works, told = pressed()

    assert not works
    assert told.startswith("The CRM database crm at 127.0.0.1, port 9, cannot be opened: ")
    assert "hush" not in told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"environment": "prod"}, "Environment cannot be 'prod'"),
        ({"password": "wrong"}, "Check client id and client secret"),
        ({"refresh_token": "made up"}, "until someone connects it again"),
        ({"refresh_token": ""}, "was never connected"),
        ({"realm_id": "123"}, "Check that company id, environment and keys"),
    ],
)
def test_the_test_button_says_what_to_do(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], told: str
) -> None:
    connect(monkeypatch, quickbooks, **changed)

    worked, answer = pressed()

    assert not worked
    assert told in answer


def test_another_fernet_key_is_told_and_the_tokens_are_left(
    quickbooks: Simulator, connection: psycopg.Connection[Any]
) -> None:
    pressed()
    foreign = Key(Fernet(Fernet.generate_key())).lock("token")
    connection.execute("UPDATE sync.token SET access_token = %s", [foreign])
    connection.commit()

    worked, told = pressed()

    stored = connection.execute("SELECT access_token FROM sync.token").fetchone()
    assert (worked, stored) == (False, (foreign,))
    assert "cannot be read with Airflow's present Fernet key" in told


def test_tokens_are_masked_in_logs_from_the_moment_they_arrive(quickbooks: Simulator) -> None:
    """Not the simulator's second refresh token: it begins with the first, which Airflow masks."""
    client = QuickBooksHook(SAMPLE).get_conn()
    client.company_info()

    masked = redact(f"{client._tokens.access_token()} {quickbooks.client_secret}")

    assert masked == "*** ***"


def test_a_stored_token_is_masked_when_it_is_read() -> None:
    stored = AirflowCipher()._fernet.encrypt(b"a-token-of-yesterday").decode()
    AirflowCipher().unlock(stored)

    assert redact("a-token-of-yesterday") == "***"


def test_no_client_is_made_of_an_incomplete_connection(
    quickbooks: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, quickbooks, realm_id="")

    with pytest.raises(SettingsError, match="must be digits only"):
        QuickBooksHook(SAMPLE).get_conn()

    assert quickbooks.calls == []
