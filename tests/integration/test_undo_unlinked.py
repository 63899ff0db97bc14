"""Undoing a retry of what a person had unlinked: it is unlinked again, and held back as such."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import linking, one_module
from quickbooks_crm.linking import Place
from tests.integration.crm import (
    REALM,
    End,
    by_hand,
    count,
    item,
    one,
    products,
    rows,
    sync,
)
from tests.integration.undo import LINKS, company, release, undo

NAMED = "{key: name, check: [name]}"
PARTED = "SELECT id, record_key, by_whom, since FROM sync.unlinked"
HELD = "SELECT id, outcome, reason, due FROM sync.held"


def place(connection: Connection[Any]) -> Place:
    target = one_module.target(connection, products()["products"], company())
    return Place("sample", REALM, target, ("products",), "Item", "7")


def known(connection: Connection[Any]) -> list[Any]:
    """What is known of the records: the unlinked, the held back, the linked."""
    return [rows(connection, query) for query in (PARTED, HELD, LINKS)]


@pytest.fixture
def unlinked(connection: Connection[Any]) -> Connection[Any]:
    """A record by hand that was linked to an item, until a person unlinked it."""
    by_hand(connection, "crm.products", name="Pump", code="own")
    sync(connection, products(NAMED), item("7", Name="Pump"))
    linking.unlink(connection, place(connection), "ann")
    return connection


def test_what_was_tried_again_is_unlinked_again(unlinked: Connection[Any]) -> None:
    before = known(unlinked)
    release(unlinked, products(NAMED), "unlinked", "retry")
    assert count(unlinked, "sync.link") == 1

    undo(unlinked, products(NAMED), "retry")

    assert known(unlinked) == before
    ended = sync(unlinked, products(NAMED), item("7", Name="Pump", Sku="theirs"))
    assert ended == [End("7", "not_added", "unlinked")]
    assert one(unlinked, "SELECT code FROM crm.products") == "own"


def test_so_is_what_was_found_to_be_a_duplicate(unlinked: Connection[Any]) -> None:
    before = known(unlinked)
    check = products("{key: quickbooks_product_id, check: [name]}")
    unlinked.execute("UPDATE crm.products SET quickbooks_product_id = NULL")
    ended = release(unlinked, check, "unlinked", "retry")
    assert ended == [End("7", "duplicate", "check_fields")]

    undo(unlinked, check, "retry")

    assert known(unlinked) == before


def test_the_undo_can_be_undone_and_done_again(unlinked: Connection[Any]) -> None:
    before = known(unlinked)
    release(unlinked, products(NAMED), "unlinked", "retry")
    linked = known(unlinked)
    undo(unlinked, products(NAMED), "retry", "back")

    undo(unlinked, products(NAMED), "back", "again")

    assert known(unlinked) == linked
    undo(unlinked, products(NAMED), "again")
    assert known(unlinked) == before


def test_what_was_a_duplicate_is_one_again_when_the_undo_is_undone(
    unlinked: Connection[Any],
) -> None:
    check = products("{key: quickbooks_product_id, check: [name]}")
    unlinked.execute("UPDATE crm.products SET quickbooks_product_id = NULL")
    release(unlinked, check, "unlinked", "retry")
    duplicate = known(unlinked)
    undo(unlinked, check, "retry", "back")

    undo(unlinked, check, "back")

    assert known(unlinked) == duplicate


def test_what_changed_while_it_was_unlinked_comes_once_that_is_undone(
    unlinked: Connection[Any],
) -> None:
    release(unlinked, products(NAMED), "unlinked", "retry")
    undo(unlinked, products(NAMED), "retry", "back")
    sync(unlinked, products(NAMED), item("7", Name="Pump", Sku="theirs"))

    undo(unlinked, products(NAMED), "back")

    assert sync(unlinked, products(NAMED)) == [End("7", "updated")]
    assert one(unlinked, "SELECT code FROM crm.products") == "theirs"


def test_what_a_person_unlinked_since_stays_as_they_said(unlinked: Connection[Any]) -> None:
    release(unlinked, products(NAMED), "unlinked", "retry")
    undo(unlinked, products(NAMED), "retry", "back")
    key = one(unlinked, "SELECT id::text FROM crm.products")
    linking.link(unlinked, place(unlinked), key, "bob")
    linking.unlink(unlinked, place(unlinked), "bob")

    undo(unlinked, products(NAMED), "back")

    assert rows(unlinked, "SELECT by_whom FROM sync.unlinked") == [("bob",)]
    assert rows(unlinked, HELD) == [("7", "not_added", "unlinked", False)]


def test_what_a_person_linked_since_stays_linked(unlinked: Connection[Any]) -> None:
    release(unlinked, products(NAMED), "unlinked", "retry")
    key = one(unlinked, "SELECT record_key FROM sync.link")
    linking.unlink(unlinked, place(unlinked), "bob")
    linking.link(unlinked, place(unlinked), key, "bob")

    undo(unlinked, products(NAMED), "retry")

    assert known(unlinked)[0] == []
    assert rows(unlinked, "SELECT record_key, run_id FROM sync.link") == [(key, "by hand")]
