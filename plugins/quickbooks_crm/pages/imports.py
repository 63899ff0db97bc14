"""Import: pick a module, map its fields, and start."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import fitting, overview
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.pages import airflow_runs, modules
from quickbooks_crm.pages.looks import Page, begin, page
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import Run, See, User, configured, dag_id, readable
from quickbooks_crm.pages.start import glance

router = APIRouter()


class Start(BaseModel):
    """What a person chose before they started an import."""

    model_config = ConfigDict(extra="forbid")
    read: bool = True


@router.get("/import", response_class=HTMLResponse)
def pick(request: Request, user: User) -> Response:
    """The modules that can be imported, and the previews that wait for an answer."""
    names = readable(user, configured())
    with reading() as connection:
        found = [glance(connection, name) for name in names]
    waiting = airflow_runs.waiting(names)
    return page(request, Page("pick.html"), companies=found, waiting=waiting)


@router.get("/import/{company}/{module}", response_class=HTMLResponse)
def fields(request: Request, caller: See, module: str) -> Response:
    """The fields of a module: what of QuickBooks goes into what of the CRM."""
    with reading() as connection:
        company = caller.settings
        known = modules.taken(connection, company)
        if module not in known:
            raise HTTPException(404)
    return page(request, Page("fields.html"), company=company, module=module, may=caller.may)


@router.post("/import/{company}/{module}/start")
def start(caller: Run, module: str, asked: Start) -> Response:
    """Prove that an import can begin, and begin with its preview."""
    with reading() as connection:
        company = caller.settings
        known = modules.taken(connection, company)
        if module not in known:
            raise HTTPException(404)
        _require_connected(connection, company)
        fitting.parted(connection, known, company, (module,))
    conf = {"modules": [module], "read": asked.read}
    return begin(dag_id(company.name, "preview"), conf, f"started/{company.name}/")


def _require_connected(connection: Connection[Any], company: Company) -> None:
    if not overview.connected(connection, company):
        raise SettingsError(
            f"{company.title} is not connected to QuickBooks, so nothing can be imported. Connect "
            "it on the page Connections, then start again."
        )
