"""What QuickBooks changes without saying so, such as a balance that it computes, comes to the CRM:
by the next reconcile that reads the record, and every record is read once in four weeks."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import pytest

from quickbooks_crm import __main__ as command_line
from quickbooks_crm import reconciling, wording
from quickbooks_crm.errors import QuickBooksRefused
from tests.acceptance.kept_in_step import BY_HAND, FirstSyncs, Kept, counts
from tests.acceptance.reconciled import (
    COUNTS,
    EVERYTHING,
    REPAIR,
    drift,
    kept,
    lose,
    mirror,
    people,
    person,
    reconcile,
)
from tests.faults.interrupted import nothing_is_heard
from tests.faults.test_kills import killed_before

__all__ = ["kept"]

MANY = 3_500
"""Customers of which a reconcile counts more than it reads."""
READ_WHOLLY = 4
"""Calls that read them all."""
OWED = Decimal("1234.56")


@pytest.fixture
def large(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with first_syncs.company(monkeypatch, customers=MANY, items=2) as company:
        company.sync()
        yield company


def days_pass(kept: Kept, days: int) -> None:
    """Since everything was read last; syncs went on meanwhile."""
    for statement in (
        "UPDATE sync.entity_position SET full_read_at = full_read_at - make_interval(days => %s)",
        "UPDATE sync.compared SET until = until - make_interval(days => %s)",
    ):
        kept.ask(statement, days)


def owed(kept: Kept, id: str) -> Decimal:
    balance: Decimal = kept.crm("crm.accounts", id)["balance"]
    return balance


def test_weekly_reconciles_bring_a_balance_that_changed_in_silence_within_four_weeks(
    large: Kept,
) -> None:
    id = person(large)
    large.quickbooks.change_silently("Customer", id, Balance=OWED)
    read, balances = [], []

    for _ in range(5):
        days_pass(large, 7)
        report, run = reconcile(large)
        large.sync()
        read.append(run.calls.get("Customer", 0))
        balances.append(owed(large, id) == OWED)
        assert (report.in_step, run.state) == (True, "success")

    assert balances == [False, False, False, True, True]
    assert read == [0, 0, 0, READ_WHOLLY, 0]


def test_a_sync_that_read_everything_saves_a_reconcile_from_doing_so(large: Kept) -> None:
    days_pass(large, 40)
    large.sync(everything=True)

    _, run = reconcile(large)

    assert "Customer" not in run.calls


def test_what_changed_in_silence_is_taken_over_and_told_and_nothing_else_is_repaired(
    kept: Kept,
) -> None:
    silent, lost, gone = people(kept)[:3]
    kept.quickbooks.change_silently("Customer", silent, Balance=OWED)
    mirror(kept, "DELETE FROM quickbooks.record", lost)
    lose(kept, gone)

    report, run = reconcile(kept)
    kept.sync()

    assert {(each.kind, each.repaired) for each in report.drift} == {
        ("other_content", True),
        ("not_in_mirror", False),
        ("not_in_quickbooks", False),
    }
    assert (report.in_step, run.state) == (False, "failed")
    said = wording.summary(run)
    assert "DRIFT: 2 records differ. Nothing is repaired unasked." in said
    assert "QuickBooks has changed 1 record without saying so; the next sync loads it." in said
    assert owed(kept, silent) == OWED
    assert drift(reconcile(kept)[0]) == {
        "Customer not_in_mirror": [lost],
        "Customer not_in_quickbooks": [gone],
    }


def test_what_changed_in_silence_needs_no_person(kept: Kept) -> None:
    id = person(kept)
    kept.quickbooks.change_silently("Customer", id, Balance=OWED)

    report, run = reconcile(kept)

    assert (report.in_step, report.to_load, run.state) == (True, True, "success")
    said = wording.summary(run)
    assert "QuickBooks has changed 1 record without saying so; the next sync loads it." in said
    assert "DRIFT" not in said
    assert counts(kept.sync())["accounts"] == {"updated": 1}
    assert drift(reconcile(kept, EVERYTHING)[0]) == {}


def test_the_command_loads_nothing_unless_it_is_to_repair(kept: Kept) -> None:
    id = person(kept)
    kept.quickbooks.change_silently("Customer", id, Balance=OWED)

    assert command_line.main(["reconcile", "--company", "sample"]) == 0
    assert owed(kept, id) != OWED
    assert command_line.main(["reconcile", "--company", "sample", "--repair"]) == 0
    kept.sync()
    assert owed(kept, id) == OWED


def test_a_read_of_everything_that_fails_is_done_by_the_next_reconcile(large: Kept) -> None:
    id = person(large)
    large.quickbooks.change_silently("Customer", id, Balance=OWED)
    days_pass(large, 28)
    large.quickbooks.fail("query", 400, matching="STARTPOSITION 1999")

    with pytest.raises(QuickBooksRefused):
        reconcile(large)
    _, run = reconcile(large)
    large.sync()

    assert run.calls["Customer"] == READ_WHOLLY
    assert owed(large, id) == OWED


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("wish", [COUNTS, REPAIR])
@pytest.mark.parametrize("again", [True, False], ids=["again", "another"])
@pytest.mark.parametrize("point", range(4))
def test_one_that_is_killed_goes_on_or_begins_again_without_harm(
    kept: Kept, point: int, again: bool, wish: reconciling.Wish
) -> None:
    changed = people(kept)[:2]
    for id in changed:
        kept.quickbooks.change_silently("Customer", id, Balance=OWED)
    run_id = kept.new_run_id()
    reconciling.check_settings("sample", run_id, BY_HAND)
    reconciling.pipeline.extract("sample", run_id)
    compare = partial(reconciling.compare, "sample", run_id, wish)

    assert killed_before(kept, 15 + 12 * point, compare)
    if again:
        reconciling.compare("sample", run_id, wish)
        reconciling.record("sample", run_id)
    else:
        nothing_is_heard(kept)
        reconcile(kept, wish)
    kept.sync()

    assert [owed(kept, id) for id in changed] == [OWED, OWED]
    assert drift(reconcile(kept, EVERYTHING)[0]) == {}
    assert kept.mismatched() == []
