"""Mirror ↔ CRM: the records of a module whose CRM side is not what the last load left."""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.catalog import Column
from quickbooks_crm.dedupe import Target
from quickbooks_crm.images import LINES
from quickbooks_crm.lines import LineTarget
from quickbooks_crm.mapping import Field
from quickbooks_crm.mapping.paths import picks_of
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements
from quickbooks_crm.suiting import known

CURRENCY = ("CurrencyRef", "value")
"""Where QuickBooks says what the amounts of a record are in."""


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
        ]
        + [LINES],
        "always_clear": [name for name in mapping.fields if mapping.clears(name)],
    }
    names = _names(target)
    attempt.renew(connection)
    with connection.transaction():
        attempt.require(connection)
        connection.execute(statements("load")["settings"])
        for name in ("forget_module", "forget_module_totals"):
            connection.execute(blocks[name], where)
        beside: dict[str, sql.Composable]
        beside = {name: sql.Literal(where[name]) for name in ("realm", "module", "entities")}
        beside |= {"position": sql.Literal(position), "line_image": _line_image(target)}
        connection.execute(blocks["records_and_crm"].format(**names, **beside))
        connection.execute(blocks["accounted"], where)
        connection.execute(blocks["strayed"].format(**names), where)
        where |= {"currency": _currency(target)}
        for field, column in _amounts(target):
            through = blocks["money"] if column.base == "money" else sql.SQL("")
            amount = {"amount": _of_each(field), "through": through}
            statement = blocks["control_totals"].format(**amount)
            connection.execute(statement, where | {"field": column.name})
        connection.execute(blocks["beside_no_more"])


def _names(target: Target) -> dict[str, sql.Composable]:
    table = target.table
    return {"table": table.identifier, "key": sql.Identifier(table.key), "key_type": table.key_type}


def _amounts(target: Target) -> Iterator[tuple[Field, Column]]:
    """The columns of numbers that a merge fills with an amount of money of QuickBooks, and nothing
    and nobody else does. Rates, quantities and fields that Intuit's reference does not have are
    not summed."""
    mapping = target.mapping
    others = {*mapping.when_inactive, *mapping.edited_in_crm}
    for name, field in mapping.fields.items():
        column = target.table.columns.get(name)
        if column is None or column.kind not in ("numeric", "integer") or name in others:
            continue
        sums = all(_is_money(entity, field.of(entity)) for entity in mapping.entities)
        if sums and not field.refers and mapping.mode == "merge":
            yield field, column


def _currency(target: Target) -> str | None:
    """The column that QuickBooks fills with the currency, if there is one, and people do not."""
    for name, field in target.mapping.fields.items():
        says = any(CURRENCY in variant.sources for variant in field.variants)
        if says and name not in target.mapping.edited_in_crm:
            return name
    return None


def _is_money(entity: str, field: Field) -> bool:
    """Whether the field has one amount of QuickBooks, whose sign does not depend on another
    value."""
    kinds = {own.kind if (own := known(entity, source)) else None for source in field.sources}
    return kinds == {"money"} and not field.negate


def _of_each(field: Field) -> sql.Composable:
    """The amount that a record is to have, by its entity."""
    blocks = statements("reconcile")
    cases = [
        blocks["of_entity"].format(entity=sql.Literal(entity), amount=_amount(own))
        for entity, own in field.for_entity.items()
    ]
    if not cases:
        return _amount(field)
    return blocks["by_entity"].format(cases=sql.SQL(" ").join(cases), amount=_amount(field))


def _amount(field: Field) -> sql.Composable:
    blocks = statements("reconcile")
    picks = (pick for source in field.sources for pick in picks_of(source))
    values = [blocks["amount"].format(value=picked(pick)) for pick in picks]
    if field.default is not None:
        values.append(blocks["amount"].format(value=sql.Literal(field.default)))
    one = sql.SQL(", ").join(values) if values else sql.NULL
    return blocks["one_amount" if field.negate is None else "negated"].format(amounts=one)


def _line_image(target: Target) -> sql.Composable:
    """A document's lines, as its images have them."""
    own = LineTarget.of(target)
    block = statements("reconcile")["line_image" if own else "no_lines"]
    return block.format(**own.names, key=sql.Identifier(target.table.key)) if own else block
