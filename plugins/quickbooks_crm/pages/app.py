"""The pages' routes. Every one needs a signed-in user, only reads, and shows only his companies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from psycopg import Connection
from starlette.exceptions import HTTPException as AnyHTTPException

from quickbooks_crm import activity, database
from quickbooks_crm.errors import DatabaseFailed, QuickBooksCrmError
from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.security import Headers, dag_id, readable, signed_in
from quickbooks_crm.sql import statements

RUNS = 50
PATIENCE = "5000"

ASSETS = {
    path.name: path for path in (Path(__file__).parent / "assets").iterdir() if path.is_file()
}
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

app = FastAPI(
    title="QuickBooks activity",
    dependencies=[Depends(signed_in)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
app.add_middleware(Headers)

User = Annotated[Any, Depends(signed_in)]


@app.get("/", response_class=HTMLResponse)
def runs(request: Request, user: User, company: str = "", before: str = "") -> Response:
    """The runs of the user's companies, newest first."""
    with _reading() as connection:
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


@app.get("/runs/{realm}/{run_id}", response_class=HTMLResponse)
def run(request: Request, user: User, realm: str, run_id: str) -> Response:
    """What one run did, module by module, and why records are not in the CRM."""
    with _reading() as connection:
        found = activity.explained(connection, _visible(connection, user, realm, run_id))
    return page(request, Page("run.html"), run=found, dag=dag_id(found.company, found.kind))


@app.get("/runs/{realm}/{run_id}/{module}", response_class=HTMLResponse)
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
    with _reading() as connection:
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


@app.get("/assets/{name}")
def asset(name: str) -> Response:
    """A style sheet, script or picture of these pages."""
    if name not in ASSETS:
        raise HTTPException(404)
    return FileResponse(ASSETS[name], media_type=MEDIA_TYPES[ASSETS[name].suffix])


@contextmanager
def _reading() -> Iterator[Connection[Any]]:
    with database.connect(timeout=2) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute(statements("activity")["patience"], {"milliseconds": PATIENCE})
            yield connection


def _visible(connection: Connection[Any], user: Any, realm: str, run_id: str) -> activity.Run:
    found = activity.counted(connection, realm, run_id)
    if found is None or not readable(user, [found.company]):
        raise HTTPException(404)
    return found


def _position(before: str) -> tuple[str, str] | None:
    realm, _, run_id = before.partition("/")
    return (realm, run_id) if before else None


@app.exception_handler(AnyHTTPException)
def _refused(request: Request, error: AnyHTTPException) -> Response:
    shown = page(request, Page("problem.html", error.status_code), problem=error.status_code)
    shown.headers.update(error.headers or {})
    return shown


@app.exception_handler(RequestValidationError)
@app.exception_handler(psycopg.DataError)
def _nonsense(request: Request, error: Exception) -> Response:
    """An address that nobody could have got from these pages."""
    return page(request, Page("problem.html", 404), problem=404)


@app.exception_handler(QuickBooksCrmError)
def _not_ready(request: Request, error: QuickBooksCrmError) -> Response:
    return page(request, Page("problem.html", 503), problem="settings", message=str(error))


@app.exception_handler(DatabaseFailed)
@app.exception_handler(psycopg.Error)
def _database_failed(request: Request, error: Exception) -> Response:
    """The error's own text may name hosts and roles, so it is not shown."""
    return page(request, Page("problem.html", 503), problem=_kind(error))


def _kind(error: Exception) -> str:
    missing = (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedColumn,
        psycopg.errors.InvalidSchemaName,
    )
    if isinstance(error, missing):
        return "migrations"
    return "slow" if isinstance(error, psycopg.errors.QueryCanceled) else "database"
