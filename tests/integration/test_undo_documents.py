"""Undoing what a run did to documents of which other runs, other loads of the same run or people
know more."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run, has_work
from tests.integration.crm import (
    REALM,
    End,
    Record,
    by_hand,
    customer,
    item,
    load_rows,
    mirror,
    products,
    ready,
    rows,
    stage_rows,
    sync,
    with_work,
)
from tests.integration.documents import DOCUMENTS, invoice, known, line, with_customers
from tests.integration.test_tables_of_lines import NEEDS_A_LINE
from tests.integration.test_undo_lines import PARKED, everything, waiting_and_refused
from tests.integration.undo import release, undo

# ── what another run has read since ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line("bad", "1"), line("B", "1"), line("C", "2")], id="waits for the same"),
        pytest.param([line("bad", "3")], id="waits for another"),
        pytest.param([line("bad")], id="refused for itself"),
        pytest.param([line("fine")], id="brought up to date"),
    ],
)
@pytest.mark.parametrize("more", [[], [item("2")]], ids=["waits", "waits for nothing"])
def test_two_runs_undone_the_last_first_leave_what_was_before_each(
    connection: Connection[Any], lines: list[Any], more: list[Record]
) -> None:
    several = waiting_and_refused(connection)
    before = everything(connection)
    sync(connection, several, customer("10"), item("1"), *more, run_id="wrong")
    between = everything(connection)
    later = invoice("7", *lines, DocNumber="5", CustomerRef={"value": "10"})
    sync(connection, several, later, run_id="later")
    after = everything(connection)

    undo(connection, several, "later", run_id="back-2")
    assert everything(connection) == between
    undo(connection, several, "wrong", run_id="back-1")
    assert everything(connection) == before
    undo(connection, several, "back-1", run_id="forth-1")
    assert everything(connection) == between
    undo(connection, several, "back-2", run_id="forth-2")
    assert everything(connection) == after


def test_a_version_that_was_not_read_as_far_as_its_references_has_no_say(
    connection: Connection[Any],
) -> None:
    several = waiting_and_refused(connection)
    before = everything(connection)
    sync(connection, several, customer("10"), item("1"), run_id="wrong")
    ended = sync(connection, several, invoice("7", line("bad", "1"), TotalAmt="much"))
    assert ended == [End("7", "not_added", "invalid_value")]

    undo(connection, several, "wrong")

    assert everything(connection) == before


def test_a_load_that_somebody_repeats_makes_its_run_no_later_one(
    connection: Connection[Any],
) -> None:
    """A task of a finished run may be cleared in Airflow: its other loads are as old as before."""
    several = waiting_and_refused(connection)
    sync(connection, several, customer("10"), item("1"), item("2"), run_id="wrong")
    newest = invoice("7", line("bad"), CustomerRef={"value": "10"})
    sync(connection, several, newest, run_id="later")
    run = Run("sample", REALM, "wrong")
    stage_rows(connection, run, several["products"])
    load_rows(connection, run, several, "products")

    undo(connection, several, "wrong")

    assert rows(connection, PARKED) == []


def test_a_document_refused_after_the_run_has_closed_its_references_is_as_before(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    lines = [line("A", "1"), line("B"), line("C", "2")]
    sync(connection, several, invoice("7", *lines, CustomerRef={"value": "10"}))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    before = everything(connection)
    refused = invoice("7", line("bad", "2"), line("B", "3"), CustomerRef={"value": "11"})
    sync(connection, several, customer("10"), item("1"), refused, run_id="wrong")
    after = everything(connection)

    undo(connection, several, "wrong", run_id="back")

    assert everything(connection) == before
    undo(connection, several, "back")
    assert everything(connection) == after


def test_a_reference_that_the_newest_version_has_no_more_is_not_brought_back(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    of_customer = {"CustomerRef": {"value": "10"}}
    sync(connection, several, invoice("7", line("A", "1"), line("C", "2"), **of_customer))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    refused = invoice("7", line("bad", "3"), line("C", "2"), **of_customer)
    sync(connection, several, customer("10"), item("1"), refused, run_id="wrong")
    newest = invoice("7", line("A", "1"), line("C"), **of_customer)
    assert sync(connection, several, newest) == [End("7", "unchanged")]

    undo(connection, several, "wrong")

    assert rows(connection, PARKED) == [
        ("7", "@lines.1.product_id", "1"),
        ("7", "account_id", "10"),
    ]


def test_what_a_later_run_found_holds_when_an_undo_is_undone(connection: Connection[Any]) -> None:
    several = waiting_and_refused(connection)
    sync(connection, several, customer("10"), item("1"), run_id="wrong")
    undo(connection, several, "wrong", run_id="back")
    newest = invoice("7", line("bad", "2"), CustomerRef={"value": "11"})
    sync(connection, several, newest, run_id="later")
    waits = rows(connection, PARKED)
    assert waits == [("7", "@lines.1.product_id", "2"), ("7", "account_id", "11")]

    ended = undo(connection, several, "back")

    assert ended[-1] == End("7", "kept", "changed_since")
    assert rows(connection, PARKED) == waits


def test_a_document_of_which_a_run_only_closed_references_is_not_held_back_however_often_undone(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    document = invoice("7", CustomerRef={"value": "10"})
    sync(connection, several, document)
    connection.execute("UPDATE crm.invoices SET number = 'own'")
    sync(connection, several, customer("10"), document, run_id="wrong")

    undo(connection, several, "wrong", run_id="back")
    undo(connection, several, "back", run_id="forth")
    undo(connection, several, "forth")

    held = rows(connection, "SELECT module, id, reason FROM sync.held ORDER BY 1, 2")
    assert held == [("accounts", "10", "undone")]


# ── what was closed after the document had been read ────────────────────────────────────────


def sync_in_order(
    connection: Connection[Any],
    mappings: dict[str, Mapping],
    order: list[str],
    *records: Record,
    run_id: str,
) -> None:
    """A sync in which documents load before what they refer to: a stored version of the mapping
    refers to a module whose task comes later, or somebody has cleared a load that failed."""
    ready(connection)
    run = Run("sample", REALM, run_id)
    mirror(connection, run, *records)
    with_work(connection, run, mappings)
    for module in order:
        stage_rows(connection, run, mappings[module])
        load_rows(connection, run, mappings, module)


def numbered_by_people() -> dict[str, Mapping]:
    """Products, and documents of which people edit the number."""
    text = DOCUMENTS.replace("{from: DocNumber}", "{from: DocNumber, edits: crm}")
    return parse_all({"products": products()["products"].text, "documents": text})


@pytest.mark.parametrize(
    ("mappings", "number"),
    [
        pytest.param(known(), {}, id="blank in QuickBooks"),
        pytest.param(numbered_by_people(), {"DocNumber": "5"}, id="edits: crm"),
    ],
)
def test_a_reference_closed_after_its_document_is_open_again_though_somebody_had_edited_it(
    connection: Connection[Any], mappings: dict[str, Mapping], number: dict[str, str]
) -> None:
    document = invoice("7", line("A"), line("B", "1"), **number)
    sync(connection, mappings, document)
    connection.execute("UPDATE crm.invoices SET number = 'own'")
    before = everything(connection)
    order = ["documents", "products"]
    sync_in_order(connection, mappings, order, item("1"), document, run_id="wrong")
    after = everything(connection)

    ended = undo(connection, mappings, "wrong", run_id="back")

    assert ended == [End("1", "removed"), End("7", "updated")]
    assert everything(connection) == before
    undo(connection, mappings, "back")
    assert everything(connection) == after


@pytest.mark.parametrize(
    "order",
    [
        ["documents", "accounts", "products"],
        ["documents", "products", "accounts"],
        ["products", "documents", "accounts"],
        ["accounts", "documents", "products"],
    ],
    ids=",".join,
)
@pytest.mark.parametrize("number", ["own", None])
def test_references_of_a_document_and_its_lines_are_open_again_whichever_was_closed_first(
    connection: Connection[Any], order: list[str], number: str | None
) -> None:
    mappings = with_customers()
    document = invoice("7", line("A"), line("B", "1"), CustomerRef={"value": "10"})
    sync(connection, mappings, document)
    connection.execute("UPDATE crm.invoices SET number = %s", [number])
    before = everything(connection)
    sync_in_order(connection, mappings, order, item("1"), customer("10"), document, run_id="wrong")
    after = everything(connection)

    ended = undo(connection, mappings, "wrong", run_id="back")

    assert ended == [End("1", "removed"), End("10", "removed"), End("7", "updated")]
    assert everything(connection) == before
    undo(connection, mappings, "back")
    assert everything(connection) == after


# ── what people had done before the run ─────────────────────────────────────────────────────


@pytest.mark.parametrize("read", [False, True])
def test_a_line_gets_back_the_product_that_somebody_had_given_it(
    connection: Connection[Any], read: bool
) -> None:
    mappings = known()
    document = invoice("7", line("A"), line("B", "1"))
    sync(connection, mappings, document)
    own = by_hand(connection, "crm.products", name="own")
    given = "UPDATE crm.invoice_lines SET product_id = %s WHERE position = 2"
    connection.execute(given, [own])
    lines = rows(connection, "SELECT position, product_id FROM crm.invoice_lines ORDER BY 1")
    sync(connection, mappings, item("1"), *[document] * read, run_id="wrong")

    undo(connection, mappings, "wrong")

    found = rows(connection, "SELECT position, product_id FROM crm.invoice_lines ORDER BY 1")
    assert found == lines


# ── what the table refused ──────────────────────────────────────────────────────────────────

HELD = """
    SELECT number, line.description, product.name, account.name FROM crm.invoices AS document
      LEFT JOIN crm.invoice_lines AS line ON invoice_id = document.id
      LEFT JOIN crm.products AS product ON product.id = product_id
      LEFT JOIN crm.accounts AS account ON account.id = account_id"""
WAITING = "SELECT field, target_id, refused, run_id FROM sync.parked ORDER BY field"


def test_what_a_newer_version_waits_for_is_not_forgotten_for_an_older_one(
    connection: Connection[Any],
) -> None:
    several = waiting_and_refused(connection)
    sync(connection, several, customer("10"), run_id="wrong")
    connection.execute(
        "ALTER TABLE crm.invoices ADD CHECK (account_id IS NOT NULL OR number <> '5')"
    )
    newest = invoice("7", line("fine"), DocNumber="5", CustomerRef={"value": "12"})
    ended = sync(connection, several, newest, run_id="later")
    assert ended == [End("7", "not_added", "refused_by_table")]
    assert rows(connection, PARKED) == [("7", "account_id", "12")]

    undo(connection, several, "wrong")

    assert rows(connection, PARKED) == [("7", "account_id", "12")]
    sync(connection, several, customer("12"))
    sync(connection, several)
    assert rows(connection, HELD) == [("5", "fine", None, "Customer 12")]


@pytest.mark.parametrize(
    ("newest", "waits"),
    [
        pytest.param(
            invoice("7", line("bad", "1"), line("C", "2"), CustomerRef={"value": "10"}),
            [("@lines.1.product_id", "1"), ("@lines.2.product_id", "2"), ("account_id", "10")],
            id="for what was undone",
        ),
        pytest.param(
            invoice("7", line("bad"), CustomerRef={"value": "11"}), [], id="for nothing any more"
        ),
    ],
)
def test_a_document_refused_since_waits_for_what_it_says_when_it_comes_in(
    connection: Connection[Any], newest: Record, waits: list[tuple[str, str]]
) -> None:
    several = waiting_and_refused(connection)
    sync(connection, several, customer("11"))
    sync(connection, several, customer("10"), item("1"), run_id="wrong")
    sync(connection, several, newest, run_id="later")

    undo(connection, several, "wrong")

    connection.execute("ALTER TABLE crm.invoice_lines DROP CONSTRAINT own")
    assert sync(connection, several) == [End("7", "updated")]
    assert rows(connection, PARKED) == [("7", field, target) for field, target in waits]


def test_a_version_that_the_table_refused_gives_nothing_to_the_one_before(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    sync(connection, several, customer("1"), invoice("7", line("A"), CustomerRef={"value": "1"}))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    sync(connection, several, invoice("7", line("bad", "1"), CustomerRef={"value": "2"}))

    ended = sync(connection, several, item("1"), customer("2"))

    assert ended[-1] == End("7", "not_added", "refused_by_table")
    assert rows(connection, HELD) == [(None, "A", None, "Customer 1")]
    assert rows(connection, PARKED) == []


@pytest.mark.parametrize(
    ("newest", "reason"),
    [
        pytest.param({"TotalAmt": "much"}, "invalid_value", id="has a wrong value"),
        pytest.param({"DocNumber": "no"}, "excluded_by_mapping", id="is excluded"),
    ],
)
def test_what_a_refused_version_waited_for_is_not_closed_once_a_later_one_ends_otherwise(
    connection: Connection[Any], newest: dict[str, str], reason: str
) -> None:
    several = refused_with_exclusions(connection)
    later = invoice("7", line("good"), CustomerRef={"value": "3"}, **newest)
    assert [end.reason for end in sync(connection, several, later, run_id="later")] == [reason]
    undo(connection, several, "later")

    sync(connection, several, item("1"), customer("2"))

    assert rows(connection, HELD) == [(None, "A", None, "Customer 1")]
    assert not has_work(connection, REALM, several["documents"], several.values(), several)
    sync(connection, several, invoice("7", line("good", "1"), CustomerRef={"value": "2"}))
    assert rows(connection, HELD) == [(None, "good", "Item 1", "Customer 2")]


def test_an_undo_gives_nothing_of_a_refused_version_to_the_one_before(
    connection: Connection[Any],
) -> None:
    several = refused_with_exclusions(connection)
    sync(connection, several, invoice("7", line("fine")), run_id="wrong")
    undo(connection, several, "wrong")

    sync(connection, several, item("1"), customer("2"))

    assert rows(connection, HELD) == [(None, "A", None, "Customer 1")]
    assert not has_work(connection, REALM, several["documents"], several.values(), several)
    assert release(connection, several, "undone", "retry")[-1] == End("7", "updated")
    assert rows(connection, HELD) == [(None, "fine", None, None)]


def test_a_refused_version_of_an_entity_that_is_mapped_no_more_is_no_work(
    connection: Connection[Any],
) -> None:
    several = refused_with_exclusions(connection)
    text = several["documents"].text.replace("[Invoice, ", "[")
    text = text.replace("Invoice: {value: invoice}, ", "")
    texts = {name: mapping.text for name, mapping in several.items()}
    fewer = parse_all(texts | {"documents": text})

    sync(connection, fewer, item("1"), customer("2"))

    assert not has_work(connection, REALM, fewer["documents"], fewer.values(), fewer)


def refused_with_exclusions(connection: Connection[Any]) -> dict[str, Mapping]:
    """A document of customer 1, whose change waits for another customer and a product and is
    refused by the table; those of the number "no" are excluded."""
    texts = {name: mapping.text for name, mapping in with_customers().items()}
    texts["documents"] += "exclude: [{where: {DocNumber: 'no'}, because: nobody wants it}]\n"
    several = parse_all(texts)
    sync(connection, several, customer("1"), invoice("7", line("A"), CustomerRef={"value": "1"}))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    refused = invoice("7", line("bad", "1"), CustomerRef={"value": "2"})
    assert sync(connection, several, refused) == [End("7", "not_added", "refused_by_table")]
    return several


def test_a_change_that_the_table_refused_for_want_of_a_product_comes_in_with_it(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER product_id SET NOT NULL")
    sync(connection, known(), item("1"), invoice("7", line("A", "1")))
    ended = sync(connection, known(), invoice("7", line("B", "2"), DocNumber="5"))
    assert ended == [End("7", "not_added", "refused_by_table")]

    sync(connection, known(), item("2"))
    sync(connection, known())

    assert rows(connection, HELD) == [("5", "B", "Item 2", None)]


def test_a_change_that_the_table_refused_for_want_of_a_customer_comes_in_with_them(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    connection.execute("ALTER TABLE crm.invoices ALTER account_id SET NOT NULL")
    first = invoice("7", line("A"), CustomerRef={"value": "1"})
    sync(connection, several, customer("1"), first)
    newer = invoice("7", line("B"), DocNumber="5", CustomerRef={"value": "2"})
    assert sync(connection, several, newer) == [End("7", "not_added", "refused_by_table")]

    sync(connection, several, customer("2"))
    sync(connection, several)

    assert rows(connection, HELD) == [("5", "B", None, "Customer 2")]


@pytest.mark.parametrize("quiet", [0, 1], ids=["in the next sync", "later"])
def test_a_change_that_the_table_refused_comes_in_with_what_it_waits_for_though_its_run_is_undone(
    connection: Connection[Any], quiet: int
) -> None:
    several = with_customers()
    connection.execute("ALTER TABLE crm.invoices ALTER account_id SET NOT NULL")
    first = invoice("7", line("A", "1"), CustomerRef={"value": "1"})
    sync(connection, several, customer("1"), first)
    newer = invoice("7", line("B"), DocNumber="5", CustomerRef={"value": "2"})
    sync(connection, several, newer, run_id="wrong")
    undo(connection, several, "wrong")

    for _ in range(quiet):
        sync(connection, several)
    sync(connection, several, customer("2"))

    assert rows(connection, HELD) == [("5", "B", None, "Customer 2")]


@pytest.mark.parametrize("newer", ["10", "11"], ids=["waits for the same", "waits for another"])
def test_what_an_older_version_waits_for_is_as_it_was_before_a_newer_one_was_refused(
    connection: Connection[Any], newer: str
) -> None:
    several = with_customers()
    sync(connection, several, invoice("7", line("A"), CustomerRef={"value": "10"}))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    before = rows(connection, WAITING)
    refused = invoice("7", line("bad"), CustomerRef={"value": newer})
    sync(connection, several, refused, run_id="wrong")
    after = rows(connection, WAITING)

    undo(connection, several, "wrong", run_id="back")

    assert rows(connection, WAITING) == before
    undo(connection, several, "back")
    assert rows(connection, WAITING) == after


# ── what is told, and what is known of the link ─────────────────────────────────────────────


def test_a_document_that_somebody_deleted_after_its_line_got_a_product_is_gone(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("7", line("B", "1")))
    sync(connection, known(), item("1"), run_id="wrong")
    connection.execute("DELETE FROM crm.invoice_lines")
    connection.execute("DELETE FROM crm.invoices")

    assert undo(connection, known(), "wrong")[-1] == End("7", "kept", "gone_since")


def test_a_document_that_the_run_read_and_left_as_it_was_is_known_as_before(
    connection: Connection[Any],
) -> None:
    document = invoice("7", line("A"), line("B", "1"))
    sync(connection, known(), document)
    before = everything(connection)
    sync(connection, known(), item("1"), document, run_id="wrong")
    after = everything(connection)

    undo(connection, known(), "wrong", run_id="back")

    assert everything(connection) == before
    undo(connection, known(), "back")
    assert everything(connection) == after


# ── what the tables demand ──────────────────────────────────────────────────────────────────


def test_a_document_is_judged_together_with_its_lines_when_it_is_undone(
    connection: Connection[Any],
) -> None:
    connection.execute(NEEDS_A_LINE)
    connection.execute(NEEDS_A_DOCUMENT)
    sync(connection, known(), invoice("1", line("a"), DocNumber="1"), run_id="first")
    sync(connection, known(), invoice("1", line("b"), line("c"), DocNumber="2"), run_id="second")
    after = rows(connection, DOCUMENTS_AND_LINES)

    assert undo(connection, known(), "second") == [End("1", "updated")]
    assert undo(connection, known(), "first", run_id="back") == [End("1", "removed")]
    assert undo(connection, known(), "back") == [End("1", "added")]
    assert sync(connection, known(), run_id="third") == []
    assert after != rows(connection, DOCUMENTS_AND_LINES) == [("1", "a")]


DOCUMENTS_AND_LINES = """
    SELECT number, description FROM crm.invoices
      JOIN crm.invoice_lines AS line ON line.invoice_id = invoices.id ORDER BY 1, 2"""
NEEDS_A_DOCUMENT = """
    CREATE FUNCTION crm.keeps_a_line() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM crm.invoices WHERE id = OLD.invoice_id)
           AND NOT EXISTS (SELECT FROM crm.invoice_lines WHERE invoice_id = OLD.invoice_id) THEN
            RAISE EXCEPTION 'an invoice needs a line';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER keeps_a_line AFTER DELETE ON crm.invoice_lines
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.keeps_a_line()"""
