"""The simulator's control API, in a program and over HTTP, and its command line."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Company, Simulator, serve
from simulator.__main__ import command_line
from simulator.control import Control
from simulator.faults import Script
from simulator.settings import Settings
from simulator.world import World
from tests.integration.simulator_caller import Caller

ROOT = Path(__file__).parents[2]
DOCUMENTATION = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with Simulator(customers=20, items=5, invoices=5) as quickbooks:
        yield quickbooks


def tell(quickbooks: Simulator, act: str, /, **body: Any) -> requests.Response:
    return requests.post(f"{quickbooks.url}/control/{act}", json=body, timeout=5)


def show(quickbooks: Simulator, what: str) -> Any:
    return requests.get(f"{quickbooks.url}/{what}", timeout=5).json()


def test_it_says_that_it_is_well(quickbooks: Simulator) -> None:
    health = show(quickbooks, "health")

    assert (health["status"], health["realm"]) == ("ok", quickbooks.realm)
    assert health["rows"]["Customer"] == 20


def test_a_change_raises_the_version_and_the_full_name_follows(quickbooks: Simulator) -> None:
    before = quickbooks.company.row("Customer", "7")

    after = quickbooks.change("Customer", "7", DisplayName="New", PrimaryPhone=None)

    assert int(after["SyncToken"]) == int(before["SyncToken"]) + 1
    assert (after["DisplayName"], after["FullyQualifiedName"]) == ("New", "New")
    assert "PrimaryPhone" not in after
    assert after["MetaData"]["CreateTime"] == before["MetaData"]["CreateTime"]
    assert after["MetaData"]["LastUpdatedTime"] > before["MetaData"]["LastUpdatedTime"]
    assert quickbooks.company.row("Customer", "7") == after


def test_a_new_row_is_filled_in(quickbooks: Simulator) -> None:
    id = quickbooks.add("Customer", DisplayName="X", ParentRef={"value": "2"})

    row = quickbooks.company.row("Customer", id)
    parent = quickbooks.company.row("Customer", "2")
    assert row["FullyQualifiedName"] == f"{parent['FullyQualifiedName']}:X"
    assert (row["Job"], row["Level"], row["Active"], row["Balance"]) == (True, 1, True, 0)
    assert (row["SyncToken"], row["sparse"]) == ("0", False)


def test_a_new_row_never_takes_the_id_of_a_deleted_one(quickbooks: Simulator) -> None:
    first = quickbooks.add("Invoice", TotalAmt=Decimal("12.50"))
    quickbooks.delete("Invoice", first)

    second = quickbooks.add("Invoice")

    assert int(second) == int(first) + 1


def test_a_new_invoice_adds_up(quickbooks: Simulator) -> None:
    row = quickbooks.company.row("Invoice", quickbooks.add("Invoice", TotalAmt=Decimal("12.50")))

    assert [line["Amount"] for line in row["Line"]] == [Decimal("12.50")] * 2
    assert row["Balance"] == Decimal("12.50")


def test_inactive_and_active_again_keeps_the_name(quickbooks: Simulator) -> None:
    name = quickbooks.company.row("Item", "3")["Name"]

    inactive = quickbooks.inactivate("Item", "3")
    active = quickbooks.reactivate("Item", "3")

    assert (inactive["Name"], inactive["Active"]) == (f"{name} (deleted)", False)
    assert (active["Name"], active["Active"]) == (name, True)


def test_everything_can_be_told_over_http(quickbooks: Simulator) -> None:
    changed = tell(quickbooks, "change", entity="Item", id="1", fields={"UnitPrice": 9.5}).json()
    added = tell(quickbooks, "add", entity="Item", fields={"Name": "New"}).json()
    tell(quickbooks, "inactivate", entity="Item", id="2")
    tell(quickbooks, "delete", entity="Item", id="3")

    rows = {row["Id"]: row for row in show(quickbooks, "control/rows/Item")}
    assert changed["UnitPrice"] == 9.5 == rows["1"]["UnitPrice"]
    assert rows[added["id"]]["Name"] == "New"
    assert not rows["2"]["Active"]
    assert "3" not in rows


def test_faults_and_calls_can_be_told_over_http(quickbooks: Simulator) -> None:
    app = Caller(quickbooks)
    tell(quickbooks, "fail", kind="query", status=503, form="text")
    app.query("SELECT * FROM Item")

    calls = show(quickbooks, "control/calls")

    assert [call["status"] for call in calls["calls"]] == [200, 503]
    assert calls["metered"] == 0
    assert calls["maxima"]["in_flight"] == 1


def test_tokens_and_time_can_be_told_over_http(quickbooks: Simulator) -> None:
    app = Caller(quickbooks)
    for act in ("expire-access-tokens", "revoke-refresh-token", "reset-calls", "clear-faults"):
        assert tell(quickbooks, act).ok
    assert app.refresh("simulator-refresh-token").status_code == 400

    assert tell(quickbooks, "connect", refresh_token="again").ok
    assert tell(quickbooks, "advance", seconds=60).ok

    assert app.refresh("again").ok


@pytest.mark.parametrize(
    ("act", "body", "status", "problem"),
    [
        ("change", {"entity": "Item", "id": "999", "fields": {}}, 404, "there is no '999'"),
        ("delete", {"entity": "Thing", "id": "1"}, 404, "there is no 'Thing'"),
        ("change", {"entity": "Item"}, 404, "there is no 'id'"),
        ("fail", {"form": "odd"}, 400, "form cannot be 'odd'"),
        ("fail", {"act": "run"}, 400, "act cannot be sent"),
    ],
)
def test_what_cannot_be_done_is_said(
    quickbooks: Simulator, act: str, body: dict[str, Any], status: int, problem: str
) -> None:
    response = tell(quickbooks, act, **body)

    assert response.status_code == status
    assert response.json()["problem"].startswith(problem)


def test_a_company_made_by_the_caller_is_served() -> None:
    company = Company()
    company.load("Item", [{"Id": "1", "Name": "Only"}])

    quickbooks = serve(company)
    try:
        assert Caller(quickbooks).rows("SELECT * FROM Item") == [{"Id": "1", "Name": "Only"}]
        assert quickbooks.company is company
    finally:
        quickbooks.stop()


def test_a_stopped_simulator_answers_no_more() -> None:
    with Simulator(customers=0, items=0, invoices=0) as quickbooks:
        url = quickbooks.url

    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{url}/health", timeout=5)


# The command line


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "simulator", *arguments]


def test_the_command_serves_until_interrupted() -> None:
    counts = ("--customers", "3", "--items", "2", "--invoices", "1", "--port", "0")
    process = subprocess.Popen(
        command(*counts, "--realm", "42"), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
        try:
            health = _patiently(f"{url}/health")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0

    assert "realm 42: 3 Customer, " in said and " 2 Item, " in said and " 1 Invoice, " in said
    assert health["realm"] == "42"


def _patiently(url: str) -> Any:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(requests.exceptions.ConnectionError):
            return requests.get(url, timeout=5).json()
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--load", "/nowhere"], "there is no JSON file in /nowhere"),
        (["--port", "{taken}"], "Address already in use"),
    ],
)
def test_a_simulator_that_cannot_start_says_why(arguments: list[str], problem: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            command(*(argument.format(taken=port) for argument in arguments)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert ended.returncode == 2
    assert ended.stderr.startswith("The simulator cannot start: ")
    assert problem in ended.stderr


# The documentation


def test_every_flag_is_explained() -> None:
    flags = re.findall(r"--[a-z-]+", command_line().format_help())

    assert {flag for flag in flags if f"`{flag}" not in DOCUMENTATION} == {"--help"}


def test_every_act_is_explained() -> None:
    company = Company()
    paths = [route.path for route in Control(World(Settings(), company)).routes()]

    assert [path for path in paths if path.partition("{")[0] not in DOCUMENTATION] == []


def test_every_word_of_a_fault_is_explained() -> None:
    words = [field.name for field in fields(Script)]

    assert [word for word in words if f"`{word}`" not in DOCUMENTATION] == []
