"""Why records are held back or wait, and whether that has changed, so that they are tried again: a
person has renamed, changed or removed the CRM record in their way, the table's rules, the CRM's
users or its keywords are others, or what they wait for is there."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm import dedupe, keywords, owners
from quickbooks_crm.dedupe import Target
from quickbooks_crm.lines import LineTarget
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.sql import statements


def note(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Keep why the rows of this load that were not brought in are held back. `where` are the load's
    parameters; the rows are in `incoming`, and in sync.held."""
    blocks = statements("causes")
    values = where | _values(target)
    connection.execute(blocks["in_the_way"], values)
    for constraint, columns, how, only in connection.execute(blocks["broken"], values).fetchall():
        mapped = [c for c in columns if c in target.columns]
        equal = [blocks[how].format(column=sql.Identifier(c)) for c in mapped]
        if only and not target.table.view:  # whose columns may be others
            equal.append(sql.SQL("({})").format(sql.SQL(only.replace("%", "%%"))))
        if mapped:
            statement = blocks["in_its_place"].format(
                **target.names, equal=sql.SQL(" AND ").join(equal)
            )
            connection.execute(statement, values | {"constraint": constraint})
        if mapped == columns and not (only and target.table.view):
            connection.execute(blocks["say_in_its_place"], values | {"constraint": constraint})
    _note_lines(connection, target, values)
    cause = _cause(connection, target, keywords.what_will_be_listed(target))
    connection.execute(blocks["note"].format(cause=cause), values)


def _note_lines(connection: Connection[Any], target: Target, values: dict[str, Any]) -> None:
    """The same of a unique index of the lines' table: in the way are documents."""
    own, blocks = LineTarget.of(target), statements("causes")
    if own is None:
        return
    filled = {own.lines.position, *own.lines.rows.fields}
    which = values | {"schema": own.table.schema, "name": own.table.table}
    for constraint, columns, how, _ in connection.execute(blocks["broken"], which).fetchall():
        if filled.issuperset(columns):
            equal = (blocks[how].format(column=sql.Identifier(column)) for column in columns)
            statement = blocks["lines_in_its_place"].format(
                **own.names, equal=sql.SQL(" AND ").join(equal)
            )
            connection.execute(statement, values | {"constraint": constraint})


def probe(connection: Connection[Any], realm: str, target: Target, sharing: Iterable[str]) -> None:
    """Mark the held records of a module whose cause is another now: the next load takes them.
    `sharing` are the modules that load the same table, this one included."""
    blocks = statements("causes")
    values = {"realm": realm, "module": target.mapping.module, "sharing": list(sharing)}
    values |= _values(target)
    if connection.execute(blocks["any"], values).fetchone() == (True,):
        cause = _cause(connection, target, keywords.what_is_listed(target))
        with connection.transaction():  # a cause is told in the form in which the load noted it
            connection.execute(statements("load")["settings"])
            connection.execute(blocks["probe"].format(cause=cause), values)


def let_in(connection: Connection[Any], realm: str, run_id: str, module: str) -> None:
    """Mark the documents that a start date kept out and the run's own no longer does."""
    where = {"realm": realm, "run_id": run_id, "module": module}
    connection.execute(statements("causes")["not_early_any_more"], where)


def note_arrived(
    connection: Connection[Any],
    realm: str,
    run_id: str,
    mapping: Mapping,
    taken: Iterable[Mapping] = (),
    whole: Iterable[str] = (),
) -> bool:
    """Keep which records of a module the run takes since what they wait for has come, or comes with
    it; whether there are any. What loads bring from here on changes nothing of it.

    `taken` are the modules that the run loads, of which those it refers to have been asked about
    before; of `whole` ones it loads all.
    """
    where = {
        "realm": realm,
        "run_id": run_id,
        "module": mapping.module,
        "entities": list(mapping.entities),
        "mode": mapping.mode,
        "taken": [other.module for other in taken],
        "hashes": [other.hash for other in taken],
        "whole": list(whole),
    }
    connection.execute(statements("causes")["not_arrived"], where)
    return connection.execute(statements("causes")["arrived"], where).rowcount > 0


def forget_arrived(connection: Connection[Any], where: dict[str, Any]) -> None:
    """Forget which these were, once they are loaded. `where` are the load's parameters."""
    connection.execute(statements("causes")["forget_arrived"], where)


def _cause(
    connection: Connection[Any], target: Target, listed: list[sql.Composable]
) -> sql.Composable:
    blocks = statements("causes")
    compared = {target.table.key, target.identity, target.mapping.key, *target.mapping.check}
    compared |= {target.mapping.company, *_unique(connection, target)}
    columns = (
        blocks["column"].format(column=sql.Identifier(name))
        for name in sorted(filter(None, compared))
    )
    waited_for = (dedupe.open_in_record(target, name) for name in dedupe.may_be_open(target))
    there = [*owners.who_there_is(connection, target), *listed]
    found = (blocks["and_found"].format(found=one) for one in there)
    return blocks["cause"].format(
        **target.names,
        compared=sql.SQL(", ").join([*columns, *waited_for]),
        found=sql.SQL("").join(found),
    )


def _unique(connection: Connection[Any], target: Target) -> list[str]:
    rows = connection.execute(statements("causes")["unique_columns"], _values(target)).fetchall()
    return [name for (name,) in rows if name in target.table.columns]


def _values(target: Target) -> dict[str, Any]:
    table = target.table
    return {
        "schema": table.schema,
        "name": table.table,
        "tables": [
            *(part.table for part in target.mapping.parts),
            *keywords.tables_of_lists(target),
        ],
    }
