"""Tables with keys, names, types and triggers of their own load, and load again."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import End, count, item, mapping, outcome, rows, sync

UUID_KEY = """
    CREATE TABLE "Own"."Order" (
        "Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), quickbooks_id text, name text)"""
STRANGE = """
    CREATE TABLE "Own"."Order" (
        "Key" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, quickbooks_id text, name text,
        "Select" mood, "state" text, "id" text, "entity" text, "current" text, "new" text,
        "i" text, "tags" text[], "since" date, "so" boolean,
        "Twice" text GENERATED ALWAYS AS (name || name) STORED)"""
FIELDS = {
    "Select": "happy",
    "state": "CA",
    "id": "an id",
    "entity": "one",
    "current": "now",
    "new": "not old",
    "i": "j",
    "tags": "{a,b}",
    "since": "2024-02-29",
    "so": "true",
}


def own(fields: str = "", key: str = "quickbooks_id") -> dict[str, Mapping]:
    text = mapping("Own.Order", fields, **{"import": f"{{key: {key}}}"})
    return parse_all({"own": text})


@pytest.fixture
def schema(connection: Connection[Any]) -> None:
    connection.execute('CREATE SCHEMA "Own"')


@pytest.mark.usefixtures("schema")
def test_a_key_that_the_table_makes_itself_is_linked(connection: Connection[Any]) -> None:
    connection.execute(UUID_KEY)

    first = sync(connection, own(), item("7"), item("8"))
    second = sync(connection, own(), item("7", Name="Pump"), item("8"))

    assert first == [End("7", "added"), End("8", "added")]
    assert second == [End("7", "updated"), End("8", "unchanged")]
    assert count(connection, "Own.Order") == 2


@pytest.mark.usefixtures("schema")
def test_names_and_types_of_every_sort_load_and_load_again(connection: Connection[Any]) -> None:
    connection.execute("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    connection.execute(STRANGE)
    known = own(", ".join(f"{name}: {{from: {name}X}}" for name in FIELDS))
    record = item("7", Name="A", **{f"{name}X": value for name, value in FIELDS.items()})

    first = sync(connection, known, record)
    second = sync(connection, known, record)
    other = item("7", Name="B", stateX="NY", currentX="then", SelectX="sad", soX="false")
    third = sync(connection, known, other)

    assert (first, second) == ([End("7", "added")], [End("7", "unchanged")])
    assert third == [End("7", "updated")]
    columns = 'name, "Select"::text, state, current, new, tags, so, "Twice"'
    assert rows(connection, f'SELECT {columns} FROM "Own"."Order"') == [
        ("B", "sad", "NY", "then", None, None, False, "BB")
    ]


@pytest.mark.usefixtures("schema")
def test_a_trigger_that_gives_keys_of_its_own_is_obeyed(connection: Connection[Any]) -> None:
    connection.execute(UUID_KEY)
    connection.execute("""
        CREATE FUNCTION own_key() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW."Key" := gen_random_uuid(); RETURN NEW; END $$""")
    connection.execute("""
        CREATE TRIGGER own_key BEFORE INSERT ON "Own"."Order"
        FOR EACH ROW EXECUTE FUNCTION own_key()""")

    first = sync(connection, own(), item("7"), item("8"))
    second = sync(connection, own(), item("7"), item("8", Name="Pump"))

    assert first == [End("7", "added"), End("8", "added")]
    assert second == [End("7", "unchanged"), End("8", "updated")]


@pytest.mark.usefixtures("schema")
def test_of_two_rows_with_the_same_mapped_primary_key_one_is_refused(
    connection: Connection[Any],
) -> None:
    connection.execute(
        'CREATE TABLE "Own"."Order" ("Key" text PRIMARY KEY, quickbooks_id text, name text)'
    )

    ended = sync(connection, own("Key: {from: Sku}"), item("7", Sku="A"), item("8", Sku="A"))

    assert ended == [End("7", "added"), End("8", "not_added", "refused_by_table")]
    assert outcome(connection, "8", "record_key") == (None,)
