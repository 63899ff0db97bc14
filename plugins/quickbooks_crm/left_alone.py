"""Columns that a mapping leaves alone: what a new record, or line, holds there by itself is noted
when it is added, so that an undo can tell what people have filled in since.

What a default tells that is always the same is noted only where triggers may fill it, too.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target, image
from quickbooks_crm.lines import LineTarget
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

Names = dict[str, sql.Composable]


@dataclass(frozen=True)
class Alone:
    """What is left alone of a table: all `columns` that people can fill, and those of them that the
    mapping `fills`."""

    table: Table
    columns: list[Column]
    fills: list[Column]

    @property
    def told_by_default(self) -> list[Column]:
        """Those that hold what their default says, which is always the same, until somebody writes
        to them."""
        return [column for column in self.columns if column.steady and column.writable]


def of_records(target: Target) -> Alone:
    """What a mapping leaves alone of its table."""
    table = target.table
    own = {table.key, target.mapping.company, *target.columns}
    return _alone(table, own, [name for name in target.columns if name != table.key])


def of_lines(own: LineTarget) -> Alone:
    """The same of the table of its documents' lines."""
    said, rows, table = own.lines, own.lines.rows, own.table
    filled = {table.key, said.parent, said.position, rows.company, *rows.fields}
    return _alone(table, filled, list(rows.fields))


def _alone(table: Table, own: set[str | None], filled: list[str]) -> Alone:
    others = [column for column in table.columns.values() if column.name not in own]
    columns = [column for column in others if column.writable or column.sequence]
    fills = [table.columns[name] for name in filled if name in table.columns]
    return Alone(table, columns, [column for column in fills if column.writable])


def noted_by_load(connection: Connection[Any], target: Target) -> sql.Composable:
    """What is to be noted of a row of `incoming`. Columns that hold the time of the load are not
    read again."""
    filled = _filled_by_triggers(connection, target)
    columns = _untold(of_records(target), filled)
    if not filled and all(column.of_the_moment for column in columns):
        return _noted(target, "incoming", "before", filled, _defaults(columns))
    return _noted(target, "incoming", "before", filled, _held(target, "incoming", columns))


def noted_by_undo(connection: Connection[Any], target: Target) -> sql.Composable:
    """The same of a row of `undoing`: what came back is not as a new one."""
    filled = _filled_by_triggers(connection, target)
    columns = _untold(of_records(target), filled)
    return _noted(target, "undoing", "left_as", filled, _held(target, "undoing", columns))


def _noted(
    target: Target, row: str, before: str, filled: bool, record: sql.Composable
) -> sql.Composable:
    """What is noted of a `row` that says how a record ended: `before` is the column that says what
    it held until then, `record` what is noted of one that was added."""
    blocks, own = statements("left_alone"), LineTarget.of(target)
    names: Names = {"row": sql.Identifier(row), "before": sql.Identifier(before)}
    lines: sql.Composable = sql.SQL("")
    if own and (columns := _untold(of_lines(own), filled)):
        held = image("line", [column.name for column in columns])
        lines = blocks["lines"].format(**(own.names | names | {"image": held}))
    return blocks["noted"].format(**names, record=record, lines=lines)


def _held(target: Target, row: str, columns: list[Column]) -> sql.Composable:
    blocks = statements("left_alone")
    if not columns:
        return blocks["nothing"]
    held = image("current", [column.name for column in columns])
    return blocks["record"].format(**(target.names | {"row": sql.Identifier(row), "image": held}))


def _filled_by_triggers(connection: Connection[Any], target: Target) -> bool:
    """Whether triggers may fill columns of new records, or of their lines."""
    block = statements("left_alone")["filled_by_triggers"]
    tables = (target.table, target.table.lines)
    named = [{"schema": table.schema, "name": table.table} for table in tables if table]
    return any(connection.execute(block, one).fetchone() == (True,) for one in named)


def _untold(alone: Alone, filled_by_triggers: bool) -> list[Column]:
    """The columns of which no default tells what a new row holds, as far as the login sees them."""
    told = [] if filled_by_triggers else alone.told_by_default
    return [c for c in alone.columns if c not in told and "SELECT" not in c.lacking]


def keep_filled(connection: Connection[Any], target: Target, names: Names) -> None:
    """Set aside, of an undo, added records that would go though people have filled what the mapping
    leaves alone, and documents of which such lines would go. `names` are those of the undo."""
    blocks, own = statements("left_alone"), LineTarget.of(target)
    rows, this = blocks["added_records"], blocks["this_record"]
    _keep(connection, of_records(target), names | {"rows": rows, "this": this.format(**names)})
    connection.execute(blocks["filled_since"])
    connection.execute(blocks["done"])
    if own:
        goes = statements("undo_kept")["goes"].format(**names)
        key = {"line_key_name": sql.Literal(own.table.key)}
        rows_of = blocks["going_lines"].format(**names, goes=goes)
        this_line = blocks["this_line"].format(**names, **key)
        _keep(connection, of_lines(own), names | {"rows": rows_of, "this": this_line})
        connection.execute(blocks["lines_filled_since"])
        connection.execute(blocks["done"])


def _keep(connection: Connection[Any], alone: Alone, names: Names) -> None:
    """Find out in which rows people have filled something: what differs from when they were added,
    but for what the table keeps by itself."""
    blocks = statements("left_alone")
    table = {"table": alone.table.identifier.as_string(None)}
    told = connection.execute(blocks["told_by_default"], table).fetchone()
    filling = {
        "rows": names["rows"],
        "told_by_default": sql.Literal(told == (True,)),
        "defaults": _defaults(alone.told_by_default),
        "columns": sql.Literal([column.name for column in alone.columns]),
    }
    if connection.execute(blocks["filling"].format(**filling)).rowcount:
        own = _kept_by_the_table(connection, alone, names["this"])
        connection.execute(blocks["kept_by_the_table"], {"own": Jsonb(own)})


def _defaults(columns: list[Column]) -> sql.Composable:
    blocks = statements("left_alone")
    if not columns:
        return blocks["nothing"]
    listed = [
        blocks["default"].format(name=sql.Identifier(column.name), value=column.from_default)
        for column in columns
    ]
    return blocks["defaults"].format(defaults=sql.SQL(", ").join(listed))


def _kept_by_the_table(
    connection: Connection[Any], alone: Alone, this: sql.Composable
) -> dict[int, list[str]]:
    """The columns, by rows, in which the table does not let be what is written, such as the time of
    the last change: found out by writing what they held, then what they hold. Nothing of that
    stays. A table that refuses it has said nothing."""
    blocks = statements("left_alone")
    put = [c.name for c in alone.columns if c.writable and "UPDATE" not in c.lacking]
    written = [*put, *(column.name for column in alone.fills)]
    names = {
        "table": alone.table.identifier,
        "record": alone.table.record(()),
        "this": this,
        "put": sql.Literal(put),
        "columns": sql.SQL(", ").join(map(sql.Identifier, written)),
        "values": sql.SQL(", ").join(
            blocks["value"].format(column=sql.Identifier(name)) for name in written
        ),
    }
    own: dict[int, list[str]] = {}
    try:
        with connection.transaction() as trial:
            for as_it in map(sql.Identifier, ("was", "now")):
                connection.execute(blocks["put"].format(**names, as_it=as_it))
                found = connection.execute(blocks["not_taken"].format(**names, as_it=as_it))
                for place, columns in found.fetchall():
                    own.setdefault(place, []).extend(columns)
            raise psycopg.Rollback(trial)
    except psycopg.Error as refusal:
        let_faults_through(refusal)
    return own
