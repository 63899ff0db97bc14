"""Starts what does not run yet, brings the sample company in, and shows the result."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

from demo import airflow, ports, postgres, processes, quickbooks, sync
from demo import settings as settings_file
from demo.home import PROJECT, Home
from demo.names import POSTGRES, title
from demo.rest import Rest
from demo.settings import Settings
from demo.stopwatch import Stopwatch

COMPANY = "sample"

# The two commands in one process: importing Airflow twice would take seconds.
_MAKE_TABLES = """
import sys
from quickbooks_crm.__main__ import main
sys.exit(main(["migrate"]) or main(["install-crm"]))
"""


_STOPPED_BY_BREAKER = "release it on the page Health"
_OPEN_BREAKER = f"""\
A breaker is open: what the sync was about to write looks like an accident, so nothing of it was
written. Above stands what it is. Look at it, and let it pass once if it is right: on the page
Health of Airflow's QuickBooks, or in `make shell`:
  python -m quickbooks_crm breakers --company {COMPANY}
  python -m quickbooks_crm release --company {COMPANY} --breaker NAME --because "..."
Then, or when you have put right in QuickBooks what caused it: make demo"""


class AlreadyStarting(Exception):
    """Another start is under way."""


def up(home: Home, stopwatch: Stopwatch) -> None:
    """The whole start: idempotent, and everything keeps running when it returns."""
    settings_file.wished(os.environ)  # a mistyped wish leaves no trace
    home.make()
    with _alone(home):
        if settings_file.load(home) is None:
            postgres.remove(home.path)  # whose password went with a deleted directory
        settings = _settle(home, settings_file.load_or_make(home, os.environ))
        print("Starting", flush=True)
        with ThreadPoolExecutor() as pool:
            simulator = pool.submit(_start_simulator, home, settings, stopwatch)
            _start_postgres(home, settings, stopwatch)
            tables = pool.submit(_make_tables, home, settings, stopwatch)
            _start_airflow(home, settings, stopwatch)
            simulator.result()
            tables.result()
        try:
            run_id = _sync(home, settings, stopwatch)
        except sync.SyncFailed as failed:
            told = _show(home, settings, stopwatch, failed.run_id)
            raise sync.SyncFailed(what_to_do(failed, told)) from None
        _show(home, settings, stopwatch, run_id)


def _settle(home: Home, settings: Settings) -> Settings:
    """Give whatever does not run a port that is free, and the simulator a new first login."""
    if not _postgres_answers(home, settings):
        processes.stop(home, airflow.COMPONENTS)
        postgres.stop(home.path)
        port = ports.free(settings.postgres_port, title(POSTGRES))
        settings = replace(settings, postgres_port=port)
    if not processes.running(home, airflow.API_SERVER):
        processes.stop(home, airflow.COMPONENTS)
        port = ports.free(settings.airflow_port, title(airflow.API_SERVER))
        settings = replace(settings, airflow_port=port)
    if not processes.running(home, quickbooks.NAME):
        port = ports.free(settings.simulator_port, f"the {title(quickbooks.NAME)}")
        settings = replace(settings, simulator_port=port, refresh_token=secrets.token_hex(20))
    settings_file.save(home, settings)
    _write_environment(home, settings)
    return settings


def _write_environment(home: Home, settings: Settings) -> None:
    ours = airflow.environment(home, settings)
    lines = [
        f"export {name}={shlex.quote(ours[name])}" for name in sorted(ours) if "AIRFLOW" in name
    ]
    home.write_text("env", "\n".join(lines) + "\n")


def _start_simulator(home: Home, settings: Settings, stopwatch: Stopwatch) -> None:
    if not processes.running(home, quickbooks.NAME):
        with stopwatch.phase(title(quickbooks.NAME), beside=True):
            quickbooks.start(home, settings)


def _postgres_answers(home: Home, settings: Settings) -> bool:
    return postgres.answers(home.path, settings.postgres_password, settings.postgres_port)


def _start_postgres(home: Home, settings: Settings, stopwatch: Stopwatch) -> None:
    if not _postgres_answers(home, settings):
        with stopwatch.phase("Postgres"):
            started = postgres.start(home.path, settings.postgres_password, settings.postgres_port)
            with closing(started) as server:
                for name in ("airflow", "crm"):
                    server.create_database(name)


def _make_tables(home: Home, settings: Settings, stopwatch: Stopwatch) -> None:
    with stopwatch.phase("the CRM's tables and ours", beside=True):
        line = [sys.executable, "-c", _MAKE_TABLES]
        processes.run(home, "tables", line, airflow.environment(home, settings))


def _start_airflow(home: Home, settings: Settings, stopwatch: Stopwatch) -> None:
    if not processes.running(home, airflow.API_SERVER):
        with stopwatch.phase("Airflow's own tables"):
            airflow.migrate(home, settings)
    with stopwatch.phase(title(airflow.API_SERVER)):
        for name in (airflow.API_SERVER, airflow.DAG_PROCESSOR, airflow.SCHEDULER):
            airflow.start(home, settings, name)
        airflow.wait_for_api(home, settings)
    airflow.start(home, settings, airflow.TRIGGERER)


def _sync(home: Home, settings: Settings, stopwatch: Stopwatch) -> str:
    rest = Rest(settings)
    sync.connect(rest, settings)
    with stopwatch.phase("Airflow has read the DAG"):
        sync.wait_for_dag(home, rest)
    print("Bringing the company in", flush=True)
    with stopwatch.phase("the sync"):
        run_id = sync.run(home, rest)
    with stopwatch.phase("Airflow is well"):
        airflow.wait_until_healthy(home, settings)
    return run_id


def _show(home: Home, settings: Settings, stopwatch: Stopwatch, run_id: str) -> str:
    """Print what a run, or else the last one, did, and where everything is; the former."""
    command = [sys.executable, "-m", "quickbooks_crm", "activity", "--company", COMPANY]
    command += ["--run", run_id] if run_id else []
    own = airflow.environment(home, settings)
    told = subprocess.run(command, env=own, cwd=PROJECT, stdout=subprocess.PIPE, text=True).stdout
    print(f"""
{told}
  Airflow     {settings.airflow}   user admin, password {settings.admin_password}
  QuickBooks  {settings.quickbooks}   the simulator
  Postgres    {ports.HOST}:{settings.postgres_port}   make psql

{stopwatch.table()}

Everything keeps running. make logs, make status; make down stops it.""")
    return told


def what_to_do(failed: sync.SyncFailed, told: str) -> str:
    """What a person does about a sync that did not end well, once the activity has `told` of it."""
    lines = [f"{failed} Everything is started all the same: see above."]
    if _STOPPED_BY_BREAKER in told:
        lines.append(_OPEN_BREAKER)
    for task, reason in failed.reasons.items():
        if f"{task} stopped: " not in told:
            lines.append(f"{task}: {reason}")
    return "\n".join(lines)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with (home.path / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyStarting("Another start of this demo is under way.") from error
        yield
