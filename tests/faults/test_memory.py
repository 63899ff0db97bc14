"""D39: a record that is huge takes no more memory than many usual ones."""

import multiprocessing
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from benchmarks.load import MOST_MEMORY
from benchmarks.mirror import peak
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    item,
    load_rows,
    mirror,
    one,
    products,
    stage_rows,
    sync,
)
from tests.integration.documents import invoice, known, line

RUN = Run("sample", REALM, "run-2")


@pytest.mark.slow
def test_invoices_of_twelve_hundred_lines_take_no_more_memory_than_others(
    connection: Connection[Any], database_url: str
) -> None:
    lines = [line(f"Line {n}", "5", Amount=n) for n in range(1_200)]
    sync(connection, known(), item("5"))
    mirror(connection, RUN, *(invoice(str(id), *lines) for id in range(200)))

    needed = _in_a_process_of_its_own(database_url, "documents", known())

    told = "SELECT count(*) FROM crm.invoice_lines WHERE product_id IS NOT NULL"
    assert one(connection, told) == 200 * 1_200
    assert needed < MOST_MEMORY


@pytest.mark.slow
def test_records_of_five_hundred_fields_take_no_more_memory_than_others(
    connection: Connection[Any], database_url: str
) -> None:
    many = [{"Name": f"Field {n}", "StringValue": f"Value {n}"} for n in range(500)]
    mapped = products(fields="description: {from: 'CustomField[Name=Field 499].StringValue'}")
    sync(connection, mapped, item("5"))
    mirror(connection, RUN, *(item(str(id), CustomField=many) for id in range(100, 2_100)))

    needed = _in_a_process_of_its_own(database_url, "products", mapped)

    told = "SELECT count(*) FROM crm.products WHERE description = 'Value 499'"
    assert one(connection, told) == 2_000
    assert needed < MOST_MEMORY


def _in_a_process_of_its_own(database: str, module: str, mapped: Any) -> float:
    texts = {name: mapping.text for name, mapping in mapped.items()}
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(brought_in, (database, module, texts))


def brought_in(database: str, module: str, texts: dict[str, str]) -> float:
    """Shape and load a module's records; the most memory that this process has needed so far, in
    megabytes."""
    mapped = parse_all(texts)
    with psycopg.connect(database, autocommit=True) as connection:
        stage_rows(connection, RUN, mapped[module])
        load_rows(connection, RUN, mapped, module)
    return peak()
