"""The whole project as a newcomer meets it: `make demo`, through Airflow and its scheduler.

The tests marked `last` kill and stop the demo, so they run when no other test needs it any more.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from demo.rest import Rest
from tests.real_airflow import Demo

pytestmark = pytest.mark.slow


@contextmanager
def someone_listens(port: int) -> Iterator[None]:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in range(100):  # until its last owner is quite gone
            with suppress(OSError):
                stranger.bind(("127.0.0.1", port))
                break
            time.sleep(0.1)
        stranger.listen()
        yield


def test_the_first_sync_runs_through_airflow_and_is_shown(demo: Demo, started: str) -> None:
    assert "record_activity: success" in started
    assert f"user admin, password {demo.settings.admin_password}" in started
    assert "seconds in all" in started


def test_the_crm_holds_what_quickbooks_holds(demo: Demo, started: str) -> None:
    found = demo.query("SELECT quickbooks_customer_id FROM crm.accounts WHERE type = 'Customer'")

    assert {identity for (identity,) in found} == demo.customers()


def test_a_file_of_sql_is_run_against_the_database(
    demo: Demo, started: str, tmp_path: Path
) -> None:
    (tmp_path / "some.sql").write_text(
        "SELECT id FROM crm.companies;\nSELECT oops;\nSELECT 'on';\n"
    )

    asked = demo.run("psql", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(tmp_path / "some.sql"))

    assert asked.returncode == 3
    assert [line.strip() for line in asked.stdout.splitlines()][2:] == ["sample", "(1 row)", ""]


def test_every_row_that_was_read_is_accounted_for(demo: Demo, started: str) -> None:
    ends = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")

    counted = {counts["module"]: counts for counts in demo.runs()[-1]["modules"]}

    assert set(counted) == {
        *("products", "vendors", "accounts", "contacts", "quotes", "invoices", "payments")
    }
    for counts in counted.values():
        assert counts["read"] == sum(counts[end] for end in ends) > 0


def test_starting_again_reads_no_row_and_makes_one_call(demo: Demo, started: str) -> None:
    before = len(demo.runs())

    again = demo.run("up")

    assert again.returncode == 0, again.stdout + again.stderr
    ran = demo.runs()
    assert len(ran) == before + 1
    assert (ran[0]["api_calls"], sum(ran[0]["fetched"].values())) == (1, 0)
    assert "products.load: skipped" in again.stdout


def test_every_component_says_it_is_well(demo: Demo, started: str) -> None:
    states = Rest(demo.settings).get("/monitor/health")

    assert {name: state["status"] for name, state in states.items()} == {
        "metadatabase": "healthy",
        "scheduler": "healthy",
        "triggerer": "healthy",
        "dag_processor": "healthy",
    }


def test_nothing_can_be_reached_from_outside_this_machine(demo: Demo, started: str) -> None:
    listening = set()
    for process in demo.processes():
        with suppress(psutil.NoSuchProcess):  # a task that has ended since
            sockets = process.net_connections("inet")
            listening |= {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}

    assert listening == {"127.0.0.1"}


def test_another_company_is_refused_with_what_to_do(demo: Demo, started: str) -> None:
    refused = demo.run("up", CUSTOMERS="41")

    assert refused.returncode == 1
    assert "make down RESET=1" in refused.stderr


@pytest.mark.last
def test_a_sync_that_a_breaker_stops_says_so_and_where_everything_is(
    demo: Demo, started: str
) -> None:
    many = [row["Id"] for row in demo.quickbooks("rows/Customer") if row["Active"]][:40]
    for id in many:
        demo.act("inactivate", {"entity": "Customer", "id": id})

    stopped = demo.run("up")
    for id in many:
        demo.act("reactivate", {"entity": "Customer", "id": id})

    assert stopped.returncode == 1
    assert "accounts.load stopped: 40 of the" in stopped.stdout
    assert f"user admin, password {demo.settings.admin_password}" in stopped.stdout
    assert stopped.stderr.startswith("\nThe sync ended failed. Everything is started all the same")
    assert "\nA breaker is open: what the sync was about to write looks like" in stopped.stderr
    assert "40 of the" not in stopped.stderr


@pytest.mark.last
def test_it_starts_again_after_its_scheduler_and_postgres_were_killed(
    demo: Demo, started: str
) -> None:
    port = demo.settings.postgres_port
    for process in demo.processes():
        # One that Postgres had for a moment may be gone by itself.
        with suppress(psutil.NoSuchProcess):
            if process.info["name"] == "postgres" or process.pid == demo.pid("scheduler"):
                process.kill()

    with someone_listens(port):
        again = demo.run("up")

    assert again.returncode == 0, again.stdout + again.stderr
    assert f"Port {port} is in use, so Postgres takes" in again.stdout
    kept = "SELECT count(quickbooks_customer_id) FROM crm.accounts"
    assert demo.query(kept) == [(len(demo.customers()),)]


@pytest.mark.last
def test_down_stops_everything_also_after_a_crash(demo: Demo, started: str) -> None:
    psutil.Process(demo.pid("scheduler")).kill()

    stopped = demo.run("down")

    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout == "Stopped 6 services.\n"
    assert demo.processes() == []


@pytest.mark.last
@pytest.mark.parametrize("word", ["status", "psql", "shell"])
def test_a_stopped_demo_says_so_and_how_to_start_it(demo: Demo, started: str, word: str) -> None:
    demo.run("down")

    asked = demo.run(word)

    assert asked.stdout + asked.stderr == "The demo is stopped. Start it with: make demo\n"


@pytest.mark.last
def test_a_reset_leaves_nothing_behind(demo: Demo, started: str) -> None:
    demo.run("down", RESET="1")

    assert not demo.home.path.exists()
