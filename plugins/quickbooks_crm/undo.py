"""Takes back what a run did to one module, row by row: only what nobody has changed since.

Works set-wise on the temporary table `undoing`. A record that the run changed gets back what it
held before; one that it added goes, unless records that stay refer to it; links, open references
and what is held back become what they were. What cannot be taken back is *kept*, with the reason.
An undo is accounted for like a load, with images, so that it can be undone as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm import dedupe, left_alone, planner, unused_keywords
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.lines import LineTarget
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.undone import Undone, hold_images

ACTIONS = {
    "insert": ("put_off", "insert", "insert_lines", "judge", "tell_lines"),
    "restore": (
        "put_off",
        "restore",
        "drop_lines",
        "change_lines",
        "return_lines",
        "add_lines",
        "judge",
        "tell_lines",
    ),
    "remove": ("put_off", "remove_lines", "remove", "judge"),
}
"""What is done to records, and the statements of each in their order; all but one are for those
that have lines."""
FORGOTTEN = ("parked_off", "conflicts_off", "links_off", "unlinked_off")
REMEMBERED = (
    "links_back",
    "links_reopened",
    "links_left",
    "parked_back",
    "conflicts_back",
    "unlinked_back",
    "moves",
    "held_before",
)
HELD = ("collisions_gone", "hold", "hold_unlinked", "refused_due")
FREED = ("no_longer_undone", "no_longer_unlinked", "unlinked_due", "refused_due", "held_back")


@dataclass(frozen=True)
class Undo:
    """The undo of one module in the name of a run; `pointing` are the targets whose records refer
    to those of this one. The mapping in force may be another one than the run's: it is known by its
    hash."""

    run: Run
    undone: Undone
    target: Target
    pointing: tuple[Target, ...]
    generation: int
    hash_in_force: str

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that the statements share."""
        return {
            "realm": self.run.realm,
            "run_id": self.run.run_id,
            "undone": self.undone.run_id,
            "undone_kind": self.undone.kind,
            "origin": self.undone.origin,
            "done_at": self.undone.done_at,
            "module": self.target.mapping.module,
            "hash": self.target.mapping.hash,
            "hash_in_force": self.hash_in_force,
            "table": self.target.table.name,
            "company": self.target.company,
            "generation": self.generation,
        }

    @property
    def names(self) -> dict[str, sql.Composable]:
        """The names and texts that the statements share."""
        return (
            _of_lines(self.target)
            | self.target.names
            | {
                "gone": sql.Literal(self.gone),
                "gone_of_lines": sql.Literal(self.gone_of_lines),
                "unmapped": sql.Literal(self.target.unmapped),
            }
        )

    @property
    def gone(self) -> list[str]:
        """The columns that the mapping fills and that the table has no more."""
        return [name for name in self.target.columns if name not in self.target.table.columns]

    @property
    def gone_of_lines(self) -> list[str]:
        """The same of the table of its documents' lines."""
        own = LineTarget.of(self.target)
        filled = own.lines.rows.fields if own else ()
        return [name for name in filled if own and name not in own.table.columns]


def undo(connection: Connection[Any], work: Undo) -> None:
    """Undo a module, and account for each record. Be inside a transaction: all of it commits or
    nothing. Raises `UndoImpossible` when what it held before the run has been thrown away."""
    blocks, where = statements("undo"), work.where
    for name in ("settings", "constraints_at_once", "one_writer"):
        connection.execute(statements("load")[name], where if name == "one_writer" else None)
    connection.execute(blocks["by_key"])
    planner.look_at(connection, work.target.table)
    connection.execute(blocks["in_the_name_of"], where)
    hold_images(connection, work.undone, where)
    _take(connection, work)
    _keep(connection, work)
    _carry_out(connection, work)
    names = (*FORGOTTEN, *REMEMBERED, *(FREED if work.undone.again else HELD))
    for name in names:
        connection.execute(statements("undo_memory")[name], where)
    noted = left_alone.noted_by_undo(connection, work.target)
    connection.execute(blocks["outcomes"].format(left_alone=noted), where)
    connection.execute(blocks["activity"], where)
    connection.execute(statements("outcomes")["reasons"], where)
    connection.execute(statements("replay")["begin_anew"], where)
    connection.execute(statements("stage")["unseal_all_runs"], where)
    (unused_keywords.bring_back if work.undone.again else unused_keywords.drop)(connection, where)
    connection.execute(blocks["done"])


def _take(connection: Connection[Any], work: Undo) -> None:
    """What the run did, and what these records hold now."""
    blocks = statements("undo_images")
    told = {name: sql.Literal(work.where[name]) for name in ("realm", "undone", "module")}
    before = sql.Literal(work.undone.before)
    connection.execute(blocks["undoing"].format(**work.names, **told, undone_before=before))
    for name in ("undoing_index", "undoing_record", "undoing_key", "undoing_statistics"):
        connection.execute(blocks[name])
    if work.gone_of_lines:
        connection.execute(blocks["lines_without"].format(**work.names))
    connection.execute(blocks["current"].format(**work.names))
    connection.execute(blocks["image_statistics"])
    if LineTarget.of(work.target):
        connection.execute(blocks["current_lines"].format(**work.names))
        for name in ("lines_resolved", "lines_closed_before"):
            connection.execute(blocks[name].format(**work.names), work.where)
    connection.execute(blocks["closed_before"], work.where)
    connection.execute(blocks["leads_back"].format(**work.names), work.where)
    connection.execute(blocks["nowhere"])


def _keep(connection: Connection[Any], work: Undo) -> None:
    """Set aside what is no longer as the run left it."""
    blocks = statements("undo_kept")
    connection.execute(blocks["image_gone"])
    connection.execute(blocks["gone_since"])
    connection.execute(blocks["number_taken"])
    connection.execute(blocks["changed_since"].format(**work.names), work.where)
    for gone, block in (
        (work.gone, "changed_of_gone"),
        (work.gone_of_lines, "changed_of_gone_lines"),
    ):
        if gone:
            fields = blocks[block].format(**work.names)
            connection.execute(blocks["column_gone"].format(fields=fields), work.where)
    for name in ("linked_since", "link_with_others", "another_by_now"):
        connection.execute(blocks[name], work.where)
    connection.execute(blocks["waits_since"], work.where)
    for name in ("read_later", "waits_again"):
        connection.execute(blocks[name].format(read_since=blocks["read_since"]), work.where)
    _keep_out(connection, work)
    left_alone.keep_filled(connection, work.target, work.names)
    if own := LineTarget.of(work.target):
        goes = {"goes": blocks["goes"].format(**work.names)}
        for pointer in _foreign_keys(connection, own.table):
            if pointer.table == (own.table.schema, own.table.table):
                continue
            other = sql.Identifier(*pointer.table)
            needed = blocks["line_needed"].format(
                **work.names, **_named(pointer), **goes, other=other
            )
            connection.execute(needed)


def _keep_out(connection: Connection[Any], work: Undo) -> None:
    """Set aside what would be in the CRM twice, unless columns have become of a type that does not
    take what was in them: the table will say so itself."""
    block = statements("undo_kept")["doubles"]
    for columns in dedupe.compared(work.target):
        doubles = block.format(**work.names, **dedupe.alike(work.target, columns))
        try:
            with connection.transaction():
                connection.execute(doubles, work.where)
        except psycopg.Error as refusal:
            let_faults_through(refusal)


def _carry_out(connection: Connection[Any], work: Undo) -> None:
    """Write all rows at once where the table takes them, else one after the other, for as long as
    one that went makes room for another."""
    blocks = statements("undo")
    refused = [action for action in ACTIONS if not _at_once(connection, work, action)]
    while refused:
        done = sum(_row_by_row(connection, work, action) for action in ACTIONS)
        if not done:
            break
    connection.execute(blocks["relink"])
    connection.execute(blocks["left_over"])


def _at_once(connection: Connection[Any], work: Undo, action: str) -> bool:
    """Whether one statement could write all rows; if not, it has written none."""
    if action == "remove":
        _block(connection, work)
    if not _pending(connection, action):
        return True
    try:
        with connection.transaction() as savepoint:
            every_row = statements("undo")["every_row"]
            for statement in _statements(work, action, every_row):
                connection.execute(statement)
            if _pending(connection, action):
                raise psycopg.Rollback(savepoint)
            return True
    except psycopg.Error as refusal:
        let_faults_through(refusal)
    return False


def _row_by_row(connection: Connection[Any], work: Undo, action: str) -> int:
    """How many more rows could be written, each by itself or with those of its circle."""
    if action == "remove":
        _block(connection, work)
    before = _pending(connection, action)
    if before:
        blocks = statements("undo")
        one = list(map(_unended, _one_by_one(work, action)))
        block = blocks["row_by_row"].format(
            action=sql.Literal(action),
            statement=sql.SQL(";\n").join(one),
            turns=_turns(connection, work, action),
        )
        connection.execute(block)
    return before - _pending(connection, action)


def _pending(connection: Connection[Any], action: str) -> int:
    row = connection.execute(statements("undo")["pending"], {"action": action}).fetchone()
    return int(row[0]) if row else 0


def _statements(work: Undo, action: str, which: sql.SQL) -> list[sql.Composed]:
    """What carries out an action, with the lines of documents where there are any."""
    blocks, table = statements("lines") | statements("undo"), work.target.table
    names = [n for n in ACTIONS[action] if n == action or LineTarget.of(work.target)]
    mapped = [table.columns[name] for name in work.target.columns if name in table.columns]
    restored = [c.name for c in mapped if c.writable and c.name != table.key]
    listed = {
        "which": which,
        "undone": sql.Literal(work.undone.run_id),
        "columns": _listed(restored),
        "new_columns": _listed(restored, blocks["new_value"]),
        "every_column": _listed([column.name for column in _kept(table)]),
        "every_new": _or_default(table),
    }
    return [blocks[name].format(**work.names, **listed) for name in names]


def _one_by_one(work: Undo, action: str) -> Iterator[sql.Composable]:
    """The same for one row: its lines may be in each other's way."""
    blocks, lines = statements("undo"), LineTarget.of(work.target)
    which, change = blocks["one_row"], blocks["change_lines"]
    names = [n for n in ACTIONS[action] if n == action or lines]
    for name, statement in zip(names, _statements(work, action, which), strict=True):
        if name == "change_lines" and lines:
            wanted = blocks["wanted_lines"].format(**work.names, which=which)
            yield lines.exchange(_unended(change.format(**work.names, which=which)), wanted)
        else:
            yield statement


def _unended(statement: sql.Composable) -> sql.Composable:
    """A statement without the sign at its end, to stand among others."""
    return sql.SQL(statement.as_string().rstrip().rstrip(";"))


def _of_lines(target: Target) -> dict[str, sql.Composable]:
    """The names and texts of statements about a document's lines, where it has any."""
    own, new = LineTarget.of(target), statements("undo")["new_value"]
    if own is None:
        return {}
    names = own.names
    names["line_unmapped"] = names.pop("unmapped")
    filled = (own.lines.position, *own.lines.rows.fields)
    mapped = [name for name in filled if name in own.table.columns]
    return names | {
        "line_columns": _listed(mapped),
        "new_line_columns": _listed(mapped, new),
        "every_line_column": _listed([column.name for column in _kept(own.table)]),
        "every_new_line": _or_default(own.table),
    }


def _kept(table: Table) -> list[Column]:
    """The columns that a record, or line, which is kept whole comes back with."""
    return [column for column in table.columns.values() if column.writable or column.sequence]


def _or_default(table: Table) -> sql.Composed:
    """What these hold: what was kept, and of columns that there were not yet their defaults."""
    block = statements("undo")["value_or_default"]
    return sql.SQL(", ").join(
        block.format(
            column=sql.Identifier(column.name),
            name=sql.Literal(column.name),
            default=column.own_default,
        )
        for column in _kept(table)
    )


def _listed(names: list[str], block: sql.SQL | None = None) -> sql.Composed:
    block = block or sql.SQL("{column}")
    return sql.SQL(", ").join(block.format(column=sql.Identifier(name)) for name in names)


@dataclass(frozen=True)
class _Pointer:
    """Columns of a table that refer to a record by the columns that it is `meant` by. Without a
    foreign key they may be of another type."""

    table: tuple[str, str]
    columns: tuple[str, ...]
    meant: tuple[str, ...]
    foreign_key: bool = True


def _pointers(connection: Connection[Any], work: Undo) -> set[_Pointer]:
    """What may refer to the module's records: foreign keys of any table, and what mappings say."""
    own = LineTarget.of(work.target)
    lines = (own.table.schema, own.table.table, (own.lines.parent,)) if own else None
    pointers = {
        pointer
        for pointer in _foreign_keys(connection, work.target.table)
        if (*pointer.table, pointer.columns) != lines
    }
    for other in work.pointing:
        for field in other.mapping.fields.values():
            known = field.refers and field.refers.module == work.target.mapping.module
            place, meant = (other.table.schema, other.table.table), (work.target.table.key,)
            if known and _Pointer(place, (field.column,), meant) not in pointers:
                pointers.add(_Pointer(place, (field.column,), meant, foreign_key=False))
    return pointers


def _foreign_keys(connection: Connection[Any], table: Table) -> set[_Pointer]:
    found = connection.execute(statements("undo_kept")["pointing"], _regclass(table)).fetchall()
    return {
        _Pointer((schema, name), tuple(columns), tuple(meant))
        for schema, name, columns, meant in found
    }


def _block(connection: Connection[Any], work: Undo) -> None:
    """Note which records to be removed others refer to that stay; what these refer to stays too."""
    blocks, own = statements("undo_kept"), work.target.table
    pointers = _pointers(connection, work)
    connection.execute(blocks["unblocked"])
    more = True
    while more:
        more = False
        for pointer in pointers:
            itself = pointer.table == (own.schema, own.table)
            stays = blocks["not_removed" if itself else "a_stranger"].format(**work.names)
            statement = blocks["blocked"].format(
                **work.names, **_named(pointer), stays=stays, other=sql.Identifier(*pointer.table)
            )
            more |= connection.execute(statement).rowcount > 0


def _named(pointer: _Pointer) -> dict[str, sql.Composable]:
    as_it_is = sql.SQL("{}") if pointer.foreign_key else statements("undo_kept")["as_text"]
    other = [as_it_is.format(sql.Identifier("other", name)) for name in pointer.columns]
    meant = [as_it_is.format(sql.Identifier("current", name)) for name in pointer.meant]
    return {
        "columns": sql.SQL(", ").join(other),
        "meant": sql.SQL(", ").join(meant),
        "name": sql.Literal(".".join(pointer.table)),
        "columns_named": sql.Literal(", ".join(pointer.columns)),
    }


def _turns(connection: Connection[Any], work: Undo, action: str) -> sql.Composable:
    """The rows of an action in the order in which each finds done what it needs."""
    blocks, own = statements("undo"), work.target.table
    among = [p for p in _pointers(connection, work) if p.table == (own.schema, own.table)]
    needs = [
        blocks["needs"].format(
            columns=_held("other", pointer.columns),
            meant=_held("u", pointer.meant),
            action=sql.Literal(action),
        )
        for pointer in among
        if action != "restore"
    ]
    every = sql.SQL(" UNION ").join([blocks["needs_nothing"], *needs])
    return blocks["turns"].format(needs=every, action=sql.Literal(action))


def _held(row: str, columns: tuple[str, ...]) -> sql.Composed:
    """What a row of the undo holds in columns, or is to hold."""
    held, name = statements("undo")["held"], sql.Identifier(row)
    return sql.SQL(", ").join(held.format(row=name, column=sql.Literal(c)) for c in columns)


def _regclass(table: Table) -> dict[str, str]:
    return {"table": table.identifier.as_string(None)}
