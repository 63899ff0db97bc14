"""The reference CRM in a real Postgres: it installs, and the shipped mappings fit it."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from quickbooks_crm import database
from quickbooks_crm.mapping import load

INCLUDE = Path(__file__).resolve().parents[2] / "include"

COLUMNS = """
    SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'crm' AND table_name NOT IN ('companies', 'form_field', 'purchases')
       AND table_name NOT LIKE 'keyword%'"""
LABELS = "SELECT table_name, column_name FROM crm.form_field"
LOSING = """
    SELECT con.conrelid::regclass::text, a.attname
      FROM pg_constraint AS con
      JOIN pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)
     WHERE con.contype = 'f' AND con.confdeltype IN ('n', 'c')
       AND con.connamespace = 'crm'::regnamespace"""
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


def test_a_crm_that_was_installed_before_documents_came_gets_them(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("INSERT INTO crm.accounts (name) VALUES ('Acme')")
    connection.execute("DROP VIEW crm.purchases")
    connection.execute(
        """DROP TABLE crm.payment_applications, crm.payments, crm.invoice_lines, crm.invoices,
                      crm.quote_lines, crm.quotes"""
    )
    connection.execute("ALTER TABLE crm.accounts DROP COLUMN quickbooks_vendor_id")
    connection.execute(
        "DELETE FROM crm.form_field WHERE table_name ~ 'quote|invoice|payment' OR label ~ 'vendor'"
    )

    database.install_crm(connection, INCLUDE / "crm")

    assert connection.execute("SELECT name, quickbooks_vendor_id FROM crm.accounts").fetchall() == [
        ("Acme", None)
    ]
    assert set(connection.execute(LABELS).fetchall()) == set(connection.execute(COLUMNS).fetchall())


# What each account bought

BOUGHT = """
    SELECT account_id, product_id, currency, quantity, amount,
           first_bought_on::text, last_bought_on::text
      FROM crm.purchases ORDER BY 1, 2, 3"""


def sold(
    connection: psycopg.Connection[Any], kind: str, day: str, quantity: int, **more: Any
) -> None:
    """A document of account 1 that sells product 1, at five apiece."""
    values = {"currency": "USD", "deleted": False, "type": "SalesItemLineDetail"} | more
    connection.execute(
        """WITH document AS (
               INSERT INTO crm.invoices (company_id, account_id, kind, date, currency, deleted)
               VALUES ('a', 1, %(kind)s, %(day)s, %(currency)s, %(deleted)s) RETURNING id)
           INSERT INTO crm.invoice_lines
                       (invoice_id, position, type, product_id, quantity, amount)
           SELECT id, 1, %(type)s, 1, %(quantity)s, 5 * %(quantity)s FROM document""",
        values | {"kind": kind, "day": day, "quantity": quantity},
    )


def people_and_products(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO crm.companies (id, name, currency) VALUES ('a', 'A', 'USD')")
    connection.execute("INSERT INTO crm.accounts (id, name) VALUES (1, 'Acme')")
    connection.execute("INSERT INTO crm.products (id, name) VALUES (1, 'Pump')")


def test_what_was_taken_back_is_not_bought(connection: psycopg.Connection[Any]) -> None:
    people_and_products(connection)
    sold(connection, "invoice", "2026-01-05", 4)
    sold(connection, "sales receipt", "2026-02-05", 2)
    sold(connection, "credit memo", "2026-03-05", -1)

    bought = connection.execute(BOUGHT).fetchall()

    assert bought == [(1, 1, "USD", 5, 25, "2026-01-05", "2026-02-05")]


def test_what_was_bought_is_told_by_currency_and_without_one_it_is_the_companys(
    connection: psycopg.Connection[Any],
) -> None:
    people_and_products(connection)
    sold(connection, "invoice", "2026-01-05", 4, currency=None)
    sold(connection, "invoice", "2026-01-06", 1)
    sold(connection, "invoice", "2026-01-07", 2, currency="EUR")

    bought = [row[2:5] for row in connection.execute(BOUGHT).fetchall()]

    assert bought == [("EUR", 2, 10), ("USD", 5, 25)]


@pytest.mark.parametrize("how", [{"deleted": True}, {"type": "GroupLineDetail"}])
def test_deleted_documents_and_bundles_beside_their_parts_are_not_bought(
    connection: psycopg.Connection[Any], how: dict[str, Any]
) -> None:
    people_and_products(connection)
    sold(connection, "invoice", "2026-01-05", 4, **how)

    assert connection.execute(BOUGHT).fetchall() == []


def test_what_looks_a_record_up_finds_it_by_an_index(connection: psycopg.Connection[Any]) -> None:
    """Each column by which a mapping finds records, and each reference that is emptied or removed
    with what it refers to."""
    mappings = load(INCLUDE / "mappings").values()
    compared = {
        (m.table, f"sync.normal({c})") for m in mappings for c in (m.key, *m.check[:1]) if c
    }
    referring = set(connection.execute(LOSING).fetchall())
    connection.execute("SET enable_seqscan = off")

    for table, value in compared | referring:
        plan = connection.execute(f"EXPLAIN SELECT FROM {table} WHERE {value} = '1'".encode())
        assert "Index" in str(plan.fetchall()), (table, value)
