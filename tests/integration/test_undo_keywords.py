"""Keywords that a run added to a list go with it, unless something uses them."""

from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import End, item, rows, sync
from tests.integration.keyword_lists import (
    RAISES,
    TAGS,
    TERMS,
    guard,
    held,
    listed,
    mapped,
    values,
)
from tests.integration.undo import undo

INSERT = {"unknown_keywords": "insert"}


def test_a_keyword_that_nothing_uses_any_more_leaves_its_list_and_comes_back(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, **INSERT)
    sync(connection, known, item("7", Terms="Net 30"))
    sync(connection, known, item("7", Terms="Net 90"), item("8", Terms="Net 99"), run_id="wrong")
    whole = rows(connection, "SELECT * FROM crm.keyword_values ORDER BY id")
    assert values(connection) == ["Net 30", "Net 60", "Net 90", "Net 99"]

    undo(connection, known, "wrong", run_id="back")
    assert (held(connection, "terms"), values(connection)) == (["Net 30"], ["Net 30", "Net 60"])

    undo(connection, known, "back", run_id="forth")
    assert rows(connection, "SELECT * FROM crm.keyword_values ORDER BY id") == whole
    assert held(connection, "terms") == ["Net 90", "Net 99"]

    undo(connection, known, "forth")
    assert values(connection) == ["Net 30", "Net 60"]


def test_a_keyword_that_a_record_or_a_person_uses_stays(connection: Connection[Any]) -> None:
    listed(connection, "tags", several=True)
    known = mapped(TAGS, **INSERT)
    sync(connection, known, item("7", Tags="New|Used|Named|Renamed"), run_id="wrong")
    connection.execute("INSERT INTO crm.products (name, tags) VALUES ('own', '{Used}')")
    connection.execute("UPDATE crm.keyword_values SET value = 'Other' WHERE value = 'Renamed'")
    connection.execute("""
        INSERT INTO crm.keyword_aliases (list_id, value_id, alias)
        SELECT 7, id, 'N' FROM crm.keyword_values WHERE value = 'Named'""")

    undo(connection, known, "wrong")

    assert values(connection) == ["Named", "Net 30", "Net 60", "Other", "Used"]


@pytest.mark.parametrize("unique", [True, False])
def test_a_keyword_that_is_on_the_list_again_does_not_come_back_as_a_second_one(
    connection: Connection[Any], unique: bool
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, **INSERT)
    if not unique:
        connection.execute("DROP INDEX crm.keyword_values_value")
    sync(connection, known, item("7", Terms="Net 90"), run_id="wrong")
    undo(connection, known, "wrong", run_id="back")
    connection.execute("INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'NET 90')")

    undo(connection, known, "back")

    assert held(connection, "terms") == ["Net 90"]
    assert values(connection) == ["NET 90", "Net 30", "Net 60"]


def test_a_list_that_takes_a_keyword_no_more_does_not_keep_records_from_coming_back(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, **INSERT)
    sync(connection, known, item("7", Terms="Net 45"), run_id="wrong")
    undo(connection, known, "wrong", run_id="back")
    guard(connection, RAISES)

    assert undo(connection, known, "back") == [End("7", "added")]

    assert held(connection, "terms") == ["Net 45"]
    assert values(connection) == ["Net 30", "Net 60"]
