"""Records that are each other's parent: loaded as QuickBooks has them, and told."""

from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.dedupe import Target
from quickbooks_crm.sql import statements

SHOWN = 10


def tell(connection: Connection[Any], target: Target, where: dict[str, Any]) -> dict[str, str]:
    """Note on the outcomes which records a reference leads back to, however long the way; what the
    run should warn of, by key. Comes when the references of the load are closed."""
    module, fields = target.mapping.module, target.mapping.fields.values()
    inward = [field.column for field in fields if field.refers and field.refers.module == module]
    found = {column: _in_circles(connection, target, column, where) for column in inward}
    return {
        f"{module}.circle.{column}": _warning(target, column, ids)
        for column, ids in found.items()
        if ids
    }


def _in_circles(
    connection: Connection[Any], target: Target, column: str, where: dict[str, Any]
) -> list[str]:
    query = statements("circles")["tell"].format(
        table=target.table.identifier,
        key=sql.Identifier(target.table.key),
        key_type=target.table.key_type,
        column=sql.Identifier(column),
    )
    label = target.table.columns[column].label
    return [id for (id,) in connection.execute(query, where | {"field": column, "label": label})]


def _warning(target: Target, column: str, ids: list[str]) -> str:
    some = ", ".join(sorted(ids)[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    label = target.table.columns[column].label
    return (
        f"{target.mapping.module}: {label} leads from {some} back to the record itself. That is "
        "loaded as QuickBooks has it; put it right there."
    )
