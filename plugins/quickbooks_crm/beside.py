"""What stands beside a CRM record: the lines of a document, the records that it points to and that
point to it, what it waits for, and where a person's value stands against QuickBooks'."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from quickbooks_crm import exact, reasons, records, searching
from quickbooks_crm.catalog import Table
from quickbooks_crm.records import Origin, Record, Shelf
from quickbooks_crm.sql import statements

LINES = 200
REFERRING = 10

Shelves = Mapping[str, Shelf]
"""The modules of a company whose tables are there, by their names."""


@dataclass(frozen=True)
class Waiting:
    """An open reference: the column it is `at`, and the QuickBooks record that is not in the CRM
    yet."""

    at: str
    target_module: str
    target_entity: str
    target_id: str
    in_mirror: bool
    reason: str | None
    name: str | None = field(repr=False)

    @property
    def why(self) -> str:
        """Why it is not there."""
        if self.reason:
            return f"it is held back: {reasons.sentence(self.reason)}"
        return "no sync has loaded it yet" if self.in_mirror else "QuickBooks has not sent it yet"


@dataclass(frozen=True)
class Conflict:
    """A column in which a person's value stays though QuickBooks has changed it too."""

    at: str
    run_id: str
    since: datetime
    crm: Any = field(repr=False)
    quickbooks: Any = field(repr=False)


@dataclass(frozen=True)
class Pointed:
    """A record that a field points to, and what people call it."""

    module: str
    key: str
    called: str = field(repr=False)


@dataclass(frozen=True)
class Referring:
    """Records of a module that point to a record by one of their fields, or one of their lines'."""

    module: str
    label: str
    pointed: tuple[Pointed, ...]
    more: bool


@dataclass(frozen=True)
class Source:
    """What the mirror has of the QuickBooks record."""

    state: str
    updated_at: datetime | None
    name: str | None = field(repr=False)


def source(connection: Connection[Any], shelf: Shelf, entity: str, id: str) -> Source | None:
    """What the mirror has of a QuickBooks record; None when it has none."""
    where = shelf.where | {"entity": entity, "id": id}
    with connection.cursor(row_factory=class_row(Source)) as cursor:
        return cursor.execute(statements("records")["source"], where).fetchone()


def waiting(connection: Connection[Any], shelf: Shelf, origin: Origin) -> list[Waiting]:
    """The open references of a record."""
    where = shelf.where | {"entity": origin.entity, "id": origin.id}
    with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(statements("records")["waiting"], where).fetchall()


def conflicts(connection: Connection[Any], shelf: Shelf, origin: Origin) -> list[Conflict]:
    """The conflicts of a record."""
    where = shelf.where | {"entity": origin.entity, "id": origin.id}
    rows = exact.cursor(connection).execute(statements("records")["conflicts"], where)
    return [Conflict(**row) for row in rows]


def lines(connection: Connection[Any], shelf: Shelf, key: str) -> list[dict[str, Any]]:
    """The lines of a document, the first and one more than `LINES` at most."""
    own, table = shelf.target.mapping.lines, shelf.target.table.lines
    if own is None or table is None:
        return []
    query = statements("records")["lines"].format(
        table=table.identifier,
        key_type=shelf.target.table.key_type,
        columns=sql.SQL(", ").join(sql.Identifier("current", name) for name in columns(shelf)),
        parent=sql.Identifier(own.parent),
        position=sql.Identifier(own.position),
    )
    rows = exact.cursor(connection).execute(query, {"key": key, "limit": LINES + 1})
    return [row["values"] for row in rows]


def columns(shelf: Shelf) -> list[str]:
    """The columns of lines that are shown: their position, and what the mapping fills."""
    own, table = shelf.target.mapping.lines, shelf.target.table.lines
    if own is None or table is None:
        return []
    wanted = dict.fromkeys([own.position, *own.rows.fields])
    return [name for name in wanted if "SELECT" not in table.columns[name].lacking]


def pointed(
    connection: Connection[Any], shelves: Shelves, fields: Mapping[str, str], values: list[Any]
) -> dict[tuple[str, str], Pointed]:
    """What records of modules are called to which fields point: by field and key. `fields` says
    which module a field points to, `values` are records or lines that have them."""
    found = {}
    for name, module in fields.items():
        keys = list(dict.fromkeys(str(v[name]) for v in values if v.get(name) is not None))
        if keys and module in shelves:
            other = shelves[module]
            for record in records.these(connection, other, keys, other.labels):
                found[name, record.key] = _pointed(other, record)
    return found


def pointing_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a mapping that point to records of modules, with the module."""
    return {name: field.refers.module for name, field in fields.items() if field.refers}


def referring(
    connection: Connection[Any], shelves: Shelves, shelf: Shelf, key: str
) -> Iterator[Referring]:
    """The records that point to a record, where an index tells them."""
    module = shelf.target.mapping.module
    for other in shelves.values():
        for name, of_lines in _fields_to(other, module):
            table = other.target.table.lines if of_lines else other.target.table
            if table and searching.indexed(connection, table, name):
                keys = _referring(connection, other, table, name, key)
                found = records.these(connection, other, keys[:REFERRING], other.labels)
                shown = tuple(_pointed(other, record) for record in found)
                if shown:
                    label = table.columns[name].label
                    yield Referring(
                        other.target.mapping.module, label, shown, len(keys) > REFERRING
                    )


def _fields_to(other: Shelf, module: str) -> Iterator[tuple[str, bool]]:
    """The fields that point to a module, and whether they are lines'."""
    mapping = other.target.mapping
    yield from ((n, False) for n, to in pointing_fields(mapping.fields).items() if to == module)
    if mapping.lines:
        fields = pointing_fields(mapping.lines.rows.fields)
        yield from ((name, True) for name, to in fields.items() if to == module)


def _referring(
    connection: Connection[Any], other: Shelf, table: Table, name: str, key: str
) -> list[str]:
    own = other.target.mapping.lines
    of_lines = own is not None and table is other.target.table.lines
    query = statements("records")["referring_by_lines" if of_lines else "referring"].format(
        table=table.identifier,
        key=sql.Identifier(table.key),
        column=sql.Identifier(name),
        parent=sql.Identifier(own.parent if own else table.key),
        key_type=table.columns[name].uncut_type,
    )
    asked = {"key": key, "limit": REFERRING + 1}
    return [found for (found,) in connection.execute(query, asked).fetchall()]


def _pointed(shelf: Shelf, record: Record) -> Pointed:
    return Pointed(shelf.target.mapping.module, record.key, record.called(shelf.labels))
