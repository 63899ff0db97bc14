"""The page of the companies' connections to QuickBooks: how each stands, and its button to connect,
by Intuit's own consent page and back."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg import Connection

from quickbooks_crm import companies, connecting, overview
from quickbooks_crm.connecting import Answer, Ended, Person
from quickbooks_crm.errors import ConsentRefused, QuickBooksError, SettingsError
from quickbooks_crm.pages import FRAMED
from quickbooks_crm.pages.looks import Page, go, leave, page
from quickbooks_crm.pages.often import Seldom
from quickbooks_crm.pages.reaching import reading, with_others
from quickbooks_crm.pages.security import (
    Configure,
    User,
    airflows_address,
    configured,
    keep_out_of_logs,
    may,
    readable,
)
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.status import Status, status

router = APIRouter()

SELDOM = Seldom(20, seconds=60)
"""How often a person may leave for Intuit, come back, or disconnect."""


@dataclass(frozen=True)
class Shown:
    """A company's connection: what people call the company, the Airflow connection's name, how it
    stands, how the newest consent ended, and whether the user may change it."""

    title: str
    connection: str
    status: Status
    last: Ended | None
    changeable: bool


@router.get("/connections", response_class=HTMLResponse)
def connections(request: Request, user: User) -> Response:
    """How the connection of each of the user's companies stands."""
    seen = readable(user, configured())
    with reading() as connection:
        ended = connecting.last(connection, seen)
        shown = [_shown(connection, user, name, ended.get(name)) for name in seen]
    redirect_uri, problem = _told_redirect_uri() if any(s.changeable for s in shown) else ("", "")
    told = {"redirect_uri": redirect_uri, "address_problem": problem}
    return page(request, Page("connections.html"), shown=shown, **told)


@router.post("/connections/{company}/connect", dependencies=[Depends(SELDOM)])
def connect(caller: Configure) -> Response:
    """Send the browser to Intuit, where a person lets the app read the company."""
    redirect_uri = _redirect_uri()
    with with_others() as connection:
        who = _person(caller.user)
        return leave(connecting.begin(connection, caller.settings, who, redirect_uri))


@router.post("/connections/{company}/disconnect", dependencies=[Depends(SELDOM)])
def disconnect(caller: Configure) -> Response:
    """End the login, at Intuit too."""
    with with_others() as connection:
        ended = connecting.disconnect(connection, caller.settings)
    said = "is disconnected" if ended else "was disconnected before"
    return go("connections", f"{caller.settings.title} {said}.")


@router.get("/callback", dependencies=[Depends(SELDOM)])
def callback(
    request: Request,
    user: User,
    state: str = "",
    code: str = "",
    realm: Annotated[str, Query(alias="realmId")] = "",
    error: str = "",
) -> Response:
    """Where Intuit sends the browser back to: a window of its own, so the next page is the one in
    Airflow's frame. The state is what guards it."""
    who = _person(user)
    answer = Answer(state, code, realm, error)
    try:
        with with_others() as connection:
            _require_configure(connection, user, answer, who)
            connecting.come_back(connection, answer, who)
    except ConsentRefused as refused:
        return page(request, Page("came_back.html", 409), message=str(refused), **_ways())
    except QuickBooksError as failure:
        again = request.url.query
        return page(request, Page("came_back.html", 503), message=str(failure), **_ways(again))
    return RedirectResponse(f"../{FRAMED}/connections", 303)


def _require_configure(connection: Connection[Any], user: Any, answer: Answer, who: Person) -> None:
    """The right may have been taken from them since they left for Intuit. A state that belongs to
    a consent is a secret, a made-up one is none."""
    with connection.transaction():
        company = connecting.company_of(connection, answer.state, who)
    if company not in configured() or not may(user, "configure", company):
        raise HTTPException(403)
    keep_out_of_logs(answer.state, answer.code)


def _ways(again: str = "") -> dict[str, str]:
    """Where one may go from here."""
    return {"again": again, "framed": FRAMED}


def _person(user: Any) -> Person:
    return Person(str(user.get_id()), str(user.get_name()))


def _redirect_uri() -> str:
    return f"{airflows_address()}/quickbooks-crm/callback"


def _told_redirect_uri() -> tuple[str, str]:
    """The address to register at Intuit, or why there is none."""
    try:
        return _redirect_uri(), ""
    except SettingsError as error:
        return "", str(error)


def _shown(connection: Connection[Any], user: Any, name: str, last: Ended | None) -> Shown:
    title, airflows, realm, problem = name, "", None, None
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
        title, airflows = company.title, company.quickbooks
        realm = QuickBooksHook(company.quickbooks).connection_settings().realm
        overview.require_own(connection, name, realm)
    except SettingsError as error:
        realm, problem = None, str(error)
    found = status(connection, name, realm, problem=problem)
    return Shown(title, airflows, found, last, may(user, "configure", name))
