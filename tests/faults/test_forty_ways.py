"""One row in a hundred is bad in each of forty ways: every good row loads, and every bad one ends
with the right reason."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.records import Record, envelope_of, page_of
from quickbooks_crm.runs import Run
from tests.integration.crm import REALM, count, load_rows, one, ready, rows, stage_rows

GOOD = 10_000
EACH = 100  # of 10,000: one in a hundred

TABLE = """
    CREATE SCHEMA own;
    CREATE TYPE own.mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN own.short AS text CHECK (length(VALUE) < 4);
    CREATE TABLE own.regions (code text PRIMARY KEY);
    INSERT INTO own.regions VALUES ('north'), ('south');
    CREATE TABLE own.things (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        quickbooks_id text, code text, name varchar(200) NOT NULL,
        amount numeric(18, 2), pieces integer, weight double precision, so boolean,
        since date, at timestamptz, hour time, mood own.mood, token uuid, email text,
        brief own.short, tags text[], place inet, notes text, found text,
        badge text UNIQUE, region text REFERENCES own.regions, room int4range,
        parent_id bigint REFERENCES own.things,
        EXCLUDE USING gist (room WITH &&), CHECK (amount >= 0));
    CREATE INDEX ON own.things (sync.normal(code));
    CREATE INDEX ON own.things (sync.normal(name));
    CREATE INDEX ON own.things (sync.normal(quickbooks_id));
    CREATE INDEX ON own.things (found);
    CREATE FUNCTION own.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.notes = 'raise' THEN RAISE EXCEPTION 'no such notes'; END IF;
        IF NEW.notes = 'drop' THEN RETURN NULL; END IF;
        IF NEW.notes = 'divide' THEN NEW.amount := 1 / 0; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON own.things
        FOR EACH ROW EXECUTE FUNCTION own.guard();
    INSERT INTO own.things (name, code, badge, room) VALUES
        ('Twin one', 'TWIN', 'taken', '[5,9)'), ('Twin two', 'twin ', NULL, NULL),
        ('Known by  NAME', NULL, NULL, NULL)"""
MAPPING = """\
entities: [Item]
table: own.things
exclude: [{where: {Type: Category}, because: it is a folder}]
import: {key: code, check: [name]}
fields:
  quickbooks_id: {from: Id}
  code: {from: Code}
  name: {from: Name}
  amount: {from: Amount}
  pieces: {from: Pieces}
  weight: {from: Weight}
  so: {from: So}
  since: {from: Since}
  at: {from: At}
  hour: {from: Hour}
  mood: {from: Mood}
  token: {from: Token}
  email: {from: Email, kind: email}
  brief: {from: Brief}
  tags: {from: Tags}
  place: {from: Place}
  notes: {from: Notes}
  found: {from: Found}
  badge: {from: Badge}
  region: {from: Region}
  room: {from: Room}
"""
FINE: dict[str, Any] = {
    "Amount": 12.5,
    "Pieces": 3,
    "Weight": 0.1,
    "So": True,
    "Since": "2024-02-29",
    "At": "2024-03-10T02:30:00-08:00",
    "Hour": "23:59",
    "Mood": "sad",
    "Token": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "Email": "one@example.com, two@example.com",
    "Brief": "abc",
    "Tags": "{a,b}",
    "Place": "10.0.0.1",
    "Notes": "Fine\nnotes",
    "Region": "north",
}


@dataclass(frozen=True)
class Way:
    """How a row is bad, and how it must end: outcome, reason, and a part of what is said."""

    how: str
    end: tuple[str, str]
    said: str
    fields: dict[str, Any] = field(default_factory=dict)


def invalid(how: str, said: str, **fields: Any) -> Way:
    return Way(how, ("not_added", "invalid_value"), said, fields)


def missing(how: str, name: Any) -> Way:
    end = ("not_added", "missing_required")
    return Way(how, end, "Name is required but blank in QuickBooks.", {"Name": name})


def refused(how: str, said: str, **fields: Any) -> Way:
    return Way(how, ("not_added", "refused_by_table"), said, fields)


WAYS = [
    missing("no name", None),
    missing("an empty name", ""),
    missing("a name of spaces", " \t\u00a0"),
    missing("a name of zero width", "\u200b\u2060"),
    missing("a name of variation selectors and tags", "\ufe0f \U000e0041\u034f"),
    invalid("a name too long", "is longer than 200 characters", Name="x" * 201),
    invalid("an object for a name", "is not a single value", Name={"first": "A"}),
    invalid("a list for a name", "is not a single value", Name=["A", "B"]),
    invalid("an amount that is none", "is not a number", Amount="much"),
    invalid("not a number", "is not a number", Amount="NaN"),
    invalid("a number without end", "is not a number", Amount="-Infinity"),
    invalid("an amount too large", "is too large", Amount=10**20),
    invalid("an amount of three places", "has more than 2 decimal places", Amount=1.005),
    invalid("an object for an amount", "is not a single value", Amount={"value": 1}),
    invalid("a half piece", "is not a whole number", Pieces=5.5),
    invalid("too many pieces", "is too large", Pieces=2**31),
    invalid("neither true nor false", "is neither true nor false", So="yes"),
    invalid("a day that never was", "is not a date", Since="2023-02-29"),
    invalid("a day of nought", "is not a date", Since="0000-00-00"),
    invalid("a day written otherwise", "is not a date", Since="31/12/2024"),
    invalid("a day that Postgres knows", "is not a date", Since="infinity"),
    invalid("a moment that Postgres knows", "is not a moment", At="now"),
    invalid("a moment without a time", "is not a moment", At="2024-01-01"),
    invalid("a mood that is none", "is none of happy, sad", Mood="hungry"),
    invalid("a token that is none", "is not a UUID", Token="a0eebc99"),
    invalid("an address that is none", "is not an e-mail address", Email="one at example"),
    invalid("a weight with too many digits", "has more digits than", Weight="9" * 400),
    invalid("an hour too late", "is not a time", Hour="25:00"),
    refused("not brief", 'check constraint "short_check"', Brief="abcdef"),
    refused("tags that are none", "malformed", Tags="a list"),
    refused("nowhere", "invalid input syntax for type inet", Place="nowhere"),
    refused("an amount below nought", 'check constraint "things_amount_check"', Amount=-1),
    refused("a badge that is taken", 'unique constraint "things_badge_key"', Badge="taken"),
    refused("a region unknown", 'foreign key constraint "things_region_fkey"', Region="west"),
    refused("a room that is taken", "exclusion constraint", Room="[8,10)"),
    refused("what a trigger raises", "no such notes", Notes="raise"),
    refused("what a trigger breaks at", "division by zero", Notes="divide"),
    refused("what a trigger leaves out", "without saying why", Notes="drop"),
    refused("too long for an index", "index row", Found="".join(f"{n:x}" for n in range(5_000))),
    Way("a key of two", ("not_added", "ambiguous_key"), "2 CRM records", {"Code": " Twin"}),
    Way("a name known", ("duplicate", "check_fields"), "same Name", {"Name": "known by name"}),
    Way("a name twice", ("duplicate", "same_in_batch"), "record 1 is the same", {"Name": "Good 1"}),
    Way("left out", ("excluded", "excluded_by_mapping"), "It is a folder.", {"Type": "Category"}),
]
ODD = {
    "NUL": {"Notes": "before\0after"},
    "half a character": {"Notes": "before\ud800after"},
    "control characters": {"Notes": "\x01\x1b[31m\x7f"},
    "markup": {"Notes": "'; DROP TABLE own.things; --<script>{{ 7 * 7 }}"},
    "a formula": {"Notes": '=HYPERLINK("http://example.com")'},
    "written from the right": {"Notes": "\u202eabc \U0001f600e\u0301"},
    "nested ever deeper": {"Deep": json.loads('{"a":' * 400 + "1" + "}" * 400)},
    "long notes": {"Notes": "x" * 50_000},
    "fields that nobody knows": {"Amount2": [1, {"a": None}], "": 1},
}
"""What is strange, and good all the same."""


def things() -> dict[str, Mapping]:
    return parse_all({"things": MAPPING})


def company() -> list[dict[str, Any]]:
    """The good rows first, then as many of each kind of bad ones, and the strange ones."""
    good = [{"Id": str(n), "Name": f"Good {n}", **FINE} for n in range(1, GOOD + 1)]
    bad = [
        {**FINE, "Id": f"{way} {n}", "Name": f"Bad {way} {n}", **WAYS[way].fields}
        for way in range(len(WAYS))
        for n in range(EACH)
    ]
    odd = [{**FINE, "Id": how, "Name": how, **fields} for how, fields in ODD.items()]
    return [*good, *bad, *odd]


def sent(records: list[dict[str, Any]]) -> list[Record]:
    """The records as the reader of QuickBooks' answers gives them."""
    answer = {"QueryResponse": {"Item": records}, "time": "2026-03-01T12:00:00Z"}
    envelope = envelope_of(json.dumps(answer).encode())
    assert envelope
    return page_of(envelope).records


@pytest.fixture
def loaded(connection: Connection[Any]) -> Connection[Any]:
    """The CRM after a load of all of them."""
    connection.execute(TABLE.encode())
    ready(connection)
    run = Run("sample", REALM, "run-1")
    runs.start(connection, run, "manual", None)
    runs.take_lease(connection, run)
    attempt = runs.attempt(connection, run, "extract")
    Mirror(connection, attempt).write(sent(company()))
    connection.execute("UPDATE sync.generation SET sealed_at = now()")
    stage_rows(connection, run, things()["things"])
    load_rows(connection, run, things(), "things")
    return connection


def test_every_good_row_loads_and_every_bad_row_has_the_right_reason(
    loaded: Connection[Any],
) -> None:
    ends: dict[int, Counter[tuple[str, str, bool]]] = {n: Counter() for n in range(len(WAYS))}
    for id, outcome, reason, message in rows(loaded, BAD):
        way = int(id.split()[0])
        ends[way][outcome, reason, WAYS[way].said in (message or "")] += 1

    assert {WAYS[way].how: dict(ends[way]) for way in ends} == {
        way.how: {(*way.end, True): EACH} for way in WAYS
    }
    assert len(WAYS) >= 40
    assert count(loaded, "own.things") == 3 + GOOD + len(ODD)
    assert one(loaded, "SELECT count(*) FROM sync.link") == GOOD + len(ODD)
    assert one(loaded, FINE_ONES) == GOOD
    assert one(loaded, "SELECT read FROM sync.activity") == GOOD + len(ODD) + EACH * len(WAYS)


BAD = "SELECT id, outcome, reason, message FROM sync.outcome WHERE id ~ '^[0-9]+ [0-9]+$'"
FINE_ONES = """
    SELECT count(*) FROM own.things
     WHERE name LIKE 'Good %' AND (amount, pieces, weight, so, since, hour, mood, brief, region)
         = (12.5, 3, 0.1, true, '2024-02-29', '23:59', 'sad', 'abc', 'north')
       AND at = '2024-03-10T10:30:00Z' AND tags = '{a,b}' AND notes = E'Fine\\nnotes'"""
