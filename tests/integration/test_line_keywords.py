"""Keywords in documents' lines: as in the fields of records, and part of the document's one end."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import activity, catalog, keywords, wording
from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import REALM, End, counts, one, outcome, rows, sync
from tests.integration.documents import invoice, line
from tests.integration.keyword_lists import ADDED, LEAVES_OUT, RAISES, guard, values
from tests.integration.undo import undo

HELD = "SELECT position, unit FROM crm.invoice_lines ORDER BY invoice_id, position"
UNIT = "unit: {from: Unit}"
INSERT = "unit: {from: Unit, keywords: insert}"


@pytest.fixture(autouse=True)
def listed(connection: Connection[Any]) -> None:
    """A keyword field of invoice lines, its list with the values Hour (also HR) and Day."""
    connection.execute(
        "ALTER TABLE crm.invoice_lines ADD COLUMN unit text, ADD COLUMN tags text[], "
        "ADD COLUMN colour text"
    )
    connection.execute("INSERT INTO crm.keyword_lists (id, name) VALUES (7, 'Units')")
    connection.execute(
        "INSERT INTO crm.keyword_values (id, list_id, value) VALUES (71, 7, 'Hour'), (72, 7, 'Day')"
    )
    connection.execute(
        "INSERT INTO crm.keyword_aliases (list_id, value_id, alias) VALUES (7, 71, 'HR')"
    )
    connection.execute(
        "INSERT INTO crm.form_field (table_name, column_name, label, type, keyword_list_id, "
        "multi_value) VALUES ('crm.invoice_lines', 'unit', 'Unit', 'keyword', 7, false), "
        "('crm.invoice_lines', 'tags', 'Tags', 'keyword', 7, true)"
    )


def invoices(field: str, settings: str = "", head: str = "") -> dict[str, Mapping]:
    """A mapping of invoices with such a field in their lines."""
    return parse_all(
        {
            "invoices": "entities: [Invoice]\ntable: crm.invoices\ncompany: company_id\n"
            f"import: {{key: quickbooks_invoice_id{settings and ', ' + settings}}}\n"
            "fields: {quickbooks_invoice_id: {from: Id}, kind: {value: invoice}, "
            f"number: {{from: DocNumber}}{head and ', ' + head}}}\n"
            "lines: {from: Line, table: crm.invoice_lines, parent: invoice_id, "
            f"position: position, fields: {{description: {{from: Description}}, {field}}}}}\n"
        }
    )


def units(*said: str | None) -> list[dict[str, Any]]:
    """Lines with these units."""
    return [line("a", Unit=unit) for unit in said]


@pytest.mark.parametrize("said", ["Hour", " hour ", "ＨＯＵＲ", "HR", "hr"])
def test_a_line_gets_a_keyword_as_its_list_spells_it_whatever_its_case_its_form_or_its_alias(
    connection: Connection[Any], said: str
) -> None:
    ended = sync(connection, invoices(UNIT), invoice("1", *units(None, said, "day")))

    assert ended == [End("1", "added")]
    assert rows(connection, HELD) == [(1, None), (2, "Hour"), (3, "Day")]
    assert outcome(connection, "1", "details") == (None,)


def test_under_ignore_an_unknown_keyword_is_left_out_and_told_with_the_place_of_its_line(
    connection: Connection[Any],
) -> None:
    sync(connection, invoices(UNIT), invoice("1", *units("HR", "Week")), run_id="first")

    assert rows(connection, HELD) == [(1, "Hour"), (2, None)]
    assert values(connection) == ["Day", "Hour"]
    assert outcome(connection, "1", "details")[0]["notes"] == [
        {
            "reason": "unknown_keyword",
            "line": 2,
            "field": "unit",
            "label": "Unit",
            "value": "Week",
            "rule": "is not on the list of keywords",
        }
    ]
    found = activity.rows(connection, REALM, "first", "invoices", "added")
    assert wording.listing(found) == (
        "Invoice 1  added  Line 2: Unit 'Week' is not on the list of keywords."
    )


def test_under_insert_an_unknown_keyword_joins_the_list_as_the_first_line_spells_it(
    connection: Connection[Any],
) -> None:
    known = invoices(INSERT)

    sync(connection, known, invoice("2", *units("WEEK")), invoice("1", *units("Week", "week")))

    assert rows(connection, HELD) == [(1, "Week"), (2, "Week"), (1, "Week")]
    assert values(connection) == ["Day", "Hour", "Week"]
    assert rows(connection, ADDED) == [
        ("invoices", "@lines.unit", "Week", "crm.keyword_values", "7")
    ]


def test_the_setting_of_the_import_goes_for_lines_and_the_field_has_the_last_word(
    connection: Connection[Any],
) -> None:
    settings = "unknown_keywords: insert, separator: ';'"
    known = invoices("unit: {from: Unit, keywords: ignore}, tags: {from: Tags}", settings)

    sync(connection, known, invoice("1", line("a", Unit="Week", Tags="hr;Month; day;HOUR")))

    held = rows(connection, "SELECT unit, tags FROM crm.invoice_lines")
    assert held == [(None, ["Hour", "Month", "Day"])]
    assert values(connection) == ["Day", "Hour", "Month"]


def test_a_list_in_the_mapping_serves_lines_too(connection: Connection[Any]) -> None:
    connection.execute("DELETE FROM crm.form_field WHERE table_name = 'crm.invoice_lines'")
    known = invoices("unit: {from: Unit, keywords: [Piece]}")

    sync(connection, known, invoice("1", *units("PIECE", "Hour")))

    assert rows(connection, HELD) == [(1, "Piece"), (2, None)]


def test_a_keyword_of_the_document_and_one_of_its_lines_have_lists_of_their_own(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoices ADD COLUMN unit text")
    known = invoices(
        "unit: {from: Unit, keywords: [Piece]}", head="unit: {from: Unit, keywords: [Whole]}"
    )

    sync(connection, known, invoice("1", *units("piece", "whole"), Unit="whole"))

    assert one(connection, "SELECT unit FROM crm.invoices") == "Whole"
    assert rows(connection, HELD) == [(1, "Piece"), (2, None)]


def test_a_document_with_a_new_keyword_that_is_too_long_is_not_added_and_names_the_line(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ALTER unit TYPE varchar(6)")

    ended = sync(connection, invoices(INSERT), invoice("1", *units("HR", "Fortnight")))

    assert ended == [End("1", "not_added", "invalid_value")]
    assert values(connection) == ["Day", "Hour"]
    assert outcome(connection, "1", "message", "details") == (
        "Line 2: Unit 'Fortnight' is longer than 6 characters.",
        [
            {
                **{"reason": "invalid_value", "line": 2, "field": "unit", "label": "Unit"},
                **{"value": "Fortnight", "rule": "is longer than 6 characters"},
            }
        ],
    )


def test_a_document_whose_line_lacks_a_required_keyword_is_not_added_and_names_the_line(
    connection: Connection[Any],
) -> None:
    known = invoices("unit: {from: Unit, required: true}")

    ended = sync(
        connection,
        known,
        invoice("1", *units("HR", "Week", "Month")),
        invoice("2", *units("day")),
        invoice("3", *units("day", "Week")),
    )

    assert ended == [
        End("1", "not_added", "missing_required"),
        End("2", "added"),
        End("3", "not_added", "missing_required"),
    ]
    assert counts(connection, "invoices")["not_added"] == 2
    assert outcome(connection, "1", "message") == (
        "Line 2: Unit is required, and no keyword of it is on its list. "
        "Line 3: Unit is required, and no keyword of it is on its list.",
    )
    assert [told["line"] for told in outcome(connection, "1", "details")[0][:2]] == [2, 3]
    assert rows(connection, HELD) == [(1, "Day")]


@pytest.mark.parametrize(
    ("body", "said"),
    [(RAISES, "not this one"), (LEAVES_OUT, "a trigger left it out without saying why")],
)
def test_a_document_whose_line_needs_a_keyword_that_its_list_refuses_is_not_added(
    connection: Connection[Any], body: str, said: str
) -> None:
    guard(connection, body)

    ended = sync(
        connection,
        invoices(INSERT),
        invoice("1", *units("HR", None, "Net 45", "net 45")),
        invoice("2", *units("Week")),
        invoice("3", *units("Day")),
    )

    assert ended == [
        End("1", "not_added", "refused_by_table"),
        End("2", "added"),
        End("3", "added"),
    ]
    assert outcome(connection, "1", "message", "details") == (
        f"Line 3: The keyword list of Unit refused 'Net 45': {said}.",
        {"line": 3, "field": "unit", "label": "Unit", "value": "Net 45"},
    )
    assert values(connection) == ["Day", "Hour", "Week"]
    assert rows(connection, "SELECT DISTINCT unit FROM crm.invoice_lines ORDER BY 1") == [
        ("Day",),
        ("Week",),
    ]


def test_a_line_keeps_a_keyword_that_was_taken_off_its_list_and_refused_since(
    connection: Connection[Any],
) -> None:
    sync(connection, invoices(INSERT), invoice("1", *units("Hour", "Net 45")))
    connection.execute("DELETE FROM crm.keyword_values WHERE value = 'Net 45'")
    guard(connection, RAISES)

    ended = sync(connection, invoices(INSERT), invoice("1", *units("Net 45"), DocNumber="5"))

    assert ended == [End("1", "updated")]
    assert rows(connection, HELD) == [(1, "Net 45")]


def test_a_known_document_keeps_its_lines_when_the_list_refuses_a_new_keyword(
    connection: Connection[Any],
) -> None:
    sync(connection, invoices(INSERT), invoice("1", *units("Hour")))
    guard(connection, RAISES)

    ended = sync(connection, invoices(INSERT), invoice("1", *units("Net 45", "Day")))

    assert ended == [End("1", "not_added", "refused_by_table")]
    assert rows(connection, HELD) == [(1, "Hour")]


def test_a_keyword_of_a_document_that_is_not_in_the_crm_does_not_join_the_list(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ADD CHECK (description <> 'bad')")
    refused = invoice("1", line("bad", Unit="Month"), line("a", Unit="Year"))

    sync(connection, invoices(INSERT), refused, invoice("2", *units("Week")))

    assert values(connection) == ["Day", "Hour", "Week"]


def test_the_same_document_again_changes_nothing(connection: Connection[Any]) -> None:
    known = invoices(f"{INSERT}, tags: {{from: Tags}}")
    document = invoice("1", line("a", Unit="week", Tags="hr|unknown"), line("b"))
    sync(connection, known, document)

    assert sync(connection, known, document) == [End("1", "unchanged")]
    assert values(connection) == ["Day", "Hour", "week"]


def test_an_unknown_keyword_empties_a_line_that_quickbooks_has_changed(
    connection: Connection[Any],
) -> None:
    sync(connection, invoices(UNIT), invoice("1", *units("Hour")))

    assert sync(connection, invoices(UNIT), invoice("1", *units("Week"))) == [End("1", "updated")]
    assert rows(connection, HELD) == [(1, None)]


def test_an_undo_takes_a_keyword_with_it_that_only_lines_had(connection: Connection[Any]) -> None:
    known = invoices(INSERT)
    sync(connection, known, invoice("1", *units("Hour")))
    sync(connection, known, invoice("1", *units("Week")), run_id="wrong")

    undo(connection, known, "wrong", run_id="back")
    assert (rows(connection, HELD), values(connection)) == ([(1, "Hour")], ["Day", "Hour"])

    undo(connection, known, "back")
    assert (rows(connection, HELD), values(connection)) == ([(1, "Week")], ["Day", "Hour", "Week"])


def test_an_undo_leaves_a_keyword_that_a_line_of_another_document_has(
    connection: Connection[Any],
) -> None:
    known = invoices(INSERT)
    sync(connection, known, invoice("1", *units("Week")), run_id="wrong")
    sync(connection, known, invoice("2", *units("Week")))

    undo(connection, known, "wrong")

    assert values(connection) == ["Day", "Hour", "Week"]


def test_keywords_that_do_not_fit_a_column_of_lines_are_told_before_any_run(
    connection: Connection[Any],
) -> None:
    connection.execute("UPDATE crm.form_field SET multi_value = true WHERE column_name = 'unit'")
    known = invoices("unit: {from: Unit}, colour: {from: Colour, keywords: insert}")["invoices"]

    found = list(keywords.misfits(known, catalog.of(connection, known)))

    assert found == [
        "invoices.yaml line 6: lines.fields.unit.keywords: crm.invoice_lines.unit is to hold "
        "several keywords and is text. Make it a column of type text[], or the field one of a "
        "single keyword.",
        "invoices.yaml line 6: lines.fields.colour.keywords: the CRM has no keyword list for "
        "crm.invoice_lines.colour. Write the keywords themselves, such as [Net 15, Net 30], "
        "or give the field a list in the CRM.",
    ]


def test_a_constant_of_lines_that_is_on_no_list_is_told_before_any_run(
    connection: Connection[Any],
) -> None:
    known = invoices("unit: {from: Unit, default: Week}")["invoices"]

    found = list(keywords.unlisted(connection, known, catalog.of(connection, known)))

    assert found == [
        "invoices.yaml line 6: lines.fields.unit.default 'Week' is not on the list of keywords of "
        "crm.invoice_lines.unit. Take one that is, or add it to the list."
    ]


def test_a_keyword_that_a_line_lacks_is_told_beside_what_the_document_lacks(
    connection: Connection[Any],
) -> None:
    known = invoices("unit: {from: Unit, required: true}", head="due_on: {from: DueDate}")

    sync(connection, known, invoice("1", *units("Hour", "Week"), DueDate="soon"))

    assert outcome(connection, "1", "reason", "message") == (
        "missing_required",
        "Due on 'soon' is not a date (year-month-day). "
        "Line 2: Unit is required, and no keyword of it is on its list.",
    )


def test_a_record_kept_out_neither_adds_to_a_list_nor_says_how_its_keywords_are_spelled(
    connection: Connection[Any],
) -> None:
    known = invoices(INSERT, head="due_on: {from: DueDate}")

    sync(
        connection,
        known,
        invoice("1", *units("WEEK", "Year"), DueDate="soon"),
        invoice("2", *units("Week"), DueDate="2026-02-01"),
    )

    assert values(connection) == ["Day", "Hour", "Week"]
