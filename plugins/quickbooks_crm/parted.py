"""QuickBooks records that a person has parted from the CRM: no load finds a record of theirs."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.sql import statements


def leave_alone(connection: Connection[Any], where: dict[str, Any]) -> None:
    """End the rows of a load that are parted from the CRM; a retry, which a person asks for, looks
    for their records again. `where` are the load's parameters, the rows are in `incoming`."""
    for name in ("let_try_again", "leave_alone"):
        connection.execute(statements("parted")[name], where)
