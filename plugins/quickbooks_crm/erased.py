"""People erased on request stay erased, although QuickBooks still has them: of what it sends, only
what may be kept reaches the mirror, and nothing of them the CRM."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.sql import statements


def has_erased(connection: Connection[Any], realm: str) -> bool:
    """Whether anybody of a company was erased."""
    row = connection.execute(statements("erased")["has_erased"], {"realm": realm}).fetchone()
    return row == (True,)


def scrub_page(connection: Connection[Any], realm: str) -> None:
    """Take what may not be kept out of the records in the temporary table `page`."""
    connection.execute(statements("erased")["scrub_page"], {"realm": realm})


def leave_out(connection: Connection[Any], where: dict[str, Any]) -> None:
    """End the rows in `incoming` of people who were erased."""
    if has_erased(connection, where["realm"]):
        connection.execute(statements("erased")["leave_out"], where)
