"""Rows on their way: read from the mirror in batches of bounded size, laid down for the load,
sealed when whole."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain, islice, repeat
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, Struct, defstruct
from pandas import DataFrame
from psycopg import Connection, ServerCursor, sql

from quickbooks_crm import copying
from quickbooks_crm.by_place import by_place
from quickbooks_crm.catalog import Table
from quickbooks_crm.images import LINES, as_kept
from quickbooks_crm.items import listed
from quickbooks_crm.json_types import as_taken, misplaced, places
from quickbooks_crm.mapping import AsItIs, Lines, Mapping, Reference
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import MISPLACED, WHO, columns, picks

BATCH = 5_000
_PAGE = 100
"""How many documents are fetched at once: one may have thousands of lines."""
_MOST_LINES = 3_000_000
"""Characters that the lines of a batch take, about: three times what those of so many usual
documents do."""
_ENCODER = msgspec.json.Encoder()
_NULL = b"\\N"
_NO_REASON = (_NULL,) * 4
Columns = dict[str, list[Any]]
"""The values of rows, column by column."""


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
    connection: Connection[Any], run: Run, mapping: Mapping, table: Table, window: Window
) -> Iterator[DataFrame]:
    """The module's records in a window, as `transform` takes them; Postgres picks the paths, and
    sees whether they lead through what the table's columns need."""
    blocks = statements("stage")
    wanted = {written(pick): picked(pick) for pick in picks(mapping)}
    if mapping.lines:
        wanted[LINES] = _lines(mapping.lines)
    wanted[MISPLACED] = misplaced(places(mapping, table))
    values = [blocks["picked"].format(value=value) for value in wanted.values()]
    taken = blocks[window.wanted].format(still_undone=blocks["still_undone"])
    names = [*WHO, *wanted]
    with connection.cursor("staging") as cursor:
        cursor.execute(
            blocks["batch"].format(wanted=taken, paths=sql.SQL("\n").join(values)),
            _where(run, mapping)
            | asdict(window)
            | {
                "entities": list(mapping.entities),
                "looked_up": sorted(mapping.looked_up_in),
                "hash": mapping.hash,
            },
        )
        for rows in _parts(cursor, names.index(LINES) if mapping.lines else None):
            batch = DataFrame(rows, columns=names, dtype="str")
            yield batch if batch[MISPLACED].notna().any() else batch.drop(columns=MISPLACED)


def _parts(cursor: ServerCursor[Any], lines: int | None) -> Iterator[list[Any]]:
    """The rows of each batch; of documents, whose `lines` stand at that place, fewer where they are
    long."""
    rows: list[Any] = []
    size = 0
    while page := cursor.fetchmany(BATCH if lines is None else _PAGE):
        for row in page:
            rows.append(row)
            size += len(row[lines] or "") if lines is not None else 0
            if len(rows) == BATCH or size >= _MOST_LINES:
                yield rows
                rows, size = [], 0
    if rows:
        yield rows


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
    excluded: DataFrame,
    refused: DataFrame,
    kept: DataFrame,
) -> None:
    """Lay down rows fit to load, and those that ended, with why; those refused also with the values
    that `transform` kept of them, by which the load sees what else they lack."""
    where = b"\t".join(_texts((run.realm, run.run_id, mapping.module)))
    values = _told_values(kept.loc[refused.index], mapping, table)
    ended = (_ended(excluded, repeat(b"{}")), _ended(refused, values))
    with connection.cursor().copy(statements("stage")["copy"]) as copy:
        for rows in (_fit(fit, mapping, table), *ended):
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


def _ended(rows: DataFrame, values: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The lines of COPY, but for whose rows they are, of rows that ended before the load, with
    these values."""
    ends = rows.itertuples(index=False, name=None)
    for (*said, details), fields in zip(ends, values, strict=False):
        who, why = _texts(said[: len(WHO)]), _texts(said[len(WHO) :])
        (told,) = _json([details]) if details is not None else (_NULL,)
        yield *who, fields, b"{}", *why, told


def _told_values(kept: DataFrame, mapping: Mapping, table: Table) -> Iterator[bytes]:
    """What rows say themselves, as COPY takes it. One that cannot be read as the mapping would says
    nothing."""
    readable = kept[MISPLACED].isna() if MISPLACED in kept else [True] * len(kept)
    rows = _fit(kept.drop(columns=MISPLACED, errors="ignore"), mapping, table)
    for (_, _, _, fields, *_), is_readable in zip(rows, readable, strict=True):
        yield fields if is_readable else b"{}"


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
    columns = {str(name): fit[name].to_numpy(object).tolist() for name in fit.columns}
    entities, ids, states = (columns.pop(name) for name in WHO)
    refs: list[dict[str, _Record]] = [{} for _ in ids]
    if mapping.lines and table.lines:
        shape = _Shape.of(mapping.lines.rows, table.lines)
        columns[LINES] = _lines_told(columns[LINES], shape, refs)
    if "deleted" in states:
        columns |= _without_deleted(columns, states, mapping)
    own = _Shape.of(mapping, table)
    for name, records in own.referred(columns).items():
        for row, record in zip(refs, records, strict=True):
            if record:
                row[name] = record
    who = (map(_word, entities), map(_text, ids), map(_word, states))
    for told in zip(*who, _json(own.rows(columns)), _json(refs), strict=True):
        yield *told, *_NO_REASON


def _lines_told(
    lines: list[list[Any] | None], shape: "_Shape", refs: list[dict[str, "_Record"]]
) -> list[Any]:
    """The lines of each document as they are laid down, or nothing of one that tells none; what
    they refer to goes to what the document refers to."""
    together = list(chain.from_iterable(own for own in lines if own is not None))
    columns = {name: [line[n] for line in together] for n, name in enumerate(shape.names)}
    for name, records in shape.referred(columns).items():
        each = iter(records)
        for row, own in zip(refs, lines, strict=True):
            for place, record in enumerate(islice(each, len(own or ())), 1):
                if record:
                    row[f"{LINES}.{place}.{name}"] = record
    rows = iter(shape.rows(columns))
    return [UNSET if own is None else list(islice(rows, len(own))) for own in lines]


def _without_deleted(columns: Columns, states: list[str], mapping: Mapping) -> Columns:
    """The columns that get nothing of a deleted record, without it."""
    return {
        name: [
            UNSET if state == "deleted" else value
            for state, value in zip(states, columns[name], strict=True)
        ]
        for name in columns.keys() - mapping.when_deleted.keys()
    }


class _Record(Struct, gc=False):
    """A QuickBooks record that a row refers to."""

    module: str
    entity: str
    id: str


@dataclass(frozen=True)
class _Shape:
    """How rows of a table are laid down: their columns, which of these refer to other records, in
    which a blank is left to the column's own default, and which hold several values, each with what
    parts these in a text; empty where a text is not parted; and which take objects and lists
    `whole`."""

    names: tuple[str, ...]
    refers: dict[str, Reference]
    keep: set[str]
    several: dict[str, str]
    whole: set[str]

    @classmethod
    def of(cls, mapping: Mapping, table: Table) -> "_Shape":
        names = tuple(columns(mapping))
        refers = {name: field.refers for name, field in mapping.fields.items() if field.refers}
        keep = {name for name in names if table.columns[name].fills}
        return cls(names, refers, keep, dict(_several(mapping, table)), set(_whole(mapping)))

    def rows(self, columns: Columns) -> list[Any]:
        """What rows say themselves; a reference is only among it when it is blank."""
        names = as_kept(columns)
        told = [self._told(name, columns[name]) for name in names]
        return list(map(_row(tuple(names)), *told))

    def _told(self, name: str, values: list[Any]) -> list[Any]:
        if name in self.keep:
            values = [value if isinstance(value, str) else UNSET for value in values]
        if name in self.several:
            values = [_parted(value, self.several[name]) for value in values]
        if name in self.whole:
            values = list(map(as_taken, values))
        if name in self.refers:
            values = [UNSET if _is_id(value) else value for value in values]
        return values

    def referred(self, columns: Columns) -> dict[str, list[_Record | None]]:
        """The QuickBooks records that rows refer to, by column."""
        return {
            name: [_Record(to.module, to.entity, v) if _is_id(v) else None for v in columns[name]]
            for name, to in self.refers.items()
        }


def _several(mapping: Mapping, table: Table) -> Iterator[tuple[str, str]]:
    for name, field in mapping.fields.items():
        column = table.columns[name]
        if column.array and not field.refers:
            yield name, mapping.separator if field.keywords or column.keywords else ""


def _whole(mapping: Mapping) -> Iterator[str]:
    for name, field in mapping.fields.items():
        sources = chain.from_iterable(own.sources for own in field.variants)
        if any(isinstance(source, AsItIs) for source in sources):
            yield name


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""


@lru_cache
def _row(names: tuple[str, ...]) -> Callable[..., Any]:
    """What makes a row's JSON object of its values; UNSET is left out. A Struct takes a third of
    the time of a dict, but msgspec wants no quotation marks or backslashes in its names."""
    fields = [f"_{number}" for number in range(len(names))]
    try:
        return defstruct("Row", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
    except ValueError:
        return lambda *row: {n: v for n, v in zip(names, row, strict=True) if v is not UNSET}


def _parted(text: Any, separator: str) -> Any:
    """The items of a list of QuickBooks, in one text for keywords; what is no list of single values
    stays as it is."""
    items = listed(text) if isinstance(text, str) else None
    if items is None:
        return text
    return separator.join(filter(None, items)) if separator else items


def _json(values: Iterable[Any]) -> list[bytes]:
    """Each as a column of COPY's text format: JSON has no other signs that mean something there.
    What is missing, NaN to pandas, becomes null."""
    return _ENCODER.encode_lines(values).replace(b"\\", b"\\\\").split(b"\n")[:-1]


def _where(run: Run, mapping: Mapping) -> dict[str, Any]:
    return {"realm": run.realm, "run_id": run.run_id, "module": mapping.module}
