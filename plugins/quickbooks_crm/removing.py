"""Removes CRM records for good, as far as nothing that stays refers to them. What stays is told,
each with why: no reference is emptied and nothing is removed along with them in silence."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm.catalog import Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.mapping import Lines
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Kept:
    """A CRM record that could not be removed."""

    table: str
    record_key: str
    because: str


@dataclass(frozen=True)
class Reference:
    """A foreign key that leads to a table."""

    name: str
    schema: str
    table: str
    columns: list[str]
    targets: list[str]
    key: str | None

    @property
    def source(self) -> str:
        return f"{self.schema}.{self.table}"


def begin(connection: Connection[Any]) -> None:
    """Make room for the keys of the records that leave, in the temporary table `leaving`."""
    connection.execute(statements("removing")["leaving_table"])


def remove(connection: Connection[Any], targets: list[Target]) -> list[Kept]:
    """Remove the records in `leaving`, which are of the tables of these targets, in load order;
    those that stay. Be inside a transaction."""
    blocks = statements("removing")
    tables = {target.table.name: target.table for target in targets}
    for table in tables.values():
        connection.execute(blocks["not_there"].format(**names(table)), {"table": table.name})
    connection.execute(blocks["count_leaving"])
    _keep_what_is_referred_to(connection, tables, _parts(targets))
    for table in reversed(tables.values()):
        own = [t.mapping.lines for t in targets if t.table.name == table.name and t.mapping.lines]
        _remove(connection, table, own)
    return [Kept(*row) for row in connection.execute(blocks["kept"])]


def counted(connection: Connection[Any]) -> dict[str, dict[str, int]]:
    """How many records of each table were removed and kept."""
    rows = connection.execute(statements("removing")["removed"]).fetchall()
    return {table: {"removed": removed, "kept": kept} for table, removed, kept in rows}


def names(table: Table) -> dict[str, sql.Composable]:
    """A table, its primary key and the type of that, for statements."""
    return {
        "table": table.identifier,
        "key": sql.Identifier(table.key),
        "key_type": table.key_type,
    }


def _parts(targets: list[Target]) -> dict[str, tuple[str, str]]:
    """Tables of lines, each with the table of the documents that they go with, and the column that
    says which."""
    return {
        lines.rows.table: (target.table.name, lines.parent)
        for target in targets
        if (lines := target.mapping.lines)
    }


def _keep_what_is_referred_to(
    connection: Connection[Any], tables: dict[str, Table], parts: dict[str, tuple[str, str]]
) -> None:
    """Until nothing that leaves is referred to by what stays."""
    found = [
        (table, reference, _leaving_with(reference, tables, parts))
        for table in tables.values()
        for reference in references_to(connection, table)
    ]
    while sum(_keep(connection, *each) for each in found):
        pass


def _leaving_with(
    reference: Reference, tables: dict[str, Table], parts: dict[str, tuple[str, str]]
) -> tuple[str, str] | None:
    """The table whose records take what refers along when they leave, and the column of what refers
    that names them; nothing when it stays whatever leaves."""
    if reference.source in parts:
        return parts[reference.source]
    if reference.source in tables and reference.key:
        return reference.source, reference.key
    return None


def references_to(connection: Connection[Any], table: Table) -> list[Reference]:
    """The foreign keys that lead to a table."""
    where = {"schema": table.schema, "table": table.table}
    rows = connection.execute(statements("removing")["references_to"], where).fetchall()
    return [Reference(*row) for row in rows]


def _keep(
    connection: Connection[Any],
    table: Table,
    reference: Reference,
    leaving_with: tuple[str, str] | None,
) -> int:
    blocks = statements("removing")
    other, key = leaving_with or ("", "")
    joined = sql.SQL(" AND ").join(
        blocks["joined"].format(column=sql.Identifier(column), target=sql.Identifier(target))
        for column, target in zip(reference.columns, reference.targets, strict=True)
    )
    leaves_too = blocks["leaves_too"].format(other_key=sql.Identifier(key))
    query = blocks["referenced"].format(
        **names(table),
        other=sql.Identifier(reference.schema, reference.table),
        joined=joined,
        leaves_too=leaves_too if leaving_with else blocks["stays"],
    )
    because = f"a record of {reference.source} that stays refers to it ({reference.name})"
    values = {"because": because, "table": table.name, "other": other}
    return connection.execute(query, values).rowcount


def _remove(connection: Connection[Any], table: Table, lines: list[Lines]) -> None:
    """Remove records with their lines; those that the table does not let go keep theirs."""
    blocks, which = statements("removing"), names(table)
    if not _at_once(connection, table, lines):
        its_lines = [blocks["remove_its_lines"].format(**_line_names(own)) for own in lines]
        connection.execute(
            blocks["remove_row_by_row"].format(
                **which, name=sql.Literal(table.name), lines=sql.SQL("\n").join(its_lines)
            )
        )


def _at_once(connection: Connection[Any], table: Table, lines: list[Lines]) -> bool:
    """Whether one statement could remove all records; if not, it has removed none."""
    blocks, where = statements("removing"), {"table": table.name}
    try:
        with connection.transaction() as savepoint:
            for own in lines:
                connection.execute(blocks["remove_lines"].format(**_line_names(own)), where)
            connection.execute(blocks["remove"].format(**names(table)), where)
            left = connection.execute(blocks["left"].format(**names(table)), where).fetchone()
            if left == (True,):
                raise psycopg.Rollback(savepoint)
            return True
    except psycopg.Error as refusal:
        let_faults_through(refusal)
    return False


def _line_names(lines: Lines) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(*lines.rows.table.split(".", 1)),
        "parent": sql.Identifier(lines.parent),
    }
