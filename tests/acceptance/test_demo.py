"""The whole project as a newcomer meets it: `make demo`, through Airflow and its scheduler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from demo import settings
from demo.home import PROJECT, Home
from demo.rest import Rest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMPANY = {"CUSTOMERS": "40", "ITEMS": "15", "INVOICES": "5", "SEED": "3"}


class Demo:
    """A demo of the test's own, with a small company."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        self._environment = {**kept, **COMPANY, "DEMO_HOME": str(path)}

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "demo", *words],
            cwd=PROJECT,
            env={**self._environment, **changed},
            capture_output=True,
            text=True,
        )

    @property
    def settings(self) -> settings.Settings:
        known = settings.load(self.home)
        assert known is not None
        return known

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(f"postgresql://{self.settings.database('crm')}") as connection:
            return connection.execute(statement.encode()).fetchall()

    def quickbooks(self, path: str) -> Any:
        return requests.get(f"{self.settings.quickbooks}/control/{path}", timeout=10).json()

    def activity(self) -> dict[str, dict[str, int]]:
        """What the last run did: counts by module."""
        ask = '. "$0"/env && exec "$1" -m quickbooks_crm activity --company sample --json'
        answer = subprocess.run(
            ["sh", "-c", ask, str(self.home.path), sys.executable],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        return {counts["module"]: counts for counts in json.loads(answer.stdout)["modules"]}

    def processes(self) -> list[psutil.Process]:
        """Every process that works in this demo's directory."""
        return [
            process
            for process in psutil.process_iter(["cwd"])
            if str(self.home.path) in (process.info["cwd"] or "")
        ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield demo
    finally:
        demo.run("down", RESET="1")


@pytest.fixture(scope="module")
def started(demo: Demo) -> str:
    """What the first start printed."""
    ended = demo.run("up")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_first_sync_runs_through_airflow_and_is_shown(demo: Demo, started: str) -> None:
    assert "record_activity: success" in started
    assert f"user admin, password {demo.settings.admin_password}" in started
    assert "seconds in all" in started


def test_the_crm_holds_what_quickbooks_holds(demo: Demo, started: str) -> None:
    customers = {row["Id"] for row in demo.quickbooks("rows/Customer")}

    found = demo.query("SELECT quickbooks_customer_id FROM crm.accounts")

    assert {identity for (identity,) in found} == customers


def test_every_row_that_was_read_is_accounted_for(demo: Demo, started: str) -> None:
    ends = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")

    counted = demo.activity()

    assert set(counted) == {"products", "accounts", "contacts"}
    for counts in counted.values():
        assert counts["read"] == sum(counts[end] for end in ends) > 0


def test_starting_again_reads_no_row_and_makes_one_call(demo: Demo, started: str) -> None:
    before = demo.quickbooks("calls")["metered"]

    again = demo.run("up")

    assert again.returncode == 0, again.stdout + again.stderr
    assert demo.quickbooks("calls")["metered"] == before + 1
    assert "products.load: skipped" in again.stdout


def test_every_component_says_it_is_well(demo: Demo, started: str) -> None:
    states = Rest(demo.settings).get("/monitor/health")

    assert {name: state["status"] for name, state in states.items()} == {
        "metadatabase": "healthy",
        "scheduler": "healthy",
        "triggerer": "healthy",
        "dag_processor": "healthy",
    }


def test_nothing_can_be_reached_from_outside_this_machine(demo: Demo, started: str) -> None:
    listening = {
        each.laddr.ip
        for process in demo.processes()
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


def test_another_company_is_refused_with_what_to_do(demo: Demo, started: str) -> None:
    refused = demo.run("up", CUSTOMERS="41")

    assert refused.returncode == 1
    assert "make down RESET=1" in refused.stderr


def test_down_stops_everything_also_after_a_crash(demo: Demo, started: str) -> None:
    scheduler = demo.home.read("processes/scheduler.json")["pid"]
    psutil.Process(scheduler).kill()

    stopped = demo.run("down")

    assert stopped.returncode == 0, stopped.stderr
    assert demo.processes() == []
    assert demo.run("status").stdout.count("stopped") == 6


def test_a_reset_leaves_nothing_behind(demo: Demo, started: str) -> None:
    demo.run("down", RESET="1")

    assert not demo.home.path.exists()
