"""The DAG that puts the CRM right: its file, and what becomes of a retry, a replay and an undo that
a person has said Yes to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session

from quickbooks_crm import asking, correcting
from quickbooks_crm.activity import Run
from quickbooks_crm.correcting import Correction
from quickbooks_crm.errors import SettingsError, UndoImpossible
from quickbooks_crm.running import Request
from quickbooks_crm.undo import Undo
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step, said_yes
from tests.dags.answering import answer
from tests.dags.test_dags import DAGS, states

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def dag(airflow_metadata: None) -> Any:
    return DagBag(DAGS).dags["correct_sample"]


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=4, items=3) as company:
        company.sync("first")
        yield company


BY_HAND_AFTER = Request("manual", "eve", previewed="shown")


def rehearsed(kept: Kept, what: str, **asked: Any) -> tuple[str, Run]:
    """The question that a rehearsal comes to, and its run."""
    request = Request("manual", "anna", asked.pop("modules", ()))
    question = correcting.rehearse("sample", "shown", Correction(what, request, **asked))
    return question, kept.run("shown")


def done_after_a_yes(kept: Kept) -> Run:
    """The run that does what was shown."""
    said_yes("shown")
    yes = Request("operator_triggered", "anna", previewed="shown")
    correcting.carry_out("sample", "done", Correction("retry", yes))
    return kept.run("done")


# The file


def test_it_runs_by_hand_only_and_asks_before_it_does_something(dag: Any) -> None:
    below = {task.task_id: task.downstream_task_ids for task in dag.tasks}

    assert below == {
        "begin": {"rehearse", "carry_out"},
        "rehearse": {"proceed"},
        "proceed": {"agreed", "cancelled"},
        "agreed": {"start"},
        **{end: set() for end in ("start", "cancelled", "carry_out")},
    }
    assert (dag.schedule, dag.catchup, dag.tags) == (None, False, {"quickbooks", "crm", "sample"})
    assert dag.get_task("start").trigger_dag_id == "correct_sample"
    assert dag.get_task("carry_out").max_active_tis_per_dag == 1
    assert all(task.doc_md and task.retries == 4 for task in dag.tasks)


def test_silence_for_a_day_means_no(dag: Any) -> None:
    asked = dag.get_task("proceed")

    assert (asked.options, asked.defaults) == (["Yes", "No"], ["No"])
    assert asked.options_mapping == {"Yes": "agreed", "No": "cancelled"}
    assert asked.response_timeout == timedelta(hours=24)


def test_it_tells_which_tables_it_may_have_changed(dag: Any) -> None:
    told = {asset.name for asset in dag.get_task("carry_out").outlets}

    assert {"crm.accounts", "crm.products", "crm.contacts"} <= told


def test_its_form_asks_what_to_do_and_asks_first_unless_told_otherwise(dag: Any) -> None:
    form = {name: dag.params.get_param(name) for name in dag.params}

    assert form["what"].schema["enum"] == ["retry", "replay", "undo"]
    assert form["ask_first"].value is True
    assert all(param.schema["title"] for param in form.values())


# A run of one


def test_a_rehearsal_asks_and_a_yes_begins_the_run_that_does_it(kept: Kept, dag: Any) -> None:
    answer(dag, "Yes", "anna")
    run = dag.test(run_conf={"what": "undo", "run": "first"})

    assert (states(run)["start"], states(run)["carry_out"]) == ("success", "skipped")
    [begun] = _begun_by(run.run_id)
    assert begun.conf == {"ask_first": False, "previewed": run.run_id}
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 4}]


def test_it_does_it_at_once_when_nobody_is_to_be_asked(kept: Kept, dag: Any) -> None:
    run = dag.test(run_conf={"what": "undo", "run": "first", "ask_first": False})

    ended = states(run)
    assert (ended["carry_out"], ended["rehearse"], ended["proceed"]) == (
        *("success", "skipped"),
        "skipped",
    )
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 0}]


def test_nobody_is_asked_when_there_is_nothing_to_do(kept: Kept, dag: Any) -> None:
    ended = states(dag.test(run_conf={"what": "retry"}))

    assert (ended["rehearse"], ended["proceed"], ended["start"]) == (
        *("success", "skipped"),
        "skipped",
    )


def _begun_by(run_id: str) -> list[Any]:
    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.dag_id == "correct_sample").all()
        session.expunge_all()
    return [run for run in runs if (run.conf or {}).get("previewed") == run_id]


# What is shown, and what is done


def test_an_undo_is_shown_with_what_would_be_kept_and_changes_nothing(kept: Kept) -> None:
    before = kept.image()
    kept.ask("UPDATE crm.accounts SET notes = 'By hand' WHERE quickbooks_customer_id = '2'")
    edited = kept.image()

    question, shown = rehearsed(kept, "undo", run="first", modules=("accounts", "contacts"))

    assert kept.image() == edited != before
    assert (shown.kind, shown.rehearses, shown.would_undo) == ("preview", "undo", "first")
    assert shown.started_by == "anna"
    removed = {module.module: (module.removed, module.kept) for module in shown.counts}
    assert removed["accounts"][1] >= 1
    assert sum(removed["accounts"]) == 4
    assert "changed since by somebody in the CRM or a later run" in question
    assert kept.ask("SELECT 1 FROM sync.run WHERE undoes IS NOT NULL") == []


def test_an_undo_does_just_what_was_shown(kept: Kept) -> None:
    kept.ask("UPDATE crm.accounts SET notes = 'By hand' WHERE quickbooks_customer_id = '2'")
    _, shown = rehearsed(kept, "undo", run="first")

    done = done_after_a_yes(kept)

    assert (done.kind, done.undoes, done.previewed) == ("undo", "first", "shown")
    assert [(m.module, m.removed, m.kept) for m in done.counts] == [
        (m.module, m.removed, m.kept) for m in shown.counts
    ]
    assert _ends(kept, "done") == _ends(kept, "shown") != []


def test_an_undo_of_some_modules_leaves_the_others(kept: Kept) -> None:
    rehearsed(kept, "undo", run="first", modules=("products",))

    done = done_after_a_yes(kept)

    assert [module.module for module in done.counts] == ["products"]
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 4}]


def test_a_retry_tries_again_what_is_held_back_for_the_reasons_that_were_shown(kept: Kept) -> None:
    correcting.carry_out("sample", "undo", Correction("undo", BY_HAND, run="first"))

    nothing, _ = rehearsed(kept, "retry")
    question, shown = rehearsed(kept, "retry", reasons=("undone",))
    done = done_after_a_yes(kept)

    assert nothing == ""
    assert "preview" in question
    assert (shown.rehearses, shown.tried_for) == ("retry", ["undone"])
    assert (done.kind, done.tried_for, done.previewed) == ("retry", ["undone"], "shown")
    assert counts(done) == counts(shown)
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 4}]


def test_a_replay_brings_all_records_to_the_mapping(kept: Kept) -> None:
    kept.ask("UPDATE crm.products SET name = 'By hand'")

    question, shown = rehearsed(kept, "replay", modules=("products",))
    done = done_after_a_yes(kept)

    assert "products" in question
    assert (shown.kind, shown.rehearses, done.kind) == ("preview", "replay", "replay")
    assert counts(done) == counts(shown)
    assert kept.ask("SELECT 1 FROM crm.products WHERE name = 'By hand'") == []


def test_an_undo_that_was_cut_off_is_finished_by_the_next_try_of_the_same_run(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quickbooks_crm import undo

    asked, undone = Correction("undo", BY_HAND, run="first"), undo.undo

    def cut_off(connection: Any, work: Undo) -> None:
        if work.target.mapping.module == "products":
            raise ConnectionError
        undone(connection, work)

    monkeypatch.setattr(undo, "undo", cut_off)
    with pytest.raises(ConnectionError):
        correcting.carry_out("sample", "u", asked)
    monkeypatch.setattr(undo, "undo", undone)

    correcting.carry_out("sample", "u", asked)

    run = kept.run("u")
    assert {module.module: module.removed > 0 for module in run.counts} == {
        **{"products": True, "accounts": True, "contacts": True},
    }
    assert run.state == "success"
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 0}]


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (Correction("undo", BY_HAND), SettingsError, "An undo needs the run to undo."),
        (Correction("undo", BY_HAND, run="never"), UndoImpossible, "has no run never"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is(
    kept: Kept, asked: Correction, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        correcting.rehearse("sample", "shown", asked)


@pytest.mark.parametrize("what", ["retry", "replay", "undo"])
def test_nothing_of_a_preview_is_done_without_a_yes(kept: Kept, what: str) -> None:
    rehearsed(kept, what, run="first")
    asking.answered("sample", "shown", "No", {"said": "No", "by": "anna"})
    before = kept.image()

    with pytest.raises(SettingsError, match=r"Preview shown was answered with No .* by anna"):
        correcting.carry_out("sample", "done", Correction(what, BY_HAND_AFTER))

    assert kept.image() == before


def test_a_yes_to_a_sync_does_not_start_a_correction(kept: Kept) -> None:
    yes = Request("manual", "anna", previewed="first")

    with pytest.raises(SettingsError, match="first is no preview of a retry, a replay or an undo"):
        correcting.carry_out("sample", "done", Correction("retry", yes))


def _ends(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    """How each record ended in a run."""
    return kept.ask(
        "SELECT module, entity, id, outcome, reason FROM sync.outcome WHERE run_id = %s"
        " ORDER BY module, entity, id",
        run_id,
    )
