"""What a run is: what it uses, what becomes of it when it or its tasks are repeated, and how it
ends."""

import threading
from collections.abc import Callable
from dataclasses import replace
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
    reconciling,
    repeating,
    runs,
    undoing,
    wording,
)
from quickbooks_crm.errors import (
    CompanyBusy,
    QuickBooksRefused,
    RunError,
    SettingsError,
    StageIncomplete,
    SyncFailed,
)
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, own_include
from tests.acceptance.putting_in_force import CODE_IS_ID, NO_CODE, edit
from tests.faults.watched import before_each_statement
from tests.integration.at_work import (
    FIRST,
    REALM,
    SECOND,
    begun,
    connection,
    kept,
    second_connection,
    state,
)

__all__ = ["connection", "kept", "second_connection"]


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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An include/ that the test may edit."""
    return own_include(tmp_path, monkeypatch)


def an_item(kept: Kept) -> str:
    return kept.quickbooks.add("Item", Name="The item", Sku="SKU-1", Type="Service")


def test_rows_are_staged_again_once_the_run_is_to_use_another_mapping(
    kept: Kept, own: Path
) -> None:
    item = an_item(kept)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    pipeline.transform("sample", "run-1", "products")

    edit(own, CODE_IS_ID)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.load("sample", "run-1", "products")

    assert kept.crm("crm.products", item)["code"] == item


def test_a_run_that_has_loaded_a_module_does_not_go_on_by_another_mapping_so_an_undo_takes_all_back(
    kept: Kept, own: Path
) -> None:
    item = an_item(kept)
    kept.sync("run-1")
    kept.quickbooks.change("Item", item, Sku="SKU-2")
    kept.sync("run-2")
    kept.sync("run-2")

    edit(own, NO_CODE)
    with pytest.raises(RunError) as refused:
        kept.sync("run-2")
    undoing.carry_out("sample", "undo-1", undoing.Wish("run-2", "manual"))

    assert str(refused.value) == (
        "Run run-2 has loaded products by another mapping than the one in force now. Start a new "
        "run: it goes on from there, by the one in force."
    )
    assert kept.crm("crm.products", item)["code"] == "SKU-1"


def test_a_preview_that_is_repeated_shows_what_the_mapping_does_by_then(
    kept: Kept, own: Path
) -> None:
    item = an_item(kept)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    shown = []

    for changes in ((), (CODE_IS_ID,)):
        edit(own, *changes)
        previewing.check_settings("sample", "preview-1", BY_HAND)
        previewing.rehearse("sample", "preview-1")
        shown += kept.ask(
            "SELECT after ->> 'code' AS code FROM sync.outcome"
            " WHERE run_id = 'preview-1' AND entity = 'Item' AND id = %s",
            item,
        )

    assert shown == [{"code": "SKU-1"}, {"code": item}]


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


# Whose a run is


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


@pytest.mark.parametrize(
    "start",
    [
        previewing.sync,
        repeating.replay_all,
        lambda *asked: reconciling.reconcile(*asked, Wish()),
    ],
    ids=["preview", "replay", "reconcile"],
)
def test_a_run_that_is_refused_for_its_id_does_not_end_the_one_that_has_it(
    kept: Kept, start: Callable[[str, str, Request], object]
) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)

    with pytest.raises(SettingsError, match="There is a run run-1 of another kind than"):
        start("sample", "run-1", BY_HAND)

    assert state(kept, "run-1") == "running"
    assert kept.ask("SELECT run_id FROM sync.lease") == [{"run_id": "run-1"}]


def test_the_activity_of_a_run_that_is_refused_for_its_id_is_not_that_of_the_one_that_has_it(
    kept: Kept,
) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)

    with pytest.raises(SyncFailed, match=r"Run run-1 has not started\."):
        pipeline.record_activity("sample", "run-1", "preview")

    assert state(kept, "run-1") == "running"


def test_the_settings_of_a_reconcile_may_be_checked_again(kept: Kept) -> None:
    for _ in range(2):
        reconciling.check_settings("sample", "run-1", BY_HAND)

    assert kept.run("run-1").kind == "reconcile"
