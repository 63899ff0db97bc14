"""What an undo takes back, what it keeps, and that it can be undone itself."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import one_module, stage
from quickbooks_crm.errors import StageIncomplete
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    CONTACTS,
    REALM,
    End,
    accounts,
    by_hand,
    count,
    customer,
    gone,
    item,
    mapping,
    mirror,
    one,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.test_stand_ins import merge
from tests.integration.undo import LINKS, company, people, undo

HELD = "SELECT module, id, outcome, reason FROM sync.held ORDER BY module, id"
PARKED = "SELECT module, id, field, target_id FROM sync.parked ORDER BY module, id"
TREE = """
    SELECT child.name, parent.name FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id ORDER BY child.id"""
CRM = """
    SELECT to_jsonb(c.*) - '{updated_at}'::text[] FROM crm.%s AS c ORDER BY id"""
KEYED = "{key: quickbooks_product_id}"
TABLES = ("products", "accounts", "contacts")


def crm(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """What the CRM holds, but for what its triggers note of changes."""
    return [row for table in TABLES for row in rows(connection, CRM % table)]


# ── taken back ──────────────────────────────────────────────────────────────────────────────


def test_an_updated_record_gets_back_what_it_held(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Sku="A", UnitPrice=Decimal("1.10")))
    before, links = crm(connection), rows(connection, LINKS)
    sync(connection, products(), item("7", Sku="B", UnitPrice=2), run_id="wrong")

    assert undo(connection, products(), "wrong") == [End("7", "updated")]
    assert crm(connection) == before
    assert rows(connection, LINKS) == links
    assert rows(connection, HELD) == [("products", "7", "not_added", "undone")]


def test_an_added_record_is_removed_and_its_link_with_it(connection: Connection[Any]) -> None:
    sync(connection, products(), item("6"))
    before = crm(connection)
    sync(connection, products(), item("7"), item("8"), run_id="wrong")

    ended = undo(connection, products(), "wrong")

    assert ended == [End("7", "removed"), End("8", "removed")]
    assert crm(connection) == before
    assert rows(connection, "SELECT id FROM sync.link") == [("6",)]


def test_an_undo_is_accounted_for(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"))
    sync(connection, products(), item("7", Name="New"), item("8"), run_id="wrong")
    undo(connection, products(), "wrong", run_id="back")

    assert rows(
        connection,
        "SELECT kind, undoes, read, updated, removed, kept FROM sync.activity JOIN sync.run"
        " USING (realm, run_id) WHERE run_id = 'back'",
    ) == [("undo", "wrong", 2, 1, 1, 0)]
    before, after = outcome(connection, "7", "before", "after")
    assert (before["name"], after["name"]) == ("New", "Item 7")


def test_a_record_that_was_taken_over_is_let_go(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Pump", quickbooks_product_id="7", code="own")
    before = crm(connection)
    sync(connection, products(), item("7", Name="New"), run_id="wrong")

    assert undo(connection, products(), "wrong") == [End("7", "updated")]
    assert crm(connection) == before
    assert count(connection, "sync.link") == 0


def test_a_record_that_was_only_linked_is_let_go(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Item 7", quickbooks_product_id="7")
    assert sync(connection, products(), item("7"), run_id="wrong") == [End("7", "unchanged")]

    assert undo(connection, products(), "wrong") == [End("7", "unchanged")]
    assert count(connection, "sync.link") == 0
    assert rows(connection, HELD) == [("products", "7", "not_added", "undone")]


def test_a_record_that_was_left_alone_as_the_one_with_the_typed_id_is_let_go_and_known_again(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="By hand", quickbooks_product_id="7")
    known = products("{mode: create}")
    assert sync(connection, known, item("7"), run_id="wrong") == [
        End("7", "duplicate", "key_known")
    ]
    first = everything(connection)
    assert count(connection, "sync.link") == 1

    assert undo(connection, known, "wrong", run_id="back") == []
    assert count(connection, "sync.link") == 0
    assert rows(connection, HELD) == [("products", "7", "duplicate", "key_known")]
    assert undo(connection, known, "back") == []
    assert everything(connection) == first


def test_a_record_that_was_linked_because_another_refers_to_it_is_no_row_that_was_undone(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.accounts", name="Head office", quickbooks_customer_id="99")
    sync(connection, people(), customer("2", ParentRef={"value": "99"}), run_id="wrong")
    assert rows(connection, TREE) == [("Head office", None), ("Customer 2", "Head office")]

    undone = undo(connection, people(), "wrong")

    assert End("99", "unchanged") not in undone
    assert rows(connection, "SELECT id FROM sync.link") == []
    assert ("accounts", "99", "not_added", "undone") not in rows(connection, HELD)


def test_a_record_that_was_linked_for_another_and_excluded_itself_stays_excluded(
    connection: Connection[Any],
) -> None:
    of_others = CONTACTS.replace("{from: Id, refers", "{from: Of, refers")
    known = parse_all({"accounts": accounts(), "contacts": of_others})
    by_hand(connection, "crm.accounts", name="Head office", quickbooks_customer_id="99")
    person = customer("2", FamilyName="Vega", Of="99")
    sync(connection, known, gone(customer("99")), person, run_id="wrong")
    assert rows(connection, "SELECT count(*) FROM sync.link WHERE id = '99'") == [(1,)]

    undo(connection, known, "wrong")

    assert rows(connection, "SELECT id FROM sync.link") == []
    assert ("accounts", "99", "excluded", "deleted_in_quickbooks") in rows(connection, HELD)


def test_a_flag_is_taken_back(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), item("8", Active=False))
    before, links = crm(connection), rows(connection, LINKS)
    sync(connection, products(), gone(item("7")), item("8", Active=True), run_id="wrong")
    assert rows(connection, "SELECT active FROM crm.products ORDER BY id") == [(False,), (True,)]

    assert undo(connection, products(), "wrong") == [End("7", "updated"), End("8", "updated")]
    assert (crm(connection), rows(connection, LINKS)) == (before, links)


def test_children_go_before_their_parents(connection: Connection[Any]) -> None:
    family = [customer("1", FamilyName="A")]
    family += [customer(str(n), ParentRef={"value": str(n - 1)}) for n in range(2, 6)]
    sync(connection, people(), *family, run_id="wrong")

    ended = undo(connection, people(), "wrong")

    assert {end.outcome for end in ended} == {"removed"}
    assert crm(connection) == []
    assert rows(connection, PARKED) == []


def test_a_circle_of_parents_goes_at_once(connection: Connection[Any]) -> None:
    loop = [customer("1", ParentRef={"value": "2"}), customer("2", ParentRef={"value": "1"})]
    sync(connection, people(), *loop, run_id="wrong")

    assert {end.outcome for end in undo(connection, people(), "wrong")} >= {"removed"}
    assert crm(connection) == []


def test_a_reference_that_the_run_closed_is_open_again(connection: Connection[Any]) -> None:
    sync(connection, people(), customer("2", ParentRef={"value": "1"}))
    before = crm(connection), rows(connection, LINKS), rows(connection, PARKED)
    sync(connection, people(), customer("1"), run_id="wrong")
    assert rows(connection, PARKED) == []

    ended = undo(connection, people(), "wrong")

    assert [end for end in ended if end.id == "2"] == [End("2", "updated")]
    assert (crm(connection), rows(connection, LINKS), rows(connection, PARKED)) == before
    assert ("accounts", "2", "not_added", "undone") not in rows(connection, HELD)


def test_a_reference_that_the_run_closed_in_a_record_it_read_is_open_again(
    connection: Connection[Any],
) -> None:
    waiting = customer("2", ParentRef={"value": "1"})
    sync(connection, people(), waiting)
    before = crm(connection), rows(connection, LINKS), rows(connection, PARKED)
    sync(connection, people(), waiting, customer("1"), run_id="wrong")

    undo(connection, people(), "wrong")

    assert (crm(connection), rows(connection, LINKS), rows(connection, PARKED)) == before


def test_a_record_that_was_read_and_only_got_its_reference_closed_is_not_held_back(
    connection: Connection[Any],
) -> None:
    """The load of the accounts closed it; that of the contacts, after it, found nothing to do, but
    its mapping has one field less."""
    of_others = CONTACTS.replace("{from: Id, refers", "{from: Of, refers")
    one_more = f"{of_others}  first_name: {{from: GivenName}}\n"
    person = customer("2", FamilyName="Vega", GivenName="Ann", Of="99")
    sync(connection, parse_all({"accounts": accounts(), "contacts": one_more}), person)
    known = parse_all({"accounts": accounts(), "contacts": of_others})
    ended = sync(connection, known, person, customer("99"), run_id="wrong")
    assert ended[2] == End("2", "unchanged")

    undo(connection, known, "wrong")

    assert rows(connection, "SELECT account_id FROM crm.contacts") == [(None,)]
    assert ("contacts", "2", "not_added", "undone") not in rows(connection, HELD)


def test_a_reference_that_was_opened_for_another_waits_for_the_first_again(
    connection: Connection[Any],
) -> None:
    sync(connection, people(), customer("3"), customer("2", ParentRef={"value": "1"}))
    before = crm(connection), rows(connection, LINKS), rows(connection, PARKED)
    sync(connection, people(), customer("2", ParentRef={"value": "3"}), run_id="wrong")

    undo(connection, people(), "wrong")

    assert (crm(connection), rows(connection, LINKS), rows(connection, PARKED)) == before


def test_names_that_moved_from_record_to_record_move_back(connection: Connection[Any]) -> None:
    connection.execute("CREATE UNIQUE INDEX one_name ON crm.products (name)")
    sync(connection, products(KEYED), *(item(n, Name=n) for n in "123"))
    before = crm(connection)
    moved = [item("3", Name="4"), item("2", Name="3"), item("1", Name="2")]
    for number, record in enumerate(moved):
        sync(connection, products(KEYED), record, run_id=f"wrong-{number}")
    sync(connection, products(KEYED), *(item(n, Name=n) for n in "123"), run_id="wrong")
    assert crm(connection) == before

    undo(connection, products(KEYED), "wrong")
    for number in (2, 1, 0):
        undo(connection, products(KEYED), f"wrong-{number}")

    assert crm(connection) == before


def test_a_name_that_an_added_record_has_taken_is_free_again(connection: Connection[Any]) -> None:
    connection.execute("CREATE UNIQUE INDEX one_name ON crm.products (name)")
    sync(connection, products(KEYED), item("1", Name="A"))
    before = crm(connection)
    sync(connection, products(KEYED), item("1", Name="B"), item("2", Name="A"), run_id="wrong")
    assert count(connection, "crm.products") == 2

    ended = undo(connection, products(KEYED), "wrong")

    assert ended == [End("1", "updated"), End("2", "removed")]
    assert crm(connection) == before


# ── kept ────────────────────────────────────────────────────────────────────────────────────


def why(connection: Connection[Any], id: str) -> tuple[Any, ...]:
    return outcome(connection, id, "reason", "message", "details")


def test_what_a_person_changed_since_is_kept_and_told(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Sku="A"), item("8"))
    sync(connection, products(), item("7", Sku="B"), item("8", Sku="B"), run_id="wrong")
    connection.execute("UPDATE crm.products SET code = 'own' WHERE name = 'Item 7'")

    ended = undo(connection, products(), "wrong")

    assert ended == [End("7", "kept", "changed_since"), End("8", "updated")]
    assert rows(connection, "SELECT code FROM crm.products ORDER BY id") == [("own",), (None,)]
    assert why(connection, "7") == (
        "changed_since",
        "Changed since by somebody in the CRM: code.",
        {"fields": ["code"], "by": "somebody in the CRM"},
    )
    assert rows(connection, HELD) == [("products", "8", "not_added", "undone")]


def test_what_a_later_run_changed_is_kept_until_that_run_is_undone(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Sku="A"))
    before = crm(connection), rows(connection, LINKS)
    sync(connection, products(), item("7", Sku="B"), run_id="wrong")
    sync(connection, products(), item("7", Sku="C"), run_id="worse")

    assert undo(connection, products(), "wrong") == [End("7", "kept", "changed_since")]
    assert why(connection, "7")[1] == "Changed since by run worse: code."
    assert undo(connection, products(), "worse") == [End("7", "updated")]
    assert undo(connection, products(), "wrong") == [End("7", "updated")]
    assert (crm(connection), rows(connection, LINKS)) == before


def test_an_added_record_that_a_person_has_filled_is_kept(connection: Connection[Any]) -> None:
    owner = by_hand(connection, "crm.users", name="Ann")
    sync(connection, people(), customer("1"), customer("2"), run_id="wrong")
    connection.execute("UPDATE crm.accounts SET owner_id = %s WHERE name = 'Customer 1'", [owner])

    ended = undo(connection, people(), "wrong")

    assert ended[:2] == [End("1", "kept", "changed_since"), End("2", "removed")]
    assert why(connection, "1")[1] == "Changed since by somebody in the CRM: owner_id."


def test_an_added_record_that_a_persons_record_refers_to_is_kept_and_so_are_its_parents(
    connection: Connection[Any],
) -> None:
    family = [customer("1"), customer("2", ParentRef={"value": "1"}), customer("3")]
    sync(connection, people(), *family, run_id="wrong")
    account = one(connection, "SELECT id FROM crm.accounts WHERE name = 'Customer 2'")
    by_hand(connection, "crm.contacts", last_name="Ann", account_id=account)

    ended = undo(connection, people(), "wrong")

    kept = [End("1", "kept", "referenced"), End("2", "kept", "referenced")]
    assert ended[:3] == [*kept, End("3", "removed")]
    assert why(connection, "2")[1] == "1 record of crm.contacts refers to it (account_id)."
    assert one(connection, "SELECT account_id FROM crm.contacts") == account


def test_a_reference_without_a_foreign_key_counts_too(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.contacts DROP CONSTRAINT contacts_account_id_fkey")
    sync(connection, people(), customer("1", FamilyName="A"), run_id="wrong")
    connection.execute("UPDATE crm.contacts SET last_name = 'own'")

    ended = undo(connection, people(), "wrong")

    assert ended == [End("1", "kept", "referenced"), End("1", "kept", "changed_since")]


def test_a_record_that_a_person_deleted_stays_deleted(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    connection.execute("DELETE FROM crm.products")

    assert undo(connection, products(), "wrong") == [End("7", "kept", "gone_since")]


def test_what_was_erased_is_not_brought_back(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), item("8"))
    sync(connection, products(), item("7", Name="A"), item("8", Name="B"), run_id="wrong")
    connection.execute("UPDATE sync.outcome SET before = NULL, after = '{}' WHERE id = '7'")

    ended = undo(connection, products(), "wrong")

    assert ended == [End("7", "kept", "image_gone"), End("8", "updated")]


def test_a_record_that_the_table_does_not_let_go_is_kept(connection: Connection[Any]) -> None:
    connection.execute("""
        CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.name = 'Customer 2' THEN RAISE EXCEPTION 'nobody removes it'; END IF;
            RETURN OLD;
        END $$""")
    connection.execute(
        "CREATE TRIGGER stay BEFORE DELETE ON crm.accounts FOR EACH ROW EXECUTE FUNCTION stay()"
    )
    family = [customer("1"), customer("2", ParentRef={"value": "1"})]
    family += [customer("3", ParentRef={"value": "4"}), customer("4")]
    sync(connection, people(), *family, run_id="wrong")

    ended = undo(connection, people(), "wrong")

    kept = [End("1", "kept", "referenced"), End("2", "kept", "refused_by_table")]
    assert ended[:4] == [*kept, End("3", "removed"), End("4", "removed")]
    assert why(connection, "2")[1] == "The CRM table refused it: nobody removes it."


# ── again ───────────────────────────────────────────────────────────────────────────────────


def everything(connection: Connection[Any]) -> list[Any]:
    """All that a sync, an undo and an undo of that undo leave."""
    return [crm(connection), *(rows(connection, query) for query in (LINKS, HELD, PARKED))]


def test_an_undo_can_be_undone(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.accounts", name="Own", quickbooks_customer_id="5")
    old = [customer("2", ParentRef={"value": "1"}), customer("6", FamilyName="F")]
    sync(connection, people(), *old)
    first = everything(connection)
    new = [customer("1"), customer("4", ParentRef={"value": "3"}), customer("3", FamilyName="C")]
    new += [customer("5"), customer("6", DisplayName="Six", FamilyName="F"), customer("7")]
    sync(connection, people(), *new, customer("8", DisplayName="Customer 7"), run_id="wrong")
    second = everything(connection)

    undo(connection, people(), "wrong", run_id="back")
    undone = everything(connection)
    again = undo(connection, people(), "back", run_id="forth")

    assert undone[0] == first[0]
    assert undone[1] == first[1]
    assert everything(connection) == second
    assert {end.outcome for end in again} == {"added", "updated"}
    undo(connection, people(), "forth", run_id="back again")
    assert everything(connection) == undone
    undo(connection, people(), "back again")
    assert everything(connection) == second


def test_undoing_twice_changes_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"))
    sync(connection, products(), item("7", Name="New"), item("8"), run_id="wrong")
    undo(connection, products(), "wrong")
    before = everything(connection)

    assert undo(connection, products(), "wrong") == []
    assert everything(connection) == before


def test_what_was_done_again_can_be_undone_once_more(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    undo(connection, products(), "wrong", run_id="back")
    undo(connection, products(), "back")

    assert undo(connection, products(), "wrong") == [End("7", "removed")]


def test_what_is_undone_stays_so_until_it_changes(connection: Connection[Any]) -> None:
    sync(connection, products(), item("6"), item("7"))
    sync(connection, products(), item("7", Name="Seven"), item("8"), run_id="wrong")
    undo(connection, products(), "wrong")
    before = crm(connection)

    assert sync(connection, products(), item("6", Name="Six")) == [End("6", "updated")]
    assert crm(connection)[1:] == before[1:]
    ended = sync(connection, products(), item("7", Name="Seven"), item("8"))
    assert ended == [End("7", "updated"), End("8", "added")]
    assert rows(connection, HELD) == []


def test_what_is_undone_comes_back_with_another_mapping(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    undo(connection, products(), "wrong")

    assert sync(connection, products(fields="type: {from: Type}")) == [End("7", "added")]


def test_what_is_undone_does_not_come_back_since_something_else_did(
    connection: Connection[Any],
) -> None:
    waiting = customer("2", ParentRef={"value": "1"})
    sync(connection, people(), waiting)
    named = customer("2", DisplayName="Wrong", ParentRef={"value": "1"})
    sync(connection, people(), named, run_id="wrong")
    undo(connection, people(), "wrong")

    sync(connection, people(), customer("1"))

    assert rows(connection, TREE) == [("Customer 2", "Customer 1"), ("Customer 1", None)]


@pytest.mark.parametrize("known_before", [True, False], ids=["changed", "added"])
@pytest.mark.parametrize("happens", ["merged", "deleted in the CRM"])
def test_what_is_undone_in_one_module_does_not_come_back_since_another_reads_the_record_again(
    connection: Connection[Any], happens: str, known_before: bool
) -> None:
    """A contact, when the parent of its account becomes another account."""
    names = {"FamilyName": "Right"} if known_before else {}
    child = customer("7", ParentRef={"value": "1"}, **names)
    sync(connection, people(), customer("1"), customer("2"), child)
    wrong = customer("7", ParentRef={"value": "1"}, FamilyName="Wrong")
    sync(connection, people(), wrong, run_id="wrong")
    undo(connection, people(), "wrong")
    contacts, held = rows(connection, CRM % "contacts"), rows(connection, HELD)
    if happens == "merged":
        merge(connection, "1", "2")
    else:
        connection.execute("DELETE FROM crm.accounts WHERE quickbooks_customer_id = '1'")

    for news in ("one", "two"):  # a parent that is added again is seen by the run after it
        sync(connection, people(), customer("1", Active=happens != "merged", Notes=news))

    assert rows(connection, CRM % "contacts") == contacts
    assert [row for row in rows(connection, HELD) if row[0] == "contacts"] == [
        row for row in held if row[0] == "contacts"
    ]
    parents = {"merged": "Customer 2", "deleted in the CRM": "Customer 1"}
    assert ("Customer 7", parents[happens]) in rows(connection, TREE)
    again = customer("7", ParentRef={"value": "1"}, FamilyName="Changed")
    sync(connection, people(), again)
    assert ("Changed",) in rows(connection, "SELECT last_name FROM crm.contacts")


def test_a_link_to_what_somebody_gave_the_id_of_a_deleted_record_goes_with_the_run_that_made_it(
    connection: Connection[Any],
) -> None:
    sync(connection, people(), customer("1"))
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")
    connection.execute("DELETE FROM crm.accounts WHERE name <> 'By hand'")
    links = rows(connection, LINKS)
    sync(connection, people(), customer("2", ParentRef={"value": "1"}), run_id="wrong")
    assert rows(connection, TREE) == [("By hand", None), ("Customer 2", "By hand")]

    ended = undo(connection, people(), "wrong")

    assert {end.outcome for end in ended} == {"removed"}
    assert rows(connection, LINKS) == links


def test_a_link_that_leads_to_what_somebody_gave_its_id_leads_where_it_led_after_an_undo(
    connection: Connection[Any],
) -> None:
    known = products("{mode: create}")
    sync(connection, known, item("7"))
    connection.execute("DELETE FROM crm.products")
    own = by_hand(connection, "crm.products", name="By hand", quickbooks_product_id="7")
    links = rows(connection, LINKS)
    sync(connection, known, item("7", Name="Pump"), run_id="wrong")
    assert rows(connection, "SELECT record_key FROM sync.link") == [(str(own),)]

    assert undo(connection, known, "wrong") == []
    assert rows(connection, LINKS) == links


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("{mode: create}", []),
        ("{mode: ignore, key: name}", []),
        ("{mode: merge, key: name}", [End("7", "unchanged")]),
        ("{mode: merge, key: quickbooks_product_id}", [End("7", "unchanged")]),
    ],
)
def test_a_link_that_was_led_away_from_a_deleted_record_is_led_there_again_by_the_undo_of_its_undo(
    connection: Connection[Any], mode: str, told: list[End]
) -> None:
    known = products(mode)
    sync(connection, known, item("7"), item("8"))
    connection.execute("CREATE TABLE another AS SELECT * FROM crm.products")
    connection.execute("DELETE FROM crm.products WHERE quickbooks_product_id = '7'")
    connection.execute("UPDATE another SET id = id + 100")
    connection.execute("INSERT INTO crm.products SELECT * FROM another WHERE name = 'Item 7'")
    before = rows(connection, LINKS)
    sync(connection, known, item("7"), item("8"), run_id="wrong")
    after = rows(connection, LINKS)
    assert after != before

    assert undo(connection, known, "wrong", run_id="back") == told
    assert rows(connection, LINKS) == before
    assert undo(connection, known, "back", run_id="forth") == told
    assert rows(connection, LINKS) == after
    assert undo(connection, known, "forth") == told
    assert rows(connection, LINKS) == before


def test_a_link_that_leads_to_no_record_before_and_after_a_run_is_nothing_to_undo(
    connection: Connection[Any],
) -> None:
    known = products("{mode: merge, key: name}")
    sync(connection, known, item("7"))
    connection.execute("UPDATE crm.products SET id = id + 100")
    sync(connection, known, item("7"), run_id="wrong")
    connection.execute("DELETE FROM crm.products")

    assert undo(connection, known, "wrong") == []


def test_an_undo_that_is_cut_off_leaves_nothing(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"))
    sync(connection, products(), item("7", Name="New"), item("8"), run_id="wrong")
    before = everything(connection)

    with pytest.raises(ZeroDivisionError), connection.transaction():
        undo(connection, products(), "wrong")
        raise ZeroDivisionError

    assert everything(connection) == before
    assert undo(connection, products(), "wrong") == [End("7", "updated"), End("8", "removed")]


# ── other tables than ours ──────────────────────────────────────────────────────────────────


def test_keys_and_columns_of_every_sort_come_back(connection: Connection[Any]) -> None:
    connection.execute('CREATE SCHEMA "Own"')
    connection.execute("""
        CREATE TABLE "Own"."Order" (
            "Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), quickbooks_id text, name text,
            "Select" text[], "since" timestamptz, amount numeric, number integer GENERATED ALWAYS AS
            IDENTITY, twice text GENERATED ALWAYS AS (name || name) STORED)""")
    known = parse_all({"own": mapping("Own.Order", '"Select": {from: S}, amount: {from: A}')})
    sync(connection, known, item("7", S="{a,b}", A=Decimal("1.50")))
    first = rows(connection, 'SELECT * FROM "Own"."Order"')
    sync(connection, known, item("7", S="{c}", A=Decimal("2.50")), item("8"), run_id="wrong")
    second = rows(connection, 'SELECT * FROM "Own"."Order" ORDER BY name')

    undo(connection, known, "wrong", run_id="back")
    assert rows(connection, 'SELECT * FROM "Own"."Order"') == first
    undo(connection, known, "back")
    assert rows(connection, 'SELECT * FROM "Own"."Order" ORDER BY name') == second


def test_what_was_staged_before_an_undo_is_not_loaded_after_it(
    connection: Connection[Any],
) -> None:
    """A run that brings all was stopped before its load."""
    sync(connection, products(), item("7"), run_id="wrong")
    bringing = Bringing(
        Run("sample", REALM, "yes"), company(), products(), whole=frozenset({"products"})
    )
    mirror(connection, bringing.run)
    _stage(connection, bringing)

    undo(connection, products(), "wrong")

    with connection.transaction(), pytest.raises(StageIncomplete):
        one_module.load_rows(connection, bringing, "products")
    assert _stage(connection, bringing)["staged"] == 0


def _stage(connection: Connection[Any], bringing: Bringing) -> dict[str, int]:
    run, known = bringing.run, bringing.known["products"]
    with connection.transaction():
        stage.clear(connection, run, known)
        window = one_module.wanted(connection, bringing, "products")
        return one_module.stage_rows(connection, run, known, window)
