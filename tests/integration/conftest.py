"""A browser before the pages, inside Airflow's own application and behind its login."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI

from tests.integration.runs import REALM


@pytest.fixture(scope="session")
def web(airflow_metadata: None) -> Iterator[FastAPI]:
    """Airflow's web application with its simple login and a user of each role."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv(
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin,op:op,user:user,viewer:viewer"
        )
        from airflow.api_fastapi.app import create_app, purge_cached_app

        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def token(web: FastAPI) -> Callable[[str], str]:
    """A user's token, as Airflow's login hands it out."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def make(name: str) -> str:
        user = SimpleAuthManagerUser(username=name, role=name)
        return get_auth_manager().generate_jwt(user)

    return make


@pytest.fixture
def anonymous(web: FastAPI, crm: str) -> Iterator[httpx.Client]:
    """A browser in which nobody is signed in; Airflow knows the CRM database."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update
    from starlette.testclient import TestClient

    with create_session() as session:  # tests of DAGs leave them switched off
        session.execute(update(DagModel).values(is_paused=False))
    yield TestClient(web, base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def viewer(anonymous: httpx.Client, token: Callable[[str], str]) -> httpx.Client:
    """A browser in which somebody is signed in who may look, and no more."""
    anonymous.cookies.set("_token", token("viewer"))
    return anonymous


@pytest.fixture
def signed_in_as(anonymous: httpx.Client, token: Callable[[str], str]) -> Callable[[str], None]:
    """Signs the browser in as the user of a role: viewer, user, op or admin."""
    return lambda role: anonymous.cookies.set("_token", token(role))


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow knows the way to the company, and the first token of a login."""
    extra = {"environment": "sandbox", "realm_id": REALM, "refresh_token": "a first token"}
    known = {"conn_type": "quickbooks", "login": "id", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", json.dumps(known))
