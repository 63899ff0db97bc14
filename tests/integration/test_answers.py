"""What a person answers to a preview is written down once, and no run follows a preview without."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import answers
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.runs import Run
from tests.integration.runs import REALM, counted, started

PREVIEW = Run("sample", REALM, "shown")
ANEW = "Nothing was changed. Preview it anew, and say Yes to that."


def shown(connection: Connection[Any], **given: Any) -> None:
    """A preview that ended well just now and was answered with Yes."""
    now = datetime.now(UTC)
    yes = {"answer": "Yes", "answered_by": "anna", "answered_at": datetime(2025, 3, 1, tzinfo=UTC)}
    started(connection, "shown", **{"kind": "preview", "finished_at": now, **yes, **given})


def follows(connection: Connection[Any], run_id: str, kind: str = "sync") -> str:
    """Begin a run that follows the preview; what it is refused with."""
    if connection.execute("SELECT 1 FROM sync.run WHERE run_id = %s", [run_id]).rowcount == 0:
        started(connection, run_id, state="running", kind=kind)
    try:
        answers.follow(connection, Run("sample", REALM, run_id), kind, "shown")
    except SettingsError as error:
        return str(error)
    return ""


OLD = datetime.now(UTC) - timedelta(hours=48, minutes=1)
NO = {"answer": "No"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"answer": None}, "was not answered yet: that is done where it is shown, or in Airflow."),
        (NO, "was answered with No on 2025-03-01 00:00 UTC by anna."),
        (
            NO | {"answered_by": None},
            "was answered with No on 2025-03-01 00:00 UTC by nobody in time.",
        ),
        (
            {"state": "failed"},
            "did not end well, so nobody has seen what would become of each record.",
        ),
        ({"finished_at": OLD}, "ended more than 48 hours ago, and much may have changed since."),
        (
            {"rehearses": "undo"},
            "is about a run of the kind undo, and this one is of the kind sync.",
        ),
    ],
)
def test_a_run_follows_only_a_preview_that_was_agreed_to(
    connection: Connection[Any], given: dict[str, Any], said: str
) -> None:
    shown(connection, **given)

    assert follows(connection, "synced") == f"Preview shown {said} {ANEW}"


@pytest.mark.parametrize("given", [{"company": "other"}, {"kind": "sync"}, {"realm": "1"}])
def test_a_run_follows_no_other_companys_preview_and_nothing_else(
    connection: Connection[Any], given: dict[str, Any]
) -> None:
    shown(connection, **given)

    assert follows(connection, "synced").startswith("Company sample has no preview shown.")


def test_a_preview_is_no_run_that_follows_another(connection: Connection[Any]) -> None:
    shown(connection)

    assert "this one is of the kind preview." in follows(connection, "again", "preview")


def test_what_was_agreed_to_is_done_once_also_when_airflow_repeats_it(
    connection: Connection[Any],
) -> None:
    shown(connection)

    assert [follows(connection, "synced"), follows(connection, "synced")] == ["", ""]
    assert "was carried out already, by run synced." in follows(connection, "again")


@pytest.mark.parametrize(("loaded", "refused"), [(False, False), (True, True)])
def test_a_run_that_failed_before_it_did_anything_does_not_use_the_yes_up(
    connection: Connection[Any], loaded: bool, refused: bool
) -> None:
    shown(connection)
    follows(connection, "synced")
    connection.execute("UPDATE sync.run SET state = 'failed' WHERE run_id = 'synced'")
    if loaded:
        counted(connection, "synced", "products", added=1)

    assert bool(follows(connection, "again")) is refused


def test_the_first_answer_stays(connection: Connection[Any]) -> None:
    shown(connection, answer=None, answered_by=None, answered_at=None)
    answers.write_down(connection, PREVIEW, "No", "anna")
    answers.write_down(connection, PREVIEW, "No", "ben")

    with pytest.raises(SettingsError, match=r"answered with No on .* by anna, and that stays\."):
        answers.write_down(connection, PREVIEW, "Yes", "ben")

    [kept] = connection.execute("SELECT answer, answered_by FROM sync.run").fetchall()
    assert tuple(kept) == ("No", "anna")
