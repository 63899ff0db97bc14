"""Columns that hold keys of other tables: of records that are referred to, of owners, of the
documents of lines. Whether they take these keys, told before any row moves."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, owners
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Field, Mapping

_TAKEN_BY = {
    "integer": {"integer", "numeric"},
    "numeric": {"integer", "numeric"},
    "uuid": {"uuid"},
}
"""Which kinds of columns take keys of a kind, besides those that take any text."""

_LONGEST = {"int2": 6, "int4": 11, "int8": 20, "uuid": 36}
"""How many characters the keys of a type may have."""


@dataclass(frozen=True)
class _Held:
    """A column, where its mapping says what it holds, and the key of the table that this is."""

    place: str
    column: Column
    table: Table
    key: Column


def misfits(
    connection: Connection[Any], mapping: Mapping, known: dict[str, Mapping]
) -> Iterator[str]:
    """The columns that take no key of the table whose keys they are to hold, each with its line."""
    for held in _held_keys(connection, mapping, known):
        taken_by = _TAKEN_BY.get(held.key.kind, set())
        if taken_by and held.column.kind not in ("text", "other", *taken_by):
            yield (
                f"{held.place} is to hold keys of {held.table.name}, which are {held.key.type}, "
                f"and takes {held.column.type}. Make the column {held.key.type}."
            )


def warnings(
    connection: Connection[Any], mapping: Mapping, known: dict[str, Mapping]
) -> Iterator[str]:
    """The columns that are shorter than the longest key of that table, each with its line."""
    for held in _held_keys(connection, mapping, known):
        longest = held.key.length or _LONGEST.get(held.key.base, 0)
        if held.column.length and held.column.length < longest:
            yield (
                f"{held.place} holds keys of {held.table.name}, which may have {longest} "
                f"characters, and takes {held.column.length}: a longer one is refused. Make the "
                "column longer."
            )


def _held_keys(
    connection: Connection[Any], mapping: Mapping, known: dict[str, Mapping]
) -> Iterator[_Held]:
    """The columns of the mapping that hold keys, as far as all the tables are there."""
    try:
        table = catalog.of(connection, mapping)
    except SettingsError:
        return
    for part, own in zip(mapping.parts, (table, table.lines), strict=False):
        for field in part.fields.values():
            if own and field.column in own.columns:
                with suppress(SettingsError):
                    yield from _held_by(connection, part, own, field, known)
    if (lines := mapping.lines) and table.lines and lines.parent in table.lines.columns:
        place = _place(lines.rows, table.lines, "parent", lines.parent)
        yield _Held(place, table.lines.columns[lines.parent], table, table.columns[table.key])


def _held_by(
    connection: Connection[Any], part: Mapping, own: Table, field: Field, known: dict[str, Mapping]
) -> Iterator[_Held]:
    column = own.columns[field.column]
    if field.refers and field.refers.module in known:
        other = catalog.of(connection, known[field.refers.module])
        place = _place(part, own, f"fields.{column.name}.refers", column.name)
        yield _Held(place, column, other, other.columns[other.key])
    elif field.owner and not field.owner.same_as:
        users = owners.users_of(connection, own, column.name, field.owner)
        people = catalog.read(connection, f"{users.schema}.{users.table}")
        place = _place(part, own, f"fields.{column.name}.owner", column.name)
        yield _Held(place, column, people, people.columns[users.key])


def _place(part: Mapping, own: Table, word: str, column: str) -> str:
    return f"{part.file} line {part.line(word)}: {part.at}{word}: {own.name}.{column}"
