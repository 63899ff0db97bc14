"""Blanks what QuickBooks filled of people in CRM records and in the lines of documents: what may be
kept of them stays."""

from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from pandas import DataFrame
from psycopg import Connection, sql

from quickbooks_crm import json_types, removing
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.mapping.paths import picks_of, written
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import WHO, picks, transform

Shaped = dict[tuple[str, str], dict[Any, Any]]
"""What a mapping makes of records, by entity and id."""


@dataclass(frozen=True)
class Blanked:
    """What was blanked: in how many records of which tables, which of their columns, and what else
    there is to know; `naming` are the columns of each module by which other records name people."""

    records: dict[str, int]
    columns: dict[str, list[str]]
    notes: list[str]
    naming: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """The CRM record of something that is erased."""

    entity: str
    id: str
    is_person: bool
    is_whole: bool
    record_key: str
    shared: bool

    @property
    def who(self) -> tuple[str, str]:
        """Its entity and id."""
        return self.entity, self.id


def records(connection: Connection[Any], run: Run, target: Target) -> list[Record]:
    """The CRM records of a module that what is erased has become."""
    where = {"realm": run.realm, "module": target.mapping.module, "table": target.table.name}
    rows = connection.execute(statements("erasing")["linked_records"], where).fetchall()
    return [Record(*row) for row in rows]


def shaped(connection: Connection[Any], realm: str, target: Target, side: str) -> Shaped:
    """What the mapping makes of the records, as they were or are now; blanks are None."""
    mapping = replace(target.mapping, exclude=(), when_inactive={}, when_deleted={}, lines=None)
    mapping = json_types.whole(mapping, target.table)
    block, record = statements("stage")["picked"], sql.Identifier(side)
    values = [block.format(value=picked(pick, record)) for pick in picks(mapping)]
    query = statements("erasing")["picked_twice"].format(paths=sql.SQL("\n").join(values))
    where = {"realm": realm, "entities": list(mapping.entities)}
    rows = connection.execute(query, where).fetchall()
    names = [*WHO, *map(written, picks(mapping))]
    kept, _ = transform(DataFrame(rows, columns=names, dtype="str"), mapping)
    plain = kept.astype(object).where(kept.notna(), None).to_dict("records")
    return {(row["@entity"], row["@id"]): row for row in plain}


def blank(
    connection: Connection[Any],
    run: Run,
    target: Target,
    records: list[Record],
    was: Shaped,
    told: Blanked,
) -> None:
    """Blank what the mapping made of people in these records of a module. `was` is what it made of
    them before the mirror was scrubbed; what is left of that stays."""
    now = shaped(connection, run.realm, target, "now")
    others = connection.execute(statements("erasing")["only_naming"]).fetchall()
    naming = {column for who in others if who in was for column in _differing(was, now, who)}
    told.naming[target.mapping.module] = sorted(naming)
    of_documents = {
        column
        for record in records
        if record.is_whole and not record.is_person
        for column in _differing(was, now, record.who)
    }
    for record in records:
        if not _stays(connection, target.table, record):
            where = _where(run, target, record)
            for name in ("forget_link", "forget_waiting"):
                connection.execute(statements("erasing")[name], where)
            continue
        columns = _differing(was, now, record.who)
        if record.is_person:
            columns |= _empty(target, now, record)
        elif record.is_whole:
            columns |= of_documents
        values = {name: now[record.who][name] for name in sorted(columns)}
        _blank_one(connection, run, target, record, values, told)


def told_in_lines(target: Target) -> list[str]:
    """The columns of a document's lines that hold what people wrote."""
    lines = target.mapping.lines
    fields = lines.rows.fields.items() if lines else ()
    return sorted(
        name
        for name, own in fields
        if any("Description" in written(p) for source in own.sources for p in picks_of(source))
    )


def _differing(was: Shaped, now: Shaped, who: tuple[str, str]) -> set[str]:
    return {name for name, value in was[who].items() if value != now[who][name]}


def _empty(target: Target, now: Shaped, record: Record) -> set[str]:
    """The columns for which QuickBooks has nothing any more: what is there, a person typed."""
    row = now[record.who]
    fields = target.mapping.fields.items()
    return {name for name, own in fields if own.sources and not own.refers and row[name] is None}


def _stays(connection: Connection[Any], table: Table, record: Record) -> bool:
    query = statements("erasing")["stays_here"].format(**removing.names(table))
    return connection.execute(query, {"record_key": record.record_key}).fetchone() == (True,)


def _blank_one(
    connection: Connection[Any],
    run: Run,
    target: Target,
    record: Record,
    values: dict[str, Any],
    told: Blanked,
) -> None:
    """Write what may be kept into one CRM record, column by column where the table takes not all
    at once."""
    table = target.table
    filled = {
        name: value if value is not None else _stand_in(table.columns[name], record)
        for name, value in values.items()
    }
    if filled and not _write(connection, run, target, record, filled):
        for name, value in filled.items():
            if not _write(connection, run, target, record, {name: value}):
                told.notes.append(
                    f"{table.name} {record.record_key}: the table refuses to empty {name}."
                )
    _blank_lines(connection, target, record, told)
    if filled:
        told.records[table.name] = told.records.get(table.name, 0) + 1
        known = set(told.columns.get(table.name, ())) | set(filled)
        told.columns[table.name] = sorted(known)


def _stand_in(column: Column, record: Record) -> str | None:
    """What stands where a text must not be empty."""
    if column.required and column.kind == "text":
        return f"Erased {record.entity} {record.id}"[: column.length]
    return None


def _write(
    connection: Connection[Any],
    run: Run,
    target: Target,
    record: Record,
    values: dict[str, Any],
) -> bool:
    blocks, names = statements("erasing"), [sql.Identifier(name) for name in values]
    statement = blocks["blank"].format(
        **removing.names(target.table),
        record=target.table.record(values),
        columns=sql.SQL(", ").join(names),
        new_columns=sql.SQL(", ").join(blocks["new_text"].format(column=name) for name in names),
    )
    where = _where(run, target, record) | {
        "values": json_types.as_jsonb(values),
        "columns": list(values),
        "unmapped": target.unmapped,
        "record_key": record.record_key,
        "is_whole": record.is_whole,
    }
    try:
        with connection.transaction():
            connection.execute(statement, where)
        return True
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException):
        return False


def _blank_lines(
    connection: Connection[Any], target: Target, record: Record, told: Blanked
) -> None:
    lines = target.mapping.lines
    if not lines or not record.is_whole:
        return
    for column in told_in_lines(target):
        statement = statements("erasing")["blank_lines"].format(
            table=sql.Identifier(*lines.rows.table.split(".", 1)),
            column=sql.Identifier(column),
            parent=sql.Identifier(lines.parent),
        )
        where = {"value": None, "record_key": record.record_key}
        try:
            with connection.transaction():
                connection.execute(statement, where)
        except psycopg.IntegrityError:
            with connection.transaction():
                connection.execute(statement, where | {"value": "Erased"})
        told.columns[lines.rows.table] = told_in_lines(target)


def _where(run: Run, target: Target, record: Record) -> dict[str, Any]:
    return {
        "realm": run.realm,
        "module": target.mapping.module,
        "entity": record.entity,
        "id": record.id,
    }
