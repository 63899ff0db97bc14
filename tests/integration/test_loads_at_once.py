"""Loads that are at work at the same time: of one run, and of two companies into one table."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from demo.postgres import ADMINISTRATOR
from quickbooks_crm import linking, one_module, pipeline, repeating
from quickbooks_crm.errors import LinkRefused
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.running import again_after_deadlock
from quickbooks_crm.runs import Run
from tests.acceptance.kept_in_step import BY_HAND, kept_in_step
from tests.integration.crm import (
    CONTACTS,
    REALM,
    End,
    Record,
    accounts,
    by_hand,
    customer,
    ends,
    item,
    load_rows,
    mirror,
    one,
    products,
    ready,
    rows,
    stage_rows,
    sync,
    with_work,
)
from tests.integration.undo import company

RUN = Run("sample", REALM, "run-1")
OTHER = Run("other", "9341452000000002", "run-1")
INVOICES = """\
entities: [Invoice]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id}
fields:
  quickbooks_invoice_id: {from: Id}
  kind:                  {value: invoice}
  account_id:            {from: CustomerRef.value, refers: accounts}
"""
KNOWN = parse_all({"accounts": accounts(), "contacts": CONTACTS, "invoices": INVOICES})
VEGA = customer("1", FamilyName="Vega")
INVOICE = Record("Invoice", "9", {"Id": "9", "CustomerRef": {"value": "1"}})
OF_ONE_ACCOUNT = """
    SELECT count(*) FROM crm.contacts JOIN crm.invoices USING (account_id)"""
LINKS = "SELECT realm, module, id FROM sync.link ORDER BY realm, module, id"
PARKED = "SELECT module, field, target_module, target_id FROM sync.parked ORDER BY module"
BY_PERSON = "UPDATE crm.products SET name = name || ' of ours' WHERE id = %s"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'"""

Act = Callable[[Connection[Any]], object]


def commits(own: Connection[Any], _: Connection[Any]) -> None:
    own.commit()


def is_killed(own: Connection[Any], other: Connection[Any]) -> None:
    other.execute("SELECT pg_terminate_backend(%s, 5000)", [own.info.backend_pid])
    own.close()


END = {"commits": commits, "is killed": is_killed}


def until_waiting(connection: Connection[Any], number: int) -> bool:
    """Whether so many soon wait for a lock of this database."""
    for _ in range(1200):
        if one(connection, WAITING) == number:
            return True
        time.sleep(0.02)
    return False


def beside(url: str, act: Act) -> None:
    """Another process that does something."""
    with psycopg.connect(url, autocommit=True) as own:
        act(own)


def one_then_the_other(
    connection: Connection[Any], url: str, first: Act, second: Act, end: str = "commits"
) -> None:
    """The first load is through and has not committed when the second comes so far that it waits
    for it."""
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as own:
        first(own)
        waiting = pool.submit(beside, url, second)
        assert until_waiting(connection, 1)
        END[end](own, connection)
        waiting.result()


def load_of(module: str, run: Run = RUN) -> Act:
    """What loads a module."""
    return lambda own: load_rows(own, run, KNOWN, module)


def staged(connection: Connection[Any], run: Run, *records: Record) -> None:
    """The mirror has these, and contacts and invoices are staged."""
    ready(connection, run.company)
    mirror(connection, run, *records)
    for module in KNOWN:
        stage_rows(connection, run, KNOWN[module])


# Modules of one run


def test_modules_that_do_not_refer_to_each_other_load_at_the_same_time(
    connection: Connection[Any], database_url: str
) -> None:
    """Neither waits for the other, though both refer to the same account."""
    staged(connection, RUN, VEGA, INVOICE)
    load_rows(connection, RUN, KNOWN, "accounts")

    with psycopg.connect(database_url, autocommit=True) as other, connection.transaction():
        other.execute("SET lock_timeout = '5s'")
        load_rows(connection, RUN, KNOWN, "contacts")
        load_rows(other, RUN, KNOWN, "invoices")

    assert ends(connection, RUN, "contacts") == [End("1", "added")]
    assert ends(connection, RUN, "invoices") == [End("9", "added")]
    assert one(connection, OF_ONE_ACCOUNT) == 1


@pytest.mark.parametrize("end", END)
def test_a_record_that_a_person_deleted_is_found_gone_by_two_loads_at_once(
    connection: Connection[Any], database_url: str, end: str
) -> None:
    staged(connection, RUN, VEGA, INVOICE)
    load_rows(connection, RUN, KNOWN, "accounts")
    connection.execute("DELETE FROM crm.accounts")

    contacts, invoices = load_of("contacts"), load_of("invoices")
    one_then_the_other(connection, database_url, contacts, invoices, end)
    contacts(connection)  # which changes nothing when it was committed

    assert ends(connection, RUN, "contacts") == [End("1", "added")]
    assert ends(connection, RUN, "invoices") == [End("9", "added")]
    assert rows(connection, PARKED) == [
        ("contacts", "account_id", "accounts", "1"),
        ("invoices", "account_id", "accounts", "1"),
    ]
    assert rows(connection, LINKS) == [(REALM, "contacts", "1"), (REALM, "invoices", "9")]


@pytest.mark.parametrize("end", END)
def test_a_record_with_a_typed_id_is_found_by_two_loads_at_once(
    connection: Connection[Any], database_url: str, end: str
) -> None:
    staged(connection, RUN, VEGA, INVOICE)
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")

    contacts, invoices = load_of("contacts"), load_of("invoices")
    one_then_the_other(connection, database_url, contacts, invoices, end)
    contacts(connection)

    assert one(connection, OF_ONE_ACCOUNT) == 1
    assert rows(connection, PARKED) == []
    assert rows(connection, LINKS) == [
        (REALM, "accounts", "1"),
        (REALM, "contacts", "1"),
        (REALM, "invoices", "9"),
    ]


@pytest.mark.parametrize("shaped", ["before", "after"])
def test_what_a_module_takes_is_settled_before_others_are_loaded(
    connection: Connection[Any], shaped: str
) -> None:
    """A person has made the account that a contact waits for; the load of accounts closes the
    reference, and the contact is read again all the same."""
    sync(connection, KNOWN, customer("1", DisplayName=None, FamilyName="Vega"))
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")
    again = Run("sample", REALM, "run-2")
    mirror(connection, again, customer("2"))
    with_work(connection, again, KNOWN)

    stage_rows(connection, again, KNOWN["accounts"])
    if shaped == "before":
        stage_rows(connection, again, KNOWN["contacts"])
    load_rows(connection, again, KNOWN, "accounts")
    assert rows(connection, PARKED) == []
    if shaped == "after":
        stage_rows(connection, again, KNOWN["contacts"])
    load_rows(connection, again, KNOWN, "contacts")

    assert ends(connection, again, "contacts") == [
        End("1", "unchanged"),
        End("2", "excluded", "excluded_by_mapping"),
    ]
    assert rows(connection, "SELECT id FROM sync.arrived") == []


# Two companies


def test_of_two_companies_one_links_a_record_of_none_by_the_id_that_a_person_typed(
    connection: Connection[Any], database_url: str
) -> None:
    """Its number in the one company says nothing of the other."""
    for run in (RUN, OTHER):
        staged(connection, run, INVOICE)
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")

    first, second = load_of("invoices"), load_of("invoices", OTHER)
    one_then_the_other(connection, database_url, first, second)

    assert rows(connection, LINKS) == [
        (REALM, "accounts", "1"),
        (REALM, "invoices", "9"),
        (OTHER.realm, "invoices", "9"),
    ]
    assert rows(connection, PARKED) == [("invoices", "account_id", "accounts", "1")]


@pytest.mark.parametrize("sooner", ["the load", "the link"])
def test_a_record_that_one_company_takes_is_not_linked_by_another_at_the_same_time(
    connection: Connection[Any], database_url: str, sooner: str
) -> None:
    staged(connection, RUN, VEGA)
    staged(connection, OTHER, INVOICE)
    by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")

    takes, links = load_of("accounts"), load_of("invoices", OTHER)
    both = (takes, links) if sooner == "the load" else (links, takes)
    one_then_the_other(connection, database_url, *both)

    taken = sooner == "the load"
    assert rows(connection, "SELECT realm FROM sync.link WHERE module = 'accounts'") == [
        (REALM if taken else OTHER.realm,)
    ]
    assert ends(connection, RUN, "accounts") == [
        End("1", "updated") if taken else End("1", "duplicate", "key_taken")
    ]


@pytest.mark.parametrize("sooner", ["the load", "the person"])
def test_a_record_that_one_company_takes_is_not_linked_in_another_by_a_person_at_the_same_time(
    connection: Connection[Any], database_url: str, sooner: str
) -> None:
    for run in (RUN, OTHER):
        staged(connection, run, VEGA)
    key = by_hand(connection, "crm.accounts", name="By hand", quickbooks_customer_id="1")

    def links(own: Connection[Any]) -> None:
        target = one_module.target(own, KNOWN["accounts"], company())
        place = Place("sample", REALM, target, ("accounts",), "Customer", "1")
        with suppress(LinkRefused), own.transaction():
            linking.link(own, place, str(key), "ada")

    takes = load_of("accounts", OTHER)
    both = (takes, links) if sooner == "the load" else (links, takes)
    one_then_the_other(connection, database_url, *both)

    assert rows(connection, "SELECT realm FROM sync.link") == [
        (OTHER.realm if sooner == "the load" else REALM,)
    ]


def test_loads_that_wait_for_each_other_are_done_again(
    connection: Connection[Any], database_url: str
) -> None:
    """Each is to add what the other has added, and neither has committed."""
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name)")
    connection.execute(
        "CREATE FUNCTION crm.second() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_advisory_xact_lock_shared(1) WHERE NEW.quickbooks_product_id = '2'; "
        "RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER second BEFORE INSERT ON crm.products "
        "FOR EACH ROW EXECUTE FUNCTION crm.second()"
    )
    known, again = products("{key: quickbooks_product_id}"), again_after_deadlock(load_rows)
    names = {RUN: ("Pump", "Valve"), OTHER: ("Valve", "Pump")}
    for run, (one_name, other_name) in names.items():
        ready(connection, run.company)
        mirror(connection, run, item("1", Name=one_name), item("2", Name=other_name))
        stage_rows(connection, run, known["products"])

    connection.execute("SELECT pg_advisory_lock(1)")
    with ThreadPoolExecutor() as pool:
        loading = [
            pool.submit(
                beside, database_url, lambda own, run=run: again(own, run, known, "products")
            )
            for run in names
        ]
        assert until_waiting(connection, 2)
        connection.execute("SELECT pg_advisory_unlock(1)")
        for load in loading:
            load.result()

    ended = [[end.outcome for end in ends(connection, run, "products")] for run in names]
    assert sorted(ended) == [["added", "added"], ["not_added", "not_added"]]


# A load and a person


def test_a_run_that_a_person_waits_for_and_it_for_the_person_does_its_load_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres ends whichever has waited for its `deadlock_timeout` first: the load."""
    administrator = make_conninfo(database_url, user=ADMINISTRATOR)
    with psycopg.connect(administrator) as server:
        server.execute(f"ALTER DATABASE {server.info.dbname} SET deadlock_timeout = '4s'".encode())
    with (
        kept_in_step(database_url, monkeypatch, customers=1, items=4) as kept,
        psycopg.connect(database_url, autocommit=True) as watching,
        psycopg.connect(administrator, options="-c deadlock_timeout=60s") as person,
        ThreadPoolExecutor() as pool,
    ):
        kept.sync()
        for row in kept.quickbooks.rows("Item"):
            kept.quickbooks.change("Item", row["Id"], Description="Changed")
        by_id = [row["id"] for row in kept.ask("SELECT id FROM crm.products ORDER BY id")]

        for kind, begin in {"sync": pipeline.sync, "replay": repeating.replay_all}.items():
            person.execute(BY_PERSON, [by_id[-1]])
            running = pool.submit(begin, "sample", kind, BY_HAND)
            assert until_waiting(watching, 1)
            person.execute(BY_PERSON, [by_id[0]])
            person.commit()
            running.result()

            assert kept.run(kind).state == "success"
