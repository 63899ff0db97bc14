"""Keywords that a run added to lists of the CRM go with it, unless something uses them."""

from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements


def drop(connection: Connection[Any], where: dict[str, Any]) -> None:
    """Take what the undone run added, in whichever module, off its lists where no record has it and
    no other name is written down for it. `where` are the undo's parameters."""
    blocks = statements("unused_keywords")
    for name, key, values in connection.execute(blocks["added"], where).fetchall():
        schema = name.partition(".")[0]
        asked = where | {"list": name, "list_key": key, "values": values, "schema": schema}
        used = sorted(_used(connection, schema, asked))
        try:
            with connection.transaction():
                statement = blocks["drop"].format(keyword_values=_values_table(name))
                connection.execute(statement, asked | {"used": used})
        except psycopg.Error as refusal:
            let_faults_through(refusal)  # something else refers to a value: the list stays as it is


def bring_back(connection: Connection[Any], where: dict[str, Any]) -> None:
    """Put back on their lists what the undo that is undone took off them."""
    blocks = statements("unused_keywords")
    for (name,) in connection.execute(blocks["dropped"], where).fetchall():
        statement = blocks["bring_back"].format(keyword_values=_values_table(name))
        try:
            with connection.transaction():
                connection.execute(statement, where | {"list": name})
        except psycopg.Error as refusal:
            let_faults_through(refusal)  # the list takes one of them no more: it stays as it is


def _used(connection: Connection[Any], schema: str, asked: dict[str, Any]) -> set[str]:
    """The values of a list that records of any table have, or that have other names."""
    blocks, form_field = statements("unused_keywords"), sql.Identifier(schema, "form_field")
    used: set[str] = set()
    columns = connection.execute(blocks["columns"].format(form_field=form_field), asked)
    for table, column, several in columns.fetchall():
        block = blocks["used_among" if several else "used"]
        names = {"table": sql.Identifier(*table.split(".")), "column": sql.Identifier(column)}
        used |= {value for (value,) in connection.execute(block.format(**names), asked)}
    if connection.execute(blocks["has_aliases"], asked).fetchone() == (True,):
        named = blocks["named_otherwise"].format(
            keyword_values=_values_table(asked["list"]),
            keyword_aliases=sql.Identifier(schema, "keyword_aliases"),
        )
        used |= {value for (value,) in connection.execute(named, asked)}
    return used


def _values_table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
