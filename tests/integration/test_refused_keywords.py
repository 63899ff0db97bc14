"""A list that refuses a new keyword keeps out the rows that need it, and no others."""

import traceback
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.errors import RunError
from tests.integration.crm import End, by_hand, item, outcome, products, rows, sync
from tests.integration.keyword_lists import (
    LEAVES_OUT,
    RAISES,
    TAGS,
    TERMS,
    guard,
    held,
    listed,
    mapped,
    values,
)

KEEPS = "RETURN NEW;"


@pytest.mark.parametrize(
    ("check", "body", "said"),
    [
        (
            "CHECK (value <> 'Net 45')",
            KEEPS,
            'new row for relation "keyword_values" violates check constraint '
            '"keyword_values_value_check"',
        ),
        ("CHECK (true)", RAISES, "not this one"),
        ("CHECK (true)", LEAVES_OUT, "a trigger left it out without saying why"),
    ],
)
def test_a_row_whose_keyword_its_list_refuses_is_not_added_and_the_others_load(
    connection: Connection[Any], check: str, body: str, said: str
) -> None:
    listed(connection, "terms")
    connection.execute(f"ALTER TABLE crm.keyword_values ADD {check}".encode())
    guard(connection, body)
    known = mapped(TERMS, unknown_keywords="insert")

    ended = sync(connection, known, item("7", Terms="Net 45"), item("8", Terms="Net 90"), item("9"))

    assert ended == [
        End("7", "not_added", "refused_by_table"),
        End("8", "added"),
        End("9", "added"),
    ]
    assert outcome(connection, "7", "message") == (
        f"The keyword list of Terms refused 'Net 45': {said}.",
    )
    assert values(connection) == ["Net 30", "Net 60", "Net 90"]
    assert held(connection, "terms") == ["Net 90", None]


def test_of_a_mixed_cell_the_refused_keyword_is_told_with_its_constraint(
    connection: Connection[Any],
) -> None:
    listed(connection, "tags", several=True)
    connection.execute(
        "ALTER TABLE crm.keyword_values ADD CONSTRAINT few CHECK (value <> 'Net 45')"
    )
    known = mapped(TAGS, unknown_keywords="insert")

    sync(connection, known, item("7", Tags="Net 30|Net 45"), item("8", Tags="Net 30|Net 90"))

    assert held(connection, "tags") == [["Net 30", "Net 90"]]
    assert outcome(connection, "7", "details") == (
        {"field": "tags", "label": "Tags", "value": "Net 45", "constraint": "few"},
    )


def test_a_known_record_keeps_what_it_has_when_the_list_refuses_its_new_keyword(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, unknown_keywords="insert")
    sync(connection, known, item("7", Terms="Net 30"))
    guard(connection, RAISES)

    ended = sync(connection, known, item("7", Terms="Net 45", Name="Pump"))

    assert ended == [End("7", "not_added", "refused_by_table")]
    assert rows(connection, "SELECT name, terms FROM crm.products") == [("Item 7", "Net 30")]


def test_rows_that_do_not_need_the_refused_keyword_end_as_they_would_without_it(
    connection: Connection[Any],
) -> None:
    """A duplicate is no record, a person's own value stays, and what is there already is there."""
    listed(connection, "terms")
    known = products(
        "{key: quickbooks_product_id, check: [name], unknown_keywords: insert}",
        fields="terms: {from: Terms, edits: crm}",
    )
    by_hand(connection, "crm.products", name="Taken")
    sync(connection, known, item("7", Terms="Net 30"), item("8", Terms="Net 30"))
    change = "UPDATE crm.products SET terms = %s WHERE quickbooks_product_id = %s"
    connection.execute(change.encode(), ["mine", "7"])
    connection.execute(change.encode(), ["Net 45", "8"])
    guard(connection, RAISES)

    ended = sync(
        connection,
        known,
        *(item(id, Terms="Net 45", Sku="A") for id in ("7", "8")),
        item("9", Name="Taken", Terms="Net 45"),
        item("10", Terms="Net 45"),
    )

    assert ended == [
        End("7", "updated"),
        End("8", "updated"),
        End("9", "duplicate", "check_fields"),
        End("10", "not_added", "refused_by_table"),
    ]
    assert values(connection) == ["Net 30", "Net 60"]


def test_a_row_that_was_only_second_to_a_refused_one_takes_its_place(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    guard(connection, RAISES)
    known = products(
        "{key: quickbooks_product_id, check: [name], unknown_keywords: insert}", fields=TERMS
    )

    ended = sync(connection, known, item("7", Name="Pump", Terms="Net 45"), item("8", Name="PUMP"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "added")]


def test_a_list_that_has_no_room_for_all_takes_the_first_ones(connection: Connection[Any]) -> None:
    listed(connection, "terms")
    guard(
        connection,
        "IF (SELECT count(*) > 2 FROM crm.keyword_values WHERE list_id = 7) THEN "
        "RAISE EXCEPTION 'no room'; END IF; RETURN NEW;",
    )
    known = mapped(TERMS, unknown_keywords="insert")

    ended = sync(connection, known, item("7", Terms="Net 90"), item("8", Terms="Net 45"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "added")]


def test_a_list_that_refuses_together_what_it_takes_one_by_one_stops_the_load_and_tells_no_keyword(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute(
        "CREATE FUNCTION crm.one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF (SELECT count(*) > 1 FROM fresh) THEN RAISE EXCEPTION 'not %', "
        "(SELECT max(value) FROM fresh); END IF; RETURN NULL; END $$"
    )
    connection.execute(
        "CREATE TRIGGER one AFTER INSERT ON crm.keyword_values REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION crm.one()"
    )
    records = [item("7", Terms="Net 45"), item("8", Terms="Net 90")]

    with pytest.raises(RunError, match="does not take the new keywords of this load") as stopped:
        sync(connection, mapped(TERMS, unknown_keywords="insert"), *records)

    assert "Net 90" not in "".join(traceback.format_exception(stopped.value))
    assert held(connection, "terms") == []
