"""While QuickBooks is asked, nothing is held that others may wait for: no transaction is open and
no lock is taken, but the row of the company's login while Intuit is asked for a new one."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from quickbooks_crm import previewing, reconciling
from simulator.faults import FOR_EVER
from tests.acceptance.kept_in_step import BY_HAND, Kept, kept_in_step, own_include
from tests.acceptance.reconciled import REPAIR_EVERYTHING

pytestmark = pytest.mark.slow

DATA = ("query", "cdc", "companyinfo")
PATIENCE = 2
"""Seconds in which a transaction that waits for no answer of QuickBooks is long over."""

HELD = """
    SELECT own.state, own.query,
           ARRAY (SELECT DISTINCT coalesce(relation::regclass::text, locktype) FROM pg_locks
                   WHERE pid = own.pid AND granted AND mode <> 'AccessShareLock'
                     AND locktype IN ('relation', 'advisory')) AS locks
      FROM pg_stat_activity AS own
     WHERE datname = current_database() AND application_name = 'quickbooks_crm'
       AND (xact_start IS NOT NULL
            OR EXISTS (SELECT FROM pg_locks WHERE pid = own.pid AND locktype = 'advisory'))"""


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    """A company with documents, some of them on several pages."""
    own_include(tmp_path, monkeypatch, "[products, accounts, contacts, quotes, invoices]")
    with kept_in_step(database_url, monkeypatch, customers=1_200, invoices=40) as kept:
        yield kept


def watched(kept: Kept, *kinds: str) -> dict[str, list[dict[str, Any]]]:
    """What will be found held while QuickBooks has a question of each kind before it."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for kind in kinds:
        look = partial(_look, kept.url, found[kind])
        kept.quickbooks.when(kind, look, times=FOR_EVER)
    return found


def _look(url: str, found: list[dict[str, Any]]) -> None:
    """Note what is held still when all that waits for no answer is done."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        end = time.monotonic() + PATIENCE
        while (held := connection.execute(HELD).fetchall()) and time.monotonic() < end:
            time.sleep(0.01)
    found += held


def test_no_transaction_and_no_lock_waits_for_an_answer_of_quickbooks(kept: Kept) -> None:
    held = watched(kept, *DATA)

    kept.sync()
    kept.quickbooks.change("Customer", "1", Notes="changed")
    kept.sync()
    kept.sync(everything=True)
    kept.quickbooks.vanish("Customer", "3")
    reconciling.reconcile("sample", kept.new_run_id(), BY_HAND, REPAIR_EVERYTHING)
    previewing.sync("sample", kept.new_run_id(), BY_HAND, read=True)

    assert held == {kind: [] for kind in DATA}
    assert {call.kind for call in kept.quickbooks.calls} - {"token", "discovery"} == set(DATA)


def test_who_waits_for_a_login_holds_the_row_of_the_login_and_nothing_else(kept: Kept) -> None:
    """Two who log in at once would end each other's login."""
    held = watched(kept, "token")

    kept.sync()
    kept.quickbooks.expire_access_tokens()
    kept.sync()

    assert [each["locks"] for each in held["token"]] == [["sync.token", "sync.token_pkey"]] * 2
