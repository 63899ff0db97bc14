"""A document's lines: written right after their documents, in the same transaction, as one record
with them.

Works on the temporary tables `incoming` and `incoming_line` of the load's transaction. Lines are
changed in place by position, added and removed, so that the CRM has just those that QuickBooks has;
a line that the table refuses makes its document *not added*.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import planner
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target, image
from quickbooks_crm.mapping import Lines
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

NOTHING = sql.SQL("")


@dataclass(frozen=True)
class LineTarget:
    """What a mapping says of its documents' lines, the table that they fill, and whose they are."""

    lines: Lines
    table: Table
    merges: bool
    company: str

    @classmethod
    def of(cls, target: Target) -> "LineTarget | None":
        """That of a target, if its documents have lines."""
        lines, table = target.mapping.lines, target.table.lines
        merges = target.mapping.mode == "merge"
        return cls(lines, table, merges, target.company) if lines and table else None

    @property
    def names(self) -> dict[str, sql.Composable]:
        """What statements call the table and its columns; `unmapped` are those in no image."""
        lines, table = self.lines, self.table
        filled = {lines.position, *lines.rows.fields}
        imaged = [name for name in table.columns if name in filled]
        return {
            "lines": table.identifier,
            "line_key": sql.Identifier(table.key),
            "parent": sql.Identifier(lines.parent),
            "parent_type": table.columns[lines.parent].uncut_type,
            "position": sql.Identifier(lines.position),
            "position_name": sql.Literal(lines.position),
            "unmapped": sql.Literal([name for name in table.columns if name not in imaged]),
            "line_record": table.record(filled),
            "image": image("current", imaged),
            "new_image": image("new", imaged),
            "line_image": image("line", imaged),
            **self._company,
        }

    @property
    def _company(self) -> dict[str, sql.Composable]:
        """The column of the company among those of a new line, and its value; nothing where the
        table has none."""
        name, blocks = self.lines.rows.company, statements("lines")
        if name is None:
            return {"company": sql.SQL(""), "company_value": sql.SQL("")}
        type_ = sql.SQL(self.table.columns[name].type)
        value = blocks["company_value"].format(company=sql.Literal(self.company), type=type_)
        column = blocks["company_column"].format(company=sql.Identifier(name))
        return {"company": column, "company_value": value}

    @property
    def blank(self) -> sql.Composable:
        """What a line holds of which QuickBooks says nothing: the defaults of its columns that take
        no blank, as far as these are always the same."""
        blocks = statements("lines")
        defaults = [
            blocks["default"].format(name=sql.Identifier(column.name), default=column.own_default)
            for column in self._filling
            if column.steady
        ]
        return blocks["blank"].format(defaults=sql.SQL(", ").join(defaults))

    @property
    def afresh(self) -> sql.Composable:
        """What a known line is to get from the defaults of its columns again, where these are
        others each time: nothing as long as the line stays as it is, else all of them."""
        moving = {column.name: None for column in self._filling if not column.steady}
        block = statements("lines")["afresh"]
        return block.format(**self.names, moving=sql.Literal(Jsonb(moving))) if moving else NOTHING

    @property
    def _filling(self) -> list[Column]:
        columns = (self.table.columns[name] for name in self.lines.rows.fields)
        return [column for column in columns if column.fills]

    def writing(self, action: str, which: str, which_line: str) -> dict[str, sql.Composed]:
        """The statements that bring the lines of documents up to date, in their order. What was
        added just now has none yet."""
        blocks, written = statements("lines"), [self.lines.position, *self.lines.rows.fields]
        values = {name: blocks["new_value"].format(column=sql.Identifier(name)) for name in written}
        names: dict[str, sql.Composable] = self.names | {
            "which": blocks[which],
            "which_line": blocks[which_line],
            "pending": blocks["pending"].format(which=blocks[which]),
            "columns": sql.SQL(", ").join(map(sql.Identifier, written)),
            "new_values": sql.SQL(", ").join(self._or_default(n, v) for n, v in values.items()),
        }
        known = ("remove", "change") if action == "update" else ()
        steps = (*known, "add", "judge", "tell")
        return {name: blocks[name].format(**names) for name in steps}

    def exchange(self, change: sql.Composable, wanted: sql.Composable) -> sql.Composable:
        """What changes lines of one document by a statement or, where they are in each other's way,
        all at once. `wanted` says which `line` is to have what `wanted.image`."""
        blocks = statements("lines")
        every = [c.name for c in self.table.columns.values() if c.writable or c.sequence]
        values = {name: blocks["new_value"].format(column=sql.Identifier(name)) for name in every}
        return blocks["exchange"].format(
            change=change,
            wanted=wanted,
            lines=self.table.identifier,
            lines_named=sql.Literal(self.table.identifier.as_string()),
            line_record=self.table.record(every),
            every_column=sql.SQL(", ").join(map(sql.Identifier, every)),
            every_value=sql.SQL(", ").join(self._or_default(n, v) for n, v in values.items()),
        )

    def _or_default(self, name: str, value: sql.Composable) -> sql.Composable:
        column = self.table.columns[name]
        if not column.fills:
            return value
        block = statements("lines")["value_or_default"]
        return block.format(value=value, default=column.own_default)


def receive(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Take the lines of the incoming documents apart, once their references are closed. Documents
    with a line that the table's types do not take end here."""
    own = LineTarget.of(target)
    if own is None:
        return
    blocks = statements("lines")
    refers = [field.column for field in own.lines.rows.fields.values() if field.refers]
    references = [blocks["reference"].format(name=sql.Literal(name)) for name in refers]
    names = own.names | {"references": sql.SQL("\n").join(references), "blank": own.blank}
    connection.execute(blocks["receive"].format(**names), where)
    for name in ("line_index", "line_statistics"):
        connection.execute(blocks[name])
    try:
        with connection.transaction():
            connection.execute(blocks["typed"].format(**names))
    except psycopg.Error as refusal:
        let_faults_through(refusal)
        connection.execute(blocks["untypable"].format(**names))


def same(target: Target) -> sql.Composable:
    """That a known document holds the lines that were written last, to stand in `as_it_was`."""
    own = LineTarget.of(target)
    return statements("lines")["same"].format(**own.names) if own else sql.SQL("")


def put_off_constraints(connection: Connection[Any], target: Target) -> None:
    """Let the table judge documents, where it can wait, once their lines are written, too."""
    if LineTarget.of(target):
        connection.execute(statements("lines")["put_off"])


def compare(connection: Connection[Any], target: Target) -> None:
    """Note in the images of known documents which lines they hold, and are to hold."""
    if own := LineTarget.of(target):
        connection.execute(statements("lines")["compare"].format(**own.names, afresh=own.afresh))


def write(connection: Connection[Any], target: Target, action: str) -> bool:
    """Write the lines of all documents that were written just now; whether all of them arrived."""
    own = LineTarget.of(target)
    if own is None:
        return True
    for name, statement in own.writing(action, "every_document", "every_line").items():
        if name == "tell":
            planner.look_again(connection, own.table)
        connection.execute(statement)
    return connection.execute(statements("lines")["left_out"]).fetchone() == (False,)


def of_one(connection: Connection[Any], target: Target, action: str) -> sql.Composable:
    """What writes the lines of one document, to stand in `row_by_row` after what writes it."""
    own = LineTarget.of(target)
    if own is None:
        return sql.SQL("")
    blocks, which = statements("lines"), statements("lines")["one_document"]
    parts: dict[str, sql.Composable] = {"remove": sql.SQL("NULL"), "change": sql.SQL("NULL")}
    parts |= {
        name: sql.SQL(statement.as_string(connection).rstrip().rstrip(";"))
        for name, statement in own.writing(action, "one_document", "one_line").items()
    }
    pending = blocks["pending"].format(which=which)
    wanted = blocks["wanted"].format(**own.names, pending=pending)
    parts["change"] = own.exchange(parts["change"], wanted)
    return blocks["one_after_the_other"].format(**own.names, **parts, pending=pending)
