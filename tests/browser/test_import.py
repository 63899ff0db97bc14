"""What a person does to import: map fields, start, look at what would happen, and say Yes or No."""

import os
import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.real_airflow import Demo, when_no_schedule_is_due

pytestmark = pytest.mark.slow

"""Milliseconds that Airflow may take to do what it was asked to."""


@pytest.fixture(autouse=True)
def look(page: Page, request: pytest.FixtureRequest) -> None:
    """Airflow's light or dark look, by the name of the test."""
    look = "dark" if "dark" in request.node.name else "light"
    if page.evaluate("localStorage.getItem('theme') || 'light'") != look:
        page.evaluate(f"localStorage.setItem('theme', '{look}')")
        page.reload()


def test_fields_are_mapped_an_import_is_shown_and_a_yes_brings_it_in(
    pages: FrameLocator, shown: Demo
) -> None:
    note = _noted(shown)
    _open(pages, "accounts")

    _take_what_is_perhaps_meant(pages)
    _add_a_field(pages)
    _leave_a_mandatory_field_out(pages)
    pages.get_by_role("button", name="Start import").click()

    _would_be(pages, note)
    pages.get_by_role("button", name="Yes, import").click()
    expect(pages.get_by_text("Imported. Accounts:")).to_be_visible()
    # Perhaps with a record that an undo had held back until its mapping changes.
    updated = re.compile(r"[1-9]\d* updated")
    expect(pages.get_by_role("status").filter(has_text=updated)).to_be_visible()
    assert shown.query(
        "SELECT notes, name_on_checks IS NOT NULL FROM crm.accounts"
        " WHERE quickbooks_customer_id = '1'"
    ) == [(note, True)]
    pages.get_by_role("link", name="The whole activity of this run").click()
    expect(pages.get_by_role("heading", level=1)).to_contain_text("UTC")


def test_a_session_that_ends_loses_nothing_and_a_no_changes_nothing_in_the_dark(
    page: Page, pages: FrameLocator, shown: Demo
) -> None:
    before = shown.query("SELECT notes FROM crm.accounts WHERE quickbooks_customer_id = '1'")
    note = _noted(shown)
    _open(pages, "accounts")
    expect(pages.locator("html")).to_have_attribute("data-look", "dark")

    page.set_viewport_size({"width": 420, "height": 800})
    assert pages.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")
    _end_and_go_on(page, pages)
    pages.get_by_role("button", name="Start import").press("Enter")

    _would_be(pages, note)
    pages.get_by_role("button", name="No, change nothing").press("Enter")
    expect(pages.get_by_text("said No. Nothing was changed.")).to_be_visible()
    assert before == shown.query(
        "SELECT notes FROM crm.accounts WHERE quickbooks_customer_id = '1'"
    )


def _noted(shown: Demo) -> str:
    """A note that somebody has written in QuickBooks, of the customer that is shown first."""
    when_no_schedule_is_due()
    note = f"Noted {os.urandom(4).hex()}"
    shown.act("change", {"entity": "Customer", "id": "1", "fields": {"Notes": note}})
    return note


def _open(pages: FrameLocator, module: str) -> None:
    """Import's page of a module, from the start page."""
    expect(pages.get_by_text("connected to QuickBooks")).to_be_visible()
    pages.get_by_role("link", name=re.compile(f"Import again {module}")).click()
    expect(pages.get_by_role("heading", level=1)).to_contain_text(module.capitalize())


def _take_what_is_perhaps_meant(pages: FrameLocator) -> None:
    """Found by the search, taken by a button, and given up again."""
    name = pages.get_by_label("QuickBooks field for Account name")
    vendor = pages.get_by_label("QuickBooks field for QuickBooks vendor id")
    pages.get_by_role("searchbox").fill("vendor id")
    pages.get_by_role("searchbox").press("Enter")
    expect(name).to_be_hidden()
    expect(vendor).to_have_value("")
    pages.get_by_role("button", name="QuickBooks parent id for QuickBooks vendor id").click()
    expect(vendor).to_have_value("ParentRef.value")
    vendor.select_option("")
    pages.get_by_role("searchbox").fill("")
    expect(name).to_be_visible()


def _add_a_field(pages: FrameLocator) -> None:
    """A field that the CRM lacks, while something else is filled in."""
    website = pages.get_by_role("row", name="Website")
    website.get_by_label("Value of Website if blank").fill("none")
    pages.get_by_text("QuickBooks fields that go nowhere").click()
    pages.get_by_role("button", name="Add New Field… for Name on checks").click()
    pages.get_by_role("button", name="Add the field").click()

    expect(pages.get_by_text("Added Name on checks.")).to_be_visible()
    source = pages.get_by_label("QuickBooks field for Name on checks")
    expect(source).to_have_value("PrintOnCheckName")
    expect(website.get_by_label("Value of Website if blank")).to_have_value("none")
    website.get_by_label("Value of Website if blank").fill("")


def _leave_a_mandatory_field_out(pages: FrameLocator) -> None:
    """What must be filled is told as one goes, and nothing starts without it."""
    name = pages.get_by_label("QuickBooks field for Account name")
    name.select_option("")
    expect(pages.get_by_text("Must still be filled: Account name")).to_be_visible()
    pages.get_by_role("button", name="Start import").click()
    expect(pages.get_by_role("alert")).to_contain_text("must be filled: Account name.")
    name.select_option("DisplayName")
    expect(pages.get_by_text("Must still be filled")).to_be_hidden()


def _end_and_go_on(page: Page, pages: FrameLocator) -> None:
    """The session ends in the middle of the form; somebody signs in again in another window."""
    cookies = page.context.cookies()
    more = pages.get_by_role("row", name="Fax").get_by_text("More")
    more.click()
    edits = pages.locator("[name='edits:fax']")
    page.context.clear_cookies()
    edits.select_option("crm")
    pages.get_by_role("button", name="Store without importing").click()
    expect(pages.get_by_role("alert")).to_contain_text("Your Airflow session has ended")
    expect(edits).to_have_value("crm")

    page.context.add_cookies(cookies)  # type: ignore[arg-type]  # as it gave them
    pages.get_by_role("button", name="Store without importing").click()
    expect(pages.get_by_text(re.compile(r"Stored as version \d+"))).to_be_visible()
    expect(pages.get_by_text("not in force yet")).to_be_visible()


def _would_be(pages: FrameLocator, note: str) -> None:
    """The question shows what would become of the account, from before to after."""
    yes = pages.get_by_role("button", name="Yes, import")
    expect(yes).to_be_visible()
    expect(pages.get_by_text("Nothing has been changed yet")).to_be_visible()
    changed = pages.get_by_role("region", name="accounts, updated")
    expect(changed).to_contain_text(note)
