"""Where a person says which QuickBooks record a CRM record is, or that it is none any more."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import beside, linking, records, sources
from quickbooks_crm.beside import Shelves
from quickbooks_crm.errors import LinkRefused
from quickbooks_crm.linking import Seen
from quickbooks_crm.pages import shelves
from quickbooks_crm.pages.looks import Page, Problem, go, page, part, refusal
from quickbooks_crm.pages.looks import given as as_parameter
from quickbooks_crm.pages.reaching import reading, writing
from quickbooks_crm.pages.records import Sought, text_of
from quickbooks_crm.pages.security import Run
from quickbooks_crm.records import Record, Shelf
from quickbooks_crm.sources import Candidate

router = APIRouter()


class Link(BaseModel):
    """Which QuickBooks record a CRM record is to be, and how both were linked when the person
    looked."""

    model_config = ConfigDict(extra="forbid")
    key: str
    entity: str
    id: str
    was_record: str
    was_entity: str
    was_id: str


class Unlink(BaseModel):
    """Which QuickBooks record is to be parted from which CRM record."""

    model_config = ConfigDict(extra="forbid")
    key: str
    entity: str
    id: str


@router.get("/records/{company}/{module}/same", response_class=HTMLResponse)
def same(
    request: Request,
    caller: Run,
    module: str,
    key: str,
    entity: str = "",
    id: str = "",
    sought: Sought = "",
) -> Response:
    """The QuickBooks records that a CRM record may be, or one of them beside it."""
    text = text_of(sought)
    with reading() as connection:
        shelf, others = shelves.among_others(connection, caller.settings, module)
        record = records.one(connection, shelf, key)
        if record is None:
            raise HTTPException(404)
        about = {"shelf": shelf, "caller": caller, "record": record, "sought": text}
        about |= {"called": record.called(shelf.labels)}
        if entity:
            shown = _beside(connection, (shelf, others), record, (entity, id))
            return page(request, Page("same_as.html"), **about, **shown)
        found = (
            sources.search(connection, shelf, text)
            if text
            else sources.suggested(connection, shelf, record.key)
        )
        names = _names(connection, shelf, found.found)
    return page(request, Page("same.html"), **about, found=found, names=names)


@router.post("/records/{company}/{module}/link")
def link(request: Request, caller: Run, module: str, asked: Link) -> Response:
    """Make a CRM record be a QuickBooks record for all later runs."""
    seen = Seen(asked.was_record, asked.was_entity, asked.was_id)
    try:
        with writing() as connection:
            shelf = shelves.of_module(connection, caller.settings, module)
            _require(connection, shelf, asked.key)
            place = shelf.place(asked.entity, asked.id)
            said = linking.link_instead(connection, place, asked.key, seen, caller.name)
    except LinkRefused as error:
        return refused(request, error)
    return go(address(shelf, asked.key), said)


@router.post("/records/{company}/{module}/unlink")
def unlink(request: Request, caller: Run, module: str, asked: Unlink) -> Response:
    """Part a CRM record from the QuickBooks record that it is."""
    try:
        with writing() as connection:
            shelf = shelves.of_module(connection, caller.settings, module)
            record = _require(connection, shelf, asked.key)
            origin = record.origin
            if origin is None or (origin.entity, origin.id) != (asked.entity, asked.id):
                raise LinkRefused(
                    f"CRM record {asked.key} is not {asked.entity} {asked.id} any more. Load the "
                    "page again to see what it is now."
                )
            place = shelf.place(asked.entity, asked.id)
            said = linking.unlink(connection, place, caller.name)
    except LinkRefused as error:
        return refused(request, error)
    return go(address(shelf, asked.key), said)


def address(shelf: Shelf, key: str) -> str:
    """The way to a record's page from the first one."""
    module = shelf.target.mapping.module
    return f"records/{part(shelf.company)}/{part(module)}/record?key={as_parameter(key)}"


def refused(request: Request, error: LinkRefused) -> Response:
    """Why it was not done, to a person who has no terminal."""
    return refusal(request, Problem(409, "settings", error.words))


def _require(connection: Connection[Any], shelf: Shelf, key: str) -> Record:
    """A record that this company may see; what is not there is for nobody to link."""
    found = records.one(connection, shelf, key)
    if found is None:
        raise HTTPException(404)
    return found


def _names(
    connection: Connection[Any], shelf: Shelf, candidates: tuple[Candidate, ...]
) -> dict[str, str]:
    """What the CRM records are called that candidates are, by their keys."""
    keys = [candidate.record_key for candidate in candidates if candidate.record_key]
    found = records.these(connection, shelf, keys, shelf.labels)
    return {record.key: record.called(shelf.labels) for record in found}


def _beside(
    connection: Connection[Any],
    where: tuple[Shelf, Shelves],
    record: Record,
    who: tuple[str, str],
) -> dict[str, Any]:
    """A candidate, what it would fill in, and what references on both sides mean."""
    shelf, others = where
    candidate = sources.one(connection, shelf, *who)
    if candidate is None:
        raise HTTPException(404)
    says = sources.says(connection, shelf, candidate)
    fields = beside.pointing_fields(shelf.target.mapping.fields)
    return {
        "candidate": candidate,
        "says": says,
        "names": _names(connection, shelf, (candidate,)),
        "pointed": beside.pointed(connection, others, fields, [record.values, says]),
        "columns": {n: shelf.target.table.columns[n] for n in says if n in shelf.readable},
    }
