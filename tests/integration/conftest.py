"""A browser before the pages, inside Airflow's own application and behind its login."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import PATIENCE, QUIET
from tests.integration.isolated import each_stands_alone
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
    """A browser in which nobody is signed in; Airflow knows the CRM database. Whatever it is shown,
    no text that is written from the right turns another around."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update
    from starlette.testclient import TestClient

    with create_session() as session:  # tests of DAGs leave them switched off
        session.execute(update(DagModel).values(is_paused=False))
    browser = TestClient(web, base_url="http://127.0.0.1", follow_redirects=False)
    browser.event_hooks["response"].append(each_stands_alone)
    yield browser


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


@pytest.fixture
def address(web: FastAPI) -> Iterator[str]:
    """Where Airflow's web application answers a real browser."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(web, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def window(anonymous: httpx.Client, address: str, token: Callable[[str], str]) -> Iterator[Page]:
    """A narrow window of a real browser in which an op is signed in. Nothing goes wrong in it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        with browser.new_context(viewport={"width": 420, "height": 800}) as context:
            context.add_cookies([{"name": "_token", "value": token("op"), "url": address}])
            shown = context.new_page()
            shown.set_default_timeout(PATIENCE)
            wrong: list[str] = []
            shown.on("console", lambda message: wrong.append(message.text))
            shown.on("pageerror", lambda error: wrong.append(str(error)))
            yield shown
            assert wrong == []
        browser.close()
