"""A person is erased on request: from the mirror, from what was noted of every run, and from the
columns of the CRM that QuickBooks fills. Documents keep their amounts, without the person."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import psycopg
from pandas import DataFrame
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import acts, leaving, removing, runs
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping.paths import picks_of, written
from quickbooks_crm.picking import picked
from quickbooks_crm.removing import Kept
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import WHO, picks, transform

What = Literal["blank", "remove"]
WHATS: tuple[What, ...] = ("blank", "remove")
PEOPLE = ("Customer", "Employee", "Vendor")
HANDLED = (
    "held",
    "link",
    "outcome",
    "parked",
    "resolved_reference",
    "drift",
    "webhook_event",
    "erased",
)
"""Tables of sync whose rows are dealt with here, or hold ids only; of all others, rows of what is
erased are removed."""

TELLING = {
    *("DisplayName", "FullyQualifiedName", "CompanyName", "PrintOnCheckName", "Address", "URI"),
    *("FreeFormNumber", "Line1", "Line2", "Line3", "Line4", "Line5", "Notes", "ResaleNum"),
    *("PrimaryTaxIdentifier", "BusinessNumber", "AcctNum"),
}
"""Fields whose values tell a person: nothing of them may be found afterwards."""

SHORTEST = 4
"""Shorter values are in too many others to be searched for."""

Person = tuple[str, str]
"""Entity and id."""

Shaped = dict[Person, dict[Any, Any]]
"""What a mapping makes of records."""


@dataclass
class Erased:
    """What was erased, or would be: the people, how many of their documents and of other records
    that name them, which columns of which tables were blanked in how many records; CRM records
    that could not be removed; tables in which values of the people are still found."""

    company: str
    people: list[Person]
    documents: int = 0
    others: int = 0
    blanked: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    searched: int = 0
    found: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Record:
    """The CRM record of something that is erased."""

    entity: str
    id: str
    is_person: bool
    is_whole: bool
    record_key: str
    shared: bool


def by_email(connection: Connection[Any], company: str, email: str) -> list[Person]:
    """The people of a company who have an e-mail address. Raises `SettingsError` when none has."""
    values = {
        "realm": leaving.realm_of(connection, company),
        "entities": list(PEOPLE),
        "email": email.strip(),
    }
    found = connection.execute(statements("erasing")["people_by_email"], values).fetchall()
    if not found:
        raise SettingsError(
            f"Nobody of {company} has this e-mail address in QuickBooks' own field for it. Look "
            "the person up, and name the entity and the id."
        )
    return [(entity, id) for entity, id in found]


def erase(
    connection: Connection[Any],
    company: str,
    people: list[Person],
    what: What,
    by: str,
    plan: bool = False,
) -> Erased:
    """Erase people; with `plan` everything is tried and taken back.

    Their CRM records are blanked, or removed where nothing refers to them. Raises `CompanyBusy`
    while a run is at work, `SettingsError` for people that nobody knows.
    """
    run = Run(company, leaving.realm_of(connection, company), "erase")
    _require_people(connection, run, people)
    with connection.transaction() as whole:
        runs.take_out(connection, run)
        erased = Erased(company, people)
        sought = _take(connection, run, erased)
        targets = leaving.targets_of(connection, run, erased.notes)
        was = {t.mapping.module: _shaped(connection, run.realm, t, "was") for t in targets}
        connection.execute(statements("erasing")["scrub_mirror"], {"realm": run.realm})
        _from_crm(connection, run, targets, what, was, erased)
        _from_runs(connection, run, targets, sought, erased)
        _search(connection, targets, sought, erased)
        subject = ", ".join(f"{entity} {id}" for entity, id in people)
        acts.note(connection, "person_erased", subject, by, _told(erased, what), company)
        connection.execute(statements("runs")["release_lease"], asdict(run))
        if plan:
            raise psycopg.Rollback(whole)
    return erased


def _require_people(connection: Connection[Any], run: Run, people: list[Person]) -> None:
    for entity, id in people:
        if entity not in PEOPLE:
            raise SettingsError(
                f"{entity} is nobody: {', '.join(PEOPLE)} can be erased. Their documents are seen "
                "to with them."
            )
        where = {"realm": run.realm, "entity": entity, "id": id}
        known = connection.execute(statements("erasing")["is_known"], where).fetchone()
        if known != (True,):
            raise SettingsError(f"Nobody knows {entity} {id} of company {run.company}.")


def _told(erased: Erased, what: What) -> dict[str, Any]:
    told = asdict(erased) | {"crm_was": what}
    return told | {"kept": told["kept"][: leaving.TOLD]}


def _take(connection: Connection[Any], run: Run, erased: Erased) -> list[str]:
    """Gather what is to be erased; the values that may not be found afterwards."""
    blocks = statements("erasing")
    where = {
        "realm": run.realm,
        "entities": [entity for entity, _ in erased.people],
        "ids": [id for _, id in erased.people],
    }
    for name in ("put_on_list", "erasing_table", "erasing_lean", "erasing_key"):
        connection.execute(blocks[name], where)
    numbers = connection.execute(blocks["numbers"]).fetchone()
    _, erased.documents, erased.others = numbers or (0, 0, 0)
    payloads = connection.execute(blocks["payloads_of_people"]).fetchall()
    return sorted({value for (payload,) in payloads for value in _telling(payload)})


def _telling(value: Any, name: str = "") -> Iterator[str]:
    """The values that tell a person, in small letters and as JSON writes them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _telling(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _telling(inner, name)
    elif isinstance(value, str) and name in TELLING and len(value.strip()) >= SHORTEST:
        yield json.dumps(value.strip(), ensure_ascii=False)[1:-1].lower()


# ── the CRM ─────────────────────────────────────────────────────────────────────────────────


def _from_crm(
    connection: Connection[Any],
    run: Run,
    targets: list[Target],
    what: What,
    was: dict[str, Shaped],
    erased: Erased,
) -> None:
    removing.begin(connection)
    records = {target.mapping.module: _records(connection, run, target) for target in targets}
    for target in targets:
        for record in records[target.mapping.module]:
            if record.shared:
                erased.notes.append(
                    f"{target.table.name} {record.record_key} is another company's too, and stays."
                )
            elif record.is_person and what == "remove":
                where = {"table": target.table.name, "record_key": record.record_key}
                connection.execute(statements("erasing")["take_record"], where)
    if what == "remove":
        erased.kept.extend(removing.remove(connection, targets))
        erased.removed.update(removing.counted(connection))
    for target in targets:
        module = target.mapping.module
        own = [record for record in records[module] if not record.shared]
        _blank_all(connection, run, target, own, was[module], erased)


def _records(connection: Connection[Any], run: Run, target: Target) -> list[_Record]:
    where = {"realm": run.realm, "module": target.mapping.module, "table": target.table.name}
    rows = connection.execute(statements("erasing")["linked_records"], where).fetchall()
    return [_Record(*row) for row in rows]


def _blank_all(
    connection: Connection[Any],
    run: Run,
    target: Target,
    records: list[_Record],
    was: Shaped,
    erased: Erased,
) -> None:
    now = _shaped(connection, run.realm, target, "now")
    of_documents = {
        column
        for record in records
        if record.is_whole and not record.is_person
        for column in _differing(was, now, record)
    }
    for record in records:
        if not _stays(connection, target.table, record):
            where = _where(run, target, record)
            for name in ("forget_link", "forget_waiting"):
                connection.execute(statements("erasing")[name], where)
            continue
        columns = _differing(was, now, record)
        if record.is_person:
            columns |= _empty(target, now, record)
        elif record.is_whole:
            columns |= of_documents
        values = {name: now[record.entity, record.id][name] for name in sorted(columns)}
        _blank(connection, run, target, record, values, erased)


def _shaped(connection: Connection[Any], realm: str, target: Target, side: str) -> Shaped:
    """What the mapping makes of the records, as they were or are now; blanks are None."""
    mapping = replace(target.mapping, exclude=(), when_inactive={}, when_deleted={}, lines=None)
    block, record = statements("stage")["picked"], sql.Identifier(side)
    values = [block.format(value=picked(pick, record)) for pick in picks(mapping)]
    query = statements("erasing")["picked_twice"].format(paths=sql.SQL("\n").join(values))
    where = {"realm": realm, "entities": list(mapping.entities)}
    rows = connection.execute(query, where).fetchall()
    names = [*WHO, *map(written, picks(mapping))]
    kept, _ = transform(DataFrame(rows, columns=names, dtype="str"), mapping)
    plain = kept.astype(object).where(kept.notna(), None).to_dict("records")
    return {(row["@entity"], row["@id"]): row for row in plain}


def _differing(was: Shaped, now: Shaped, record: _Record) -> set[str]:
    who = record.entity, record.id
    return {name for name, value in was[who].items() if value != now[who][name]}


def _empty(target: Target, now: Shaped, record: _Record) -> set[str]:
    """The columns for which QuickBooks has nothing any more: what is there, a person typed."""
    row = now[record.entity, record.id]
    fields = target.mapping.fields.items()
    return {name for name, own in fields if own.sources and not own.refers and row[name] is None}


def _stays(connection: Connection[Any], table: Table, record: _Record) -> bool:
    query = statements("erasing")["stays_here"].format(**removing.names(table))
    return connection.execute(query, {"record_key": record.record_key}).fetchone() == (True,)


def _blank(
    connection: Connection[Any],
    run: Run,
    target: Target,
    record: _Record,
    values: dict[str, Any],
    erased: Erased,
) -> None:
    """Write what may be kept into one CRM record, column by column where the table takes not all
    at once."""
    table = target.table
    filled = {
        name: value if value is not None else _stand_in(table.columns[name], record)
        for name, value in values.items()
    }
    if filled and not _write(connection, run, target, record, filled):
        for name, value in filled.items():
            if not _write(connection, run, target, record, {name: value}):
                erased.notes.append(
                    f"{table.name} {record.record_key}: the table refuses to empty {name}."
                )
    _blank_lines(connection, target, record, erased)
    if filled:
        erased.blanked[table.name] = erased.blanked.get(table.name, 0) + 1
        known = set(erased.columns.get(table.name, ())) | set(filled)
        erased.columns[table.name] = sorted(known)


def _stand_in(column: Column, record: _Record) -> str | None:
    """What stands where a text must not be empty."""
    if column.required and column.kind == "text":
        return f"Erased {record.entity} {record.id}"[: column.length]
    return None


def _write(
    connection: Connection[Any],
    run: Run,
    target: Target,
    record: _Record,
    values: dict[str, Any],
) -> bool:
    blocks, names = statements("erasing"), [sql.Identifier(name) for name in values]
    statement = blocks["blank"].format(
        **removing.names(target.table),
        columns=sql.SQL(", ").join(names),
        new_columns=sql.SQL(", ").join(blocks["new_text"].format(column=name) for name in names),
    )
    where = _where(run, target, record) | {
        "values": Jsonb(values),
        "unmapped": target.unmapped,
        "record_key": record.record_key,
    }
    try:
        with connection.transaction():
            connection.execute(statement, where)
        return True
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException):
        return False


def _blank_lines(
    connection: Connection[Any], target: Target, record: _Record, erased: Erased
) -> None:
    lines = target.mapping.lines
    if not lines or not record.is_whole:
        return
    for column in _told_in_lines(target):
        statement = statements("erasing")["blank_lines"].format(
            table=sql.Identifier(*lines.rows.table.split(".", 1)),
            column=sql.Identifier(column),
            parent=sql.Identifier(lines.parent),
        )
        where = {"value": None, "record_key": record.record_key}
        try:
            with connection.transaction():
                connection.execute(statement, where)
        except psycopg.IntegrityError:
            with connection.transaction():
                connection.execute(statement, where | {"value": "Erased"})
        erased.columns[lines.rows.table] = _told_in_lines(target)


def _told_in_lines(target: Target) -> list[str]:
    """The columns of a document's lines that hold what people wrote."""
    lines = target.mapping.lines
    fields = lines.rows.fields.items() if lines else ()
    return sorted(
        name
        for name, own in fields
        if any("Description" in written(p) for source in own.sources for p in picks_of(source))
    )


# ── what was noted of runs ──────────────────────────────────────────────────────────────────


def _from_runs(
    connection: Connection[Any], run: Run, targets: list[Target], sought: list[str], erased: Erased
) -> None:
    blocks, where = statements("erasing"), {"realm": run.realm}
    for target in targets:
        columns = [*erased.columns.get(target.table.name, ()), *_told_in_lines(target)]
        values = where | {
            "module": target.mapping.module,
            "entities": list(target.mapping.entities),
            "columns": columns,
        }
        for name in ("hide_outcomes", "hide_written", "hold_erased"):
            connection.execute(blocks[name], values)
    _from_others(connection, where | {"modules": [t.mapping.module for t in targets]}, erased)
    connection.execute(blocks["hide_breakers"], where | {"values": sought})
    connection.execute(blocks["hide_shown"], where)
    for names in connection.execute(blocks["tables_of_records"], {"known": list(HANDLED)}):
        statement = blocks["forget_records"].format(table=sql.Identifier(*names))
        connection.execute(statement, where)


def _from_others(connection: Connection[Any], where: dict[str, Any], erased: Erased) -> None:
    """What was noted of modules whose mapping or table is not there any more, all of it."""
    blocks = statements("erasing")
    for module, table in connection.execute(blocks["others"], where).fetchall():
        erased.notes.append(
            f"What {module} has filled in {table} is not known here any more, and stays as it is: "
            "look there yourself."
        )
    for name in ("hide_outcomes_of_others", "hide_links_of_others"):
        connection.execute(blocks[name], where)


def _search(
    connection: Connection[Any], targets: list[Target], sought: list[str], erased: Erased
) -> None:
    """Prove that nothing is left: look through every table for the people's values."""
    blocks = statements("erasing")
    schemas = sorted({"sync", "quickbooks", *(target.table.schema for target in targets)})
    tables = connection.execute(blocks["tables_to_search"], {"schemas": schemas}).fetchall()
    for schema, table in tables if sought else ():
        query = blocks["search"].format(table=sql.Identifier(schema, table))
        row = connection.execute(query, {"values": sought}).fetchone()
        erased.searched += 1
        if row and row[0]:
            erased.found[f"{schema}.{table}"] = row[0]


def _where(run: Run, target: Target, record: _Record) -> dict[str, Any]:
    return {
        "realm": run.realm,
        "module": target.mapping.module,
        "entity": record.entity,
        "id": record.id,
    }
