"""What else a load decides beside its rows goes back with it: merges, conflicts, owners."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import replay, stand_ins
from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    REALM,
    End,
    accounts,
    customer,
    gone,
    item,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.documents import invoice as document
from tests.integration.documents import known as documents
from tests.integration.documents import line
from tests.integration.test_edits import edit, held, seven
from tests.integration.test_edits import mapped as edited
from tests.integration.test_owners import CONTACTS as OWNED_CONTACTS
from tests.integration.test_owners import PEOPLE, user
from tests.integration.test_owners import accounts as owned
from tests.integration.test_stand_ins import inactive, invoice, mapped, merge
from tests.integration.undo import LINKS, bring_all, people, release, undo

CRM = """
    SELECT 'account', to_jsonb(c.*) - 'updated_at' FROM crm.accounts AS c UNION ALL
    SELECT 'contact', to_jsonb(c.*) - 'updated_at' FROM crm.contacts AS c UNION ALL
    SELECT 'link', to_jsonb(l.*) FROM sync.link AS l UNION ALL
    SELECT 'parked', to_jsonb(p.*) FROM sync.parked AS p ORDER BY 1, 2"""
PRODUCTS = "SELECT to_jsonb(p.*) - 'updated_at' FROM crm.products AS p ORDER BY id"
CONFLICTS = "SELECT to_jsonb(c.*) FROM sync.conflict AS c ORDER BY id, field"
MEANS = """
    SELECT account.quickbooks_customer_id, account.type, contact.quickbooks_customer_id
      FROM crm.accounts AS account
      LEFT JOIN crm.contacts AS contact ON contact.account_id = account.id
     ORDER BY 1, 3"""
MERGES = "SELECT loser, survivor FROM sync.merge"


def crm(connection: Connection[Any]) -> list[Any]:
    """Products and their links; not which run an undo of an undo has named last."""
    return [rows(connection, query) for query in (PRODUCTS, LINKS)]


# ── merges ──────────────────────────────────────────────────────────────────────────────────


def merged(connection: Connection[Any]) -> list[Any]:
    """A merge that a run has brought into the CRM; how it was before."""
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"), invoice("9", "2"))
    before = rows(connection, CRM)
    merge(connection, loser="1", survivor="2")
    ended = sync(connection, mapped(), inactive("1"), run_id="wrong")
    assert ended == [End("1", "updated"), End("8", "updated")]
    return before


def test_a_merge_that_the_run_brought_leaves_the_crm_as_before(connection: Connection[Any]) -> None:
    before = merged(connection)
    after = rows(connection, CRM)

    ended = undo(connection, mapped(), "wrong", run_id="back")

    assert ended == [End("1", "updated"), End("8", "updated")]
    assert rows(connection, CRM) == before
    assert rows(connection, MERGES) == [("1", "2")]
    undo(connection, mapped(), "back")
    assert rows(connection, CRM) == after


def told_later(connection: Connection[Any]) -> list[Any]:
    """A merge that was told when the loser had been inactive for long; the CRM before it."""
    sync(connection, mapped(), inactive("1"), customer("2"), invoice("8", "1"))
    before = rows(connection, CRM)
    stand_ins.tell_merge(connection, REALM, ("Customer", "1", "2"), "ann")
    assert sync(connection, mapped(), run_id="wrong") == [End("1", "updated"), End("8", "updated")]
    return before


def test_a_merge_that_was_undone_stays_so_until_its_records_change(
    connection: Connection[Any],
) -> None:
    before = told_later(connection)
    after = rows(connection, MEANS)
    undo(connection, mapped(), "wrong")

    assert sync(connection, mapped()) == []
    assert rows(connection, CRM) == before
    changed = [inactive("1"), invoice("8", "1")]
    assert sync(connection, mapped(), *changed) == [End("1", "updated"), End("8", "updated")]
    assert rows(connection, MEANS) == after


def test_a_merge_that_was_undone_is_brought_again_when_a_person_releases_it(
    connection: Connection[Any],
) -> None:
    told_later(connection)
    after = rows(connection, MEANS)
    undo(connection, mapped(), "wrong")

    release(connection, mapped(), "undone", run_id="release")

    assert rows(connection, MEANS) == after
    assert rows(connection, "SELECT id FROM sync.held") == []


# ── conflicts ───────────────────────────────────────────────────────────────────────────────


def test_a_conflict_that_the_run_found_goes_with_it_and_comes_back_with_it(
    connection: Connection[Any],
) -> None:
    sync(connection, edited(), seven("A"))
    edit(connection, "mine")
    links = rows(connection, "SELECT to_jsonb(l.*) FROM sync.link AS l")
    sync(connection, edited(), seven("B"), run_id="wrong")
    after = rows(connection, CONFLICTS)
    assert after

    undo(connection, edited(), "wrong", run_id="back")

    assert rows(connection, CONFLICTS) == []
    assert held(connection) == "mine"
    assert rows(connection, "SELECT to_jsonb(l.*) FROM sync.link AS l") == links
    undo(connection, edited(), "back")
    assert rows(connection, CONFLICTS) == after


@pytest.mark.parametrize("agreed", ["A", "mine"])
def test_a_conflict_that_the_run_ended_comes_back(connection: Connection[Any], agreed: str) -> None:
    sync(connection, edited(), seven("A"))
    edit(connection, "mine")
    sync(connection, edited(), seven("B"))
    before = rows(connection, CONFLICTS)
    assert before
    sync(connection, edited(), seven(agreed), run_id="wrong")
    assert rows(connection, CONFLICTS) == []

    undo(connection, edited(), "wrong", run_id="back")

    assert rows(connection, CONFLICTS) == before
    undo(connection, edited(), "back")
    assert rows(connection, CONFLICTS) == []


@pytest.mark.parametrize(("mine", "theirs"), [("mine", "B"), (None, "B"), ("mine", None)])
def test_a_conflict_that_the_run_changed_is_as_before(
    connection: Connection[Any], mine: str | None, theirs: str | None
) -> None:
    sync(connection, edited(), seven("A"))
    edit(connection, mine)
    sync(connection, edited(), seven(theirs))
    before = rows(connection, CONFLICTS)
    sync(connection, edited(), seven("C", Name="New"), run_id="wrong")

    undo(connection, edited(), "wrong")

    assert rows(connection, CONFLICTS) == before


# ── owners ──────────────────────────────────────────────────────────────────────────────────


def test_an_owner_that_came_with_a_closed_reference_goes_with_it(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = owned(contacts=OWNED_CONTACTS)
    sync(connection, known, customer("7", Account="8", Rep=None))
    before = rows(connection, CRM)
    sync(connection, known, customer("8", Rep="U-1"), run_id="wrong")
    after = rows(connection, CRM)
    assert ("7", "Ann") in rows(connection, PEOPLE)

    undo(connection, known, "wrong", run_id="back")

    assert rows(connection, CRM) == before
    undo(connection, known, "back")
    assert rows(connection, CRM) == after


# ── references of records that stay as they are ─────────────────────────────────────────────


def test_a_reference_opened_on_a_record_that_stays_as_it_is_is_taken_back(
    connection: Connection[Any],
) -> None:
    known = people()
    sync(connection, known, customer("2"))
    before = rows(connection, CRM)
    ended = sync(connection, known, customer("2", ParentRef={"value": "1"}), run_id="wrong")
    assert ended[0] == End("2", "unchanged")
    after = rows(connection, CRM)
    assert after != before

    undo(connection, known, "wrong", run_id="back")

    assert rows(connection, CRM) == before
    undo(connection, known, "back")
    assert rows(connection, CRM) == after


def test_a_reference_dropped_from_a_record_that_stays_as_it_is_is_open_again(
    connection: Connection[Any],
) -> None:
    known = people()
    sync(connection, known, customer("2", ParentRef={"value": "1"}))
    before = rows(connection, CRM)
    ended = sync(connection, known, customer("2"), run_id="wrong")
    assert ended[0] == End("2", "unchanged")
    after = rows(connection, CRM)

    undo(connection, known, "wrong", run_id="back")

    assert rows(connection, CRM) == before
    undo(connection, known, "back")
    assert rows(connection, CRM) == after


def test_a_reference_opened_for_another_on_a_record_that_stays_as_it_is_is_as_before(
    connection: Connection[Any],
) -> None:
    known = people()
    sync(connection, known, customer("2", ParentRef={"value": "1"}))
    before = rows(connection, CRM)
    sync(connection, known, customer("2", ParentRef={"value": "3"}), run_id="wrong")
    after = rows(connection, CRM)

    undo(connection, known, "wrong", run_id="back")

    assert rows(connection, CRM) == before
    undo(connection, known, "back")
    assert rows(connection, CRM) == after


def test_a_reference_that_a_later_run_opened_for_yet_another_is_kept(
    connection: Connection[Any],
) -> None:
    known = people()
    sync(connection, known, customer("2"))
    before = rows(connection, CRM)
    sync(connection, known, customer("2", ParentRef={"value": "1"}), run_id="wrong")
    sync(connection, known, customer("2", ParentRef={"value": "3"}), run_id="worse")
    after = rows(connection, CRM)

    assert undo(connection, known, "wrong") == [End("2", "kept", "changed_since")]
    assert outcome(connection, "2", "message") == ("Changed since by run worse: parent_id.",)
    assert rows(connection, CRM) == after
    undo(connection, known, "worse")
    undo(connection, known, "wrong")
    assert rows(connection, CRM) == before


def test_a_later_run_that_only_compared_a_record_anew_does_not_stand_in_the_way(
    connection: Connection[Any],
) -> None:
    """As after a new version of this project, which may tell sameness by something else."""
    known = people()
    sync(connection, known, customer("2"))
    before = rows(connection, CRM)
    sync(connection, known, customer("2", DisplayName="Two"), run_id="wrong")
    connection.execute("UPDATE sync.link SET source_hash = 'of another version'")

    sync(connection, known, customer("2", DisplayName="Two"))

    assert undo(connection, known, "wrong") == [End("2", "updated")]
    assert rows(connection, CRM) == before


def test_a_reference_closed_before_the_run_changed_the_record_itself_is_open_again(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = owned(contacts=OWNED_CONTACTS)
    sync(connection, known, customer("7", Account="8"))
    before = rows(connection, CRM)
    new = [customer("8", Rep="U-1"), customer("7", Account="8", DisplayName="Seven")]
    sync(connection, known, *new, run_id="wrong")
    after = rows(connection, CRM)
    assert ("7", "Ann") in rows(connection, PEOPLE)

    undo(connection, known, "wrong", run_id="back")

    assert rows(connection, CRM) == before
    undo(connection, known, "back")
    assert rows(connection, CRM) == after


def test_a_reference_closed_before_the_run_read_the_record_as_deleted_is_open_again(
    connection: Connection[Any],
) -> None:
    """The record stays as it is: QuickBooks' delete writes nothing here."""
    people = {"Account": "9", "FamilyName": "Ann"}
    known = owned(owner="{owner: true}", contacts=OWNED_CONTACTS)
    sync(connection, known, customer("7", **people))
    before = rows(connection, CRM)
    sync(connection, known, gone(customer("7", **people)), customer("9"), run_id="wrong")
    after = rows(connection, CRM)

    undo(connection, known, "wrong", run_id="back")
    assert rows(connection, CRM) == before

    undo(connection, known, "back", run_id="forth")
    assert rows(connection, CRM) == after


def test_a_reference_closed_of_a_record_that_the_run_did_not_bring_up_to_date_is_open_again(
    connection: Connection[Any],
) -> None:
    """Under `create` the record is there already: the run only closed its reference."""
    known = parse_all(
        {
            "accounts": accounts().replace(
                "{key: quickbooks_customer_id, check: [name]}", "{mode: create}"
            )
        }
    )
    sync(connection, known, customer("2", ParentRef={"value": "1"}))
    before = rows(connection, CRM)
    sync(connection, known, customer("2", DisplayName="Two"), customer("1"), run_id="wrong")
    after = rows(connection, CRM)
    assert outcome(connection, "2", "outcome", "after") == ("duplicate", None)

    undo(connection, known, "wrong", run_id="back")
    assert rows(connection, CRM) == before

    undo(connection, known, "back", run_id="forth")
    assert rows(connection, CRM) == after


# ── runs of other kinds ─────────────────────────────────────────────────────────────────────


def test_a_replay_can_be_undone_and_done_again(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Type="Service"), item("8"))
    before = crm(connection)
    mapped_more = products(fields="type: {from: Type}")
    ended = bring_all(connection, mapped_more, run_id="wrong")
    assert ended == [End("7", "updated"), End("8", "unchanged")]
    after = crm(connection)

    assert undo(connection, mapped_more, "wrong", run_id="back")[0] == End("7", "updated")

    assert crm(connection) == before
    undo(connection, mapped_more, "back")
    assert crm(connection) == after


def test_a_replay_of_several_slices_can_be_undone(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "SLICE", 2)
    sync(connection, products(), *(item(n, Type="Service") for n in "12345"))
    before = crm(connection)
    mapped_more = products(fields="type: {from: Type}")
    bring_all(connection, mapped_more, run_id="wrong")
    assert crm(connection) != before

    undo(connection, mapped_more, "wrong")

    assert crm(connection) == before


def test_a_retry_can_be_undone_and_done_again(connection: Connection[Any]) -> None:
    sync(connection, products(), item("6"))
    sync(connection, products(), item("6", Name="Six"), item("7"), run_id="first")
    undo(connection, products(), "first")
    before = crm(connection)
    ended = release(connection, products(), "undone", run_id="wrong")
    assert ended == [End("6", "updated"), End("7", "added")]
    after = crm(connection)

    assert undo(connection, products(), "wrong", run_id="back") == [
        End("6", "updated"),
        End("7", "removed"),
    ]

    assert crm(connection) == before
    undo(connection, products(), "back")
    assert crm(connection) == after


# ── what there was not yet when it was undone ───────────────────────────────────────────────


@pytest.mark.parametrize("demands", ["", "NOT NULL"])
def test_a_column_that_was_added_since_gets_its_default_when_records_come_back(
    connection: Connection[Any], demands: str
) -> None:
    known = documents()
    sync(connection, known, item("7"), document("1", line("a")), run_id="wrong")
    undo(connection, known, "wrong", run_id="back")
    for table in ("products", "invoices", "invoice_lines"):
        added = f"ALTER TABLE crm.{table} ADD COLUMN grade text DEFAULT 'std' {demands}"
        connection.execute(added.encode())

    assert undo(connection, known, "back") == [End("7", "added"), End("1", "added")]
    for table in ("products", "invoices", "invoice_lines"):
        assert rows(connection, f"SELECT grade FROM crm.{table}") == [("std",)]


# ── what there is no more when it is undone ─────────────────────────────────────────────────


def test_what_a_column_that_is_gone_held_cannot_be_put_back_and_is_told(
    connection: Connection[Any],
) -> None:
    known = documents()
    sync(connection, known, item("7", Sku="A"), item("8", Sku="C"))
    wrong = [item("7", Sku="B", Name="Wrong"), item("8", Sku="C", Name="Other"), item("9")]
    sync(connection, known, *wrong, run_id="wrong")
    connection.execute("ALTER TABLE crm.products DROP code")

    ended = undo(connection, known, "wrong")

    assert ended == [End("7", "kept", "changed_since"), End("8", "updated"), End("9", "removed")]
    assert outcome(connection, "7", "message") == (
        "Changed since by somebody in the CRM: the table has no code any more.",
    )
    names = rows(connection, "SELECT name FROM crm.products ORDER BY name")
    assert names == [("Item 8",), ("Wrong",)]
