"""A person is erased on request: from the mirror, from what was noted of every run, and from the
columns of the CRM that QuickBooks fills. Documents keep their amounts, without the person."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import psycopg
from psycopg import Connection, sql

from quickbooks_crm import acts, blanking, leaving, removing, runs
from quickbooks_crm.blanking import Blanked, Shaped
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.removing import Kept
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

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

DECIDED = (
    *("arrived", "conflict", "different", "former"),
    *("moved", "same", "stand_in", "unlinked"),
)
"""Of these only the rows of the people are removed: of their documents, and of others that name
them, they say what was decided, or of these others what an undo needs, in ids or in what is emptied
here."""
VALUES = ("conflict", "former")
"""Those of them that hold values, too."""

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
        was = {t.mapping.module: blanking.shaped(connection, run.realm, t, "was") for t in targets}
        connection.execute(statements("erasing")["scrub_mirror"], {"realm": run.realm})
        naming = _from_crm(connection, run, targets, what, was, erased)
        _from_runs(connection, run, targets, naming, sought, erased)
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


def _from_crm(
    connection: Connection[Any],
    run: Run,
    targets: list[Target],
    what: What,
    was: dict[str, Shaped],
    erased: Erased,
) -> dict[str, list[str]]:
    """Blank or remove; the columns of each module by which other records name the people."""
    removing.begin(connection)
    records = {
        target.mapping.module: blanking.records(connection, run, target) for target in targets
    }
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
    told = Blanked(erased.blanked, erased.columns, erased.notes)
    for target in targets:
        module = target.mapping.module
        own = [record for record in records[module] if not record.shared]
        blanking.blank(connection, run, target, own, was[module], told)
    return told.naming


def _from_runs(
    connection: Connection[Any],
    run: Run,
    targets: list[Target],
    naming: dict[str, list[str]],
    sought: list[str],
    erased: Erased,
) -> None:
    blocks, where = statements("erasing"), {"realm": run.realm, "values": sought}
    where["modules"] = [target.mapping.module for target in targets]
    connection.execute(blocks["forget_former"], where)
    for target in targets:
        columns = [*erased.columns.get(target.table.name, ()), *blanking.told_in_lines(target)]
        values = where | {
            "module": target.mapping.module,
            "entities": list(target.mapping.entities),
            "columns": columns,
            "naming": naming[target.mapping.module],
        }
        for name in ("hide_outcomes", "hide_telling", "hide_written", "hide_former"):
            connection.execute(blocks[name], values)
        for name in VALUES:
            table = sql.Identifier("sync", name)
            statement = blocks["forget_fields"].format(table=table, hidden=blocks["hidden"])
            connection.execute(statement, values)
        connection.execute(blocks["hold_erased"], values)
    _from_others(connection, where, erased)
    for name in ("hide_breakers", "hide_shown", "as_left"):
        connection.execute(blocks[name], where)
    _forget(connection, where)


def _forget(connection: Connection[Any], where: dict[str, Any]) -> None:
    """What is kept in rows of their own, unless it says what was decided."""
    blocks = statements("erasing")
    for name in VALUES:
        statement = blocks["forget_telling"].format(table=sql.Identifier("sync", name))
        connection.execute(statement, where)
    for schema, name in connection.execute(blocks["tables_of_records"], {"known": list(HANDLED)}):
        statement = blocks["forget_records"].format(table=sql.Identifier(schema, name))
        connection.execute(statement, where | {"decided": name in DECIDED})


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
