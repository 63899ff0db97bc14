"""The demo as tests use it: a real Airflow, with its scheduler, that has brought a company in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from demo import airflow, postgres, settings
from demo.home import PROJECT, Home

COMPANY = {"CUSTOMERS": "120", "ITEMS": "30", "INVOICES": "5", "SEED": "3"}


class Demo:
    """A demo of the tests' own, with a small company."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        self._environment = {**kept, **COMPANY, "DEMO_HOME": str(path)}

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Do what `make` does with these words."""
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

    def pid(self, name: str) -> int:
        return int(self.home.read(f"processes/{name}.json")["pid"])

    def customers(self) -> set[str]:
        """The id of every customer that the simulator has."""
        return {row["Id"] for row in self.quickbooks("rows/Customer")}

    def quickbooks(self, path: str) -> Any:
        return requests.get(f"{self.settings.quickbooks}/control/{path}", timeout=60).json()

    def act(self, name: str, body: dict[str, Any]) -> None:
        """Have the simulator do something."""
        url = f"{self.settings.quickbooks}/control/{name}"
        requests.post(url, json=body, timeout=60).raise_for_status()

    @property
    def environment(self) -> dict[str, str]:
        """In which its Airflow runs, and the project's own commands may."""
        return airflow.environment(self.home, self.settings)

    def runs(self) -> list[dict[str, Any]]:
        """What each run did that somebody asked for, newest first.

        Those of the company's schedule are left out: one may come at any moment.
        """
        answer = self.command("activity", "--limit", "99", "--json")
        answer.check_returncode()
        runs = [json.loads(line) for line in answer.stdout.splitlines()]
        return [run for run in runs if run["trigger"] == "manual"]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `python -m quickbooks_crm` says to these words in `make shell`."""
        ask = '. "$0"/env && exec "$@"'
        return subprocess.run(
            ["sh", "-c", ask, str(self.home.path), sys.executable, "-m", "quickbooks_crm", *words],
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """Every process that works in this demo's directory, or in its Postgres'."""
        places = str(self.home.path), str(postgres._place(self.home.path).directory)
        return [
            process
            for process in psutil.process_iter(["cwd", "name"])
            if (process.info["cwd"] or "").startswith(places)
        ]


def when_no_schedule_is_due() -> None:
    """Wait while the company's own schedule, seven minutes past every hour, would be quicker."""
    while 5 <= datetime.now(UTC).minute <= 7:
        time.sleep(1)
