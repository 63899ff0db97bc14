"""The promises of the mappings in include/mappings/, tests/mappings/*.yaml. SQL that stands beside
them, *.sql, makes the tables of a CRM of another make first."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from demo import postgres
from quickbooks_crm.mapping import load
from tests import promises

PROJECT = Path(__file__).resolve().parents[2]
MAPPINGS = PROJECT / "include" / "mappings"
PROMISES = PROJECT / "tests" / "mappings"
OWN = PROJECT / "tests" / "acceptance" / "own_crm"
OF_OTHERS = promises.read((OWN / "promises").glob("*.yaml"))
SHIPPED = promises.read(PROMISES.glob("*.yaml"))


@pytest.mark.parametrize(("module", "name"), SHIPPED)
def test_the_mapping_keeps_its_promise(
    database_url: str, connection: Connection[Any], module: str, name: str
) -> None:
    promises.run(database_url, sorted(PROMISES.glob("*.sql")))

    promises.keep(connection, load(MAPPINGS), module, SHIPPED[module, name])


def test_every_mapping_makes_promises() -> None:
    assert {module for module, _ in SHIPPED} == set(load(MAPPINGS))


@pytest.mark.parametrize(("module", "name"), OF_OTHERS)
def test_a_mapping_to_a_crm_of_another_make_keeps_its_promise(
    database_url: str, connection: Connection[Any], module: str, name: str
) -> None:
    promises.run(database_url, [OWN / "tables.sql", OWN / "prepare.sql"])

    promises.keep(connection, load(OWN / "mappings"), module, OF_OTHERS[module, name])


def test_the_tables_of_another_make_may_be_a_dump_of_its_schema(
    database_url: str, connection: Connection[Any], tmp_path: Path
) -> None:
    promises.run(database_url, [OWN / "tables.sql", OWN / "prepare.sql"])
    dump = tmp_path / "tables.sql"
    words = ["--schema-only", "--no-owner", "--no-privileges", "--schema=desk"]
    subprocess.run(
        [postgres.psql().with_name("pg_dump"), *words, f"--file={dump}", database_url], check=True
    )
    connection.execute("DROP SCHEMA desk CASCADE")
    connection.commit()

    promises.run(database_url, [dump])

    for (module, _), promise in OF_OTHERS.items():
        if module == "bills":
            promises.keep(connection, load(OWN / "mappings"), module, promise)
