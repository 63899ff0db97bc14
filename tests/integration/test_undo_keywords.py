"""Keywords that a run added to a list go with it, unless something uses them."""

from typing import Any

from psycopg import Connection

from tests.integration.crm import item, rows, sync
from tests.integration.keyword_lists import TAGS, TERMS, held, listed, mapped, values
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
