"""Who may see and do what on the pages: walked over every route there is, and every role."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from fastapi.routing import APIRoute
from psycopg import Connection

from tests.integration.runs import REALM, counted, ended, started

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

OF_ALL_COMPANIES = {
    "/",
    "/activity",
    "/assets/{name}",
    "/connections",
    "/health",
    "/import",
    "/mappings",
    "/records",
}
"""Routes about no company: they show each user their own."""

BY_RUN = {
    "/runs/{realm}/{run_id}",
    "/runs/{realm}/{run_id}/{module}",
    "/csv/{realm}/{run_id}",
    "/airflow/{dag}/{run_id}",
}
"""Routes about the company of a run: they look up whose it is."""

BY_STATE = {"/callback"}
"""Routes about the company that a person was sent to Intuit for: the state tells which it is."""

ROLES = {
    "see": ("viewer", "user", "op", "admin"),
    "run": ("user", "op", "admin"),
    "configure": ("op", "admin"),
}
"""Airflow's roles that have each permission."""

FROM_A_PAGE = {"sec-fetch-site": "same-origin", "content-type": "application/json"}


@pytest.fixture
def routes(crm: str) -> list[APIRoute]:
    """Every route of the pages, also those of tomorrow."""
    from quickbooks_crm.pages.app import app

    found = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(found) == len(app.routes) >= 5
    return found


def test_every_route_but_that_of_the_looks_refuses_who_is_not_signed_in(
    anonymous: httpx.Client, routes: list[APIRoute]
) -> None:
    closed = [route for route in routes if route.path != "/assets/{name}"]
    answers = {route.path: _ask(anonymous, route).status_code for route in closed}

    assert answers == dict.fromkeys(answers, 401)
    assert len(closed) == len(routes) - 1


def test_every_route_has_a_permission_or_is_about_no_one_company(routes: list[APIRoute]) -> None:
    without = {route.path for route in routes if not _permissions(route)}

    assert without <= OF_ALL_COMPANIES | BY_RUN | BY_STATE


def test_what_changes_something_asks_for_more_than_to_see(routes: list[APIRoute]) -> None:
    changing = [route for route in routes if route.methods - {"GET", "HEAD"}]

    assert [r.path for r in changing if not set(_permissions(r)) & {"run", "configure"}] == []


@pytest.mark.parametrize("role", ["viewer", "user", "op", "admin"])
def test_a_route_is_closed_to_the_roles_without_its_permission(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    routes: list[APIRoute],
    role: str,
) -> None:
    signed_in_as(role)
    closed = {
        f"{method} {route.path}"
        for route in routes
        for method in route.methods
        if _ask(anonymous, route).status_code == 403
    }

    assert closed == {
        f"{method} {route.path}"
        for route in routes
        for method in route.methods
        if any(role not in ROLES[permission] for permission in _permissions(route))
    }


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="another site"),
        pytest.param({"sec-fetch-site": "none"}, id="no page at all"),
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "null"}, id="an origin that hides"),
        pytest.param({}, id="nobody says"),
    ],
)
def test_only_the_pages_themselves_may_change_something(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    routes: list[APIRoute],
    header: dict[str, str],
) -> None:
    signed_in_as("admin")
    sent = {"content-type": "application/json", **header}

    assert {_ask(anonymous, route, sent).status_code for route in _changing(routes)} <= {403}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_changes_something(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    routes: list[APIRoute],
    kind: str,
) -> None:
    signed_in_as("admin")
    sent = {"sec-fetch-site": "same-origin", "content-type": kind}

    assert {_ask(anonymous, route, sent).status_code for route in _changing(routes)} <= {415}


def test_no_route_shows_or_does_anything_of_a_company_that_a_user_may_not_see(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    routes: list[APIRoute],
    connection: Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SimpleAuthManager, "filter_authorized_dag_ids", lambda *_, **__: set())
    started(connection, "run-1")
    counted(connection, "run-1", "products", not_added=1)
    why = {"reason": "invalid_value", "message": "It is Garden Ltd's."}
    ended(connection, "run-1", "products", "7", "not_added", **why)
    connection.commit()
    signed_in_as("admin")

    answers = {route.path: _ask(anonymous, route, of=THEIRS) for route in routes}

    told = [path for path, one in answers.items() if re.search("Sample|Garden|run-1", one.text)]
    open_ones = {path for path, one in answers.items() if one.status_code not in (403, 404)}
    assert told == []
    assert open_ones == OF_ALL_COMPANIES - {"/assets/{name}"} | BY_STATE


THEIRS = {
    "realm": REALM,
    "run_id": "run-1",
    "module": "products",
    "dag": "quickbooks_to_crm_sample",
}


def _changing(routes: list[APIRoute]) -> list[APIRoute]:
    return [route for route in routes if route.methods - {"GET", "HEAD"}]


def _permissions(route: APIRoute) -> list[str]:
    return list(_asked(route.dependant))


def _asked(dependant: Any) -> Iterator[str]:
    for part in dependant.dependencies:
        if permission := getattr(part.call, "permission", None):
            yield permission
        yield from _asked(part)


def _ask(
    browser: httpx.Client,
    route: APIRoute,
    headers: dict[str, str] = FROM_A_PAGE,
    of: Mapping[str, str] = MappingProxyType({}),
) -> httpx.Response:
    """The answer of a route, for the sample company and otherwise something that is not there."""
    path = route.path.replace("{company}", "sample")
    for name, given in of.items():
        path = path.replace(f"{{{name}}}", given)
    [method] = route.methods
    address = f"/quickbooks-crm{re.sub(r'{[^}]+}', 'nothing', path)}"
    return browser.request(method, address, headers=headers, content=b"{}")
