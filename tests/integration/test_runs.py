"""Who may write for a company, and what a run is when it is repeated, superseded or cleared."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import (
    activity,
    companies,
    mapping,
    pipeline,
    previewing,
    purging,
    reconciling,
    runs,
    wording,
)
from quickbooks_crm.errors import (
    CompanyBusy,
    QuickBooksRefused,
    RunError,
    RunSuperseded,
    SettingsError,
    StageIncomplete,
    SyncFailed,
)
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.runs import Run
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step, own_include
from tests.faults.watched import before_each_statement
from tests.integration.receiving import until

REALM = "9341452000000001"
FIRST, SECOND = Run("sample", REALM, "run-1"), Run("sample", REALM, "run-2")
OTHER_COMPANY = Run("other", "9341452000000002", "run-1")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def second_connection(database_url: str) -> Iterator[Connection[Any]]:
    """Another process; it does not wait long for locks."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '2s'")
        yield connection


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=12, items=4) as company:
        yield company


def begun(connection: Connection[Any], run: Run) -> None:
    runs.start(connection, run, "manual", None)
    runs.take_lease(connection, run)


def fell_silent(connection: Connection[Any]) -> None:
    """Let the last sign of life of every run be three minutes old."""
    for statement in (
        "UPDATE sync.lease SET taken_at = now() - interval '3 minutes'",
        "UPDATE sync.attempt SET renewed_at = now() - interval '3 minutes'",
        "UPDATE sync.run SET started_at = now() - interval '3 minutes'",
    ):
        connection.execute(statement)


def a_sync(run_id: str) -> None:
    pipeline.sync("sample", run_id, BY_HAND)


def state(kept: Kept, run_id: str) -> str:
    return kept.run(run_id).state


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
        assert asked.wait(20)
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
        assert asked.wait(20)
        until(lambda: showed_life_again(connection))
        os.kill(child, how)
        until(lambda: takes_over(connection, Run("sample", REALM, "second")))

    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


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


def in_another_process(run_id: str, act: Callable[[str], object] = a_sync) -> int:
    """Start a run; its process."""
    child = os.fork()
    if child == 0:
        try:
            act(run_id)
        finally:
            os._exit(1)
    return child


def test_finishing_a_run_does_not_take_the_lease_from_another(
    connection: Connection[Any],
) -> None:
    begun(connection, FIRST)
    fell_silent(connection)
    begun(connection, SECOND)

    runs.finish(connection, FIRST)

    assert connection.execute("SELECT run_id FROM sync.lease").fetchone() == ("run-2",)


# Zombies


def test_an_earlier_try_may_not_write(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    zombie = runs.attempt(connection, FIRST, "extract")
    runs.attempt(connection, FIRST, "extract")

    with pytest.raises(RunSuperseded, match="taken over extract of run run-1"):
        Mirror(connection, zombie)


def test_a_try_of_an_earlier_run_may_not_write(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    zombie = runs.attempt(connection, FIRST, "extract")
    fell_silent(connection)
    begun(connection, SECOND)

    with pytest.raises(RunSuperseded):
        Mirror(connection, zombie)

    with pytest.raises(RunSuperseded):  # not even when the newer run has finished
        runs.finish(connection, SECOND)
        Mirror(connection, zombie)


def test_a_zombie_that_hangs_in_its_transaction_does_not_stop_the_next_try(
    database_url: str, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused process keeps its locks: Postgres ends its transaction after a while."""
    monkeypatch.setattr(runs, "SILENCE", timedelta(seconds=1))
    begun(connection, FIRST)
    zombie = psycopg.connect(database_url, autocommit=True)
    hung = runs.attempt(zombie, FIRST, "products.load")

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout), zombie.transaction():
        hung.require(zombie)
        runs.attempt(connection, FIRST, "products.load")
        zombie.execute("INSERT INTO crm.accounts (name) VALUES ('written by a zombie')")

    assert connection.execute("SELECT 1 FROM crm.accounts").fetchall() == []


def test_an_extract_that_is_superseded_between_two_pages_stops_there(
    kept: Kept, connection: Connection[Any]
) -> None:
    run = Run("sample", REALM, "run-1")
    pipeline.check_settings("sample", "run-1", BY_HAND)
    kept.quickbooks.when(
        "query",
        lambda: runs.attempt(connection, run, "extract"),
        matching="SELECT * FROM Item",
    )

    with pytest.raises(RunSuperseded):
        pipeline.extract("sample", "run-1")

    assert kept.ask("SELECT DISTINCT entity FROM quickbooks.record") == [{"entity": "Customer"}]
    assert kept.ask("SELECT entity FROM sync.entity_position") == [{"entity": "Customer"}]
    assert kept.ask("SELECT 1 FROM sync.generation WHERE sealed_at IS NOT NULL") == []


@pytest.mark.parametrize("stage", ["transform", "load"])
def test_a_stage_that_is_superseded_before_it_writes_writes_nothing(
    kept: Kept, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    if stage == "load":
        pipeline.transform("sample", "run-1", "products")
    checks = []

    def supersede(statement: str) -> None:
        checks.append("FROM sync.lease WHERE realm" in statement)
        if sum(checks) == 2 and checks[-1]:  # the first is part of beginning the try
            runs.attempt(connection, Run("sample", REALM, "run-1"), f"products.{stage}")

    before_each_statement(monkeypatch, supersede)
    with pytest.raises(RunSuperseded):
        getattr(pipeline, stage)("sample", "run-1", "products")

    assert kept.ask("SELECT 1 FROM crm.products") == []
    assert kept.ask("SELECT 1 FROM sync.outcome") == []
    assert bool(kept.ask("SELECT 1 FROM sync.stage")) is (stage == "load")
    assert bool(kept.ask("SELECT 1 FROM sync.staged")) is (stage == "load")


def test_modules_of_one_run_load_in_parallel(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    modules = ("products", "accounts")
    ended: dict[str, dict[str, int]] = {}

    def bring_in(module: str) -> None:
        pipeline.transform("sample", "run-1", module)
        ended[module] = pipeline.load("sample", "run-1", module)

    threads = [threading.Thread(target=bring_in, args=[module]) for module in modules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {module: ended[module]["read"] for module in modules} == {"products": 4, "accounts": 12}


# What a run uses


def test_a_mapping_edited_during_a_run_is_used_by_the_next_one(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K17."""
    file = own_include(tmp_path, monkeypatch) / "mappings" / "products.yaml"
    item = kept.quickbooks.add("Item", Name="The item", Sku="SKU-1", Type="Service")
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")

    edited = file.read_text(encoding="utf-8").replace("  code:                  {from: Sku}\n", "")
    file.write_text(edited, encoding="utf-8")
    pipeline.transform("sample", "run-1", "products")
    pipeline.load("sample", "run-1", "products")

    assert kept.crm("crm.products", item)["code"] == "SKU-1"
    assert mapping.load(file.parent)["products"].fields.keys() & {"code"} == set()


def test_the_mappings_of_every_run_can_be_read_later(kept: Kept) -> None:
    kept.sync("run-1")

    [run] = kept.ask("SELECT mappings FROM sync.run")
    for module, hash in run["mappings"].items():
        [stored] = kept.ask(
            "SELECT module, content FROM sync.mapping_snapshot WHERE hash = %s", hash
        )
        file = companies.INCLUDE / "mappings" / f"{module}.yaml"
        assert (stored["module"], stored["content"]) == (module, file.read_text(encoding="utf-8"))


def test_a_stage_of_a_run_without_settings_says_so(kept: Kept) -> None:
    with pytest.raises(RunError, match="its task check_settings has not succeeded"):
        pipeline.extract("sample", "run-1")


# Runs and tasks that are repeated


def test_every_stage_may_be_repeated_at_once_and_changes_nothing_more(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    work = pipeline.extract("sample", "run-1")["work"]
    pipeline.extract("sample", "run-1")
    for module in work:
        for _ in range(2):
            pipeline.transform("sample", "run-1", module)
        first = pipeline.load("sample", "run-1", module)
        assert pipeline.load("sample", "run-1", module) == first
    pipeline.record_activity("sample", "run-1")
    pipeline.record_activity("sample", "run-1")

    assert state(kept, "run-1") == "success"
    assert kept.mismatched() == []


@pytest.mark.parametrize("task", ["products.transform", "products.load", "extract"])
def test_a_task_cleared_in_a_finished_run_works_again(kept: Kept, task: str) -> None:
    first = kept.sync("run-1")
    before = kept.image()

    if task == "extract":
        pipeline.extract("sample", "run-1")
    else:
        getattr(pipeline, task.split(".")[1])("sample", "run-1", "products")
    pipeline.record_activity("sample", "run-1")

    assert kept.image() == before
    assert counts(kept.run("run-1")) == counts(first)
    assert state(kept, "run-1") == "success"


def test_a_task_cleared_in_an_old_run_changes_nothing_that_a_newer_one_did(kept: Kept) -> None:
    kept.sync("run-1")
    item = kept.quickbooks.rows("Item")[-1]["Id"]
    kept.quickbooks.change("Item", item, Name="Newer")
    kept.sync("run-2")

    pipeline.load("sample", "run-1", "products")
    pipeline.record_activity("sample", "run-1")

    assert kept.crm("crm.products", item)["name"] == "Newer"
    assert kept.mismatched() == []


def test_a_whole_run_that_is_repeated_takes_what_is_new_and_counts_each_record_once(
    kept: Kept,
) -> None:
    first = kept.sync("run-1")
    kept.quickbooks.change("Item", kept.quickbooks.rows("Item")[-1]["Id"], Name="Newer")
    kept.quickbooks.add("Item", Name="Brand new", Type="Service")

    repeated = kept.sync("run-1")

    was, now = (next(m for m in run.counts if m.module == "products") for run in (first, repeated))
    assert (now.read, now.added, now.updated) == (was.read + 1, was.added + 1, 0)
    assert kept.mismatched() == []
    assert state(kept, "run-1") == "success"


def test_two_tasks_cleared_at_once_in_a_finished_run_both_work(
    kept: Kept, connection: Connection[Any], second_connection: Connection[Any]
) -> None:
    kept.sync("run-1")

    products = runs.attempt(connection, FIRST, "products.load")
    with connection.transaction():
        products.require(connection)
        runs.attempt(second_connection, FIRST, "accounts.load")


@pytest.mark.parametrize("stopped_at", ["check_settings", "the lease", "extract"])
def test_a_repeated_run_that_stops_is_failed_although_it_went_well_before(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: str
) -> None:
    kept.sync("run-1")

    if stopped_at == "check_settings":
        mappings = own_include(tmp_path, monkeypatch) / "mappings"
        (mappings / "products.yaml").write_text("nonsense: true\n")
        with pytest.raises(SettingsError):
            pipeline.check_settings("sample", "run-1", BY_HAND)
    elif stopped_at == "extract":
        kept.quickbooks.fail("cdc", 400, times=9)
        with pytest.raises(QuickBooksRefused):
            pipeline.extract("sample", "run-1")
    else:
        with psycopg.connect(kept.url, autocommit=True) as other:
            begun(other, SECOND)
            with pytest.raises(CompanyBusy):
                pipeline.extract("sample", "run-1")
            runs.finish(other, SECOND)

    with pytest.raises(SyncFailed):
        pipeline.record_activity("sample", "run-1")
    assert state(kept, "run-1") == "failed"


def test_a_run_whose_module_never_came_to_its_load_is_failed_and_names_it(kept: Kept) -> None:
    """Its process was killed, so that nothing could be noted."""
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    pipeline.load("sample", "run-1", "products")

    with pytest.raises(SyncFailed, match="Not finished in this run: accounts, contacts"):
        pipeline.record_activity("sample", "run-1")

    assert state(kept, "run-1") == "failed"


def test_a_run_with_a_module_that_could_not_be_loaded_is_failed_and_says_why(
    kept: Kept, connection: Connection[Any]
) -> None:
    begun(connection, FIRST)
    runs.settle(connection, FIRST, [], ["products", "accounts"])
    runs.will_load(connection, FIRST, [], {})

    runs.block(connection, FIRST, {"accounts": "Customer could not be read"})

    assert runs.finish(connection, FIRST) == ["accounts"]
    found = activity.run(connection, REALM, "run-1")
    assert found is not None
    assert found.without_counts() == {
        "products": "nothing to do",
        "accounts": "Customer could not be read",
    }


def test_a_warning_is_told_once_and_does_not_fail_the_run(
    kept: Kept, connection: Connection[Any]
) -> None:
    begun(connection, FIRST)
    runs.will_load(connection, FIRST, [], {})

    runs.warn(connection, FIRST, "budget", "79 % are used.")
    runs.warn(connection, FIRST, "budget", "80 % are used.")

    assert runs.finish(connection, FIRST) == []
    found = activity.run(connection, REALM, "run-1")
    assert found is not None
    assert wording.summary(found).splitlines()[-1] == "Warning: 80 % are used."


@pytest.mark.parametrize("task", ["check_settings", "extract"])
def test_a_repeated_run_whose_first_tasks_were_killed_is_failed(
    kept: Kept, connection: Connection[Any], task: str
) -> None:
    kept.sync("run-1")

    if task == "check_settings":
        begun(connection, FIRST)
    else:
        Mirror(connection, runs.attempt(connection, FIRST, "extract"))

    with pytest.raises(SyncFailed, match="Not finished in this run: extract"):
        pipeline.record_activity("sample", "run-1")


def test_a_failure_is_taken_off_the_run_when_a_later_try_goes_well(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    kept.quickbooks.fail("query", 400, times=3)
    with pytest.raises(Exception, match="400"):
        pipeline.extract("sample", "run-1")
    failed = [(p.task, p.code) for p in kept.run("run-1").problems]

    for module in pipeline.extract("sample", "run-1")["work"]:
        pipeline.load("sample", "run-1", module)
    pipeline.record_activity("sample", "run-1")

    assert failed == [("extract", "quickbooks_refused")]
    assert (kept.run("run-1").problems, state(kept, "run-1")) == ((), "success")


def test_calls_to_quickbooks_are_counted_also_when_the_try_fails(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    kept.quickbooks.fail("query", 400, times=3)
    with pytest.raises(Exception, match="400"):
        pipeline.extract("sample", "run-1")

    pipeline.extract("sample", "run-1")

    kinds = ("query", "cdc", "companyinfo")
    api = [call for call in kept.quickbooks.calls if call.kind in kinds]
    assert kept.run("run-1").api_calls == len(api)


def test_staged_rows_that_a_crash_has_emptied_are_staged_again(kept: Kept) -> None:
    """sync.staged is unlogged: after a crash of Postgres it is empty."""
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    pipeline.transform("sample", "run-1", "products")
    kept.ask("TRUNCATE sync.staged")

    loaded = pipeline.load("sample", "run-1", "products")

    assert loaded["read"] == loaded["added"] == 4


def test_staged_rows_that_somebody_has_touched_are_staged_again(kept: Kept) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    pipeline.transform("sample", "run-1", "products")
    kept.ask("""UPDATE sync.staged SET fields = fields || '{"name": "Touched"}'""")

    pipeline.load("sample", "run-1", "products")

    assert kept.ask("SELECT 1 FROM crm.products WHERE name = 'Touched'") == []


def test_staged_rows_that_vanish_right_before_the_load_stop_it_and_the_next_try_goes_well(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.sync("run-1")
    kept.quickbooks.add("Item", Name="Brand new", Type="Service")
    pipeline.check_settings("sample", "run-2", BY_HAND)
    pipeline.extract("sample", "run-2")
    pipeline.transform("sample", "run-2", "products")

    def vanish(statement: str) -> None:
        if "INSERT INTO sync.attempt" in statement:
            kept.ask("TRUNCATE sync.staged")

    with monkeypatch.context() as patch:
        before_each_statement(patch, vanish)
        with pytest.raises(StageIncomplete):
            pipeline.load("sample", "run-2", "products")

    assert pipeline.load("sample", "run-2", "products")["added"] == 1


def test_two_companies_do_not_share_one_company_of_quickbooks(
    connection: Connection[Any],
) -> None:
    """K20."""
    runs.start(connection, FIRST, "manual", None)
    runs.take_lease(connection, FIRST)
    twin = replace(FIRST, company="twin", run_id="run-2")

    with pytest.raises(
        SettingsError,
        match="that another company here has",
    ):
        runs.require_own_realm(connection, twin, ["sample", "twin"])
    runs.require_own_realm(connection, twin, ["twin"])  # the file was renamed
    runs.require_own_realm(connection, FIRST, ["sample", "twin"])


@pytest.mark.parametrize("other", [{"kind": "preview"}, {"company": "twin"}])
def test_a_run_does_not_take_the_id_of_one_of_another_kind_or_company(
    connection: Connection[Any], other: dict[str, str]
) -> None:
    """A preview under the id of a sync would have forgotten what that did."""
    runs.start(connection, FIRST, "manual", "anna")
    runs.finish(connection, FIRST)
    run = replace(FIRST, company=other.get("company", FIRST.company))

    with pytest.raises(SettingsError, match="There is a run run-1 of another kind than"):
        runs.start(connection, run, "manual", "eve", other.get("kind", "sync"))

    kept = connection.execute("SELECT kind, company, started_by, state FROM sync.run").fetchall()
    assert [tuple(row) for row in kept] == [("sync", "sample", "anna", "failed")]
