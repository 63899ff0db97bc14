"""Runs as Airflow has them, for tests of pages that follow them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@contextmanager
def none_left() -> Iterator[None]:
    """What a test has put into Airflow's own database is gone after it."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    yield
    with create_session() as session:
        session.execute(delete(DagRun))
        session.execute(delete(DagModel).where(DagModel.bundle_name == "tests"))
        session.execute(delete(DagBundleModel).where(DagBundleModel.name == "tests"))


def airflow_has(dag: str, run_id: str, state: str = "queued", **given: Any) -> None:
    """A run of a DAG that may be `paused`, and its question where it `asks` or got an `answer`,
    `by` somebody or by itself."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    answer, asks = given.pop("answer", None), given.pop("asks", False)
    by = given.pop("by", "anna")
    with create_session() as session:
        _known(session, dag, given.pop("paused", False))
        run: Any = DagRun(dag, run_id, run_type="manual", run_after=NOW, **given)
        run.state = state
        session.add(run)
        session.flush()
        if answer or asks:
            _asked(session, dag, run_id, answer, by)


def _asked(session: Any, dag: str, run_id: str, answer: str | None, by: str | None) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    task: Any = EmptyOperator(task_id="proceed", dag=DAG(dag, schedule=None))
    asked = TaskInstance(task, None, run_id, "success" if answer else "awaiting_input")
    session.add(asked)
    session.flush()
    who = {"id": by, "name": by} if by else None
    told: Any = {"responded_at": NOW, "responded_by": who, "chosen_options": [answer]}
    question = {"options": ["Yes", "No"], "subject": "?"}
    session.add(HITLDetail(ti_id=asked.id, **question, **(told if answer else {})))


def _known(session: Any, dag: str, paused: bool) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel

    if known := session.get(DagModel, dag):
        known.is_paused = paused
    else:
        if session.scalar(select(DagBundleModel).where(DagBundleModel.name == "tests")) is None:
            session.add(DagBundleModel(name="tests"))
            session.flush()
        session.add(DagModel(dag_id=dag, bundle_name="tests", is_paused=paused))
        session.flush()
