"""Rows on their way: read from the mirror in batches of bounded size, laid down for the load,
sealed when whole."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import msgspec
from pandas import DataFrame, Series
from psycopg import Connection, sql

from quickbooks_crm import copying
from quickbooks_crm.by_place import by_place
from quickbooks_crm.catalog import Table
from quickbooks_crm.images import LINES
from quickbooks_crm.mapping import Lines, Mapping, Reference
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import WHO, columns, picks

BATCH = 5_000
_ENCODER = msgspec.json.Encoder()
_NULL = b"\\N"
_NO_REASON = (_NULL,) * 4


@dataclass(frozen=True)
class Window:
    """What a module still has to load: everything after `position`, up to the sealed generation,
    and what was held back or waits and can be tried again."""

    wanted: ClassVar[str] = "changed"
    position: int
    sealed: int


@dataclass(frozen=True)
class Whole(Window):
    """All that the mirror has of a module."""

    wanted: ClassVar[str] = "whole"


@dataclass(frozen=True)
class Held(Window):
    """What a module holds back: for these reasons, or if there are none, whatever they are."""

    wanted: ClassVar[str] = "held"
    reasons: list[str]


@dataclass(frozen=True)
class Slice(Window):
    """Some of the records that a replay has put in order: those after one place, up to another."""

    wanted: ClassVar[str] = "slice"
    after: int
    until: int


def batches(
    connection: Connection[Any], run: Run, mapping: Mapping, window: Window
) -> Iterator[DataFrame]:
    """The module's records in a window, as `transform` takes them; Postgres picks the paths."""
    blocks = statements("stage")
    wanted = {written(pick): picked(pick) for pick in picks(mapping)}
    if mapping.lines:
        wanted[LINES] = _lines(mapping.lines)
    values = [blocks["picked"].format(value=value) for value in wanted.values()]
    names = [*WHO, *wanted]
    with connection.cursor("staging") as cursor:
        cursor.execute(
            blocks["batch"].format(wanted=blocks[window.wanted], paths=sql.SQL("\n").join(values)),
            _where(run, mapping)
            | asdict(window)
            | {
                "entities": list(mapping.entities),
                "looked_up": sorted(mapping.looked_up_in),
                "hash": mapping.hash,
            },
        )
        while rows := cursor.fetchmany(BATCH):
            yield DataFrame(rows, columns=names, dtype="str")


def _lines(lines: Lines) -> sql.Composed:
    values = sql.SQL(", ").join(picked(pick) for pick in picks(lines.rows))
    return statements("stage")["lines"].format(values=values, list=sql.Literal(lines.source[0]))


def clear(connection: Connection[Any], run: Run, mapping: Mapping) -> None:
    """Forget what earlier tries or runs of this module have staged. Only the run that may write
    for the company may do so."""
    for block in ("clear_all_runs", "unseal_all_runs"):
        connection.execute(statements("stage")[block], _where(run, mapping))


def clear_own(connection: Connection[Any], run: Run, mapping: Mapping) -> None:
    """Forget what this very run has staged of the module."""
    for block in ("clear", "unseal"):
        connection.execute(statements("stage")[block], _where(run, mapping))


def write(
    connection: Connection[Any],
    run: Run,
    mapping: Mapping,
    table: Table,
    fit: DataFrame,
    ended: list[DataFrame],
) -> None:
    """Lay down rows fit to load, and those that ended, with why."""
    where = b"\t".join(_texts((run.realm, run.run_id, mapping.module)))
    with connection.cursor().copy(statements("stage")["copy"]) as copy:
        for rows in (_fit(fit, mapping, table), *map(_ended, ended)):
            copy.write(b"".join(copying.line(where, *row) for row in rows))


def seal(
    connection: Connection[Any], run: Run, mapping: Mapping, table: Table, window: Window
) -> int:
    """Declare the staged rows whole, as they were checked for this table; how many there are."""
    values = _where(run, mapping) | asdict(window) | {"form": table.form}
    with by_place(connection):
        row = connection.execute(statements("stage")["seal"], values).fetchone()
    return int(row[0]) if row else 0


def sealed(connection: Connection[Any], run: Run, mapping: Mapping, table: Table) -> int | None:
    """The generation up to which the module is staged; nothing when its rows are not, or no longer,
    whole, or were checked for a table that is of another form now."""
    values = _where(run, mapping) | {"form": table.form}
    with by_place(connection):
        row = connection.execute(statements("stage")["sealed_stage"], values).fetchone()
    return row[0] if row else None


def _ended(rows: DataFrame) -> Iterator[tuple[bytes, ...]]:
    """The lines of COPY, but for whose rows they are, of rows that ended before the load."""
    for *said, details in rows.itertuples(index=False, name=None):
        who, why = _texts(said[: len(WHO)]), _texts(said[len(WHO) :])
        yield *who, b"{}", b"{}", *why, _json(details) if details is not None else _NULL


def _texts(texts: Iterable[str]) -> list[bytes]:
    return list(map(_text, texts))


def _text(text: str) -> bytes:
    return copying.escaped(text.encode())


_word = lru_cache(_text)
"""The same of one of few words."""


def _fit(fit: DataFrame, mapping: Mapping, table: Table) -> Iterator[tuple[bytes, ...]]:
    """The lines of COPY of rows fit to load: who each row is, its values by column, and what it
    refers to. A deleted record only gets its flags.

    A document's lines are a list among its values; what the column of a line refers to is told
    under the key `@lines.2.product_id`, say, the lines being counted from 1.
    """
    own, of_lines = _Shape.of(mapping, table), None
    if mapping.lines and table.lines:
        of_lines = _Shape.of(mapping.lines.rows, table.lines)
    for (entity, id, state), row, lines in _rows(fit):
        if state == "deleted":
            row = {name: row[name] for name in mapping.when_deleted}
        values, references = own.values(row), own.references(row)
        if of_lines and state != "deleted":
            named = [dict(zip(of_lines.names, line, strict=True)) for line in lines or ()]
            values[LINES] = [of_lines.values(line) for line in named]
            for place, line in enumerate(named, 1):
                references |= of_lines.references(line, f"{LINES}.{place}.")
        who = (_word(entity), _text(id), _word(state))
        yield *who, _json(values), _json(references), *_NO_REASON


def _rows(fit: DataFrame) -> Iterable[tuple[tuple[str, ...], dict[str, str | None], Any]]:
    """Who each row is, its values by column, and its lines."""
    plain = {name: _plain(fit[name]) for name in fit.columns}
    who = zip(*(plain.pop(name) for name in WHO), strict=True)
    lines = plain.pop(LINES, [None] * len(fit))
    rows = [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]
    return zip(who, rows, lines, strict=True)


def _plain(values: Series) -> list[Any]:
    return values.to_numpy(object, na_value=None).tolist()  # type: ignore[call-overload]  # its types know no None


@dataclass(frozen=True)
class _Shape:
    """How rows of a table are laid down: their columns, which of these refer to other records, in
    which a blank is left to the column's own default, and which hold several values, each with what
    parts these in a text; empty where a text is not parted."""

    names: tuple[str, ...]
    refers: dict[str, Reference]
    keep: set[str]
    several: dict[str, str]

    @classmethod
    def of(cls, mapping: Mapping, table: Table) -> "_Shape":
        names = tuple(columns(mapping))
        refers = {name: field.refers for name, field in mapping.fields.items() if field.refers}
        keep = {name for name in names if table.columns[name].fills}
        return cls(names, refers, keep, dict(_several(mapping, table)))

    def values(self, row: dict[str, str | None]) -> dict[str, Any]:
        """What the row itself says; a reference is only among it when it is blank."""
        for name, separator in self.several.items():
            row = row | {name: _parted(row.get(name), separator)} if name in row else row
        left_out = [name for name in self.refers if row.get(name)]
        left_out += [name for name in self.keep if name in row and row[name] is None]
        return {n: v for n, v in row.items() if n not in left_out} if left_out else row

    def references(self, row: dict[str, str | None], prefix: str = "") -> dict[str, dict[str, str]]:
        """The QuickBooks records that the row refers to, by column."""
        return {
            prefix + name: {"module": target.module, "entity": target.entity, "id": id}
            for name, target in self.refers.items()
            if (id := row.get(name))
        }


def _several(mapping: Mapping, table: Table) -> Iterator[tuple[str, str]]:
    for name, field in mapping.fields.items():
        column = table.columns[name]
        if column.array and not field.refers:
            yield name, mapping.separator if field.keywords or column.keywords else ""


def _parted(text: str | None, separator: str) -> Any:
    """The items of a list of QuickBooks, in one text for keywords; what is no list of single values
    stays as it is."""
    if text is None or not text.startswith("["):
        return text
    try:
        items = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return text
    if any(isinstance(item, dict | list) for item in items):
        return text
    return separator.join(map(str, filter(None, items))) if separator else items


def _json(value: Any) -> bytes:
    """As a column of COPY's text format: JSON has no other signs that mean something there."""
    return _ENCODER.encode(value).replace(b"\\", b"\\\\") if value else b"{}"


def _where(run: Run, mapping: Mapping) -> dict[str, Any]:
    return {"realm": run.realm, "run_id": run.run_id, "module": mapping.module}
