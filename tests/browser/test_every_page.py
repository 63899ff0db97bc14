"""Every page, for who does not see it well or at all, uses no mouse, or has a small window."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState

from tests import walking
from tests.browser.conftest import Airflow
from tests.real_airflow import Demo

pytestmark = [
    pytest.mark.slow,
    # Airflow's own way of reading .airflowignore.
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]

NOT_LINKED = {"/callback", "/corrections/{company}/{run_id}", "/airflow/{dag}/{run_id}"}
"""Pages to which Intuit, an undo and Airflow's own tabs lead."""

CORRECTION = """
    INSERT INTO sync.run (realm, run_id, company, trigger, started_by, kind, rehearses, state,
                          finished_at, modules, work, mappings)
    SELECT realm, 'looked-at', company, 'manual', 'anna', 'preview', 'replay', 'success', now(),
           modules, '{}', mappings
      FROM sync.run WHERE company = 'sample' AND kind = 'sync' ORDER BY started_at LIMIT 1
    RETURNING run_id"""

TABS = 40
"""How often the tab key is pressed on a page."""


@pytest.fixture(scope="module")
def window(chromium: Browser, signed_in: StorageState) -> Iterator[Page]:
    """A window of the pages themselves, without Airflow around them."""
    with chromium.new_context(storage_state=signed_in) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def stored(window: Page, airflow: Airflow) -> None:
    """A mapping has a stored version, which can be compared with its file."""
    mapping = f"{airflow.address}/quickbooks-crm/mappings/sample/accounts"
    text = window.request.get(f"{mapping}/yaml?which=file").text()
    sent = {"content": text, "based_on": 0, "note": ""}
    origin = {"origin": airflow.address}
    answer = window.request.post(f"{mapping}/store", data=sent, headers=origin)
    assert answer.status in (200, 409), "409 says that there is a version already"


@pytest.fixture(scope="module")
def linked(window: Page, airflow: Airflow, stored: None) -> dict[str, list[str]]:
    """Addresses of every page to which links lead."""

    def text_of(address: str) -> str:
        answer = window.request.get(address)
        assert answer.ok, f"{address} answers {answer.status}"
        return answer.text()

    return walking.addresses(text_of, airflow.address)


@pytest.fixture(scope="module")
def pages(
    linked: dict[str, list[str]], airflow: Airflow, shown: Demo
) -> Iterator[dict[str, list[str]]]:
    """Addresses of every page."""
    [(run_id,)] = shown.query(CORRECTION)
    root = f"{airflow.address}{walking.PAGES}"
    yield linked | {
        "/callback": [f"{root}/callback"],
        "/corrections/{company}/{run_id}": [f"{root}/corrections/sample/{run_id}"],
        "/airflow/{dag}/{run_id}": [f"{root}/airflow/quickbooks_to_crm_sample/never"],
    }
    shown.query(f"DELETE FROM sync.run WHERE run_id = '{run_id}' RETURNING 1")


def test_every_page_is_reached_by_links(linked: dict[str, list[str]]) -> None:
    assert {path for path, addresses in linked.items() if not addresses} <= NOT_LINKED


def test_every_page_has_a_title_of_its_own(window: Page, pages: dict[str, list[str]]) -> None:
    """By which its tab and its bookmark are told from others."""
    unnamed = [
        path
        for path in _each(window, pages)
        if window.title() == "QuickBooks" != window.locator("h1").inner_text()
    ]

    assert unnamed == []


def test_no_page_and_no_dialog_shuts_anybody_out(window: Page, pages: dict[str, list[str]]) -> None:
    """By all rules of axe, in the light and in the dark look."""
    axe, found = Axe(), {}
    for path in _each(window, pages):
        for look in ("dark", "light"):
            window.emulate_media(color_scheme=look)
            found[path, look] = _told(axe, window)
        for title in _dialogs(window):
            found[path, title] = _told(axe, window)

    assert {where: said for where, said in found.items() if said} == {}


def test_a_narrow_window_scrolls_no_page_sideways(
    window: Page, pages: dict[str, list[str]]
) -> None:
    window.set_viewport_size({"width": 360, "height": 740})

    wide = {path: window.evaluate(_BEYOND) for path in _each(window, pages)}

    assert {path: parts for path, parts in wide.items() if parts} == {}


def test_the_tab_key_goes_through_a_page_and_shows_where_it_is(
    window: Page, pages: dict[str, list[str]]
) -> None:
    window.set_viewport_size({"width": 1280, "height": 900})
    seen, expected = {}, {}
    for path in _each(window, pages):
        expected[path] = window.evaluate(_STOPS, TABS)
        seen[path] = _stops(window, len(expected[path]))

    assert seen == expected


def test_a_dialog_is_opened_used_and_left_with_the_keyboard(
    window: Page, pages: dict[str, list[str]]
) -> None:
    stood = {}
    for path in _each(window, pages):
        for title in _dialogs(window):
            inside = window.evaluate("document.activeElement.closest('dialog') !== null")
            window.keyboard.press("Escape")
            back = window.evaluate("document.activeElement.matches('[data-opens], [data-new]')")
            stood[path, title] = (inside, back)

    assert stood and set(stood.values()) == {(True, True)}


def _each(window: Page, pages: dict[str, list[str]]) -> Iterator[str]:
    """One page of each kind after the other, in the window."""
    for path, addresses in pages.items():
        for address in addresses[:1]:
            window.goto(address)
            yield path


def _dialogs(window: Page) -> Iterator[str]:
    """The title of each dialog of the page, open, as the keyboard opens it."""
    for opener in window.locator("main").locator("[data-opens], button[data-new]").all()[:4]:
        if not opener.is_visible():
            continue
        opener.focus()
        window.keyboard.press("Enter")
        yield window.locator("dialog[open] h2").inner_text()
        window.keyboard.press("Escape")


def _told(axe: Axe, window: Page) -> list[str]:
    answer = axe.run(window, options={"resultTypes": ["violations"]})
    return [
        f"{found['impact']}, {found['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for found in answer.response["violations"]
        for node in found["nodes"][:3]
    ]


def _stops(window: Page, count: int) -> list[str]:
    """What so many stops of the tab key lead to; a field for a day has several of its own, which
    are one here."""
    window.evaluate(f"""() => {{
        window.stops = [];
        addEventListener("focusin", (event) => window.stops.push(({_NAME})(event.target)));
    }}""")
    for _ in range(5):
        missing = count - window.evaluate("stops.length")
        for _ in range(missing):
            window.keyboard.press("Tab")
    found: list[str] = window.evaluate("stops")
    return found[:count]


_NAME = """(one) => one.outerHTML.slice(0, 120) + (getComputedStyle(one).outlineStyle === "none"
    && document.activeElement === one ? " shows nothing" : "")"""

_STOPS = f"""(most) => [...document.querySelectorAll("a[href], button, input, select, textarea, "
        + "summary, [tabindex='0']")].filter((one) =>
            one.checkVisibility({{ visibilityProperty: true }}) && !one.disabled
            && !one.closest("fieldset:disabled") && one.type !== "hidden")
    .slice(0, most).map({_NAME})"""

_BEYOND = """() => {
    const page = document.documentElement;
    return page.scrollWidth <= page.clientWidth ? [] : [...document.querySelectorAll("body *")]
        .filter((one) => !one.closest(".wide *") && one.getBoundingClientRect().right > innerWidth)
        .map((one) => one.outerHTML.slice(0, 120));
}"""
