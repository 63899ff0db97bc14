"""Postgres looks at the CRM's tables before it plans how to join them."""

from typing import Any

from psycopg import Connection, Rollback

from tests.integration.crm import item, products, sync
from tests.integration.documents import invoice, known, line
from tests.integration.undo import undo

SEEN = "SELECT reltuples::int FROM pg_class WHERE oid = %s::regclass"
MANY = range(1, 1201)


def seen(connection: Connection[Any], table: str) -> int:
    """How many records Postgres knows of; -1 when it has never looked."""
    [(records,)] = connection.execute(SEEN, [table]).fetchall()
    return int(records)


def looks_at_nothing_by_itself(connection: Connection[Any]) -> None:
    for table in ("products", "invoices", "invoice_lines"):
        connection.execute(f"ALTER TABLE crm.{table} SET (autovacuum_enabled = off)")
    connection.commit()


def test_a_load_has_postgres_look_at_what_the_one_before_it_has_filled(
    connection: Connection[Any],
) -> None:
    looks_at_nothing_by_itself(connection)
    sync(connection, products(), *(item(str(n)) for n in MANY))
    assert seen(connection, "crm.products") == -1

    sync(connection, products(), item("1", Name="Another"))
    assert seen(connection, "crm.products") == len(MANY)

    sync(connection, products(), *(item(str(n)) for n in range(2000, 2100)))
    sync(connection, products(), item("1", Name="A third"))
    assert seen(connection, "crm.products") == len(MANY), "it has not grown much"


def test_an_undo_does_so_too_and_of_lines_as_well(connection: Connection[Any]) -> None:
    looks_at_nothing_by_itself(connection)
    many = (invoice(str(n), line("A"), line("B")) for n in MANY)
    sync(connection, known(), *many, run_id="wrong")

    undo(connection, known(), "wrong")

    assert seen(connection, "crm.invoices") == len(MANY)
    assert seen(connection, "crm.invoice_lines") == 2 * len(MANY)


def test_a_load_does_so_with_what_it_has_added_where_a_table_was_found_empty(
    connection: Connection[Any],
) -> None:
    looks_at_nothing_by_itself(connection)
    with connection.transaction():
        connection.execute(
            "INSERT INTO crm.invoices (kind) SELECT 'invoice' FROM generate_series(1, 9999)"
        )
        connection.execute(
            "INSERT INTO crm.invoice_lines (invoice_id, position) SELECT id, 1 FROM crm.invoices"
        )
        raise Rollback
    connection.execute("ANALYZE crm.invoices, crm.invoice_lines")
    assert seen(connection, "crm.invoice_lines") == 0

    sync(connection, known(), *(invoice(str(n), line("A"), line("B")) for n in MANY))

    assert seen(connection, "crm.invoice_lines") == 2 * len(MANY)
    assert seen(connection, "crm.invoices") == len(MANY)
