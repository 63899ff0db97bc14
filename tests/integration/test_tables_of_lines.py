"""What the CRM's own table of lines demands: a line that it refuses keeps its document out."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog, fitting, lacking
from quickbooks_crm.companies import Company
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.suiting import missing_fields, missing_lines
from tests.integration.crm import End, item, one, outcome, products, rows, sync
from tests.integration.documents import (
    DOCUMENTS,
    KEYED,
    LINES,
    REFERRED,
    TEXTS,
    invoice,
    known,
    line,
    owned,
    trigger,
)

# What it refuses


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("CHECK (description <> 'bad')", "violates check constraint"),
        ("UNIQUE (invoice_id, description)", "duplicate key value violates unique constraint"),
    ],
)
def test_a_line_that_the_table_refuses_keeps_its_document_out_and_is_named(
    connection: Connection[Any], rule: str, said: str
) -> None:
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD CONSTRAINT own {rule}")
    refused = invoice("2", line("bad"), line("fine"), line("bad"))

    ended = sync(connection, known(), invoice("1", line("a")), refused, invoice("3", line("b")))

    assert ended == [
        End("1", "added"), End("2", "not_added", "refused_by_table"), End("3", "added")
    ]  # fmt: skip
    [message, details] = outcome(connection, "2", "message", "details")
    assert message.startswith("The CRM table refused line ") and said in message
    assert details["constraint"] == "own" and details["line"] in (1, 3)
    assert rows(connection, TEXTS) == [(1, "a"), (1, "b")]


@pytest.mark.parametrize("column", ["place", "said", "candidate", "exchanged"])
def test_a_line_that_the_table_refuses_keeps_out_no_other_whatever_its_columns_are_called(
    connection: Connection[Any], column: str
) -> None:
    rule = "ADD CHECK (description <> 'bad')"
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD {column} text, {rule}".encode())
    sync(connection, known(), invoice("3", line("b")))

    ended = sync(
        connection,
        known(),
        invoice("1", line("a")),
        invoice("2", line("bad")),
        invoice("3", line("c")),
    )

    assert ended == [
        End("1", "added"), End("2", "not_added", "refused_by_table"), End("3", "updated")
    ]  # fmt: skip
    assert rows(connection, TEXTS) == [(1, "c"), (1, "a")]


def test_a_line_that_a_trigger_leaves_out_keeps_its_document_out(
    connection: Connection[Any],
) -> None:
    trigger(connection, "IF NEW.description = ''bad'' THEN RETURN NULL; END IF; RETURN NEW;")

    ended = sync(connection, known(), invoice("1", line("a"), line("bad")), invoice("2", line("c")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    assert outcome(connection, "1", "message") == (
        "The CRM table refused line 2: a trigger left it out without saying why.",
    )
    assert rows(connection, TEXTS) == [(1, "c")]


def test_a_refused_change_leaves_the_document_and_all_its_lines_as_they_were(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", line("a"), line("b"), DocNumber="1"))
    connection.execute("ALTER TABLE crm.invoice_lines ADD CHECK (description <> 'bad')")

    ended = sync(connection, known(), invoice("1", line("new"), line("bad"), DocNumber="2"))

    assert ended == [End("1", "not_added", "refused_by_table")]
    assert rows(connection, "SELECT number FROM crm.invoices") == [("1",)]
    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


UNIQUE = "CREATE UNIQUE INDEX own ON crm.invoice_lines (invoice_id, description)"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("ab", "ba"),
        ("abc", "bca"),
        ("abc", "bc"),
        ("ab", "cab"),
        ("abcd", "dxba"),
    ],
)
def test_lines_that_change_places_pass_a_unique_index_of_their_table(
    connection: Connection[Any], was: str, becomes: str
) -> None:
    connection.execute(UNIQUE)
    connection.execute("ALTER TABLE crm.invoice_lines ADD remark text")
    sync(connection, known(), invoice("1", *map(line, was)), invoice("2", line("a")))
    connection.execute("UPDATE crm.invoice_lines SET remark = position")
    keys = rows(connection, KEYED)

    ended = sync(connection, known(), invoice("1", *map(line, becomes)))

    assert ended == [End("1", "updated")]
    assert rows(connection, TEXTS) == [*enumerate(becomes, 1), (1, "a")]
    stay = min(len(was), len(becomes))
    assert [key for key, _ in rows(connection, KEYED)[:stay]] == [key for key, _ in keys[:stay]]
    remarks = "SELECT remark FROM crm.invoice_lines ORDER BY invoice_id, position"
    assert rows(connection, remarks)[:stay] == [(str(place + 1),) for place in range(stay)]
    assert sync(connection, known(), invoice("1", *map(line, becomes))) == [End("1", "unchanged")]


def test_lines_that_others_records_go_with_are_not_taken_out(connection: Connection[Any]) -> None:
    connection.execute(UNIQUE)
    connection.execute(
        "CREATE TABLE crm.remarks (line_id bigint REFERENCES crm.invoice_lines ON DELETE CASCADE)"
    )
    sync(connection, known(), invoice("1", line("a"), line("b")))
    connection.execute("INSERT INTO crm.remarks SELECT id FROM crm.invoice_lines")

    ended = sync(connection, known(), invoice("1", line("b"), line("a")), invoice("2", line("a")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    message, details = outcome(connection, "1", "message", "details")
    assert "line 1: duplicate key value" in message and details == {"constraint": "own", "line": 1}
    assert one(connection, "SELECT count(*) FROM crm.remarks") == 2


def test_two_lines_that_a_unique_index_does_not_let_be_the_same_are_told(
    connection: Connection[Any],
) -> None:
    connection.execute(UNIQUE)

    ended = sync(connection, known(), invoice("1", line("a"), line("a")), invoice("2", line("a")))

    assert ended == [End("1", "not_added", "refused_by_table"), End("2", "added")]
    message, details = outcome(connection, "1", "message", "details")
    assert message == (
        'The CRM table refused line 2: duplicate key value violates unique constraint "own".'
    )
    assert details == {"constraint": "own", "line": 2}


def test_a_line_that_another_documents_line_keeps_out_names_that_document(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX own ON crm.invoice_lines (description)")
    sync(connection, known(), invoice("1", line("a"), line("b")), invoice("2", line("c")))

    sync(connection, known(), invoice("3", line("x"), line("b")))

    first = one(connection, "SELECT id::text FROM crm.invoices WHERE quickbooks_invoice_id = '1'")
    assert outcome(connection, "3", "message") == (
        'The CRM table refused line 2: duplicate key value violates unique constraint "own".',
    )
    assert rows(connection, "SELECT id, candidates FROM sync.held") == [("3", [first])]
    connection.execute("DELETE FROM crm.invoices WHERE quickbooks_invoice_id = '1'")
    assert sync(connection, known()) == [End("3", "added")]


def test_a_value_that_only_the_tables_own_type_refuses_keeps_its_document_out(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER description TYPE inet USING NULL")

    ended = sync(connection, known(), invoice("1", line("10.0.0.1")), invoice("2", line("here")))

    assert ended == [End("1", "added"), End("2", "not_added", "refused_by_table")]
    assert outcome(connection, "2", "message") == (
        'The CRM table refused line 1: invalid input syntax for type inet: "here".',
    )


def test_the_lines_of_refused_documents_are_not_written(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoices ADD CHECK (number <> 'bad')")

    sync(connection, known(), invoice("1", line("a"), DocNumber="bad"), invoice("2", line("b")))

    assert rows(connection, TEXTS) == [(1, "b")]


# What it fills, requires and is found by


def test_a_blank_is_left_to_the_columns_own_default(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET DEFAULT 1")
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET NOT NULL")

    sync(connection, known(), invoice("1", line("a")))
    sync(connection, known(), invoice("1", line("b")))

    assert rows(connection, LINES) == [(1, "b", 1, None, None)]


def test_a_line_that_moves_up_does_not_take_over_what_stood_there(
    connection: Connection[Any],
) -> None:
    """What it leaves blank is the column's own default again, not another line's value."""
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET DEFAULT 1")
    connection.execute("ALTER TABLE crm.invoice_lines ALTER quantity SET NOT NULL")
    five = line("a", SalesItemLineDetail={"Qty": 5})

    sync(connection, known(), invoice("1", five, line("b")))
    ended = sync(connection, known(), invoice("1", line("b")))
    again = sync(connection, known(), invoice("1", line("b")))

    assert rows(connection, LINES) == [(1, "b", 1, None, None)]
    assert (ended, again) == ([End("1", "updated")], [End("1", "unchanged")])


def coded(connection: Connection[Any], columns: str) -> dict[str, Mapping]:
    """Documents whose lines have such columns, each mapped to what QuickBooks calls Code."""
    connection.execute("CREATE SEQUENCE crm.codes")
    added = ", ".join(f"ADD {column}" for column in columns.split("; "))
    connection.execute(f"ALTER TABLE crm.invoice_lines {added}".encode())
    fields = "".join(f"    {c.split()[0]}: {{from: Code}}\n" for c in columns.split("; "))
    text = DOCUMENTS.replace("    description:", f"{fields}    description:")
    return parse_all({"products": products()["products"].text, "documents": text})


CODES = "SELECT position, code FROM crm.invoice_lines ORDER BY invoice_id, position"
A_NEW_CODE = "code integer NOT NULL DEFAULT nextval('crm.codes')"


def test_a_line_keeps_the_default_that_it_got_as_long_as_it_stays_as_it_is(
    connection: Connection[Any],
) -> None:
    mappings = coded(connection, A_NEW_CODE)
    sync(connection, mappings, invoice("1", line("a"), line("b", Code=77), line("c")))

    changed = invoice("1", line("a"), line("b", Code=77), line("d"), DocNumber="5")
    ended = sync(connection, mappings, changed)

    assert ended == [End("1", "updated")]
    assert rows(connection, CODES) == [(1, 1), (2, 77), (3, 3)]


@pytest.mark.parametrize("rule", ["CHECK (true)", "UNIQUE (description)"])
def test_a_line_that_moves_up_gets_a_default_of_its_own(
    connection: Connection[Any], rule: str
) -> None:
    """Also where lines are in each other's way, so that they change places all at once."""
    mappings = coded(connection, A_NEW_CODE)
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD {rule}".encode())
    sync(connection, mappings, invoice("1", line("a", Code=77), line("b")))

    ended = sync(connection, mappings, invoice("1", line("b"), line("a", Code=77)))

    assert ended == [End("1", "updated")]
    [(_, first), second] = rows(connection, CODES)
    assert first not in (1, 77) and second == (2, 77)


def test_a_default_that_fails_keeps_out_the_documents_that_need_it(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "CREATE FUNCTION crm.code() RETURNS integer LANGUAGE plpgsql AS "
        "'BEGIN RAISE ''codes are used up''; END'"
    )
    mappings = coded(connection, "code integer NOT NULL DEFAULT crm.code()")

    three = (invoice("1", line("a", Code=1)), invoice("2", line("b")), invoice("3"))
    ended = sync(connection, mappings, *three)

    assert ended == [
        End("1", "added"), End("2", "not_added", "refused_by_table"), End("3", "added")
    ]  # fmt: skip
    assert outcome(connection, "2", "message") == (
        "The CRM table refused line 1: codes are used up.",
    )


def test_lines_may_have_any_number_of_defaults(connection: Connection[Any]) -> None:
    mappings = coded(connection, "; ".join(f"c{n} integer NOT NULL DEFAULT {n}" for n in range(60)))

    assert sync(connection, mappings, invoice("1", line("a"))) == [End("1", "added")]
    assert one(connection, "SELECT c59 FROM crm.invoice_lines") == 59


def test_a_line_may_say_whose_it_is(connection: Connection[Any]) -> None:
    mappings = owned(connection)
    sync(connection, mappings, invoice("1", line("a"), line("b")))
    sync(connection, mappings, invoice("1", line("a2")), realm="2", company="other")

    ended = sync(connection, mappings, invoice("1", line("b"), line("a"), line("c")))

    assert ended == [End("1", "updated")]
    query = "SELECT company_id, description FROM crm.invoice_lines ORDER BY invoice_id, position"
    assert rows(connection, query) == [
        *(("sample", text) for text in "bac"), ("other", "a2")
    ]  # fmt: skip
    assert sync(connection, mappings, invoice("1", line("b"), line("a"), line("c"))) == [
        End("1", "unchanged")
    ]


def test_a_required_company_of_lines_that_the_mapping_does_not_name_is_missing(
    connection: Connection[Any],
) -> None:
    mappings = owned(connection)

    without, table = known()["documents"], catalog.of(connection, known()["documents"])

    assert missing_fields(without, table) == ["Company id of crm.invoice_lines"]
    [said] = missing_lines(without, table)
    where = f"documents.yaml line {without.line('lines.fields')}: lines.fields: "
    assert said.startswith(f"{where}nothing fills crm.invoice_lines.company_id (Company id). ")
    assert missing_fields(mappings["documents"], table) == []


def test_a_company_that_the_table_of_lines_does_not_take_is_told_before_any_row_moves(
    connection: Connection[Any],
) -> None:
    mappings = owned(connection)
    connection.execute("ALTER TABLE crm.invoice_lines ALTER company_id TYPE varchar(4)")
    company = Company("firm", "Firm", "quickbooks_firm", None, None, "sample")

    (told,) = fitting.misfits(connection, mappings, company, "documents")

    assert told == (
        "documents.yaml line 19: lines.company: crm.invoice_lines.company_id does not take "
        "'sample', the crm_company of firm.yaml: it takes character varying(4). Write another "
        "crm_company there, or change the column."
    )


@pytest.mark.parametrize("key", ["invoice_id, position", "position, invoice_id"])
def test_lines_may_have_document_and_position_for_their_primary_key(
    connection: Connection[Any], key: str
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines DROP id")
    connection.execute(f"ALTER TABLE crm.invoice_lines ADD PRIMARY KEY ({key})".encode())
    three = [line("a", "7"), line("b"), line("c")]

    sync(connection, known(), invoice("1", *three), invoice("2", line("x")))
    ended = sync(connection, known(), invoice("1", line("b"), line("a", "7")), item("7"))

    assert ended == [End("7", "added"), End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "b"), (2, "a"), (1, "x")]
    assert rows(connection, REFERRED) == [(None,), ("Item 7",), (None,)]
    documents = known()["documents"]
    assert list(lacking.misfits(catalog.of(connection, documents), documents)) == []


def test_lines_for_whose_document_the_column_is_too_short_keep_it_out_and_are_not_cut_off(
    connection: Connection[Any],
) -> None:
    """Cut off, the keys of several documents would be one, and each would remove the others'
    lines."""
    connection.execute("SELECT setval(pg_get_serial_sequence('crm.invoices', 'id'), 99)")
    connection.execute(
        "DROP VIEW crm.purchases; "
        "ALTER TABLE crm.invoice_lines DROP CONSTRAINT invoice_lines_invoice_id_fkey; "
        "ALTER TABLE crm.invoice_lines ALTER invoice_id TYPE varchar(3)"
    )
    sync(connection, known(), invoice("1", line("a")))
    connection.execute("SELECT setval(pg_get_serial_sequence('crm.invoices', 'id'), 999)")

    ended = sync(connection, known(), invoice("2", line("b")), invoice("3"))
    changed = sync(connection, known(), invoice("3", line("c")))

    assert ended == [End("2", "not_added", "refused_by_table"), End("3", "added")]
    assert changed == [End("3", "not_added", "refused_by_table")]
    assert rows(connection, TEXTS) == [(1, "a")]


def test_a_lines_reference_for_whose_key_the_column_is_too_short_stays_open_and_is_not_cut_off(
    connection: Connection[Any],
) -> None:
    connection.execute("SELECT setval(pg_get_serial_sequence('crm.products', 'id'), 12344)")
    connection.execute(
        "DROP VIEW crm.purchases; "
        "ALTER TABLE crm.invoice_lines DROP CONSTRAINT invoice_lines_product_id_fkey; "
        "ALTER TABLE crm.invoice_lines ALTER product_id TYPE varchar(3)"
    )

    sync(connection, known(), invoice("1", line("a", "7")))
    sync(connection, known(), item("7"))

    assert rows(connection, LINES) == [(1, "a", None, None, None)]
    assert rows(connection, "SELECT id FROM crm.products") == [(12345,)]


# What it demands of a document with its lines

NEEDS_A_LINE = """
    CREATE FUNCTION crm.needs_a_line() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM crm.invoice_lines WHERE invoice_id = NEW.id) THEN
            RAISE EXCEPTION 'an invoice needs a line';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER needs_a_line AFTER INSERT OR UPDATE ON crm.invoices
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.needs_a_line()"""


def test_a_document_is_judged_together_with_its_lines(connection: Connection[Any]) -> None:
    connection.execute(NEEDS_A_LINE)

    assert sync(connection, known(), invoice("1", line("a"))) == [End("1", "added")]
    assert sync(connection, known(), invoice("1", line("b"), DocNumber="1"), invoice("2")) == [
        End("1", "updated"),
        End("2", "not_added", "refused_by_table"),
    ]
    assert outcome(connection, "2", "message") == (
        "The CRM table refused the record: an invoice needs a line.",
    )
    assert sync(connection, known(), invoice("2", line("c"))) == [End("2", "added")]
    assert rows(connection, TEXTS) == [(1, "b"), (1, "c")]
