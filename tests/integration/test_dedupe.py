"""Which CRM record a QuickBooks record is: its link, a typed id, the key, the check fields, or
none."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from quickbooks_crm.runs import Run
from tests.integration import documents
from tests.integration.crm import (
    End,
    Record,
    accounts,
    by_hand,
    customer,
    ends,
    gone,
    item,
    load_rows,
    mapping,
    mirror,
    one,
    outcome,
    products,
    ready,
    rows,
    stage_rows,
    sync,
)

CREATE = "{mode: create, check: [name]}"
MERGE = "{mode: merge, key: code, check: [name]}"
IGNORE = "{mode: ignore, key: code, check: [name]}"
PRODUCTS = "SELECT name, code FROM crm.products ORDER BY id"


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


def test_a_table_that_does_not_tell_companies_apart_says_what_to_do(
    connection: Connection[Any],
) -> None:
    """C4: two companies never share a record, whatever the table is like."""
    connection.execute(
        "CREATE TABLE crm.things (id serial PRIMARY KEY, quickbooks_id text, name text)"
    )
    known = parse_all({"things": mapping("crm.things")})
    sync(connection, known, item("7", Name="Pump"))

    ended = sync(connection, known, item("7", Name="Hose"), realm="2", company="other")

    assert ended == [End("7", "duplicate", "key_taken")]
    assert rows(connection, "SELECT name FROM crm.things") == [("Pump",)]
    assert rows(connection, "SELECT message FROM sync.outcome WHERE realm = '2'") == [
        (
            "The CRM record with the same Quickbooks id is another QuickBooks record already. "
            "It is one of another company: give the table a column for the company, and name it "
            "in the mapping (company), so that each has records of its own.",
        )
    ]


def test_a_record_of_no_company_that_another_company_has_taken_is_not_taken_again(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump", quickbooks_product_id="7")
    sync(connection, products(), item("7", Name="Pump"))

    ended = sync(connection, products(), item("7", Name="Hose"), realm="2", company="other")

    assert ended == [End("7", "duplicate", "key_taken")]


# ── rows of one batch against each other ────────────────────────────────────────────────────


def test_of_two_rows_whose_key_finds_the_same_record_the_first_is_that_record(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1")

    ended = sync(connection, products(MERGE), item("8", Sku="P-1"), item("7", Sku="P-1"))

    assert ended == [End("7", "updated"), End("8", "duplicate", "same_key_in_batch")]
    assert outcome(connection, "8", "message") == (
        "The QuickBooks record 7 has the same Product code.",
    )


def test_rows_whose_key_finds_a_record_that_is_left_alone_do_not_compete_for_it(
    connection: Connection[Any],
) -> None:
    """Each ends as it would in a run of its own."""
    own = by_hand(connection, "crm.products", name="By hand", code="P-1")
    ignoring = products("{mode: ignore, key: code}")

    ended = sync(connection, ignoring, item("7", Sku="P-1"), item("8", Sku="P-1"))

    assert ended == [End(id, "duplicate", "key_known") for id in ("7", "8")]
    assert outcome(connection, "8", "collides_with", "message") == (
        str(own),
        "The CRM has a record with the same Product code.",
    )


def test_a_record_that_rows_find_and_leave_alone_is_the_one_whose_id_it_has(
    connection: Connection[Any],
) -> None:
    own = by_hand(connection, "crm.products", name="B", code="P-1", quickbooks_product_id="8")
    ignoring = products("{mode: ignore, key: code}")

    ended = sync(connection, ignoring, item("7", Sku="P-1"), item("8", Sku="P-1"))

    assert ended == [End(id, "duplicate", "key_known") for id in ("7", "8")]
    assert rows(connection, "SELECT id, record_key FROM sync.link") == [("8", str(own))]
    assert sync(connection, ignoring, item("7", Sku="p-1")) == [End("7", "duplicate", "key_taken")]


def test_a_record_that_is_left_alone_is_that_of_its_kind_with_the_id(
    connection: Connection[Any],
) -> None:
    """As QuickBooks' invoices and credit memos have the same ids."""
    own = by_hand(connection, "crm.invoices", kind="credit memo", quickbooks_invoice_id="7")
    ignoring = documents.DOCUMENTS.replace("import: {", "import: {mode: ignore, ")
    known = parse_all({"products": products()["products"].text, "documents": ignoring})

    ended = sync(connection, known, documents.credit("7"), documents.invoice("7"))

    assert sorted(ended) == [End("7", "added"), End("7", "duplicate", "key_known")]
    assert rows(connection, "SELECT record_key FROM sync.link WHERE entity = 'CreditMemo'") == [
        (str(own),)
    ]


def test_a_record_whose_typed_id_several_rows_have_is_left_to_nobody(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", quickbooks_product_id="x")

    ended = sync(connection, products("{mode: create}"), item("X"), item("x"))

    assert ended == [End(id, "duplicate", "key_known") for id in ("X", "x")]
    assert rows(connection, "SELECT id FROM sync.link") == []


def test_a_typed_id_comes_before_the_key_and_no_record_is_two_quickbooks_records(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", code="P-1", quickbooks_product_id="8")

    ended = sync(connection, products(MERGE), item("7", Sku="P-1"), item("8", Sku="P-1"))

    assert ended == [End("7", "duplicate", "same_key_in_batch"), End("8", "updated")]
    assert rows(connection, PRODUCTS) == [("Item 8", "P-1")]


# ── names given up and taken within a batch ─────────────────────────────────────────────────


def test_a_key_that_a_record_found_by_its_id_gives_up_is_free_in_the_same_run(
    connection: Connection[Any],
) -> None:
    """So the same input once more adds nothing."""
    by_hand(connection, "crm.products", name="A", code="P1", quickbooks_product_id="7")
    known = products("{key: code}")
    records = item("7", Sku="P2"), item("8", Sku="P1")

    first, again = sync(connection, known, *records), sync(connection, known, *records)

    assert first == [End("7", "updated"), End("8", "added")]
    assert again == [End("7", "unchanged"), End("8", "unchanged")]


@pytest.mark.parametrize(
    ("record", "said"),
    [(item("7", Name="Pump", Active=False), "inactive"), (gone(item("7", Name="Pump")), "deleted")],
)
def test_the_duplicate_of_a_record_that_is_inactive_in_quickbooks_says_so_and_what_to_do(
    connection: Connection[Any], record: Record, said: str
) -> None:
    """QuickBooks lets the name of such a record be taken again."""
    sync(connection, products(), item("7", Name="Pump"))
    sync(connection, products(), record)

    ended = sync(connection, products(), item("8", Name="Pump"))

    assert ended == [End("8", "duplicate", "check_fields")]
    assert outcome(connection, "8", "message") == (
        f"The CRM has a record with the same Product name: that of QuickBooks' Item 7, which is "
        f"{said} there. If this is another thing, rename the CRM record or tell the two apart.",
    )
    connection.execute("UPDATE crm.products SET name = 'Pump (old)'")
    assert sync(connection, products()) == [End("8", "added")]


def test_the_duplicate_of_an_inactive_vendor_names_it_as_one(connection: Connection[Any]) -> None:
    """The customer with the vendor's id is somebody else."""
    of_vendors = accounts().replace("Customer]", "Vendor]").replace("_customer_id", "_vendor_id")
    known = parse_all({"accounts": accounts(), "vendors": of_vendors})
    vendor = replace(customer("1", DisplayName="Pump & Co", Active=False), entity="Vendor")
    sync(connection, known, vendor, customer("1"))

    sync(connection, known, customer("2", DisplayName="Pump & Co"))

    assert outcome(connection, "2", "message") == (
        "The CRM has a record with the same Account name: that of QuickBooks' Vendor 1, which is "
        "inactive there. If this is another thing, rename the CRM record or tell the two apart.",
    )


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


def test_two_companies_never_take_the_same_record_of_none_at_the_same_time(
    connection: Connection[Any], database_url: str
) -> None:
    by_hand(connection, "crm.products", name="Pump", code="P-1")
    ready(connection, "sample")
    ready(connection, "other")
    known, taken = products("{key: code}"), threading.Event()
    first, second = Run("sample", "1111", "a"), Run("other", "2222", "b")
    for run in (first, second):
        mirror(connection, run, item("7", Name=f"Pump of {run.company}", Sku="P-1"))
        stage_rows(connection, run, known["products"])

    def load_first() -> None:
        with psycopg.connect(database_url, autocommit=True) as own, own.transaction():
            load_rows(own, first, known, "products")
            taken.set()
            assert _waits_for_a_lock(connection)

    with ThreadPoolExecutor() as pool:
        loading = pool.submit(load_first)
        assert taken.wait(300)
        with psycopg.connect(database_url, autocommit=True) as own:
            load_rows(own, second, known, "products")
        loading.result()

    assert ends(connection, first, "products") == [End("7", "updated")]
    assert ends(connection, second, "products") == [End("7", "duplicate", "key_taken")]
    assert rows(connection, "SELECT name FROM crm.products") == [("Pump of sample",)]


def _waits_for_a_lock(connection: Connection[Any]) -> bool:
    """Whether somebody soon waits for a lock of this database."""
    for _ in range(600):
        if one(connection, WAITING):
            return True
        time.sleep(0.05)
    return False


WAITING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock')"""


def test_a_phone_may_be_any_text_and_is_compared_by_its_number(connection: Connection[Any]) -> None:
    by_number = "{mode: create, check: [description]}"
    known = products(by_number, "description: {from: P, kind: phone}")

    ended = sync(
        connection,
        known,
        item("7", P="+1 (555) 0100"),
        item("8", P="ring twice"),
        item("9", P="ring twice"),
        item("10", P="1 555 01 00"),
    )

    assert ended == [
        End("7", "added"),
        End("8", "added"),
        End("9", "added"),
        End("10", "duplicate", "same_in_batch"),
    ]
    assert outcome(connection, "8", "after")[0]["description"] == "ring twice"


@pytest.mark.parametrize("first", ["Invoice", "CreditMemo"])
def test_modules_of_one_table_with_the_same_key_are_parted_by_within(
    connection: Connection[Any], first: str
) -> None:
    """As `_same_key` of the mappings asks for: QuickBooks counts each from 1."""
    known = parse_all(
        {
            entity.casefold(): mapping("crm.invoices", entities=f"[{entity}]")
            .replace("key: quickbooks_id", "key: quickbooks_invoice_id, within: kind")
            .replace("quickbooks_id:", "quickbooks_invoice_id:")
            .replace("name: {from: Name}", f"kind: {{value: {entity}}}")
            for entity in ("Invoice", "CreditMemo")
        }
    )
    others = {"Invoice": "CreditMemo", "CreditMemo": "Invoice"}

    for entity in (first, others[first]):
        assert sync(connection, known, Record(entity, "7", {"Id": "7"})) == [End("7", "added")]
