"""One run at a time writes for a company; one of which nothing is heard any more loses its
turn, and is ended."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import activity, pipeline, previewing, purging, reconciling, runs
from quickbooks_crm.errors import CompanyBusy
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.runs import Run
from tests.acceptance.kept_in_step import BY_HAND, Kept
from tests.integration.at_work import (
    FIRST,
    OTHER_COMPANY,
    REALM,
    SECOND,
    begun,
    connection,
    fell_silent,
    kept,
    second_connection,
    state,
)
from tests.integration.receiving import until

__all__ = ["connection", "kept", "second_connection"]


# The lease


def test_a_second_run_while_one_is_at_work_is_told_which(connection: Connection[Any]) -> None:
    begun(connection, FIRST)

    with pytest.raises(CompanyBusy, match="Run run-1 is at work on company sample"):
        begun(connection, SECOND)


def test_another_company_is_not_in_the_way(connection: Connection[Any]) -> None:
    begun(connection, FIRST)

    begun(connection, OTHER_COMPANY)


def test_a_finished_run_is_not_in_the_way(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    runs.finish(connection, FIRST)

    begun(connection, SECOND)


def test_a_run_may_take_its_own_lease_again(connection: Connection[Any]) -> None:
    begun(connection, FIRST)

    begun(connection, FIRST)


def test_a_run_that_fell_silent_loses_its_lease_to_whoever_asks(
    connection: Connection[Any],
) -> None:
    begun(connection, FIRST)
    runs.attempt(connection, FIRST, "extract")
    fell_silent(connection)

    begun(connection, SECOND)

    with pytest.raises(CompanyBusy, match="Run run-2"):
        runs.attempt(connection, FIRST, "extract")


def test_a_run_whose_tasks_still_write_is_not_silent(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    fell_silent(connection)
    extract = runs.attempt(connection, FIRST, "extract")
    fell_silent(connection)
    extract.renew(connection)

    with pytest.raises(CompanyBusy):
        begun(connection, SECOND)


def test_a_run_in_the_middle_of_a_long_transaction_is_not_silent(
    connection: Connection[Any], second_connection: Connection[Any]
) -> None:
    begun(connection, FIRST)
    load = runs.attempt(connection, FIRST, "products.load")
    fell_silent(connection)

    with connection.transaction(), pytest.raises(CompanyBusy, match="Another run is at work"):
        load.require(connection)
        begun(second_connection, SECOND)


def test_two_modules_of_one_run_do_not_wait_for_each_other(
    connection: Connection[Any], second_connection: Connection[Any]
) -> None:
    begun(connection, FIRST)
    products = runs.attempt(connection, FIRST, "products.load")

    with connection.transaction():
        products.require(connection)
        accounts = runs.attempt(second_connection, FIRST, "accounts.load")
        with second_connection.transaction():
            accounts.require(second_connection)


def test_two_connections_of_one_try_do_not_wait_for_each_other(
    connection: Connection[Any], second_connection: Connection[Any]
) -> None:
    begun(connection, FIRST)
    extract = runs.attempt(connection, FIRST, "extract")
    second_connection.execute("SET lock_timeout = '1s'")

    with connection.transaction(), second_connection.transaction():
        extract.require(connection)
        extract.require(second_connection)


@pytest.mark.parametrize("task", ["a sync", "a reconcile"])
def test_a_run_that_quickbooks_makes_wait_keeps_its_company(
    kept: Kept, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """One request with its tries may take twenty minutes, and nothing is written meanwhile."""
    monkeypatch.setattr(runs, "SILENCE", timedelta(seconds=8))
    kept.sync()
    kind = "cdc" if task == "a sync" else "companyinfo"
    ended: list[str] = []

    def first() -> None:
        if task == "a sync":
            pipeline.sync("sample", "first", BY_HAND)
        else:
            reconciling.reconcile("sample", "first", BY_HAND, Wish())
        ended.append("success")

    with waiting_for_quickbooks(kept, kind) as asked:
        thread = threading.Thread(target=first)
        thread.start()
        assert asked.wait(120)
        fell_silent(connection)
        until(lambda: showed_life(connection))
        with pytest.raises(CompanyBusy, match="Run first is at work"):
            pipeline.sync("sample", "second", BY_HAND)

    thread.join(30)
    assert ended == ["success"]


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_whose_process_was_killed_or_stopped_while_it_waited_loses_its_company(
    kept: Kept, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    monkeypatch.setattr(runs, "SILENCE", timedelta(seconds=2))
    kept.sync()

    with waiting_for_quickbooks(kept, "cdc") as asked:
        child = in_another_process("first")
        assert asked.wait(120)
        until(lambda: showed_life_again(connection))
        os.kill(child, how)
        until(lambda: takes_over(connection, Run("sample", REALM, "second")))

    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@contextmanager
def waiting_for_quickbooks(kept: Kept, kind: str) -> Iterator[threading.Event]:
    """Until the block ends, the next call of a kind gets no answer; set when it has been sent."""
    asked, answer = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait(60)

    kept.quickbooks.when(kind, hold)
    try:
        yield asked
    finally:
        answer.set()


def showed_life(connection: Connection[Any]) -> bool:
    """Whether some run did in the last minute."""
    fresh = "SELECT 1 FROM sync.attempt WHERE renewed_at > now() - interval '1 minute'"
    return connection.execute(fresh).fetchone() is not None


def showed_life_again(connection: Connection[Any]) -> bool:
    """Whether a run did after its try had begun."""
    before = connection.execute("SELECT max(renewed_at) FROM sync.attempt").fetchone()
    time.sleep(0.1)
    return connection.execute("SELECT max(renewed_at) FROM sync.attempt").fetchone() != before


def takes_over(connection: Connection[Any], run: Run) -> bool:
    try:
        begun(connection, run)
    except CompanyBusy:
        return False
    return True


def test_finishing_a_run_does_not_take_the_lease_from_another(
    connection: Connection[Any],
) -> None:
    begun(connection, FIRST)
    fell_silent(connection)
    begun(connection, SECOND)

    runs.finish(connection, FIRST)

    assert connection.execute("SELECT run_id FROM sync.lease").fetchone() == ("run-2",)


# Runs that nobody ends


def test_a_run_that_fell_silent_is_ended_as_failed_by_the_next_that_takes_its_turn(
    connection: Connection[Any],
) -> None:
    begun(connection, FIRST)
    runs.attempt(connection, FIRST, "extract")
    fell_silent(connection)

    begun(connection, SECOND)

    ended, going_on = told(connection, FIRST), told(connection, SECOND)
    assert (ended.state, going_on.state) == ("failed", "running")
    assert ended.finished_at is not None
    [problem] = ended.problems
    assert problem.code == "run_silent"
    assert "Nothing was heard of this run after" in problem.message


def test_a_run_that_shows_signs_of_life_is_not_ended(connection: Connection[Any]) -> None:
    """It lost its lease in some other way; so nothing but its own signs count."""
    begun(connection, FIRST)
    runs.attempt(connection, FIRST, "extract")
    runs.release_lease(connection, FIRST)

    begun(connection, SECOND)

    assert told(connection, FIRST).state == "running"


def test_another_companys_silent_run_is_left_alone(connection: Connection[Any]) -> None:
    begun(connection, OTHER_COMPANY)
    fell_silent(connection)

    begun(connection, FIRST)

    assert told(connection, OTHER_COMPANY).state == "running"


def test_a_silent_run_that_comes_back_goes_on_and_ends_as_itself(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    with psycopg.connect(kept.url, autocommit=True) as other:
        fell_silent(other)
        begun(other, SECOND)
        runs.finish(other, SECOND)
    assert state(kept, "run-1") == "failed"

    for module in pipeline.extract("sample", "run-1")["work"]:
        pipeline.load("sample", "run-1", module)
    pipeline.record_activity("sample", "run-1")

    assert state(kept, "run-1") == "success"
    assert kept.run("run-1").problems == ()


def test_a_run_that_is_taken_for_dead_before_it_tells_its_end_ends_as_itself(kept: Kept) -> None:
    """All is loaded, and its last task waits for a free worker."""
    pipeline.check_settings("sample", "run-1", BY_HAND)
    for module in pipeline.extract("sample", "run-1")["work"]:
        pipeline.load("sample", "run-1", module)
    with psycopg.connect(kept.url, autocommit=True) as other:
        fell_silent(other)
        begun(other, SECOND)
        runs.finish(other, SECOND)
    assert state(kept, "run-1") == "failed"

    pipeline.record_activity("sample", "run-1")

    assert state(kept, "run-1") == "success"
    assert kept.run("run-1").problems == ()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("ended_by", ["a sync", "a purge"])
def test_a_preview_is_ended_when_its_process_was_killed_and_never_while_it_lives(
    kept: Kept, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    """A preview takes no lease; it may be at work for long, in one transaction."""
    kept.sync()
    child = in_another_process("first", held_up_preview)
    until(lambda: holds_the_table(connection))
    fell_silent(connection)

    end_others(kept, connection, ended_by)
    assert state(kept, "first") == "running"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    until(lambda: not holds_the_table(connection))
    end_others(kept, connection, ended_by)

    assert state(kept, "first") == "failed"


def end_others(kept: Kept, connection: Connection[Any], how: str) -> None:
    if how == "a purge":
        purging.purge("sample", "ann")
    else:
        begun(connection, SECOND)
        runs.finish(connection, SECOND)


def held_up_preview(run_id: str) -> None:
    """A preview that stays where it rehearses the first load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quickbooks_crm.preview.take_turn", lambda *_: time.sleep(60))
        previewing.sync("sample", run_id, BY_HAND)


def holds_the_table(connection: Connection[Any]) -> bool:
    """Whether a preview is in its transaction."""
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    return connection.execute(locks).fetchone() != (0,)


def told(connection: Connection[Any], run: Run) -> activity.Run:
    found = activity.run(connection, run.realm, run.run_id)
    assert found is not None
    return found


def a_sync(run_id: str) -> None:
    pipeline.sync("sample", run_id, BY_HAND)


def in_another_process(run_id: str, act: Callable[[str], object] = a_sync) -> int:
    """Start a run; its process."""
    child = os.fork()
    if child == 0:
        try:
            act(run_id)
        finally:
            os._exit(1)
    return child
