"""Who may see and do what: the only module that knows Airflow's web security, no stable interface.

Three permissions, each tied to a right that Airflow's own login manager gives:

- see: to read the DAG of a company's sync; without it the company is not there
- run: to start runs of that DAG
- configure: to change the Airflow connection that leads to the company
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow._shared.secrets_masker import mask_secret
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models.connection import Connection as AirflowConnection
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickbooks_crm import companies
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError

Permission = Literal["see", "run", "configure"]


async def signed_in(request: Request, user: Annotated[Any, Depends(get_user)]) -> Any:
    """The dependency that gives the user; it answers 401 where nobody is signed in. The request
    knows from then on whose it is."""
    request.state.whose = str(user.get_id())
    return user


User = Annotated[Any, Depends(signed_in)]

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

_RUNS_OF_OWN = {
    "reconcile": "reconcile",
    "preview": "preview",
    **dict.fromkeys(("retry", "replay", "undo"), "correct"),
}


@dataclass(frozen=True)
class Caller:
    """Who asks for a page about a company that has a file, and what they may do there."""

    user: Any
    company: str

    @property
    def name(self) -> str:
        """The user's name, as it stands in the activity log."""
        return str(self.user.get_name())

    def may(self, permission: Permission) -> bool:
        return may(self.user, permission, self.company)

    @property
    def settings(self) -> Company:
        """The company's file. Raises `SettingsError` when it cannot be read."""
        return companies.load_one(companies.INCLUDE / "companies", self.company)


def caller(permission: Permission) -> Callable[..., Caller]:
    """The dependency of a route about the company in its path: 404 where the user may not see it or
    it has no file, 403 where they may see it but not do this."""

    def ask(company: str, user: User) -> Caller:
        if company not in configured() or not readable(user, [company]):
            raise HTTPException(404)
        if not may(user, permission, company):
            raise HTTPException(403)
        return Caller(user, company)

    ask.permission = permission  # type: ignore[attr-defined]  # a test asks every route for it
    return ask


See = Annotated[Caller, Depends(caller("see"))]
Run = Annotated[Caller, Depends(caller("run"))]
Configure = Annotated[Caller, Depends(caller("configure"))]


def configured() -> list[str]:
    """The companies that have a file."""
    return companies.names(companies.INCLUDE / "companies")


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


def may(user: Any, permission: Permission, company: str) -> bool:
    """Whether the user has a permission for a company."""
    if permission == "see":
        return bool(readable(user, [company]))
    if permission == "run":
        return _may_run(user, dag_id(company))
    return _may_change_connection(user, company)


def _may_run(user: Any, dag: str) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="POST",
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag, team_name=DagModel.get_team_name(dag)),
        user=user,
    )


def _may_change_connection(user: Any, company: str) -> bool:
    """Of a company whose file cannot be read: whether the user may change just any connection."""
    try:
        name = companies.load_one(companies.INCLUDE / "companies", company).quickbooks
    except SettingsError:
        name = None
    team = AirflowConnection.get_team_name(name) if name else None
    details = ConnectionDetails(conn_id=name, team_name=team)
    return get_auth_manager().is_authorized_connection(method="PUT", details=details, user=user)


def dag_id(company: str, kind: str = "sync") -> str:
    """The DAG that does this kind of run for a company; the sync's where there is none of its
    own."""
    own = _RUNS_OF_OWN.get(kind)
    return f"{own}_{company}" if own else f"quickbooks_to_crm_{company}"


def dag_ids(company: str) -> list[str]:
    """All DAGs of a company whose runs people start."""
    return [dag_id(company, kind) for kind in ("sync", *_RUNS_OF_OWN)]


def company_of(dag: str) -> str | None:
    """The company whose runs a DAG of Airflow makes, if any of those that have a file."""
    return next((company for company in configured() if dag in dag_ids(company)), None)


def from_these_pages(request: Request) -> None:
    """The dependency of everything that may change something: it takes JSON only, sent by a page of
    this very Airflow. A form of another site can send neither; a program with a token of its own
    in the header is nobody's page, and may."""
    if request.method in ("GET", "HEAD"):
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415)
    if not (_same_site(request) or request.headers.get("authorization")):
        raise HTTPException(403)


def _same_site(request: Request) -> bool:
    """What the browser says of who sends; older ones name only the origin."""
    told = request.headers.get("sec-fetch-site")
    if told is not None:
        return told == "same-origin"
    origin = urlsplit(request.headers.get("origin", "")).netloc
    return bool(origin) and origin == request.headers.get("host")


def keep_out_of_logs(*words: str) -> None:
    """Whatever this process logs from now on: these words in it become stars."""
    for word in words:
        mask_secret(word)


def airflows_address() -> str:
    """Where browsers find this Airflow, as its own settings say: what a request says of it, anybody
    may have written. Raises `SettingsError` when they do not."""
    address = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise SettingsError(
            "Airflow does not know its own address, to which Intuit has to send people back. Write "
            "it into AIRFLOW__API__BASE_URL, such as https://airflow.example.com, and start "
            "Airflow's API server again."
        )
    return address


class Unlogged:
    """Middleware that takes what Intuit sends a browser back with out of the address, once it was
    read: Airflow's web server logs every address that was asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if scope.get("path", "").endswith("/callback"):
                scope["query_string"] = b""


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
