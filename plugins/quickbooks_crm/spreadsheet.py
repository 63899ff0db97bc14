"""How records ended in a run, as a spreadsheet takes it: RFC 4180, a line for each record."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from quickbooks_crm import wording
from quickbooks_crm.activity import Row, Run

BEGINNING = "\ufeff"
"""Without this mark spreadsheets take UTF-8 for the alphabet of their country."""

HEAD = (
    *("Company", "Run", "Module", "Outcome", "Entity", "QuickBooks id", "Name"),
    *("Reason", "Why", "Message", "Also told", "CRM record", "Collides with", "Changed fields"),
)

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def head() -> str:
    """The mark and the names of the columns."""
    return BEGINNING + _written([HEAD])


def lines(run: Run, module: str, rows: Iterable[Row]) -> str:
    """Records as lines. They hold customer data: never log them."""
    return _written(_cells(run, module, row) for row in rows)


def cell(value: Any) -> Any:
    """A text as a spreadsheet shows it: never as a formula, which a customer's name may be."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _written(rows: Iterable[Iterable[Any]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _cells(run: Run, module: str, row: Row) -> Iterator[Any]:
    who = (run.company, run.run_id, module, wording.words(row.outcome), row.entity, row.id)
    why = (row.name, row.reason, row.sentence, row.message, "\n".join(row.told))
    changes = "\n".join(map(wording.told_by(row), row.changes))
    yield from map(cell, (*who, *why, row.record_key, row.collides_with, changes))
