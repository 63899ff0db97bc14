"""The import semantics as a specification: every case that they name, under the name of its rule.

A case that is proven elsewhere is in the list at the end, with the test that proves it.
"""

from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import activity
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    End,
    accounts,
    by_hand,
    code,
    count,
    counts,
    customer,
    ends,
    gone,
    item,
    load_rows,
    mirror,
    one,
    outcome,
    products,
    rows,
    set_code,
    stage_rows,
    sync,
    under,
)

CREATE = "{mode: create, check: [name]}"
MERGE = "{mode: merge, key: code, check: [name]}"
IGNORE = "{mode: ignore, key: code, check: [name]}"
KEYED = "{key: quickbooks_product_id}"
PRODUCTS = "SELECT name, code FROM crm.products ORDER BY id"
FLAGS = "SELECT active, deleted FROM crm.products"
RUN = Run("sample", REALM, "run-1")
TREE = """
    SELECT child.name, parent.name FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id ORDER BY child.id"""


def whole(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """All that a load may change."""
    tables = ("crm.products", "sync.outcome", "sync.link", "sync.module_position", "sync.held")
    queries = [f"SELECT * FROM {table} ORDER BY 1" for table in tables]
    return [row for query in queries for row in rows(connection, query)]


# ── modes, key and check fields ─────────────────────────────────────────────────────────────


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


def test_a_record_made_by_hand_that_the_key_finds_is_overwritten_and_linked_for_good(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1")

    found = sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))
    same = sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))
    renamed = sync(connection, products(MERGE), item("7", Name="Hose", Sku="H-9"))

    assert (found, same) == ([End("7", "updated")], [End("7", "unchanged")])
    assert renamed == [End("7", "updated")]
    assert rows(connection, PRODUCTS) == [("Hose", "H-9")]


def test_a_record_that_the_key_finds_and_that_differs_in_nothing_is_unchanged(
    connection: Connection[Any],
) -> None:
    values = {"name": "Pump", "code": "P-1", "quickbooks_product_id": "7"}
    by_hand(connection, "crm.products", **values)

    ended = sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))

    assert ended == [End("7", "unchanged")]
    assert count(connection, "sync.link") == 1


def test_a_duplicate_is_never_merged_and_stays_one_when_it_changes(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump", code="by hand")
    sync(connection, products(), item("7", Name="Pump"))

    ended = sync(connection, products(), item("7", Name="PUMP", Sku="A"))

    assert ended == [End("7", "duplicate", "check_fields")]
    assert rows(connection, PRODUCTS) == [("Pump", "by hand")]


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


# ── linked first ────────────────────────────────────────────────────────────────────────────


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


# ── products made by hand ───────────────────────────────────────────────────────────────────


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


def test_a_product_made_by_hand_that_its_typed_quickbooks_id_finds_is_linked_for_good(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Typed", quickbooks_product_id="7")
    sync(connection, products(MERGE), item("7", Name="Pump", Sku="P-1"))
    connection.execute(
        "UPDATE crm.products SET name = 'Mine', code = 'M-1', quickbooks_product_id = NULL"
    )

    ended = sync(connection, products(MERGE), item("7", Name="Hose", Sku="P-2"))

    assert ended == [End("7", "updated")]
    assert rows(connection, PRODUCTS) == [("Hose", "P-2")]


@pytest.mark.parametrize("settings", [CREATE, IGNORE, "{mode: ignore, key: quickbooks_product_id}"])
def test_a_product_matched_by_a_typed_id_is_known_by_its_link_whatever_becomes_of_the_id(
    connection: Connection[Any], settings: str
) -> None:
    by_hand(connection, "crm.products", name="Typed", quickbooks_product_id="7")
    first = sync(connection, products(settings), item("7"), run_id="run-1")
    connection.execute("UPDATE crm.products SET name = 'Renamed', quickbooks_product_id = NULL")

    again = sync(connection, products(settings), item("7", Name="Pump"), run_id="run-2")
    deleted = sync(connection, products(settings), gone(item("7")), run_id="run-3")

    assert first == again == [End("7", "duplicate", "key_known")]
    assert deleted == [End("7", "updated")]
    messages = "SELECT run_id, message FROM sync.outcome WHERE message IS NOT NULL ORDER BY run_id"
    assert rows(connection, messages) == [
        (run, "The CRM has this QuickBooks record already.") for run in ("run-1", "run-2")
    ]
    assert rows(connection, PRODUCTS) == [("Renamed", None)]
    assert rows(connection, "SELECT deleted FROM crm.products") == [(True,)]


def test_a_product_of_the_same_name_without_an_id_is_a_duplicate_and_stays_as_it_is(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump", code="hand")

    assert sync(connection, products(), item("7", Name="Pump", Sku="P-1")) == [
        End("7", "duplicate", "check_fields")
    ]
    assert rows(connection, PRODUCTS) == [("Pump", "hand")]


# ── rows of one batch ───────────────────────────────────────────────────────────────────────


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


# ── blanks ──────────────────────────────────────────────────────────────────────────────────


def test_a_blank_clears_what_the_sync_wrote(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Sku="A"))

    assert sync(connection, products(), item("7")) == [End("7", "updated")]
    assert code(connection) is None


@pytest.mark.parametrize("blank", [None, "", "  ", "\u200b"])
def test_a_blank_keeps_what_a_person_wrote(connection: Connection[Any], blank: str | None) -> None:
    sync(connection, products(), item("7", Sku="A"))
    set_code(connection, "by hand")

    assert sync(connection, products(), item("7", Sku=blank)) == [End("7", "unchanged")]
    assert code(connection) == "by hand"


@pytest.mark.parametrize(
    ("settings", "field", "expected"),
    [
        ("{key: quickbooks_product_id, blank_overwrites: true}", "", None),
        (KEYED, "blank_overwrites: true", None),
        ("{key: quickbooks_product_id, blank_overwrites: true}", "blank_overwrites: false", "hand"),
    ],
)
def test_blank_overwrites_clears_whoever_wrote_it_and_the_field_has_the_last_word(
    connection: Connection[Any], settings: str, field: str, expected: str | None
) -> None:
    column = f"description: {{from: Description{field and ', ' + field}}}"
    known = products(settings, fields=column)
    sync(connection, known, item("7"))
    connection.execute("UPDATE crm.products SET description = 'hand'")

    sync(connection, known, item("7", Name="Pump"))

    assert one(connection, "SELECT description FROM crm.products") == expected


# ── required fields and lengths ─────────────────────────────────────────────────────────────


def test_a_required_field_that_is_blank_in_one_row_of_many_stops_only_that_row(
    connection: Connection[Any],
) -> None:
    records = [item(str(n), Name=None if n == 50 else f"Item {n}") for n in range(1, 101)]

    sync(connection, products(), *records)

    assert counts(connection) == {"read": 100, "added": 99, "not_added": 1}
    assert outcome(connection, "50", "reason", "message") == (
        "missing_required",
        "Product name is required but blank in QuickBooks.",
    )


def test_a_row_names_all_that_is_missing_and_wrong(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="", UnitPrice="much"))

    assert outcome(connection, "7", "reason", "message") == (
        "missing_required",
        "Product name is required but blank in QuickBooks. Price 'much' is not a number.",
    )


@pytest.mark.parametrize(
    ("length", "end"),
    [(200, End("7", "added")), (201, End("7", "not_added", "invalid_value"))],
)
def test_a_text_of_201_characters_is_not_cut_to_the_200_of_its_field(
    connection: Connection[Any], length: int, end: End
) -> None:
    connection.execute("ALTER TABLE crm.products ADD COLUMN subtitle varchar(200)")
    known = products(fields="subtitle: {from: Subtitle}")

    ended = sync(connection, known, item("7", Subtitle="é" * length), item("8"))

    assert ended == [end, End("8", "added")]
    if end.outcome == "not_added":
        said = f"Subtitle '{'é' * 39}…' is longer than 200 characters."
        assert outcome(connection, "7", "message") == (said,)


# ── references ──────────────────────────────────────────────────────────────────────────────


def test_a_child_before_its_parent_in_one_batch_finds_it(connection: Connection[Any]) -> None:
    ended = sync(connection, parse_all({"accounts": accounts()}), under("9", "8"), customer("9"))

    assert ended == [End("8", "added"), End("9", "added")]
    assert sorted(rows(connection, TREE)) == [("Customer 8", "Customer 9"), ("Customer 9", None)]
    parent = one(connection, "SELECT id FROM crm.accounts WHERE name = 'Customer 9'")
    assert outcome(connection, "8", "after")[0]["parent_id"] == parent
    assert counts(connection, "accounts") == {"read": 2, "added": 2}
    assert count(connection, "sync.parked") == 0


def test_a_parent_that_comes_one_run_later_is_found_and_counted_once(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))
    assert count(connection, "sync.parked") == 1

    ended = sync(connection, known, customer("9"))
    third = sync(connection, known)

    assert (ended, third) == ([End("9", "added")], [])
    assert rows(connection, TREE) == [("Customer 8", "Customer 9"), ("Customer 9", None)]
    assert one(connection, "SELECT sum(resolved) FROM sync.activity") == 1
    assert count(connection, "sync.parked") == 0
    assert sync(connection, known, under("9", "8")) == [End("8", "unchanged")]


def test_cycles_and_records_that_are_their_own_parents_load_and_end(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    family = [under("8", "7"), under("9", "8"), under("7", "9"), under("6", "6")]

    first = sync(connection, known, *family)
    again = sync(connection, known, *family)

    assert {end.outcome for end in first} == {"added"}
    assert {end.outcome for end in again} == {"unchanged"}
    assert sorted(rows(connection, TREE)) == [
        ("Customer 6", "Customer 6"),
        ("Customer 7", "Customer 8"),
        ("Customer 8", "Customer 9"),
        ("Customer 9", "Customer 7"),
    ]


def test_a_reference_means_a_record_that_a_person_made_with_the_typed_id_before(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.accounts", name="Nine", quickbooks_customer_id="9")

    sync(connection, parse_all({"accounts": accounts()}), under("9", "8"))

    assert rows(connection, TREE) == [("Nine", None), ("Customer 8", "Nine")]
    assert count(connection, "sync.parked") == 0


def test_a_reference_means_a_record_that_a_person_makes_with_the_typed_id_later(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts("balance: {from: Balance}")})
    sync(connection, known, under("9", "8"), customer("9", Balance="much"))
    by_hand(connection, "crm.accounts", name="Nine", quickbooks_customer_id=" 9")

    resolved = sync(connection, known)
    mended = sync(connection, known, customer("9", Balance=1))

    assert (resolved, mended) == ([End("8", "updated")], [End("9", "updated")])
    assert rows(connection, TREE) == [("Customer 8", "Customer 9"), ("Customer 9", None)]


@pytest.mark.parametrize("typed", [("9", "9"), ("9", "9 "), ("90",), (None,)])
def test_a_reference_stays_open_when_no_record_or_several_have_the_typed_id(
    connection: Connection[Any], typed: tuple[str | None, ...]
) -> None:
    for number, id in enumerate(typed):
        by_hand(connection, "crm.accounts", name=f"Nine {number}", quickbooks_customer_id=id)

    sync(connection, parse_all({"accounts": accounts()}), under("9", "8"))

    assert rows(connection, TREE)[-1] == ("Customer 8", None)
    assert count(connection, "sync.parked") == 1


def test_a_reference_to_a_duplicate_means_the_record_it_collided_with(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.accounts", name="Customer 9")

    sync(
        connection,
        parse_all({"accounts": accounts()}),
        customer("5"),
        customer("6", DisplayName="Customer 5"),
        under("9", "7"),
        under("6", "8"),
        customer("9"),
    )

    assert sorted(rows(connection, TREE)) == [
        ("Customer 5", None),
        ("Customer 7", "Customer 9"),
        ("Customer 8", "Customer 5"),
        ("Customer 9", None),
    ]


# ── inactive and deleted ────────────────────────────────────────────────────────────────────


def test_a_record_first_seen_inactive_is_added_and_flagged(connection: Connection[Any]) -> None:
    assert sync(connection, products(), item("7", Active=False)) == [End("7", "added")]
    assert rows(connection, FLAGS) == [(False, False)]


def test_a_record_first_seen_deleted_is_excluded_though_one_of_its_name_is_there(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Item 7")

    ended = sync(connection, products(), gone(item("7")))

    assert ended == [End("7", "excluded", "deleted_in_quickbooks")]


# ── every row is accounted for, once ────────────────────────────────────────────────────────


def test_every_row_read_ends_once_and_is_counted(connection: Connection[Any]) -> None:
    known = products(
        exclude="[{where: {Type: Category}, because: it is a folder}]",
    )
    sync(connection, known, item("1"), item("2"))

    sync(
        connection,
        known,
        item("1"),
        item("2", Name="Other"),
        item("3"),
        item("4", Name="Item 1"),
        item("5", Name=""),
        item("6", Type="Category"),
        gone(item("7")),
    )

    kinds = ("unchanged", "updated", "added", "duplicate", "not_added")
    assert counts(connection) == {"read": 7, "excluded": 2} | dict.fromkeys(kinds, 1)
    assert rows(
        connection,
        """SELECT outcome, count(*) FROM sync.outcome WHERE run_id = 'run-2'
            GROUP BY outcome ORDER BY outcome""",
    ) == [(kind, 1) for kind in ("added", "duplicate")] + [
        ("excluded", 2),
        ("not_added", 1),
        ("unchanged", 1),
        ("updated", 1),
    ]


@pytest.mark.parametrize(
    ("settings", "mode"), [(CREATE, "create"), (MERGE, "merge"), (IGNORE, "ignore")]
)
def test_the_activity_tells_in_which_mode_a_module_was_loaded(
    connection: Connection[Any], settings: str, mode: str
) -> None:
    sync(connection, products(settings), item("1"))

    run = activity.run(connection, REALM, "run-1")

    assert run is not None
    assert [(counts.module, counts.mode) for counts in run.counts] == [("products", mode)]


def test_the_database_refuses_counts_that_do_not_add_up(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"))

    with pytest.raises(psycopg.errors.CheckViolation, match="every_row_is_accounted_for"):
        connection.execute("UPDATE sync.activity SET unchanged = 1")


# ── a run repeated ──────────────────────────────────────────────────────────────────────────


def test_loading_the_same_again_changes_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", UnitPrice=Decimal("0.10")))
    before = rows(connection, "SELECT * FROM crm.products")

    assert sync(connection, products(), item("7", UnitPrice=Decimal("0.1"))) == [
        End("7", "unchanged")
    ]
    assert rows(connection, "SELECT * FROM crm.products") == before


def test_loading_the_same_stage_again_changes_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), item("8", Name=""), run_id="run-1")
    before = whole(connection)

    numbers = load_rows(connection, RUN, products(), "products")

    assert whole(connection) == before
    assert (numbers["read"], numbers["added"], numbers["not_added"]) == (2, 1, 1)


def test_staging_and_loading_a_run_again_changes_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), item("8", Name=""), run_id="run-1")
    before = whole(connection)

    stage_rows(connection, RUN, products()["products"])
    numbers = load_rows(connection, RUN, products(), "products")

    assert whole(connection) == before
    assert (numbers["read"], numbers["added"], numbers["not_added"]) == (2, 1, 1)


def test_a_load_that_is_cut_off_leaves_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), run_id="before")
    mirror(connection, RUN, item("7", Name="New"), item("8"))
    stage_rows(connection, RUN, products()["products"])
    before = whole(connection)

    with pytest.raises(ZeroDivisionError), connection.transaction():
        load_rows(connection, RUN, products(), "products")
        raise ZeroDivisionError

    assert whole(connection) == before
    load_rows(connection, RUN, products(), "products")
    assert ends(connection, RUN, "products") == [End("7", "updated"), End("8", "added")]


# ── cases that are proven elsewhere ─────────────────────────────────────────────────────────

TESTS = Path(__file__).parents[1]
ELSEWHERE = """
keywords parted by | and ;          integration/keywords          the_separator_parts_the_keywords
an unknown keyword, ignored         integration/keywords          under_ignore_an_unknown_keyword
an unknown keyword, inserted        integration/keywords          under_insert_an_unknown_keyword
a mixed cell                        integration/keywords          of_a_mixed_cell_the_known
a mixed cell, inserted              integration/keywords          of_a_mixed_cell_the_unknown
an alias                            integration/keywords          its_form_or_its_alias
two owners, one without an id       integration/owners            a_user_without_an_external
an inactive user, default owner     integration/owners            inactive_owner_becomes_the_default
an inactive user, reject            integration/owners            under_reject_a_record
the owner of the account            integration/owners            contacts_have_the_owner_of_their
a person's edit survives            integration/edits             a_persons_edit_survives
a conflict                          integration/edits             a_later_change_in_quickbooks_is_a
required, unmapped, built in         integration/mandatory_fields  one_message_names_all_missing
required, unmapped, customer's own  integration/mandatory_fields  one_message_names_all_missing
a line item's product, a run later  integration/lines             a_line_whose_product_arrives
a line item of a duplicate product  integration/lines             a_line_of_a_duplicate_product
a line that cannot be loaded        integration/lines             a_line_that_cannot_be_loaded
a label differing in case           integration/new_field         the_same_label_twice_is_refused
a target mapped twice               unit/mapping_mistakes         a_mistake_is_named_with_its_line
a crash at each step                faults/kills                  a_sync_killed_at_any_statement
a crash at each step, at first      faults/kills                  a_first_sync_killed_again
whose records are compared          integration/dedupe            only_records_of_the_same
names given up within a batch       integration/dedupe            a_name_that_a_linked_record
inactive, deleted and back          integration/load              inactive_deleted_and_back_are
rows that the table refuses         integration/load              what_the_table_refuses_is_not
held back until the mapping changes integration/load              rows_held_back_are_tried_again
undone, row by row                  integration/undo              an_updated_record_gets_back
whatever the order and batch size   integration/any_company       crm_and_ledger_are_what
"""


@pytest.mark.parametrize("case", ELSEWHERE.strip().splitlines())
def test_every_other_case_has_the_test_that_is_said_to_prove_it(case: str) -> None:
    *_, file, part = case.split()
    folder, name = file.split("/")

    lines = (TESTS / folder / f"test_{name}.py").read_text().splitlines()

    assert [line for line in lines if line.startswith("def test_") and part in line]
