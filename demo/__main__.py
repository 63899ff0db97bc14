"""`python -m demo up | down | status | logs | psql | shell | mappings`; make has them all."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import psycopg
import requests

from demo import airflow, mappings, ports, postgres, processes, quickbooks, rest, sync
from demo import down as downs
from demo import settings as settings_file
from demo import up as ups
from demo.home import Home, home
from demo.names import POSTGRES, title
from demo.settings import Settings
from demo.stopwatch import Stopwatch

_KNOWN = ("up", "down", "status", "logs", "psql", "shell", "mappings")
_NONE = "There is no demo here yet. Start one with: make demo"
_STOPPED = "The demo is stopped. Start it with: make demo"
_EXPECTED = (
    settings_file.NotACompany,
    settings_file.OtherCompany,
    ups.AlreadyStarting,
    processes.ProcessFailed,
    postgres.PostgresFailed,
    rest.AirflowRefused,
    sync.SyncFailed,
    psycopg.OperationalError,
    requests.RequestException,
)


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; 0 when it is done, 1 when it failed and why was printed."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=ups.__doc__)
    parser.add_argument("what", choices=_KNOWN)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="for psql")
    asked = parser.parse_args(arguments)
    try:
        return _do(asked.what, asked.rest, home())
    except _EXPECTED as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What was started keeps running; make down stops it.", file=sys.stderr)
        return 130


def _do(what: str, arguments: list[str], place: Home) -> int:
    if what == "up":
        ups.up(place, Stopwatch(float(os.environ.get("DEMO_STARTED") or 0)))
        return 0
    if what == "down":
        (downs.reset if os.environ.get("RESET") else downs.down)(place)
        return 0
    if what == "mappings":
        return mappings.check(place)
    settings = settings_file.load(place)
    if what == "status":
        _print_status(place, settings)
        return 0
    if settings is None:
        print(_NONE, file=sys.stderr)
        return 1
    if what == "logs":
        return _show_logs(place)
    if not postgres.answers(place.path, settings.postgres_password, settings.postgres_port):
        print(_STOPPED, file=sys.stderr)
        return 1
    if what == "psql":
        login = ["-h", ports.HOST, "-p", str(settings.postgres_port), "-U", postgres.ROLE, "crm"]
        _become([str(postgres.psql()), *login, *arguments], _with_password(settings))
    print("The demo's settings are set here; exit ends it.")
    return _become([os.environ.get("SHELL", "/bin/sh")], airflow.environment(place, settings))


def _running(place: Home) -> dict[str, bool]:
    components = (quickbooks.NAME, *reversed(airflow.COMPONENTS))
    started = {name: processes.running(place, name) for name in components}
    return {POSTGRES: postgres.running(place.path), **started}


def _print_status(place: Home, settings: Settings | None) -> None:
    running = _running(place)
    if settings is None or not any(running.values()):
        print(_STOPPED if settings else _NONE)
        return
    for name, state in running.items():
        print(f"  {title(name):24} {'running' if state else 'stopped'}")
    if not all(running.values()):
        print("\nmake demo starts what is stopped.")
    print()
    if running[airflow.API_SERVER]:
        login = f"user admin, password {settings.admin_password}"
        print(f"  Airflow     {settings.airflow}   {login}")
    if running[quickbooks.NAME]:
        print(f"  QuickBooks  {settings.quickbooks}")
    if running[POSTGRES]:
        print(f"  Postgres    {ports.HOST}:{settings.postgres_port}")


def _show_logs(place: Home) -> int:
    """Follow the logs; those of a stopped demo only show how they end."""
    logs = sorted(str(log) for log in place.logs.glob("*.log"))
    following = ["-F"] if any(_running(place).values()) else []
    return _become(["tail", "-n", "10", *following, *logs], dict(os.environ)) if logs else 0


def _with_password(settings: Settings) -> dict[str, str]:
    return {**os.environ, "PGPASSWORD": settings.postgres_password}


def _become(command: list[str], environment: dict[str, str]) -> int:
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
