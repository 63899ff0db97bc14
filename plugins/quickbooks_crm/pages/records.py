"""The pages of a module's CRM records: a list to browse and search, and each record with where it
comes from and what happened to it."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection

from quickbooks_crm import beside, companies, history, records, searching
from quickbooks_crm.beside import Pointed, Shelves
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.history import History
from quickbooks_crm.pages import shelves
from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import See, User, configured, readable
from quickbooks_crm.records import Record, Shelf

LONGEST = 200

Sought = Annotated[str, Header(alias="sought")]
"""What a person looks for. It may be a customer's name, so it is in no address."""

router = APIRouter()


@router.get("/records", response_class=HTMLResponse)
def modules(request: Request, user: User) -> Response:
    """The modules of the user's companies."""
    names = readable(user, configured())
    with reading() as connection:
        found = [_company(connection, name) for name in names]
    return page(request, Page("records.html"), companies=found, most=records.MOST)


@router.get("/records/{company}/{module}", response_class=HTMLResponse)
def listed(
    request: Request,
    caller: See,
    module: str,
    wanted: str = "any",
    after: str = "",
    sought: Sought = "",
) -> Response:
    """A module's records, a page at a time, or those that a text means."""
    if wanted not in records.WANTED:
        raise HTTPException(404)
    text = text_of(sought)
    with reading() as connection:
        shelf = shelves.of_module(connection, caller.settings, module)
        shown = (
            {"hits": searching.search(connection, shelf, text), "part": None}
            if text
            else {"hits": None, "part": records.part(connection, shelf, wanted, after)}
        )
    about = {"shelf": shelf, "caller": caller, "wanted": wanted, "after": after}
    return page(request, Page("record_list.html"), **about, **shown, **_of_list(shelf))


@router.get("/records/{company}/{module}/record", response_class=HTMLResponse)
def record(
    request: Request, caller: See, module: str, key: str, before: datetime | None = None
) -> Response:
    """All that is known of one record."""
    with reading() as connection:
        company = caller.settings
        shelf, others = shelves.among_others(connection, company, module)
        found = records.one(connection, shelf, key)
        if found is None:
            raise HTTPException(404)
        told = history.of(connection, shelf, found.key, _moment(before))
        shown = _all_of(connection, shelf, others, found)
        shown |= {"named": _named(connection, shelf, others, told)}
    about = {
        "shelf": shelf,
        "caller": caller,
        "record": found,
        "called": found.called(shelf.labels),
    }
    return page(
        request,
        Page("record.html"),
        **about,
        **shown,
        history=told,
        before=before,
        kept=company.retention,
    )


def text_of(sought: str) -> str:
    """What the header says, which is written as in an address: a header takes no other letters."""
    return unquote(sought).replace("\0", "").strip()[:LONGEST]


def _company(connection: Connection[Any], name: str) -> dict[str, Any]:
    """What can be browsed of a company. One whose file cannot be read keeps no other from it."""
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
        found = shelves.of_company(connection, company)
    except SettingsError as error:
        return {"name": name, "title": name, "problem": str(error), "modules": {}}
    counts = {module: records.count(connection, shelf) for module, shelf in found.items()}
    return {"name": name, "title": company.title, "problem": None, "modules": counts}


def _of_list(shelf: Shelf) -> dict[str, Any]:
    columns = shelf.target.table.columns
    return {"columns": {name: columns[name] for name in shelf.listed}}


def _all_of(
    connection: Connection[Any], shelf: Shelf, others: Shelves, found: Record
) -> dict[str, Any]:
    """The record's fields and what stands beside it."""
    origin, mapping = found.origin, shelf.target.mapping
    lines = beside.lines(connection, shelf, found.key)
    own = beside.pointing_fields(mapping.fields)
    of_lines = beside.pointing_fields(mapping.lines.rows.fields) if mapping.lines else {}
    return {
        "source": beside.source(connection, shelf, origin.entity, origin.id) if origin else None,
        "conflicts": beside.conflicts(connection, shelf, origin) if origin else [],
        "waiting": beside.waiting(connection, shelf, origin) if origin else [],
        "pointed": beside.pointed(connection, others, own, [found.values]),
        "lines": lines[: beside.LINES],
        "more_lines": len(lines) > beside.LINES,
        "line_columns": _line_columns(shelf),
        "line_refers": of_lines,
        "line_pointed": beside.pointed(connection, others, of_lines, lines),
        "referring": list(beside.referring(connection, others, shelf, found.key)),
        "from_quickbooks": shelf.filled,
        "by_hand": [name for name in shelf.readable if name not in shelf.target.columns],
        "columns": shelf.target.table.columns,
    }


def _named(
    connection: Connection[Any], shelf: Shelf, others: Shelves, told: History
) -> dict[tuple[str, str], Pointed]:
    """What the records are called that the history says a field pointed to."""
    changes = [change for event in told.events for change in event.changes]
    sides = [{c.field: value} for c in changes for value in (c.before, c.after)]
    fields = beside.pointing_fields(shelf.target.mapping.fields)
    return beside.pointed(connection, others, fields, sides)


def _line_columns(shelf: Shelf) -> dict[str, Any]:
    table = shelf.target.table.lines
    return {name: table.columns[name] for name in beside.columns(shelf)} if table else {}


def _moment(before: datetime | None) -> datetime:
    """The end of all time unless somebody asks for what was before a moment."""
    if before is None:
        return datetime.max.replace(tzinfo=UTC)
    return before if before.tzinfo else before.replace(tzinfo=UTC)
