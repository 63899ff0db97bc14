"""A retry, a replay or an undo that somebody has asked for here: what it would do, whether
it may, and what became of it."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg import Connection

from quickbooks_crm import activity, finding, progress
from quickbooks_crm.activity import Row, Run
from quickbooks_crm.finding import Which
from quickbooks_crm.pages import airflow_runs, columns
from quickbooks_crm.pages.looks import Page, page, part, root_of
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import See
from quickbooks_crm.pages.started import Standing
from quickbooks_crm.progress import Sample

SOME = 20
"""How many of a module's records that would be kept are shown at once."""

router = APIRouter()


@router.get("/corrections/{company}/{run_id}", response_class=HTMLResponse)
def correction(request: Request, caller: See, company: str, run_id: str) -> Response:
    """How it stands, or, once something is done and not only shown, the page of that run."""
    airflow = airflow_runs.find(company, run_id)
    with reading() as connection:
        run = progress.find(connection, company, run_id)
        if run is None and airflow is None:
            raise HTTPException(404)
        if does := _doing(connection, run):
            way = f"{root_of(request)}runs/{part(does.realm)}/{part(does.run_id)}"
            return RedirectResponse(way, 303)
        begun = airflow_runs.started_by_yes(company, airflow) if airflow else None
        if begun:
            run = None  # only Airflow knows of the run that the Yes has begun
        told = activity.explained(connection, run) if run else None
        kept = _kept(connection, run) if run else {}
        samples = tuple(progress.samples(connection, told)) if told else ()
        labels = _labels(connection, told, samples) if told else {}
    return page(
        request,
        Page("correction.html"),
        now=Standing(begun or airflow, told),
        title=caller.settings.title,
        kept=kept,
        samples=samples,
        labels=labels,
        may=caller.may,
    )


def _doing(connection: Connection[Any], run: Run | None) -> Run | None:
    """The run that does what was asked for: this one, or the one that a Yes to it has begun."""
    if run is None or run.kind != "preview":
        return run
    return activity.after_yes(connection, run)


def _labels(
    connection: Connection[Any], run: Run, samples: Iterable[Sample]
) -> dict[str, dict[str, str]]:
    """What the columns of each module are called of which there are samples."""
    modules = {sample.module for sample in samples}
    return {module: columns.of_run(connection, run, module) for module in modules}


def _kept(connection: Connection[Any], run: Run) -> dict[str, list[Row]]:
    """Some of the records that would be kept as they are, by module."""
    kept = [module.module for module in run.counts if module.kept]
    asked = {module: Which(run.realm, run.run_id, module, "kept") for module in kept}
    return {
        module: finding.rows(connection, which, finding.BEGINNING, SOME)
        for module, which in asked.items()
    }
