"""A person connects a company again, to the consent page and back into the frame, and lets go on
what was stopped."""

import re

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, StorageState, expect

from tests.browser.conftest import Airflow
from tests.real_airflow import Demo

pytestmark = pytest.mark.slow


@pytest.fixture
def connections(pages: FrameLocator) -> FrameLocator:
    """The page of the connections, opened from the start page."""
    pages.get_by_label("QuickBooks").get_by_role("link", name="Connections").click()
    pages.get_by_role("heading", name="Connections", level=1).wait_for()
    return pages


def test_reconnect_leads_to_the_consent_page_and_back_into_the_frame(
    page: Page, connections: FrameLocator
) -> None:
    connections.get_by_role("button", name="Reconnect").press("Enter")
    expect(page.get_by_role("heading", name="Connect to Sample")).to_be_visible()
    page.get_by_role("button", name="Connect", exact=True).click()

    expect(connections.get_by_text("Connected to Sample Landscaping")).to_be_visible()
    expect(page).to_have_url(re.compile("/plugin/quickbooks-activity/quickbooks-crm/connections$"))

    connections.get_by_role("button", name="Reconnect").click()
    page.get_by_role("button", name="No, thanks").click()

    expect(connections.get_by_text("Nobody agreed at Intuit")).to_be_visible()
    expect(connections.locator(".state.success")).to_have_text("connected")


def test_to_disconnect_is_asked_twice(page: Page, connections: FrameLocator) -> None:
    connections.get_by_role("button", name="Disconnect…").press("Enter")
    asked = connections.get_by_role("dialog", name="Disconnect Sample company?")
    expect(asked).to_contain_text("What was read stays")

    page.keyboard.press("Escape")

    expect(asked).to_be_hidden()
    expect(connections.locator(".state.success")).to_have_text("connected")


def test_a_breaker_is_released_with_a_reason(
    chromium: Browser, signed_in: StorageState, airflow: Airflow, shown: Demo
) -> None:
    """It stands where the runs of the company put it; no run of the tests' own has such a one."""
    [(breaker,)] = shown.query(TRIPPED)
    with chromium.new_context(storage_state=signed_in) as context:
        page = context.new_page()
        page.goto(f"{airflow.address}/quickbooks-crm/health")
        page.get_by_role("button", name="Release…").click()
        asked = page.get_by_role("dialog", name="Is this right?")
        expect(asked).to_contain_text("9 of 10 records would become deleted")
        asked.get_by_role("button", name="Release", exact=True).click()
        assert shown.query(RELEASED.format(breaker)) == [(None, None)], "a reason is needed"

        asked.get_by_label("Why it is no accident").fill("the branch was closed")
        asked.get_by_role("button", name="Release", exact=True).click()
        expect(page.get_by_role("button", name="Release…")).to_have_count(0)

    assert shown.query(RELEASED.format(breaker)) == [("admin", "the branch was closed")]
    shown.query(f"DELETE FROM sync.breaker WHERE breaker = {breaker} RETURNING 1")


TRIPPED = """
    INSERT INTO sync.breaker (realm, company, code, subject, count, total, message, details, run_id)
    SELECT realm, company, 'mass_delete', 'vendors', 9, 10,
           '9 of 10 records would become deleted.', '{"records": []}', run_id
      FROM sync.run WHERE company = 'sample' ORDER BY started_at LIMIT 1
    RETURNING breaker"""
RELEASED = "SELECT released_by, because FROM sync.breaker WHERE breaker = {}"
