"""Where a person settles, one after the other, what no rule can: possible duplicates and records in
each other's way."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import settling
from quickbooks_crm.errors import LinkRefused, SettingsError
from quickbooks_crm.pages import shelves
from quickbooks_crm.pages.linking import refused
from quickbooks_crm.pages.looks import Page, go, page, part
from quickbooks_crm.pages.reaching import reading, writing
from quickbooks_crm.pages.security import Run, See
from quickbooks_crm.quantity import many
from quickbooks_crm.records import MOST, Shelf
from quickbooks_crm.settling import Looked, Person, Some, Verdict

router = APIRouter()


class Held(BaseModel):
    """What a person says of a QuickBooks record and a CRM record in its way."""

    model_config = ConfigDict(extra="forbid")
    entity: str
    id: str
    key: str
    verdict: Verdict


class Alike(BaseModel):
    """What a person says of some records of a group that look the same."""

    model_config = ConfigDict(extra="forbid")
    place: int
    keys: list[str]
    verdict: Verdict


class Back(BaseModel):
    """What a person takes back: all that was said at a moment."""

    model_config = ConfigDict(extra="forbid")
    what: Literal["different", "same", "linked"]
    since: datetime


@router.get("/records/{company}/{module}/review", response_class=HTMLResponse)
def review(request: Request, caller: See, module: str, of: str = "", after: str = "") -> Response:
    """What is left to settle of a module."""
    if of not in ("", "held", "alike"):
        raise HTTPException(404)
    with reading() as connection:
        shelf = shelves.of_module(connection, caller.settings, module)
        left = settling.left(connection, shelf)
        sort = of or ("held" if left.held else "alike")
        shown = _some(connection, shelf, sort, after)
        said = settling.lately(connection, shelf)
    about: dict[str, Any] = {"shelf": shelf, "caller": caller, "left": left, "said": said}
    about |= {"of": sort, "some": shown, "after": after, "most": MOST}
    return page(request, Page("review.html"), **about, columns=settling.compared(shelf))


@router.post("/records/{company}/{module}/review/look")
def look(caller: Run, module: str) -> Response:
    """Look at all records of the module for those that look the same."""
    with writing() as connection:
        person = _person(connection, caller, module)
        looked = settling.look(connection, person)
    return go(_address(person.shelf, "alike"), _told(looked))


@router.post("/records/{company}/{module}/review/held")
def settle_held(request: Request, caller: Run, module: str, asked: Held) -> Response:
    """Say whether a QuickBooks record is a CRM record in its way."""
    try:
        with writing() as connection:
            person = _person(connection, caller, module)
            held = (asked.entity, asked.id)
            said = settling.settle_held(connection, person, held, asked.key, asked.verdict)
    except LinkRefused as error:
        return refused(request, error)
    return go(_address(person.shelf, "held"), said)


@router.post("/records/{company}/{module}/review/alike")
def settle_alike(request: Request, caller: Run, module: str, asked: Alike) -> Response:
    """Say whether CRM records that look the same are."""
    try:
        with writing() as connection:
            person = _person(connection, caller, module)
            group = (asked.place, asked.keys)
            said = settling.settle_alike(connection, person, *group, asked.verdict)
    except LinkRefused as error:
        return refused(request, error)
    return go(_address(person.shelf, "alike"), said)


@router.post("/records/{company}/{module}/review/back")
def take_back(request: Request, caller: Run, module: str, asked: Back) -> Response:
    """Take back what was said."""
    try:
        with writing() as connection:
            person = _person(connection, caller, module)
            said = settling.take_back(connection, person, asked.what, asked.since)
    except LinkRefused as error:
        return refused(request, error)
    return go(_address(person.shelf, ""), said)


def _some(connection: Connection[Any], shelf: Shelf, of: str, after: str) -> Some:
    if of == "held":
        return settling.in_the_way(connection, shelf, after)
    return settling.alike(connection, shelf, after)


def _told(looked: Looked) -> str:
    found = f"{many(looked.groups, 'possible duplicate')} found"
    if looked.whole:
        return f"{found}."
    return (
        f"{found} so far: there are too many records to look at all of them while you wait. "
        "Whoever looks after Airflow can list the others."
    )


def _person(connection: Connection[Any], caller: Run, module: str) -> Person:
    shelf = shelves.of_module(connection, caller.settings, module)
    if not shelf.realm:
        raise SettingsError(
            f"Nothing was read from QuickBooks for {caller.company} yet, so that nothing can be "
            "remembered of its records. Import something first."
        )
    return Person(shelf, caller.name)


def _address(shelf: Shelf, of: str) -> str:
    way = f"records/{part(shelf.company)}/{part(shelf.target.mapping.module)}/review"
    return f"{way}?of={of}" if of else way
