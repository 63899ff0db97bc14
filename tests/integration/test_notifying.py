"""What needs a person is told once by a notifier of Airflow's kind, and once more when settled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import companies, database, notifying
from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import SettingsError
from tests.acceptance.kept_in_step import own_include
from tests.integration.runs import REALM

COMPANY = """\
name: Sample company
quickbooks: quickbooks_sample
schedule: null
modules: [products]
notify:
  notifier: tests.integration.to_file.ToFile
  arguments:
    path: {path}
    to: [it@example.com, "{{{{ quickbooks.company }}}}@example.com"]
    subject: "{{{{ quickbooks.subject }}}}"
    text: "{{{{ quickbooks.text }}}}"
"""


@pytest.fixture
def told(
    connection: Connection[Any], crm: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], str]:
    """What people were told since it was asked last, by a look at a company that is connected."""
    file = tmp_path / "told.txt"
    include = own_include(tmp_path, monkeypatch)
    (include / "companies" / "sample.yaml").write_text(COMPANY.format(path=file))
    database.add_companies(connection, include / "crm", {"sample": "Sample company"})
    nowhere = {"api_url": "http://127.0.0.1:1", "discovery_url": "http://127.0.0.1:1"}
    extra = {"environment": "simulator", "realm_id": REALM, **nowhere}
    known = {"conn_type": "quickbooks", "login": "key", "password": "secret"}
    known["extra"] = json.dumps(extra)
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", json.dumps(known))

    def look() -> str:
        notifying.tell("sample", {})
        said = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return said

    return look


def state(connection: Connection[Any], state: str) -> None:
    connection.execute(
        "INSERT INTO sync.token (realm, state, seed_hash, connected_at) VALUES (%s, %s, 'x', now())"
        " ON CONFLICT (realm) DO UPDATE SET state = excluded.state",
        [REALM, state],
    )
    connection.commit()


def test_a_company_that_is_well_is_not_told_of(
    told: Callable[[], str], connection: Connection[Any]
) -> None:
    state(connection, "connected")

    assert told() == ""


def test_what_needs_a_person_is_told_once_and_once_more_when_it_is_settled(
    told: Callable[[], str], connection: Connection[Any]
) -> None:
    state(connection, "reconnect_needed")
    looks = [told(), told()]
    state(connection, "connected")
    looks += [told(), told()]

    again = "QuickBooks has to be connected again"
    to = "it@example.com, Sample company@example.com"
    assert looks[0].startswith(f"{to}: Sample company: {again}\n{again} (nothing is synced).\n")
    assert looks[2].startswith(f"{to}: Sample company: {again}: settled\nSettled: {again}.\n")
    assert looks[1::2] == ["", ""]


def test_it_names_the_page_that_shows_more(
    told: Callable[[], str], connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    state(connection, "reconnect_needed")

    page = "https://airflow.example.com/plugin/quickbooks-activity/quickbooks-crm/health"
    assert f"More: {page}" in told()


def test_what_comes_back_is_told_again(
    told: Callable[[], str], connection: Connection[Any]
) -> None:
    looks = []
    for each in ("reconnect_needed", "connected", "reconnect_needed"):
        state(connection, each)
        looks.append(told())

    assert looks[0] == looks[2] != ""


def test_several_things_are_told_together(
    told: Callable[[], str], connection: Connection[Any]
) -> None:
    state(connection, "reconnect_needed")
    connection.execute("INSERT INTO sync.webhook_count (what, count) VALUES ('refused', 3)")
    connection.commit()

    said = told()

    assert "Sample company: 2 things need a person\n" in said
    assert "QuickBooks has to be connected again" in said and "Webhooks do not arrive" in said


def test_what_could_not_be_told_is_told_by_the_next_look(
    told: Callable[[], str], connection: Connection[Any]
) -> None:
    file = companies.INCLUDE / "companies" / "sample.yaml"
    good = file.read_text()
    state(connection, "reconnect_needed")
    file.write_text(good.partition("notify:")[0] + DOWN)

    with pytest.raises(ConnectionError):
        told()
    file.write_text(good)

    assert "has to be connected again" in told()


DOWN = "notify: {notifier: tests.integration.to_file.Down}\n"


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("notifier: nowhere.Notifier", r"notify.notifier names no class: nowhere.Notifier"),
        ("notifier: tests.integration.to_file.Nothing", "names no class"),
        ("notifier: tests.integration.to_file.ToFile", "arguments are not what ToFile takes"),
        ("notifier: nothing", "notify.notifier is no class: 'nothing'"),
        ("arguments: {}", "notify.notifier"),
    ],
)
def test_a_notifier_that_cannot_be_used_is_told_with_the_file_and_the_word(
    told: Callable[[], str], connection: Connection[Any], notify: str, said: str
) -> None:
    file = companies.INCLUDE / "companies" / "sample.yaml"
    file.write_text(file.read_text().partition("notify:")[0] + f"notify:\n  {notify}\n")
    state(connection, "reconnect_needed")

    with pytest.raises(SettingsError, match=f"sample.yaml[^.]*(?s:.*){said}"):
        told()


def test_a_trial_is_sent_by_hand(
    told: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", "--company", "sample"]) == 0

    assert "Sent a trial for sample." in capsys.readouterr().out
    [file] = companies.INCLUDE.parent.glob("told.txt")
    assert "Sample company: This is a trial" in file.read_text()


def test_health_is_told_in_the_terminal_too(
    told: Callable[[], str], connection: Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    state(connection, "reconnect_needed")
    stopped = main(["health", "--company", "sample", "--json"])
    [line] = capsys.readouterr().out.splitlines()
    state(connection, "connected")
    well = main(["health"])

    assert (stopped, well) == (1, 0)
    assert json.loads(line)["code"] == "reconnect_needed"
    assert capsys.readouterr().out == "All is well: nothing needs a person.\n"
