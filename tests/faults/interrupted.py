"""A company whose syncs are broken off, beside another CRM for it whose syncs are not."""

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from demo.postgres import Server
from quickbooks_crm import database
from tests.acceptance.kept_in_step import INCLUDE, Kept, kept_in_step

CUSTOMERS = 150


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=CUSTOMERS, items=60) as company:
        yield company


@pytest.fixture
def undisturbed(kept: Kept, server: Server, template: str) -> Iterator[Kept]:
    """Another CRM for the same company, whose syncs nobody kills."""
    name = f"undisturbed_{os.getpid()}"
    url = server.create_database(name, template)
    with psycopg.connect(url, autocommit=True) as connection:
        database.add_companies(connection, INCLUDE / "crm", {"sample": "Sample company"})
    with closing(Kept(kept.quickbooks, url)) as undisturbed:
        yield undisturbed
    server.drop_database(name)


def in_peace(undisturbed: Kept) -> None:
    """A sync into the other CRM."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CRM", undisturbed.url)
        undisturbed.sync()


def minutes_pass(kept: Kept) -> None:
    """What was on its way to QuickBooks is over, and no call has to wait for others before it."""
    kept.ask("UPDATE sync.turn SET begun_at = begun_at - interval '5 minutes'")


def recover(kept: Kept, run_id: str, by_a_new_run: bool) -> None:
    """Airflow tries the tasks of the run again; or that run never comes back, and the next does."""
    if by_a_new_run:
        nothing_is_heard(kept)
        run_id = kept.new_run_id()
    assert kept.sync(run_id).state == "success"


def nothing_is_heard(kept: Kept) -> None:
    """For so long that the run that was killed counts as silent."""
    kept.ask("UPDATE sync.lease SET taken_at = now() - interval '3 minutes'")
    kept.ask("UPDATE sync.attempt SET renewed_at = now() - interval '3 minutes'")


def something_happens(kept: Kept, turn: int) -> None:
    """One of each kind of change, each to rows that no other turn touches; so few deletes that all
    turns together are no mass delete."""
    quickbooks = kept.quickbooks
    customers = [row["Id"] for row in quickbooks.rows("Customer")[: CUSTOMERS // 3]]
    items = [row["Id"] for row in quickbooks.rows("Item")]
    quickbooks.change("Customer", customers[turn], Notes=f"turn {turn}", FamilyName=f"Turn {turn}")
    parent = {"value": customers[turn]}
    quickbooks.add("Customer", DisplayName=f"New {turn}", FamilyName="New", ParentRef=parent)
    quickbooks.change("Item", items[turn], Description=f"turn {turn}")
    if turn % 5 == 0:
        quickbooks.inactivate("Customer", str(2 * CUSTOMERS // 3 + turn))
    if turn % 5 == 1:
        quickbooks.delete("Customer", str(2 * CUSTOMERS // 3 + turn))
