"""The pages of the companies' mappings: which is in force and where from, the stored versions, and
what a person may do with them."""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import companies, fitting, in_force, versions
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingOutdated, SettingsError
from quickbooks_crm.in_force import Origin
from quickbooks_crm.mapping import Written
from quickbooks_crm.mapping.differences import differences, lines, told
from quickbooks_crm.pages.imports import offer, require_connected
from quickbooks_crm.pages.looks import Page, Problem, begin, go, page, part, refusal
from quickbooks_crm.pages.reaching import reading, writing
from quickbooks_crm.pages.security import (
    Configure,
    See,
    User,
    configured,
    dag_id,
    readable,
)
from quickbooks_crm.versions import New, Version

FILE, IN_FORCE = "file", "in-force"
SHOWN = 20
"""How many versions are shown at a time."""

LONGEST_NOTE = 200
_DIGITS = 11
"""No version has so many."""

router = APIRouter()


@dataclass(frozen=True)
class Glance:
    """A company's modules, each with where its mapping is from and its newest version; `problem`
    says why they cannot be used as they are."""

    name: str
    title: str
    origins: dict[str, Origin]
    newest: dict[str, Version]
    problem: str | None


@dataclass(frozen=True)
class Listed:
    """A version in the list, and in words what it changed of the one before; None of the first."""

    version: Version
    changed: list[str] | None


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Stored(_Sent):
    """A mapping that a person has typed or brought as a file."""

    content: str
    based_on: int
    note: str


class Used(_Sent):
    """What a person puts in force, and the last choice they have seen."""

    which: str
    seen: int


class Restored(_Sent):
    """The version a person wants again, the newest one they have seen, and the last choice."""

    version: int
    based_on: int
    seen: int


class Previewed(_Sent):
    """The version of which a person wants to see what it would do."""

    version: int


@router.get("/mappings", response_class=HTMLResponse)
def mappings(request: Request, user: User) -> Response:
    """Where the mappings of the user's companies are from."""
    with reading() as connection:
        found = [_glance(connection, name) for name in readable(user, configured())]
    return page(request, Page("mappings.html"), companies=found)


@router.get("/mappings/{company}/{module}", response_class=HTMLResponse)
def mapping(request: Request, caller: See, module: str, before: int = 0) -> Response:
    """One mapping: what is in force, and its versions, newest first."""
    company = caller.settings
    with reading() as connection:
        origin = _origin(connection, company, module)
        newest = versions.newest(connection, company.name).get(module)
        listed = _listed(connection, company, module, before)
        problem = _problem(connection, company)
    shown = {
        "company": company,
        "origin": origin,
        "newest": newest.version if newest else 0,
        "seen": origin.choice.choice if origin.choice else 0,
        "used": origin.version.version if origin.version else None,
        "listed": listed[:SHOWN],
        "older": listed[SHOWN - 1].version.version if len(listed) > SHOWN else None,
        "before": before,
        "problem": problem,
        "caller": caller,
        "from_file": told(origin.filed.text, origin.used.text),
    }
    return page(request, Page("mapping.html"), **shown)


@router.get("/mappings/{company}/{module}/compare", response_class=HTMLResponse)
def compare(
    request: Request, caller: See, module: str, one: str = FILE, other: str = IN_FORCE
) -> Response:
    """What two mappings of a module say differently."""
    company = caller.settings
    with reading() as connection:
        before = _words(connection, company, module, one)
        after = _words(connection, company, module, other)
        newest = versions.newest(connection, company.name).get(module)
    shown = {
        "company": company,
        "module": module,
        "one": one,
        "other": other,
        "before": before,
        "after": after,
        "choices": range(newest.version if newest else 0, 0, -1),
        "words": differences(before.text, after.text),
        "told": told(before.text, after.text),
        "lines": lines(before.text, after.text, (before.file, after.file)),
    }
    return page(request, Page("mapping_compare.html"), **shown)


@router.get("/mappings/{company}/{module}/yaml")
def download(caller: See, module: str, which: str = IN_FORCE) -> Response:
    """A mapping as the file that it is in include/mappings/."""
    with reading() as connection:
        words = _words(connection, caller.settings, module, which)
    disposition = {"content-disposition": f'attachment; filename="{module}.yaml"'}
    return Response(words.text, media_type="application/yaml", headers=disposition)


@router.post("/mappings/{company}/{module}/store")
def store(request: Request, caller: Configure, module: str, sent: Stored) -> Response:
    """Store a mapping as the next version; it is not in force by that."""
    note = "".join(letter for letter in sent.note if letter.isprintable())[:LONGEST_NOTE]
    new = New(module, _unix(sent.content), sent.based_on, caller.name, "upload", note)
    try:
        with writing() as connection:
            stored = in_force.store(connection, caller.settings, new)
    except MappingOutdated:
        raise
    except SettingsError as error:
        return refusal(request, _by_line(error))
    return go(_way(caller.company, module), in_force.said_of(new, stored))


@router.post("/mappings/{company}/{module}/use")
def use(caller: Configure, module: str, sent: Used) -> Response:
    """Put a version, or the file, in force."""
    company, number = caller.settings, None if sent.which == FILE else _number(sent.which)
    with writing() as connection:
        in_force.require_last_choice(connection, company, module, sent.seen)
        in_force.use(connection, company, module, number, caller.name)
    what = "The file" if number is None else f"Version {number}"
    return go(_way(caller.company, module), f"{what} is in force from the next run on.")


@router.post("/mappings/{company}/{module}/restore")
def restore(caller: Configure, module: str, sent: Restored) -> Response:
    """Make an earlier version the newest, and put it in force."""
    company = caller.settings
    with writing() as connection:
        in_force.require_last_choice(connection, company, module, sent.seen)
        stored = in_force.restore(
            connection, company, module, sent.version, sent.based_on, caller.name
        )
    said = f"Version {sent.version} is back as version {stored.version}, in force from the next run"
    return go(_way(caller.company, module), f"{said} on.")


@router.post("/mappings/{company}/{module}/preview")
def preview(caller: Configure, module: str, sent: Previewed) -> Response:
    """Begin with the preview of a version, proven before."""
    company = caller.settings
    wanted = {module: sent.version}
    with reading() as connection:
        found = in_force.of(connection, company, wanted)
        fitting.require(connection, found.mappings, company, module)
        require_connected(connection, company)
    offer(caller, wanted)
    conf = {"modules": [module], "versions": wanted, "read": True}
    return begin(dag_id(company.name, "preview"), conf, f"started/{company.name}/")


def _glance(connection: Connection[Any], name: str) -> Glance:
    """A company whose file cannot be read keeps no other from being shown."""
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
        found = _taken(company, in_force.origins(connection, company))
    except SettingsError as error:
        return Glance(name, name, {}, {}, str(error))
    newest = versions.newest(connection, name)
    return Glance(name, company.title, found, newest, _problem(connection, company))


def _taken(company: Company, found: dict[str, Origin]) -> dict[str, Origin]:
    return {m: origin for m, origin in found.items() if company.takes(m, origin.by_name)}


def _origin(connection: Connection[Any], company: Company, module: str) -> Origin:
    found = _taken(company, in_force.origins(connection, company))
    if module not in found:
        raise HTTPException(404)
    return found[module]


def _problem(connection: Connection[Any], company: Company) -> str | None:
    """What keeps the mappings in force from being used. They are shown all the same: it is here
    that a person puts others in force."""
    try:
        in_force.of(connection, company)
    except SettingsError as error:
        return str(error)
    return None


def _listed(
    connection: Connection[Any], company: Company, module: str, before: int
) -> list[Listed]:
    """One more than is shown, if there are so many."""
    limits = {"before": before} if before > 0 else {}
    found = versions.versions(connection, company.name, module, limit=SHOWN + 2, **limits)
    return [
        Listed(version, told(earlier.content, version.content) if earlier else None)
        for version, earlier in zip_longest(found, found[1:])
    ][: SHOWN + 1]


def _words(connection: Connection[Any], company: Company, module: str, which: str) -> Written:
    """What a version says, the file, or what is in force."""
    origin = _origin(connection, company, module)
    if which in (FILE, IN_FORCE):
        return origin.filed if which == FILE else origin.used
    try:
        found = versions.version(connection, company.name, module, _number(which))
    except SettingsError:
        raise HTTPException(404) from None
    return Written(found.file, found.content)


def _number(which: str) -> int:
    if not (which.isascii() and which.isdigit() and len(which) < _DIGITS):
        raise HTTPException(404)
    return int(which)


def _unix(text: str) -> str:
    """A text with the ends of lines that a file has; a browser may send others."""
    return text.replace("\r\n", "\n")


def _by_line(error: SettingsError) -> Problem:
    """All that is wrong with a text, line by line beside it; what is said first stands above."""
    first, *problems = str(error).splitlines()
    said = "\n".join(problem.strip() for problem in problems)
    return Problem(422, "settings", first, {"content": said} if said else {})


def _way(company: str, module: str) -> str:
    return f"mappings/{part(company)}/{part(module)}"
