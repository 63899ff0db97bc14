"""Proves at the end of a load, from what is stored, that it adds up: no record is lost, none is in
the CRM twice, and the counts are those of the rows."""

from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import DoesNotAddUp
from quickbooks_crm.sql import statements


def prove(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Raise `DoesNotAddUp` when what is stored is not what the load says of itself. Be the last
    statement of its transaction, which then must not commit."""
    table = target.table
    statement = statements("accounting")["differences"].format(
        table=table.identifier, key=sql.Identifier(table.key), key_type=table.key_type
    )
    wrong = connection.execute(statement, where).fetchall()
    if wrong:
        told = "; ".join(
            f"{what}: {wanted:,} wanted, {found:,} found" for what, wanted, found in wrong
        )
        raise DoesNotAddUp(
            f"The load of {where['module']} does not add up ({told}). Nothing was loaded. See "
            f"whether a trigger or rule of {table.name} removes or moves records after they are "
            "written; if none does, this is a fault of this program: report it with this message."
        )
