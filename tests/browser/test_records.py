"""What a person does with records, in Airflow: finds them, links them by hand, settles which are
the same."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.conftest import Airflow

pytestmark = pytest.mark.slow


COMPLETE = """() => document.readyState === "complete" ||
    new Promise((done) => addEventListener("load", () => done(true)))"""


@pytest.fixture
def accounts(pages: FrameLocator) -> FrameLocator:
    """The list of accounts, reached from the start page."""
    pages.get_by_label("QuickBooks").get_by_role("link", name="Records").click()
    expect(pages.get_by_role("heading", level=1)).to_have_text("Records")
    pages.get_by_role("link", name="Accounts", exact=True).click()
    expect(pages.get_by_role("heading", level=1)).to_have_text("sample, accounts")
    # What was looked for before comes back: it shall not while the next text is filled in.
    pages.locator("html").evaluate(COMPLETE)
    return pages


@pytest.fixture
def lookalikes(airflow: Airflow) -> Iterator[None]:
    """Two pairs of accounts that look the same, made by hand, for as long as the test."""
    with psycopg.connect(airflow.crm, autocommit=True) as connection:
        made = connection.execute(
            "INSERT INTO crm.accounts (name) VALUES ('Twin'), ('TWIN'), ('Pair'), ('P.a.i.r')"
            " RETURNING id"
        ).fetchall()
        yield
        ids = [id for (id,) in made]
        connection.execute("DELETE FROM crm.accounts WHERE id = ANY (%s)", [ids])


def test_a_record_is_found_parted_from_quickbooks_and_linked_again(
    page: Page, accounts: FrameLocator
) -> None:
    name = _first(accounts).inner_text()

    _search(accounts, name[:6].upper())
    accounts.get_by_role("link", name=name, exact=True).click()
    expect(accounts.get_by_role("heading", level=1)).to_have_text(name)
    expect(accounts.get_by_role("region", name="History")).to_contain_text("added")

    accounts.get_by_role("button", name="Unlink…").click()
    expect(accounts.get_by_role("dialog")).to_contain_text("No sync touches this CRM record")
    page.keyboard.press("Escape")
    expect(accounts.get_by_role("dialog")).to_have_count(0)
    accounts.get_by_role("button", name="Unlink…").click()
    accounts.get_by_role("button", name="Yes, unlink").click()
    expect(accounts.get_by_role("status")).to_contain_text("is parted from CRM record")

    accounts.get_by_role("link", name="This is the same as…").click()
    accounts.get_by_role("link", name=re.compile("^Compare with Customer")).first.click()
    accounts.get_by_role("button", name="They are the same…").click()
    accounts.get_by_role("button", name="Yes, link them").click()
    expect(accounts.get_by_role("status")).to_contain_text("from now on")
    expect(accounts.get_by_role("region", name="History")).to_contain_text("linked")


def test_what_was_searched_for_is_in_no_address_and_there_again_on_the_way_back(
    page: Page, accounts: FrameLocator
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    name = _first(accounts).inner_text()

    _search(accounts, name)
    accounts.get_by_role("link", name=name, exact=True).click()
    expect(accounts.get_by_role("heading", level=1)).to_have_text(name)
    accounts.get_by_label("Where you are").get_by_role("link").first.wait_for()
    page.go_back()

    expect(accounts.get_by_role("searchbox")).to_have_value(name)
    expect(accounts.locator("#found")).to_contain_text("found")
    assert [url for url in asked if name.split()[0] in url] == []


def test_possible_duplicates_are_looked_for_and_settled_with_the_keyboard(
    page: Page, accounts: FrameLocator, lookalikes: None
) -> None:
    accounts.get_by_role("link", name="Review", exact=True).click()
    accounts.get_by_role("link", name=re.compile("Possible duplicates")).click()
    expect(page).to_have_url(re.compile("of=alike"))
    accounts.get_by_role("button", name=re.compile("Look for possible duplicates")).click()
    expect(accounts.get_by_role("status")).to_contain_text("2 possible duplicates found")

    cards = accounts.get_by_role("article")
    expect(cards.first).to_be_focused()
    page.keyboard.press("n")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("d")
    expect(cards).to_have_count(1)
    expect(cards.first).to_be_focused()
    page.keyboard.press("s")
    expect(cards).to_have_count(0)

    accounts.get_by_role("button", name=re.compile("Take back")).first.click()
    expect(accounts.get_by_role("status")).to_contain_text("It was taken back")
    accounts.get_by_role("link", name=re.compile("Possible duplicates")).click()
    expect(cards).to_have_count(1)


def _first(accounts: FrameLocator) -> Locator:
    return accounts.locator("tbody th a").first


def _search(accounts: FrameLocator, text: str) -> None:
    accounts.get_by_role("searchbox").fill(text)
    accounts.get_by_role("button", name="Search").click()
    expect(accounts.locator("#found")).to_contain_text("found")
