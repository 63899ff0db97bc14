"""The DAG that puts the CRM right: its file, and what becomes of a retry, a replay and an undo that
a person has said Yes to."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.session import create_session
from psycopg import Connection

from quickbooks_crm import asking, correcting, one_module, pipeline, reasons, undo
from quickbooks_crm.activity import Run
from quickbooks_crm.correcting import Correction
from quickbooks_crm.errors import CompanyBusy, DatabaseFailed, SettingsError, UndoImpossible
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.running import Request
from quickbooks_crm.undo import Undo
from tests.acceptance.kept_in_step import BY_HAND, FirstSyncs, Kept, counts, said_yes
from tests.dags.answering import answer
from tests.dags.test_dags import DAGS, states

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def dag(airflow_metadata: None) -> Any:
    return DagBag(DAGS).dags["correct_sample"]


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A company whose first sync was `run-1`."""
    with first_syncs.company(monkeypatch, customers=4, items=3) as company:
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
    assert dag.is_paused_upon_creation is False, "who asks for it need not switch it on first"
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
    assert form["reasons"].schema["items"]["enum"] == list(reasons.HELD)
    assert form["ask_first"].value is True
    assert all(param.schema["title"] for param in form.values())


# A run of one


def test_a_rehearsal_asks_and_a_yes_begins_the_run_that_does_it(kept: Kept, dag: Any) -> None:
    answer(dag, "Yes", "anna")
    run = dag.test(run_conf={"what": "undo", "run": "run-1"})

    assert (states(run)["start"], states(run)["carry_out"]) == ("success", "skipped")
    [begun] = _begun_by(run.run_id)
    assert begun.conf == {"ask_first": False, "previewed": run.run_id}
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 4}]


def test_it_does_it_at_once_when_nobody_is_to_be_asked(kept: Kept, dag: Any) -> None:
    run = dag.test(run_conf={"what": "undo", "run": "run-1", "ask_first": False})

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

    question, shown = rehearsed(kept, "undo", run="run-1", modules=("accounts", "contacts"))

    assert kept.image() == edited != before
    assert (shown.kind, shown.rehearses, shown.would_undo) == ("preview", "undo", "run-1")
    assert shown.started_by == "anna"
    removed = {module.module: (module.removed, module.kept) for module in shown.counts}
    assert removed["accounts"][1] >= 1
    assert sum(removed["accounts"]) == 4
    assert "changed since by somebody in the CRM or a later run" in question
    assert kept.ask("SELECT 1 FROM sync.run WHERE undoes IS NOT NULL") == []


def test_an_undo_does_just_what_was_shown(kept: Kept) -> None:
    kept.ask("UPDATE crm.accounts SET notes = 'By hand' WHERE quickbooks_customer_id = '2'")
    _, shown = rehearsed(kept, "undo", run="run-1")

    done = done_after_a_yes(kept)

    assert (done.kind, done.undoes, done.previewed) == ("undo", "run-1", "shown")
    assert [(m.module, m.removed, m.kept) for m in done.counts] == [
        (m.module, m.removed, m.kept) for m in shown.counts
    ]
    assert _ends(kept, "done") == _ends(kept, "shown") != []


def test_an_undo_of_some_modules_leaves_the_others(kept: Kept) -> None:
    rehearsed(kept, "undo", run="run-1", modules=("products",))

    done = done_after_a_yes(kept)

    assert [module.module for module in done.counts] == ["products"]
    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 4}]


def test_a_retry_tries_again_what_is_held_back_for_the_reasons_that_were_shown(kept: Kept) -> None:
    correcting.carry_out("sample", "undo", Correction("undo", BY_HAND, run="run-1"))

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


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("what", ["undo", "replay"])
def test_a_correction_whose_process_was_killed_is_finished_by_the_next_try_of_the_same_run(
    kept: Kept, what: str
) -> None:
    kept.ask("UPDATE crm.accounts SET name = 'By hand ' || id")
    asked = Correction(what, BY_HAND, run="run-1")
    _killed_at("accounts", asked)
    killed = kept.run("u")

    correcting.carry_out("sample", "u", asked)

    run, left = kept.run("u"), {"undo": 4, "replay": 0}[what]
    assert (killed.state, run.state) == ("running", "success")
    assert len(killed.counts) < len(run.counts) == 3
    by_hand = kept.ask("SELECT count(*) FROM crm.accounts WHERE name LIKE 'By hand%%'")
    assert by_hand == [{"count": left}]


@pytest.mark.parametrize("what", ["undo", "replay"])
def test_a_correction_whose_connection_is_lost_has_failed_and_is_finished_by_the_next_try(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    asked = Correction(what, BY_HAND, run="run-1")
    with monkeypatch.context() as patch, pytest.raises(DatabaseFailed, match="AdminShutdown"):
        _before(patch, "accounts", _lose)
        correcting.carry_out("sample", "u", asked)
    lost = kept.run("u")

    correcting.carry_out("sample", "u", asked)

    assert (lost.state, [p.task for p in lost.problems]) == ("failed", [f"accounts.{LAST[what]}"])
    assert kept.run("u").state == "success"


LAST = {"undo": "undo", "replay": "load"}


def _lose(connection: Connection[Any]) -> None:
    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def _killed_at(module: str, asked: Correction) -> None:
    """Begin it in a process of its own, which is killed when it has come to a module."""
    child = os.fork()
    if child == 0:
        _before(pytest.MonkeyPatch(), module, lambda _: os.kill(os.getpid(), signal.SIGKILL))
        try:
            correcting.carry_out("sample", "u", asked)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _before(
    patch: pytest.MonkeyPatch, module: str, act: Callable[[Connection[Any]], object]
) -> None:
    """Let something happen when a correction has come to a module."""
    undone, loaded = undo.undo, one_module.load_rows

    def undoing(connection: Connection[Any], work: Undo) -> None:
        if work.target.mapping.module == module:
            act(connection)
        undone(connection, work)

    def loading(
        connection: Connection[Any], bringing: Bringing, name: str, part: bool = False
    ) -> dict[str, int]:
        if name == module:
            act(connection)
        return loaded(connection, bringing, name, part)

    patch.setattr(undo, "undo", undoing)
    patch.setattr(one_module, "load_rows", loading)


@pytest.mark.parametrize("carries_out", [False, True])
def test_what_cannot_be_done_is_told_and_changes_nothing(kept: Kept, carries_out: bool) -> None:
    """Whatever somebody has sent to Airflow's API."""
    act = correcting.carry_out if carries_out else correcting.rehearse
    _run_of_another_company(kept)
    before, said = kept.image(), {}

    for number, (asked, _) in enumerate(REFUSED):
        with pytest.raises((SettingsError, UndoImpossible)) as error:
            act("sample", f"refused-{number}", asked)
        said[number] = str(error.value)

    assert [text for number, (_, text) in enumerate(REFUSED) if text not in said[number]] == []
    assert kept.image() == before


SQL = "first'; DROP TABLE crm.accounts; --"
REFUSED = [
    (Correction("undo", BY_HAND), "An undo needs the run to undo."),
    (Correction("undo", BY_HAND, run="never"), "Company sample has no run never."),
    (Correction("undo", BY_HAND, run=SQL), f"Company sample has no run {SQL}."),
    (Correction("undo", BY_HAND, run="theirs"), "Company sample has no run theirs."),
    (Correction("undo", Request("manual", "x", (SQL,)), run="run-1"), f"has not loaded {SQL}"),
    (Correction("replay", Request("manual", "x", (SQL,))), f"There is no mapping for {SQL}."),
    (Correction("drop", BY_HAND), "Start again with one of: retry, replay, undo."),
]


def _run_of_another_company(kept: Kept) -> None:
    for run_id, kind in (("theirs", "sync"), ("their preview", "preview")):
        kept.ask(
            "INSERT INTO sync.run (realm, run_id, company, trigger, kind, rehearses, modules)"
            " VALUES ('999', %s, 'other', 'manual', %s, 'replay', '{accounts}')",
            run_id,
            kind,
        )


def test_airflow_refuses_what_its_form_does_not_offer(dag: Any) -> None:
    for name, value in (
        ("what", "drop"),
        ("reasons", ["undone'; --"]),
        ("run", 5),
        ("run", "fi\x00rst"),
        ("previewed", "\x00"),
        ("modules", "accounts"),
    ):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value)


def test_while_another_run_is_at_work_a_correction_says_so_and_changes_nothing(kept: Kept) -> None:
    pipeline.check_settings("sample", "at work", BY_HAND)
    before = kept.image()

    for what in correcting.WHATS:
        asked = Correction(what, BY_HAND, run="run-1")
        correcting.rehearse("sample", f"shown {what}", asked)
        with pytest.raises(CompanyBusy, match="at work"):
            correcting.carry_out("sample", what, asked)

    assert kept.image() == before


def test_a_yes_that_airflow_follows_twice_undoes_once(kept: Kept) -> None:
    rehearsed(kept, "undo", run="run-1")
    done_after_a_yes(kept)
    again = Request("operator_triggered", "anna", previewed="shown")

    with pytest.raises(SettingsError, match="shown was carried out already, by run done"):
        correcting.carry_out("sample", "again", Correction("retry", again))

    assert kept.ask("SELECT count(*) FROM crm.accounts") == [{"count": 0}]


@pytest.mark.parametrize("what", ["retry", "replay", "undo"])
def test_nothing_of_a_preview_is_done_without_a_yes(kept: Kept, what: str) -> None:
    rehearsed(kept, what, run="run-1")
    asking.answered("sample", "shown", "No", {"said": "No", "by": "anna"})
    before = kept.image()

    with pytest.raises(SettingsError, match=r"Preview shown was answered with No .* by anna"):
        correcting.carry_out("sample", "done", Correction(what, BY_HAND_AFTER))

    assert kept.image() == before


def test_a_yes_to_a_sync_does_not_start_a_correction(kept: Kept) -> None:
    _run_of_another_company(kept)
    none = "run-1 is no preview of a retry, a replay or an undo"

    for previewed, said in (("run-1", none), ("their preview", "has no run their preview")):
        yes = Request("manual", "anna", previewed=previewed)
        with pytest.raises(SettingsError, match=said):
            correcting.carry_out("sample", "done", Correction("retry", yes))


def _ends(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    """How each record ended in a run."""
    return kept.ask(
        "SELECT module, entity, id, outcome, reason FROM sync.outcome WHERE run_id = %s"
        " ORDER BY module, entity, id",
        run_id,
    )
