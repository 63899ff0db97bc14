"""An undo in a real Airflow, answered as its page does: a No leaves everything as it is, a Yes
undoes what was shown."""

from __future__ import annotations

import time
from typing import Any

import pytest

from demo.rest import Rest
from tests.acceptance.test_preview_in_airflow import states, until
from tests.real_airflow import Demo

pytestmark = pytest.mark.slow

CORRECT, SYNC = "/dags/correct_sample", "/dags/quickbooks_to_crm_sample"
ENDS = """
    SELECT module, entity, id, outcome FROM sync.outcome
     WHERE run_id = '{}' ORDER BY module, entity, id"""
BEGUN = "SELECT run_id, kind, undoes, started_by FROM sync.run WHERE previewed = '{}'"
NOTES = "SELECT notes FROM crm.accounts WHERE quickbooks_customer_id = '5'"


def test_an_undo_asks_and_does_just_what_was_shown(demo: Demo, started: str) -> None:
    rest = Rest(demo.settings)
    rest.patch(CORRECT, {"is_paused": False})
    before, changed = demo.query(NOTES), a_change(demo, rest)
    assert demo.query(NOTES) == [("To be undone",)]

    no = answered(demo, rest, changed, "No")
    assert (demo.query(BEGUN.format(no)), demo.query(NOTES)) == ([], [("To be undone",)])

    yes = answered(demo, rest, changed, "Yes")
    until(lambda: bool(demo.query(BEGUN.format(yes))))
    [(run_id, *about)] = demo.query(BEGUN.format(yes))
    until(lambda: rest.get(f"{CORRECT}/dagRuns/{run_id}")["state"] == "success")

    assert about == ["undo", changed, "admin"]
    assert demo.query(ENDS.format(run_id)) == demo.query(ENDS.format(yes)) != []
    assert demo.query(NOTES) == before


def a_change(demo: Demo, rest: Rest) -> str:
    """A customer's new note, brought into the CRM; the run that did."""
    fields = {"Notes": "To be undone"}
    demo.act("change", {"entity": "Customer", "id": "5", "fields": fields})
    asked = {"logical_date": None, "conf": {"modules": ["accounts"]}}
    run_id = str(rest.post(f"{SYNC}/dagRuns", asked)["dag_run_id"])
    until(lambda: rest.get(f"{SYNC}/dagRuns/{run_id}")["state"] == "success")
    found: list[Any] = demo.query(
        "SELECT run_id FROM sync.outcome WHERE entity = 'Customer' AND id = '5'"
        " AND module = 'accounts' AND after ->> 'notes' = 'To be undone'"
    )
    return str(found[-1][0])


def answered(demo: Demo, rest: Rest, undone: str, answer: str) -> str:
    """Ask for an undo, and answer; the run that asked."""
    asked = {"logical_date": None, "conf": {"what": "undo", "run": undone}}
    run_id = str(rest.post(f"{CORRECT}/dagRuns", asked)["dag_run_id"])
    run = f"{CORRECT}/dagRuns/{run_id}"
    until(lambda: states(rest, run)["proceed"] == "awaiting_input")
    time.sleep(1)  # no person answers in the moment in which Airflow begins to wait, nor could it
    rest.patch(f"{run}/taskInstances/proceed/-1/hitlDetails", {"chosen_options": [answer]})
    until(lambda: rest.get(run)["state"] == "success")
    return run_id
