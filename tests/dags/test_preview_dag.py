"""The DAG that asks a person first: its file, and what becomes of a Yes and of a No."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session

from quickbooks_crm import asking, companies, database, in_force, pipeline, previewing, wording
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.running import Request
from quickbooks_crm.versions import New
from tests.acceptance.kept_in_step import BY_HAND, Kept, kept_in_step, own_include, said_yes
from tests.dags.answering import answer
from tests.dags.test_dags import DAGS, states

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def dag(airflow_metadata: None) -> Any:
    return DagBag(DAGS).dags["preview_sample"]


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def test_it_runs_by_hand_only_and_its_tasks_follow_each_other(dag: Any) -> None:
    order = ["check_settings", "rehearse", "record_activity", "proceed"]

    names = [task.task_id for task in dag.topological_sort()]
    assert names[:4] == order
    assert set(names[4:]) == {"agreed", "sync", "cancelled"}
    assert dag.get_task("agreed").downstream_task_ids == {"sync"}
    assert dag.schedule is None
    assert dag.get_task("sync").trigger_dag_id == "quickbooks_to_crm_sample"
    assert all(task.doc_md and task.retries == 4 for task in dag.tasks)


def test_a_person_is_asked_for_a_day_and_silence_means_no(dag: Any) -> None:
    asked = dag.get_task("proceed")

    assert (asked.options, asked.defaults) == (["Yes", "No"], ["No"])
    assert asked.options_mapping == {"Yes": "agreed", "No": "cancelled"}
    assert asked.response_timeout == timedelta(hours=24)


def test_a_yes_starts_the_sync_with_what_was_shown(kept: Kept, dag: Any) -> None:
    answer(dag, "Yes", "anna")
    run = dag.test(run_conf={"modules": ["products"]})

    assert (states(run)["sync"], states(run)["cancelled"]) == ("success", "skipped")
    [triggered] = _runs_of("quickbooks_to_crm_sample", run.run_id)
    assert triggered.conf == {"previewed": run.run_id}
    assert [module.module for module in kept.run(run.run_id).counts] == ["products"]
    assert kept.run(run.run_id).kind == "preview"
    assert _answers(kept) == [("Yes", "anna")]


def test_a_no_is_written_down_and_starts_nothing(kept: Kept, dag: Any) -> None:
    answer(dag, "No", "anna")
    run = dag.test(run_conf={"modules": ["products"]})

    assert (states(run)["agreed"], states(run)["sync"]) == ("skipped", "skipped")
    assert _runs_of("quickbooks_to_crm_sample", run.run_id) == []
    assert _answers(kept) == [("No", "anna")]


def test_a_question_that_was_set_to_an_end_by_hand_is_no_yes(kept: Kept, dag: Any) -> None:
    run = dag.test(run_conf={"modules": ["products"]}, mark_success_pattern="proceed")

    assert states(run)["agreed"] == "failed"
    assert _runs_of("quickbooks_to_crm_sample", run.run_id) == []
    assert ("Yes", None) not in _answers(kept)


@pytest.mark.parametrize("said", [None, "No"])
def test_a_sync_does_nothing_of_a_preview_without_a_yes(kept: Kept, said: str | None) -> None:
    previewing.sync("sample", "previewed", BY_HAND, read=True)
    if said:
        asking.answered("sample", "previewed", said, {"said": said, "by": "anna"})

    with pytest.raises(
        SettingsError, match=f"answered with {said}" if said else "not answered yet"
    ):
        pipeline.sync("sample", "synced", Request("manual", "anna", previewed="previewed"))

    assert kept.ask("SELECT 1 FROM crm.accounts") == []


def _answers(kept: Kept) -> list[tuple[str, str]]:
    rows = kept.ask("SELECT answer, answered_by FROM sync.run WHERE kind = 'preview'")
    return [(row["answer"], row["answered_by"]) for row in rows]


def test_nobody_is_asked_when_there_is_nothing_to_do(kept: Kept, dag: Any) -> None:
    kept.sync()

    ended = states(dag.test())

    assert (ended["record_activity"], ended["proceed"]) == ("success", "skipped")


def test_a_person_is_asked_when_only_a_mapping_would_be_put_in_force(kept: Kept, dag: Any) -> None:
    """QuickBooks has nothing new, so the preview loads nothing; the Yes is needed all the same."""
    kept.sync()
    version = _stored_draft()
    answer(dag, "Yes", "anna")

    run = dag.test(
        run_conf={"modules": ["accounts"], "versions": {"accounts": version}, "older": False},
    )

    assert states(run)["sync"] == "success"
    said = run.get_task_instance("record_activity").xcom_pull("record_activity")
    assert f"A Yes puts in force: accounts, version {version}." in said


def _stored_draft() -> int:
    """A mapping of accounts that fills one field otherwise, stored and not in force."""
    company = companies.load_one(companies.INCLUDE / "companies", "sample")
    with database.connect() as connection:
        text = in_force.of(connection, company).mappings["accounts"].text
        changed = text.replace("{from: Notes}", "{value: Changed}")
        new = New("accounts", changed, 0, "anna", "page")
        stored = in_force.store(connection, company, new).version
        in_force.offer(connection, company, {"accounts": stored}, "anna")
        return stored


def test_a_sync_uses_what_was_previewed_whatever_became_of_the_files(
    kept: Kept, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = own_include(tmp_path, monkeypatch)
    asked = Request("manual", "anna", ("accounts",))
    previewing.sync("sample", "previewed", asked, read=True)
    said_yes("previewed")
    mapping = include / "mappings" / "accounts.yaml"
    mapping.write_text(mapping.read_text().replace("{from: Notes}", "{value: Changed since}"))

    pipeline.sync("sample", "synced", Request("manual", "anna", previewed="previewed"))

    assert kept.run("synced").counts == kept.run("previewed").counts
    assert [module.module for module in kept.run("synced").counts] == ["accounts"]
    changed = kept.ask("SELECT 1 FROM crm.accounts WHERE notes = 'Changed since'")
    assert (changed, BY_HAND.previewed) == ([], "")


def test_a_sync_uses_the_settings_of_the_company_that_were_previewed(
    kept: Kept, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    settings = company.read_text()
    company.write_text(settings + "start_date: 2024-01-01\n")
    previewing.sync("sample", "previewed", Request("manual", "anna", ("accounts",)), read=True)
    said_yes("previewed")
    company.write_text(settings + "start_date: 2020-02-02\nchild_accounts: skip\n")

    pipeline.sync("sample", "synced", Request("manual", "anna", previewed="previewed"))

    used = {row["run_id"]: row["settings"] for row in kept.ask("SELECT * FROM sync.run")}
    assert used["synced"] == used["previewed"]
    assert used["synced"]["start_date"] == "2024-01-01"
    assert kept.run("synced").counts == kept.run("previewed").counts


def test_the_person_is_shown_the_counts_and_how_each_module_is_imported(
    kept: Kept, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    company.write_text(company.read_text() + "start_date: 2024-01-01\nchild_accounts: roll_up\n")
    asked = Request("manual", "anna", ("products", "accounts"))
    previewing.sync("sample", "previewed", asked, read=True)

    said = asking.question("sample", "previewed")

    assert said.startswith(wording.summary(kept.run("previewed")))
    _, _, settings = said.partition("A Yes imports with these settings:\n")
    assert settings.splitlines() == [
        "products: mode merge; key quickbooks_product_id; check fields name; separator |; "
        "unknown keywords ignore, insert for type, category; unknown owner default_owner",
        "accounts: mode merge; key quickbooks_customer_id; check fields name; separator |; "
        "unknown keywords ignore, insert for terms; unknown owner default_owner",
        "all: default owner nobody, sub-customers roll_up, documents from 2024-01-01 on",
    ]


def test_what_the_person_is_shown_is_what_they_are_asked_with(kept: Kept, dag: Any) -> None:
    answer(dag, "No", "anna")
    run = dag.test(run_conf={"modules": ["products"]})

    shown = run.get_task_instance("record_activity").xcom_pull("record_activity")
    assert shown == asking.question("sample", run.run_id)
    assert "task_ids='record_activity'" in dag.get_task("proceed").body


def _runs_of(dag_id: str, since: str) -> list[Any]:
    """The runs of a DAG that a run has triggered."""
    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.dag_id == dag_id).all()
        session.expunge_all()
    return [run for run in runs if (run.conf or {}).get("previewed") == since]
