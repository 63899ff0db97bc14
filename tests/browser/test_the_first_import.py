"""A person whose CRM holds nothing yet: connects QuickBooks and brings the first module in.

It comes after the other files of this directory: it empties what they look at.
"""

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.real_airflow import Demo, when_no_schedule_is_due

pytestmark = pytest.mark.slow

"""Milliseconds that Airflow may take to do what it was asked to."""


def test_a_company_is_connected_and_its_first_module_imported(
    page: Page, pages: FrameLocator, shown: Demo
) -> None:
    when_no_schedule_is_due()
    _begin_with_nothing(shown)
    items = shown.quickbooks("rows/Item")

    _open(pages, "Connections")
    expect(pages.get_by_text("never connected")).to_be_visible()
    pages.get_by_role("button", name="Connect to QuickBooks").click()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(pages.get_by_text("Connected to Sample Landscaping")).to_be_visible()

    _open(pages, "Start")
    products = pages.get_by_role("row", name="products")
    expect(products).to_contain_text("never")
    products.get_by_role("link", name="Import products", exact=True).click()
    expect(pages.get_by_role("heading", level=1)).to_contain_text("Products")
    pages.get_by_role("button", name="Start import").click()
    yes = pages.get_by_role("button", name="Yes, import")
    expect(yes).to_be_visible()
    expect(pages.get_by_text("Nothing has been changed yet")).to_be_visible()
    assert shown.query("SELECT count(*) FROM crm.products") == [(0,)]
    yes.click()

    expect(pages.get_by_text("Imported. Products:")).to_be_visible()
    [(brought,)] = shown.query("SELECT count(*) FROM crm.products")
    held = shown.query("SELECT count(*) FROM sync.held WHERE module = 'products'")[0][0]
    assert brought > 0 and brought + held == len(items)
    _open(pages, "Start")
    expect(products.get_by_role("link", name=f"{brought} records of products")).to_be_visible()
    expect(products.get_by_role("link", name="Import again products")).to_be_visible()
    expect(pages.get_by_role("link", name="Import accounts", exact=True)).to_be_visible()

    others = shown.command("sync", "--company", "sample")
    assert others.returncode == 0, others.stdout + others.stderr
    page.reload()
    expect(pages.get_by_role("link", name="Import again accounts")).to_be_visible()


def _begin_with_nothing(shown: Demo) -> None:
    """The company leaves, if it has ever come, with all that it brought into the CRM."""
    ended = shown.command("remove-company", "--company", "sample", "--crm", "remove", "--yes")
    told = ended.stdout + ended.stderr
    assert ended.returncode == 0 or "Nothing was ever read of a company 'sample'" in told
    assert shown.query("SELECT count(*) FROM crm.products") == [(0,)]


def _open(pages: FrameLocator, name: str) -> None:
    pages.get_by_label("QuickBooks").get_by_role("link", name=name).click()
