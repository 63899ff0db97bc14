"""What people learn of a company's login before it is too late, and how they end it."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quickbooks_crm import companies, pipeline
from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import QuickBooksLoginExpired
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import FirstSyncs, Kept, kept_in_step
from tests.integration.connected import typed_as_json


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=2, items=1) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch, customers=2, items=1) as company:
        yield company


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command prints that ends well."""

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def test_before_anything_the_status_says_that_nobody_has_connected(
    kept: Kept, said: Callable[..., str]
) -> None:
    assert said("status").splitlines() == [
        "sample: no run has seen its company in QuickBooks yet",
        "  login: never connected",
        "  last sync that went well: never",
    ]


def test_the_status_tells_login_freshness_and_the_use_of_the_budget(
    synced: Kept, said: Callable[..., str]
) -> None:
    lines = said("status").splitlines()

    starts = (
        "  login: since 20",
        "  last sync that went well: 20",
        "  Customer: read from QuickBooks up to 20",
        "  accounts: loaded up to 20",
    )
    assert [start for start in starts if not any(line.startswith(start) for line in lines)] == []
    assert any("QuickBooks calls of" in line for line in lines)


@pytest.mark.parametrize(
    ("used", "says"), [(930, "When none are left, runs stop"), (1000, "None are left: runs are")]
)
def test_the_status_tells_when_few_or_no_calls_are_left(
    synced: Kept, said: Callable[..., str], used: int, says: str
) -> None:
    synced.ask("UPDATE sync.budget SET used = %s, budget = 1000", used)

    assert says in said("status")


def test_the_status_as_json_is_one_object_for_each_company(
    synced: Kept, said: Callable[..., str]
) -> None:
    [found] = map(json.loads, said("status", "--json").splitlines())

    assert found["company"] == "sample"
    assert found["login"]["state"] == "connected"
    assert set(found["read"]) >= {"Customer", "Item"}
    assert found["loaded"]["accounts"]["waits"] is False
    assert (found["warning"], found["problem"], found["breakers"]) == (None, None, [])


def test_a_replay_that_is_due_is_told_until_it_is_done(
    synced: Kept, said: Callable[..., str]
) -> None:
    assert "replay" not in said("status")
    file = companies.INCLUDE / "mappings" / "accounts.yaml"
    file.write_text(file.read_text() + "\n# Another mapping, as far as anybody can tell.\n")

    changed = said("status").splitlines()
    synced.quickbooks.change("Customer", "1", Notes="new")
    synced.sync()
    synced = said("status").splitlines()
    said("replay", "--company", "sample", "--module", "accounts")
    replayed = said("status")

    [line] = [line for line in changed if "replay" in line]
    assert line.startswith("  accounts: a replay is due, since its mapping has changed")
    assert "python -m quickbooks_crm replay --company sample --module accounts (with" in line
    assert [line for line in synced if "replay" in line] == [line]
    assert "replay" not in replayed


def test_what_was_read_and_not_loaded_is_never_called_loaded(
    synced: Kept, said: Callable[..., str]
) -> None:
    synced.quickbooks.change("Customer", "1", Notes="new")
    pipeline.check_settings("sample", "stopped", Request("test"))
    pipeline.extract("sample", "stopped")

    lines = said("status").splitlines()

    waits = "not all that was read is loaded yet; last loaded 20"
    assert any(line.startswith(f"  accounts: {waits}") for line in lines)
    assert any(line.startswith("  products: loaded up to 20") for line in lines)


def test_mappings_that_are_wrong_do_not_hide_the_rest(
    synced: Kept, said: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(companies.INCLUDE / "companies", tmp_path / "companies")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "accounts.yaml").write_text("entities: Customer\n")
    monkeypatch.setattr(companies, "INCLUDE", tmp_path)

    told = said("status")

    assert "accounts.yaml is not a valid mapping" in told
    assert "  Customer: read from QuickBooks up to 20" in told


def test_a_connection_that_is_not_complete_does_not_hide_the_rest(
    synced: Kept, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = typed_as_json(synced.quickbooks, environment="")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", changed)

    assert "The connection quickbooks_sample is not complete" in said("status")


@pytest.mark.parametrize(
    ("ends", "warns"),
    [
        ("hard_expires_at = now() + interval '13 days'", "none last longer than five years"),
        ("hard_expires_at = NULL, connected_at = now() - interval '5 years' + interval '13 days'",
         "none last longer than five years"),
        ("refresh_expires_at = now() + interval '13 days'", "not used for 100 days"),
        ("hard_expires_at = now() + interval '15 days'", None),
        ("refresh_expires_at = now() + interval '15 days'", None),
    ],
)  # fmt: skip
def test_a_login_that_ends_within_two_weeks_is_warned_of(
    synced: Kept, said: Callable[..., str], ends: str, warns: str | None
) -> None:
    synced.ask(f"UPDATE sync.token SET {ends}")

    run = synced.sync()

    warned = [told for told in run.warnings if told.startswith("The login to QuickBooks ends on")]
    assert [warns in told for told in warned] == ([True] if warns else [])
    assert (warns or "good until") in said("status")


def test_a_run_says_that_it_went_on_although_the_first_token_is_refused(
    synced: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = typed_as_json(synced.quickbooks, refresh_token="mistyped")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", changed)

    run = synced.sync()

    assert run.state == "success"
    assert any(told.startswith("Intuit refused the first refresh token") for told in run.warnings)


def test_a_disconnected_company_keeps_its_records_and_is_not_called_any_more(
    synced: Kept, said: Callable[..., str]
) -> None:
    before: Any = synced.image()
    records = synced.ask("SELECT count(*) FROM quickbooks.record")

    assert said("disconnect", "--company", "sample").startswith("Disconnected sample: ")

    assert synced.quickbooks.refresh_token is None
    synced.quickbooks.reset_calls()
    with pytest.raises(QuickBooksLoginExpired, match="was disconnected"):
        synced.sync()
    assert synced.quickbooks.calls == []
    assert (synced.image(), synced.ask("SELECT count(*) FROM quickbooks.record")) == (
        before,
        records,
    )
    assert "login: was disconnected here on 20" in said("status")
    again = said("disconnect", "--company", "sample")
    assert again.startswith("sample is disconnected already; `status` says since when. To connect")


def test_disconnecting_takes_exactly_one_company(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disconnect"]) == 2
    assert "--company NAME, once" in capsys.readouterr().err
