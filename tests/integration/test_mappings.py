"""The promises of the shipped mappings, tests/mappings/*.yaml, kept by the real stages.

given: QuickBooks records; crm: records that are there before. The rest is how the given ones must
end: `keeps` are the CRM records of those that end well, a value in braces being the record that has
it, and `lines` those of a document. `is` says which entity a record is of, if not the mapping's
first; one of another module is only there to be referred to.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from psycopg import Connection, sql

from quickbooks_crm import catalog
from quickbooks_crm.mapping import Mapping, load, references
from tests.integration.crm import Record, by_hand, one, sync

PROJECT = Path(__file__).resolve().parents[2]
KNOWN = load(PROJECT / "include" / "mappings")
OUTCOMES = """
    SELECT outcome, id, message, details FROM sync.outcome
     WHERE module = %s AND outcome IN ('not_added', 'duplicate', 'excluded')"""
HELD = """
    SELECT count(*) FROM {table} AS held
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, %s::jsonb) AS promised
     WHERE ({held}) IS NOT DISTINCT FROM ({promised})"""
LINES = """
    SELECT to_jsonb(line) FROM {lines} AS line
      JOIN {documents} AS document ON document.id = line.{parent}
     WHERE document.{key} = %s AND document.{within} = %s ORDER BY line.position"""
JSON = msgspec.json.Encoder(decimal_format="number")


class Exactly(yaml.SafeLoader):
    """Reads amounts as they are written, to the last digit."""


Exactly.add_constructor("tag:yaml.org,2002:float", lambda _, node: Decimal(node.value))


def promises() -> list[Any]:
    """Every promise of every file, with its module."""
    files = sorted((PROJECT / "tests" / "mappings").glob("*.yaml"))
    texts = {file.stem: file.read_text(encoding="utf-8") for file in files}
    return [
        pytest.param(module, promise, id=f"{module}: {name}")
        for module, text in texts.items()
        for name, promise in yaml.load(text, Exactly).items()  # noqa: S506
    ]


@pytest.mark.parametrize(("module", "promise"), promises())
def test_the_mapping_keeps_its_promise(
    connection: Connection[Any], module: str, promise: dict[str, Any]
) -> None:
    known = KNOWN[module]
    for values in promise.pop("crm", []):
        texts = {column: str(value) for column, value in values.items()}
        by_hand(connection, known.table, **texts)
    given = promise.pop("given")
    kept = promise.pop("keeps", [])

    records = [record(known, fields) for fields in given]

    sync(connection, needed(known), *records)

    assert [held(connection, known, row) for row in kept] == [1] * len(kept)
    ended = told(connection, module)
    assert ended == announced(connection, known, promise)
    assert len(kept) + len(ended) == sum(each.entity in known.entities for each in records)


def test_every_shipped_mapping_makes_promises() -> None:
    assert {promise.values[0] for promise in promises()} == set(KNOWN)


def needed(known: Mapping) -> dict[str, Mapping]:
    """A module and those it refers to, without which its references stay open."""
    names = [known.module]
    for name in names:
        referred = {field.refers.module for field in references(KNOWN[name]) if field.refers}
        names += sorted(referred - set(names))
    return {name: KNOWN[name] for name in names}


def record(known: Mapping, fields: dict[str, Any]) -> Record:
    id = str(fields["Id"])
    plain = {name: value for name, value in fields.items() if name != "is"}
    return Record(fields.get("is", known.entities[0]), id, plain | {"Id": id})


def held(connection: Connection[Any], known: Mapping, values: dict[str, Any]) -> int:
    """How many CRM records have all these values, and just these lines."""
    if "lines" in values:
        assert lines(connection, known, values) == values["lines"]
    values = {column: value for column, value in values.items() if column != "lines"}
    promised = {
        column: referred(connection, known, column, value) if isinstance(value, dict) else value
        for column, value in values.items()
    }
    query = sql.SQL(HELD).format(
        table=sql.Identifier(*known.table.split(".")),
        held=sql.SQL(", ").join(sql.Identifier("held", column) for column in values),
        promised=sql.SQL(", ").join(sql.Identifier("promised", column) for column in values),
    )
    return int(one(connection, query, [JSON.encode(promised).decode()]))


def lines(
    connection: Connection[Any], known: Mapping, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The lines of the document with the promised key, as far as they are promised of."""
    assert known.lines and known.key
    query = sql.SQL(LINES).format(
        lines=sql.Identifier(*known.lines.rows.table.split(".")),
        documents=sql.Identifier(*known.table.split(".")),
        parent=sql.Identifier(known.lines.parent),
        key=sql.Identifier(known.key),
        within=sql.Identifier(known.within or known.key),
    )
    which = [str(values[known.key]), str(values[known.within or known.key])]
    found = [row for (row,) in connection.execute(query, which).fetchall()]
    named = [list(line) for line in values["lines"]]
    names = [*named, *([[*named[0]]] * (len(found) - len(named)) if named else [])]
    return [
        {name: shown(connection, known.lines.rows, name, row[name]) for name in own}
        for row, own in zip(found, names, strict=False)
    ]


def shown(connection: Connection[Any], known: Mapping, column: str, value: Any) -> Any:
    """A value of a line; of a reference, the QuickBooks id of the record that it means."""
    refers = known.fields[column].refers
    if refers is None or value is None:
        return Decimal(str(value)) if isinstance(value, float) else value
    key = KNOWN[refers.module].key
    query = sql.SQL("SELECT {key} FROM {table} WHERE id = %s").format(
        key=sql.Identifier(key or ""),
        table=sql.Identifier(*KNOWN[refers.module].table.split(".")),
    )
    return {key: int(one(connection, query, [value]))}


def referred(
    connection: Connection[Any], known: Mapping, column: str, values: dict[str, Any]
) -> int:
    """The id of the record that a column is promised to point to."""
    refers = known.fields[column].refers
    assert refers is not None
    ((name, value),) = values.items()
    query = sql.SQL("SELECT id FROM {table} WHERE {column} = %s").format(
        table=sql.Identifier(*KNOWN[refers.module].table.split(".")), column=sql.Identifier(name)
    )
    return int(one(connection, query, [str(value)]))


def told(connection: Connection[Any], module: str) -> list[tuple[str, ...]]:
    """What is said of each record that did not end well."""
    found = connection.execute(OUTCOMES, [module]).fetchall()
    return sorted(
        (outcome, id, *([f"{d['reason']} {d['field']}" for d in details or []] or [message]))
        for outcome, id, message, details in found
    )


def announced(
    connection: Connection[Any], known: Mapping, promise: dict[str, list[dict[str, Any]]]
) -> list[tuple[str, ...]]:
    """The same, as it is promised."""
    columns = catalog.read(connection, known.table).columns
    said: list[tuple[str, ...]] = []
    for word, promised in promise.items():
        for row in promised:
            match word:
                case "not added":
                    reasons = [f"{row['reason']} {field}" for field in row["fields"]]
                case "duplicate":
                    labels = " and ".join(columns[field].label for field in row["fields"])
                    reasons = [f"The CRM has a record with the same {labels}."]
                case "excluded":
                    reasons = [f"{row['because'][0].upper()}{row['because'][1:]}."]
                case _:
                    raise AssertionError(f"no such promise: {word}")
            said.append((word.replace(" ", "_"), str(row["id"]), *reasons))
    return sorted(said)
