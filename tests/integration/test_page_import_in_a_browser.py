"""What the form of a mapping does by itself, in a real browser; no scheduler is needed for that."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, expect, sync_playwright
from psycopg import Connection

from tests.browser.conftest import QUIET
from tests.integration.test_page_import import op

__all__ = ["op"]

# Airflow's own way of reading .airflowignore.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]

PATIENCE = 30_000
MODE, MIDDLE = "[name='settings:mode']", "[name='source:middle_names']"


@pytest.fixture
def address(web: FastAPI) -> Iterator[str]:
    """Where Airflow's web application answers."""
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
def page(
    op: httpx.Client, address: str, token: Callable[[str], str], connection: Connection[Any]
) -> Iterator[Page]:
    """The form of the accounts' mapping, never loaded, in a narrow window; the table has two fields
    that the mapping leaves out."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    connection.execute("ALTER TABLE crm.accounts ADD suffix text, ADD middle_names text")
    connection.commit()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        with browser.new_context(viewport={"width": 420, "height": 800}) as context:
            context.add_cookies([{"name": "_token", "value": token("op"), "url": address}])
            shown = context.new_page()
            shown.set_default_timeout(PATIENCE)
            wrong: list[str] = []
            shown.on("console", lambda message: wrong.append(message.text))
            shown.on("pageerror", lambda error: wrong.append(str(error)))
            shown.goto(f"{address}/quickbooks-crm/import/sample/accounts")
            yield shown
            assert wrong == []
        browser.close()


def test_the_form_is_on_its_persons_side(page: Page, token: Callable[[str], str]) -> None:
    """What is called the same is taken before the first load, what is nearly so only by a button;
    an Enter starts nothing; a reload loses nothing, and shows nothing to somebody else; and it fits
    a narrow window."""
    expect.set_options(timeout=PATIENCE)
    expect(page.get_by_label("QuickBooks field for Suffix", exact=True)).to_have_value("Suffix")
    expect(page.locator(MIDDLE)).to_have_value("")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    before = page.url
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("button", name="Middle name for Middle names").click()
    page.locator(MODE).select_option("create")
    expect(page.get_by_text("has no use with mode create")).to_be_visible()
    assert page.url == before

    page.reload()
    expect(page.get_by_text("What you had filled in before is here again")).to_be_visible()
    expect(page.locator(MODE)).to_have_value("create")
    expect(page.locator(MIDDLE)).to_have_value("MiddleName")

    mine, theirs = page.context.cookies()[0], {"value": token("admin")}
    page.context.add_cookies([{**mine, **theirs}])
    page.reload()
    expect(page.locator(MODE)).to_have_value("merge")
    assert page.evaluate("Object.keys(sessionStorage)") == []

    page.context.add_cookies([mine])
    page.reload()
    page.locator(MODE).select_option("create")
    page.reload()
    expect(page.locator(MODE)).to_have_value("create")
    page.get_by_role("button", name="Discard it").click()
    expect(page.locator(MODE)).to_have_value("merge")
    expect(page.locator(MIDDLE)).to_have_value("")


def test_what_is_stored_can_be_left_for_what_is_in_force(page: Page) -> None:
    expect.set_options(timeout=PATIENCE)
    page.locator(MIDDLE).select_option("MiddleName")
    page.get_by_role("button", name="Store without importing").click()

    expect(page.get_by_text("Stored as version 1.")).to_be_visible()
    expect(page.locator(MIDDLE)).to_have_value("MiddleName")
    page.get_by_role("link", name="Begin with what is in force instead").click()
    expect(page.locator(MIDDLE)).to_have_value("")
