"""Who may see what: the only module that knows Airflow's web security, no stable interface."""

from collections.abc import Iterable
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dag import DagModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

signed_in = get_user
"""The dependency that gives the user; it answers 401 where nobody is signed in."""

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def readable(user: Any, companies: Iterable[str]) -> list[str]:
    """Those of the companies whose DAG the user may read; for him there are no others."""
    wanted = {dag_id(company): company for company in companies}
    teams = DagModel.get_dag_id_to_team_name_mapping(list(wanted))
    ids_of: dict[str | None, set[str]] = {}
    for dag in wanted:
        ids_of.setdefault(teams.get(dag), set()).add(dag)
    allowed: set[str] = set()
    for team, ids in ids_of.items():
        allowed |= get_auth_manager().filter_authorized_dag_ids(
            dag_ids=ids, user=user, method="GET", team_name=team
        )
    return [company for dag, company in wanted.items() if dag in allowed]


def dag_id(company: str, kind: str = "sync") -> str:
    """The DAG that brings a company's QuickBooks into the CRM, or the one that compares or
    previews."""
    return (
        f"{kind}_{company}" if kind in ("reconcile", "preview") else f"quickbooks_to_crm_{company}"
    )


class Headers:
    """Middleware that says on every answer what a browser may do with it: nothing but show it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *said]
            await send(message)

        await self.app(scope, receive, send_with_headers)
