"""The first page: the companies, how each stands, and its modules with what comes next."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection

from quickbooks_crm import companies, in_force, overview
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.overview import CompanyNow
from quickbooks_crm.pages import airflow_runs
from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import User, configured, may, readable

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def start(request: Request, user: User) -> Response:
    """The companies that the user may see."""
    names = readable(user, configured())
    with reading() as connection:
        found = [glance(connection, name) for name in names]
    runners = {name for name in names if may(user, "run", name)}
    waiting = airflow_runs.waiting(names)
    shown = {"companies": found, "runners": runners, "waiting": waiting, "most": overview.MOST}
    return page(request, Page("start.html"), **shown)


def glance(connection: Connection[Any], name: str) -> CompanyNow:
    """A company whose file cannot be read keeps no other from being shown."""
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
    except SettingsError as error:
        return CompanyNow(name, name, None, False, (), str(error))
    try:
        known = in_force.taken(connection, company)
    except SettingsError as error:
        return overview.at_a_glance(connection, company, (), str(error))
    return overview.at_a_glance(connection, company, list(known.values()))
