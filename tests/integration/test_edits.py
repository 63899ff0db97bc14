"""Fields with edits: crm follow QuickBooks until a person changes them in the CRM."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping
from tests.integration.crm import (
    End,
    Record,
    by_hand,
    gone,
    in_capitals,
    item,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.undo import bring_all, undo

CONFLICTS = "SELECT id, field, crm, quickbooks, run_id FROM sync.conflict ORDER BY id, field"
NOTE = "SELECT note FROM crm.products ORDER BY quickbooks_product_id"
DESCRIPTION = "SELECT description FROM crm.products"


def mapped() -> dict[str, Mapping]:
    return products(
        "{key: quickbooks_product_id}", fields="description: {from: Description, edits: crm}"
    )


def conflict(connection: Connection[Any]) -> None:
    """A person has written 'mine' over QuickBooks' 'A', which then became 'B' there."""
    sync(connection, mapped(), seven("A"))
    edit(connection, "mine")
    sync(connection, mapped(), seven("B"))


def edit(connection: Connection[Any], description: str | None) -> None:
    connection.execute("UPDATE crm.products SET description = %s", [description])


def seven(description: str | None, **more: Any) -> Any:
    return item("7", Description=description, **more)


def held(connection: Connection[Any]) -> str | None:
    found: str | None = rows(connection, DESCRIPTION)[0][0]
    return found


def test_a_field_nobody_has_edited_follows_quickbooks(connection: Connection[Any]) -> None:
    sync(connection, mapped(), seven("A"))

    assert sync(connection, mapped(), seven("B")) == [End("7", "updated")]
    assert held(connection) == "B"
    assert sync(connection, mapped(), seven(None)) == [End("7", "updated")]
    assert held(connection) is None


@pytest.mark.parametrize("by_person", ["mine", None])
def test_a_persons_edit_survives_changes_of_other_fields(
    connection: Connection[Any], by_person: str | None
) -> None:
    sync(connection, mapped(), seven("A"))
    edit(connection, by_person)

    for name in ("Pump", "Hose"):
        ended = sync(connection, mapped(), seven("A", Name=name))

    assert ended == [End("7", "updated")]
    assert held(connection) == by_person
    assert rows(connection, CONFLICTS) == []


def test_a_later_change_in_quickbooks_is_a_conflict_and_the_persons_value_stays(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), seven("A"))
    edit(connection, "mine")

    ended = sync(connection, mapped(), seven("B"), run_id="later")

    assert ended == [End("7", "unchanged")]
    assert held(connection) == "mine"
    assert rows(connection, CONFLICTS) == [("7", "description", "mine", "B", "later")]
    assert outcome(connection, "7", "details")[0]["notes"] == [
        {
            "reason": "conflict",
            "field": "description",
            "label": "Description",
            "value": "B",
            "crm": "mine",
            "rule": "has changed in QuickBooks after a person changed it in the CRM",
        }
    ]


@pytest.mark.parametrize(("by_person", "in_quickbooks"), [(None, "B"), ("mine", None)])
def test_a_blank_that_a_person_or_quickbooks_made_is_in_conflict_with_a_value_as_well(
    connection: Connection[Any], by_person: str | None, in_quickbooks: str | None
) -> None:
    sync(connection, mapped(), seven("A"))
    edit(connection, by_person)

    for _ in range(2):
        ended = sync(connection, mapped(), seven(in_quickbooks), run_id="later")

        assert ended == [End("7", "unchanged")]
        assert held(connection) == by_person
        assert rows(connection, CONFLICTS) == [
            ("7", "description", by_person, in_quickbooks, "later")
        ]


def test_the_run_warns_of_conflicts_it_has_found_by_their_ids(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), seven("A"))
    edit(connection, "mine")

    sync(connection, mapped(), seven("B"), run_id="later")
    sync(connection, mapped(), seven("B", Name="Pump"), run_id="again")

    warned = dict(rows(connection, "SELECT run_id, warnings FROM sync.run"))
    assert warned["later"] == {
        "products.conflicts": "In 1 record of products (7) QuickBooks has changed what a person "
        "had changed in the CRM. The CRM keeps the person's values; the details of these rows say "
        "both."
    }
    assert warned["again"] == {}


def test_a_conflict_is_not_told_again_until_a_side_changes(connection: Connection[Any]) -> None:
    sync(connection, mapped(), seven("A"))
    edit(connection, "mine")
    sync(connection, mapped(), seven("B"), run_id="later")

    sync(connection, mapped(), seven("B", Name="Pump"))
    assert outcome(connection, "7", "details") == (None,)
    assert rows(connection, CONFLICTS) == [("7", "description", "mine", "B", "later")]

    sync(connection, mapped(), seven("C"), run_id="again")
    assert rows(connection, CONFLICTS) == [("7", "description", "mine", "C", "again")]


@pytest.mark.parametrize("agreed", ["A", "mine"])
def test_a_conflict_goes_away_when_quickbooks_returns_or_agrees(
    connection: Connection[Any], agreed: str
) -> None:
    conflict(connection)

    sync(connection, mapped(), seven(agreed))

    assert held(connection) == "mine"
    assert rows(connection, CONFLICTS) == []


def test_a_conflict_goes_away_when_the_person_agrees_and_the_field_follows_again(
    connection: Connection[Any],
) -> None:
    conflict(connection)

    edit(connection, "B")
    sync(connection, mapped(), item("8"))
    assert rows(connection, CONFLICTS) == []

    sync(connection, mapped(), seven("C"))
    assert rows(connection, DESCRIPTION + " WHERE quickbooks_product_id = '7'") == [("C",)]


def test_a_field_follows_again_when_quickbooks_changes_after_the_person_agreed(
    connection: Connection[Any],
) -> None:
    conflict(connection)

    edit(connection, "B")

    for changed in ("C", "D"):
        assert sync(connection, mapped(), seven(changed)) == [End("7", "updated")]
        assert held(connection) == changed
        assert rows(connection, CONFLICTS) == []


def test_a_field_follows_again_when_the_person_takes_the_edit_back(
    connection: Connection[Any],
) -> None:
    conflict(connection)

    edit(connection, "A")

    assert sync(connection, mapped(), seven("B")) == [End("7", "updated")]
    assert held(connection) == "B"
    assert rows(connection, CONFLICTS) == []


def test_a_field_whose_edit_was_taken_back_gets_what_quickbooks_says_without_the_word_too(
    connection: Connection[Any],
) -> None:
    """A load of another record has forgotten the conflict meanwhile."""
    conflict(connection)
    edit(connection, "A")
    follows = products("{key: quickbooks_product_id}", fields="description: {from: Description}")
    sync(connection, follows, item("8"))

    assert sync(connection, follows, seven("B")) == [End("7", "updated")]
    assert rows(connection, DESCRIPTION + " WHERE quickbooks_product_id = '7'") == [("B",)]


@pytest.mark.parametrize("edited", ["a person's", None])
def test_a_persons_value_stays_when_the_record_is_deleted_and_comes_back(
    connection: Connection[Any], edited: str | None
) -> None:
    sync(connection, mapped(), seven("first"))
    edit(connection, edited)

    sync(connection, mapped(), gone(seven("first")))
    sync(connection, mapped(), gone(seven("first", Sku="P-1")))
    sync(connection, mapped(), seven("first"))

    assert held(connection) == edited
    assert rows(connection, CONFLICTS) == []


def test_what_quickbooks_changed_while_the_record_was_deleted_is_a_conflict(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), seven("first"))
    edit(connection, "a person's")

    sync(connection, mapped(), gone(seven("first")))
    sync(connection, mapped(), seven("second"))

    assert held(connection) == "a person's"
    assert rows(connection, CONFLICTS) == [
        ("7", "description", "a person's", "second", "run-3"),
    ]


def test_a_record_made_by_hand_keeps_what_its_maker_wrote_and_gets_what_they_left_blank(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="P", description="mine", quickbooks_product_id="7")
    by_hand(connection, "crm.products", name="Q", quickbooks_product_id="8")

    sync(connection, mapped(), seven("A"), item("8", Description="A"))
    assert rows(connection, DESCRIPTION + " ORDER BY id") == [("mine",), ("A",)]
    assert rows(connection, CONFLICTS) == []

    sync(connection, mapped(), seven("B"), run_id="later")
    assert rows(connection, CONFLICTS) == [("7", "description", "mine", "B", "later")]


def agreed(connection: Connection[Any]) -> None:
    """A person has written 'A', and QuickBooks has said the same since."""
    sync(connection, mapped(), seven(None))
    edit(connection, "A")
    assert sync(connection, mapped(), seven("A")) == [End("7", "unchanged")]


def test_a_field_on_which_both_agree_follows_quickbooks(connection: Connection[Any]) -> None:
    agreed(connection)

    assert sync(connection, mapped(), seven("B")) == [End("7", "updated")]
    assert held(connection) == "B"
    assert rows(connection, CONFLICTS) == []


def test_a_blank_is_in_conflict_with_what_both_agreed_on(connection: Connection[Any]) -> None:
    agreed(connection)

    for name in ("Pump", "Hose"):
        sync(connection, mapped(), seven(None, Name=name), run_id=name)
        assert held(connection) == "A"
        assert rows(connection, CONFLICTS) == [("7", "description", "A", None, "Pump")]

    edit(connection, None)
    sync(connection, mapped(), seven(None))
    assert rows(connection, CONFLICTS) == []


def test_a_blank_is_in_conflict_with_what_a_person_wrote_to_end_a_conflict(
    connection: Connection[Any],
) -> None:
    conflict(connection)
    edit(connection, "B")

    sync(connection, mapped(), seven(None), run_id="later")

    assert held(connection) == "B"
    assert rows(connection, CONFLICTS) == [("7", "description", "B", None, "later")]


@pytest.mark.parametrize("by_hand_first", [False, True])
def test_a_blank_clears_what_the_sync_wrote_and_a_person_changed_back(
    connection: Connection[Any], by_hand_first: bool
) -> None:
    """Not so what the maker of the record had written, though QuickBooks said it first."""
    if by_hand_first:
        by_hand(connection, "crm.products", name="P", description="mine", quickbooks_product_id="7")
    sync(connection, mapped(), seven("A"))
    edit(connection, "mine")
    sync(connection, mapped(), seven("A", Name="Pump"))
    sync(connection, mapped(), gone(seven("A")))
    edit(connection, "A")

    sync(connection, mapped(), seven(None))

    assert held(connection) == ("A" if by_hand_first else None)


def test_a_blank_that_overwrites_clears_what_both_agreed_on(
    connection: Connection[Any],
) -> None:
    always = products(
        "{key: quickbooks_product_id, blank_overwrites: true}",
        fields="description: {from: Description, edits: crm}",
    )
    agreed(connection)

    assert sync(connection, always, seven(None)) == [End("7", "updated")]
    assert held(connection) is None


@pytest.fixture(params=["added", "updated", "made by hand"])
def capitals(request: pytest.FixtureRequest, connection: Connection[Any]) -> Connection[Any]:
    """A table with a record for which QuickBooks says 'a'; it came so, or became so."""
    in_capitals(connection, "crm.products", "description")
    if request.param == "made by hand":
        by_hand(connection, "crm.products", name="P", quickbooks_product_id="7")
    if request.param == "updated":
        sync(connection, mapped(), seven("x"))
    sync(connection, mapped(), seven("a"))
    assert held(connection) == "A"
    return connection


def test_what_the_table_rewrites_is_no_edit(capitals: Connection[Any]) -> None:
    assert sync(capitals, mapped(), seven("a", Name="Pump")) == [End("7", "updated")]
    assert sync(capitals, mapped(), seven("b")) == [End("7", "updated")]

    assert held(capitals) == "B"
    assert rows(capitals, CONFLICTS) == []


def test_what_the_table_had_rewritten_is_no_change_in_quickbooks(
    capitals: Connection[Any],
) -> None:
    edit(capitals, "mine")

    for name in ("Pump", "Hose"):
        assert sync(capitals, mapped(), seven("a", Name=name)) == [End("7", "updated")]
        sync(capitals, mapped(), gone(seven("a")))

    assert held(capitals) == "MINE"
    assert rows(capitals, CONFLICTS) == []


def test_a_change_in_quickbooks_is_a_conflict_until_it_is_taken_back_whatever_the_table_rewrites(
    capitals: Connection[Any],
) -> None:
    edit(capitals, "mine")

    for name in ("Pump", "Hose"):
        sync(capitals, mapped(), seven("b", Name=name), run_id=name)
        assert held(capitals) == "MINE"
        assert rows(capitals, CONFLICTS) == [("7", "description", "MINE", "b", "Pump")]

    sync(capitals, mapped(), seven("a"))
    assert held(capitals) == "MINE"
    assert rows(capitals, CONFLICTS) == []


def test_a_blank_of_quickbooks_that_the_table_fills_is_no_change_either(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.products ADD note text NOT NULL DEFAULT '-'")
    known = products(fields="note: {from: Description, edits: crm}")
    sync(connection, known, seven(None))
    connection.execute("UPDATE crm.products SET note = 'mine'")

    sync(connection, known, seven(None, Name="Pump"))

    assert rows(connection, NOTE) == [("mine",)]
    assert rows(connection, CONFLICTS) == []


def test_what_quickbooks_said_is_known_again_when_the_run_that_brought_more_is_undone(
    capitals: Connection[Any],
) -> None:
    sync(capitals, mapped(), seven("b"), run_id="later")
    undo(capitals, mapped(), "later")
    edit(capitals, "mine")

    sync(capitals, mapped(), seven("a", Name="Pump"))

    assert held(capitals) == "MINE"
    assert rows(capitals, CONFLICTS) == []


def with_default(connection: Connection[Any], *records: Record) -> dict[str, Mapping]:
    """Records that are in the CRM before it has a column with a default; the mapping with it."""
    sync(connection, products(), *records)
    connection.execute("ALTER TABLE crm.products ADD note varchar(9) DEFAULT '9% (new)'")
    return products(fields="note: {from: Description, edits: crm}")


def test_a_default_that_nobody_has_edited_follows_quickbooks(connection: Connection[Any]) -> None:
    known = with_default(connection, seven("A"), item("8"))

    bring_all(connection, known, "replay")
    assert rows(connection, NOTE) == [("A",), ("9% (new)",)]

    sync(connection, known, seven("B"), item("8", Description="B"))
    assert rows(connection, NOTE) == [("B",), ("B",)]
    assert rows(connection, CONFLICTS) == []


def test_a_default_stays_where_quickbooks_has_nothing(connection: Connection[Any]) -> None:
    known = with_default(connection, seven(None))
    by_hand(connection, "crm.products", name="Q", quickbooks_product_id="8")

    for name in ("Pump", "Hose"):
        eight = item("8", Name=f"{name} 8")
        assert sync(connection, known, seven(None, Name=name), eight) == [
            End("7", "updated"),
            End("8", "updated"),
        ]
        assert rows(connection, NOTE) == [("9% (new)",), ("9% (new)",)]


def test_a_default_that_quickbooks_had_said_as_well_stays_where_it_has_nothing_any_more(
    connection: Connection[Any],
) -> None:
    known = with_default(connection, seven(None))

    for said in ("9% (new)", None):
        sync(connection, known, seven(said))

    assert rows(connection, NOTE) == [("9% (new)",)]
    assert rows(connection, CONFLICTS) == []


def test_what_a_person_wrote_over_a_default_stays(connection: Connection[Any]) -> None:
    known = with_default(connection, seven("A"))
    connection.execute("UPDATE crm.products SET note = 'mine'")

    sync(connection, known, seven("A", Name="Pump"))

    assert rows(connection, NOTE) == [("mine",)]


def test_without_the_word_quickbooks_wins_and_its_conflicts_are_forgotten(
    connection: Connection[Any],
) -> None:
    conflict(connection)
    known = products("{key: quickbooks_product_id}", fields="description: {from: Description}")

    sync(connection, known, seven("C"))

    assert held(connection) == "C"
    assert rows(connection, CONFLICTS) == []


def test_the_conflict_of_a_record_that_is_gone_goes_with_it(connection: Connection[Any]) -> None:
    conflict(connection)
    connection.execute("DELETE FROM crm.products")

    sync(connection, mapped(), item("8"))

    assert rows(connection, CONFLICTS) == []
