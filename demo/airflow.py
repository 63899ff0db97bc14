"""Airflow's four components as processes of the demo, each by itself: so each can be stopped."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import requests

from demo import ports, processes
from demo.home import PROJECT, Home
from demo.settings import Settings

API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER = (
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
)
# In the order in which they are stopped: whoever starts work first, whoever is asked last.
COMPONENTS = (SCHEDULER, TRIGGERER, DAG_PROCESSOR, API_SERVER)

_ARGUMENTS = {
    # They would listen on every network interface; the api-server finds the files without them.
    SCHEDULER: ["--skip-serve-logs"],
    TRIGGERER: ["--skip-serve-logs"],
}

# Tasks are forked from the scheduler, and DAGs are read in forks of their processor: what these two
# have imported costs them nothing.
_LOCAL_SETTINGS = """\
import sys

if {"scheduler", "dag-processor"} & {*sys.argv}:
    import intuitlib.client
    import pandas
    import psycopg
    import pydantic
    import quickbooks.client
    import yaml
"""


def environment(home: Home, settings: Settings) -> dict[str, str]:
    """The environment in which everything of this demo runs, a person's shell included."""
    folder = home.path / "airflow"
    return {
        **processes.environment(),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": settings.fernet_key,
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{settings.airflow}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{settings.database('airflow')}",
        "AIRFLOW__API__HOST": ports.HOST,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": settings.airflow,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": settings.secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.jwt_secret,
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A task that was cut off by `make down` is found soon after the next start.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW_CONN_CRM": f"postgresql://{settings.database('crm')}",
    }


def migrate(home: Home, settings: Settings) -> None:
    """Write Airflow's files and bring its own database up to date."""
    passwords = json.dumps({"admin": settings.admin_password})
    home.write_text("airflow/passwords.json", passwords)
    home.write_text("airflow/config/airflow_local_settings.py", _LOCAL_SETTINGS)
    command = [_airflow(), "db", "migrate"]
    processes.run(home, "airflow-db-migrate", command, environment(home, settings))


def start(home: Home, settings: Settings, name: str) -> None:
    """Start one component, unless it runs."""
    if not processes.running(home, name):
        command = [_airflow(), name, *_ARGUMENTS.get(name, [])]
        processes.start(home, name, command, environment(home, settings))


def wait_for_api(home: Home, settings: Settings) -> None:
    """Wait until the API server answers, and have it build the part that tasks talk to.

    It does that on first use, which takes it seconds that the first task would have to wait.
    """
    _wait(home, [API_SERVER], f"{settings.airflow}/api/v2/monitor/health", lambda answer: answer.ok)
    requests.get(f"{settings.airflow}/execution/health", timeout=60).raise_for_status()


def wait_until_healthy(home: Home, settings: Settings) -> None:
    """Wait until every component says that it is well."""
    _wait(home, COMPONENTS, f"{settings.airflow}/api/v2/monitor/health", _all_healthy)


def _all_healthy(answer: requests.Response) -> bool:
    states = answer.json()
    watched = "metadatabase", "scheduler", "triggerer", "dag_processor"
    return all((states.get(name) or {}).get("status") == "healthy" for name in watched)


def _wait(
    home: Home, names: Iterable[str], url: str, satisfied: Callable[[requests.Response], bool]
) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        processes.require(home, names)
        try:
            answer = requests.get(url, timeout=10)
            if answer.ok and satisfied(answer):
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise processes.ProcessFailed(
        f"Airflow was not ready after two minutes. Its logs are in {home.logs}\n{processes.NEXT}"
    )


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))
