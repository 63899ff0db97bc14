"""A view that does not show a record which it took just now: as if a table had refused it."""

from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.catalog import Table
from quickbooks_crm.sql import statements


def shows_all(connection: Connection[Any], table: Table) -> bool:
    """Whether all records that were written so far are to be seen; of a table they are."""
    if not table.view:
        return True
    hides = statements("views")["hides"].format(**_names(table))
    return connection.execute(hides).fetchone() == (False,)


def of_one(connection: Connection[Any], table: Table) -> sql.Composable:
    """What refuses a record of `row_by_row` that is not to be seen, to stand after it is
    written."""
    if not table.view:
        return sql.SQL("")
    return statements("views")["refuse"].format(**_names(table))


def _names(table: Table) -> dict[str, sql.Composable]:
    return {
        "table": table.identifier,
        "name": sql.Literal(table.name),
        "key": sql.Identifier(table.key),
        "key_type": table.key_type,
    }
