"""The DAG that compares: its file, and what a run of it does with a real company."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import timezone
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.types import DagRunType

from tests.acceptance.kept_in_step import FirstSyncs, Kept
from tests.dags.test_dags import DAGS, newest, states

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def bag(airflow_metadata: None) -> DagBag:
    return DagBag(DAGS)


@pytest.fixture
def dag(bag: DagBag) -> Any:
    return bag.dags["reconcile_sample"]


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with first_syncs.company(monkeypatch) as company:
        yield company


def test_it_runs_every_week_one_at_a_time_and_asks_what_it_may_do(dag: Any) -> None:
    assert (dag.timetable.summary, dag.max_active_runs, dag.catchup) == ("41 2 * * 0", 1, False)
    form = {name: dag.params.get_param(name) for name in ("everything", "repair")}
    assert [param.value for param in form.values()] == [False, False]
    assert all(param.schema["title"] for param in form.values())


def test_its_runs_are_not_called_as_a_sync_that_is_due_in_the_same_minute(bag: DagBag) -> None:
    """Airflow makes the id of a scheduled run of the time alone."""
    due = timezone.datetime(2026, 3, 1, 2, 41)
    timetables = [
        DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag])).timetable
        for dag in ("quickbooks_to_crm_sample", "reconcile_sample")
    ]

    ids = [
        timetable.generate_run_id(
            run_type=DagRunType.SCHEDULED, run_after=due, data_interval=None, partition_key=None
        )
        for timetable in timetables
    ]

    assert ids == [
        "scheduled__2026-03-01T02:41:00+00:00",
        "scheduled__2026-03-01T02:41:00+00:00_reconcile",
    ]


def test_its_tasks_follow_each_other_and_a_repair_is_loaded_when_the_run_has_ended(
    dag: Any,
) -> None:
    order = ["check_settings", "extract", "compare", "record_activity", "load"]

    assert [task.task_id for task in dag.topological_sort()] == order
    assert dag.get_task("load").trigger_dag_id == "quickbooks_to_crm_sample"
    assert all(task.doc_md and task.retries == 4 for task in dag.tasks)


def test_it_is_not_tried_again_for_finding_something(dag: Any) -> None:
    from quickbooks_crm import errors

    policy = dag.get_task("record_activity").retry_policy
    decision = policy.evaluate(errors.DriftFound("said"), 1, 5, None)

    assert decision.action.value == "fail"


def test_it_is_tried_again_when_quickbooks_wants_to_be_asked_again(dag: Any) -> None:
    from quickbooks_crm import errors

    policy = dag.get_task("compare").retry_policy
    decision = policy.evaluate(errors.QuickBooksAsksToWait("said", 120), 1, 5, None)

    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(minutes=2))


def test_a_company_in_step_is_green_and_loads_nothing(kept: Kept, dag: Any) -> None:
    run = dag.test()

    ended = states(run)
    assert (str(run.state), ended.pop("load")) == ("success", "skipped")
    assert set(ended.values()) == {"success"}
    assert (newest(kept).kind, newest(kept).trigger) == ("reconcile", "manual")


def test_drift_turns_it_red_and_repairs_nothing_unasked(kept: Kept, dag: Any) -> None:
    kept.ask("DELETE FROM quickbooks.record WHERE entity = 'Item'")

    run = dag.test()

    ended = states(run)
    assert (str(run.state), ended["record_activity"]) == ("failed", "failed")
    assert ended["load"] == "upstream_failed"
    assert newest(kept).state == "failed"
    assert kept.ask("SELECT 1 FROM quickbooks.record WHERE entity = 'Item'") == []


def test_what_quickbooks_changed_in_silence_is_green_and_loaded(kept: Kept, dag: Any) -> None:
    id = kept.quickbooks.rows("Customer")[0]["Id"]
    kept.quickbooks.change_silently("Customer", id, Balance=1)

    ended = states(dag.test())

    assert (newest(kept).state, ended["record_activity"], ended["load"]) == (3 * ("success",))


def test_a_repair_starts_the_sync_that_loads_it(kept: Kept, dag: Any) -> None:
    kept.ask("DELETE FROM crm.products")

    ended = states(dag.test(run_conf={"repair": True}))

    assert (newest(kept).state, ended["record_activity"]) == ("success", "success")
    assert ended["load"] == "success"
