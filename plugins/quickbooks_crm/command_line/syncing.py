"""Commands that run a sync, and show what runs did."""

import argparse
import getpass
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity, companies, database, pipeline, wording
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, positive, say, told_of
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError
from quickbooks_crm.reconcile import report
from quickbooks_crm.running import Request


def _sync(asked: argparse.Namespace) -> int:
    names = asked.company or companies.names(companies.INCLUDE / "companies")
    request = Request("command line", getpass.getuser(), tuple(asked.module))
    code = 0
    for name in names:
        run_id = new_run_id()
        try:
            pipeline.sync(name, run_id, request, asked.everything)
        except SettingsError as error:
            code = 2
            say(asked, error)
        except QuickBooksCrmError as error:
            code = max(code, 1)
            print(f"{name}: {error}", file=sys.stderr)
            for note in getattr(error, "__notes__", ()):
                print(f"{name}: {note}", file=sys.stderr)
        show_run(asked, name, run_id)
    return code


def new_run_id() -> str:
    """The id of a run that is started now, by hand, outside Airflow."""
    return f"command-line__{datetime.now(UTC).isoformat(timespec='milliseconds')}"


def _activity(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        ran = activity.companies(connection)
    for name in told_of(asked, ran):
        if not _show_newest(asked, name) and not asked.json:
            previews = " but previews, which --previews shows" if name in ran else ""
            print(f"{name}: nothing has run yet{previews}.")
    if not ran and not asked.company and not asked.json:
        print("Nothing has run yet. Start with: python -m quickbooks_crm sync")


def show_run(asked: argparse.Namespace, company: str, run_id: str) -> None:
    """Print one run of a company; nothing when it could not begin."""
    with database.connect() as connection:
        for listed in activity.runs(connection, [company]):
            if listed.run_id == run_id:
                _show(asked, connection, listed)


def _show_newest(asked: argparse.Namespace, company: str) -> int:
    """Print the newest runs of a company; how many they are."""
    but = () if asked.previews else ("preview",)
    with database.connect() as connection:
        listed = activity.runs(connection, [company], asked.limit, but=but)
        for run in listed:
            _show(asked, connection, run)
    return len(listed)


def _show(asked: argparse.Namespace, connection: Connection[Any], listed: activity.Run) -> None:
    run = activity.explained(connection, listed)
    print(json.dumps(activity.as_json(run)) if asked.json else wording.summary(run) + "\n")
    if run.report and not asked.json:
        print(*report.amounts(run.report), "", sep="\n")
    if getattr(asked, "rows", False):
        _show_rows(connection, run, asked.json)


def _show_rows(connection: Connection[Any], run: activity.Run, as_json: bool) -> None:
    """The rows that are not in the CRM, each on a line of its own."""
    _show_drift(connection, run, as_json)
    for module in run.counts:
        for outcome in ("not_added", "duplicate", "excluded"):
            for row in every_row(connection, run, module.module, outcome):
                plain = {"module": module.module, **asdict(row)}
                line = f"{module.module}: {wording.listing([row])}"
                print(json.dumps(plain, default=str) if as_json else line)


def _show_drift(connection: Connection[Any], run: activity.Run, as_json: bool) -> None:
    """The records that a reconcile found to differ, each on a line of its own."""
    for row in report.rows(connection, run.realm, run.run_id):
        print(json.dumps(asdict(row)) if as_json else row.line)


def every_row(
    connection: Connection[Any], run: activity.Run, module: str, outcome: str
) -> Iterator[activity.Row]:
    """The records of a module that ended in one way, however many they are."""
    after = ("", "")
    while page := activity.rows(connection, run.realm, run.run_id, module, outcome, after):
        yield from page
        after = (page[-1].id, page[-1].entity)


COMMANDS = {
    "sync": Command(
        _sync,
        "run a sync now, without Airflow's scheduler",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--everything": YES | {"help": "read QuickBooks wholly, not only what changed"},
        },
    ),
    "activity": Command(
        _activity,
        "show what the last runs did",
        {
            "--limit": {
                "type": positive,
                "default": 1,
                "metavar": "N",
                "help": "how many runs of each company; default: 1",
            },
            "--previews": YES | {"help": "also previews, which changed nothing"},
            "--rows": YES
            | {"help": "also the rows not added, duplicate and excluded (customer data)"},
        },
    ),
}
