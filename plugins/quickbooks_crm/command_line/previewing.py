"""The command that shows what a sync would do, and does nothing."""

import argparse
import csv
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from quickbooks_crm import activity, companies, database, previewing, wording
from quickbooks_crm.activity import Change, Row, Run
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, say
from quickbooks_crm.command_line.syncing import every_row, new_run_id, show_run
from quickbooks_crm.documents import LINES
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError
from quickbooks_crm.quantity import many
from quickbooks_crm.running import Request

TOLD = ("added", "updated", "duplicate", "not_added", "excluded")
"""The outcomes whose rows are shown; the others would stay as they are."""

COLUMNS = (
    *("company", "module", "entity", "id", "name", "outcome", "crm_record"),
    *("field", "before", "after", "reason", "message"),
)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def _preview(asked: argparse.Namespace) -> int:
    names = asked.company or companies.names(companies.INCLUDE / "companies")
    heading(asked)
    return max((_one(asked, name) for name in names), default=0)


def _one(asked: argparse.Namespace, name: str) -> int:
    request = Request("command line", getpass.getuser(), tuple(asked.module))
    run_id = new_run_id()
    try:
        previewing.sync(name, run_id, request, asked.read)
    except SettingsError as error:
        say(asked, error)
        return 2
    except QuickBooksCrmError as error:
        print(f"{name}: {error}", file=sys.stderr)
        show(asked, name, run_id)
        return 1
    show(asked, name, run_id)
    return 0


def heading(asked: argparse.Namespace) -> None:
    """Print what stands once before all companies: the columns of a spreadsheet."""
    if asked.format == "csv" and not asked.json:
        csv.writer(sys.stdout).writerow(COLUMNS)


def show(asked: argparse.Namespace, name: str, run_id: str) -> None:
    """Print what a preview found, as it was asked for."""
    form = "json" if asked.json else asked.format
    if form != "csv":
        counted = argparse.Namespace(json=form == "json")
        show_run(counted, name, run_id)
    if asked.rows or form == "csv":
        with database.connect() as connection:
            runs = [run for run in activity.runs(connection, [name]) if run.run_id == run_id]
            for run, module, outcome in _told(runs):
                for row in every_row(connection, run, module, outcome):
                    FORMS[form](run, module, row)


def _told(runs: list[Run]) -> Iterator[tuple[Run, str, str]]:
    """Each module of a run, if it could begin, with each outcome whose rows are shown."""
    for run in runs:
        for module in run.counts:
            yield from ((run, module.module, outcome) for outcome in TOLD)


def _as_line(run: Run, module: str, row: Row) -> None:
    name = f" ({row.name})" if row.name else ""
    where = f" CRM {row.record_key}" if row.outcome == "updated" else ""
    head = f"{module}: {row.entity} {row.id}{name}  {wording.words(row.outcome)}{where}"
    told = _changed if row.outcome == "updated" else _filled
    said = "; ".join(map(told, row.changes)) or _why(row)
    print(wording.printable(f"{head}: {said}"))


def _changed(change: Change) -> str:
    if change.field != LINES:
        return f"{change.field} {_shown(change.before)} → {_shown(change.after)}"
    before, after = len(change.before or ()), len(change.after or ())
    return (
        f"{many(before, 'line')} → {after}"
        if before != after
        else f"{many(after, 'line')}, changed"
    )


def _filled(change: Change) -> str:
    if change.field != LINES:
        return f"{change.field} {_shown(change.after)}"
    return many(len(change.after or ()), "line")


def _why(row: Row) -> str:
    other = f" (CRM {row.collides_with})" if row.collides_with else ""
    return f"{row.message or row.sentence}{other}"


def _as_json(run: Run, module: str, row: Row) -> None:
    plain: dict[str, Any] = {"company": run.company, "module": module, "crm_record": _record(row)}
    plain |= {name: getattr(row, name) for name in ("entity", "id", "name", "outcome")}
    plain |= {name: getattr(row, name) for name in ("reason", "message", "details")}
    plain["changes"] = [
        {"field": c.field, "before": _plain(c.before), "after": _plain(c.after)}
        for c in row.changes
    ]
    print(json.dumps(plain, default=str))


def _as_csv(run: Run, module: str, row: Row) -> None:
    who = [run.company, module, row.entity, row.id, row.name, row.outcome, _record(row)]
    why = [row.reason, row.message]
    written = csv.writer(sys.stdout)
    for change in _cells(row):
        written.writerow([_cell(value) for value in (*who, *change, *why)])


def _cells(row: Row) -> Iterator[tuple[Any, Any, Any]]:
    """One line for each field that would change; one for a record of which none would."""
    for change in row.changes:
        yield change.field, change.before, change.after
    if not row.changes:
        yield None, None, None


def _cell(value: Any) -> Any:
    """A value as a spreadsheet shows it: never as a formula, which a customer's name may be."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return json.dumps(value, default=str) if isinstance(value, (dict, list)) else _plain(value)


def _record(row: Row) -> str | None:
    """The CRM record that is meant; one that would be added has no key that it would keep."""
    return row.record_key if row.outcome == "updated" else row.collides_with


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(_plain(value))


def _plain(value: Any) -> Any:
    """An amount without the zeros that only its column's type adds."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


FORMS: dict[str, Callable[[Run, str, Row], None]] = {
    "table": _as_line,
    "json": _as_json,
    "csv": _as_csv,
}
FORM: dict[str, dict[str, Any]] = {
    "--rows": YES | {"help": "also what would become of each record (customer data)"},
    "--format": {
        "choices": list(FORMS),
        "default": "table",
        "help": "default: table. csv has the rows only, a line for each field that changes",
    },
}
COMMANDS = {
    "preview": Command(
        _preview,
        "show what a sync would do to the CRM, record by record, and change nothing",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--read": YES
            | {"help": "read first what changed in QuickBooks; else no call is made to it"},
            **FORM,
        },
    ),
}
