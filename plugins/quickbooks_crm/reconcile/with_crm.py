"""Mirror ↔ CRM: the records of a module whose CRM side is not what the last load left."""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.catalog import Column
from quickbooks_crm.dedupe import Target
from quickbooks_crm.mapping import Field, Join
from quickbooks_crm.mapping.paths import picks_of
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements


def compare(connection: Connection[Any], attempt: Attempt, target: Target, position: int) -> None:
    """Record how many of a module's records are in the CRM, which of them are not as they were
    loaded, and whether the amounts agree. `position` is the last generation that was loaded."""
    blocks, mapping = statements("reconcile"), target.mapping
    where = {
        "realm": attempt.realm,
        "run_id": attempt.run_id,
        "module": mapping.module,
        "entities": list(mapping.entities),
        "merges": mapping.mode == "merge",
        "columns": [
            name
            for name in target.columns
            if name in target.table.columns and name not in mapping.edited_in_crm
        ],
        "always_clear": [name for name in mapping.fields if mapping.clears(name)],
    }
    names = _names(target)
    attempt.renew(connection)
    with connection.transaction():
        attempt.require(connection)
        connection.execute(statements("load")["settings"])
        for name in ("forget_module", "forget_module_totals"):
            connection.execute(blocks[name], where)
        beside = {name: sql.Literal(where[name]) for name in ("realm", "module", "entities")}
        connection.execute(
            blocks["records_and_crm"].format(**names, **beside, position=sql.Literal(position))
        )
        connection.execute(blocks["accounted"], where)
        connection.execute(blocks["strayed"].format(**names), where)
        for field, column in _amounts(target):
            picks = (pick for source in field.sources for pick in picks_of(source))
            values = (blocks["amount"].format(value=picked(pick)) for pick in picks)
            amounts = sql.SQL(", ").join(values)
            which = {"field": column.name, "default": field.default, "scale": _scale(column)}
            connection.execute(blocks["control_totals"].format(amounts=amounts), where | which)
        connection.execute(blocks["beside_no_more"])


def _names(target: Target) -> dict[str, sql.Composable]:
    table = target.table
    return {"table": table.identifier, "key": sql.Identifier(table.key), "key_type": table.key_type}


def _amounts(target: Target) -> Iterator[tuple[Field, Column]]:
    """The numeric columns that a merge fills from one value of QuickBooks and nothing else does."""
    mapping = target.mapping
    for name, field in mapping.fields.items():
        column = target.table.columns.get(name)
        if column is None or column.kind != "numeric" or name in mapping.when_inactive:
            continue
        joined = any(isinstance(source, Join) for source in field.sources)
        if field.sources and not joined and not field.refers and mapping.mode == "merge":
            yield field, column


def _scale(column: Column) -> int:
    """The places that the column keeps; a numeric without a scale keeps all that Postgres can."""
    return 100 if column.scale is None else column.scale
