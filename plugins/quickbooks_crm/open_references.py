"""Open references, of records and of lines: closed when what they refer to is in the CRM.

They wait in `sync.parked`. A load closes those to the records of its module, whichever module has
them, and those of its own records to what no load of this run has brought.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm import owners
from quickbooks_crm.dedupe import Target
from quickbooks_crm.images import LINES
from quickbooks_crm.lines import LineTarget
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quantity import many
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

OF_RECORDS = (
    "closing",
    "closing_statistics",
    "close",
    "close_links",
    "close_parked",
    "close_outcomes",
    "close_told",
    "closed",
)
"""The statements that close the references in one column of records, in their order."""

OF_LINES = (
    "closing",
    "closing_statistics",
    "close",
    "closing_statistics",
    "close_documents",
    "close_documents_statistics",
    "close_links",
    "close_parked",
    "close_outcomes",
    "close_told",
    "closed",
)
"""The same of lines."""

Waiting = set[tuple[str, str, str]]
"""The fields with open references: the module of each, that which it refers to, and the field."""


@dataclass(frozen=True)
class Closing:
    """The load that closes open references: of which `target`, and the parameters of its
    statements."""

    connection: Connection[Any]
    target: Target
    where: dict[str, Any]

    def close(self, referring: Iterable[Target], referred: Iterable[Target]) -> dict[str, str]:
        """Close what can be closed now: references of the `referring` targets to the load's
        records, and of these to records of the `referred` ones. What the run should warn of, by
        key."""
        own, warnings, referring = self.target, dict[str, str](), list(referring)
        waiting: Waiting = set(self._rows("fields_that_wait"))
        for target in referring:
            warnings |= self._between(target, own, waiting)
        self._note_tried(own, referring)
        for other in _of_those_waited_for(own, referred, waiting):
            warnings |= self._between(own, other, waiting)
            self._note_tried(other, [own])
        return warnings

    def _between(self, target: Target, referred: Target, waiting: Waiting) -> dict[str, str]:
        """Close the references of one target's records, and of their lines, to those of another."""
        own, module, warnings = target.mapping, referred.mapping.module, {}
        for part, close, place in zip(
            own.parts, (self._of_records, self._of_lines), ("", LINES + "."), strict=False
        ):
            for column, field in part.fields.items():
                name = place + column
                refers = field.refers is not None and field.refers.module == module
                waits = refers and (own.module, module, name) in waiting
                if waits and (refused := close(target, referred, column)):
                    warnings[f"{own.module}.{name}.stays_open"] = _told(own, name, refused)
        return warnings

    def _of_records(self, target: Target, referred: Target, field: str) -> int:
        """Close what waits in one column of records; how many of these the table refuses."""
        blocks, column = statements("open_references"), target.table.columns[field]
        own = {"module": target.mapping.module, "field": field, "referred": referred.mapping.module}
        names = target.names | {
            "image": target.image("current"),
            "column": sql.Identifier(column.name),
            "column_type": column.uncut_type,
            "with_it": owners.closing(target, referred, column.name),
            "of_a_refused_version": blocks["of_a_refused_version"],
        }
        return self._in_turn(OF_RECORDS, "closing", blocks, names, own)

    def _of_lines(self, target: Target, referred: Target, field: str) -> int:
        """The same of one column of lines."""
        lines = LineTarget.of(target)
        if lines is None:
            return 0
        blocks, column = statements("open_references_of_lines"), lines.table.columns[field]
        own = {"module": target.mapping.module, "field": field, "referred": referred.mapping.module}
        names = lines.names | {
            "column": sql.Identifier(column.name),
            "column_name": sql.Literal(column.name),
            "column_type": column.uncut_type,
            "table": target.table.identifier,
            "key": sql.Identifier(target.table.key),
            "key_type": target.table.key_type,
            "document_image": target.image("document"),
            "of_a_refused_version": statements("open_references")["of_a_refused_version"],
        }
        return self._in_turn(OF_LINES, "closing_line", blocks, names, own)

    def _in_turn(
        self,
        order: Iterable[str],
        closing: str,
        blocks: dict[str, sql.SQL],
        names: dict[str, sql.Composable],
        own: dict[str, str],
    ) -> int:
        """Execute the statements in their order; how many references the table refuses."""
        refused = 0
        where = self.where | own | {"closed_by": self.target.mapping.module}
        for name in order:
            if name == "close":
                refused = self._as_taken(closing, blocks, names)
            else:
                self.connection.execute(blocks[name].format(**names), where)
        return refused

    def _as_taken(
        self, closing: str, blocks: dict[str, sql.SQL], names: dict[str, sql.Composable]
    ) -> int:
        """Close what is in the temporary table `closing`, of records or of lines, at once or, where
        the CRM's table refuses some, one after the other; how many it does not take."""
        connection = self.connection
        try:
            with connection.transaction():
                connection.execute(blocks["close"].format(**names, which=sql.SQL("true")))
        except psycopg.Error as refusal:
            let_faults_through(refusal)
            shared, each = statements("open_references"), {"closing": sql.Identifier(closing)}
            close_one = blocks["close"].format(**names, which=blocks["one_reference"])
            connection.execute(shared["record_of_each"].format(**each))
            connection.execute(shared["close_each"].format(**each, close=close_one))
        row = connection.execute(blocks["refused"].format(**names)).fetchone()
        return int(row[0]) if row else 0

    def _note_tried(self, referred: Target, referring: Iterable[Target]) -> None:
        which = {
            "module": referred.mapping.module,
            "referring": [target.mapping.module for target in referring],
        }
        self.connection.execute(statements("open_references")["tried"], self.where | which)

    def _rows(self, statement: str) -> list[Any]:
        return self.connection.execute(
            statements("open_references")[statement], self.where
        ).fetchall()


def _of_those_waited_for(
    own: Target, referred: Iterable[Target], waiting: Waiting
) -> Iterator[Target]:
    """The targets of other modules to whose records some of the load's own can be closed."""
    module = own.mapping.module
    wanted = {to for by, to, _ in waiting if by == module} - {module}
    return (other for other in referred if other.mapping.module in wanted)


def _told(mapping: Mapping, field: str, refused: int) -> str:
    return (
        f"The CRM refused {many(refused, 'reference')} in {field} of {mapping.module} to records "
        "that are there now. They stay open: see what the table's triggers and constraints demand."
    )
