"""A process killed at any statement loses nothing and does nothing twice.

A child process runs a sync, or an undo, and is killed right before its k-th statement; then the run
goes on, as Airflow would let it. What the CRM holds then must be what a company that nobody
disturbed holds, or what it held before the run that was undone.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from quickbooks_crm import pipeline, undoing
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.undoing import Wish
from tests.acceptance.kept_in_step import BY_HAND, Kept, kept_in_step, own_include
from tests.faults.interrupted import (
    in_peace,
    kept,
    minutes_pass,
    nothing_is_heard,
    recover,
    something_happens,
    undisturbed,
)
from tests.faults.watched import before_each_statement

__all__ = ["kept", "undisturbed"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]

POINTS = 30


def syncing(run_id: str) -> Callable[[], object]:
    return partial(pipeline.sync, "sample", run_id, BY_HAND)


def killed_before(kept: Kept, point: int, act: Callable[[], object]) -> bool:
    """Let a process of its own act and kill it; False when it ended before that."""
    child = os.fork()
    if child == 0:
        _act_until(point, act)
    _, status = os.waitpid(child, 0)
    minutes_pass(kept)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    _all_connections_are_closed(kept)
    return os.WIFSIGNALED(status)


def _act_until(point: int, act: Callable[[], object]) -> None:
    """Never returns."""
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        before_each_statement(pytest.MonkeyPatch(), count)
        act()
        os._exit(0)
    except QuickBooksCrmError as error:
        print(f"the child stopped: {error}")
        os._exit(1)
    finally:
        os._exit(2)


def _all_connections_are_closed(kept: Kept) -> None:
    """Postgres notices that the client is gone; nothing is left idle in a transaction."""
    for _ in range(200):
        others = kept.ask(
            "SELECT state FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if not others:
            return
        time.sleep(0.02)
    pytest.fail(f"connections are left: {others}")


def statements_of(kept: Kept, act: Callable[[], object]) -> int:
    """How many statements something sends."""
    seen: list[str] = []
    minutes_pass(kept)
    with pytest.MonkeyPatch.context() as patch:
        before_each_statement(patch, seen.append)
        act()
    return len(seen)


def test_a_sync_killed_at_any_statement_loses_nothing_and_does_nothing_twice(
    kept: Kept, undisturbed: Kept
) -> None:
    kept.sync()
    in_peace(undisturbed)
    something_happens(kept, 0)
    total = statements_of(kept, kept.sync)

    for turn in range(1, POINTS + 1):
        something_happens(kept, turn)
        run_id = kept.new_run_id()
        point = 1 + (turn - 1) * total // POINTS
        assert killed_before(kept, point, syncing(run_id)), (
            f"fewer than {point} statements were sent"
        )
        recover(kept, run_id, by_a_new_run=turn % 2 == 0)
        assert kept.mismatched() == [], f"killed before statement {point} of {total}"

    in_peace(undisturbed)
    assert kept.image() == undisturbed.image()
    every_call_is_counted(kept, undisturbed)


def every_call_is_counted(*kept: Kept) -> None:
    """None that QuickBooks billed is missing, however its process ended; one that was killed before
    it could send is counted too."""
    billed = sum(
        company.ask("SELECT sum(used)::int AS used FROM sync.budget")[0]["used"] for company in kept
    )
    assert kept[0].quickbooks.metered <= billed <= kept[0].quickbooks.metered + POINTS


def test_a_first_sync_killed_again_and_again_loses_nothing(kept: Kept, undisturbed: Kept) -> None:
    run_id = kept.new_run_id()
    point = 5
    while killed_before(kept, point, syncing(run_id)):
        point += 8

    assert point > 100
    assert kept.run(run_id).state == "success"
    assert kept.mismatched() == []
    in_peace(undisturbed)
    assert kept.image() == undisturbed.image()


# Documents with their lines

LINES = """
    SELECT quickbooks_invoice_id AS id, position, abs(amount) AS amount,
           quickbooks_product_id AS item
      FROM crm.invoices JOIN crm.invoice_lines ON invoices.id = invoice_id
      LEFT JOIN crm.products ON products.id = product_id
     WHERE kind = 'invoice' AND NOT invoices.deleted ORDER BY quickbooks_invoice_id, position"""


def documents_change(kept: Kept, turn: int) -> None:
    """Lines are added, changed, taken out and put in another order, and documents come and go."""
    quickbooks = kept.quickbooks
    rows = quickbooks.rows("Invoice")
    item = {"value": quickbooks.add("Item", Name=f"New {turn}", Type="Service")}
    detail = {"ItemRef": item, "Qty": 1, "UnitPrice": turn}
    new = {"DetailType": "SalesItemLineDetail", "Amount": turn, "SalesItemLineDetail": detail}
    customer = rows[0]["CustomerRef"]
    quickbooks.add("Invoice", CustomerRef=customer, TotalAmt=2 * turn, Line=[new, new])
    longer, shorter, turned = rows[turn % 9], rows[(turn + 1) % 9], rows[(turn + 2) % 9]
    quickbooks.change("Invoice", longer["Id"], Line=[new, *longer["Line"]])
    quickbooks.change("Invoice", shorter["Id"], Line=shorter["Line"][1:])
    quickbooks.change("Invoice", turned["Id"], Line=turned["Line"][::-1])
    if turn % 5 == 0:
        quickbooks.delete("Invoice", rows[-1]["Id"])


def lines_sent(kept: Kept) -> list[dict[str, Any]]:
    """The lines that QuickBooks has, as LINES tells those of the CRM; subtotals are none."""
    sold = {
        row["Id"]: [line for line in row["Line"] if line["DetailType"] != "SubTotalLineDetail"]
        for row in kept.quickbooks.rows("Invoice")
    }
    return [
        {"id": id, "position": place, "amount": abs(line["Amount"]), "item": _item(line)}
        for id in sorted(sold)
        for place, line in enumerate(sold[id], 1)
    ]


def _item(line: dict[str, Any]) -> str | None:
    named: str | None = line.get("SalesItemLineDetail", {}).get("ItemRef", {}).get("value")
    return named


def test_a_sync_of_documents_killed_at_any_statement_leaves_each_with_just_its_lines(
    selling: Kept,
) -> None:
    documents_change(selling, 1)
    total = statements_of(selling, selling.sync)
    assert selling.ask(LINES) == lines_sent(selling)

    for turn in range(2, 22):
        documents_change(selling, turn)
        run_id = selling.new_run_id()
        point = 1 + (turn - 2) * total // 20
        assert killed_before(selling, point, syncing(run_id)), f"fewer than {point} statements"
        recover(selling, run_id, by_a_new_run=turn % 2 == 0)
        told = f"killed before statement {point} of {total}"
        assert selling.ask(LINES) == lines_sent(selling), told
        assert selling.mismatched() == [], told


# Undoing

SOLD = ("products", "accounts", "contacts", "invoices", "invoice_lines")
CRM = [f"SELECT to_jsonb(t.*) - 'updated_at' AS row FROM crm.{table} AS t" for table in SOLD]
KNOWN = (
    "SELECT to_jsonb(t.*) AS row FROM sync.link AS t",
    "SELECT to_jsonb(t.*) - 'run_id' AS row FROM sync.parked AS t",
)
HELD = "SELECT to_jsonb(t.*) - '{run_id,held_since}'::text[] AS row FROM sync.held AS t"


@pytest.fixture
def selling(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    """A company with documents and their lines, and a run that brought what should not be there."""
    own_include(tmp_path, monkeypatch, "[products, accounts, contacts, quotes, invoices]")
    with kept_in_step(database_url, monkeypatch, invoices=12) as company:
        company.sync()
        yield company


def what_is_wrong_happens(kept: Kept) -> None:
    """Documents and their lines are added, changed, removed and deleted, and what they refer to."""
    quickbooks = kept.quickbooks
    first, second, third = quickbooks.rows("Invoice")[:3]
    customer = {"value": quickbooks.add("Customer", DisplayName="New", FamilyName="New")}
    item = {"value": quickbooks.add("Item", Name="New", Type="Service")}
    detail = {"ItemRef": item, "Qty": 2, "UnitPrice": 5}
    new = {"DetailType": "SalesItemLineDetail", "Amount": 10, "SalesItemLineDetail": detail}
    quickbooks.add("Invoice", CustomerRef=customer, TotalAmt=20, Line=[new, new])
    quickbooks.change("Invoice", first["Id"], Line=[new, *first["Line"]], DocNumber="wrong")
    quickbooks.change("Invoice", second["Id"], Line=[new], CustomerRef=customer)
    quickbooks.delete("Invoice", third["Id"])
    quickbooks.change("Item", quickbooks.rows("Item")[0]["Id"], Description="wrong")
    quickbooks.change("Customer", quickbooks.rows("Customer")[0]["Id"], Notes="wrong")


def state(kept: Kept, *more: str) -> list[dict[str, Any]]:
    """All that the CRM holds, and what is known of its records."""
    return [row for query in (*CRM, *KNOWN, *more) for row in kept.ask(f"{query} ORDER BY 1")]


def undo(undone: str, run_id: str) -> None:
    undoing.carry_out("sample", run_id, Wish(undone, "manual"))


def undone_though_killed(kept: Kept, undone: str, point: int, by_a_new_run: bool) -> list[str]:
    """Undo a run in a process that is killed, and again until it is done; the runs that did it, in
    their order."""
    run_id = kept.new_run_id()
    killed = killed_before(kept, point, partial(undo, undone, run_id))
    assert killed, f"fewer than {point} statements were sent"
    nothing_is_heard(kept)
    ran = [run_id, kept.new_run_id()] if by_a_new_run else [run_id]
    undo(undone, ran[-1])
    done = kept.ask("SELECT run_id FROM sync.activity WHERE run_id = ANY(%s)", ran)
    return [run_id for run_id in ran if {"run_id": run_id} in done]


@pytest.mark.timeout(0)
def test_an_undo_killed_at_any_statement_leaves_what_was_before_once_it_is_done_again(
    selling: Kept,
) -> None:
    before = state(selling)
    what_is_wrong_happens(selling)
    selling.sync("wrong")
    after = state(selling, HELD)
    there = statements_of(selling, partial(undo, "wrong", "back"))
    undone = state(selling, HELD)
    back = statements_of(selling, partial(undo, "back", "forth"))
    assert state(selling, HELD) == after
    assert undone != after
    assert undone[: len(before)] == before

    for turn in range(0, POINTS, 2):
        point = 1 + turn * there // POINTS
        ran = undone_though_killed(selling, "wrong", point, by_a_new_run=turn % 4 == 2)
        assert state(selling, HELD) == undone, f"killed before statement {point} of {there}"
        point = 1 + turn * back // (POINTS * len(ran))
        for run_id in reversed(ran):
            undone_though_killed(selling, run_id, point, by_a_new_run=False)
        assert state(selling, HELD) == after, f"killed before statement {point} of {back}"
    assert selling.mismatched() == []
