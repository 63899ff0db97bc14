"""Which record a reference means: itself, the survivor of a merge, or the topmost parent of a
sub-customer that is rolled up; and which CRM record that is no more.

Worked out after each extract and before a replay, for what has changed; a load only follows it.
Records whose references mean another record now come under a new generation, so that their modules
load them again.
"""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.mapping import Field, Mapping, references
from quickbooks_crm.picking import picked
from quickbooks_crm.runs import Attempt, Run
from quickbooks_crm.sql import statements

Target = tuple[str, str]
"""The module and the entity that references lead to."""


def refresh(connection: Connection[Any], attempt: Attempt, known: dict[str, Mapping]) -> int:
    """Bring it up to date with what the mirror holds and what was told of merges; how many records
    are to be loaded again because of it."""
    with connection.transaction():
        attempt.require(connection)
        return work_out(connection, attempt.run, known)


def work_out(connection: Connection[Any], run: Run, known: dict[str, Mapping]) -> int:
    """The same, inside a transaction."""
    blocks = statements("stand_ins")
    where = {"realm": run.realm, "run_id": run.run_id}
    connection.execute(blocks["begin"])
    connection.execute(blocks["remember"], where | {"entities": _entities(known)})
    for module, entity in _targets(known):
        _walk(connection, known[module], entity, where)
    connection.execute(blocks["moved"], where)
    return _again(connection, known, where)


def tell_merge(
    connection: Connection[Any], realm: str, merge: tuple[str, str, str], by_whom: str
) -> None:
    """Remember that the loser was merged into the survivor: (entity, loser, survivor)."""
    entity, loser, survivor = merge
    told = {"entity": entity, "loser": loser, "survivor": survivor, "by_whom": by_whom}
    connection.execute(statements("stand_ins")["tell"], told | {"realm": realm})


def take_back(connection: Connection[Any], realm: str, merge: tuple[str, str, str]) -> bool:
    """Let a merge that was told no longer count; whether it did."""
    entity, loser, survivor = merge
    told = {"realm": realm, "entity": entity, "loser": loser, "survivor": survivor}
    return connection.execute(statements("stand_ins")["take_back"], told).rowcount > 0


def state(connection: Connection[Any], realm: str, entity: str, id: str) -> str | None:
    """Whether a record is active, inactive or deleted in QuickBooks; None when it was never
    read."""
    where = {"realm": realm, "entity": entity, "id": id}
    row = connection.execute(statements("stand_ins")["state"], where).fetchone()
    return row[0] if row else None


def referring(
    connection: Connection[Any], known: dict[str, Mapping], realm: str, entity: str, id: str
) -> dict[str, int]:
    """How many records of each module refer to a record."""
    blocks = statements("stand_ins")
    connection.execute(blocks["begin"])
    for module, of in _targets(known):
        if of == entity:
            means = {"realm": realm, "module": module, "entity": entity, "id": id}
            connection.execute(blocks["one_changed"], means)
    found: dict[str, int] = {}
    for mapping in known.values():
        if condition := _refers_to_changed(mapping):
            query = blocks["count_again"].format(condition=condition)
            asked = {"realm": realm, "entities": list(mapping.entities)}
            row = connection.execute(query, asked).fetchone()
            found |= {mapping.module: row[0]} if row and row[0] else {}
    return found


def note_moving(connection: Connection[Any], where: dict[str, Any]) -> None:
    """Keep which rows of this load are not the CRM record any more that they were. `where` are the
    load's parameters; the rows are in `incoming`, and what they were is in sync.target still."""
    connection.execute(statements("stand_ins")["moving"], where)


def follow(connection: Connection[Any], where: dict[str, Any]) -> None:
    """Let the references of the staged rows mean the records that stand in."""
    connection.execute(statements("stand_ins")["follow"], where)


def _entities(known: dict[str, Mapping]) -> list[str]:
    return sorted({entity for mapping in known.values() for entity in mapping.entities})


def _targets(known: dict[str, Mapping]) -> list[Target]:
    """What references may lead to."""
    fields = (field for mapping in known.values() for field in references(mapping))
    found = {(f.refers.module, f.refers.entity) for f in fields if f.refers}
    return sorted(target for target in found if target[0] in known)


def _walk(
    connection: Connection[Any], mapping: Mapping, entity: str, where: dict[str, Any]
) -> None:
    """Find the record that each one means which has changed, or stands below such a one."""
    blocks = statements("stand_ins")
    asked = where | {
        "module": mapping.module,
        "entity": entity,
        "hash": mapping.hash,
        "rolls_up": mapping.rolls_up and entity == "Customer",
    }
    for block in ("next", "touched", "below", "walk", "note_gone", "note_new", "gone", "new"):
        connection.execute(blocks[block], asked)


def _again(connection: Connection[Any], known: dict[str, Mapping], where: dict[str, Any]) -> int:
    """Put the records that refer to changed ones under a new generation, and those that were merged
    away; how many."""
    blocks = statements("stand_ins")
    connection.execute(blocks["losers"], where)
    for mapping in known.values():
        if condition := _refers_to_changed(mapping):
            query = blocks["referring"].format(condition=condition)
            asked = where | {"module": mapping.module, "entities": list(mapping.entities)}
            connection.execute(query, asked)
    row = connection.execute(blocks["found"]).fetchone()
    if row is None or not row[0]:
        return 0
    opened = connection.execute(statements("runs")["new_generation"], where).fetchone()
    generation = where | {"generation": opened[0] if opened else None}
    again = sql.Identifier("stand_in_again")
    connection.execute(blocks["pass_over"].format(again=again), generation)
    connection.execute(blocks["again"], generation)
    connection.execute(statements("runs")["seal_generation"], generation)
    return int(row[0])


def _refers_to_changed(mapping: Mapping) -> sql.Composable | None:
    """Whether a record refers to one that means another one now."""
    conditions = list(_conditions(mapping))
    return sql.SQL(" OR ").join(conditions) if conditions else None


def _conditions(mapping: Mapping) -> Iterator[sql.Composable]:
    yield from _means_changed(mapping, "record")
    if mapping.lines:
        lists = {"list": sql.Literal(mapping.lines.source[0])}
        for condition in _means_changed(mapping.lines.rows, "line"):
            yield statements("stand_ins")["in_a_line"].format(condition=condition, **lists)


def _means_changed(part: Mapping, where: str) -> Iterator[sql.Composable]:
    """The conditions of a mapping's own fields, on the payloads of what is called so."""
    for field in part.fields.values():
        for pick in _picks(field):
            if field.refers:
                yield statements("stand_ins")["means_changed"].format(
                    value=picked(pick, sql.Identifier(where, "payload")),
                    module=sql.Literal(field.refers.module),
                    entity=sql.Literal(field.refers.entity),
                )


def _picks(field: Field) -> Iterator[Any]:
    return (source for own in field.variants for source in own.sources)
