"""What the mapping leaves alone, and a person has filled: an undo keeps the record. What the table
has filled by itself keeps none."""

from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import End, item, outcome, sync
from tests.integration.own_tables import into, own, things
from tests.integration.undo import undo

__all__ = ["own"]


@pytest.mark.parametrize(
    ("column", "later"),
    [
        ("date DEFAULT CURRENT_DATE", "value - 1"),
        ("time DEFAULT LOCALTIME", "value - interval '1 minute'"),
        ("text DEFAULT CURRENT_USER", "'another login'"),
        ("text DEFAULT session_user", "'another login'"),
        ("timestamptz DEFAULT CURRENT_TIMESTAMP", "value - interval '1 minute'"),
        ("date DEFAULT CURRENT_DATE + 30", "value - 1"),
        ("char(3) DEFAULT 'a'", "value"),
        ("numeric(9, 2) DEFAULT 1", "value"),
        ("json DEFAULT '{}'", "value"),
        ("text[] DEFAULT '{}'", "value"),
        ("text DEFAULT 'CURRENT_DATE (now)'", "value"),
        ("own.must DEFAULT 'n'", "value"),
    ],
)
def test_an_added_record_with_a_default_is_removed_whenever_and_by_whomever(
    own: Connection[Any], column: str, later: str
) -> None:
    own.execute("CREATE DOMAIN own.must AS text NOT NULL")
    things(own, f"value {column}")
    sync(own, into(), item("7"), run_id="wrong")
    own.execute(f"UPDATE own.things SET value = {later}".encode())

    assert undo(own, into(), "wrong") == [End("7", "removed")]


@pytest.mark.parametrize(
    ("column", "filled"),
    [
        ("text", "mine"),
        ("text DEFAULT 'CURRENT_DATE (now)'", "mine"),
        ("text[]", "{mine}"),
        ("text[] DEFAULT '{}'", "{mine}"),
        ("json DEFAULT '{}'", '{"a": 1}'),
        ("jsonb", "{}"),
        ("inet", "10.0.0.1"),
        ("point", "(1,2)"),
        ("daterange", "[2026-01-01,2026-02-01)"),
    ],
)
def test_an_added_record_is_kept_whatever_a_person_has_filled(
    own: Connection[Any], column: str, filled: str
) -> None:
    things(own, f"value {column}")
    sync(own, into(), item("7"), item("8"), run_id="wrong")
    own.execute("UPDATE own.things SET value = %s WHERE quickbooks_id = '7'", [filled])

    ended = undo(own, into(), "wrong")

    assert ended == [End("7", "kept", "changed_since"), End("8", "removed")]
    assert outcome(own, "7", "message") == ("Changed since by somebody in the CRM: value.",)
