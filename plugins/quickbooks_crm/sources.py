"""The QuickBooks records that a CRM record may be: found by a person, and laid beside it. They hold
customer data: never log them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from pandas import DataFrame
from psycopg import Connection, sql
from psycopg.rows import class_row

from quickbooks_crm import exact, json_types, reasons, records, searching
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.picking import picked
from quickbooks_crm.records import LOOKED, PAGE, Shelf
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import WHO, picks, transform


@dataclass(frozen=True)
class Candidate:
    """A QuickBooks record, and what became of it in a module: the CRM record that it is, or why it
    is held back."""

    entity: str
    id: str
    state: str
    record_key: str | None
    outcome: str | None
    reason: str | None
    name: str | None = field(repr=False)

    @property
    def why(self) -> str:
        """Why it is not in the CRM."""
        if self.reason:
            return f"not in the CRM: {reasons.sentence(self.reason)}"
        return "not in the CRM yet: no sync has loaded it"


@dataclass(frozen=True)
class Candidates:
    """Those that were found; `more` says that others are left out."""

    found: tuple[Candidate, ...]
    more: bool = False


def one(connection: Connection[Any], shelf: Shelf, entity: str, id: str) -> Candidate | None:
    """A QuickBooks record, if the module takes such and the mirror has it."""
    if entity not in shelf.target.mapping.entities:
        return None
    return next(iter(_these(connection, shelf, [(entity, id)])), None)


def suggested(connection: Connection[Any], shelf: Shelf, key: str) -> Candidates:
    """Those in whose way a CRM record stands, or that a person has parted from it."""
    where = shelf.where | {"key": key, "looked": LOOKED, "limit": PAGE + 1}
    rows = connection.execute(statements("sources")["in_its_way"], where).fetchall()
    return _first(_these(connection, shelf, rows))


def search(connection: Connection[Any], shelf: Shelf, text: str) -> Candidates:
    """Those with an id, those not in the CRM with a name, and those of CRM records that are found
    so."""
    where = shelf.where | {"text": text, "looked": LOOKED, "limit": PAGE + 1}
    blocks = statements("sources")
    rows = connection.execute(blocks["with_id"], where).fetchall()
    rows += connection.execute(blocks["held_named"], where).fetchall()
    hits = searching.search(connection, shelf, text)
    rows += [(r.origin.entity, r.origin.id) for r in hits.records if r.origin]
    found = _first(_these(connection, shelf, dict.fromkeys(rows)))
    return replace(found, more=found.more or hits.more)


def says(connection: Connection[Any], shelf: Shelf, candidate: Candidate) -> dict[str, Any]:
    """What the mapping would fill into a CRM record, as its table would store it; owners are left
    out, and references to what is not in the CRM are blank."""
    mapping = replace(shelf.target.mapping, lines=None, exclude=())
    mapping = json_types.whole(mapping, shelf.target.table)
    texts = _shaped(connection, shelf, mapping, candidate)
    for name, filled in mapping.fields.items():
        if filled.owner:
            texts.pop(name, None)
        elif texts.get(name) is not None and (to := filled.of(candidate.entity).refers):
            asked = {"target_module": to.module, "target_entity": to.entity}
            asked |= shelf.where | {"target_id": texts[name]}
            row = connection.execute(statements("sources")["meant"], asked).fetchone()
            texts[name] = row[0] if row else None
    return _typed(connection, shelf, texts)


def _shaped(
    connection: Connection[Any], shelf: Shelf, mapping: Mapping, candidate: Candidate
) -> dict[str, str | None]:
    blocks = statements("sources")
    wanted = {written(pick): picked(pick) for pick in picks(mapping)}
    paths = sql.SQL("").join(sql.SQL(", {}").format(value) for value in wanted.values())
    where = shelf.where | {"entity": candidate.entity, "id": candidate.id}
    rows = connection.execute(blocks["picked"].format(paths=paths), where).fetchall()
    kept, _ = transform(DataFrame(rows, columns=[*WHO, *wanted], dtype="str"), mapping)
    plain = kept.astype(object).where(kept.notna(), None).drop(columns=list(WHO))
    return {str(name): value for row in plain.to_dict("records") for name, value in row.items()}


def _typed(
    connection: Connection[Any], shelf: Shelf, texts: dict[str, str | None]
) -> dict[str, Any]:
    """What does not fit the table stays as QuickBooks has it."""
    record = shelf.target.table.record(texts)
    query = statements("sources")["as_the_table_has_it"].format(record=record)
    try:
        with connection.transaction():
            row = (
                exact.cursor(connection)
                .execute(query, {"fields": json_types.as_jsonb(texts)})
                .fetchone()
            )
    except psycopg.DataError:
        return {name: json_types.plain(text) for name, text in texts.items()}
    whole = row["to_jsonb"] if row else {}
    return records.typed(shelf.target.table, {name: whole.get(name) for name in texts})


def _first(found: list[Candidate]) -> Candidates:
    return Candidates(tuple(found[:PAGE]), len(found) > PAGE)


def _these(
    connection: Connection[Any], shelf: Shelf, asked: Iterable[tuple[str, str]]
) -> list[Candidate]:
    pairs = list(asked)
    where = shelf.where | {"asked_entities": [e for e, _ in pairs], "ids": [id for _, id in pairs]}
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(statements("sources")["candidates"], where).fetchall()
