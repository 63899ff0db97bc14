"""The connection to the database breaks off at a COMMIT, and nobody tells whether it was done: the
next try finds out, loses nothing and does nothing twice."""

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from quickbooks_crm.errors import QuickBooksCrmError
from tests.acceptance.kept_in_step import Kept
from tests.faults.cutting import Cutting, cutting
from tests.faults.interrupted import (
    in_peace,
    kept,
    minutes_pass,
    recover,
    something_happens,
    undisturbed,
)

__all__ = ["kept", "undisturbed"]

pytestmark = pytest.mark.slow


@pytest.fixture
def between(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cutting]:
    """What stands between the program and its database."""
    with cutting(kept.url) as (url, between):
        monkeypatch.setenv("AIRFLOW_CONN_CRM", url)
        yield between


@pytest.mark.parametrize(
    ("done", "every"), [pytest.param(True, 3, id="done"), pytest.param(False, 6, id="undone")]
)
def test_a_commit_whose_answer_is_lost_loses_nothing_and_does_nothing_twice(
    kept: Kept, undisturbed: Kept, between: Cutting, done: bool, every: int
) -> None:
    """One that was not done is a process killed before it: test_kills.py has more of these."""
    kept.sync()
    in_peace(undisturbed)
    total = commits_of_a_sync(kept, between)

    for turn, point in enumerate(range(1, total + 1, every), 1):
        something_happens(kept, turn)
        run_id = kept.new_run_id()
        minutes_pass(kept)
        between.cut(point, done)
        with suppress(QuickBooksCrmError, psycopg.OperationalError):
            kept.sync(run_id)
        assert between.passed >= point
        minutes_pass(kept)
        recover(kept, run_id, by_a_new_run=turn % 2 == 0)
        assert kept.mismatched() == [], f"cut at COMMIT {point} of {total}"

    in_peace(undisturbed)
    assert kept.image() == undisturbed.image()


def commits_of_a_sync(kept: Kept, between: Cutting) -> int:
    """How many a sync of what has changed asks for."""
    something_happens(kept, 0)
    minutes_pass(kept)
    between.cut(0, done=True)
    kept.sync()
    return between.passed
