"""The pages of the activity log: the runs, what each did, and how every record ended."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection

from quickbooks_crm import activity
from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import User, dag_id, readable

RUNS = 50

router = APIRouter()


@router.get("/activity", response_class=HTMLResponse)
def runs(request: Request, user: User, company: str = "", before: str = "") -> Response:
    """The runs of the user's companies, newest first."""
    with reading() as connection:
        companies = readable(user, activity.companies(connection))
        if company and company not in companies:
            raise HTTPException(404)
        asked = [company] if company else companies
        found = activity.runs(connection, asked, RUNS + 1, _position(before))
    return page(
        request,
        Page("runs.html"),
        companies=companies,
        company=company,
        before=before,
        runs=found[:RUNS],
        older=found[RUNS - 1] if len(found) > RUNS else None,
    )


@router.get("/runs/{realm}/{run_id}", response_class=HTMLResponse)
def run(request: Request, user: User, realm: str, run_id: str) -> Response:
    """What one run did, module by module, and why records are not in the CRM."""
    with reading() as connection:
        found = activity.explained(connection, _visible(connection, user, realm, run_id))
    return page(request, Page("run.html"), run=found, dag=dag_id(found.company, found.kind))


@router.get("/runs/{realm}/{run_id}/{module}", response_class=HTMLResponse)
def rows(
    request: Request,
    user: User,
    realm: str,
    run_id: str,
    module: str,
    outcome: str = "not_added",
    after: str = "",
) -> Response:
    """The records of one outcome of a module in a run, a page at a time."""
    with reading() as connection:
        found = _visible(connection, user, realm, run_id)
        counts = found.module(module)
        if counts is None or outcome not in found.outcomes:
            raise HTTPException(404)
        entity, _, id = after.partition("/")
        asked = (connection, realm, run_id, module, outcome, (id, entity))
        ended = activity.rows(*asked, limit=activity.PAGE + 1)
    return page(
        request,
        Page("rows.html"),
        run=found,
        counts=counts,
        outcome=outcome,
        after=after,
        rows=ended[: activity.PAGE],
        next=ended[activity.PAGE - 1] if len(ended) > activity.PAGE else None,
    )


def _visible(connection: Connection[Any], user: Any, realm: str, run_id: str) -> activity.Run:
    found = activity.counted(connection, realm, run_id)
    if found is None or not readable(user, [found.company]):
        raise HTTPException(404)
    return found


def _position(before: str) -> tuple[str, str] | None:
    realm, _, run_id = before.partition("/")
    return (realm, run_id) if before else None
