"""What a search among a module's records shows, in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from psycopg import Connection

from tests.integration.crm import by_hand, ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]


def test_what_was_searched_for_last_is_shown_though_its_answer_comes_first(
    window: Page, address: str, connection: Connection[Any]
) -> None:
    slow: list[Route] = []

    def answer_the_first_one_last(look: Route) -> None:
        if slow:
            look.continue_()
        else:
            slow.append(look)

    ready(connection)
    for name in ("Acme", "Zeta"):
        by_hand(connection, "crm.accounts", name=name)
    window.goto(f"{address}/quickbooks-crm/records/sample/accounts")
    window.route("**/records/sample/accounts", answer_the_first_one_last)
    search, found = window.get_by_role("searchbox"), window.locator("#found")

    search.fill("acme")
    search.press("Enter")
    search.fill("zeta")
    search.press("Enter")
    expect(found).to_contain_text("1 found.")
    with window.expect_response("**/records/sample/accounts"):
        slow[0].continue_()
    window.wait_for_timeout(300)

    expect(found).to_contain_text("Zeta")
