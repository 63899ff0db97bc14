"""What records show of other records, remembered so that a change of these loads those again."""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.mapping import Mapping, Shown
from quickbooks_crm.picking import picked
from quickbooks_crm.sql import statements

SOURCE = sql.Identifier("source", "payload")


def remember(connection: Connection[Any], mapping: Mapping, where: dict[str, Any]) -> None:
    """Keep what the rows of a load, and their lines, show instead of what they showed before."""
    blocks = statements("shown")
    connection.execute(blocks["forget"], where)
    for shown, source in _shown(mapping):
        statement = blocks["remember"].format(
            entity=sql.Literal(shown.entity),
            id=picked(shown.path, SOURCE),
            show=sql.Literal(list(shown.show)),
            source=source,
        )
        connection.execute(statement, where)


def _shown(mapping: Mapping) -> Iterator[tuple[Shown, sql.Composable]]:
    """What is shown, with what it is looked for in."""
    blocks = statements("shown")
    for shown in mapping.looked_up:
        yield shown, blocks["itself"]
    if mapping.lines:
        lines = blocks["its_lines"].format(list=sql.Literal(mapping.lines.source[0]))
        for shown in mapping.lines.rows.looked_up:
            yield shown, lines
