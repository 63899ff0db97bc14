"""A person connects a company again: to the consent page, and back into the frame."""

import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


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
