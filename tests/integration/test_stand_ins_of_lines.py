"""References in a document's lines mean what stands in, as those of its header do."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import stand_ins
from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import REALM, End, Record, customer, item, rows, sync
from tests.integration.documents import DOCUMENTS, REFERRED, known, line
from tests.integration.documents import invoice as document
from tests.integration.test_stand_ins import ACCOUNTS, child, inactive

MERGED = ("Item", "1", "2")
OF_CUSTOMER = "{from: CustomerRef.value, refers: accounts}"
BELONGS = """
    SELECT line.position, account.quickbooks_customer_id FROM crm.invoice_lines AS line
      LEFT JOIN crm.accounts AS account ON account.id = line.account_id ORDER BY position"""


def merged(connection: Connection[Any]) -> None:
    """The first product was merged into the second."""
    stand_ins.tell_merge(connection, REALM, MERGED, "ann")


def test_a_line_of_a_product_that_was_merged_away_means_the_survivor_from_then_on(
    connection: Connection[Any],
) -> None:
    lines = [line("A", "1"), line("B", "2"), line("C")]
    sync(connection, known(), item("1"), item("2"), document("7", *lines), document("8"))
    merged(connection)

    ended = sync(connection, known(), item("1", Active=False))

    assert ended == [End("1", "updated"), End("7", "updated")]
    assert rows(connection, REFERRED) == [("Item 2",), ("Item 2",), (None,)]
    assert sync(connection, known()) == []


def test_a_new_line_of_a_product_that_was_merged_away_means_the_survivor(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), item("1", Active=False), item("2"))
    merged(connection)

    sync(connection, known(), document("7", line("A", "1")))

    assert rows(connection, REFERRED) == [("Item 2",)]


def test_who_tells_a_merge_sees_how_many_documents_have_lines_that_refer_to_it(
    connection: Connection[Any],
) -> None:
    lines = [line("A", "1"), line("B", "1")]
    sync(connection, known(), item("1"), document("7", *lines), document("8", line("C", "2")))

    with connection.transaction():
        found = stand_ins.referring(connection, known(), REALM, "Item", "1")

    assert found == {"documents": 1}


def by_customer() -> dict[str, Mapping]:
    """Documents whose lines belong to an account."""
    of_product = "{from: SalesItemLineDetail.ItemRef.value, refers: products}"
    text = DOCUMENTS.replace(f"product_id:  {of_product}", f"account_id:  {OF_CUSTOMER}")
    return parse_all({"accounts": ACCOUNTS, "documents": text})


def of_customer(id: str) -> Record:
    return document("7", line("A") | {"CustomerRef": {"value": id}})


@pytest.fixture
def crm(connection: Connection[Any]) -> Connection[Any]:
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD account_id bigint REFERENCES crm.accounts (id)"
    )
    return connection


def test_a_line_of_a_sub_customer_that_is_rolled_up_means_its_topmost_parent(
    crm: Connection[Any],
) -> None:
    sub = [customer("1"), customer("4"), child("2", "1")]
    sync(crm, by_customer(), *sub, of_customer("2"), child_accounts="roll_up")
    assert rows(crm, BELONGS) == [(1, "1")]

    sync(crm, by_customer(), child("2", "4"), child_accounts="roll_up")

    assert rows(crm, BELONGS) == [(1, "4")]


def test_a_merge_that_was_taken_back_no_longer_moves_lines(crm: Connection[Any]) -> None:
    sync(crm, by_customer(), inactive("1"), customer("2"), of_customer("1"))
    merge = ("Customer", "1", "2")
    stand_ins.tell_merge(crm, REALM, merge, "ann")
    sync(crm, by_customer())
    assert rows(crm, BELONGS) == [(1, "2")]

    assert stand_ins.take_back(crm, REALM, merge)
    ended = sync(crm, by_customer())

    assert ended == [End("1", "updated"), End("7", "updated")]
    assert rows(crm, BELONGS) == [(1, "1")]
    assert sync(crm, by_customer()) == []
