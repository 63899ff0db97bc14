"""What is old is thrown away, some rows at a time; what was counted stays for ever."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import acts, retention
from quickbooks_crm.errors import UndoImpossible
from quickbooks_crm.retention import Purged, Retention, plan, purge
from quickbooks_crm.runs import Run
from quickbooks_crm.undone import find, hold_images
from tests.integration.crm import (
    REALM,
    End,
    by_hand,
    count,
    customer,
    in_capitals,
    item,
    one,
    products,
    ready,
    rows,
    sync,
)
from tests.integration.documents import invoice, with_customers
from tests.integration.undo import bring_all, undo

KEPT = Retention()
IMAGES = "SELECT count(*) FROM sync.outcome WHERE before IS NOT NULL OR after <> '{}'"


def after(connection: Connection[Any], days: int) -> None:
    """Let all that has happened be so many days ago."""
    for statement in (
        "UPDATE sync.run SET started_at = started_at - make_interval(days => %s), "
        "finished_at = now() - make_interval(days => %s), state = 'success'",
        "UPDATE sync.generation SET started_at = started_at - make_interval(days => %s)",
    ):
        connection.execute(statement.encode(), [days] * statement.count("%s"))


@pytest.fixture
def ran(connection: Connection[Any]) -> Connection[Any]:
    """A run that added two, and one that updated one and left one unchanged."""
    sync(connection, products(), item("7"), item("8"))
    sync(connection, products(), item("7", Name="Pump"), item("8"))
    return connection


def purged(connection: Connection[Any], **days: int) -> Purged:
    return purge(connection, "sample", REALM, replace(KEPT, **days), "ann")


@pytest.mark.parametrize(
    ("days", "left", "images"), [(29, 4, 3), (31, 3, 3), (91, 3, 0), (401, 0, 0)]
)
def test_the_older_a_run_the_less_of_it_is_kept(
    ran: Connection[Any], days: int, left: int, images: int
) -> None:
    after(ran, days)

    purged(ran)

    assert (count(ran, "sync.outcome"), one(ran, IMAGES)) == (left, images)


def test_what_new_records_held_that_no_mapping_fills_goes_with_what_it_filled(
    ran: Connection[Any],
) -> None:
    noted = "SELECT count(*) FROM sync.outcome WHERE left_alone IS NOT NULL"
    assert one(ran, noted) == 2
    after(ran, 91)

    purged(ran)

    assert (count(ran, "sync.outcome"), one(ran, noted)) == (3, 0)


def test_counts_records_links_and_what_is_held_stay_for_ever(ran: Connection[Any]) -> None:
    query = "SELECT to_jsonb(a) - 'undoable' FROM sync.activity AS a ORDER BY to_generation"
    kept = rows(ran, query), rows(ran, "SELECT * FROM sync.link ORDER BY id")
    after(ran, 5_000)

    purged(ran)

    assert (rows(ran, query), rows(ran, "SELECT * FROM sync.link ORDER BY id")) == kept
    assert count(ran, "crm.products") == count(ran, "quickbooks.record") == 2
    assert sync(ran, products(), item("7", Name="Pump")) == [("7", "unchanged", None)]


@pytest.mark.parametrize("days", [31, 91, 401])
def test_a_plan_counts_what_a_purge_then_throws_away(ran: Connection[Any], days: int) -> None:
    after(ran, days)

    planned = plan(ran, "sample", REALM, KEPT)

    assert planned.any
    assert count(ran, "sync.outcome") == 4
    assert purged(ran) == planned
    assert plan(ran, "sample", REALM, KEPT) == purged(ran) == Purged("sample")


def test_rows_go_some_at_a_time_and_a_purge_that_is_killed_goes_on(
    ran: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    after(ran, 401)

    assert purged(ran).outcomes == 4
    assert count(ran, "sync.outcome") == 0


def test_what_a_run_has_taken_over_unchanged_is_undone_for_as_long_as_the_run_can_be(
    connection: Connection[Any],
) -> None:
    ready(connection)
    own = {"company_id": "sample", "active": True}
    by_hand(connection, "crm.products", name="Item 7", quickbooks_product_id="7", **own)
    assert sync(connection, products(), item("7"), run_id="took") == [End("7", "unchanged")]
    after(connection, 40)
    planned = plan(connection, "sample", REALM, KEPT)
    assert purged(connection) == planned

    assert undo(connection, products(), "took", run_id="back") == [End("7", "unchanged")]

    bring_all(connection, products(), "replayed")
    assert count(connection, "sync.link") == 0
    after(connection, 40)
    purged(connection)
    assert undo(connection, products(), "back") == [End("7", "unchanged")]
    assert count(connection, "sync.link") == 1


def test_a_run_whose_images_are_gone_says_so(ran: Connection[Any]) -> None:
    after(ran, 91)

    purged(ran)

    assert one(ran, "SELECT count(*) FROM sync.run WHERE purged_at IS NOT NULL") == 2


@pytest.mark.parametrize("days", [{"outcomes": 30}, {"images": 30}])
def test_a_run_of_which_something_was_thrown_away_is_not_undone(
    connection: Connection[Any], days: dict[str, int]
) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    after(connection, 40)
    purged(connection, **days)

    with pytest.raises(UndoImpossible, match="what products held before it is no longer kept"):
        undo(connection, products(), "wrong")

    assert count(connection, "sync.link") == count(connection, "crm.products") == 1


@pytest.mark.parametrize("what", ["outcomes", "images"])
def test_neither_is_one_of_which_a_purge_that_was_killed_has_thrown_away_half(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    after(connection, 40)
    monkeypatch.setitem(retention._BESIDES, what, ("killed before this",))
    with pytest.raises(KeyError):
        purged(connection, **{what: 30})

    with pytest.raises(UndoImpossible, match="Nothing of products was undone"):
        undo(connection, products(), "wrong")

    assert count(connection, "sync.link") == count(connection, "crm.products") == 1


def test_nor_are_the_references_that_it_closed_in_modules_it_did_not_load(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = with_customers()
    sync(connection, known, invoice("9", CustomerRef={"value": "1"}))
    after(connection, 40)
    purged(connection, images=30)
    sync(connection, known, customer("1"), run_id="wrong")
    after(connection, 40)
    monkeypatch.setitem(retention._BESIDES, "images", ("former", "killed before this"))
    with pytest.raises(KeyError):
        purged(connection, images=30)

    with pytest.raises(UndoImpossible, match="Nothing of documents was undone"):
        undo(connection, known, "wrong")

    assert rows(connection, "SELECT account_id FROM crm.invoices") == [(1,)]


def test_nothing_is_thrown_away_of_a_run_while_it_is_undone(
    connection: Connection[Any], database_url: str
) -> None:
    sync(connection, products(), item("7"), run_id="wrong")
    after(connection, 40)
    run = Run("sample", REALM, "back")
    where = {"realm": REALM, "undone": "wrong", "module": "products"}

    with psycopg.connect(database_url, autocommit=True) as other, connection.transaction():
        hold_images(connection, find(connection, run, "wrong"), where)
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            purged(other, images=30)

    assert one(connection, IMAGES) == 1


def test_generations_of_quiet_runs_go_and_those_that_records_stand_under_stay(
    ran: Connection[Any],
) -> None:
    ran.execute(
        "INSERT INTO sync.generation (realm, run_id, sealed_at) SELECT %s, 'quiet', now() "
        "FROM generate_series(1, 5)",
        [REALM],
    )
    after(ran, 401)

    assert purged(ran).generations == 5

    assert sync(ran, products(), item("7", Name="Hose"))[0].outcome == "updated"


def test_a_module_that_comes_later_still_reads_every_record(ran: Connection[Any]) -> None:
    after(ran, 401)
    purged(ran)
    ran.execute("DELETE FROM sync.module_position")
    ran.execute("DELETE FROM sync.link")
    ran.execute("DELETE FROM crm.products")

    assert len(sync(ran, products())) == 2


def test_keywords_that_a_run_added_are_forgotten_with_its_images(ran: Connection[Any]) -> None:
    ran.execute(
        "INSERT INTO sync.added_keyword SELECT realm, run_id, 'products', 'terms', 'Net 45', '7', "
        "'crm.keyword_values', '73' FROM sync.run"
    )
    after(ran, 89)
    purged(ran)
    assert count(ran, "sync.added_keyword") == 2

    after(ran, 91)
    purged(ran)

    assert count(ran, "sync.added_keyword") == 0


def test_a_conflict_that_nobody_decides_counts_as_decided_for_the_crm_in_the_end(
    connection: Connection[Any],
) -> None:
    known = products(
        "{key: quickbooks_product_id}", fields="description: {from: Description, edits: crm}"
    )
    sync(connection, known, item("7", Description="A"))
    connection.execute("UPDATE crm.products SET description = 'mine'")
    sync(connection, known, item("7", Description="B"))
    since = "UPDATE sync.conflict SET since = now() - make_interval(days => %s)"
    connection.execute(since.encode(), [399])
    assert purged(connection).conflicts == plan(connection, "sample", REALM, KEPT).conflicts == 0

    connection.execute(since.encode(), [401])
    assert plan(connection, "sample", REALM, KEPT).conflicts == 1
    assert purged(connection).conflicts == 1

    sync(connection, known, item("7", Description="B", Name="Pump"))
    held = rows(connection, "SELECT name, description FROM crm.products")
    assert (held, count(connection, "sync.conflict")) == ([("Pump", "mine")], 0)
    sync(connection, known, item("7", Description="C", Name="Pump"))
    assert rows(connection, "SELECT description FROM crm.products") == [("mine",)]
    assert count(connection, "sync.conflict") == 1


def test_a_conflict_that_counts_as_decided_is_judged_by_what_quickbooks_said_in_it(
    connection: Connection[Any],
) -> None:
    known = products(
        "{key: quickbooks_product_id}", fields="description: {from: Description, edits: crm}"
    )
    in_capitals(connection, "crm.products", "description")
    sync(connection, known, item("7", Description="a"))
    connection.execute("UPDATE crm.products SET description = 'mine'")
    sync(connection, known, item("7", Description="b"))
    connection.execute("UPDATE sync.conflict SET since = now() - make_interval(days => 401)")
    assert purged(connection).conflicts == 1

    for said, conflicts in (("b", 0), ("a", 1)):
        sync(connection, known, item("7", Description=said, Name=f"Pump {said}"))
        assert count(connection, "sync.conflict") == conflicts


def test_what_a_person_writes_after_a_conflict_counts_as_decided_is_theirs(
    connection: Connection[Any],
) -> None:
    known = products(
        "{key: quickbooks_product_id}", fields="description: {from: Description, edits: crm}"
    )
    write = "UPDATE crm.products SET description = %s"
    sync(connection, known, item("7", Description="A"))
    connection.execute(write, ["mine"])
    sync(connection, known, item("7", Description="B"))
    connection.execute("UPDATE sync.conflict SET since = now() - make_interval(days => 401)")
    assert purged(connection).conflicts == 1

    connection.execute(write, ["B"])
    sync(connection, known, item("7"))

    assert rows(connection, "SELECT description FROM crm.products") == [("B",)]


def test_old_calls_go_month_by_month(ran: Connection[Any]) -> None:
    for months in (0, 13, 15):
        ran.execute(
            "INSERT INTO sync.call VALUES ('a', (date_trunc('month', now()) "
            "- make_interval(months => %s))::date, %s, %s, 'count', 1, 1)",
            [months, REALM, f"run-{months}"],
        )

    assert purged(ran).calls == 1
    assert count(ran, "sync.call") == 2


def test_another_companys_rows_stay(ran: Connection[Any]) -> None:
    after(ran, 401)

    purge(ran, "other", "9341452000000002", KEPT, "ann")

    assert count(ran, "sync.outcome") == 4


def test_what_was_thrown_away_is_written_down_once(ran: Connection[Any]) -> None:
    after(ran, 401)
    purged(ran)
    purged(ran)

    [act] = acts.listed(ran, "sample", 9)
    assert (act.kind, act.by_whom, act.details["outcomes"]) == ("purged", "ann", 4)
