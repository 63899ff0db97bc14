"""A person in a real browser, before a real Airflow that has brought the sample company in."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    FrameLocator,
    Page,
    StorageState,
    ViewportSize,
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


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, airflow: Airflow) -> StorageState:
    """What a browser keeps once its user has signed in to Airflow."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(airflow.address)
        page.fill("input[name=username]", airflow.user)
        page.fill("input[name=password]", airflow.password)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="QuickBooks", exact=True).wait_for()
        return context.storage_state()


@pytest.fixture
def page(chromium: Browser, airflow: Airflow, signed_in: StorageState) -> Iterator[Page]:
    """A window with the user signed in to Airflow; the pages may not break their own rules."""
    size: ViewportSize = {"width": 1400, "height": 900}
    with chromium.new_context(viewport=size, storage_state=signed_in) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(airflow.address)
        page.get_by_role("link", name="QuickBooks", exact=True).wait_for()
        yield page
        assert [text for text in said if "Content Security Policy" in text] == []


@pytest.fixture
def activity(page: Page) -> FrameLocator:
    """The Activity page, opened from Airflow's navigation."""
    page.get_by_role("link", name="QuickBooks", exact=True).click()
    shown = page.frame_locator("iframe")
    shown.get_by_role("link", name="Activity").click()
    shown.get_by_role("heading", name="Activity").wait_for()
    return shown
