"""Finds CRM records, and QuickBooks records, by what a person remembers of them: by the indexes
that the tables have, and otherwise among the first so many records."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm import records
from quickbooks_crm.catalog import Table
from quickbooks_crm.records import LOOKED, PAGE, Record, Shelf
from quickbooks_crm.sql import statements

NEAR = 2_000
"""How many entries of an index are followed from where a text would stand."""


@dataclass(frozen=True)
class Hits:
    """The records that were found. `more` says that others are left out; `limited` are the columns
    that have no index, so that only the first records of the table were looked through, and of a
    long table nothing is found by what stands in the middle: `long`."""

    records: tuple[Record, ...]
    more: bool
    limited: tuple[str, ...]
    long: bool


def search(connection: Connection[Any], shelf: Shelf, text: str) -> Hits:
    """The company's records that a text means: by their key, their QuickBooks id, or the beginning
    of a name, key or check field; of the first records also by what is in the middle of these."""
    where = shelf.where | {"text": text, "looked": NEAR, "limit": PAGE + 1, "after": ""}
    found = [*_exactly(connection, shelf, where)]
    ways = _ways(connection, shelf)
    for name, way in ways.items():
        if way:
            found += _beginning(connection, shelf, name, way, where)
    end, within = _within(connection, shelf, where | {"looked": LOOKED})
    keys = list(dict.fromkeys([*found, *within]))
    shown = records.these(connection, shelf, keys[: PAGE + 1], shelf.listed)
    limited = tuple(name for name, way in ways.items() if not way) if end else ()
    return Hits(tuple(shown[:PAGE]), len(shown) > PAGE, limited, bool(end))


def indexed(connection: Connection[Any], table: Table, name: str) -> bool:
    """Whether the records with a value in a column are found by an index."""
    return any(as_it_is for _, _, as_it_is in _indexes(connection, table, [name]))


def _exactly(connection: Connection[Any], shelf: Shelf, where: dict[str, Any]) -> Iterator[str]:
    """By the record's own key, which a text may not even be, and by its QuickBooks id."""
    blocks = statements("records")
    query = blocks["with_key"].format(**shelf.names)
    try:
        with connection.transaction():
            yield from (key for (key,) in connection.execute(query, where).fetchall())
    except psycopg.DataError:
        pass
    yield from (key for (key,) in connection.execute(blocks["with_id"], where).fetchall())


def _ways(connection: Connection[Any], shelf: Shelf) -> dict[str, str | None]:
    """How each column can be searched by an index: by its normal form, as it is, or not."""
    table = shelf.target.table
    texts = {name for name, column in table.columns.items() if column.kind == "text"}
    return {
        name: "normal" if by_form else "as_it_is" if as_it_is and name in texts else None
        for name, by_form, as_it_is in _indexes(connection, table, shelf.sought_in)
    }


def _indexes(
    connection: Connection[Any], table: Table, names: list[str]
) -> list[tuple[str, bool, bool]]:
    asked = {"schema": table.schema, "table_name": table.table, "names": names}
    return connection.execute(statements("records")["how_found"], asked).fetchall()


def _beginning(
    connection: Connection[Any], shelf: Shelf, name: str, way: str, where: dict[str, Any]
) -> list[str]:
    blocks = statements("records")
    sought = blocks["sought" if way == "normal" else "sought_as_it_is"]
    form = blocks[way].format(column=sql.Identifier(name))
    query = blocks["begins"].format(**shelf.names, form=form, sought=sought)
    return [key for (key,) in connection.execute(query, where).fetchall()]


def _within(
    connection: Connection[Any], shelf: Shelf, where: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Where the first part of the table ends, if there is more of it, and its records that hold
    the text."""
    blocks, columns = statements("records"), shelf.sought_in
    if not columns:
        return [], []
    holds = (_holds(name) for name in columns)
    names = shelf.names | {"part": records.in_order(shelf, "", columns)}
    wanted = sql.SQL("({})").format(sql.SQL(" OR ").join(holds))
    query = blocks["keys"].format(**names, wanted=wanted)
    keys = [key for (key,) in connection.execute(query, where).fetchall()]
    end = connection.execute(blocks["end_of_part"].format(**names), where).fetchall()
    return [key for (key,) in end], keys


def _holds(name: str) -> sql.Composed:
    blocks = statements("records")
    form = blocks["normal"].format(column=sql.Identifier(name))
    return blocks["holds"].format(form=form)
