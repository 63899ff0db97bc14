"""What the form of a mapping does by itself, in a real browser; no scheduler is needed for that."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from psycopg import Connection

from tests.integration.test_page_import import op

__all__ = ["op"]

# Airflow's own way of reading .airflowignore.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]

MODE, MIDDLE = "[name='settings:mode']", "[name='source:middle_names']"


@pytest.fixture
def page(op: httpx.Client, window: Page, address: str, connection: Connection[Any]) -> Page:
    """The form of the accounts' mapping, never loaded; the table has two fields that the mapping
    leaves out."""
    connection.execute("ALTER TABLE crm.accounts ADD suffix text, ADD middle_names text")
    connection.commit()
    window.goto(f"{address}/quickbooks-crm/import/sample/accounts")
    return window


def test_the_form_is_on_its_persons_side(page: Page, token: Callable[[str], str]) -> None:
    """What is called the same is taken before the first load, what is nearly so only by a button;
    an Enter starts nothing; a reload loses nothing, and shows nothing to somebody else; and it fits
    a narrow window."""
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
    page.locator(MIDDLE).select_option("MiddleName")
    page.get_by_role("button", name="Store without importing").click()

    expect(page.get_by_text("Stored as version 1.")).to_be_visible()
    expect(page.locator(MIDDLE)).to_have_value("MiddleName")
    page.get_by_role("link", name="Begin with what is in force instead").click()
    expect(page.locator(MIDDLE)).to_have_value("")


def test_after_a_field_was_added_that_is_said_in_view_and_nothing_else(page: Page) -> None:
    unused = page.get_by_role("heading", name="QuickBooks fields that go nowhere")
    before = int(unused.locator("span").inner_text())
    unused.click()
    page.get_by_role("button", name="Add New Field… for Name on checks").click()
    page.get_by_role("button", name="Add the field").click()

    expect(page.get_by_text("Added Name on checks.")).to_be_in_viewport()
    expect(unused.locator("span")).to_have_text(str(before - 1))
    expect(page.get_by_text("What you had filled in before is here again")).to_be_hidden()


def test_why_nothing_was_started_is_said_where_one_looks(page: Page) -> None:
    """The button is far below where that is said."""
    page.evaluate("() => { window.fetch = () => Promise.reject(new Error()); }")
    page.get_by_role("button", name="Store without importing").click()

    said = page.get_by_role("alert").filter(has_text="Airflow does not answer")
    expect(said).to_be_in_viewport()
    expect(said).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_until_the_next_page_has_come_nothing_is_sent_again(page: Page) -> None:
    """And who comes back to a page that was kept can send from it."""
    store = page.get_by_role("button", name="Store without importing")
    page.route("**/import/sample/accounts", lambda route: route.fulfill(status=204))  # stays away
    with page.expect_response("**/draft") as stored:
        store.click()
    stored.value.finished()
    page.wait_for_timeout(500)

    expect(store).to_be_disabled()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(store).to_be_enabled()


def test_the_dialog_to_add_a_field_begins_with_its_title(page: Page) -> None:
    page.get_by_role("button", name="Add New Field…").first.click()

    dialog = page.get_by_role("dialog").bounding_box()
    title = page.get_by_role("heading", name="Add New Field").bounding_box()
    assert dialog is not None and title is not None
    assert title["y"] - dialog["y"] < 24
