"""Sets aside rows that lack a mandatory field or hold a value that its column cannot take. Pure,
column by column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pandas import DataFrame, Series

from quickbooks_crm import json_types
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.column_rules import rules, shaped
from quickbooks_crm.documents import OF, at_position, folded, unfolded
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.images import LINES
from quickbooks_crm.mapping import Field, Lines, Mapping
from quickbooks_crm.transform import ENDED, MISPLACED, WHO, each, with_columns

_SHORT = 40
_PLAIN_EMAIL = re.compile(
    r"\w+(?:[.+-]\w+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?P<top>[a-z]{2,})", re.ASCII | re.IGNORECASE
)
_SHORTEST_LIMIT = 63  # of the part of a domain between two dots
_BLANK = "is required but blank in QuickBooks"

Told = dict[int, list[dict[str, str]]]
"""What is wrong with rows, by their place in a batch."""


@dataclass(frozen=True)
class _Problem:
    """Rows of one column that break one rule."""

    reason: str
    rows: Series
    column: Column
    rule: str


def unfit(constant: str, column: Column, field: Field | None = None) -> str:
    """The rules that keep a text out of a column, as they are said; empty when it fits."""
    values = shaped(Series([constant], dtype="str"), column)
    broken = _broken(values, field or Field(column.name), column)
    return " and ".join(rule for wrong, rule in broken if wrong.iloc[0])


def check(batch: DataFrame, mapping: Mapping, table: Table) -> tuple[DataFrame, DataFrame]:
    """Part the rows that may be loaded from those that may not, each of these with every reason.

    `batch` is what `transform` keeps. Deleted records are not checked: only their flags will be
    written.
    """
    batch = _shaped(batch, mapping, table)
    live = batch["@state"] != "deleted"
    found = _found(batch, mapping, table)
    bad = _any(found, batch) & live
    of_lines: Told = {}
    if mapping.lines:
        batch, of_lines = _lines(batch, mapping.lines, _lines_table(mapping, table))
        bad |= batch.index.isin(list(of_lines))
    misplaced: Told = {}
    if MISPLACED in batch:
        told, known = batch[MISPLACED], json_types.places(mapping, table)
        batch = batch.drop(columns=MISPLACED)
        wrong = batch.index[told.notna() & live]
        misplaced = {int(row): json_types.told(known, told[row]) for row in wrong}
        bad |= batch.index.isin(list(misplaced))
    return batch[~bad], _ended(batch[bad], found, of_lines, misplaced)


def _found(batch: DataFrame, mapping: Mapping, table: Table) -> list[_Problem]:
    """Every rule that a row breaks, blanks first."""
    problems = (*_missing(batch, mapping, table), *_invalid(batch, mapping, table))
    return [problem for problem in problems if problem.rows.any()]


def _any(found: list[_Problem], batch: DataFrame) -> Series:
    bad = Series(False, index=batch.index)
    for problem in found:
        bad |= problem.rows
    return bad


def _lines_table(mapping: Mapping, table: Table) -> Table:
    if table.lines is None:
        raise SettingsError(
            f"{mapping.file}: the table of its lines was not read from the catalog."
        )
    return table.lines


def _lines(batch: DataFrame, lines: Lines, table: Table) -> tuple[DataFrame, Told]:
    """The documents with their lines as the table takes them; and of each that has a line which may
    not be loaded, everything that is wrong with its lines."""
    names = list(lines.rows.fields)
    given = unfolded(batch, names, WHO)
    rows = _shaped(given, lines.rows, table)
    if rows is not given:
        batch = batch.assign(**{LINES: folded(rows, names, batch)})
    found = _found(rows, lines.rows, table)
    return batch, _wrong_lines(rows, found) if found else {}


def _wrong_lines(rows: DataFrame, found: list[_Problem]) -> dict[int, list[dict[str, str]]]:
    place = at_position(rows).astype(str)
    wrong: Told = {}
    for row in rows.index[_any(found, rows)]:
        told = wrong.setdefault(int(rows[OF][row]), [])
        told += [{"line": place[row], **detail} for detail in _details(rows.loc[row], row, found)]
    return wrong


def _shaped(batch: DataFrame, mapping: Mapping, table: Table) -> DataFrame:
    """The batch itself when no column wants its values written otherwise."""
    given = {name: batch[name] for name in _values(mapping)}
    written = {name: shaped(values, table.columns[name]) for name, values in given.items()}
    other = {name: values for name, values in written.items() if values is not given[name]}
    return with_columns(batch, other) if other else batch


def _values(mapping: Mapping) -> list[str]:
    """The columns that get a value of QuickBooks itself, not the record or user that it means."""
    fields = mapping.fields.items()
    return [name for name, field in fields if not field.refers and not field.owner]


def _missing(batch: DataFrame, mapping: Mapping, table: Table) -> Iterator[_Problem]:
    required = {column.name for column in table.required}
    for name, field in mapping.fields.items():
        if (field.required or name in required) and not field.owner:
            yield _Problem("missing_required", batch[name].isna(), table.columns[name], _BLANK)


def _invalid(batch: DataFrame, mapping: Mapping, table: Table) -> Iterator[_Problem]:
    for name in _values(mapping):
        column = table.columns[name]
        for rows, rule in _broken(batch[name], mapping.fields[name], column):
            yield _Problem("invalid_value", rows, column, rule)


def _broken(values: Series, field: Field, column: Column) -> Iterator[tuple[Series, str]]:
    """For each rule of the field and its column: which values, blanks aside, break it, and how to
    say so."""
    for wrong, rule in _rules(values, field, column):
        yield wrong & values.notna(), rule
    if field.kind == "email":
        yield ~each(values, _is_email) & values.notna(), "is not an e-mail address"


def _rules(values: Series, field: Field, column: Column) -> Iterator[tuple[Series, str]]:
    """Of keywords the column gets what their list spells, however they are given."""
    return iter(()) if field.keywords or column.keywords else rules(values, column)


def _is_email(text: str) -> bool:
    """QuickBooks allows several addresses in one field, separated by commas."""
    try:
        for address in map(str.strip, text.split(",")):
            if not _is_plain_email(address):
                validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _is_plain_email(text: str) -> bool:
    """Whether it is an address that breaks no rule of any kind: most are, and to prove each by all
    rules takes longer than everything else in this module."""
    plain = _PLAIN_EMAIL.fullmatch(text) if len(text) <= _SHORTEST_LIMIT else None
    return plain is not None and plain["top"].lower() not in SPECIAL_USE_DOMAIN_NAMES


def _ended(rows: DataFrame, found: list[_Problem], of_lines: Told, misplaced: Told) -> DataFrame:
    """The rows that end here: the sentence and details name all reasons, the record's own first;
    the reason is the last of them by the alphabet: `missing_required` before `invalid_value`. Of a
    record that cannot be read as the mapping would, nothing else is told: it follows from that."""
    if rows.empty:
        return DataFrame(columns=ENDED)
    details = [
        misplaced.get(row) or _details(rows.loc[row], row, found) + of_lines.get(row, [])
        for row in rows.index
    ]
    return rows[WHO].assign(
        outcome="not_added",
        reason=[max(told["reason"] for told in d) for d in details],
        message=[" ".join(map(_sentence, d)) for d in details],
        details=Series(details, index=rows.index, dtype=object),
    )


def _details(row: Series, index: int, found: list[_Problem]) -> list[dict[str, str]]:
    return [_detail(row, problem) for problem in found if problem.rows[index]]


def _detail(row: Series, problem: _Problem) -> dict[str, str]:
    column = problem.column
    told = {
        "reason": problem.reason,
        "field": column.name,
        "label": column.label,
        "rule": problem.rule,
    }
    if problem.rule != _BLANK:
        told["value"] = shortened(str(json_types.plain(row[column.name])))
    return told


def shortened(value: str) -> str:
    """A value as messages show it."""
    return value if len(value) <= _SHORT else value[: _SHORT - 1] + "…"


def _sentence(problem: dict[str, str]) -> str:
    where = f"Line {problem['line']}: " if "line" in problem else ""
    value = f" '{problem['value']}'" if "value" in problem else ""
    return f"{where}{problem['label']}{value} {problem['rule']}."
