"""The CRM connection read from the environment is the one that Airflow would have found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook

from quickbooks_crm import companies, database, environment

ADDRESSES = [
    "postgresql://crm:secret@127.0.0.1:5432/books",
    "postgres://crm@localhost/books",
    "postgresql://us%40er:p%2Fa%3Ass%25@Host.Example:1/na%20me?sslmode=require&connect_timeout=3",
    "postgresql://host",
    "postgresql:///books",
    json.dumps({"conn_type": "postgres", "host": "h", "login": "u", "password": "p%", "port": 5}),
    json.dumps({"conn_type": "postgresql", "host": "h", "port": "6", "schema": "s"}),
    json.dumps({"conn_type": "postgres", "host": "h", "extra": {"sslmode": "disable"}}),
    json.dumps({"conn_type": "postgres", "host": "h", "extra": '{"sslmode": "disable"}'}),
]
LEFT_TO_AIRFLOW = [
    "",
    "mysql://host/books",
    "postgresql://socket%2Fdirectory/books",
    "postgresql://https://host/books",
    "postgresql://host/books?iam=true",
    "postgresql://host/books?__extra__=%7B%7D",
    "postgresql://host:port/books",
    "{not json",
    "{}",
    json.dumps({"conn_type": "postgres", "extra": ["a"]}),
    json.dumps({"conn_type": "postgres", "host": "h", "extra": {"cursor": "dictcursor"}}),
]


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Airflow without a file of settings."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("written", ADDRESSES)
def test_it_opens_what_airflow_would_open(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[dict[str, object]] = []
    monkeypatch.setenv("AIRFLOW_CONN_CRM", written)
    monkeypatch.setattr(PostgresHook, "_create_connection", lambda _, given: opened.append(given))
    PostgresHook(connection=BaseHook.get_connection("crm")).get_conn()

    found = environment.connection("crm")

    expected = {name: str(value) for name, value in opened[0].items() if value}
    assert found is not None
    assert {n: str(v) for n, v in found.items()} | {"host": ""} == expected | {"host": ""}
    assert found.get("host", "").lower() == expected.get("host", "").lower()


@pytest.mark.parametrize("written", LEFT_TO_AIRFLOW)
def test_what_is_not_plain_is_left_to_airflow(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", written)

    assert environment.connection("crm") is None


@pytest.mark.parametrize(
    ("section", "option"),
    [("secrets", "backend"), ("secrets", "backend_cmd"), ("workers", "secrets_backend")],
)
def test_a_secrets_backend_comes_first(
    no_settings: Path, section: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", ADDRESSES[0])
    file = no_settings / "airflow.cfg"
    file.write_text(f"[{section}]\n{option} =\n")
    assert environment.connection("crm") is not None

    file.write_text(f"[{section}]\n{option} = somewhere.Else\n")
    assert environment.connection("crm") is None

    file.unlink()
    monkeypatch.setenv(f"AIRFLOW__{section.upper()}__{option.upper()}", "somewhere.Else")
    assert environment.connection("crm") is None


def test_settings_that_cannot_be_read_are_left_to_airflow(
    no_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", ADDRESSES[0])
    (no_settings / "airflow.cfg").write_text("no section\n")

    assert environment.connection("crm") is None


@pytest.fixture
def ready(crm: str) -> str:
    """A CRM that knows the company of include/companies/."""
    with psycopg.connect(crm, autocommit=True) as connection:
        database.add_companies(connection, companies.INCLUDE / "crm", {"sample": "A company"})
    return crm


def alone(words: list[str]) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own; its exit code is 3 when it imports what is large."""
    said = (
        f"import sys; from quickbooks_crm.command_line import main; code = main({words});"
        "sys.exit(code or 3 * bool({'airflow', 'pandas'} & set(sys.modules)))"
    )
    return subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)


@pytest.mark.parametrize("words", [["check"], ["suggest", "crm.accounts", "--entity", "Customer"]])
def test_a_check_and_a_proposal_import_nothing_large_and_take_less_than_two_seconds(
    ready: str, words: list[str]
) -> None:
    """Two seconds of a processor, since what else runs on the machine is not theirs."""
    before = os.times()

    finished = alone(words)

    after = os.times()
    took = sum(after[2:4]) - sum(before[2:4])
    assert (finished.returncode, finished.stderr) == (0, "")
    assert took < 2


def test_a_check_says_that_it_has_not_looked_for_a_connection_that_only_airflow_may_know(
    ready: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown, told = alone(["check"]), json.loads(alone(["check", "--json"]).stdout)
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", '{"conn_type": "quickbooks"}')
    known = alone(["check"])

    said = (
        "sample.yaml line 3: quickbooks: whether Airflow has the connection 'quickbooks_sample'. "
        "To see: python -m quickbooks_crm status --company sample"
    )
    fit = "Mappings, companies and tables fit together."
    assert unknown.stdout.splitlines()[-2:] == [f"Not looked at: {said}", fit]
    assert (unknown.returncode, told["not_looked_at"], told["warnings"]) == (0, [said], [])
    assert known.stdout == unknown.stdout.replace(f"Not looked at: {said}\n", "")
