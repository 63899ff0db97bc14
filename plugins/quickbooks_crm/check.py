"""Sets aside rows that lack a mandatory field or hold a value that its column cannot take. Pure,
column by column."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
from email_validator import EmailNotValidError, validate_email
from pandas import DataFrame, Series

from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.mapping import Field, Mapping
from quickbooks_crm.transform import ENDED, WHO, each

_SHORT = 40
_NUMBER = r"[+-]?(?P<whole>[0-9]*)(?:\.(?P<places>[0-9]*))?"
_WHOLE_NUMBER = r"[+-]?[0-9]+"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_UUID = r"(?i)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"


@dataclass(frozen=True)
class _Problem:
    """Rows of one column that break one rule."""

    rows: Series
    column: Column
    rule: str


def missing_fields(mapping: Mapping, table: Table) -> list[str]:
    """The labels of required CRM fields that the mapping gives neither a source nor a default."""
    required = [column for column in table.required if column.name != mapping.company]
    return [column.label for column in required if column.name not in mapping.fields]


def unfit_constants(mapping: Mapping, table: Table) -> Iterator[str]:
    """The constants and defaults of the mapping that their columns cannot take, by the same rules
    as values of rows, each with its line."""
    for place, name, constant in _constants(mapping):
        column = table.columns.get(name)
        if column and column.writable and (said := unfit(constant, column, mapping.fields[name])):
            yield (
                f"{mapping.file} line {mapping.line(place)}: {place} '{_short(constant)}' "
                f"{said}. {table.name}.{name} takes {column.type}."
            )


def unfit(constant: str, column: Column, field: Field | None = None) -> str:
    """The rules that keep a text out of a column, as they are said; empty when it fits."""
    values = _whole(Series([constant], dtype="str"), column)
    broken = _broken(values, field or Field(column.name), column)
    return " and ".join(rule for wrong, rule in broken if wrong.iloc[0])


def _constants(mapping: Mapping) -> Iterator[tuple[str, str, str]]:
    """What the file itself gives columns: where it says so, the column, the text."""
    for name, field in mapping.fields.items():
        if field.value is not None:
            yield f"fields.{name}.value", name, field.value
        if field.default is not None:
            yield f"fields.{name}.default", name, field.default
    for word in ("when_inactive", "when_deleted"):
        for name, constant in getattr(mapping, word).items():
            yield f"{word}.{name}", name, constant


def check(batch: DataFrame, mapping: Mapping, table: Table) -> tuple[DataFrame, DataFrame]:
    """Part the rows that may be loaded from those that may not, each of these with every reason.

    `batch` is what `transform` keeps. Deleted records are not checked: only their flags will be
    written.
    """
    batch = _whole_numbers(batch, mapping, table)
    live = batch["@state"] != "deleted"
    missing = [
        problem for problem in _missing(batch, mapping, table) if (problem.rows & live).any()
    ]
    invalid = [
        problem for problem in _invalid(batch, mapping, table) if (problem.rows & live).any()
    ]
    bad = Series(False, index=batch.index)
    for problem in (*missing, *invalid):
        bad |= problem.rows & live
    return batch[~bad], _ended(batch[bad], missing, invalid)


def _whole_numbers(batch: DataFrame, mapping: Mapping, table: Table) -> DataFrame:
    names = [name for name in _values(mapping) if table.columns[name].kind == "integer"]
    return batch.assign(**{name: _whole(batch[name], table.columns[name]) for name in names})


def _whole(values: Series, column: Column) -> Series:
    """QuickBooks writes 5 as 5 or 5.00; a column of whole numbers takes only the first."""
    return values.str.replace(r"\.0*$", "", regex=True) if column.kind == "integer" else values


def _values(mapping: Mapping) -> list[str]:
    """The columns that get a value of QuickBooks itself, not the record it refers to."""
    return [name for name, field in mapping.fields.items() if not field.refers]


def _missing(batch: DataFrame, mapping: Mapping, table: Table) -> Iterator[_Problem]:
    required = {column.name for column in table.required}
    for name, field in mapping.fields.items():
        if field.required or name in required:
            yield _Problem(
                batch[name].isna(), table.columns[name], "is required but blank in QuickBooks"
            )


def _invalid(batch: DataFrame, mapping: Mapping, table: Table) -> Iterator[_Problem]:
    for name in _values(mapping):
        column = table.columns[name]
        for rows, rule in _broken(batch[name], mapping.fields[name], column):
            yield _Problem(rows, column, rule)


def _broken(values: Series, field: Field, column: Column) -> Iterator[tuple[Series, str]]:
    """For each rule of the field and its column: which values, blanks aside, break it, and how to
    say so."""
    for wrong, rule in _rules(values, column):
        yield wrong & values.notna(), rule
    if field.kind == "email":
        yield ~each(values, _is_email) & values.notna(), "is not an e-mail address"


def _rules(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    """For each rule of the column's type: which values break it, and how to say so."""
    match column.kind:
        case "text" if column.length:
            yield values.str.len() > column.length, f"is longer than {column.length} characters"
        case "numeric":
            yield from _numeric(values, column)
        case "integer":
            limit = _INTEGERS.get(column.type, 2**63)  # else a type of the CRM's own
            whole = values.str.fullmatch(_WHOLE_NUMBER, na=False)
            yield ~whole, "is not a whole number"
            small = each(values.where(whole), lambda text: -limit <= Decimal(text) < limit)
            yield whole & ~small, "is too large"
        case "boolean":
            yield ~values.isin(["true", "false"]), "is neither true nor false"
        case "date":
            strict = values.str.fullmatch(_DAY, na=False)
            parsed = pd.to_datetime(values.where(strict), format="%Y-%m-%d", errors="coerce")
            yield parsed.isna(), "is not a date (year-month-day)"
        case "timestamp":
            strict = values.str.fullmatch(f"{_DAY}[T ].*", na=False)
            parsed = pd.to_datetime(
                values.where(strict), format="ISO8601", errors="coerce", utc=True
            )
            yield parsed.isna(), "is not a moment (date and time)"
        case "time":
            yield ~values.str.fullmatch(_TIME, na=False), "is not a time (hours:minutes)"
        case "uuid":
            yield ~values.str.fullmatch(_UUID, na=False), "is not a UUID"
        case "choice":
            yield ~values.isin(column.choices), f"is none of {', '.join(column.choices)}"


def _numeric(values: Series, column: Column) -> Iterator[tuple[Series, str]]:
    written = values.where(values.str.fullmatch(_NUMBER, na=False))
    parts = written.str.extract(f"^{_NUMBER}$")
    yield ~(parts["whole"].str.len() + parts["places"].str.len().fillna(0) > 0), "is not a number"
    if column.precision is not None and column.scale is not None:
        whole = parts["whole"].str.lstrip("0").str.len()
        yield whole > column.precision - column.scale, "is too large"
        yield (
            parts["places"].str.rstrip("0").str.len() > column.scale,
            f"has more than {column.scale} decimal places",
        )


def _is_email(text: str) -> bool:
    """QuickBooks allows several addresses in one field, separated by commas."""
    try:
        for address in text.split(","):
            validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _ended(rows: DataFrame, missing: list[_Problem], invalid: list[_Problem]) -> DataFrame:
    """The rows that end here: reason `missing_required` before `invalid_value`, the sentence and
    details name all."""
    if rows.empty:
        return DataFrame(columns=ENDED)
    details = [_details(rows.loc[row], row, missing, invalid) for row in rows.index]
    return rows[WHO].assign(
        outcome="not_added",
        reason=[d[0]["reason"] for d in details],
        message=[" ".join(map(_sentence, d)) for d in details],
        details=Series(details, index=rows.index, dtype=object),
    )


def _details(
    row: Series, index: int, missing: list[_Problem], invalid: list[_Problem]
) -> list[dict[str, str]]:
    found = [
        {
            "reason": "missing_required",
            "field": p.column.name,
            "label": p.column.label,
            "rule": p.rule,
        }
        for p in missing
        if p.rows[index]
    ]
    for p in invalid:
        if p.rows[index]:
            found.append(
                {
                    "reason": "invalid_value",
                    "field": p.column.name,
                    "label": p.column.label,
                    "rule": p.rule,
                    "value": _short(str(row[p.column.name])),
                }
            )
    return found


def _short(value: str) -> str:
    return value if len(value) <= _SHORT else value[: _SHORT - 1] + "…"


def _sentence(problem: dict[str, str]) -> str:
    value = f" '{problem['value']}'" if "value" in problem else ""
    return f"{problem['label']}{value} {problem['rule']}."
