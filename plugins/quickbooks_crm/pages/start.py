"""The first page: the companies, and what can be done with each."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.security import User, configured, readable

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def start(request: Request, user: User) -> Response:
    """The companies that the user may see."""
    return page(request, Page("start.html"), companies=readable(user, configured()))
