"""How the records of a run are printed: a line each for a person, JSON, or CSV for a spreadsheet.
All of it is customer data: never log it."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from psycopg import Connection

from quickbooks_crm import finding, reasons, wording
from quickbooks_crm.activity import Row, Run
from quickbooks_crm.command_line.command import YES
from quickbooks_crm.finding import BEGINNING, Which
from quickbooks_crm.spreadsheet import cell

COLUMNS = (
    *("company", "run_id", "module", "entity", "id", "name", "outcome", "crm_record"),
    *("field", "before", "after", "reason", "message"),
)
PAGE = 1000
"""How many records are fetched at once: what is printed may be much longer than the memory."""


def form(asked: argparse.Namespace) -> str:
    """How a person wants it printed: one of FORMS."""
    return "json" if asked.json else str(getattr(asked, "format", "table"))


def heading(asked: argparse.Namespace) -> None:
    """Print what stands once before all companies: the columns of a spreadsheet."""
    if form(asked) == "csv":
        csv.writer(sys.stdout).writerow(COLUMNS)


def show(form: str, connection: Connection[Any], run: Run, wanted: Iterable[Which]) -> None:
    """Print every record of a run that is wanted, in one of FORMS."""
    for which in wanted:
        for row in _every(connection, which):
            FORMS[form](run, which.module, row)


def _every(connection: Connection[Any], which: Which) -> Iterator[Row]:
    """The records that are meant, however many they are."""
    after = BEGINNING
    while page := finding.rows(connection, which, after, PAGE):
        yield from page
        after = (page[-1].id, page[-1].entity)


def _as_line(run: Run, module: str, row: Row) -> None:
    name = f" ({row.name})" if row.name else ""
    record = "" if row.reason else _record(run, row)
    where = f" CRM {record}" if record else ""
    head = f"{module}: {row.entity} {row.id}{name}  {wording.words(row.outcome)}{where}"
    said = _said("; ".join(_values(row)), " ".join(row.told))
    print(wording.printable(f"{head}: {said}" if said else head))


def _said(values: str, notes: str) -> str:
    """Both, if there are both; notes are sentences, and so is a message."""
    return (" " if values.endswith(".") else "; ").join(filter(None, (values, notes)))


def _values(row: Row) -> Iterator[str]:
    """What became of the record's fields, or why nothing did."""
    if row.changes:
        yield from map(wording.told_by(row), row.changes)
    elif row.reason:
        other = f" (CRM {row.collides_with})" if row.collides_with else ""
        yield f"{row.message or row.sentence}{other}"
    elif row.outcome in ("added", "updated") and not row.after:
        yield reasons.sentence("image_gone")


def _as_json(run: Run, module: str, row: Row) -> None:
    plain: dict[str, Any] = {"company": run.company, "run_id": run.run_id, "module": module}
    plain |= {name: getattr(row, name) for name in ("entity", "id", "name", "outcome")}
    plain |= {name: getattr(row, name) for name in ("reason", "message", "details")}
    plain["crm_record"] = _record(run, row)
    plain["changes"] = [
        {"field": c.field, "before": wording.plain(c.before), "after": wording.plain(c.after)}
        for c in row.changes
    ]
    print(json.dumps(plain, default=str))


def _as_csv(run: Run, module: str, row: Row) -> None:
    who = [run.company, run.run_id, module, row.entity, row.id, row.name, row.outcome]
    why = [row.reason, " ".join(filter(None, [row.message, *row.told]))]
    written = csv.writer(sys.stdout)
    for change in _cells(row):
        written.writerow([_cell(value) for value in (*who, _record(run, row), *change, *why)])


def _cells(row: Row) -> Iterator[tuple[Any, Any, Any]]:
    """One line for each field that changes; one for a record of which none does."""
    for change in row.changes:
        yield change.field, change.before, change.after
    if not row.changes:
        yield None, None, None


def _cell(value: Any) -> Any:
    """A value as a spreadsheet shows it."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str)
    return cell(wording.plain(value))


def _record(run: Run, row: Row) -> str | None:
    """The CRM record that is meant; one that would only be added has no key that it would keep."""
    if run.kind == "preview" and row.outcome == "added":
        return None
    return row.collides_with or row.record_key


FORMS: dict[str, Callable[[Run, str, Row], None]] = {
    "table": _as_line,
    "json": _as_json,
    "csv": _as_csv,
}
FORM: dict[str, Any] = {
    "choices": list(FORMS),
    "default": "table",
    "help": "default: table. csv has the rows only, a line for each field that changes",
}
PLANNED: dict[str, dict[str, Any]] = {
    "--rows": YES | {"help": "also what would become of each record (customer data)"},
    "--format": FORM,
}
"""The options of a command that shows what it would do."""
