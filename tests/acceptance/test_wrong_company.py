"""Another company behind the connection: nothing is written until a person says it is right."""

from collections.abc import Iterator
from typing import Any

import pytest

from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import BreakerTripped
from simulator import Simulator
from tests.acceptance.kept_in_step import FirstSyncs, Kept, kept_in_step
from tests.integration.connected import company, typed_as_json

OTHER = {"realm": "9341452000000002", "refresh_token": "other-refresh-token", "seed": 2}


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=3, items=2) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch, customers=3, items=2) as company:
        yield company


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Another company of QuickBooks."""
    with company(customers=3, items=2, **OTHER) as simulated:
        yield simulated


def held(kept: Kept) -> Any:
    """All that the mirror and the CRM hold, of whatever company, and how far they have come."""
    tables = ("quickbooks.record", "sync.entity_position", "sync.module_position", "sync.link")
    everything = "SELECT * FROM {} ORDER BY 1, 2, 3"
    return kept.image(), [kept.ask(everything.format(table)) for table in tables]


def release(kept: Kept) -> None:
    breaker = ["--breaker", "wrong_company", "--because", "we moved"]
    assert main(["release", "--company", "sample", *breaker]) == 0


def test_another_company_id_in_the_connection_stops_the_run_before_any_row_moves(
    synced: Kept, other: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(synced)
    changed = typed_as_json(other, refresh_token="other-refresh-token")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", changed)

    with pytest.raises(BreakerTripped, match="leads to another company of QuickBooks"):
        synced.sync()

    assert held(synced) == before
    # The discovery document may be known already: from an earlier test, at the same address.
    asked = {call.kind for call in other.calls} - {"discovery"}
    assert asked == {"token", "companyinfo"}


def test_a_renamed_company_stops_the_next_full_read_and_goes_on_once_released(synced: Kept) -> None:
    before = held(synced)
    synced.quickbooks.change("CompanyInfo", "1", CompanyName="Another name")
    synced.quickbooks.change("Customer", "1", Notes="changed too")

    for _ in range(2):
        with pytest.raises(BreakerTripped, match="not the same: name"):
            synced.sync(everything=True)

    assert held(synced) == before
    release(synced)
    assert synced.sync(everything=True).state == "success"
    assert synced.sync(everything=True).state == "success"


def test_a_connection_put_right_goes_on_without_a_release(
    synced: Kept, other: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = typed_as_json(other, refresh_token="other-refresh-token")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", changed)
    with pytest.raises(BreakerTripped):
        synced.sync()
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", typed_as_json(synced.quickbooks))

    assert synced.sync(everything=True).state == "success"

    assert synced.ask("SELECT 1 FROM sync.breaker WHERE ended IS NULL") == []


def test_a_quiet_sync_does_not_ask_which_company_it_is_but_once_a_day_it_does(synced: Kept) -> None:
    synced.quickbooks.reset_calls()

    synced.sync()
    quiet = [call.kind for call in synced.quickbooks.calls]
    synced.ask("UPDATE sync.company SET checked_at = now() - interval '25 hours'")
    synced.sync()

    assert quiet == ["cdc"]
    assert [call.kind for call in synced.quickbooks.calls].count("companyinfo") == 1
