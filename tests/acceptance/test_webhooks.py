"""Webhooks as hints: what a sync makes of them, and Airflow, which starts it early."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import requests

from demo import ports
from demo.home import PROJECT
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.notification import Event
from tests.acceptance.kept_in_step import Kept, kept_in_step
from tests.integration.deliveries import TOKEN
from tests.integration.receiving import keeper, receiving, until
from tests.real_airflow import Demo

DAY = 86_400


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def names(kept: Kept) -> dict[str, str]:
    """The accounts' names by their ids in QuickBooks."""
    rows = kept.ask("SELECT quickbooks_customer_id AS id, name FROM crm.accounts")
    return {row["id"]: row["name"] for row in rows}


@pytest.mark.parametrize("form", ["old", "cloudevents"])
def test_told_twice_and_in_disorder_the_crm_holds_what_quickbooks_holds_now(
    kept: Kept, form: str
) -> None:
    """W11. What a webhook said is never applied: the present state is read."""
    kept.sync()
    with receiving(keeper(kept.url)) as receiver:
        how = {"form": form, "copies": 2, "disorder": True, "gather_seconds": 0.3}
        kept.quickbooks.webhook(receiver.url, TOKEN, **how)
        for version in range(5):
            kept.quickbooks.change("Customer", "3", DisplayName=f"Version {version}")
        new = kept.quickbooks.add("Customer", DisplayName="Come and gone", FamilyName="Gone")
        kept.quickbooks.inactivate("Customer", new)
        assert kept.quickbooks.webhooks_settled(timeout=120)

    assert {delivery.status for delivery in kept.quickbooks.deliveries} == {200}
    [told] = kept.ask("SELECT count(*) AS events FROM sync.webhook_event")
    assert told["events"] == len({delivery.body for delivery in kept.quickbooks.deliveries})
    kept.sync()
    assert names(kept)["3"] == "Version 4"
    assert kept.crm("crm.accounts", new)["active"] is False


def test_a_receiver_that_was_away_for_days_costs_nothing_but_time(kept: Kept) -> None:
    """W15. What nobody received, the next sync reads all the same."""
    kept.sync()
    kept.quickbooks.webhook("http://127.0.0.1:9/webhooks", TOKEN, retry_after=())
    kept.quickbooks.change("Customer", "3", DisplayName="Changed meanwhile")
    kept.quickbooks.advance(3 * DAY)
    assert kept.quickbooks.webhooks_settled(timeout=120)

    kept.sync()

    assert {delivery.status for delivery in kept.quickbooks.deliveries} == {0}
    assert names(kept)["3"] == "Changed meanwhile"


def test_a_sync_sees_to_all_that_was_told_before_it(kept: Kept) -> None:
    kept.sync()
    with receiving(keeper(kept.url)) as receiver:
        kept.quickbooks.webhook(receiver.url, TOKEN)
        kept.quickbooks.change("Customer", "3", DisplayName="Told")
        assert kept.quickbooks.webhooks_settled(timeout=120)
    with psycopg.connect(kept.url, autocommit=True) as connection:
        assert inbox.waiting(connection)["sample"].events == 1

        kept.sync()

        assert inbox.waiting(connection) == {}


def test_events_wait_until_a_sync_has_read_what_changed(kept: Kept) -> None:
    kept.sync()
    with psycopg.connect(kept.url, autocommit=True) as connection:
        inbox.store(connection, [Event(kept.quickbooks.realm, "e1", "customer", "1", "update")])
        kept.quickbooks.fail("cdc", 400, times=100)
        with pytest.raises(QuickBooksCrmError):
            kept.sync()
        assert inbox.waiting(connection)["sample"].failed == 1

        kept.quickbooks.clear_faults()
        kept.sync()

        assert inbox.waiting(connection) == {}


def test_a_run_says_that_webhooks_are_refused(kept: Kept) -> None:
    """W05. Whoever looks at the activity finds it, not only who reads the receiver's log."""
    with receiving(keeper(kept.url), tokens=["the former token"]) as receiver:
        kept.quickbooks.webhook(receiver.url, TOKEN, retry_after=())
        kept.quickbooks.change("Customer", "3", DisplayName="Told")
        assert kept.quickbooks.webhooks_settled(timeout=120)

    run = kept.sync()

    assert "fits no verifier token" in " ".join(run.warnings)


@pytest.mark.slow
def test_airflow_syncs_early_and_once_for_all_that_it_was_told(demo: Demo, started: str) -> None:
    """From a change in QuickBooks to the CRM, through the receiver, the triggerer and the
    scheduler, long before the schedule."""
    with receiver_of(demo) as url:
        told = {"url": url, "verifier_token": TOKEN}
        demo.act("webhook", told)
        triggers = [told_and_synced(demo)]
        if triggers == ["scheduled"]:  # the full hour came in between, and had seen to it
            triggers.append(told_and_synced(demo))

    assert triggers[-1] == "webhook"
    early = demo.query("SELECT state FROM sync.run WHERE trigger = 'webhook'")
    assert early == [("success",)]


def told_and_synced(demo: Demo) -> str:
    """Add customers, one after the other, and wait for the CRM; what started the run that brought
    them."""
    for number in range(3):
        name = f"Told {number} {os.urandom(4).hex()}"
        demo.act("add", {"entity": "Customer", "fields": {"DisplayName": name}})
    until(lambda: demo.customers() == accounts(demo), seconds=120)
    newest = "SELECT trigger, state FROM sync.run ORDER BY started_at DESC LIMIT 1"
    until(lambda: demo.query(newest)[0][1] != "running", seconds=60)
    return str(demo.query(newest)[0][0])


def accounts(demo: Demo) -> set[str]:
    """Which customers are in the CRM; vendors are accounts too."""
    ids = "SELECT quickbooks_customer_id FROM crm.accounts WHERE quickbooks_customer_id IS NOT NULL"
    return {id for (id,) in demo.query(ids)}


@contextmanager
def receiver_of(demo: Demo) -> Iterator[str]:
    """`python -m quickbooks_crm webhooks` beside the demo; its address."""
    port = ports.free(18090)
    environment = demo.environment | {
        "AIRFLOW_CONN_QUICKBOOKS_WEBHOOKS": f'{{"conn_type": "generic", "password": "{TOKEN}"}}'
    }
    words = [sys.executable, "-m", "quickbooks_crm", "webhooks", "--port", str(port)]
    receiver = subprocess.Popen(words, cwd=PROJECT, env=environment)
    try:
        until(lambda: answers(port), seconds=60)
        yield f"http://127.0.0.1:{port}/webhooks"
    finally:
        receiver.terminate()
        assert receiver.wait(120) == -signal.SIGTERM


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=30).ok
    except requests.ConnectionError:
        return False
