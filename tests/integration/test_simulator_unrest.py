"""A simulator's company that changes while it is being read, and answers scripted one by one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from simulator import Simulator
from simulator.unrest import CHANGES
from tests.integration.simulator_caller import Caller

PAGE = "SELECT * FROM Customer ORDERBY Id STARTPOSITION {} MAXRESULTS 5"


@pytest.fixture
def app() -> Iterator[Caller]:
    with Simulator(customers=20, items=10, invoices=10, throttle=False) as quickbooks:
        yield Caller(quickbooks)


def outcome(ask: Callable[[], requests.Response]) -> Any:
    """What an app saw: a status, what kind of body, or that the connection broke."""
    try:
        response = ask()
    except requests.exceptions.ChunkedEncodingError:
        return "cut"
    kind = response.headers["content-type"].partition(";")[0]
    return response.status_code, kind, bool(response.content)


JSON = "application/json"


def test_answers_come_one_after_the_other_from_the_third_page_on(app: Caller) -> None:
    app.quickbooks.script("query", after=2, answers=[503, "html", "cut", "empty", 200])

    seen = [outcome(lambda: app.query(PAGE.format(1))) for _ in range(8)]

    good = (200, JSON, True)
    lied = [(503, JSON, True), (200, "text/html", True), "cut", (200, "text/plain", False)]
    assert seen == [good, good, *lied, good, good]


def test_the_last_answer_may_come_for_ever(app: Caller) -> None:
    app.quickbooks.script("query", [429, 500], forever=True, matching="STARTPOSITION 6 ")

    assert [app.query(PAGE.format(6)).status_code for _ in range(4)] == [429, 500, 500, 500]
    assert app.query(PAGE.format(1)).status_code == 200


def test_an_answer_may_be_described_in_full(app: Caller) -> None:
    app.quickbooks.script("query", [{"status": 429, "headers": {"Retry-After": "7"}}])

    assert app.query(PAGE.format(1)).headers["Retry-After"] == "7"


def test_a_fault_may_come_with_status_200(app: Caller) -> None:
    app.quickbooks.script("query", ["fault"])

    response = app.query(PAGE.format(1))

    assert response.status_code == 200
    assert response.json()["Fault"]["Error"][0]["code"] == "10000"


def test_an_unknown_answer_is_refused(app: Caller) -> None:
    with pytest.raises(ValueError, match=r"an answer cannot be 'odd'\. It is one of: ok, cut"):
        app.quickbooks.script("query", ["odd"])


def test_a_page_may_be_shorter_or_longer_than_asked_or_come_again(app: Caller) -> None:
    whole = app.ids("SELECT * FROM Customer ORDERBY Id MAXRESULTS 20")
    app.quickbooks.script("query", ["short", "long", "again"])

    assert app.ids(PAGE.format(6)) == whole[5:7]
    assert app.ids(PAGE.format(6)) == whole[5:11]
    assert app.ids(PAGE.format(6)) == whole[0:5]


def test_an_answer_may_lack_a_field(app: Caller) -> None:
    app.quickbooks.script("token", [{"drop": "refresh_token"}])

    tokens = app.refresh(str(app.quickbooks.refresh_token)).json()

    assert "access_token" in tokens and "refresh_token" not in tokens


def test_an_act_is_done_after_every_page_of_its_entity_until_calm(app: Caller) -> None:
    pages: list[str] = []
    app.quickbooks.between_pages(lambda: pages.append("page"), entity="Customer")

    for statement in (PAGE.format(1), PAGE.format(6), "SELECT COUNT(*) FROM Customer"):
        app.query(statement)
    app.query("SELECT * FROM Item")
    app.quickbooks.calm()
    app.query(PAGE.format(1))

    assert pages == ["page", "page"]


def test_a_page_does_not_show_what_is_done_after_it(app: Caller) -> None:
    app.quickbooks.between_pages(lambda: app.quickbooks.change("Customer", "1", Notes="after"))
    first = "SELECT * FROM Customer WHERE Id = '1'"

    before, after = app.rows(first)[0], app.rows(first)[0]

    assert before.get("Notes") != "after"
    assert after["Notes"] == "after"


def test_a_delete_between_two_pages_hides_a_row_from_who_reads_on_by_position(app: Caller) -> None:
    """What makes a full read hard: nothing is held still between two pages."""
    page = "SELECT * FROM Invoice ORDERBY Id STARTPOSITION {} MAXRESULTS 5"
    whole = app.ids(page.format(1)) + app.ids(page.format(6))
    app.quickbooks.between_pages(lambda: app.quickbooks.delete("Invoice", whole[0]))

    first = app.ids(page.format(1))
    app.quickbooks.calm()
    second = app.ids(page.format(6))

    assert (first, second) == (whole[:5], whole[6:])
    assert not app.quickbooks.truth("Invoice")[whole[5]].deleted


def test_the_failure_of_an_act_is_the_tests(app: Caller) -> None:
    with (
        pytest.raises(KeyError, match="999"),
        Simulator(customers=1, items=0, invoices=0) as quickbooks,
    ):
        quickbooks.between_pages(lambda: quickbooks.change("Customer", "999"))
        assert Caller(quickbooks).query(PAGE.format(1)).ok


@pytest.mark.parametrize("word", CHANGES)
def test_the_same_seed_changes_the_same_rows(word: str) -> None:
    def changed() -> list[dict[str, Any]]:
        quickbooks = Simulator(customers=30, items=5, invoices=20)
        quickbooks.stop_clock()
        entity = "Invoice" if word == "voids" else "Customer"
        before = quickbooks.rows(entity)
        quickbooks.random_changes(entity, seed=3, **{word: 2})()
        after = quickbooks.rows(entity)
        return [{**row, "MetaData": None} for row in after if row not in before]

    assert changed() == changed()
    assert len(changed()) >= 2


def test_a_random_delete_takes_a_transaction_away(app: Caller) -> None:
    app.quickbooks.random_changes("Invoice", deletes=2)()

    assert len(app.quickbooks.rows("Invoice")) == 8


def test_a_kind_of_change_there_is_not_is_refused(app: Caller) -> None:
    with pytest.raises(ValueError, match=r"a change cannot be 'moves'\. It is one of: edits, adds"):
        app.quickbooks.random_changes("Customer", moves=1)


def test_changes_between_pages_can_be_asked_for_over_http(app: Caller) -> None:
    def tell(act: str, **body: Any) -> bool:
        return requests.post(f"{app.quickbooks.url}/control/{act}", json=body, timeout=5).ok

    assert tell("between-pages", entity="Customer", edits=2, adds=1)
    assert tell("script", kind="query", answers=[503, "ok"])
    app.query(PAGE.format(1))
    app.query(PAGE.format(1))
    assert tell("calm")

    assert len(app.quickbooks.rows("Customer")) == 21
    assert tell("void", entity="Invoice", id="1")
    assert tell("merge", entity="Customer", loser="2", survivor="3")
    truth = requests.get(f"{app.quickbooks.url}/control/truth/Customer", timeout=5).json()
    assert truth["2"]["active"] is False
