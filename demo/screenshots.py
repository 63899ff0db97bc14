"""Takes the pictures of the pages in docs/images, by walking the way of docs/quickstart.md.

    python -m demo.screenshots

It starts a demo of its own with the sample company, walks in the machine's Chromium, and takes the
demo away again; or it walks in the fresh one of DEMO_HOME, where that is set. The company is always
the same; moments, and what follows from them, are not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import FloatRect, FrameLocator, Page, expect, sync_playwright

from demo import settings as settings_file
from demo.home import PROJECT, Home
from demo.settings import Settings

IMAGES = PROJECT / "docs" / "images"
WIDTH, HIGHEST = 1200, 1000
LARGEST = 150_000
"""Bytes of a picture: people clone them."""

IN_AIRFLOW = 180_000
"""Milliseconds that a run in Airflow may take."""

WORKING = 8
"""Seconds that QuickBooks takes to answer, so that a preview is seen at work."""


class Pictures:
    """The pictures, taken of the pages themselves: without Airflow around them one sees more."""

    def __init__(self, page: Page, pages: str) -> None:
        self.page, self.pages = page, pages

    def open(self, way: str) -> Page:
        """Go to a page."""
        self.page.goto(f"{self.pages}{way}")
        return self.page

    def take(self, name: str, highest: int = HIGHEST) -> None:
        """Keep a page from its beginning."""
        self.page.wait_for_load_state("networkidle")
        height = min(self.page.evaluate("document.body.scrollHeight"), highest)
        self._keep(name, {"x": 0, "y": 0, "width": WIDTH, "height": height}, whole=True)

    def take_window(self, name: str) -> None:
        """Keep what is in the window."""
        self.page.wait_for_load_state("networkidle")
        self._keep(name, {"x": 0, "y": 0, "width": WIDTH, "height": HIGHEST}, whole=False)

    def _keep(self, name: str, shown: FloatRect, whole: bool) -> None:
        path = IMAGES / f"{name}.png"
        self.page.screenshot(path=path, clip=shown, full_page=whole, animations="disabled")
        size = path.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{path} has {size:,} bytes, more than {LARGEST:,}: show less of it.")
        print(f"  {size:8,} bytes  {path.relative_to(PROJECT)}")


def main() -> None:
    """Walk, and take them all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with _demo() as settings, _window() as page:
        _in_airflow(page, settings)
        pictures = Pictures(page, f"{settings.airflow}/quickbooks-crm/")
        _before(pictures)
        _change(settings)
        _import(pictures, settings)
        _after(pictures)
        _browse(pictures)
        _same(pictures)
        _undo(pictures)
        _nowhere(pictures)


def _in_airflow(page: Page, settings: Settings) -> None:
    """Sign in, and see the pages where people find them."""
    page.goto(settings.airflow)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", settings.admin_password)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="QuickBooks", exact=True).click()
    pages: FrameLocator = page.frame_locator("iframe")
    expect(pages.get_by_text("connected to QuickBooks")).to_be_visible(timeout=30_000)
    Pictures(page, "").take_window("airflow")


def _before(pictures: Pictures) -> None:
    for way, name in (("", "start"), ("connections", "connections"), ("import", "import")):
        pictures.open(way)
        pictures.take(name)


def _change(settings: Settings) -> None:
    """Somebody writes a note in QuickBooks."""
    changed = {"entity": "Customer", "id": "1", "fields": {"Notes": "Called, wants an offer"}}
    _control(settings, "change", changed)


def _control(settings: Settings, what: str, how: Mapping[str, object]) -> None:
    """Have the simulator do something."""
    url = f"{settings.quickbooks}/control/{what}"
    requests.post(url, json=how, timeout=30).raise_for_status()


def _import(pictures: Pictures, settings: Settings) -> None:
    """Add a field, map it, and import with it."""
    page = pictures.open("import/sample/accounts")
    pictures.take("fields")
    page.get_by_text("QuickBooks fields that go nowhere").click()
    page.get_by_role("button", name="Add New Field… for Name on checks").click()
    pictures.take_window("new-field")
    page.get_by_role("button", name="Add the field").click()
    expect(page.get_by_text("Added Name on checks.")).to_be_visible(timeout=30_000)
    page.get_by_role("heading", name="Import settings").scroll_into_view_if_needed()
    page.get_by_role("button", name="Start import").scroll_into_view_if_needed()
    pictures.take_window("settings")
    _control(settings, "fail", {"status": 0, "seconds": WORKING})
    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_text("Nothing is changed yet.")).to_be_visible(timeout=IN_AIRFLOW)
    pictures.take("started")
    yes = page.get_by_role("button", name="Yes, import")
    expect(yes).to_be_visible(timeout=IN_AIRFLOW)
    pictures.take("question")
    yes.click()
    expect(page.get_by_text("Imported. Accounts:")).to_be_visible(timeout=IN_AIRFLOW)
    pictures.take("imported")


def _after(pictures: Pictures) -> None:
    """What the import did, and the records."""
    page = pictures.page
    page.get_by_role("link", name="The whole activity of this run").click()
    pictures.take("run")
    page.get_by_role("row").filter(has_text="accounts").get_by_role("link").last.click()
    page.get_by_role("navigation", name="Outcomes").wait_for()
    pictures.take("rows")
    page.get_by_role("row").filter(has_text="Customer 1").first.get_by_role("link").click()
    page.get_by_role("heading", name="History").wait_for()
    pictures.take("record", 1125)
    pictures.open("activity")
    pictures.take("activity")
    pictures.open("charts/sample")
    pictures.take("charts")
    pictures.open("records/sample/accounts")
    pictures.take("records")


def _browse(pictures: Pictures) -> None:
    """The pages that the way to the first import does not come by."""
    for way, name in (
        ("records", "modules"),
        ("records/sample/accounts/review", "review"),
        ("mappings", "mappings"),
        ("mappings/sample/accounts", "mapping"),
        ("mappings/sample/accounts/compare?one=file&other=in-force", "compare"),
        ("health", "health"),
    ):
        pictures.open(way)
        pictures.take(name)


def _same(pictures: Pictures) -> None:
    """Another QuickBooks record for a CRM record, only looked at."""
    page = pictures.open("records/sample/accounts")
    page.get_by_role("link", name="Lindqvist Auto Repair LLC").first.click()
    page.get_by_role("link", name="This is the same as…").click()
    page.get_by_role("searchbox").fill("Lindqvist")
    page.get_by_role("button", name="Search").click()
    compare = page.get_by_role("link", name="Compare with Customer").first
    expect(compare).to_be_visible(timeout=30_000)
    pictures.take("same-as")
    compare.click()
    page.get_by_role("button", name="They are the same…").wait_for()
    pictures.take("same", 1125)


def _undo(pictures: Pictures) -> None:
    """What an undo of the import would do, and a No to it."""
    page = pictures.open("activity")
    page.get_by_role("row").filter(has_text="a Yes").get_by_role("link").first.click()
    page.get_by_role("button", name="Undo this run").click()
    page.get_by_role("button", name="Show what would be undone").click()
    no = page.get_by_role("button", name="No, change nothing")
    expect(no).to_be_visible(timeout=IN_AIRFLOW)
    pictures.take("undo")
    no.click()
    expect(page.get_by_text("Not done.")).to_be_visible(timeout=IN_AIRFLOW)


def _nowhere(pictures: Pictures) -> None:
    """An address that leads nowhere."""
    pictures.open("records/sample/nothing")
    pictures.take("nowhere")


@contextmanager
def _demo() -> Iterator[Settings]:
    """A demo of its own, gone in the end, or the one of DEMO_HOME."""
    if "DEMO_HOME" in os.environ:
        yield _settings(Path(os.environ["DEMO_HOME"]))
        return
    with tempfile.TemporaryDirectory(prefix="quickbooks-crm-screenshots-") as place:
        try:
            _run("up", place)
            yield _settings(Path(place))
        finally:
            _run("down", place)


def _settings(place: Path) -> Settings:
    settings = settings_file.load(Home(place))
    if settings is None:
        raise SystemExit(f"There is no demo in {place}.")
    return settings


def _run(what: str, place: str) -> None:
    own = {**os.environ, "DEMO_HOME": place, "RESET": "1"}
    subprocess.run([sys.executable, "-m", "demo", what], cwd=PROJECT, env=own, check=True)


@contextmanager
def _window() -> Iterator[Page]:
    """A window of the machine's own Chromium, in the light look."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("There is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        window = browser.new_page(
            viewport={"width": WIDTH, "height": HIGHEST}, color_scheme="light"
        )
        yield window
        browser.close()


if __name__ == "__main__":
    main()
