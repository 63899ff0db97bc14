"""The pages of the activity log: the runs, what each did, and how every record ended."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from psycopg import Connection
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from quickbooks_crm import activity, finding, progress, spreadsheet
from quickbooks_crm.activity import Run, Wanted
from quickbooks_crm.finding import BEGINNING, Key, Which
from quickbooks_crm.pages import columns
from quickbooks_crm.pages.looks import Page, page, part, root_of
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import User, company_of, configured, dag_id, may, readable
from quickbooks_crm.reasons import REASONS

RUNS = 50
KINDS = ("sync", "preview", "replay", "retry", "undo", "reconcile")
STATES = ("running", "success", "failed")
AT_A_TIME = 2_000
"""How many records are read at a time for a download."""

Notes = Literal["", "yes"]
"""Whether only records with notes are asked for."""

Day = Annotated[date | None, BeforeValidator(lambda text: text or None)]

router = APIRouter()


class Asked(BaseModel):
    """What the list of runs is narrowed to, as its form sends it; `before` is the run to go on
    from."""

    model_config = ConfigDict(extra="ignore")

    company: str = ""
    kind: str = ""
    state: str = ""
    module: str = ""
    who: str = ""
    first_day: Day = Field(None, alias="from")
    last_day: Day = Field(None, alias="to")
    before: str = ""

    def wanted(self, companies: list[str]) -> Wanted:
        """The same of the one company that is asked for, or of all of these."""
        given = self.model_dump(exclude={"company", "before"})
        return Wanted([self.company] if self.company else companies, **given)


@router.get("/activity", response_class=HTMLResponse)
def runs(request: Request, user: User, asked: Annotated[Asked, Query()]) -> Response:
    """The runs of the user's companies, newest first."""
    with reading() as connection:
        companies = readable(user, activity.companies(connection))
        if asked.company and asked.company not in companies:
            raise HTTPException(404)
        wanted = asked.wanted(companies)
        found = activity.runs(connection, wanted, RUNS + 1, _position(asked.before))
        modules = activity.modules(connection, wanted.companies)
    return page(
        request,
        Page("runs.html"),
        companies=companies,
        drawn=next((name for name in wanted.companies if name in configured()), None),
        asked=asked.model_dump(
            by_alias=True, exclude_defaults=True, exclude={"before"}, mode="json"
        ),
        narrowed=wanted.narrowed,
        modules=modules,
        kinds=KINDS,
        states=STATES,
        before=asked.before,
        runs=found[:RUNS],
        older=found[RUNS - 1] if len(found) > RUNS else None,
    )


@router.get("/airflow/{dag}/{run_id}", response_class=HTMLResponse)
def of_airflow(request: Request, user: User, dag: str, run_id: str) -> Response:
    """Where a run of Airflow leads to: what Airflow's own pages show of it here."""
    company = company_of(dag)
    if company is None or not readable(user, [company]):
        return page(request, Page("no_run.html", 404), ours=False)
    with reading() as connection:
        found = progress.find(connection, company, run_id)
    if found is None:
        return page(request, Page("no_run.html", 404), ours=True)
    way = f"{root_of(request)}runs/{part(found.realm)}/{part(run_id)}"
    return RedirectResponse(way, 303)


@router.get("/runs/{realm}/{run_id}", response_class=HTMLResponse)
def run(request: Request, user: User, realm: str, run_id: str) -> Response:
    """What one run did, module by module, and why records are not in the CRM."""
    with reading() as connection:
        found = activity.explained(connection, _visible(connection, user, realm, run_id))
        noted = finding.noted(connection, found, found.counts)
    dag = dag_id(found.company, found.rehearses or found.kind)
    may_run = _may_run(user, found)
    return page(request, Page("run.html"), run=found, noted=noted, dag=dag, may_run=may_run)


@router.get("/runs/{realm}/{run_id}/{module}", response_class=HTMLResponse)
def rows(
    request: Request,
    user: User,
    realm: str,
    run_id: str,
    module: str,
    outcome: str = "not_added",
    reason: str = "",
    noted: Notes = "",
    after: str = "",
    text: Annotated[str, Header(alias="sought")] = "",
) -> Response:
    """The records of one outcome of a module in a run, a page at a time. The text that is searched
    for may be a customer's name: it comes in a header, which nobody logs."""
    which = Which(realm, run_id, module, outcome, reason, unquote(text).strip(), bool(noted))
    with reading() as connection:
        found = _visible(connection, user, realm, run_id)
        counts = found.module(module)
        if counts is None or outcome not in found.outcomes:
            raise HTTPException(404)
        ended = finding.part(connection, which, _key(after))
        reasons = finding.reasons(connection, which)
        with_notes = finding.noted(connection, found, [counts])
        labels = columns.of_run(connection, found, module)
    return page(
        request,
        Page("rows.html"),
        run=found,
        counts=counts,
        outcome=outcome,
        which=which,
        reasons=reasons,
        with_notes=next((n for n in with_notes if n.outcome == outcome), None),
        after=after,
        part=ended,
        labels=labels,
        may_run=_may_run(user, found),
    )


@router.get("/csv/{realm}/{run_id}")
def download(
    user: User,
    realm: str,
    run_id: str,
    module: str = "",
    outcome: str = "",
    reason: str = "",
    noted: Notes = "",
) -> Response:
    """How records ended in a run, as a file for a spreadsheet: of one module or all, of one outcome
    or all, of one reason or all, with notes or all."""
    with reading() as connection:
        found = _visible(connection, user, realm, run_id)
    modules = [m.module for m in found.counts if module in ("", m.module)]
    outcomes = [o for o in found.outcomes if outcome in ("", o)]
    if not modules or not outcomes or reason not in ("", *REASONS):
        raise HTTPException(404)
    which = partial(Which, realm, run_id, reason=reason, noted=bool(noted))
    asked = [which(m, o) for m in modules for o in outcomes]
    name = "-".join(
        filter(None, (found.company, f"{found.started_at:%Y%m%d-%H%M}", module, outcome))
    )
    disposition = f'attachment; filename="{name}.csv"'
    return StreamingResponse(
        _lines(found, asked),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": disposition},
    )


def _lines(run: Run, asked: list[Which]) -> Iterator[str]:
    """A file piece by piece. Each piece is read by itself: whoever fetches it slowly keeps no
    transaction open."""
    yield spreadsheet.head()
    for which in asked:
        after: Key | None = BEGINNING
        while after:
            with reading() as connection:
                rows = finding.rows(connection, which, after, AT_A_TIME)
            yield spreadsheet.lines(run, which.module, rows)
            after = (rows[-1].id, rows[-1].entity) if len(rows) == AT_A_TIME else None


def _visible(connection: Connection[Any], user: Any, realm: str, run_id: str) -> Run:
    found = activity.counted(connection, realm, run_id)
    if found is None or not readable(user, [found.company]):
        raise HTTPException(404)
    return found


def _may_run(user: Any, run: Run) -> bool:
    """Whether the user may start runs of its company, which still has a file."""
    return run.company in configured() and may(user, "run", run.company)


def _position(before: str) -> tuple[str, str] | None:
    realm, _, run_id = before.partition("/")
    return (realm, run_id) if before else None


def _key(after: str) -> Key:
    entity, _, id = after.partition("/")
    return id, entity
