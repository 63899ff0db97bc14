"""From the start of a run to its end: how far it is, what a preview would do and whether it may,
and what became of it."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg import Connection

from quickbooks_crm import activity, catalog, progress, running, runs, versions
from quickbooks_crm.pages import airflow_runs, columns, settings_of_import
from quickbooks_crm.pages.airflow_runs import AirflowRun
from quickbooks_crm.pages.looks import Page, page, part, root_of
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import See, dag_id
from quickbooks_crm.pages.settings_of_import import Setting
from quickbooks_crm.progress import LeftOut, Progress, Sample

IMPORTS = ("sync", "preview")
"""The kinds of runs that are followed here; others have their own page as soon as they begin."""

router = APIRouter()


@dataclass(frozen=True)
class Question:
    """What a person is asked to say Yes to: the settings of each module and of the company, the
    versions of mappings that a Yes puts in force, some of the records that would change, and what
    each module's columns are called."""

    modules: dict[str, list[Setting]]
    company: list[Setting]
    drafts: dict[str, int]
    samples: tuple[Sample, ...]
    labels: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Standing:
    """How a run stands that somebody has started; `preview` is the one that it follows. What is
    `left_out` is told where there was nothing to do."""

    airflow: AirflowRun | None
    run: activity.Run | None
    progress: Progress | None = None
    question: Question | None = None
    preview: AirflowRun | None = None
    left_out: LeftOut | None = None

    @property
    def step(self) -> str:
        """Where it is: what the page shows follows from this."""
        if self.airflow and self.airflow.asks:
            return "asks"
        if self.preview_ended:
            return "answered"
        if self.airflow and self.airflow.state == "failed":
            return "failed"
        if self.run is None:
            return "failed" if self.airflow and self.airflow.over else "queued"
        return "done" if self.run.state == "success" else self.run.state

    @property
    def preview_ended(self) -> bool:
        """Whether a preview found something and was answered, and no sync is there yet."""
        return bool(self.airflow and self.airflow.answer)

    @property
    def waits(self) -> bool:
        """Whether the page will soon show something else by itself."""
        if self.step == "answered":
            return bool(self.airflow and self.airflow.answer == "Yes" and not self.airflow.over)
        return self.step in ("queued", "running") or self._about_to_ask

    @property
    def _about_to_ask(self) -> bool:
        """A preview's records are known some moments before Airflow puts its question."""
        over = self.airflow is None or self.airflow.over
        return bool(self.run and self.run.kind == "preview" and self.step == "done" and not over)


@router.get("/started/{company}/{run_id}", response_class=HTMLResponse)
def started(request: Request, caller: See, company: str, run_id: str) -> Response:
    """How a run stands, or, for a kind that has a page of its own, that page."""
    airflow = airflow_runs.find(company, run_id)
    if airflow and airflow.dag == dag_id(company, "undo"):
        way = f"{root_of(request)}corrections/{part(company)}/{part(run_id)}"
        return RedirectResponse(way, 303)
    sync = airflow_runs.started_by_yes(company, airflow) if airflow else None
    with reading() as connection:
        if sync:
            found = _standing(connection, company, sync, sync.run_id, airflow)
        else:
            found = _standing(connection, company, airflow, run_id)
        done = _done_before(connection, found)
    if done:
        way = f"{root_of(request)}runs/{part(done.realm)}/{part(done.run_id)}"
        return RedirectResponse(way, 303)
    if found.airflow is None and found.run is None:
        raise HTTPException(404)
    if found.run and found.run.rehearses:
        way = f"{root_of(request)}corrections/{part(company)}/{part(run_id)}"
        return RedirectResponse(way, 303)
    if found.run and found.run.kind not in IMPORTS:
        way = f"{root_of(request)}runs/{part(found.run.realm)}/{part(run_id)}"
        return RedirectResponse(way, 303)
    title = caller.settings.title
    return page(
        request, Page("started.html"), now=found, company=company, title=title, may=caller.may
    )


def _done_before(connection: Connection[Any], found: Standing) -> activity.Run | None:
    """The sync that a Yes to a preview has started, when Airflow does not have it among its newest
    any more."""
    if found.step == "answered" and found.run:
        return activity.after_yes(connection, found.run)
    return None


def _standing(
    connection: Connection[Any],
    company: str,
    airflow: AirflowRun | None,
    run_id: str,
    preview: AirflowRun | None = None,
) -> Standing:
    run = progress.find(connection, company, run_id)
    if run is None:
        return Standing(airflow, None, preview=preview)
    if run.state == "running":
        return Standing(airflow, run, progress.of(connection, run), preview=preview)
    question = _question(connection, run) if airflow and airflow.asks else None
    return Standing(
        airflow,
        activity.explained(connection, run),
        question=question,
        preview=preview,
        left_out=progress.left_out(connection, run),
    )


def _question(connection: Connection[Any], run: activity.Run) -> Question:
    asked = runs.Run(run.company, run.realm, run.run_id)
    known = runs.asked(connection, asked)
    with catalog.once(connection, known.values()):
        tables = {module: catalog.of(connection, mapping) for module, mapping in known.items()}
    company = running.settled(connection, asked)
    return Question(
        {m: settings_of_import.of_mapping(known[m], table) for m, table in tables.items()},
        settings_of_import.of_company(company),
        {m: draft.version for m, draft in versions.drafts(connection, asked)[0].items()},
        tuple(progress.samples(connection, run)),
        {m: columns.labels(table) for m, table in tables.items()},
    )
