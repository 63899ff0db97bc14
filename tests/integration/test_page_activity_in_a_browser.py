"""What a search among the records of a run does by itself, in a real browser."""

import re
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from psycopg import Connection
from psycopg.errors import QueryCanceled

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


@pytest.fixture
def records_of_a_run(
    connection: Connection[Any], address: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The page of 400 records that a run excluded. One look is over ten of them."""
    monkeypatch.setattr(finding, "PATIENCE", 0)
    monkeypatch.setattr(finding, "WINDOW", 10)
    started(connection, "run-1")
    counted(connection, "run-1", "products", excluded=400)
    for statement in MANY:
        connection.execute(statement.encode(), [REALM])
    connection.commit()
    return f"{address}/quickbooks-crm/runs/{REALM}/run-1/products?outcome=excluded"


def test_a_search_goes_on_by_itself_while_it_has_found_nothing(
    window: Page, records_of_a_run: str
) -> None:
    """After thirty looks without a hit a person is asked."""
    window.goto(records_of_a_run)
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


@pytest.mark.parametrize("typed", ["hose no. 1", ""])
def test_what_is_typed_while_a_search_goes_on_is_looked_for_once_it_is_sent(
    window: Page, records_of_a_run: str, typed: str
) -> None:
    def type_at_the_third_look(look: Route) -> None:
        looks.append(look.request.url)
        if len(looks) == 3:
            window.get_by_role("searchbox").fill(typed)
        look.continue_()

    window.goto(records_of_a_run)
    looks: list[str] = []
    window.route("**/products?*", type_at_the_third_look)
    window.get_by_role("searchbox").fill("hose no. 222")
    window.get_by_role("button", name="Search").click()

    expect(window.locator("#found tbody tr")).to_have_count(1)
    expect(window.locator("#found")).to_contain_text("Hose no. 222")
    window.get_by_role("link", name="Search on").click()
    expect(window.locator("#found")).to_contain_text("There are no more.")


def test_a_search_that_is_interrupted_says_why_and_shows_nothing_else(
    window: Page, records_of_a_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser tells its console of such an answer: it is another window's."""
    other = window.context.new_page()
    other.goto(records_of_a_run)
    look, looks = finding.part, count(1)

    def interrupted(*asked: Any) -> finding.Part:
        if next(looks) == 3:
            raise QueryCanceled
        return look(*asked)

    monkeypatch.setattr(finding, "part", interrupted)
    other.get_by_role("searchbox").fill("hose no. 222")
    other.get_by_role("button", name="Search").click()
    expect(other.locator("#found")).to_have_text(re.compile("takes too long to answer"))
    expect(other.locator("#found tbody tr")).to_have_count(0)

    other.get_by_role("button", name="Search").click()
    expect(other.locator("#found")).to_contain_text("Hose no. 222")


def test_the_labels_of_the_filter_stand_in_one_line(
    window: Page, connection: Connection[Any], address: str
) -> None:
    started(connection, "run-1")
    connection.commit()
    window.set_viewport_size({"width": 1400, "height": 900})
    window.goto(f"{address}/quickbooks-crm/activity")

    tops = "labels => labels.map((label) => Math.round(label.getBoundingClientRect().top))"
    assert len(set(window.locator(".filters label").evaluate_all(tops))) == 1


def test_of_no_module_nothing_is_undone(
    window: Page, connection: Connection[Any], address: str
) -> None:
    """The DAG takes all of them when it is told none."""
    started(connection, "run-1", state="success")
    counted(connection, "run-1", "products", added=3)
    connection.commit()
    window.goto(f"{address}/quickbooks-crm/runs/{REALM}/run-1")
    window.get_by_role("button", name="Undo this run").click()
    dialog = window.get_by_role("dialog")

    dialog.get_by_label("products").uncheck()
    dialog.get_by_role("button", name="Show what would be undone").click()

    expect(dialog.get_by_role("alert")).to_have_text("Choose at least one module.")
