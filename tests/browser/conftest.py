"""A person in a real browser, before a real Airflow that has brought the sample company in."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    Request,
    Response,
    StorageState,
    TimeoutError,
    expect,
    sync_playwright,
)

from tests.real_airflow import Demo

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

PATIENCE = 240_000
"""Milliseconds until what is waited for counts as not coming. It guards against waiting for ever:
Airflow shares the machine with all other tests."""

expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class Airflow:
    """Where it is, and who may enter."""

    address: str
    user: str
    password: str
    crm: str


@pytest.fixture(scope="session")
def shown(request: pytest.FixtureRequest) -> Demo:
    """The demo that the browser looks at: the one of DEMO_HOME where that is set, else the tests'
    own."""
    if "DEMO_HOME" in os.environ:
        return Demo(Path(os.environ["DEMO_HOME"]))
    request.getfixturevalue("started")
    found: Demo = request.getfixturevalue("demo")
    return found


@pytest.fixture(scope="session")
def airflow(shown: Demo) -> Airflow:
    """The demo's Airflow."""
    return _airflow(shown.home.path)


def _airflow(home: Path) -> Airflow:
    settings = json.loads((home / "settings.json").read_text())
    address = f"http://127.0.0.1:{settings['airflow_port']}"
    crm = f"postgresql://crm:{settings['postgres_password']}@127.0.0.1:{settings['postgres_port']}/crm"
    return Airflow(address, "admin", settings["admin_password"], crm)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium; nothing is downloaded. As long as it is open, an event loop runs
    in this process, and another file's tests could not run one of theirs: each file opens its
    own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(airflow: Airflow) -> StorageState:
    """What a browser keeps once its user has signed in to Airflow."""
    who = {"username": airflow.user, "password": airflow.password}
    answer = requests.post(f"{airflow.address}/auth/token", json=who, timeout=30)
    answer.raise_for_status()
    cookie = {"name": "_token", "value": answer.json()["access_token"], "path": "/"}
    return {"cookies": [{**cookie, "domain": "127.0.0.1"}]}


@pytest.fixture(scope="module")
def unanswered() -> list[str]:
    """What the windows of a file's tests asked for and did not get."""
    return []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """A test that fails tells also what the browser did not get, and what Airflow said last."""
    report: pytest.TestReport = yield
    if report.failed and "unanswered" in item.funcargs:
        report.sections.append(("Not answered", "\n".join(item.funcargs["unanswered"][-50:])))
        log = item.funcargs["shown"].home.log("api-server").read_text(errors="replace")
        report.sections.append(("Airflow's API server", log[-4000:]))
    return report


@pytest.fixture(scope="module")
def window(
    chromium: Browser, airflow: Airflow, signed_in: StorageState, unanswered: list[str]
) -> Iterator[Page]:
    """A window with the user signed in to Airflow, for all tests of a file: Airflow takes seconds
    to come up in one."""

    def failed(request: Request) -> None:
        unanswered.append(f"{request.method} {request.url}: {request.failure}")

    def answered(response: Response) -> None:
        if response.status >= 500:
            unanswered.append(f"{response.request.method} {response.url}: {response.status}")

    with chromium.new_context(storage_state=signed_in) as context:
        context.set_default_timeout(PATIENCE)
        window = context.new_page()
        window.on("requestfailed", failed)
        window.on("response", answered)
        go_to(window, airflow.address, _link(window))
        yield window


def go_to(window: Page, address: str, sign: Locator) -> None:
    """Open a page of Airflow's."""
    window.goto(address)
    come_up(window, sign)


def come_up(window: Page, sign: Locator) -> None:
    """Wait for a page of Airflow's, and load it again where it does not come up, as a person would:
    of what it asks for as it starts it does without what it did not get."""
    try:
        sign.wait_for(timeout=60_000)
    except TimeoutError:
        window.reload()
        sign.wait_for()


@pytest.fixture
def page(window: Page) -> Iterator[Page]:
    """The window, with Airflow's navigation; the pages may not break their own rules."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    window.set_viewport_size({"width": 1400, "height": 900})
    window.on("console", hear)
    come_up(window, _link(window))
    yield window
    window.remove_listener("console", hear)
    assert [text for text in said if "Content Security Policy" in text] == []


def _link(page: Page) -> Locator:
    """To the pages, in Airflow's own navigation: its pages of a run and of a task have another."""
    return page.get_by_test_id("nav-sidebar").get_by_role("link", name="QuickBooks", exact=True)


@pytest.fixture
def pages(page: Page) -> FrameLocator:
    """The pages in Airflow's frame, at their start: opened from Airflow's navigation, or there
    since the test before."""
    shown = page.frame_locator("iframe")
    if "/plugin/quickbooks-activity" in page.url:
        shown.get_by_label("QuickBooks").get_by_role("link", name="Start").click()
    else:
        _link(page).click()
    shown.get_by_role("heading", name="QuickBooks", level=1).wait_for()
    return shown


@pytest.fixture
def activity(pages: FrameLocator) -> FrameLocator:
    """The Activity page."""
    pages.get_by_label("QuickBooks").get_by_role("link", name="Activity").click()
    pages.get_by_role("heading", name="Activity", level=1).wait_for()
    return pages
