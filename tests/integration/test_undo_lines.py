"""Undoing what a run did to documents: a document and its lines are one record."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping
from tests.integration.crm import End, by_hand, customer, item, one, outcome, rows, sync
from tests.integration.documents import KEYED, TEXTS, invoice, known, line, owned, with_customers
from tests.integration.test_loads_at_once import until_waiting
from tests.integration.undo import LINKS, undo

CRM = """
    SELECT to_jsonb(d.*) - 'updated_at', (SELECT jsonb_agg(to_jsonb(l.*) ORDER BY position)
      FROM crm.invoice_lines AS l WHERE l.invoice_id = d.id) FROM crm.invoices AS d ORDER BY id"""
PLACED = """
    SELECT quickbooks_invoice_id || '/' || position, line.id FROM crm.invoice_lines AS line
      JOIN crm.invoices AS document ON document.id = invoice_id"""
PARKED = "SELECT id, field, target_id FROM sync.parked ORDER BY id, field"


def everything(connection: Connection[Any]) -> list[Any]:
    return [rows(connection, query) for query in (CRM, LINKS, PARKED)]


def test_lines_that_were_changed_added_and_removed_are_as_before(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), item("1"), invoice("7", line("A", "1"), line("B"), line("C")))
    sync(connection, known(), invoice("8", line("X")))
    before = everything(connection)
    sync(
        connection,
        known(),
        invoice("7", line("A2"), line("B"), DocNumber="new"),
        invoice("8", line("X"), line("Y"), line("Z", "1")),
        run_id="wrong",
    )
    after = everything(connection)

    ended = undo(connection, known(), "wrong", run_id="back")

    assert ended == [End("7", "updated"), End("8", "updated")]
    assert everything(connection) == before
    undo(connection, known(), "back")
    assert everything(connection) == after


def test_a_document_that_was_added_goes_with_its_lines_and_comes_back_with_them(
    connection: Connection[Any],
) -> None:
    new = [item("1"), invoice("7", line("A", "1"), line("B", "9"))]
    sync(connection, known(), *new, run_id="wrong")
    after = everything(connection)

    ended = undo(connection, known(), "wrong", run_id="back")

    assert ended == [End("1", "removed"), End("7", "removed")]
    assert everything(connection) == [[], [], []]
    undo(connection, known(), "back", run_id="forth")
    assert everything(connection) == after
    undo(connection, known(), "forth")
    assert everything(connection) == [[], [], []]


def test_a_document_of_which_somebody_changed_a_line_is_kept(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("7", line("A")))
    sync(connection, known(), invoice("7", line("A"), line("B")), run_id="wrong")
    connection.execute("UPDATE crm.invoice_lines SET description = 'own' WHERE position = 1")

    assert undo(connection, known(), "wrong") == [End("7", "kept", "changed_since")]
    assert outcome(connection, "7", "message") == ("Changed since by somebody in the CRM: @lines.",)


@pytest.mark.parametrize("runs", [["first"], ["first", "wrong"]])
def test_what_somebody_is_changing_in_a_line_is_waited_for_and_kept(
    connection: Connection[Any], database_url: str, runs: list[str]
) -> None:
    for run_id in runs:
        sync(connection, known(), invoice("7", line(run_id), line("B")), run_id=run_id)
    with psycopg.connect(database_url) as person, ThreadPoolExecutor() as beside:
        person.execute("UPDATE crm.invoice_lines SET description = 'own' WHERE position = 1")
        undoing = beside.submit(undo, connection, known(), runs[-1])
        with psycopg.connect(database_url, autocommit=True) as onlooker:
            assert until_waiting(onlooker, 1)
        person.commit()

    assert undoing.result() == [End("7", "kept", "changed_since")]
    assert rows(connection, TEXTS) == [(1, "own"), (2, "B")]


def test_a_reference_that_the_run_closed_in_a_line_is_open_again(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("7", line("A"), line("B", "1")))
    before = everything(connection)
    sync(connection, known(), item("1"), run_id="wrong")
    after = everything(connection)
    assert after[2] == []

    ended = undo(connection, known(), "wrong", run_id="back")

    assert ended == [End("1", "removed"), End("7", "updated")]
    assert everything(connection) == before
    undo(connection, known(), "back")
    assert everything(connection) == after


def test_a_product_that_a_line_of_somebody_refers_to_is_kept(connection: Connection[Any]) -> None:
    sync(connection, known(), item("1"), run_id="wrong")
    product = one(connection, "SELECT id FROM crm.products")
    document = by_hand(connection, "crm.invoices", number="own", kind="invoice")
    by_hand(connection, "crm.invoice_lines", invoice_id=document, position=1, product_id=product)

    assert undo(connection, known(), "wrong") == [End("1", "kept", "referenced")]


def test_a_reference_closed_before_the_run_changed_the_document_itself_is_open_again(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("7", line("A"), line("B", "1")))
    before = everything(connection)
    sync(connection, known(), item("1"), invoice("7", line("C")), run_id="wrong")
    after = everything(connection)

    undo(connection, known(), "wrong", run_id="back")

    assert everything(connection) == before
    undo(connection, known(), "back")
    assert everything(connection) == after


# ── what is not mapped ──────────────────────────────────────────────────────────────────────


def test_a_reference_of_a_line_is_open_again_in_a_document_that_somebody_has_edited(
    connection: Connection[Any],
) -> None:
    document = invoice("7", line("A"), line("B", "1"))
    sync(connection, known(), document)
    connection.execute("UPDATE crm.invoices SET number = 'own'")
    before = everything(connection)
    sync(connection, known(), item("1"), document, run_id="wrong")
    after = everything(connection)

    ended = undo(connection, known(), "wrong", run_id="back")

    assert ended == [End("1", "removed"), End("7", "updated")]
    assert everything(connection) == before
    undo(connection, known(), "back")
    assert everything(connection) == after


def waiting_and_refused(connection: Connection[Any]) -> dict[str, Mapping]:
    """A document whose change waits for its customer and a product, and is refused by the table."""
    several = with_customers()
    sync(connection, several, invoice("7"))
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD CONSTRAINT own CHECK (description <> 'bad')"
    )
    lines = [line("bad", "1"), line("B", "1"), line("C", "2")]
    sync(connection, several, invoice("7", *lines, CustomerRef={"value": "10"}), run_id="first")
    return several


def test_a_document_refused_again_waits_again_for_all_it_waited_for(
    connection: Connection[Any],
) -> None:
    several = waiting_and_refused(connection)
    before = everything(connection)
    assert [field for _, field, _ in before[2]] == [
        "@lines.1.product_id", "@lines.2.product_id", "@lines.3.product_id", "account_id"
    ]  # fmt: skip
    sync(connection, several, customer("10"), item("1"), run_id="wrong")
    after = everything(connection)
    assert [field for _, field, _ in after[2]] == ["@lines.3.product_id"]

    undo(connection, several, "wrong", run_id="back")

    assert everything(connection) == before
    undo(connection, several, "back", run_id="forth")
    assert everything(connection) == after
    undo(connection, several, "forth")
    assert everything(connection) == before


@pytest.mark.parametrize(
    ("lines", "waits"),
    [
        pytest.param([line("fine")], [], id="brought up to date"),
        pytest.param([line("bad", "3")], [("@lines.1.product_id", "3")], id="refused once more"),
        pytest.param([line("bad")], [], id="refused once more, for itself"),
    ],
)
def test_what_a_later_run_made_of_its_lines_holds(
    connection: Connection[Any], lines: list[Any], waits: list[tuple[str, str]]
) -> None:
    several = waiting_and_refused(connection)
    sync(connection, several, customer("10"), item("1"), item("2"), run_id="wrong")
    sync(connection, several, invoice("7", *lines, CustomerRef={"value": "10"}))

    undo(connection, several, "wrong")

    assert rows(connection, PARKED) == [("7", field, target) for field, target in waits]


def remark(connection: Connection[Any]) -> None:
    """A column of lines that the mapping leaves alone, filled."""
    connection.execute("ALTER TABLE crm.invoice_lines ADD remark text")
    connection.execute("UPDATE crm.invoice_lines SET remark = 'own ' || description")


def test_a_line_that_was_removed_comes_back_whole(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("7", line("A"), line("B"), line("C")))
    remark(connection)
    before = everything(connection)
    sync(connection, known(), invoice("7", line("A2")), run_id="wrong")
    after = everything(connection)

    undo(connection, known(), "wrong", run_id="back")

    assert everything(connection) == before
    undo(connection, known(), "back", run_id="forth")
    assert everything(connection) == after
    undo(connection, known(), "forth")
    assert everything(connection) == before


@pytest.mark.parametrize("becomes", ["BA", "BCA", "B", "CABD"])
def test_lines_that_changed_places_under_a_unique_index_go_back_and_forth(
    connection: Connection[Any], becomes: str
) -> None:
    connection.execute("CREATE UNIQUE INDEX own ON crm.invoice_lines (invoice_id, description)")
    sync(connection, known(), invoice("7", line("A"), line("B"), line("C")))
    remark(connection)
    before = everything(connection)
    sync(connection, known(), invoice("7", *map(line, becomes)), run_id="wrong")
    after = everything(connection)

    assert undo(connection, known(), "wrong", run_id="back") == [End("7", "updated")]
    assert everything(connection) == before
    assert undo(connection, known(), "back") == [End("7", "updated")]
    assert everything(connection) == after


def test_lines_that_say_whose_they_are_are_removed_and_come_back(
    connection: Connection[Any],
) -> None:
    mappings = owned(connection)
    sync(connection, mappings, invoice("7", line("A")))
    before = everything(connection)
    sync(
        connection,
        mappings,
        invoice("7", line("A"), line("B")),
        invoice("8", line("C")),
        run_id="wrong",
    )
    after = everything(connection)

    assert undo(connection, mappings, "wrong", run_id="back") == [
        End("7", "updated"),
        End("8", "removed"),
    ]
    assert everything(connection) == before
    undo(connection, mappings, "back")
    assert everything(connection) == after


def test_a_line_of_which_the_number_is_taken_comes_back_under_another(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("7", line("A"), line("B")))
    sync(connection, known(), invoice("7", line("A")), run_id="wrong")
    own = by_hand(connection, "crm.invoices", number="own", kind="invoice")
    by_hand(connection, "crm.invoice_lines", id=2, invoice_id=own, position=1)
    connection.execute("SELECT setval(pg_get_serial_sequence('crm.invoice_lines', 'id'), 9)")

    assert undo(connection, known(), "wrong") == [End("7", "updated")]

    assert rows(connection, KEYED) == [(1, "A"), (10, "B"), (2, None)]


def test_a_document_is_kept_when_somebody_has_filled_a_line_that_would_go(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("7", line("A")), invoice("8", line("A")))
    connection.execute("ALTER TABLE crm.invoice_lines ADD remark text")
    more = [invoice(id, line("A"), line("B")) for id in ("7", "8", "9")]
    sync(connection, known(), *more, run_id="wrong")
    connection.execute("UPDATE crm.invoice_lines SET remark = 'own' WHERE id IN (1, 4, 5)")

    ended = undo(connection, known(), "wrong")

    kept = End("8", "kept", "changed_since")
    assert ended == [End("7", "updated"), kept, End("9", "kept", "changed_since")]


def test_a_document_is_kept_when_somebodys_record_refers_to_a_line_that_would_go(
    connection: Connection[Any],
) -> None:
    connection.execute("""
        CREATE TABLE crm.deliveries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            line_id bigint REFERENCES crm.invoice_lines (id) ON DELETE CASCADE)""")
    sync(connection, known(), invoice("7", line("A")), invoice("8", line("A")))
    more = [invoice(id, line("A"), line("B")) for id in ("7", "8", "9")]
    sync(connection, known(), *more, run_id="wrong")
    lines = dict(rows(connection, PLACED))
    for place in ("7/1", "8/2", "9/1"):
        by_hand(connection, "crm.deliveries", line_id=lines[place])

    ended = undo(connection, known(), "wrong")

    kept = End("8", "kept", "referenced")
    assert ended == [End("7", "updated"), kept, End("9", "kept", "referenced")]
    said = "1 record of crm.deliveries refers to its lines (line_id)."
    assert outcome(connection, "8", "message") == (said,)
    assert len(rows(connection, "SELECT id FROM crm.deliveries")) == 3


def test_a_column_of_lines_that_is_gone_keeps_only_documents_that_the_run_changed_it_in(
    connection: Connection[Any],
) -> None:
    changed, plain = (line("A", **selling(n)) for n in (1, 2))
    sync(connection, known(), invoice("7", changed), invoice("8", changed, line("B")))
    before = rows(connection, TEXTS)
    wrong = [invoice("7", plain), invoice("8", changed, line("C"), line("D")), invoice("9", plain)]
    sync(connection, known(), *wrong, run_id="wrong")
    connection.execute("ALTER TABLE crm.invoice_lines DROP quantity CASCADE")

    ended = undo(connection, known(), "wrong", run_id="back")

    assert ended == [End("7", "kept", "changed_since"), End("8", "updated"), End("9", "removed")]
    assert outcome(connection, "7", "message") == (
        "Changed since by somebody in the CRM: the table has no @lines.quantity any more.",
    )
    assert rows(connection, TEXTS) == before
    assert undo(connection, known(), "back") == [End("8", "updated"), End("9", "added")]


def test_an_undo_does_not_read_all_lines_for_each_document(connection: Connection[Any]) -> None:
    many = range(1, 101)
    sync(connection, known(), *(invoice(str(n), line("A"), line("B")) for n in many))
    more = (invoice(str(n), line("A"), line("B"), line("C")) for n in many)
    sync(connection, known(), *more, run_id="wrong")
    before = lines_read(connection)

    undo(connection, known(), "wrong", run_id="back")

    each = (lines_read(connection) - before) / len(many)
    assert each < 100, f"{each} lines read for each document of three"


def lines_read(connection: Connection[Any]) -> int:
    """How many rows of the table of lines were read, in whatever way."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.commit()
    read = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    return int(one(connection, f"{read} WHERE relid = 'crm.invoice_lines'::regclass"))


def selling(quantity: int) -> dict[str, Any]:
    return {"SalesItemLineDetail": {"Qty": quantity}}
