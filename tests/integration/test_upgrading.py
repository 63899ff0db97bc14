"""A database that an older version has filled goes on as if this version had filled it.

`database_of_0063.json` has what syncs, an undo, and people who worked in the CRM meanwhile, left in
a database when 0063 was the newest migration: mappings, and all rows, written by the code of that
time. It is never made anew: what an older version has written, every later one must bear.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from demo.postgres import Server
from quickbooks_crm import database
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.quoting import take_any_name
from tests.integration.crm import End, Record, customer, item, one, rows, sync
from tests.integration.undo import bring_all, release, undo

HERE = Path(__file__).resolve().parent
OLDER = json.loads((HERE / "database_of_0063.json").read_text(encoding="utf-8"))
TABLES = ("products", "accounts", "contacts")
MISCOUNTED = """
    SELECT run_id, module FROM sync.activity AS told
     WHERE read <> (
           SELECT count(*) FROM sync.outcome AS own
            WHERE (own.realm, own.run_id, own.module) = (told.realm, told.run_id, told.module))"""
READ_AGAIN = [
    End("1", "duplicate", "check_fields"),
    End("3", "unchanged"),
    End("4", "unchanged"),
    End("5", "updated"),  # a person wrote into what is QuickBooks'
    End("6", "unchanged"),
    End("8", "not_added", "invalid_value"),
    *[End(id, "unchanged") for id in ("11", "12", "13", "14")],
    End("11", "unchanged"),
    End("12", "added"),  # a person deleted it from the CRM
    End("13", "unchanged"),
    End("14", "excluded", "excluded_by_mapping"),
]
"""How all records end that nobody has undone, when QuickBooks sends them as they were."""


@pytest.fixture
def older(server: Server) -> Iterator[Connection[Any]]:
    """A database as the older version has left it."""
    name = f"older_{os.getpid()}"
    with psycopg.connect(server.create_database(name), autocommit=True) as connection:
        take_any_name(connection)
        _made_by_older(connection)
        yield connection
    server.drop_database(name)


@pytest.fixture
def upgraded(older: Connection[Any]) -> Connection[Any]:
    database.migrate(older)
    database.install_crm(older, HERE.parents[1] / "include" / "crm")
    return older


@pytest.fixture
def known() -> dict[str, Mapping]:
    return parse_all(OLDER["mappings"])


def _made_by_older(connection: Connection[Any]) -> None:
    """Its schema, by the migrations that it had, which nobody changes; then its rows."""
    every = database._migrations()
    with connection.transaction():
        connection.execute(database.statements("database")["migration_table"])
        for name in filter("0064".__gt__, every):
            connection.execute(every[name].encode())
            applied = {"name": name, "hash": database._hash(name)}
            connection.execute(database.statements("database")["applied"], applied)
    database.install_crm(connection, HERE.parents[1] / "include" / "crm")
    for table, found in OLDER["rows"].items():
        _put(connection, table, found)
    for sequence, value in OLDER["sequences"].items():
        connection.execute("SELECT setval(%s, %s)", [sequence, value])


def _put(connection: Connection[Any], table: str, found: list[dict[str, Any]]) -> None:
    columns = ", ".join(f'"{name}"' for name in dict.fromkeys(n for row in found for n in row))
    connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
    connection.execute(
        f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns}"
        f" FROM jsonb_populate_recordset(NULL::{table}, %s)".encode(),
        [Jsonb(found)],
    )
    connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


def crm(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """What the CRM holds, but for what its triggers note of changes."""
    image = "SELECT to_jsonb(c.*) - 'updated_at' FROM crm.{} AS c ORDER BY id"
    return [row for table in TABLES for row in rows(connection, image.format(table))]


def all_again(connection: Connection[Any]) -> list[Record]:
    """All that the mirror has and nobody has undone, as QuickBooks sends it when it is asked for
    all."""
    query = """
        SELECT entity, id, payload, deleted FROM quickbooks.record AS read
         WHERE NOT EXISTS (SELECT FROM sync.held
                            WHERE reason = 'undone' AND (entity, id) = (read.entity, read.id))
         ORDER BY entity, id"""
    return [Record(*row) for row in rows(connection, query)]


def test_an_upgrade_changes_no_row_of_the_crm_and_no_link(older: Connection[Any]) -> None:
    links = "SELECT module, id, record_key, written FROM sync.link ORDER BY module, id"
    before = crm(older), rows(older, links)

    assert "0064_who_wrote_what" in database.migrate(older)

    assert (crm(older), rows(older, links)) == before


def test_the_first_sync_after_an_upgrade_has_nothing_to_do_where_nothing_changed(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    """Other versions of Postgres than the 18 that made these rows say the rules of a table in other
    words: there a record that is not added is tried once."""
    before = crm(upgraded)
    tried = [End("8", "not_added", "invalid_value")]

    assert sync(upgraded, known) == ([] if upgraded.info.server_version // 10_000 == 18 else tried)
    assert sync(upgraded, known) == []

    assert crm(upgraded) == before


def test_all_records_read_again_after_an_upgrade_end_by_the_rules(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    assert sync(upgraded, known, *all_again(upgraded)) == READ_AGAIN

    valve = "SELECT description FROM crm.products WHERE quickbooks_product_id = '3'"
    assert one(upgraded, valve) == "By hand"
    assert one(upgraded, "SELECT code FROM crm.products WHERE quickbooks_product_id = '5'") == "C"
    assert rows(upgraded, MISCOUNTED) == []


def test_a_replay_after_an_upgrade_leaves_alone_what_was_undone_before(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    assert bring_all(upgraded, known, "replay") == READ_AGAIN

    undone = "SELECT name FROM crm.products WHERE quickbooks_product_id = '2'"
    assert one(upgraded, undone) == "Pump 2"


def test_a_run_from_before_an_upgrade_is_undone_and_done_again(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    after = crm(upgraded)

    undone = undo(upgraded, known, "last", "back")

    assert undone == [End("3", "updated"), End("6", "removed"), End("14", "updated")]
    assert rows(upgraded, "SELECT name FROM crm.products WHERE price = 8") == []
    assert undo(upgraded, known, "back") == [
        End("3", "updated"),
        End("6", "added"),
        End("14", "updated"),
    ]
    assert crm(upgraded) == after


def test_an_undo_from_before_an_upgrade_is_undone(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    assert undo(upgraded, known, "undone") == [End("2", "updated"), End("9", "added")]

    pump = "SELECT name FROM crm.products WHERE quickbooks_product_id = '2'"
    assert one(upgraded, pump) == "Wrong"


def test_what_was_undone_before_an_upgrade_comes_in_by_a_retry(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    assert release(upgraded, known, "undone", "retry") == [End("2", "updated"), End("9", "added")]


def test_what_an_older_version_held_back_or_left_open_comes_in_when_it_can(
    upgraded: Connection[Any], known: dict[str, Mapping]
) -> None:
    upgraded.execute("DELETE FROM crm.products WHERE name = 'Hose'")

    ended = sync(upgraded, known, item("8", Name="Wrong price", UnitPrice=3), customer("99"))

    assert ended == [
        End("1", "added"),
        End("8", "added"),
        End("99", "added"),
        End("99", "excluded", "excluded_by_mapping"),
    ]
    parent = """
        SELECT parent.name FROM crm.accounts AS child
          JOIN crm.accounts AS parent ON parent.id = child.parent_id
         WHERE child.quickbooks_customer_id = '13'"""
    assert one(upgraded, parent) == "Customer 99"
    assert rows(upgraded, "SELECT id FROM sync.parked") == []
