"""The pages: every one needs a signed-in user, and shows only the companies this user may see."""

import json
from pathlib import Path

import psycopg
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as AnyHTTPException

from quickbooks_crm.errors import DatabaseFailed, QuickBooksCrmError
from quickbooks_crm.pages import (
    activity,
    charts,
    connections,
    corrections,
    health,
    imports,
    linking,
    mappings,
    records,
    review,
    start,
    started,
)
from quickbooks_crm.pages.looks import Problem, refusal
from quickbooks_crm.pages.security import Headers, Unlogged, from_these_pages, signed_in
from quickbooks_crm.pages.unexpected import Unexpected

ASSETS = {
    path.name: path for path in (Path(__file__).parent / "assets").iterdir() if path.is_file()
}
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_KINDS: dict[str, tuple[type[Exception], ...]] = {
    "migrations": (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedColumn,
        psycopg.errors.InvalidSchemaName,
    ),
    "slow": (psycopg.errors.QueryCanceled,),
    "busy": (
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
    ),
    "database": (DatabaseFailed, psycopg.OperationalError, psycopg.InterfaceError),
}
"""In which words an error of the database is told, the first that fits."""


async def whole_characters(request: Request) -> None:
    """The dependency that refuses half a character in what was sent: JSON can say it, but no text
    can hold it. What is no JSON at all, the routes refuse."""
    try:
        sent = json.loads(await request.body() or b"null")
    except ValueError:
        return
    try:
        json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise HTTPException(422) from None


app = FastAPI(
    title="QuickBooks",
    dependencies=[Depends(signed_in), Depends(from_these_pages), Depends(whole_characters)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
app.add_middleware(Unexpected)
app.add_middleware(Headers)
app.add_middleware(Unlogged)
app.include_router(start.router)
app.include_router(imports.router)
app.include_router(started.router)
app.include_router(records.router)
app.include_router(linking.router)
app.include_router(review.router)
app.include_router(mappings.router)
app.include_router(activity.router)
app.include_router(charts.router)
app.include_router(corrections.router)
app.include_router(health.router)
app.include_router(connections.router)


def asset(name: str) -> Response:
    """A style sheet, script or picture of these pages. They hold nobody's data and are for all: who
    is not signed in is shown a page, too."""
    if name not in ASSETS:
        raise HTTPException(404)
    return FileResponse(ASSETS[name], media_type=MEDIA_TYPES[ASSETS[name].suffix])


app.routes.append(APIRoute("/assets/{name}", asset, methods=["GET"]))


@app.exception_handler(AnyHTTPException)
def _refused(request: Request, error: AnyHTTPException) -> Response:
    shown = refusal(request, Problem(error.status_code, str(error.status_code)))
    shown.headers.update(error.headers or {})
    return shown


@app.exception_handler(RequestValidationError)
@app.exception_handler(psycopg.DataError)
def _nonsense(request: Request, error: Exception) -> Response:
    """An address, or something sent, that nobody could have got from these pages."""
    status = 404 if request.method == "GET" else 422
    return refusal(request, Problem(status, str(status)))


@app.exception_handler(QuickBooksCrmError)
def _not_possible(request: Request, error: QuickBooksCrmError) -> Response:
    status = 503 if request.method == "GET" else 409
    return refusal(request, Problem(status, "settings", str(error)))


@app.exception_handler(DatabaseFailed)
@app.exception_handler(psycopg.Error)
def _database_failed(request: Request, error: Exception) -> Response:
    """The error's own text may name hosts and roles, so it is not shown. What is no failure of the
    database is one of this code."""
    for kind, errors in _KINDS.items():
        if isinstance(error, errors):
            return refusal(request, Problem(503, kind))
    raise error
