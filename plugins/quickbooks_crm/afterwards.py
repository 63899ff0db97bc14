"""What triggers of the CRM's tables make of records that were written already, such as a total of a
document's lines: it is remembered as what these records hold."""

from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.dedupe import Target
from quickbooks_crm.sql import statements


def tell(connection: Connection[Any], target: Target) -> None:
    """Note in the images of all that was written what the table holds now, where triggers come
    after the writing."""
    blocks, tables = statements("afterwards"), (target.table, target.table.lines)
    named = [{"schema": table.schema, "name": table.table} for table in tables if table]
    if any(connection.execute(blocks["triggers"], one).fetchone() == (True,) for one in named):
        image: dict[str, sql.Composable] = {"image": target.image("current")}
        connection.execute(blocks["tell"].format(**target.names, **image))
