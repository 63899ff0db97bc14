"""Runs as the stages write them, for tests that only read."""

from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm.sql import statements

REALM = "9341452000000001"
CLIENT = "ABcdEF12client"
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def started(connection: Connection[Any], run_id: str, **given: Any) -> None:
    """A run that has begun; what is not given is plausible."""
    run = {
        "realm": REALM,
        "run_id": run_id,
        "company": "sample",
        "trigger": "manual",
        "started_by": "admin",
        "started_at": NOON,
        "state": "success",
        "modules": ["products"],
        "work": ["products"],
        **given,
    }
    _insert(connection, "sync.run", run)


def called(connection: Connection[Any], run_id: str, **purposes: int) -> None:
    """How often a run called QuickBooks, by purpose, for each of them once billed."""
    for purpose, calls in purposes.items():
        call = {"client_id": CLIENT, "month": NOON.date().replace(day=1), "realm": REALM}
        call |= {"run_id": run_id, "purpose": purpose, "calls": calls, "metered": 1}
        _insert(connection, "sync.call", call)


def counted(connection: Connection[Any], run_id: str, module: str, **given: Any) -> None:
    """A module's counts in a run; read is the sum."""
    outcomes = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")
    counts = {name: given.pop(name, 0) for name in outcomes}
    activity = {
        "realm": given.pop("realm", REALM),
        "run_id": run_id,
        "module": module,
        "mapping_hash": "a hash",
        "mode": "merge",
        "from_generation": 0,
        "to_generation": 1,
        "read": sum(counts.values()),
        "deactivated": 0,
        "deleted": 0,
        "resolved": 0,
        **counts,
        **given,
    }
    _insert(connection, "sync.activity", activity)


def ended(
    connection: Connection[Any], run_id: str, module: str, id: str, outcome: str, **given: Any
) -> None:
    """How a record ended; one that is not in the CRM needs a reason."""
    row = {"realm": REALM, "run_id": run_id, "module": module, "entity": "Item"}
    row |= {"id": id, "outcome": outcome}
    if outcome in ("added", "updated"):
        row |= {"record_key": id, "after": {"name": "A name"}}
    if outcome in ("duplicate", "not_added", "excluded"):
        row |= {"message": f"The record {id} is {outcome}."}
    _insert(connection, "sync.outcome", row | given)
    connection.execute(statements("outcomes")["reasons"], row)


def _insert(connection: Connection[Any], table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    values = {
        name: Jsonb(given) if isinstance(given, dict) else given for name, given in row.items()
    }
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), values)
