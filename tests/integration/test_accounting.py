"""A load counts anew what it has stored, and commits only what adds up."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.errors import DoesNotAddUp
from quickbooks_crm.mapping import parse_all
from tests.integration.crm import count, item, mapping, products, sync
from tests.integration.own_tables import into, own, things

__all__ = ["own"]

STATED = ("sync.outcome", "sync.activity", "sync.link", "sync.held", "sync.module_position")


def on_write(connection: Connection[Any], table: str, event: str, act: str) -> None:
    """Something else that acts whenever a row of a table is written."""
    connection.execute(
        f"CREATE FUNCTION pg_temp.interfere() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN {act}; RETURN NULL; END $$".encode()
    )
    connection.execute(
        f"CREATE TRIGGER interfere AFTER {event} ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION pg_temp.interfere()".encode()
    )


@pytest.mark.parametrize(
    ("table", "act", "what"),
    [
        ("crm.t", "DELETE FROM crm.t WHERE id = NEW.id", "records in the CRM and linked"),
        ("sync.link", "DELETE FROM sync.link WHERE id = NEW.id", "records in the CRM and linked"),
        ("sync.outcome", "DELETE FROM sync.outcome WHERE id = NEW.id", "records with an outcome"),
        (
            "sync.activity",
            "UPDATE sync.activity SET read = read + 1, added = added + 1 WHERE read = 2",
            "records counted in the activity: 2 wanted, 3 found",
        ),
        (
            "sync.activity",
            "UPDATE sync.activity SET added = added - 1, removed = removed + 1 WHERE removed = 0",
            "outcomes counted in the activity: 2 wanted, 1 found",
        ),
        (
            "sync.link",
            "UPDATE sync.link SET record_key = (SELECT min(record_key) FROM sync.link)"
            " WHERE id = NEW.id",
            "records of this load in the CRM: 2 wanted, 1 found",
        ),
    ],
)
def test_what_is_lost_after_it_was_written_stops_the_load(
    connection: Connection[Any], table: str, act: str, what: str
) -> None:
    connection.execute("CREATE TABLE crm.t (id serial PRIMARY KEY, quickbooks_id text, name text)")
    known = parse_all({"things": mapping("crm.t")})
    on_write(connection, table, "INSERT", act)

    with pytest.raises(DoesNotAddUp, match=what):
        sync(connection, known, item("1"), item("2"))

    assert {name: count(connection, name) for name in ("crm.t", *STATED)} == dict.fromkeys(
        ("crm.t", *STATED), 0
    )


def test_a_row_that_is_held_back_for_no_reason_that_is_counted_stops_the_load(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("1", Name="Hose"))
    forgets = "UPDATE sync.activity SET reasons = '[]' WHERE reasons <> '[]'"
    on_write(connection, "sync.activity", "UPDATE OF reasons", forgets)

    with pytest.raises(DoesNotAddUp, match="reasons counted in the activity: 1 wanted, 0 found"):
        sync(connection, products(), item("2", Name="hose"))

    assert count(connection, "sync.activity") == 1


def test_a_row_that_is_held_back_and_not_noted_stops_the_load(connection: Connection[Any]) -> None:
    sync(connection, products(), item("1", Name="Hose"))
    on_write(connection, "sync.held", "INSERT", "DELETE FROM sync.held WHERE id = NEW.id")

    with pytest.raises(DoesNotAddUp, match="records held back: 1 wanted, 0 found"):
        sync(connection, products(), item("2", Name="hose"))

    assert count(connection, "sync.activity") == 1


def test_a_record_that_is_held_back_although_it_came_in_stops_the_load(
    connection: Connection[Any],
) -> None:
    holds = (
        "INSERT INTO sync.held (realm, module, entity, id, outcome, reason, mapping_hash, run_id)"
        " VALUES (NEW.realm, NEW.module, NEW.entity, NEW.id, 'duplicate', 'check_fields', '', '')"
    )
    on_write(connection, "sync.outcome", "INSERT", holds)

    with pytest.raises(DoesNotAddUp, match="held back and no others: 0 wanted, 1 found"):
        sync(connection, products(), item("1"))

    assert count(connection, "crm.products") == count(connection, "sync.held") == 0


def test_two_records_of_which_the_crm_makes_one_stop_the_load(own: Connection[Any]) -> None:
    things(own, "")
    own.execute(
        "ALTER TABLE own.things RENAME TO base; CREATE VIEW own.things AS SELECT * FROM own.base;"
        "CREATE FUNCTION own.one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.id := coalesce((SELECT min(id) FROM own.base), NEW.id);"
        " INSERT INTO own.base SELECT NEW.* ON CONFLICT DO NOTHING; RETURN NEW; END $$;"
        "CREATE TRIGGER one INSTEAD OF INSERT ON own.things FOR EACH ROW EXECUTE FUNCTION own.one()"
    )

    with pytest.raises(DoesNotAddUp, match="added, each once: 2 wanted, 1 found"):
        sync(own, into(), item("1"), item("2"))

    assert count(own, "own.base") == 0
