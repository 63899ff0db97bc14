"""The simulator's batches: several queries in one request, each answered by itself."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator import Company, Simulator
from simulator.ledger import MOST_BATCHES_A_MINUTE, Throttle
from tests.integration.simulator_caller import Caller


@pytest.fixture(scope="module")
def app() -> Iterator[Caller]:
    with Simulator(customers=20, items=5, invoices=5, throttle=False) as quickbooks:
        yield Caller(quickbooks)


def post(app: Caller, items: Any) -> requests.Response:
    company = f"{app.quickbooks.url}/v3/company/{app.quickbooks.realm}"
    return app.session.post(f"{company}/batch", json={"BatchItemRequest": items}, timeout=10)


def answers(app: Caller, *items: dict[str, Any]) -> dict[str, Any]:
    """The answers by their `bId`."""
    response = post(app, list(items)).json()
    return {answer.pop("bId"): answer for answer in response["BatchItemResponse"]}


def query(number: int, statement: str) -> dict[str, Any]:
    return {"bId": str(number), "Query": statement}


def test_each_query_is_answered_by_itself(app: Caller) -> None:
    found = answers(
        app, query(1, "SELECT COUNT(*) FROM Invoice"), query(2, "SELECT * FROM Item MAXRESULTS 2")
    )

    assert found["1"] == {"QueryResponse": {"totalCount": 5}}
    rows = found["2"]["QueryResponse"]
    assert (len(rows["Item"]), rows["maxResults"]) == (2, 2)


def test_an_item_that_is_refused_leaves_the_others_alone(app: Caller) -> None:
    found = answers(
        app,
        query(1, "SELECT * FROM Nothing"),
        {"bId": "2", "operation": "create", "Customer": {}},
        query(3, "SELECT COUNT(*) FROM Invoice"),
    )

    faults = {id: found[id]["Fault"]["Error"][0]["code"] for id in "12"}
    assert faults == {"1": "4001", "2": "500"}
    assert found["1"]["Fault"]["type"] == "ValidationFault"
    assert found["3"] == {"QueryResponse": {"totalCount": 5}}


def test_answers_do_not_come_in_the_order_asked(app: Caller) -> None:
    items = [query(number, "SELECT COUNT(*) FROM Item") for number in range(3)]

    response = post(app, items).json()["BatchItemResponse"]

    assert [answer["bId"] for answer in response] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([query(number, "SELECT COUNT(*) FROM Item") for number in range(31)], "4001"),
        ("odd", "4000"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_whole(app: Caller, items: Any, code: str) -> None:
    response = post(app, items)

    assert response.status_code == 400
    assert response.json()["Fault"]["Error"][0]["code"] == code


def test_a_batch_answers_with_1000_rows_at_most() -> None:
    company = Company()
    company.load("Item", [{"Id": str(id), "Name": f"Item {id}"} for id in range(600)])
    with Simulator(company) as quickbooks:
        everything = "SELECT * FROM Item MAXRESULTS 1000"
        found = answers(Caller(quickbooks), query(1, everything), query(2, everything))

    assert found["1"]["QueryResponse"]["maxResults"] == 600
    assert "Fault" in found["2"]


def test_a_batch_is_one_call_in_the_ledger(app: Caller) -> None:
    app.quickbooks.reset_calls()
    post(app, [query(1, "SELECT COUNT(*) FROM Item"), query(2, "SELECT COUNT(*) FROM Invoice")])

    [call] = app.quickbooks.calls

    assert (call.kind, call.metered) == ("batch", True)
    assert call.statement == "SELECT COUNT(*) FROM Item; SELECT COUNT(*) FROM Invoice"


def test_forty_batches_a_minute_are_let_in() -> None:
    seconds = iter(range(0, 1000))
    throttle = Throttle(True, lambda: next(seconds))

    let_in = []
    for _ in range(MOST_BATCHES_A_MINUTE + 1):
        let_in.append(throttle.enter("batch"))
        throttle.leave()

    assert let_in == [True] * MOST_BATCHES_A_MINUTE + [False]
    assert throttle.enter("query")
