"""The reference CRM in a real Postgres: it installs, and the shipped mappings fit it."""

from pathlib import Path
from typing import Any

import psycopg

from quickbooks_crm import database
from quickbooks_crm.mapping import load

INCLUDE = Path(__file__).resolve().parents[2] / "include"

COLUMNS = """
    SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'crm' AND table_name IN ('users', 'products', 'accounts', 'contacts')"""
LABELS = "SELECT table_name, column_name FROM crm.form_field"
LONGEST_NAME = "\U0001f600" * 500


def test_installing_twice_changes_nothing_and_keeps_a_label_that_somebody_changed(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute(
        "UPDATE crm.form_field SET label = 'Firm' WHERE column_name = 'company_name'"
    )
    before = connection.execute("SELECT * FROM crm.form_field ORDER BY 1, 2").fetchall()

    database.install_crm(connection, INCLUDE / "crm")

    after = connection.execute("SELECT * FROM crm.form_field ORDER BY 1, 2").fetchall()
    assert after == before


def test_every_column_has_a_label(connection: psycopg.Connection[Any]) -> None:
    columns = set(connection.execute(COLUMNS).fetchall())

    assert set(connection.execute(LABELS).fetchall()) == columns


def test_every_shipped_mapping_fills_columns_that_exist(
    connection: psycopg.Connection[Any],
) -> None:
    columns = set(connection.execute(COLUMNS).fetchall())

    mapped = {
        (mapping.table, column)
        for mapping in load(INCLUDE / "mappings").values()
        for column in (*mapping.fields, *([mapping.company] if mapping.company else []))
    }

    assert mapped - columns == set()


def test_the_longest_name_quickbooks_allows_fits_and_can_be_searched(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("INSERT INTO crm.accounts (name) VALUES (%s)", [LONGEST_NAME])

    found = connection.execute(
        "SELECT name FROM crm.accounts WHERE sync.normal(name) = sync.normal(%s)", [LONGEST_NAME]
    ).fetchone()

    assert found == (LONGEST_NAME,)


def test_a_record_belongs_to_one_company_once_and_to_no_company_as_often_as_people_like(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('a', 'A'), ('b', 'B')")

    connection.execute(
        """INSERT INTO crm.products (company_id, name, quickbooks_product_id)
           VALUES ('a', 'Pump', '1'), ('b', 'Pump', '1'), (NULL, 'Pump', '1'), (NULL, 'Pump', '1')
           ON CONFLICT (company_id, quickbooks_product_id) DO NOTHING"""
    )

    assert connection.execute("SELECT count(*) FROM crm.products").fetchone() == (4,)


def test_updated_at_moves_only_when_something_changes(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute(
        "INSERT INTO crm.products (name, updated_at) VALUES ('same', 'epoch'), ('new', 'epoch')"
    )

    connection.execute("UPDATE crm.products SET price = CASE name WHEN 'new' THEN 1 END")

    moved = connection.execute("SELECT name FROM crm.products WHERE updated_at > 'epoch'")
    assert moved.fetchall() == [("new",)]


def test_an_account_outlives_its_parent(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO crm.accounts (id, name) VALUES (1, 'parent')")
    connection.execute("INSERT INTO crm.accounts (id, name, parent_id) VALUES (2, 'child', 1)")

    connection.execute("DELETE FROM crm.accounts WHERE id = 1")

    assert connection.execute("SELECT name, parent_id FROM crm.accounts").fetchall() == [
        ("child", None)
    ]
