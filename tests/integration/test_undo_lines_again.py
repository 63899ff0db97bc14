"""Undoing what a run did to documents of which other runs, other loads of the same run or people
know more."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    End,
    Record,
    by_hand,
    customer,
    item,
    load_rows,
    mirror,
    probe,
    products,
    ready,
    rows,
    stage_rows,
    sync,
)
from tests.integration.test_lines import DOCUMENTS, invoice, known, line, with_customers
from tests.integration.test_undo_lines import PARKED, everything, waiting_and_refused
from tests.integration.undo import undo

# ── what another run has read since ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line("bad", "1"), line("B", "1"), line("C", "2")], id="waits for the same"),
        pytest.param([line("bad", "3")], id="waits for another"),
        pytest.param([line("bad")], id="refused for itself"),
        pytest.param([line("fine")], id="brought up to date"),
    ],
)
@pytest.mark.parametrize("more", [[], [item("2")]], ids=["waits", "waits for nothing"])
def test_two_runs_undone_the_last_first_leave_what_was_before_each(
    connection: Connection[Any], lines: list[Any], more: list[Record]
) -> None:
    several = waiting_and_refused(connection)
    before = everything(connection)
    sync(connection, several, customer("10"), item("1"), *more, run_id="wrong")
    between = everything(connection)
    later = invoice("7", *lines, DocNumber="5", CustomerRef={"value": "10"})
    sync(connection, several, later, run_id="later")
    after = everything(connection)

    undo(connection, several, "later", run_id="back-2")
    assert everything(connection) == between
    undo(connection, several, "wrong", run_id="back-1")
    assert everything(connection) == before
    undo(connection, several, "back-1", run_id="forth-1")
    assert everything(connection) == between
    undo(connection, several, "back-2", run_id="forth-2")
    assert everything(connection) == after


def test_a_version_that_was_not_read_as_far_as_its_references_has_no_say(
    connection: Connection[Any],
) -> None:
    several = waiting_and_refused(connection)
    before = everything(connection)
    sync(connection, several, customer("10"), item("1"), run_id="wrong")
    ended = sync(connection, several, invoice("7", line("bad", "1"), TotalAmt="much"))
    assert ended == [End("7", "not_added", "invalid_value")]

    undo(connection, several, "wrong")

    assert everything(connection) == before


def test_a_load_that_somebody_repeats_makes_its_run_no_later_one(
    connection: Connection[Any],
) -> None:
    """A task of a finished run may be cleared in Airflow: its other loads are as old as before."""
    several = waiting_and_refused(connection)
    sync(connection, several, customer("10"), item("1"), item("2"), run_id="wrong")
    newest = invoice("7", line("bad"), CustomerRef={"value": "10"})
    sync(connection, several, newest, run_id="later")
    run = Run("sample", REALM, "wrong")
    stage_rows(connection, run, several["products"])
    load_rows(connection, run, several, "products")

    undo(connection, several, "wrong")

    assert rows(connection, PARKED) == [("7", "account_id", "10")]
