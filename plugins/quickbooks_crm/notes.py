"""What a row is told of that ended well: keywords left out, an owner not known, a conflict."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.sql import statements


def tell(connection: Connection[Any]) -> None:
    """Put the notes into the details of the rows, before these become outcomes."""
    connection.execute(statements("notes")["tell"])
