"""What a search among the records of a run does by itself, in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from psycopg import Connection

from quickbooks_crm import finding
from tests.integration.runs import REALM, counted, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]

MANY = (
    "INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, reason, message)"
    " SELECT %s, 'run-1', 'products', 'Item', to_char(i, 'FM000'), 'excluded', 'why', 'So.'"
    "   FROM generate_series(1, 400) AS i",
    "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
    " SELECT %s, 'Item', to_char(i, 'FM000'), 0, 1, jsonb_build_object('Name', 'Hose no. ' || i)"
    "   FROM generate_series(1, 400) AS i",
)


def test_a_search_goes_on_by_itself_while_it_has_found_nothing(
    window: Page, address: str, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look is over ten records here: after thirty of them without a hit a person is asked."""
    monkeypatch.setattr(finding, "PATIENCE", 0)
    monkeypatch.setattr(finding, "WINDOW", 10)
    started(connection, "run-1")
    counted(connection, "run-1", "products", excluded=400)
    for statement in MANY:
        connection.execute(statement.encode(), [REALM])
    connection.commit()
    window.goto(f"{address}/quickbooks-crm/runs/{REALM}/run-1/products?outcome=excluded")
    found, records = window.locator("#found"), window.locator("#found tbody tr")

    window.get_by_role("searchbox").fill("hose no. 25")
    window.get_by_role("button", name="Search").click()
    expect(records).to_have_count(1)
    expect(found).to_contain_text("Hose no. 25")

    window.get_by_role("searchbox").fill("hose no. 222")
    window.get_by_role("button", name="Search").click()
    expect(found).to_contain_text("Hose no. 222")

    window.get_by_role("searchbox").fill("hose no. 333")
    window.get_by_role("button", name="Search").click()
    expect(found).to_contain_text("Nothing found among the records up to Item 300.")
    window.get_by_role("link", name="Search on").click()
    expect(found).to_contain_text("Hose no. 333")
