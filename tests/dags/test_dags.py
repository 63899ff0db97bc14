"""The DAGs: what Airflow makes of the file, and what a run of one does with a real company."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAGS = Path(__file__).resolve().parents[2] / "dags"
ALL = ["products", "vendors", "accounts", "contacts", "quotes", "invoices", "payments"]
MODULES = ["products", "accounts", "contacts"]
TASKS = [f"{module}.{step}" for module in MODULES for step in ("transform", "turn", "load")]


@pytest.fixture(scope="module")
def bag(airflow_metadata: None) -> DagBag:
    """All DAGs, as Airflow's processor reads them."""
    return DagBag(DAGS)


@pytest.fixture
def dag(airflow_metadata: None) -> Any:
    """Built for each test anew: a run keeps the values of its form in it."""
    return DagBag(DAGS).dags["quickbooks_to_crm_sample"]


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A company that takes MODULES; its DAG is built after it."""
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def states(run: Any) -> dict[str, str]:
    """How each task of a run ended."""
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def newest(kept: Kept) -> Any:
    [row] = kept.ask("SELECT run_id FROM sync.run ORDER BY started_at DESC LIMIT 1")
    return kept.run(row["run_id"])


# The file


def test_every_company_has_a_dag_and_nothing_fails_to_load(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {
        "quickbooks_to_crm_sample",
        "reconcile_sample",
        "purge_quickbooks_crm",
        "preview_sample",
        "correct_sample",
    }


def test_every_task_is_tried_again_with_growing_pauses_and_has_an_end(dag: Any) -> None:
    for task in dag.tasks:
        assert (task.retries, task.retry_delay) == (4, timedelta(seconds=30)), task.task_id
        assert task.retry_exponential_backoff == 2, task.task_id
        assert task.max_retry_delay == timedelta(minutes=10), task.task_id
        assert task.execution_timeout == timedelta(hours=3), task.task_id


@pytest.mark.parametrize(
    ("error", "again"),
    [
        ("QuickBooksUnavailable", True),
        ("DatabaseFailed", True),
        ("CompanyBusy", True),
        ("QuickBooksRefused", False),
        ("QuickBooksForbidden", False),
        ("QuickBooksLoginExpired", False),
        ("MandatoryFieldsMissing", False),
        ("RunSuperseded", False),
        ("BreakerTripped", False),
    ],
)
def test_only_what_may_pass_by_itself_is_tried_again(dag: Any, error: str, again: bool) -> None:
    from quickbooks_crm import errors

    policy = dag.get_task("extract").retry_policy
    decision = policy.evaluate(getattr(errors, error)("said"), 1, 5, None)

    assert (decision.action.value != "fail") is again


@pytest.mark.parametrize(("retry_after", "seconds"), [("61", 61), ("9999", 900)])
def test_a_task_that_quickbooks_asks_to_wait_gives_its_place_to_others_and_is_tried_then(
    kept: Kept, dag: Any, retry_after: str, seconds: float
) -> None:
    from quickbooks_crm import errors, pipeline

    kept.quickbooks.fail("query", 429, headers={"Retry-After": retry_after})
    pipeline.check_settings("sample", "run-1", BY_HAND)
    with pytest.raises(errors.QuickBooksAsksToWait) as raised:
        pipeline.extract("sample", "run-1")

    decision = dag.get_task("extract").retry_policy.evaluate(raised.value, 1, 5, None)

    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(seconds=seconds))


def test_what_a_dag_is_can_be_seen_and_found(dag: Any) -> None:
    assert dag.tags == {"quickbooks", "crm", "sample"}
    assert dag.dag_display_name == "QuickBooks to CRM: Sample company"
    assert "check_settings ▶ extract ▶ transform ▶ load" in dag.doc_md
    assert all(task.doc_md for task in dag.tasks)


def test_one_run_at_a_time_and_none_for_the_past(dag: Any) -> None:
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.schedule.timetable.expression == "7 * * * *"


def test_the_form_asks_which_modules_and_whether_to_read_everything(dag: Any) -> None:
    modules, everything = dag.params.get_param("modules"), dag.params.get_param("everything")

    assert modules.value == modules.schema["examples"] == ALL
    assert modules.schema["items"]["enum"] == ALL
    assert (everything.value, everything.schema["type"]) == (False, "boolean")
    assert all(param.schema["title"] for param in (modules, everything))


def test_a_module_loads_after_those_that_write_its_tables(dag: Any) -> None:
    """It is shaped meanwhile: what it takes was settled by extract, whatever they bring."""
    before = {task.task_id: task.upstream_task_ids for task in dag.tasks}

    assert before["extract"] == {"check_settings"}
    assert {before[f"{module}.transform"].pop() for module in ALL} == {"extract"}
    assert {module: before[f"{module}.turn"] for module in ALL} == {
        "products": {"extract"},
        "vendors": {"extract"},
        "accounts": {"products.load", "vendors.load"},
        "contacts": {"accounts.load"},
        "quotes": {"accounts.load", "products.load"},
        "invoices": {"accounts.load", "products.load", "quotes.load"},
        "payments": {"accounts.load", "invoices.load"},
    }
    for module in ALL:
        assert before[f"{module}.load"] == {f"{module}.transform", f"{module}.turn"}
    assert before["record_activity"] == {"extract", *(f"{module}.load" for module in ALL)}
    assert [task.task_id for task in dag.leaves] == ["record_activity"]


def test_every_load_tells_which_table_it_changed(dag: Any) -> None:
    told = {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks}

    assert {id: names for id, names in told.items() if names} == {
        f"{module}.load": ["crm.accounts" if module == "vendors" else f"crm.{module}"]
        for module in ALL
    }


def test_a_task_that_runs_builds_only_its_own_dag(tmp_path: Path, monkeypatch: Any) -> None:
    """A thousand companies must not make each task slow."""
    from quickbooks_crm import companies
    from tests.acceptance.kept_in_step import own_include

    include = own_include(tmp_path, monkeypatch)
    for number in range(200):
        (include / "companies" / f"company_{number}.yaml").write_text(
            f"name: Company {number}\nquickbooks: quickbooks_{number}\n", encoding="utf-8"
        )
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "quickbooks_to_crm_company_7")
    read, load_one = set[str](), companies.load_one

    def noted(folder: Path, name: str) -> Any:
        read.add(name)
        return load_one(folder, name)

    monkeypatch.setattr(companies, "load_one", noted)

    bag = DagBag(DAGS)

    assert set(bag.dags) == {"quickbooks_to_crm_company_7"}
    assert read == {"company_7"}


# A run of one


def test_the_first_run_brings_everything_and_is_green(kept: Kept, dag: Any) -> None:
    run = dag.test(run_conf={})

    assert str(run.state) == "success"
    assert set(states(run).values()) == {"success"}
    assert newest(kept).trigger == "manual"
    assert set(counts(newest(kept))) == set(MODULES)


def test_a_quiet_run_starts_no_module_task(kept: Kept, dag: Any) -> None:
    dag.test()
    kept.quickbooks.reset_calls()

    run = dag.test()

    ended = states(run)
    assert [call.kind for call in kept.quickbooks.calls] == ["cdc"]
    assert str(run.state) == "success"
    assert {ended.pop(task) for task in TASKS} == {"skipped"}
    assert ended == dict.fromkeys(("check_settings", "extract", "record_activity"), "success")


def test_only_the_modules_with_something_to_load_are_started(kept: Kept, dag: Any) -> None:
    dag.test()
    kept.quickbooks.add("Customer", DisplayName="Brand new", FamilyName="New")

    ended = states(dag.test())

    assert {ended[task] for task in TASKS[:3]} == {"skipped"}
    assert {ended[task] for task in TASKS[3:]} == {"success"}
    assert counts(newest(kept)) == {"accounts": {"added": 1}, "contacts": {"added": 1}}


def test_only_the_modules_asked_for_are_brought_in(kept: Kept, dag: Any) -> None:
    dag.test(run_conf={"modules": ["accounts"]})

    assert set(counts(newest(kept))) == {"accounts"}
    assert kept.ask("SELECT 1 FROM crm.products") == []


def test_a_run_whose_module_fails_is_red_and_the_others_load(kept: Kept, dag: Any) -> None:
    kept.quickbooks.when(
        "query",
        lambda: kept.ask("ALTER TABLE crm.products RENAME TO products_gone"),
        matching="SELECT * FROM Item",
    )

    run = dag.test()

    ended = states(run)
    assert str(run.state) == "failed"
    assert (ended["products.transform"], ended["products.load"]) == ("failed", "upstream_failed")
    assert {ended[task] for task in TASKS[3:]} == {"success"}
    assert ended["record_activity"] == "failed"
    assert newest(kept).state == "failed"
    assert "products.transform" in {problem.task for problem in newest(kept).problems}


def test_a_run_with_wrong_settings_is_red_and_moves_nothing(kept: Kept, dag: Any) -> None:
    kept.ask("ALTER TABLE crm.contacts ADD COLUMN rating text NOT NULL")

    run = dag.test()

    ended = states(run)
    assert str(run.state) == "failed"
    assert (ended["check_settings"], ended["extract"]) == ("failed", "upstream_failed")
    assert ended["record_activity"] == "failed"
    assert kept.quickbooks.calls == []
    assert [problem.code for problem in newest(kept).problems] == ["mandatory_fields"]


def test_xcom_carries_ids_and_counts_and_no_customers_data(kept: Kept, dag: Any) -> None:
    kept.quickbooks.add("Customer", DisplayName="Canary", FamilyName="Canary")

    run = dag.test()

    told = {task.task_id: task.xcom_pull(task.task_id) for task in run.get_task_instances()}
    assert "anary" not in str(told)
    assert told["accounts.load"]["added"] == 31
    assert len(str(told)) < 2000
