"""What the database says of tables: read for all that are asked for at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import Connection, sql
from psycopg.rows import dict_row

from quickbooks_crm.mapping.problems import nearest
from quickbooks_crm.sql import statements

Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What the database says of one table: of its schema, nothing if there is none; of its columns,
    none if there is no such table, and then the table that was probably meant; and of each column
    what the CRM's forms say."""

    schema: Row
    columns: list[Row]
    forms: dict[str, Row]
    near: str | None = None


_KEPT: WeakKeyDictionary[Connection[Any], dict[str, Found]] = WeakKeyDictionary()


@contextmanager
def keeping(connection: Connection[Any]) -> Iterator[None]:
    """Read no table a second time until the block ends."""
    if connection in _KEPT:
        yield
        return
    _KEPT[connection] = {}
    try:
        yield
    finally:
        del _KEPT[connection]


def look(connection: Connection[Any], names: Iterable[str]) -> dict[str, Found]:
    """What the database says of these tables (`schema.table`), by their names."""
    kept = _KEPT.get(connection, {})
    if missing := sorted(set(names) - kept.keys()):
        kept |= _read(connection, missing)
    return kept


def _read(connection: Connection[Any], names: list[str]) -> dict[str, Found]:
    parts = [name.partition(".") for name in names]
    asked = {"tables": names, "schemas": [p[0] for p in parts], "names": [p[2] for p in parts]}
    with connection.cursor(row_factory=dict_row) as cursor:
        blocks = statements("catalog")
        schemas = {row["name"]: row for row in cursor.execute(blocks["schemas"], asked)}
        columns = defaultdict(list)
        for row in cursor.execute(blocks["columns"], asked):
            columns[row["table_name"]].append(row)
    forms = _forms(connection, schemas.values(), names)
    near = _near(connection, [name for name in names if name not in columns])
    return {
        name: Found(schemas.get(schema, {}), columns[name], forms[name], near.get(name))
        for name, (schema, _, _) in zip(names, parts, strict=True)
    }


def _near(connection: Connection[Any], absent: list[str]) -> dict[str, str | None]:
    """The tables that were probably meant by these, which are not there."""
    if not absent:
        return {}
    there = [name for (name,) in connection.execute(statements("catalog")["tables"])]
    return {name: nearest(name, _alike(name, there)) for name in absent}


def _alike(name: str, there: Iterable[str]) -> list[str]:
    """Those whose own names are alike, too: all tables of a schema are, by its name."""
    own = name.partition(".")[2]
    return [other for other in there if nearest(own, [other.partition(".")[2]])]


def _forms(
    connection: Connection[Any], schemas: Iterable[Row], names: list[str]
) -> dict[str, dict[str, Row]]:
    """What the CRM's own forms say of the tables' columns, where there are any that may be read."""
    told: dict[str, dict[str, Row]] = defaultdict(dict)
    for schema in schemas:
        if schema["usable"] and schema["readable"]:
            table = sql.Identifier(schema["name"], "form_field")
            query = statements("catalog")["form_fields"].format(form_field=table)
            own = [name for name in names if name.partition(".")[0] == schema["name"]]
            for (form,) in connection.execute(query, {"tables": own}):
                told[form["table_name"]][form["column_name"]] = form
    return told
