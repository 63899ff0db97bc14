"""Which record a reference means: a sub-customer's topmost parent, the survivor of a merge."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import runs, stand_ins
from quickbooks_crm.mapping import Mapping, load_order, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    End,
    Record,
    by_hand,
    counts,
    customer,
    gone,
    load_rows,
    mirror,
    one,
    outcome,
    rows,
    stage_rows,
    sync,
    with_work,
)

ACCOUNTS = """\
entities: [Customer]
table: crm.accounts
company: company_id
import: {key: quickbooks_customer_id}
fields:
  quickbooks_customer_id: {from: Id}
  name: {from: DisplayName}
  type: {value: Customer}
  active: {from: Active, default: true}
  deleted: {value: false}
  parent_id: {from: ParentRef.value, refers: accounts}
when_merged: {type: Merged}
when_deleted: {deleted: true}
"""
CONTACTS = """\
entities: [Invoice]
table: crm.contacts
company: company_id
import: {key: quickbooks_customer_id}
fields:
  quickbooks_customer_id: {from: Id}
  last_name: {from: DocNumber}
  account_id: {from: CustomerRef.value, refers: accounts}
"""
HELD = """
    SELECT quickbooks_customer_id FROM crm.accounts ORDER BY quickbooks_customer_id::integer"""
BELONGS = """
    SELECT contacts.quickbooks_customer_id, accounts.quickbooks_customer_id FROM crm.contacts
      LEFT JOIN crm.accounts ON accounts.id = account_id
     ORDER BY contacts.quickbooks_customer_id::integer"""
TYPES = "SELECT type, active FROM crm.accounts ORDER BY id"
EXCLUDED = ("excluded", "excluded_by_mapping")


def mapped() -> dict[str, Mapping]:
    """Accounts, and records that refer to them (invoices in the place of contacts)."""
    return parse_all({"accounts": ACCOUNTS, "contacts": CONTACTS})


def child(id: str, parent: str, **fields: Any) -> Record:
    return customer(id, ParentRef={"value": parent}, **fields)


def invoice(id: str, of: str) -> Record:
    return Record("Invoice", id, {"Id": id, "DocNumber": f"N{id}", "CustomerRef": {"value": of}})


def inactive(id: str) -> Record:
    return customer(id, Active=False)


def belongs(connection: Connection[Any]) -> dict[str, str | None]:
    return dict(rows(connection, BELONGS))


def accounts(connection: Connection[Any]) -> list[str]:
    return [row[0] for row in rows(connection, HELD)]


def merge(connection: Connection[Any], loser: str, survivor: str, minute: int = 1) -> None:
    """What a webhook tells of a merge."""
    connection.execute(
        "INSERT INTO sync.webhook_event (realm, event_id, entity, id, operation, merged_id, "
        "occurred_at) VALUES (%s, gen_random_uuid()::text, 'customer', %s, 'merge', %s, "
        "timestamptz '2026-01-01 12:00Z' + %s * interval '1 minute')",
        [REALM, survivor, loser, minute],
    )


# ── sub-customers ───────────────────────────────────────────────────────────────────────────


def test_rolled_up_a_sub_customer_is_no_account_and_its_records_belong_to_the_topmost_parent(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), child("2", "1"), child("3", "2"), invoice("9", "3")]

    ended = sync(connection, mapped(), *records, child_accounts="roll_up")

    assert ended[:3] == [End("1", "added"), End("2", *EXCLUDED), End("3", *EXCLUDED)]
    message = outcome(connection, "3", "message")[0]
    assert message == ("A sub-customer, whose records belong to the account of its topmost parent.")
    assert (accounts(connection), belongs(connection)) == (["1"], {"9": "1"})


@pytest.mark.parametrize("company", ["child_account", "skip"])
def test_what_a_mapping_says_of_sub_customers_counts_more_than_what_the_company_says(
    connection: Connection[Any], company: str
) -> None:
    own = ACCOUNTS.replace("import: {", "import: {child_accounts: roll_up, ")
    known = parse_all({"accounts": own, "contacts": CONTACTS})
    records = [customer("1"), child("2", "1"), invoice("9", "2")]

    ended = sync(connection, known, *records, child_accounts=company)

    assert ended[:2] == [End("1", "added"), End("2", *EXCLUDED)]
    assert (accounts(connection), belongs(connection)) == (["1"], {"9": "1"})


def test_skipped_a_sub_customer_is_no_account_and_references_to_it_stay_open(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), child("2", "1"), invoice("9", "2")]

    ended = sync(connection, mapped(), *records, child_accounts="skip")

    assert ended[:2] == [End("1", "added"), End("2", *EXCLUDED)]
    assert (accounts(connection), belongs(connection)) == (["1"], {"9": None})
    assert one(connection, "SELECT count(*) FROM sync.parked") == 1


def test_without_a_word_a_sub_customer_is_an_account_of_its_own(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), customer("1"), child("2", "1"), invoice("9", "2"))

    assert (accounts(connection), belongs(connection)) == (["1", "2"], {"9": "2"})


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_rolled_up_records_find_their_account_in_whatever_order_they_come(
    connection: Connection[Any], order: tuple[int, ...]
) -> None:
    records = [customer("1"), child("2", "1"), child("3", "2"), invoice("9", "3")]

    for place in order:
        sync(connection, mapped(), records[place], child_accounts="roll_up")

    assert (accounts(connection), belongs(connection)) == (["1"], {"9": "1"})


def test_a_sub_customer_that_gets_another_parent_takes_its_records_along_and_no_others(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), customer("2"), child("3", "1"), child("4", "3")]
    sync(
        connection,
        mapped(),
        *records,
        invoice("8", "1"),
        invoice("9", "4"),
        child_accounts="roll_up",
    )

    sync(connection, mapped(), child("3", "2"), child_accounts="roll_up")

    assert belongs(connection) == {"8": "1", "9": "2"}


def test_a_changed_policy_applies_to_sub_customers_held_back_and_moves_references_at_once(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), child("2", "1"), invoice("9", "2")]
    sync(connection, mapped(), *records, child_accounts="roll_up")

    sync(connection, mapped())
    assert (accounts(connection), belongs(connection)) == (["1", "2"], {"9": "2"})

    sync(connection, mapped(), child_accounts="roll_up")
    assert belongs(connection) == {"9": "1"}


def test_sub_customers_fifty_levels_deep_are_rolled_up(connection: Connection[Any]) -> None:
    chain = [child(str(n), str(n - 1)) for n in range(2, 51)]

    sync(connection, mapped(), *chain, customer("1"), invoice("99", "50"), child_accounts="roll_up")

    assert (accounts(connection), belongs(connection)) == (["1"], {"99": "1"})


def test_rolled_up_sub_customers_in_a_circle_have_no_topmost_one_until_it_is_broken(
    connection: Connection[Any],
) -> None:
    circle = [child("1", "2"), child("2", "1"), child("3", "3")]
    sync(
        connection,
        mapped(),
        *circle,
        invoice("8", "3"),
        invoice("9", "2"),
        child_accounts="roll_up",
    )
    assert (accounts(connection), belongs(connection)) == ([], {"8": None, "9": None})

    sync(connection, mapped(), customer("1"), child_accounts="roll_up")
    assert (accounts(connection), belongs(connection)) == (["1"], {"8": None, "9": "1"})


def test_nothing_is_loaded_again_when_nothing_means_another_record(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), child("2", "1"), invoice("9", "2")]
    sync(connection, mapped(), *records, child_accounts="roll_up")

    ended = sync(connection, mapped(), child("2", "1", Notes="x"), child_accounts="roll_up")

    assert ended == [End("2", *EXCLUDED)]


# ── merged ──────────────────────────────────────────────────────────────────────────────────


def counted(connection: Connection[Any]) -> tuple[int, int]:
    """How many accounts the newest run updated, and how many of these are newly inactive or merged
    away."""
    numbers = counts(connection, "accounts")
    return numbers["updated"], numbers["deactivated"]


def test_the_loser_of_a_merge_is_flagged_and_references_to_it_mean_the_survivor(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"), invoice("9", "2"))
    connection.execute("UPDATE crm.accounts SET notes = 'mine'")
    merge(connection, loser="1", survivor="2")

    ended = sync(connection, mapped(), inactive("1"))

    assert ended == [End("1", "updated"), End("8", "updated")]
    assert belongs(connection) == {"8": "2", "9": "2"}
    assert rows(
        connection, "SELECT type, active, notes FROM crm.accounts ORDER BY quickbooks_customer_id"
    ) == [("Merged", False, "mine"), ("Customer", True, "mine")]
    assert one(connection, "SELECT flag FROM sync.outcome WHERE flag IS NOT NULL") == "merged"
    assert counted(connection) == (1, 1)


@pytest.mark.parametrize("late", [True, False])
def test_the_webhook_may_come_before_or_after_the_loser_is_inactive(
    connection: Connection[Any], late: bool
) -> None:
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"))
    if not late:
        merge(connection, loser="1", survivor="2")
        sync(connection, mapped())
        assert belongs(connection) == {"8": "1"}
    sync(connection, mapped(), inactive("1"))
    if late:
        assert belongs(connection) == {"8": "1"}
        merge(connection, loser="1", survivor="2")
        sync(connection, mapped())

    assert belongs(connection) == {"8": "2"}
    assert one(connection, "SELECT type FROM crm.accounts WHERE quickbooks_customer_id = '1'") == (
        "Merged"
    )


def test_without_a_webhook_the_loser_is_merely_inactive(connection: Connection[Any]) -> None:
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"))

    sync(connection, mapped(), inactive("1"))

    assert belongs(connection) == {"8": "1"}
    assert rows(connection, "SELECT type, active FROM crm.accounts ORDER BY id")[0] == (
        "Customer",
        False,
    )


def test_a_chain_of_merges_leads_to_the_last_survivor_and_stays_there(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), *map(customer, "123"), invoice("8", "1"), invoice("9", "2"))
    merge(connection, loser="1", survivor="2", minute=1)
    sync(connection, mapped(), inactive("1"))
    merge(connection, loser="2", survivor="3", minute=2)
    sync(connection, mapped(), inactive("2"))
    assert belongs(connection) == {"8": "3", "9": "3"}

    connection.execute("UPDATE sync.webhook_event SET event_id = event_id || 'x'")
    assert sync(connection, mapped()) == []
    assert belongs(connection) == {"8": "3", "9": "3"}


@pytest.mark.parametrize("at", ["extracted", "staged"])
def test_a_merge_told_while_a_run_is_open_is_followed_by_that_run_or_the_next_and_no_other(
    connection: Connection[Any], at: str
) -> None:
    """D38."""
    sync(connection, mapped(), *map(customer, "123"), invoice("8", "1"), invoice("9", "2"))
    merge(connection, loser="1", survivor="2", minute=1)

    open_run(connection, inactive("1"), invoice("7", "1"), at=at, act=merged_again)
    assert set(belongs(connection).values()) <= {"2", "3"}

    sync(connection, mapped(), inactive("2"))
    assert belongs(connection) == {"7": "3", "8": "3", "9": "3"}
    assert sync(connection, mapped()) == []
    assert rows(connection, "SELECT count(*) FROM sync.parked") == [(0,)]


def merged_again(connection: Connection[Any]) -> None:
    merge(connection, loser="2", survivor="3", minute=2)


def open_run(
    connection: Connection[Any],
    *records: Record,
    at: str,
    act: Callable[[Connection[Any]], None],
) -> None:
    """A run in which something happens when all is extracted, or staged."""
    known, run = mapped(), Run("sample", REALM, "open")
    mirror(connection, run, *records)
    runs.settle(connection, run, known.values(), load_order(known), {})
    stand_ins.refresh(connection, runs.attempt(connection, run, "extract"), known)
    work = with_work(connection, run, known)
    if at == "extracted":
        act(connection)
    for module in work:
        stage_rows(connection, run, known[module])
    if at == "staged":
        act(connection)
    for module in work:
        load_rows(connection, run, known, module)
    connection.execute("UPDATE sync.lease SET run_id = NULL")


def test_merges_told_in_a_circle_end_with_the_latest_and_do_not_go_back_and_forth(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"), invoice("9", "2"))
    merge(connection, loser="2", survivor="1", minute=2)
    merge(connection, loser="1", survivor="2", minute=1)

    sync(connection, mapped(), inactive("1"), inactive("2"))
    assert belongs(connection) == {"8": "1", "9": "1"}
    assert sync(connection, mapped()) == []


def test_a_merge_is_remembered_when_its_webhook_is_forgotten(connection: Connection[Any]) -> None:
    sync(connection, mapped(), customer("1"), customer("2"))
    merge(connection, loser="1", survivor="2")
    sync(connection, mapped(), inactive("1"))
    connection.execute("DELETE FROM sync.webhook_event")

    sync(connection, mapped(), invoice("8", "1"))

    assert belongs(connection) == {"8": "2"}


def test_a_loser_that_is_active_again_counts_for_itself_and_loses_its_flags(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), customer("1"), customer("2"), invoice("8", "1"))
    merge(connection, loser="1", survivor="2")
    sync(connection, mapped(), inactive("1"))

    sync(connection, mapped(), customer("1"))

    assert belongs(connection) == {"8": "1"}
    assert rows(connection, "SELECT type, active FROM crm.accounts ORDER BY id")[0] == (
        "Customer",
        True,
    )


def test_a_merged_sub_customer_is_rolled_up_into_the_survivors_topmost_parent(
    connection: Connection[Any],
) -> None:
    records = [customer("1"), customer("2"), child("3", "1"), child("4", "2"), invoice("8", "3")]
    sync(connection, mapped(), *records, child_accounts="roll_up")
    merge(connection, loser="3", survivor="4")

    sync(connection, mapped(), child("3", "1", Active=False), child_accounts="roll_up")

    assert belongs(connection) == {"8": "2"}


def test_a_merge_told_by_hand_is_as_good_as_a_webhook(connection: Connection[Any]) -> None:
    known = mapped()
    sync(connection, known, customer("1"), customer("2"), invoice("8", "1"))
    sync(connection, known, inactive("1"))
    with connection.transaction():
        assert stand_ins.referring(connection, known, REALM, "Customer", "1") == {"contacts": 1}

    stand_ins.tell_merge(connection, REALM, ("Customer", "1", "2"), "ann")
    sync(connection, known)

    assert belongs(connection) == {"8": "2"}


@pytest.mark.parametrize("mode", ["mode: ignore, ", "mode: create, ", ""])
def test_the_loser_of_a_merge_that_cannot_be_brought_in_is_read_once_not_by_every_sync(
    connection: Connection[Any], mode: str
) -> None:
    text = ACCOUNTS.replace("import: {", f"import: {{{mode}")
    if "create" in mode:
        text = text.replace("key: quickbooks_customer_id", "check: [name]")
    known = parse_all({"accounts": text})
    sync(connection, known, inactive("1"), customer("2"))
    sync(connection, known, customer("1", Active=False, DisplayName=""))
    merge(connection, loser="1", survivor="2")

    sync(connection, known)

    assert sync(connection, known) == []


def test_the_loser_of_a_merge_that_could_not_be_brought_in_is_flagged_once_it_is_corrected(
    connection: Connection[Any],
) -> None:
    known = mapped()
    sync(connection, known, inactive("1"), customer("2"))
    sync(connection, known, customer("1", Active=False, DisplayName=""))
    merge(connection, loser="1", survivor="2")
    sync(connection, known)

    sync(connection, known, inactive("1"))

    assert outcome(connection, "1", "outcome", "flag") == ("updated", "merged")


# ── inactive, deleted and back, as the mapping says ─────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "column", "story"),
    [
        ("when_inactive: {type: Archived}", "type", ["Customer", "Archived", "Customer"]),
        ("when_inactive: {notes: gone}", "notes", [None, "gone", None]),
        ("", "type", ["Customer", "Customer", "Customer"]),
    ],
)
def test_an_inactive_record_is_archived_or_kept_as_the_mapping_says_and_comes_back(
    connection: Connection[Any], words: str, column: str, story: list[str | None]
) -> None:
    text = ACCOUNTS.replace("  active: {from: Active, default: true}\n", "")
    text = text.replace("  deleted:", "  notes: {from: Notes}\n  deleted:") + words
    known = parse_all({"accounts": text})
    told = []

    for record in (customer("1"), inactive("1"), customer("1")):
        sync(connection, known, record)
        told.append(one(connection, f"SELECT {column} FROM crm.accounts"))

    assert told == story
    assert one(connection, "SELECT active FROM crm.accounts") is True


def test_a_deleted_record_is_kept_when_the_mapping_says_nothing_of_it(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": ACCOUNTS.replace("when_deleted: {deleted: true}\n", "")})
    sync(connection, known, customer("1"))
    by_hand(connection, "crm.accounts", name="Other")
    before = rows(connection, "SELECT * FROM crm.accounts ORDER BY id")

    assert sync(connection, known, gone(customer("1"))) == [End("1", "unchanged")]
    assert rows(connection, "SELECT * FROM crm.accounts ORDER BY id") == before


# ── taken back ──────────────────────────────────────────────────────────────────────────────


def test_a_merge_that_was_taken_back_leaves_everything_as_if_it_had_never_been_told(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), inactive("1"), customer("2"), invoice("8", "1"))
    before = rows(connection, TYPES), belongs(connection)
    merge(connection, loser="1", survivor="2")
    sync(connection, mapped())
    assert belongs(connection) == {"8": "2"}

    assert stand_ins.take_back(connection, REALM, ("Customer", "1", "2"))
    sync(connection, mapped())

    assert (rows(connection, TYPES), belongs(connection)) == before
    assert sync(connection, mapped()) == []


def test_a_merge_that_was_taken_back_counts_again_when_it_is_told_anew(
    connection: Connection[Any],
) -> None:
    sync(connection, mapped(), inactive("1"), customer("2"), invoice("8", "1"))
    stand_ins.tell_merge(connection, REALM, ("Customer", "1", "2"), "ann")
    stand_ins.take_back(connection, REALM, ("Customer", "1", "2"))
    sync(connection, mapped())
    assert belongs(connection) == {"8": "1"}

    stand_ins.tell_merge(connection, REALM, ("Customer", "1", "2"), "ann")
    sync(connection, mapped())

    assert belongs(connection) == {"8": "2"}


def test_only_a_merge_that_was_told_can_be_taken_back(connection: Connection[Any]) -> None:
    stand_ins.tell_merge(connection, REALM, ("Customer", "1", "2"), "ann")

    assert not stand_ins.take_back(connection, REALM, ("Customer", "1", "3"))
    assert not stand_ins.take_back(connection, REALM, ("Vendor", "1", "2"))
    assert stand_ins.take_back(connection, REALM, ("Customer", "1", "2"))
    assert not stand_ins.take_back(connection, REALM, ("Customer", "1", "2"))
