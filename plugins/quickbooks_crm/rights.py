"""What the login must be allowed to do in the CRM: every table, column and sequence that a load, an
undo or a removal touches, each with the right it needs. Told before any row moves."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import owners, removing
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.keywords import keyword_fields
from quickbooks_crm.mapping import Mapping, references
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Need:
    """A right on columns of a table, or on the table as a whole."""

    of_right: str
    schema_name: str
    table_name: str
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`schema.table`."""
        return f"{self.schema_name}.{self.table_name}"


# ── the tables that a mapping loads ─────────────────────────────────────────────────────────


def misfits(table: Table, mapping: Mapping) -> Iterator[str]:
    """What a load of the mapping's table, and of that of its lines, needs and the login may not."""
    if mapping.lines and table.lines:
        placed = (mapping.lines.parent, mapping.lines.position)
        yield from _forbidden(table.lines, mapping.lines.rows, placed)
        if mapping.mode == "merge" and not table.lines.deletable:
            yield _told(mapping, "DELETE from", table.lines.name, "DELETE on the table")
    yield from _forbidden(table, mapping, (mapping.company,))


def _forbidden(table: Table, mapping: Mapping, placed: tuple[str | None, ...]) -> Iterator[str]:
    """What is needed to read the records, to add some, to change what the mapping fills, and to
    number new ones. `placed` are the columns that the load itself fills."""
    for right, names in _wanted(table, mapping, placed).items():
        lacking = [name for name in names if right in table.columns[name].lacking]
        if lacking:
            what = f"{right} {', '.join(lacking)} of"
            yield _told(mapping, what, table.name, f"{right} on the table, or on these columns")
    filled = {*mapping.fields, *placed}
    for column in table.columns.values():
        if column.name not in filled or (column.required and column.default):
            for sequence in _unusable(column, _numbered(table, mapping)):
                yield (
                    f"{mapping.file}: this login has no right to use the sequence {sequence}, "
                    f"which numbers new records of {table.name}. Let its owner GRANT USAGE on it."
                )


def _wanted(table: Table, mapping: Mapping, placed: tuple[str | None, ...]) -> dict[str, list[str]]:
    """The columns that each right is needed on. Without merge only flags, and references that were
    open, are written into records that are there."""
    flagged = (*mapping.when_inactive, *mapping.when_deleted, *mapping.when_merged)
    named = dict.fromkeys([*mapping.fields, *flagged, *placed])
    written = [name for name in named if name in table.columns]
    some = {name for name in written if name in mapping.flags or _closes(mapping, name)}
    changed = [name for name in written if mapping.mode == "merge" or name in some]
    return {
        "SELECT": list(table.columns),
        "INSERT": list(dict.fromkeys([*written, *_numbered(table, mapping)])),
        "UPDATE": [name for name in changed if name != table.key],
    }


def _numbered(table: Table, mapping: Mapping) -> list[str]:
    """The key, which a load itself gives to new records; those of lines their table numbers."""
    return [] if mapping.at else [table.key]


def _closes(mapping: Mapping, name: str) -> bool:
    field = mapping.fields.get(name)
    return bool(field and (field.refers or (field.owner and field.owner.same_as)))


def _unusable(column: Column, numbered: list[str]) -> list[str]:
    """The sequences that a new record needs a number of for a column, and that may not be used."""
    named = [column.sequence] if column.name in numbered and "USAGE" in column.lacking else []
    return list(dict.fromkeys(name for name in [*named, *column.locked] if name))


def _told(mapping: Mapping, what: str, table: str, grant: str) -> str:
    return (
        f"{mapping.file}: this login has no right to {what} {table}. Let its owner GRANT {grant}."
    )


def warnings(table: Table, mapping: Mapping) -> Iterator[str]:
    """Tables of the mapping of which row level security may hide records."""
    for each in (table, table.lines):
        if each and each.guarded:
            yield (
                f"{mapping.file}: row level security holds for this login on {each.name}. A record "
                "that its policies hide looks deleted, and is added a second time. Let a policy "
                "show this login all records (USING (true)), or give it BYPASSRLS."
            )


# ── what else a load reads and writes ───────────────────────────────────────────────────────


def around(
    connection: Connection[Any], table: Table, mapping: Mapping, known: Iterable[Mapping]
) -> Iterator[str]:
    """What a load of the mapping needs beside its own tables: keyword lists, users, companies, and
    records that it refers to of `known` mappings."""
    needs = [
        *_of_keywords(mapping, table),
        *_of_users(connection, mapping, table),
        *_of_company(mapping, table),
        *_of_references(mapping, {other.module: other for other in known}),
    ]
    for sentence in _lacking(connection, needs):
        yield f"{mapping.file}: {sentence}"


def _of_keywords(mapping: Mapping, table: Table) -> Iterator[Need]:
    for field in keyword_fields(mapping, table):
        if listed := field.listed:
            yield Need("SELECT", listed.schema, "keyword_values", ("id", "list_id", "value"))
            if listed.aliases:
                yield Need("SELECT", listed.schema, "keyword_aliases")
            if field.inserts:
                yield Need("INSERT", listed.schema, "keyword_values", ("list_id", "value"))


def _of_users(connection: Connection[Any], mapping: Mapping, table: Table) -> Iterator[Need]:
    for field in owners.owner_fields(mapping):
        if field.owner is None or field.owner.same_as or field.column not in table.columns:
            continue
        try:
            users = owners.users_of(connection, table, field.column, field.owner)
        except SettingsError:
            continue  # told as a misfit of the field
        read = (users.key, users.external_id, users.active, users.email)
        yield Need("SELECT", users.schema, users.table, tuple(name for name in read if name))


def _of_company(mapping: Mapping, table: Table) -> Iterator[Need]:
    if mapping.company in table.columns:
        target = table.columns[mapping.company].points_to
        if target:
            yield Need("SELECT", target[0], target[1], (target[2],))


def _of_references(mapping: Mapping, known: dict[str, Mapping]) -> Iterator[Need]:
    for field in references(mapping):
        if field.refers and (other := known.get(field.refers.module)):
            schema, _, table = other.table.partition(".")
            named = tuple(name for name in (*other.fields, other.company) if name)
            yield Need("SELECT", schema, table, named)


# ── what an undo and a removal need ─────────────────────────────────────────────────────────


def require_for_undo(connection: Connection[Any], run: Run, targets: Iterable[Target]) -> None:
    """Raise `SettingsError` when the login may not take back what the run did to these targets."""
    where = {"realm": run.realm, "run_id": run.run_id}
    done = dict(connection.execute(statements("rights")["done"], where).fetchall())
    needs = [need for t in targets for need in _of_undo(t, set(done.get(t.mapping.module, ())))]
    _require(connection, needs, f"Run {run.run_id} cannot be undone. Nothing was undone:")


def _of_undo(target: Target, done: set[str]) -> Iterator[Need]:
    for table in filter(None, (target.table, target.table.lines)):
        of_lines = table is target.table.lines
        if "added" in done or (of_lines and "updated" in done):
            yield Need("DELETE", table.schema, table.table)
        if "removed" in done or (of_lines and "updated" in done):
            every = [c.name for c in table.columns.values() if c.writable or c.sequence]
            yield Need("INSERT", table.schema, table.table, tuple(every))
    mapped = [name for name in target.columns if name in target.table.columns]
    changed = tuple(name for name in mapped if name != target.table.key)
    yield Need("UPDATE", target.table.schema, target.table.table, changed)
    if (said := target.mapping.lines) and (lines := target.table.lines):
        filled = tuple(n for n in (said.position, *said.rows.fields) if n in lines.columns)
        yield Need("UPDATE", lines.schema, lines.table, filled)


def require_for_flags(connection: Connection[Any], targets: Iterable[Target]) -> None:
    """Raise `SettingsError` when the login may not write what `when_deleted` says into the records
    of these targets."""
    needs = [
        Need("UPDATE", t.table.schema, t.table.table, tuple(t.mapping.when_deleted))
        for t in targets
        if t.mapping.when_deleted
    ]
    _require(connection, needs, "The records cannot be flagged in the CRM. Nothing was changed:")


def require_for_removal(connection: Connection[Any], targets: Iterable[Target]) -> None:
    """Raise `SettingsError` when the login may not delete the records of these targets, or not see
    what refers to them."""
    needs = [need for target in targets for need in _of_removal(connection, target)]
    _require(connection, needs, "The records cannot be removed from the CRM. Nothing was removed:")


def _of_removal(connection: Connection[Any], target: Target) -> Iterator[Need]:
    yield Need("DELETE", target.table.schema, target.table.table)
    if target.mapping.lines:
        schema, _, table = target.mapping.lines.rows.table.partition(".")
        yield Need("DELETE", schema, table)
    for reference in removing.references_to(connection, target.table):
        read = (*reference.columns, *filter(None, (reference.key,)))
        yield Need("SELECT", reference.schema, reference.table, read)


def _require(connection: Connection[Any], needs: list[Need], so: str) -> None:
    if lacking := _lacking(connection, needs):
        raise SettingsError("\n  ".join([so, *lacking]))


def _lacking(connection: Connection[Any], needs: Iterable[Need]) -> list[str]:
    asked = [asdict(need) | {"name": need.name} for need in dict.fromkeys(needs)]
    block = statements("rights")["lacking"]
    rows = connection.execute(block, {"needs": json.dumps(asked)}).fetchall()
    return [_sentence(*row) for row in rows]


def _sentence(right: str, name: str, columns: list[str]) -> str:
    what = f"{right} {', '.join(columns)} of" if columns else f"{right} on"
    also = ", or on these columns" if columns else ""
    return (
        f"this login has no right to {what} {name}. Let its owner GRANT {right} on the table{also}."
    )
