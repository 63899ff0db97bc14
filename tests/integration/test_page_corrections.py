"""The page of a retry, a replay or an undo, from what was asked for to what became of it; and the
buttons that begin one."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from psycopg import Connection

from tests.integration.airflows_runs import airflow_has, none_left
from tests.integration.runs import NOON, REALM, counted, ended, started
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAG = "correct_sample"
PAGE = "/quickbooks-crm/corrections/sample/shown"
AGAIN = 'data-again="2"'


@pytest.fixture(autouse=True)
def airflow_is_as_before(airflow_metadata: None) -> Iterator[None]:
    with none_left():
        yield


def shown(connection: Connection[Any], **given: Any) -> None:
    """The preview of an undo of accounts, of which one record would be kept."""
    rehearsal = {"kind": "preview", "rehearses": "undo", "would_undo": "first", "work": []}
    finished = {"modules": ["accounts"], "finished_at": NOON}
    started(connection, "shown", **rehearsal, **finished | given)
    if given.get("state") not in ("running", "failed"):
        ends = {"removed": 2, "kept": 1, "read": 3, "mode": "undo"}
        counted(connection, "shown", "accounts", **ends)
        why = {"reason": "changed_since", "message": "Since changed: name, by somebody."}
        ended(connection, "shown", "accounts", "7", "kept", entity="Customer", **why)
        was = {"record_key": "8", "before": {"name": "Right"}}
        ended(connection, "shown", "accounts", "8", "removed", entity="Customer", **was)
    connection.commit()


def test_what_waits_in_airflow_says_so_and_goes_on_by_itself(viewer: httpx.Client) -> None:
    airflow_has(DAG, "shown")

    page = viewer.get(PAGE).text

    assert "waits for its turn" in page
    assert AGAIN in page


def test_a_dag_that_is_off_can_be_switched_on_by_who_may_run(
    anonymous: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    airflow_has(DAG, "shown", paused=True)
    pages = {}
    for role in ("viewer", "user"):
        signed_in_as(role)
        pages[role] = anonymous.get(PAGE).text

    assert f'data-unpause="{DAG}"' in pages["user"]
    assert "data-unpause" not in pages["viewer"]


def test_the_question_shows_the_counts_and_what_would_be_kept(
    anonymous: httpx.Client, signed_in_as: Callable[[str], None], connection: Connection[Any]
) -> None:
    airflow_has(DAG, "shown", "running", asks=True)
    shown(connection)
    signed_in_as("user")

    page = anonymous.get(PAGE)

    text = text_of(page)
    assert "Undo of a run – Sample company" in text
    assert "The run: first" in text
    assert "accounts 3 0 2 0 0 1" in text
    assert "Customer 7 Changed since by somebody in the CRM or a later run Since changed" in text
    assert "Accounts: would be removed QuickBooks record Customer 8 and 1 more" in text
    assert f'data-answer="Yes" data-of="{DAG}/shown"' in page.text
    assert AGAIN not in page.text


def test_who_may_only_look_cannot_answer(viewer: httpx.Client, connection: Connection[Any]) -> None:
    airflow_has(DAG, "shown", "running", asks=True)
    shown(connection)

    page = viewer.get(PAGE)

    assert "data-answer" not in page.text
    assert "Somebody who may start runs has to answer." in page.text


def test_a_no_is_told_and_nothing_was_done(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(DAG, "shown", "success", answer="No")
    shown(connection)

    assert "Not done. anna said No. Nothing was changed." in text_of(viewer.get(PAGE))


def test_a_yes_waits_for_the_run_that_it_begins_and_then_leads_to_it(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(DAG, "shown", "running", answer="Yes")
    shown(connection)
    waits = viewer.get(PAGE)
    started(connection, "done", kind="undo", undoes="first", previewed="shown", state="running")
    connection.commit()

    leads = viewer.get(PAGE)

    assert "anna said Yes. It begins in a moment." in text_of(waits)
    assert AGAIN in waits.text
    assert leads.status_code == 303
    run = viewer.get(str(leads.url.join(leads.headers["location"])))
    assert 'data-again="3"' in run.text
    assert "Undo of first" in text_of(run)


@pytest.mark.parametrize(
    ("state", "said", "again"),
    [
        ("queued", "It waits for its turn in Airflow.", True),
        ("failed", "It ended before it had begun to work: the log of its task in Airflow", False),
    ],
)
def test_a_run_that_has_written_nothing_down_yet_is_told_by_what_airflow_knows(
    viewer: httpx.Client, connection: Connection[Any], state: str, said: str, again: bool
) -> None:
    airflow_has(DAG, "shown", "success", answer="Yes")
    shown(connection)
    airflow_has(DAG, "done", state, conf={"ask_first": False, "previewed": "shown"})

    page = viewer.get(PAGE)

    assert said in text_of(page)
    assert f"dags/{DAG}/runs/done" in page.text
    assert ("data-again" in page.text) is again


def test_what_cannot_be_done_says_why(viewer: httpx.Client, connection: Connection[Any]) -> None:
    airflow_has(DAG, "shown", "failed")
    why = {"preview": {"code": "undo_impossible", "message": "Run first was a preview."}}
    shown(connection, state="failed", errors=why, modules=[])

    text = text_of(viewer.get(PAGE))

    assert "It cannot be done. Nothing was changed." in text
    assert "Run first was a preview." in text


def test_with_nothing_to_do_nobody_is_asked(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(DAG, "shown", "success")
    started(connection, "shown", kind="preview", rehearses="retry", reasons=["undone"])
    counted(connection, "shown", "products", not_added=3)
    connection.commit()

    text = text_of(viewer.get(PAGE))

    assert "There is nothing to do." in text
    assert "Only what is held back for: undone by a person" in text


def test_a_correction_that_nobody_asked_for_is_not_there(viewer: httpx.Client) -> None:
    assert viewer.get(PAGE).status_code == 404


def test_the_page_of_what_was_started_leads_here(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(DAG, "shown", "running")
    shown(connection)

    answer = viewer.get("/quickbooks-crm/started/sample/shown")

    assert str(answer.url.join(answer.headers["location"])).endswith(PAGE)


# The buttons


@pytest.mark.parametrize(
    ("run", "counts", "offered"),
    [
        ({}, {"added": 2}, ["undo", "replay"]),
        ({}, {"updated": 1, "not_added": 1}, ["undo", "retry", "replay"]),
        ({}, {"not_added": 1}, ["retry", "replay"]),
        ({}, {"unchanged": 2}, []),
        ({"kind": "undo", "undoes": "x"}, {"removed": 2, "read": 2}, ["undo"]),
        ({"kind": "preview"}, {"added": 2}, []),
        ({"state": "running"}, {"added": 2}, []),
        ({"purged_at": NOON}, {"added": 2, "duplicate": 1}, ["retry", "replay"]),
        ({"emptied_at": NOON}, {"added": 2, "duplicate": 1}, ["retry", "replay"]),
    ],
)
def test_a_run_offers_what_can_be_done_with_it(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connection: Connection[Any],
    run: dict[str, Any],
    counts: dict[str, int],
    offered: list[str],
) -> None:
    started(connection, "run-1", **run)
    counted(connection, "run-1", "products", **counts)
    connection.commit()
    signed_in_as("user")

    page = anonymous.get(f"/quickbooks-crm/runs/{REALM}/run-1").text

    assert re.findall(r'data-opens="(\w+)"', page) == offered


def test_who_may_only_look_is_offered_nothing(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", added=2, not_added=1)
    connection.commit()

    for page in ("", "/products?outcome=not_added"):
        answer = viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1{page}")
        assert answer.status_code == 200
        assert "data-start" not in answer.text


def test_records_are_tried_again_of_the_module_and_reason_that_is_shown(
    anonymous: httpx.Client, signed_in_as: Callable[[str], None], connection: Connection[Any]
) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", not_added=1)
    ended(connection, "run-1", "products", "7", "not_added", reason="invalid_value")
    connection.commit()
    signed_in_as("user")
    rows = f"/quickbooks-crm/runs/{REALM}/run-1/products?outcome=not_added&reason=invalid_value"

    page = anonymous.get(rows).text

    form = page[page.index("<form data-start") : page.index("</dialog>")]
    assert f'data-start="{DAG}" data-then="corrections/sample/"' in form
    assert re.findall(r'name="(\w+)" value="(\w+)"', form) == [
        ("what", "retry"),
        ("modules", "products"),
        ("reasons", "invalid_value"),
    ]
