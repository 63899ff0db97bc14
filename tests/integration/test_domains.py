"""Columns of a domain: what it forbids is told of the records that say it, of no other."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import End, item, mapping, outcome, rows, sync
from tests.integration.own_tables import into, own, things

__all__ = ["own"]

VALUES = "SELECT quickbooks_id, value FROM own.things ORDER BY 1"


@pytest.mark.parametrize("rule", ["NOT NULL", "CHECK (VALUE IS NOT NULL)", "NOT NULL DEFAULT 'n'"])
def test_what_is_not_mapped_gets_its_default_whatever_its_domain_forbids(
    own: Connection[Any], rule: str
) -> None:
    own.execute(f"CREATE DOMAIN own.stage AS text {rule}".encode())
    own.execute("CREATE DOMAIN own.key AS uuid NOT NULL")
    default = "" if "DEFAULT" in rule else "DEFAULT 'n'"
    key = "id own.key PRIMARY KEY DEFAULT gen_random_uuid()"
    things(own, f"value text, stage own.stage {default}", key)
    known = into("x")

    first = sync(own, known, item("7", Value="a"), item("8"))
    again = sync(own, known, item("7", Value="b"), item("8"))

    assert first == [End("7", "added"), End("8", "added")]
    assert again == [End("7", "updated"), End("8", "unchanged")]
    query = "SELECT quickbooks_id, value, stage FROM own.things ORDER BY 1"
    assert rows(own, query) == [("7", "b", "n"), ("8", None, "n")]


@pytest.mark.parametrize(
    "column",
    ["own.stage DEFAULT 'new'", "own.with_default", "own.over_it", "own.over_it DEFAULT 'new'"],
)
def test_a_blank_gets_the_default_of_the_column_else_of_its_domain(
    own: Connection[Any], column: str
) -> None:
    own.execute("CREATE DOMAIN own.stage AS text NOT NULL CHECK (VALUE <> 'bad')")
    own.execute("CREATE DOMAIN own.with_default AS text NOT NULL DEFAULT 'new'")
    own.execute("CREATE DOMAIN own.over_it AS own.with_default CHECK (VALUE <> 'bad')")
    things(own, f"value {column}")
    known = into("x")

    ended = sync(own, known, item("7"), item("8", Value="a"))

    assert ended == [End("7", "added"), End("8", "added")]
    assert rows(own, VALUES) == [("7", "new"), ("8", "a")]
    assert sync(own, known, item("7", Name="Pump"), item("8", Value="b")) == [
        End("7", "updated"),
        End("8", "updated"),
    ]
    assert rows(own, VALUES) == [("7", "new"), ("8", "b")]


def test_what_a_domain_refuses_is_refused_of_that_row_only(own: Connection[Any]) -> None:
    own.execute("CREATE DOMAIN own.stage AS text NOT NULL CHECK (VALUE <> 'bad')")
    things(own, "value own.stage DEFAULT 'new'")
    known = into("x")

    ended = sync(own, known, item("7", Value="bad"), item("8", Value="a"), item("9"))

    assert ended[0] == End("7", "not_added", "refused_by_table")
    assert ended[1:] == [End("8", "added"), End("9", "added")]
    assert "stage_check" in outcome(own, "7", "message")[0]
    assert sync(own, known, item("7", Value="good"))[0].outcome == "added"


@pytest.mark.parametrize("default", ["", "DEFAULT CURRENT_USER"])
def test_people_may_edit_what_a_domain_forbids_to_be_blank(
    own: Connection[Any], default: str
) -> None:
    own.execute("CREATE DOMAIN own.stage AS text NOT NULL")
    things(own, f"value own.stage {default}, note text")
    fields = "value: {from: Value, edits: crm}, note: {from: Note, edits: crm}"
    known = parse_all({"things": mapping("own.things", fields)})
    sync(own, known, item("7", Value="a"), item("8", Value="a"))
    own.execute("UPDATE own.things SET value = 'mine' WHERE quickbooks_id = '7'")

    ended = sync(own, known, item("7", Value="a", Name="Pump"), item("8", Value="b"))

    assert ended == [End("7", "updated"), End("8", "updated")]
    assert rows(own, VALUES) == [("7", "mine"), ("8", "b")]
