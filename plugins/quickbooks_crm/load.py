"""Brings the CRM up to date with the staged rows of one module: rows, outcomes, counts and position
in one transaction."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import (
    accounting,
    afterwards,
    causes,
    circles,
    dedupe,
    edits,
    erased,
    keywords,
    left_alone,
    lines,
    notes,
    oddities,
    open_references,
    owners,
    parted,
    planner,
    runs,
    shown,
    stand_ins,
    views,
)
from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import RunError
from quickbooks_crm.judge import STRICT, Lenience, judge
from quickbooks_crm.quantity import many
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

WAITING = {"update": "to_update", "add": "to_add"}
"""Which rows wait for an action."""

TRIGGERED = {"add": 4, "update": 16}
"""Which bit of `pg_trigger.tgtype` says that a trigger is for an action."""

OWN_REFERENCES = (
    "forget_keys",
    "give_keys",
    "refer_to_each_other",
    "own_references",
    "close_own",
    "those_above_first",
)
"""The statements that close the references of new records to each other, in their order."""


@dataclass(frozen=True)
class Load:
    """One load: of which run, onto which target, from which position up to which generation.

    `sharing` are the modules that load the same table, this one included; `referred` the targets
    that its records refer to; `breakers` say when it is too much at once, `lenience` what of it
    does not stop this load. Of a `part` of the module's records the
    position does not move, and the run may load others.
    """

    run: Run
    target: Target
    position: int
    generation: int
    sharing: tuple[str, ...]
    referred: tuple[Target, ...]
    breakers: Thresholds
    lenience: Lenience = STRICT
    part: bool = False

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that the statements share."""
        mapping = self.target.mapping
        return {
            "realm": self.run.realm,
            "run_id": self.run.run_id,
            "module": mapping.module,
            "entities": list(mapping.entities),
            "table": self.target.table.name,
            "table_key": Jsonb(self.target.table.known_by),
            "sharing": list(self.sharing),
            "hash": mapping.hash,
            "mode": mapping.mode,
            "company": self.target.company,
            "refers": self.target.refers,
            "always_clear": [name for name in mapping.fields if mapping.clears(name)],
            "flags": mapping.flags,
            "position": self.position,
            "generation": self.generation,
        }


def load(connection: Connection[Any], work: Load, referring: Iterable[Target]) -> dict[str, int]:
    """Load a module's staged rows and account for each; the counts of the run and module.

    Be inside a transaction: everything commits or nothing. `referring` are the targets, this one
    included, whose records may point to records of this module. Doing it again changes nothing: a
    load that was committed is known by the position. Raises `BreakerTripped` when what it would
    change looks like an accident.
    """
    previous = connection.execute(statements("outcomes")["previous"], work.where).fetchone()
    if work.part or previous is None or previous[0] < work.generation:
        referring = sorted(referring, key=lambda target: target.table.name)
        _prepare(connection, [work.target, *referring], work.where)
        planner.look_at(connection, work.target.table)
        stand_ins.follow(connection, work.where)
        edits.forget_agreed(connection, work.target, work.where)
        dedupe.receive(connection, work.target, work.referred, work.where)
        erased.leave_out(connection, work.where)
        parted.leave_alone(connection, work.where)
        keywords.spell(connection, work.target, work.where)
        owners.decide(connection, work.target, work.where)
        if work.target.mapping.mode == "merge":
            _leave_as_it_was(connection, work)
        lines.receive(connection, work.target, work.where)
        _with_keywords_that_lists_take(connection, work)
        warnings = judge(connection, work.breakers, work.where, work.lenience)
        warnings |= _account(connection, work, referring)
        accounting.prove(connection, work.target, work.where)
        for key, sentence in warnings.items():
            runs.warn(connection, work.run, key, sentence)
    return _counts(connection, work)


def _prepare(connection: Connection[Any], targets: list[Target], where: dict[str, Any]) -> None:
    blocks = statements("load")
    connection.execute(blocks["settings"])
    connection.execute(blocks["room_for_rows"])
    connection.execute(blocks["constraints_at_once"])
    connection.execute(statements("undo")["in_the_name_of"], where)
    for table, company in sorted({(target.table.name, target.company) for target in targets}):
        connection.execute(blocks["one_writer"], {"table": table, "company": company})


def _leave_as_it_was(connection: Connection[Any], work: Load) -> None:
    """End the records of which neither side has changed, before anything is worked out for them."""
    names = _names(work.target) | {
        "same_lines": lines.same(work.target),
        "same_owners": owners.same(work.target, work.referred),
    }
    connection.execute(statements("load")["as_it_was"].format(**names), work.where)


def _with_keywords_that_lists_take(connection: Connection[Any], work: Load) -> None:
    """Bring the CRM up to date. Rows that need a keyword which its list refuses end without being
    written; which these are shows when they would have been."""
    if not keywords.refused(connection, work.target):
        _bring_up_to_date(connection, work)
        return
    needing: list[int] | None = None
    while needing is None or needing:
        keywords.set_aside(connection, needing or [])
        with connection.transaction() as savepoint:
            _bring_up_to_date(connection, work)
            if needing := keywords.needing_refused(connection):
                raise psycopg.Rollback(savepoint)


def _bring_up_to_date(connection: Connection[Any], work: Load) -> None:
    """Linked rows first, so that what they are called now counts; then those found by their id, so
    that their keys do; then those found by these; then new ones."""
    _update(connection, work)
    _find_or_add(connection, work)
    while dedupe.free_losers(connection):
        _find_or_add(connection, work)
    afterwards.tell(connection, work.target)
    dedupe.name_collisions(connection)
    connection.execute(statements("load")["flags"])


def _find_or_add(connection: Connection[Any], work: Load) -> None:
    _typed(connection, work, lambda: dedupe.take_values(connection, work.target, work.where))
    for find in (dedupe.find_by_identity, dedupe.find_by_key):
        find(connection, work.target, work.where)
        dedupe.flag_known(connection, work.target, work.where)
        _update(connection, work)
    dedupe.find_by_check(connection, work.target, work.where)
    _add(connection, work)


def _update(connection: Connection[Any], work: Load) -> None:
    blocks = statements("load")
    if not _left(connection, "update"):
        return
    names = _names(work.target)
    compare = blocks["compare"].format(**names)
    _typed(connection, work, lambda: connection.execute(compare, work.where))
    if work.target.mapping.company:
        dedupe.take_turns(connection, work.where)
    if work.target.mapping.mode == "merge":
        owners.keep(connection, work.target, work.referred, work.where)
    edits.three_way(connection, work.target, work.where)
    lines.compare(connection, work.target)
    connection.execute(blocks["unchanged"], {"inherited": owners.inherited(work.target)})
    written = [sql.Identifier(name) for name in _changeable(work.target)]
    statement = {
        **names,
        "columns": sql.SQL(", ").join(written),
        "new_columns": sql.SQL(", ").join(
            blocks["new_value"].format(column=column) for column in written
        ),
    }
    _write(connection, work.target, "update", statement)


def _changeable(target: Target) -> list[str]:
    """The columns that records of the CRM may get something in: in another mode than merge only
    flags."""
    named = target.columns if target.mapping.mode == "merge" else target.mapping.flags
    return [name for name in named if name != target.table.key]


def _add(connection: Connection[Any], work: Load) -> None:
    values = _new_values(work)
    statement = {
        **_names(work.target),
        "new_key": _new_key(work.target),
        "columns": sql.SQL(", ").join(map(sql.Identifier, values)),
        "values": sql.SQL(", ").join(values.values()),
    }
    _write(connection, work.target, "add", statement)


def _typed(connection: Connection[Any], work: Load, statement: Callable[[], object]) -> None:
    """Do what takes values in the table's own types; when a type refuses one, without its row."""
    try:
        with connection.transaction():
            statement()
    except psycopg.Error as error:
        let_faults_through(error)
        connection.execute(statements("load")["untypable"].format(**_names(work.target)))
        statement()


def _write(
    connection: Connection[Any],
    target: Target,
    action: str,
    statement: dict[str, sql.Composable],
) -> None:
    """One statement for all rows, and their lines; when the tables do not take them all, the same
    row by row."""
    blocks = statements("load")
    if not _left(connection, action):
        return
    dedupe.count_again(connection)
    if not _at_once(connection, target, action, statement):
        waiting = {"waiting": blocks[WAITING[action]]}
        which = {"which": blocks["one_row"], "that_row": blocks["same_row"]}
        names = _with_keys({**statement, **which, **waiting})
        lines.put_off_constraints(connection, target)
        connection.execute(
            blocks["row_by_row"].format(
                statement=_unended(blocks[action].format(**names), connection),
                lines=lines.of_one(connection, target, action)
                + views.of_one(connection, target.table),
                **waiting,
            )
        )
        connection.execute(blocks["constraints_at_once"])
        connection.execute(blocks["dropped"].format(**waiting), _of_table(target, action))


def _of_table(target: Target, action: str) -> dict[str, Any]:
    """What is to be known of a table that leaves rows out without a word."""
    schema, name = target.table.name.split(".", 1)
    guarded, event = target.table.guarded, TRIGGERED[action]
    return {"schema": schema, "name": name, "guarded": guarded, "event": event}


def _with_keys(names: dict[str, sql.Composable]) -> dict[str, sql.Composable]:
    """The parts of a statement, with what makes the keys of new records if it adds some."""
    if "new_key" not in names:
        return names
    return {**names, "keys": statements("load")["keys"].format(**names)}


def _at_once(
    connection: Connection[Any],
    target: Target,
    action: str,
    statement: dict[str, sql.Composable],
) -> bool:
    """Whether one statement could write all rows; if not, it has written none."""
    blocks = statements("load")
    which = {"which": blocks["every_row"], "that_row": blocks["same_key"]}
    names = _with_keys({**statement, **which, "waiting": blocks[WAITING[action]]})
    try:
        with connection.transaction() as savepoint:
            if action == "add":
                names = _closed_among_themselves(connection, target, names)
            lines.put_off_constraints(connection, target)
            connection.execute(blocks[action].format(**names))
            planner.look_again(connection, target.table)
            if (
                _left(connection, action)
                or not lines.write(connection, target, action)
                or not views.shows_all(connection, target.table)
            ):
                raise psycopg.Rollback(savepoint)
            return True
    except psycopg.Error as refusal:
        let_faults_through(refusal)
        log.info(
            "the table refused some rows to %s (%s): going row by row", action, refusal.sqlstate
        )
    return False


def _closed_among_themselves(
    connection: Connection[Any], target: Target, names: dict[str, sql.Composable]
) -> dict[str, sql.Composable]:
    """Close the references of new rows to each other, which need their keys beforehand; the parts
    of the statement that adds them. A reference that brings an owner along is closed when that
    owner is there, and a column that must hold something is for the table to judge."""
    blocks, columns = statements("load"), target.table.columns
    own = [
        field.column
        for field in target.mapping.fields.values()
        if field.refers
        and field.refers.module == target.mapping.module
        and not columns[field.column].required
        and not owners.closing(target, target, field.column).as_string(connection)
    ]
    if not own:
        return names
    for name in OWN_REFERENCES:
        connection.execute(blocks[name].format(**names, own=sql.Literal(own)))
    return {**names, "keys": blocks["given_keys"]}


def _left(connection: Connection[Any], action: str) -> bool:
    """Whether rows wait to be written."""
    blocks = statements("load")
    left = blocks["left"].format(waiting=blocks[WAITING[action]])
    return connection.execute(left).fetchone() == (True,)


def _account(connection: Connection[Any], work: Load, referring: list[Target]) -> dict[str, str]:
    """Outcomes, links, what is held back or waits, the position; then the counts, from what is
    stored. What the run should warn of, by key."""
    left = connection.execute(statements("outcomes")["unaccounted"]).fetchone()
    if left != (0,):
        raise RunError(
            f"{left and left[0]} rows of {work.target.mapping.module} ended nowhere. Nothing was "
            "loaded."
        )
    blocks = statements("load")
    stand_ins.note_moving(connection, work.where)
    edits.hear(connection, work.target)
    connection.execute(statements("dedupe")["leave_known"], work.where)
    for name in ("states", "links", "release", "hold", "unpark", "park"):
        connection.execute(blocks[name], work.where)
    dedupe.link_known(connection, work.target, work.where)
    keywords.find_used(connection, work.target)
    causes.note(connection, work.target, work.where)
    shown.remember(connection, work.target.mapping, work.where)
    warnings = edits.record(connection, work.target, work.where)
    odd = oddities.note(connection, work.target.mapping, work.where)
    notes.tell(connection)
    warnings |= _tell(connection, work)
    if odd:
        warnings |= oddities.told(connection, work.target.mapping, work.where)
    closing = open_references.Closing(connection, work.target, work.where)
    warnings |= closing.close(referring, work.referred)
    warnings |= circles.tell(connection, work.target, work.where)
    if not work.part:
        connection.execute(blocks["position"], work.where)
    for count in ("activity", "reasons"):
        connection.execute(statements("outcomes")[count], work.where)
    connection.execute(statements("stage")["clear"], work.where)
    if not work.part:
        causes.forget_arrived(connection, work.where)
    keywords.join_lists(connection, work.target, work.where)
    return warnings


def _tell(connection: Connection[Any], work: Load) -> dict[str, str]:
    """Store how each row ended; what the run should warn of, by key."""
    blocks = statements("outcomes")
    told_before = connection.execute(blocks["told_before"], work.where).fetchone() == (True,)
    in_all = blocks["in_all"] if told_before else sql.SQL("")
    noted = left_alone.noted_by_load(connection, work.target)
    connection.execute(blocks["outcomes"].format(in_all=in_all, left_alone=noted), work.where)
    if not told_before:
        return {}
    row = connection.execute(blocks["held_back_since"], work.where).fetchone()
    return _held_back_since(work, row[0]) if row and row[0] else {}


def _held_back_since(work: Load, count: int) -> dict[str, str]:
    module = work.target.mapping.module
    sentence = (
        f"{many(count, 'record')} of {module} that this run had brought in could not be read "
        "again when it was repeated, and is held back as it is now. The next run that reads it "
        "says why: retry it, or correct it in QuickBooks."
    )
    return {f"{module}.held_back_since": sentence}


def _counts(connection: Connection[Any], work: Load) -> dict[str, int]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(statements("outcomes")["counts"], work.where).fetchone()
    if row is None:
        raise RunError(
            f"The activity of {work.target.mapping.module} is missing right after it was written."
        )
    return row


def _names(target: Target) -> dict[str, sql.Composable]:
    return target.names | {"image": target.image("current"), "new_image": target.image("new")}


def _new_key(target: Target) -> sql.Composable:
    blocks = statements("load")
    column = target.table.columns[target.table.key]
    if column.name in target.columns:
        return blocks["mapped_key"].format(record=target.record, key=sql.Literal(column.name))
    if column.sequence:
        return blocks["next_in_sequence"].format(sequence=sql.Literal(column.sequence))
    return column.own_default


def _new_values(work: Load) -> dict[str, sql.Composable]:
    """What a new record gets in each column: its key, its company, and what the mapping says."""
    blocks, target = statements("load"), work.target
    table, company = target.table, target.mapping.company
    values: dict[str, sql.Composable] = {name: _new_value(target, name) for name in target.columns}
    for field in owners.owner_fields(target.mapping):
        values[field.column] = owners.new_value(target, work.referred, field)
    values[table.key] = blocks["key_value"].format(key_type=table.key_type)
    if company:
        type_ = sql.SQL(table.columns[company].type)
        values[company] = blocks["company_value"].format(
            company=sql.Literal(target.company), type=type_
        )
    return values


def _new_value(target: Target, name: str) -> sql.Composable:
    blocks = statements("load")
    column = target.table.columns[name]
    if column.fills:
        block = blocks["new_value_or_default"]
        return block.format(column=sql.Identifier(name), default=column.own_default)
    return blocks["new_value"].format(column=sql.Identifier(name))


def _unended(statement: sql.Composed, connection: Connection[Any]) -> sql.SQL:
    return sql.SQL(statement.as_string(connection).rstrip().rstrip(";"))
