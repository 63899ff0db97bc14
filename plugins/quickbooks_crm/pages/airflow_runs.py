"""What Airflow itself knows of a company's runs: whether they wait, for what, and what they start.

It reads Airflow's own tables, no stable interface, so nothing else does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from quickbooks_crm.pages.security import dag_id, dag_ids
from quickbooks_crm.proceeding import PROCEED

_NEWEST = 50
_ASKING = {"preview": "started", "undo": "corrections"}
"""The kinds of runs that ask, by the DAG that they have, and the page where each is answered."""


@dataclass(frozen=True)
class AirflowRun:
    """A run as Airflow has it. `asks` says whether it waits for a person, `answer` what they said;
    `paused` that its DAG is switched off, so that a queued run stays queued."""

    dag: str
    run_id: str
    state: str
    paused: bool
    started_by: str | None
    asks: bool
    answer: str | None
    answered_by: str | None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen in it."""
        return self.state in ("success", "failed")


@dataclass(frozen=True)
class Waiting:
    """A preview that waits for a person's Yes or No, on the `page` that asks."""

    company: str
    page: str
    run_id: str
    since: datetime
    started_by: str | None


def find(company: str, run_id: str) -> AirflowRun | None:
    """A run of one of the company's DAGs, or None when Airflow has none of that id."""
    with create_session() as session:
        query = select(DagRun).where(DagRun.run_id == run_id, DagRun.dag_id.in_(dag_ids(company)))
        run = session.scalars(query.order_by(DagRun.id.desc())).first()
        return _told(session, run) if run else None


def switched_off(companies: Iterable[str]) -> set[str]:
    """Those of the companies whose sync Airflow does not start by itself."""
    of_dag = {dag_id(company): company for company in companies}
    query = select(DagModel.dag_id).where(DagModel.dag_id.in_(of_dag), DagModel.is_paused)
    with create_session() as session:
        return {of_dag[dag] for dag in session.scalars(query)}


def started_by_yes(company: str, preview: AirflowRun) -> AirflowRun | None:
    """The run that a person's Yes to this preview has started, if it is among the newest."""
    if preview.answer != "Yes":
        return None
    dag = dag_id(company) if preview.dag == dag_id(company, "preview") else preview.dag
    with create_session() as session:
        query = select(DagRun).where(DagRun.dag_id == dag)
        for run in session.scalars(query.order_by(DagRun.id.desc()).limit(_NEWEST)):
            if (run.conf or {}).get("previewed") == preview.run_id:
                return _told(session, run)
    return None


def waiting(companies: Iterable[str]) -> list[Waiting]:
    """The previews of these companies that wait for an answer, the oldest first."""
    of_dag = {dag_id(c, kind): (c, page) for c in companies for kind, page in _ASKING.items()}
    query = (
        select(TaskInstance.dag_id, TaskInstance.run_id, HITLDetail.created_at)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.dag_id.in_(of_dag),
            TaskInstance.task_id == PROCEED,
            TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
            HITLDetail.responded_at.is_(None),
        )
        .order_by(HITLDetail.created_at)
    )
    with create_session() as session:
        found = session.execute(query).all()
        return [
            Waiting(*of_dag[dag], run, since, _asker(session, dag, run))
            for dag, run, since in found
        ]


def _asker(session: Session, dag: str, run_id: str) -> str | None:
    query = select(DagRun.triggering_user_name).where(DagRun.dag_id == dag, DagRun.run_id == run_id)
    return session.scalar(query)


def _told(session: Session, run: DagRun) -> AirflowRun:
    paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == run.dag_id))
    asked = _asked(session, run)
    state, detail = asked if asked else (None, None)
    answered: Any = (detail.responded_by or {}) if detail else {}
    return AirflowRun(
        dag=run.dag_id,
        run_id=run.run_id,
        state=str(run.state),
        paused=bool(paused),
        started_by=run.triggering_user_name,
        asks=state == TaskInstanceState.AWAITING_INPUT and not answered,
        answer=(detail.chosen_options or [None])[0] if detail else None,
        answered_by=answered.get("name"),
    )


def _asked(session: Session, run: DagRun) -> tuple[str | None, HITLDetail] | None:
    """The state of the task that asks, and its question, once it has been asked."""
    query = (
        select(TaskInstance.state, HITLDetail)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.dag_id == run.dag_id,
            TaskInstance.run_id == run.run_id,
            TaskInstance.task_id == PROCEED,
        )
    )
    found = session.execute(query).first()
    return (found[0], found[1]) if found else None
