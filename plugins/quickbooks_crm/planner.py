"""Has Postgres look at the CRM's tables before it plans how to join them."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.catalog import Table
from quickbooks_crm.sql import statements


def look_at(connection: Connection[Any], table: Table) -> None:
    """Have Postgres look at a table, and that of its lines, which it does not know or which have
    grown a lot since it last looked: right after a first sync it would expect next to nothing in
    them, and compare each record with each.

    It looks by itself within minutes. A table that this login does not own, or that others hold, is
    left to that.
    """
    blocks = statements("planner")
    for each in filter(None, (table, table.lines)):
        where = {"schema": each.schema, "table": each.table}
        if connection.execute(blocks["is_unknown"], where).rowcount:
            connection.execute(blocks["look"].format(table=each.identifier))
