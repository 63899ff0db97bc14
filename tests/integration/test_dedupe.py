"""Which CRM record a QuickBooks record is: its link, a typed id, the key, the check fields, or
none."""

from itertools import permutations
from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import (
    End,
    by_hand,
    count,
    counts,
    gone,
    item,
    one,
    outcome,
    products,
    rows,
    sync,
)

CREATE = "{mode: create, check: [name]}"
MERGE = "{mode: merge, key: code, check: [name]}"
IGNORE = "{mode: ignore, key: code, check: [name]}"
PRODUCTS = "SELECT name, code FROM crm.products ORDER BY id"


@pytest.mark.parametrize(
    ("settings", "key_hit", "check_hit", "end"),
    [
        (CREATE, False, False, ("added", None)),
        (CREATE, False, True, ("duplicate", "check_fields")),
        (MERGE, True, False, ("updated", None)),
        (MERGE, True, True, ("updated", None)),
        (MERGE, False, True, ("duplicate", "check_fields")),
        (MERGE, False, False, ("added", None)),
        (IGNORE, True, False, ("duplicate", "key_known")),
        (IGNORE, True, True, ("duplicate", "key_known")),
        (IGNORE, False, True, ("duplicate", "check_fields")),
        (IGNORE, False, False, ("added", None)),
    ],
)
def test_mode_key_and_check_fields_decide_together(
    connection: Connection[Any],
    settings: str,
    key_hit: bool,
    check_hit: bool,
    end: tuple[str, str | None],
) -> None:
    known_by_hand = by_hand(
        connection,
        "crm.products",
        name="Pump" if check_hit else "Hose",
        code="P-1" if key_hit else "H-1",
    )

    ended = sync(connection, products(settings), item("7", Name="Pump", Sku="P-1"))

    assert ended == [End("7", *end)]
    assert count(connection, "crm.products") == (2 if end[0] == "added" else 1)
    if end[0] == "duplicate":
        assert outcome(connection, "7", "collides_with") == (str(known_by_hand),)


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        (CREATE, ("duplicate", "key_known")),
        (IGNORE, ("duplicate", "key_known")),
        (MERGE, ("updated", None)),
        ("{key: quickbooks_product_id}", ("updated", None)),
    ],
)
def test_a_product_made_by_hand_with_a_typed_quickbooks_id_is_that_product_in_every_mode(
    connection: Connection[Any], settings: str, end: tuple[str, str | None]
) -> None:
    by_hand(connection, "crm.products", name="Typed", quickbooks_product_id=" 7 ")

    assert sync(connection, products(settings), item("7")) == [End("7", *end)]
    assert count(connection, "crm.products") == 1


def test_a_product_of_the_same_name_without_an_id_is_a_duplicate_and_stays_as_it_is(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump", code="hand")

    assert sync(connection, products(), item("7", Name="Pump", Sku="P-1")) == [
        End("7", "duplicate", "check_fields")
    ]
    assert rows(connection, PRODUCTS) == [("Pump", "hand")]


def test_a_key_that_finds_several_records_picks_none_and_lists_them(
    connection: Connection[Any],
) -> None:
    first = by_hand(connection, "crm.products", name="One", code="P-1")
    second = by_hand(connection, "crm.products", name="Two", code="p-1 ")

    ended = sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))

    assert ended == [End("7", "not_added", "ambiguous_key")]
    assert outcome(connection, "7", "message", "details") == (
        "2 CRM records have the same Product code.",
        {"candidates": [str(first), str(second)]},
    )


def test_a_blank_key_falls_to_the_check_fields(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Pump", code=None)

    ended = sync(connection, products(MERGE), item("7", Name="Pump"), item("8", Name="Hose"))

    assert ended == [End("7", "duplicate", "check_fields"), End("8", "added")]


def test_two_blanks_never_match(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="By hand")
    by_code = "{mode: create, check: [code]}"

    ended = sync(connection, products(by_code), item("7"), item("8", Sku="\u200b "))

    assert ended == [End("7", "added"), End("8", "added")]


def test_all_check_fields_must_be_equal(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Pump", code="A")
    both = "{mode: create, check: [name, code]}"

    ended = sync(
        connection,
        products(both),
        item("7", Name="PUMP", Sku="B"),
        item("8", Name="PUMP", Sku="a"),
    )

    assert ended == [End("7", "added"), End("8", "duplicate", "check_fields")]


def test_without_check_fields_nothing_is_checked(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Pump")

    ended = sync(connection, products("{mode: create}"), item("7", Name="Pump"))

    assert ended == [End("7", "added")]


@pytest.mark.parametrize("settings", [MERGE, "{key: quickbooks_product_id}", IGNORE])
def test_a_record_that_is_another_quickbooks_record_already_is_never_taken_over(
    connection: Connection[Any], settings: str
) -> None:
    sync(connection, products(), item("7", Name="Pump", Sku="P-1"))
    connection.execute("UPDATE crm.products SET quickbooks_product_id = '8'")

    ended = sync(connection, products(settings), item("8", Name="Other", Sku="P-1"))

    assert ended == [End("8", "duplicate", "key_taken")]
    assert rows(connection, PRODUCTS) == [("Pump", "P-1")]


@pytest.mark.parametrize("settings", [CREATE, IGNORE])
def test_create_and_ignore_leave_a_linked_record_as_it_is(
    connection: Connection[Any], settings: str
) -> None:
    sync(connection, products(settings), item("7", Name="Pump", Sku="P-1"))

    ended = sync(connection, products(settings), item("7", Name="Renamed", Sku="P-2"))

    assert ended == [End("7", "duplicate", "key_known")]
    assert outcome(connection, "7", "message", "collides_with") == (
        "The CRM has this QuickBooks record already.",
        str(one(connection, "SELECT id FROM crm.products")),
    )
    assert rows(connection, PRODUCTS) == [("Pump", "P-1")]


def test_the_link_is_the_identity_whatever_becomes_of_the_key(connection: Connection[Any]) -> None:
    sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))
    connection.execute("UPDATE crm.products SET code = 'changed', quickbooks_product_id = NULL")

    ended = sync(connection, products(MERGE), item("7", Name="Pump 2", Sku="P-9"))

    assert ended == [End("7", "updated")]
    assert rows(connection, PRODUCTS) == [("Pump 2", "P-9")]


# ── whose records are compared ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("owner", "end"),
    [
        ("sample", End("7", "duplicate", "check_fields")),
        (None, End("7", "duplicate", "check_fields")),
        ("other", End("7", "added")),
    ],
)
def test_only_records_of_the_same_company_or_of_none_are_compared(
    connection: Connection[Any], owner: str | None, end: End
) -> None:
    for company in ("sample", "other"):
        connection.execute("INSERT INTO crm.companies (id, name) VALUES (%s, 'A')", [company])
    by_hand(connection, "crm.products", name="Pump", company_id=owner)

    assert sync(connection, products(), item("7", Name="Pump")) == [end]


def test_the_same_id_in_two_companies_is_two_records(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="Pump"))

    ended = sync(connection, products(), item("7", Name="Pump"), realm="2", company="other")

    assert ended == [End("7", "added")]
    assert rows(connection, "SELECT company_id FROM crm.products ORDER BY 1") == [
        ("other",),
        ("sample",),
    ]


def test_a_record_of_no_company_that_another_company_has_taken_is_not_taken_again(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump", quickbooks_product_id="7")
    sync(connection, products(), item("7", Name="Pump"))

    ended = sync(connection, products(), item("7", Name="Hose"), realm="2", company="other")

    assert ended == [End("7", "duplicate", "key_taken")]


# ── rows of one batch against each other ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one_way", "other_way"),
    [
        ("Pump", "PUMP"),
        ("Big pump", "  big \t pump "),
        ("Café", "Cafe\u0301"),
        ("ﬁtting", "FITTING"),
        ("Ｐｕｍｐ", "Pump"),
        ("Straße", "STRASSE"),
        ("Pump", "Pu\u00admp\u200b"),
    ],
)
def test_two_rows_of_a_batch_that_are_equal_on_the_check_fields_are_one(
    connection: Connection[Any], one_way: str, other_way: str
) -> None:
    ended = sync(connection, products(), item("7", Name=one_way), item("8", Name=other_way))

    assert ended == [End("7", "added"), End("8", "duplicate", "same_in_batch")]
    assert outcome(connection, "8", "message", "collides_with") == (
        "The QuickBooks record 7 is the same thing.",
        str(one(connection, "SELECT id FROM crm.products")),
    )


def test_two_rows_of_a_batch_that_are_equal_on_the_key_are_one(connection: Connection[Any]) -> None:
    ended = sync(
        connection, products(MERGE), item("7", Sku="P-1"), item("8", Sku="p-1"), item("9", Sku="P2")
    )

    assert ended == [End("7", "added"), End("8", "duplicate", "same_in_batch"), End("9", "added")]


def test_of_two_rows_whose_key_finds_the_same_record_the_first_is_that_record(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1")

    ended = sync(connection, products(MERGE), item("8", Sku="P-1"), item("7", Sku="P-1"))

    assert ended == [End("7", "updated"), End("8", "duplicate", "same_key_in_batch")]
    assert outcome(connection, "8", "message") == (
        "The QuickBooks record 7 has the same Product code.",
    )


def test_numeric_ids_win_in_the_order_of_numbers_and_before_all_others(
    connection: Connection[Any],
) -> None:
    same = [item(id, Name="Pump") for id in ("12sync", "10", "9", "A")]

    sync(connection, products(), *same)

    assert outcome(connection, "9", "outcome") == ("added",)
    assert counts(connection) == {"read": 4, "added": 1, "duplicate": 3}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_chain_of_equals_ends_alike_in_whatever_order_it_arrives(
    connection: Connection[Any], order: tuple[int, ...]
) -> None:
    """8 is equal to 7 by name and to 9 by code; 7 and 9 have nothing in common."""
    chain = [
        item("7", Name="Pump", Sku="A"),
        item("8", Name="pump", Sku="B"),
        item("9", Name="Hose", Sku="b"),
    ]

    ended = sync(connection, products(MERGE), *(chain[place] for place in order))

    assert ended == [End("7", "added"), End("8", "duplicate", "same_in_batch"), End("9", "added")]


def test_a_typed_id_comes_before_the_key_and_no_record_is_two_quickbooks_records(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1", quickbooks_product_id="8")

    ended = sync(connection, products(MERGE), item("7", Sku="P-1"), item("8", Sku="P-8"))

    assert ended == [End("7", "duplicate", "same_key_in_batch"), End("8", "updated")]
    assert rows(connection, PRODUCTS) == [("Item 8", "P-8")]


# ── names given up and taken within a batch ─────────────────────────────────────────────────


def test_a_name_that_a_linked_record_gives_up_is_free_for_a_new_one(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Name="Pump"))

    ended = sync(connection, products(), item("7", Name="Old pump"), item("8", Name="Pump"))

    assert ended == [End("7", "updated"), End("8", "added")]


def test_a_name_that_a_linked_record_takes_is_taken_for_a_new_one(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("9", Name="Hose"))

    ended = sync(connection, products(), item("9", Name="Pump"), item("8", Name="Pump"))

    assert ended == [End("8", "duplicate", "check_fields"), End("9", "updated")]


def test_linked_records_may_have_the_same_name(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="Pump"), item("8", Name="Hose"))

    ended = sync(connection, products(), item("7", Name="Pump"), item("8", Name="Pump"))

    assert ended == [End("7", "unchanged"), End("8", "updated")]


# ── when the table refuses the winner ───────────────────────────────────────────────────────

NOT_THE_FIRST = "ALTER TABLE crm.products ADD CHECK (quickbooks_product_id <> '7')"


def test_when_the_table_refuses_the_winner_the_next_one_wins(connection: Connection[Any]) -> None:
    connection.execute(NOT_THE_FIRST)
    same = [item(id, Name="Pump") for id in ("7", "8", "9")]

    ended = sync(connection, products(), *same)

    assert ended == [
        End("7", "not_added", "refused_by_table"),
        End("8", "added"),
        End("9", "duplicate", "same_in_batch"),
    ]
    assert outcome(connection, "9", "message") == ("The QuickBooks record 8 is the same thing.",)


def test_a_loser_that_is_free_again_is_still_compared_with_those_that_were_added(
    connection: Connection[Any],
) -> None:
    connection.execute(NOT_THE_FIRST)

    ended = sync(
        connection,
        products(MERGE),
        item("7", Name="Pump", Sku="A"),
        item("8", Name="Hose", Sku="B"),
        item("9", Name="Pump", Sku="B"),
    )

    assert ended == [
        End("7", "not_added", "refused_by_table"),
        End("8", "added"),
        End("9", "duplicate", "same_key_in_batch"),
    ]


def test_when_the_table_refuses_the_first_row_with_a_key_the_next_one_is_that_record(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1")
    connection.execute(NOT_THE_FIRST)

    ended = sync(connection, products(MERGE), item("7", Sku="P-1"), item("8", Sku="P-1"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "updated")]


# ── records that people remove, and records that QuickBooks deletes ─────────────────────────


def test_a_record_that_a_person_has_removed_is_added_again(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="Pump"))
    connection.execute("DELETE FROM crm.products")

    ended = sync(connection, products(), item("7", Name="Pump 2"))

    assert ended == [End("7", "added")]
    assert rows(connection, PRODUCTS) == [("Pump 2", None)]


def test_what_was_deleted_before_it_was_ever_seen_is_excluded(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Item 7")

    ended = sync(connection, products(), gone(item("7")))

    assert ended == [End("7", "excluded", "deleted_in_quickbooks")]
