"""Fields that people edit in the CRM: a person's value stays, and where QuickBooks changes it too
there is a conflict.

Judged by three values: what the sync wrote last, what the CRM holds, what QuickBooks says. Where
the table makes something else of what it is given, QuickBooks' value is held against what
QuickBooks said last.
"""

from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm.catalog import Column
from quickbooks_crm.dedupe import Target, image
from quickbooks_crm.quantity import many
from quickbooks_crm.sql import statements


def forget_agreed(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Forget the conflicts that are none any more, whatever QuickBooks says now. Comes before the
    rows are received, with what the sync wrote last."""
    table = target.table
    agreed = statements("edits")["agreed"].format(
        table=table.identifier, key=sql.Identifier(table.key), key_type=table.key_type
    )
    connection.execute(agreed, where | {"columns": target.mapping.edited_in_crm})


def three_way(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Let a person's values stay in the records that are to be updated. Comes after `compare`."""
    blocks = statements("edits")
    if columns := target.mapping.edited_in_crm:
        edited = sql.SQL(", ").join(_edited(target.table.columns[name]) for name in columns)
        stay = sql.Literal(not target.mapping.blank_overwrites)
        for block in ("default_stays", "three_way"):
            connection.execute(blocks[block].format(edited=edited, blanks_stay=stay))
        connection.execute(blocks["remember"], where | {"columns": columns})


def _edited(column: Column) -> sql.Composed:
    """A field that people edit, and what it holds when nobody has."""
    block = statements("edits")["edited"]
    return block.format(name=sql.Literal(column.name), untouched=column.untouched)


def hear(connection: Connection[Any], target: Target) -> None:
    """Note in the rows what QuickBooks says that the table does not hold as it was said. Comes
    before the links are written."""
    if columns := target.mapping.edited_in_crm:
        names = {"image": image("new", columns), "record": target.table.record(columns)}
        connection.execute(statements("edits")["said"].format(**names), {"columns": columns})


def record(connection: Connection[Any], target: Target, where: dict[str, Any]) -> dict[str, str]:
    """Record the conflicts that are new, and forget those that these rows end. Comes after the
    links are written and before the outcomes are. What the run should warn of, by key."""
    blocks = statements("edits")
    asked = where | {"columns": target.mapping.edited_in_crm}
    if target.mapping.edited_in_crm:
        labels = {name: target.table.columns[name].label for name in asked["columns"]}
        for block in ("base", "conflicts"):
            connection.execute(blocks[block], asked | {"labels": Jsonb(labels)})
        connection.execute(blocks["over"], asked)
    told = connection.execute(blocks["told"], asked).fetchone()
    return _warning(target.mapping.module, *told) if told else {}


def _warning(module: str, count: int, ids: list[str]) -> dict[str, str]:
    if not count:
        return {}
    some = ", ".join(ids) + (", …" if len(ids) < count else "")
    return {
        f"{module}.conflicts": f"In {many(count, 'record')} of {module} ({some}) QuickBooks has "
        "changed what a person had changed in the CRM. The CRM keeps the person's values; the "
        "details of these rows say both."
    }
