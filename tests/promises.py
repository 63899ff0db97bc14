"""Promises of mappings, a YAML file for each module, kept by the real stages.

given: QuickBooks records; crm: records that are there before. The rest is how the given ones must
end: `keeps` are the CRM records of those that end well, a value in braces being the record that has
it, and `lines` those of a document. `is` says which entity a record is of, if not the mapping's
first; one of another module is only there to be referred to.
"""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import yaml
from psycopg import Connection, sql

from quickbooks_crm import catalog
from quickbooks_crm.dedupe import PLAIN
from quickbooks_crm.mapping import Mapping, references
from tests.integration.crm import Record, one, sync

Known = dict[str, Mapping]
Promise = dict[str, Any]
OUTCOMES = """
    SELECT outcome, id, message, details FROM sync.outcome
     WHERE module = %s AND outcome IN ('not_added', 'duplicate', 'excluded')"""
HELD = """
    SELECT count(*) FROM {table} AS held
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, %s::jsonb) AS promised
     WHERE ({held}) IS NOT DISTINCT FROM ({promised})"""
LINES = """
    SELECT to_jsonb(line) FROM {lines} AS line
      JOIN {documents} AS document ON document.{id} = line.{parent}
     WHERE document.{key}::text = %s AND document.{within}::text = %s ORDER BY line.{position}"""
MADE = "INSERT INTO {table} ({columns}) VALUES ({values})"
WHOSE = "SELECT {id} FROM {table} WHERE {column}::text = %s"
JSON = msgspec.json.Encoder(decimal_format="number")


class Exactly(yaml.SafeLoader):
    """Reads amounts as they are written, to the last digit."""


Exactly.add_constructor("tag:yaml.org,2002:float", lambda _, node: Decimal(node.value))


def read(files: Iterable[Path]) -> dict[tuple[str, str], Promise]:
    """Every promise of these files, by the module and what it is called."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(files)}
    return {
        (module, name): promise
        for module, text in texts.items()
        for name, promise in yaml.load(text, Exactly).items()  # noqa: S506
    }


def run(database_url: str, scripts: Iterable[Path]) -> None:
    """Make what these scripts describe, each as `pg_dump` or a person wrote it: lines that only
    psql understands are left out."""
    for script in scripts:
        lines = script.read_text(encoding="utf-8").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("\\"))
        with psycopg.connect(database_url) as connection:
            connection.execute(text.encode())


def keep(connection: Connection[Any], known: Known, module: str, promise: Promise) -> None:
    """Bring the given records in and fail unless all end as promised."""
    own = known[module]
    for values in promise.get("crm", []):
        _make(connection, own.table, values)
    kept = promise.get("keeps", [])
    records = [_record(own, fields) for fields in promise["given"]]

    sync(connection, _needed(known, module), *records)

    assert [_held(connection, known, own, row) for row in kept] == [1] * len(kept)
    ended = _told(connection, module)
    assert ended == _announced(connection, own, promise)
    assert len(kept) + len(ended) == sum(each.entity in own.entities for each in records)


def _make(connection: Connection[Any], table: str, values: dict[str, Any]) -> None:
    statement = sql.SQL(MADE).format(
        table=sql.Identifier(*table.split(".")),
        columns=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    texts = [None if value is None else str(value) for value in values.values()]
    connection.execute(statement, texts)


def _needed(known: Known, module: str) -> Known:
    """A module and those it refers to, without which its references stay open."""
    names = [module]
    for name in names:
        referred = {field.refers.module for field in references(known[name]) if field.refers}
        names += sorted(referred - set(names))
    return {name: known[name] for name in names}


def _record(own: Mapping, fields: dict[str, Any]) -> Record:
    id = str(fields["Id"])
    plain = {name: value for name, value in fields.items() if name != "is"}
    return Record(fields.get("is", own.entities[0]), id, plain | {"Id": id})


def _held(connection: Connection[Any], known: Known, own: Mapping, values: dict[str, Any]) -> int:
    """How many CRM records have all these values, and just these lines."""
    if "lines" in values:
        assert _lines(connection, known, own, values) == values["lines"]
    values = {column: value for column, value in values.items() if column != "lines"}
    promised = {
        column: _referred(connection, known, own, column, value)
        if isinstance(value, dict)
        else value
        for column, value in values.items()
    }
    query = sql.SQL(HELD).format(
        table=sql.Identifier(*own.table.split(".")),
        held=sql.SQL(", ").join(sql.Identifier("held", column) for column in values),
        promised=sql.SQL(", ").join(sql.Identifier("promised", column) for column in values),
    )
    return int(one(connection, query, [JSON.encode(promised).decode()]))


def _lines(
    connection: Connection[Any], known: Known, own: Mapping, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The lines of the document with the promised key, as far as they are promised of."""
    assert own.lines and own.key
    query = sql.SQL(LINES).format(
        lines=sql.Identifier(*own.lines.rows.table.split(".")),
        documents=sql.Identifier(*own.table.split(".")),
        id=sql.Identifier(catalog.read(connection, own.table).key),
        parent=sql.Identifier(own.lines.parent),
        position=sql.Identifier(own.lines.position),
        key=sql.Identifier(own.key),
        within=sql.Identifier(own.within or own.key),
    )
    which = [str(values[own.key]), str(values[own.within or own.key])]
    found = [row for (row,) in connection.execute(query, which).fetchall()]
    named = [list(line) for line in values["lines"]]
    names = [*named, *([[*named[0]]] * (len(found) - len(named)) if named else [])]
    return [
        {name: _shown(connection, known, own.lines.rows, name, row[name]) for name in told}
        for row, told in zip(found, names, strict=False)
    ]


def _shown(connection: Connection[Any], known: Known, own: Mapping, column: str, value: Any) -> Any:
    """A value of a line; of a reference, the QuickBooks id of the record that it means."""
    refers = own.fields[column].refers
    if refers is None or value is None:
        return Decimal(str(value)) if isinstance(value, float) else value
    meant = known[refers.module]
    key = meant.key or ""
    query = sql.SQL(WHOSE).format(
        id=sql.Identifier(key),
        table=sql.Identifier(*meant.table.split(".")),
        column=sql.Identifier(catalog.read(connection, meant.table).key),
    )
    return {key: int(one(connection, query, [str(value)]))}


def _referred(
    connection: Connection[Any], known: Known, own: Mapping, column: str, values: dict[str, Any]
) -> Any:
    """The key of the record that a column is promised to point to."""
    refers = own.fields[column].refers
    assert refers is not None, f"{column} refers to no record"
    meant = known[refers.module]
    ((name, value),) = values.items()
    query = sql.SQL(WHOSE).format(
        id=sql.Identifier(catalog.read(connection, meant.table).key),
        table=sql.Identifier(*meant.table.split(".")),
        column=sql.Identifier(name),
    )
    key = one(connection, query, [str(value)])
    return key if isinstance(key, int) else str(key)


def _told(connection: Connection[Any], module: str) -> list[tuple[str, ...]]:
    """What is said of each record that did not end well: of its fields, or else in a sentence."""
    found = connection.execute(OUTCOMES, [module]).fetchall()
    return sorted(
        (outcome, id, *(_of_fields(details) or [message]))
        for outcome, id, message, details in found
    )


def _of_fields(details: Any) -> list[str]:
    """Each field that is at fault; other details are of the table, or of the records in the way."""
    of_fields = details if isinstance(details, list) else []
    return [f"{each['reason']} {each['field']}" for each in of_fields]


def _announced(
    connection: Connection[Any], own: Mapping, promise: Promise
) -> list[tuple[str, ...]]:
    """The same, as it is promised."""
    columns = catalog.read(connection, own.table).columns
    said: list[tuple[str, ...]] = []
    for word in promise.keys() - {"given", "crm", "keeps"}:
        for row in promise[word]:
            match word:
                case "not added" | "excluded" if "because" in row:
                    reasons = [f"{row['because'][0].upper()}{row['because'][1:]}."]
                case "not added":
                    reasons = [f"{row['reason']} {field}" for field in row["fields"]]
                case "duplicate" if own.mode != "merge" and _tells_which(own, row["fields"]):
                    reasons = ["The CRM has this QuickBooks record already."]
                case "duplicate":
                    labels = " and ".join(columns[field].label for field in row["fields"])
                    reasons = [f"The CRM has a record with the same {labels}."]
                case _:
                    raise AssertionError(f"no such promise: {word}")
            said.append((word.replace(" ", "_"), str(row["id"]), *reasons))
    return sorted(said)


def _tells_which(own: Mapping, fields: list[str]) -> bool:
    """Whether one of these holds the QuickBooks id."""
    return any(own.fields[field].sources == PLAIN for field in fields)
