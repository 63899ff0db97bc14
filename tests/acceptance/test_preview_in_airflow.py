"""A preview in a real Airflow, answered as its page does: a Yes starts the sync with what was
shown, a No leaves everything as it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from demo.rest import AirflowRefused, Rest
from demo.sync import DAG
from tests.real_airflow import Demo

pytestmark = pytest.mark.slow

PREVIEW, SYNC = "/dags/preview_sample", f"/dags/{DAG}"
ENDS = """
    SELECT module, entity, id, outcome, before, after FROM sync.outcome
     WHERE run_id = '{}' ORDER BY module, entity, id"""
NOTES = "SELECT notes FROM crm.accounts WHERE quickbooks_customer_id = '3'"
BY_ITSELF = "SELECT count(*) FROM sync.run WHERE trigger NOT IN ('manual', 'operator_triggered')"


@dataclass(frozen=True)
class Answered:
    """A preview of a customer's new note and what became of its answer: the note, the states of the
    preview's tasks, how rows were to end, and how they did in each sync that it started."""

    note: str
    states: dict[str, str]
    shown: list[tuple[Any, ...]]
    synced: list[list[tuple[Any, ...]]]


def test_a_no_changes_nothing(demo: Demo, started: str) -> None:
    before = demo.query(NOTES)

    no = answered(demo, "No")

    assert (no.states["sync"], no.states["cancelled"]) == ("skipped", "success")
    assert [(*row[:4], row[5]["notes"]) for row in no.shown] == [
        ("accounts", "Customer", "3", "updated", no.note)
    ]
    assert (no.synced, demo.query(NOTES)) == ([], before)


def test_a_yes_starts_the_sync_which_does_just_what_was_shown(demo: Demo, started: str) -> None:
    yes = answered(demo, "Yes")

    assert (yes.states["sync"], yes.states["cancelled"]) == ("success", "skipped")
    assert (yes.synced, demo.query(NOTES)) == ([yes.shown], [(yes.note,)])


def answered(demo: Demo, answer: str) -> Answered:
    """Preview and answer, of two people who do so the first; again, where the company's schedule
    ran meanwhile and was quicker."""
    runs = demo.query(BY_ITSELF)
    told = _answered(demo, answer)
    return told if demo.query(BY_ITSELF) == runs else _answered(demo, answer)


def _answered(demo: Demo, answer: str) -> Answered:
    rest, note = Rest(demo.settings), f"Noted {os.urandom(4).hex()}"
    demo.act("change", {"entity": "Customer", "id": "3", "fields": {"Notes": note}})
    rest.patch(PREVIEW, {"is_paused": False})
    asked = {"logical_date": None, "conf": {"modules": ["accounts"]}}
    run_id = rest.post(f"{PREVIEW}/dagRuns", asked)["dag_run_id"]
    run = f"{PREVIEW}/dagRuns/{run_id}"
    # A preview that finds nothing to do, the company's schedule having been quicker, asks nobody.
    until(lambda: states(rest, run)["proceed"] in ("awaiting_input", "skipped"))
    shown = demo.query(ENDS.format(run_id))

    if states(rest, run)["proceed"] == "awaiting_input":
        # No person answers in the moment in which Airflow begins to wait, nor could it.
        time.sleep(1)
        question = f"{run}/taskInstances/proceed/-1/hitlDetails"
        rest.patch(question, {"chosen_options": [answer]})
        with pytest.raises(AirflowRefused, match="409"):  # somebody else, a moment later
            rest.patch(question, {"chosen_options": ["No" if answer == "Yes" else "Yes"]})
    until(lambda: rest.get(run)["state"] == "success")
    synced = [one["dag_run_id"] for one in syncs(rest) if one["conf"].get("previewed") == run_id]
    until(lambda: all(rest.get(f"{SYNC}/dagRuns/{one}")["state"] == "success" for one in synced))
    return Answered(note, states(rest, run), shown, [demo.query(ENDS.format(i)) for i in synced])


def states(rest: Rest, run: str) -> dict[str, str]:
    """How far the tasks of a run are."""
    found = rest.get(f"{run}/taskInstances")["task_instances"]
    return {task["task_id"]: task["state"] for task in found}


def syncs(rest: Rest) -> list[dict[str, Any]]:
    """The newest runs of the company's sync."""
    found: list[dict[str, Any]]
    found = rest.get(f"{SYNC}/dagRuns?order_by=-run_after&limit=9")["dag_runs"]
    return found


def until(true: Callable[[], bool]) -> None:
    """Wait for something that Airflow is about to do, without keeping it from it by asking."""
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.5)
