"""A record becomes another CRM record than it was: what refers to it follows."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import linking, one_module, stand_ins
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    REALM,
    End,
    accounts,
    by_hand,
    customer,
    item,
    one,
    outcome,
    ready,
    rows,
    sync,
)
from tests.integration.documents import invoice, line, with_customers
from tests.integration.undo import company, undo

KNOWN = with_customers()
REFERS = """
    SELECT account_id, product_id FROM crm.invoices
      JOIN crm.invoice_lines ON invoice_id = invoices.id"""
ALL = "SELECT account_id FROM crm.invoices"
OWN = "SELECT id FROM crm.accounts WHERE quickbooks_customer_id = '7'"
Settle = Callable[[Connection[Any], int], None]


def place(connection: Connection[Any], module: str, entity: str, id: str) -> Place:
    target = one_module.target(connection, KNOWN[module], company())
    return Place("sample", REALM, target, (module,), entity, id)


def of_customer(connection: Connection[Any]) -> Place:
    return place(connection, "accounts", "Customer", "7")


def acme(**fields: Any) -> Any:
    return customer("7", DisplayName="Acme", **fields)


def bought(connection: Connection[Any], *others: Any) -> list[End]:
    """An invoice of customer 7 for item 3."""
    document = invoice("1", line("A", "3"), CustomerRef={"value": "7"})
    return sync(connection, KNOWN, acme(), item("3", Name="Pump"), document, *others)


def duplicate(connection: Connection[Any]) -> int:
    """A CRM record made by hand of which customer 7 is a duplicate, and that has its invoice."""
    ready(connection)
    made = by_hand(connection, "crm.accounts", company_id="sample", name="Acme")
    bought(connection)
    assert outcome(connection, "7", "outcome") == ("duplicate",)
    assert of_invoice(connection) == made
    return made


def of_invoice(connection: Connection[Any]) -> int | None:
    found: int | None = one(connection, "SELECT account_id FROM crm.invoices")
    return found


def told_apart(connection: Connection[Any], made: int) -> None:
    linking.tell_apart(connection, of_customer(connection), str(made), "ann")


def renamed(connection: Connection[Any], made: int) -> None:
    connection.execute("UPDATE crm.accounts SET name = 'Other' WHERE id = %s", [made])
    sync(connection, KNOWN)


def renamed_in_quickbooks(connection: Connection[Any], made: int) -> None:
    sync(connection, KNOWN, customer("7", DisplayName="Acme of Ohio"))


def wrong_for_a_while(connection: Connection[Any], made: int) -> None:
    sync(connection, KNOWN, customer("7", DisplayName=""))
    sync(connection, KNOWN, customer("7", DisplayName="Acme of Ohio"))


def wrong_for_longer(connection: Connection[Any], made: int) -> None:
    sync(connection, KNOWN, customer("7", DisplayName=""))
    sync(connection, KNOWN)
    sync(connection, KNOWN, customer("7", DisplayName="Acme of Ohio"))


@pytest.mark.parametrize(
    "settle", [told_apart, renamed, renamed_in_quickbooks, wrong_for_a_while, wrong_for_longer]
)
def test_what_refers_to_a_duplicate_moves_to_its_own_record_when_it_is_none_any_more(
    connection: Connection[Any], settle: Settle
) -> None:
    settle(connection, duplicate(connection))

    sync(connection, KNOWN)

    assert of_invoice(connection) == one(connection, OWN)
    assert sync(connection, KNOWN) == []


def test_one_sync_brings_a_duplicate_that_was_told_apart_and_moves_what_refers_to_it(
    connection: Connection[Any],
) -> None:
    told_apart(connection, duplicate(connection))

    assert sync(connection, KNOWN) == [End("7", "added"), End("1", "updated")]


def test_what_refers_to_a_duplicate_moves_to_the_record_that_a_person_links_it_to(
    connection: Connection[Any],
) -> None:
    duplicate(connection)
    right = by_hand(connection, "crm.accounts", company_id="sample", name="The right one")
    linking.link(connection, of_customer(connection), str(right), "ann")

    ended = sync(connection, KNOWN)

    assert ended == [End("7", "updated"), End("1", "updated")]
    assert of_invoice(connection) == right
    assert sync(connection, KNOWN) == []


@pytest.mark.parametrize("syncs_between", [0, 1, 2])
def test_what_refers_to_a_record_stays_where_it_is_unlinked_and_moves_when_it_is_linked_to_another(
    connection: Connection[Any], syncs_between: int
) -> None:
    ready(connection)
    bought(connection)
    wrong = of_invoice(connection)
    right = by_hand(connection, "crm.accounts", company_id="sample", name="The right one")
    linking.unlink(connection, of_customer(connection), "ann")
    for _ in range(syncs_between):
        sync(connection, KNOWN)
        assert of_invoice(connection) == wrong
    connection.execute("UPDATE crm.accounts SET quickbooks_customer_id = NULL")
    linking.link(connection, of_customer(connection), str(right), "ann")

    sync(connection, KNOWN)

    assert of_invoice(connection) == right
    assert sync(connection, KNOWN) == []


@pytest.mark.parametrize("others", [[], [invoice("2", CustomerRef={"value": "7"})]])
def test_what_refers_to_a_record_that_a_person_deleted_refers_to_it_again_when_it_is_back(
    connection: Connection[Any], others: list[Any]
) -> None:
    ready(connection)
    bought(connection)
    connection.execute("DELETE FROM crm.accounts")
    connection.execute("DELETE FROM crm.products")
    sync(connection, KNOWN, *others)
    sync(connection, KNOWN)

    sync(connection, KNOWN, acme(Notes="x"), item("3", Name="Pump", Sku="x"))
    sync(connection, KNOWN)

    [product] = rows(connection, "SELECT id FROM crm.products")
    assert rows(connection, REFERS) == [(one(connection, OWN), *product)]
    assert sync(connection, KNOWN) == []


def test_a_line_of_a_product_that_was_told_apart_moves_to_its_own(
    connection: Connection[Any],
) -> None:
    ready(connection)
    made = by_hand(connection, "crm.products", company_id="sample", name="Pump")
    bought(connection)
    assert rows(connection, "SELECT product_id FROM crm.invoice_lines") == [(made,)]
    linking.tell_apart(connection, place(connection, "products", "Item", "3"), str(made), "ann")

    ended = sync(connection, KNOWN)

    assert ended == [End("3", "added"), End("1", "updated")]
    own = one(connection, "SELECT id FROM crm.products WHERE quickbooks_product_id = '3'")
    assert rows(connection, "SELECT product_id FROM crm.invoice_lines") == [(own,)]


def test_undone_what_has_moved_is_back_where_it_was_and_stays_there(
    connection: Connection[Any],
) -> None:
    made = duplicate(connection)
    told_apart(connection, made)
    sync(connection, KNOWN, run_id="moves")

    undo(connection, KNOWN, "moves")

    assert of_invoice(connection) == made
    assert sync(connection, KNOWN) == []
    assert of_invoice(connection) == made


def test_undoing_what_settled_a_duplicate_before_the_next_sync_leaves_what_refers_to_it(
    connection: Connection[Any],
) -> None:
    made = duplicate(connection)
    sync(connection, KNOWN, customer("7", DisplayName="Acme of Ohio"), run_id="settles")

    undo(connection, KNOWN, "settles")

    sync(connection, KNOWN)
    assert of_invoice(connection) == made
    assert sync(connection, KNOWN) == []


def test_what_refers_to_a_record_stays_where_it_was_taken_over_until_that_is_undone_and_it_is_back(
    connection: Connection[Any],
) -> None:
    named = accounts().replace("{key: quickbooks_customer_id, check: [name]}", "{key: name}")
    known = parse_all({name: m.text for name, m in KNOWN.items()} | {"accounts": named})
    ready(connection)
    made = by_hand(connection, "crm.accounts", company_id="sample", name="Acme")
    sync(connection, known, acme(), run_id="takes over")
    sync(connection, known, invoice("1", CustomerRef={"value": "7"}))
    undo(connection, known, "takes over")
    assert sync(connection, known) == []
    assert of_invoice(connection) == made

    sync(connection, known, customer("7", DisplayName="Acme of Ohio"))
    sync(connection, known)

    assert of_invoice(connection) == one(connection, OWN) != made
    assert sync(connection, known) == []


def test_an_undone_document_stays_so_when_what_it_refers_to_moves(
    connection: Connection[Any],
) -> None:
    made = duplicate(connection)
    later = invoice("2", CustomerRef={"value": "7"})
    sync(connection, KNOWN, later, run_id="later")
    undo(connection, KNOWN, "later")
    told_apart(connection, made)

    sync(connection, KNOWN)

    assert one(connection, "SELECT count(*) FROM crm.invoices") == 1
    assert of_invoice(connection) == one(connection, OWN)


def test_what_refers_to_a_merged_record_moves_with_its_survivor(
    connection: Connection[Any],
) -> None:
    made = duplicate(connection)
    sync(connection, KNOWN, customer("8", Active=False))
    sync(connection, KNOWN, invoice("2", CustomerRef={"value": "8"}))
    stand_ins.tell_merge(connection, REALM, ("Customer", "8", "7"), "ann")
    sync(connection, KNOWN)
    assert rows(connection, ALL) == [(made,), (made,)]
    told_apart(connection, made)

    sync(connection, KNOWN)

    assert rows(connection, ALL) == rows(connection, f"{OWN} UNION ALL {OWN}")
