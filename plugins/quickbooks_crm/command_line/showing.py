"""The command that shows what runs did. Commands that start a run print it in the same way."""

import argparse
import json
from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity, database, wording
from quickbooks_crm.activity import HELD, OUTCOMES, UNDO_OUTCOMES, Run, Wanted
from quickbooks_crm.command_line import rows
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, positive, told_of
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.finding import Which
from quickbooks_crm.reconcile import report


def show_run(
    asked: argparse.Namespace,
    company: str,
    run_id: str,
    said: Collection[str] = (),
    outcomes: Collection[str] = (),
) -> None:
    """Print one run of a company, with its rows of these outcomes; nothing when it could not begin.
    Why it stopped is left out where that is `said` already."""
    with database.connect() as connection:
        for run in activity.named(connection, company, run_id):
            _show(asked, connection, run, said, outcomes)


def _activity(asked: argparse.Namespace) -> None:
    rows.heading(asked)
    with database.connect() as connection:
        ran = activity.companies(connection)
        names = told_of(asked, ran)
        shown = [name for name in names if _show_runs(asked, connection, name)]
    if asked.run and not shown:
        raise SettingsError(_no_run(asked.run, names))
    if rows.form(asked) == "table" and not asked.run:
        _tell_of_none([name for name in names if name not in shown], ran)


def _show_runs(asked: argparse.Namespace, connection: Connection[Any], company: str) -> int:
    """Print the run that is asked for, or else the newest ones of a company; how many they are."""
    if asked.run:
        listed = activity.named(connection, company, asked.run)
    else:
        but = () if asked.previews else ("preview",)
        listed = activity.runs(connection, Wanted([company], but), asked.limit)
    for run in listed:
        _show(asked, connection, run, outcomes=_outcomes(asked, run), noted=asked.with_notes)
    return len(listed)


def _outcomes(asked: argparse.Namespace, run: Run) -> Collection[str]:
    """Of which outcomes the rows are shown: notes are on those that ended well, too."""
    if asked.outcome:
        return list(asked.outcome)
    if asked.with_notes:
        return run.outcomes
    return HELD if asked.rows or rows.form(asked) == "csv" else ()


def _show(
    asked: argparse.Namespace,
    connection: Connection[Any],
    listed: Run,
    said: Collection[str] = (),
    outcomes: Collection[str] = (),
    noted: bool = False,
) -> None:
    form = rows.form(asked)
    if form != "csv":
        run = activity.explained(connection, listed)
        as_json = form == "json"
        print(json.dumps(activity.as_json(run)) if as_json else wording.summary(run, said) + "\n")
        if run.report:
            _show_report(asked, connection, run, as_json)
    which = partial(Which, listed.realm, listed.run_id, noted=noted)
    wanted = [which(counts.module, outcome) for counts in listed.counts for outcome in outcomes]
    rows.show(form, connection, listed, wanted)


def _show_report(
    asked: argparse.Namespace, connection: Connection[Any], run: Run, as_json: bool
) -> None:
    """The amounts of a reconcile, and the records that it found to differ, a line each."""
    if run.report and not as_json:
        print(*report.amounts(run.report), "", sep="\n")
    for row in report.rows(connection, run.realm, run.run_id) if asked.rows else ():
        print(json.dumps(asdict(row)) if as_json else row.line)


def _tell_of_none(names: list[str], ran: list[str]) -> None:
    for name in names:
        previews = " but previews, which --previews shows" if name in ran else ""
        print(f"{name}: nothing has run yet{previews}.")
    if not names and not ran:
        print("Nothing has run yet. Start with: python -m quickbooks_crm sync")


def _no_run(run_id: str, names: list[str]) -> str:
    return (
        f"There is no run {run_id} of {', '.join(names) or 'any company'}. What there is: python "
        "-m quickbooks_crm activity --limit 20 (with --previews, previews too)."
    )


COMMANDS = {
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
            "--run": {
                "metavar": "RUN_ID",
                "help": "this run and no other, also when it is a preview",
            },
            "--previews": YES | {"help": "also previews, which changed nothing"},
            "--rows": YES
            | {"help": "also the rows not added, duplicate and excluded (customer data)"},
            "--outcome": SEVERAL
            | {
                "choices": sorted({*OUTCOMES, *UNDO_OUTCOMES}),
                "metavar": "OUTCOME",
                "help": "the rows that ended like this instead, such as updated, with what they "
                "held before and after (customer data); may be repeated",
            },
            "--with-notes": YES
            | {
                "help": "the rows that have notes, of every outcome or those of --outcome "
                "(customer data)"
            },
            "--format": rows.FORM,
        },
    ),
}
