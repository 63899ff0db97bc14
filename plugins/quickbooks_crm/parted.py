"""QuickBooks records that a person has parted from the CRM: no load finds a record of theirs."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from quickbooks_crm.sql import statements


def leave_alone(connection: Connection[Any], where: dict[str, Any]) -> None:
    """End the rows of a load that are parted from the CRM. `where` are the load's parameters, the
    rows are in `incoming`."""
    connection.execute(statements("parted")["leave_alone"], where)


def let_try_again(
    connection: Connection[Any], where: dict[str, Any], reasons: Sequence[str]
) -> None:
    """Part records of a module from the CRM no longer, if that is one of the reasons for which a
    person asks a run to try records again. `where` are the realm, the run and the module."""
    connection.execute(statements("parted")["let_try_again"], where | {"reasons": list(reasons)})
