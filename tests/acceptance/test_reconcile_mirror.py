"""Where QuickBooks and the mirror do not agree, a reconcile finds it and repairs it."""

import json
from decimal import Decimal

import pytest

from quickbooks_crm import wording
from quickbooks_crm.reconcile.comparing import Wish
from tests.acceptance.kept_in_step import Kept, counts, kept_in_step
from tests.acceptance.reconciled import (
    COUNTS,
    EVERYTHING,
    REPAIR,
    REPAIR_EVERYTHING,
    drift,
    kept,
    lose,
    mirror,
    people,
    person,
    reconcile,
    totals,
)

__all__ = ["kept"]


def test_a_record_that_the_mirror_lacks_is_found_and_brought_in(kept: Kept) -> None:
    id = person(kept)
    mirror(kept, "DELETE FROM quickbooks.record", id)

    report, run = reconcile(kept)
    repaired, mended = reconcile(kept, REPAIR)

    assert drift(report) == drift(repaired) == {"Customer not_in_mirror": [id]}
    assert (report.in_step, run.state) == (False, "failed")
    assert (repaired.in_step, repaired.to_load, mended.state) == (True, True, "success")
    assert counts(kept.sync())["accounts"] == {"unchanged": 1}
    assert reconcile(kept)[0].drift == ()


def test_a_record_that_the_mirror_holds_for_deleted_comes_back(kept: Kept) -> None:
    id = person(kept)
    mirror(kept, "UPDATE quickbooks.record SET deleted = true", id)

    report, _ = reconcile(kept, REPAIR)

    assert drift(report) == {"Customer not_in_mirror": [id]}
    assert reconcile(kept)[0].drift == ()


def test_a_delete_that_nobody_told_of_is_found_and_flagged_in_the_crm(kept: Kept) -> None:
    id = person(kept)
    lose(kept, id)

    report, _ = reconcile(kept, REPAIR)
    kept.sync()

    assert drift(report) == {"Customer not_in_quickbooks": [id]}
    assert kept.crm("crm.accounts", id)["deleted"] is True
    assert reconcile(kept)[0].drift == ()


@pytest.mark.parametrize("wish", [COUNTS, EVERYTHING])
def test_a_delete_or_change_while_it_compares_is_left_to_the_next_sync(
    kept: Kept, wish: Wish
) -> None:
    gone, changed = people(kept)[:2]

    def act() -> None:
        kept.quickbooks.delete("Customer", gone)
        kept.quickbooks.change("Customer", changed, Notes="just now")

    kept.quickbooks.when("query", act, matching="FROM Customer")

    report, _ = reconcile(kept, wish)

    assert (report.in_step, report.drift) == (True, ())
    assert counts(kept.sync())["accounts"] == {"updated": 2}


@pytest.mark.parametrize("versions", [3, -1])
def test_another_version_is_found_and_made_quickbooks_own(kept: Kept, versions: int) -> None:
    """A change that was missed, or, after QuickBooks was restored from a backup, a version that
    went back: a sync believes the greater SyncToken."""
    id = person(kept)
    record = (
        "SELECT sync_token, updated_at, payload FROM quickbooks.record"
        " WHERE entity = 'Customer' AND id = %s"
    )
    was = kept.ask(record, id)
    kept.ask(
        "UPDATE quickbooks.record SET sync_token = sync_token + %s, updated_at = updated_at"
        " - interval '1 day', payload = payload || '{\"Notes\": \"another\"}'"
        " WHERE entity = 'Customer' AND id = %s",
        versions,
        id,
    )

    report, _ = reconcile(kept)
    reconcile(kept, REPAIR)

    assert drift(report) == {"Customer other_version": [id]}
    assert kept.ask(record, id) == was


def test_a_balance_that_changes_without_a_new_version_is_found_by_every_record(kept: Kept) -> None:
    """As QuickBooks does it, perhaps: no LastUpdatedTime moves when an invoice is paid."""
    id = person(kept)
    mirror(kept, "UPDATE quickbooks.record SET payload = payload || '{\"Balance\": 1.25}'", id)
    was = kept.quickbooks.company.row("Customer", id)

    report, run = reconcile(kept, REPAIR_EVERYTHING)
    kept.sync()

    assert drift(report) == {"Customer other_content": [id]}
    assert report.drift[0].fields == ["Balance"]
    difference = totals(report, "Customer.Balance")[was["CurrencyRef"]["value"]]
    assert difference == Decimal("1.25") - Decimal(str(was["Balance"]))
    said = "1 of the same version, but with other content than in QuickBooks (Balance)"
    assert f"Customer: {said}: Id {id}; repaired" in wording.summary(run)
    assert kept.crm("crm.accounts", id)["balance"] == Decimal(str(was["Balance"]))
    assert reconcile(kept, EVERYTHING)[0].drift == ()


def test_records_that_postgres_cannot_hold_are_no_drift(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_in_step(database_url, monkeypatch) as kept:
        first, second = people(kept)[:2]
        kept.quickbooks.company.clock.advance(-3600)  # what changes just now is not compared
        kept.quickbooks.change("Customer", first, Notes="a NUL: \0")
        kept.quickbooks.change("Customer", second, Balance=Decimal("9" * 200_000 + ".5"))
        kept.quickbooks.company.clock.advance(3600)
        kept.sync()

        assert drift(reconcile(kept, EVERYTHING)[0]) == {}


@pytest.mark.parametrize("customers", [40, 3_500])
def test_a_delete_that_nobody_told_of_is_found_beside_a_record_without_a_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch, customers: int
) -> None:
    """QuickBooks counts such a record in a period, and the mirror in none: they would be even."""
    with kept_in_step(database_url, monkeypatch, customers=customers, items=2) as kept:
        row, lost = kept.quickbooks.rows("Customer")[0], people(kept)[-1]
        head = {name: value for name, value in row.items() if name != "MetaData"}
        kept.quickbooks.put("Customer", row, served=json.dumps(head, default=float).encode())
        kept.sync()
        kept.quickbooks.vanish("Customer", lost)

        report, _ = reconcile(kept, COUNTS)

        assert drift(report) == {"Customer not_in_quickbooks": [lost]}
        customer = next(one for one in report.compared if one.subject == "Customer")
        assert (customer.source, customer.target) == (customers - 1, customers)
