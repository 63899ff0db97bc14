"""Has Postgres look at the CRM's tables before it plans how to join them."""

from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.catalog import Table
from quickbooks_crm.sql import statements

KNOWN = (("sync", "link"), ("sync", "held"))
"""What is known of records."""


def look_at(connection: Connection[Any], table: Table) -> None:
    """Have Postgres look at a table, that of its lines, and what is known of records, where it
    never has or where they have grown a lot since: right after a first sync it would expect next to
    nothing there, and compare each record with each.

    It looks by itself within minutes. A table that this login does not own, or that others hold, is
    left to that.
    """
    blocks, lines = statements("planner"), table.lines
    own = [(each.schema, each.table) for each in (table, lines) if each]
    for schema, name in (*own, *KNOWN):
        where = {"schema": schema, "table": name}
        if connection.execute(blocks["is_unknown"], where).rowcount:
            connection.execute(blocks["look"].format(table=sql.Identifier(schema, name)))


def look_again(connection: Connection[Any], table: Table) -> None:
    """Have Postgres look at a table that rows were just added to, where it has found it empty: it
    would look for each of them among all."""
    blocks = statements("planner")
    where = {"schema": table.schema, "table": table.table}
    if connection.execute(blocks["was_empty"], where).rowcount:
        connection.execute(blocks["look"].format(table=table.identifier))
