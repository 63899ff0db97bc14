"""Does the mirror have what QuickBooks has, and the CRM what the mirror has? How it is
asked and told, and that nothing happens unasked."""

import json
import logging
from decimal import Decimal

import pytest

from quickbooks_crm import __main__ as command_line
from quickbooks_crm import pipeline, reconciling, wording
from quickbooks_crm.errors import BreakerTripped, DriftFound, QuickBooksRefused
from quickbooks_crm.reconcile.comparing import Wish
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step
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

__all__ = ["kept"]


# In step


def test_a_company_in_step_has_no_drift(kept: Kept) -> None:
    report, run = reconcile(kept)

    assert (report.in_step, report.drift, report.to_load) == (True, (), False)
    assert (run.kind, run.state) == ("reconcile", "success")
    assert all(total.difference == 0 for total in report.totals)
    said = wording.summary(run)
    assert "No drift: QuickBooks, the mirror and the CRM agree." in said
    assert "  Customer: 30 in QuickBooks, 30 in the mirror (every record compared)" in said
    assert f"Control totals: all {len(report.totals)} agree." in said


def test_a_small_entity_costs_one_call_and_is_compared_wholly(kept: Kept) -> None:
    reconcile(kept)

    assert [call.kind for call in kept.quickbooks.calls] == [
        *("cdc", "companyinfo"),
        *(3 * ["query"]),
    ]


def test_a_large_entity_is_counted_and_only_the_part_that_differs_is_read(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_in_step(database_url, monkeypatch, customers=3_500, items=2) as kept:
        kept.sync()
        kept.quickbooks.reset_calls()

        report, run = reconcile(kept)

        calls = {"changes": 1, "companyinfo": 1, "count": 4, "Item": 1, "Term": 1}
        assert (report.in_step, run.calls) == (True, calls)

        lost = kept.ask("SELECT id FROM quickbooks.record WHERE entity = 'Customer' LIMIT 1")
        mirror(kept, "DELETE FROM quickbooks.record", lost[0]["id"])

        report, run = reconcile(kept)

        assert drift(report) == {"Customer not_in_mirror": [lost[0]["id"]]}
        assert run.calls["Customer"] == 1
        assert run.calls["count"] <= 7


def test_a_missed_change_within_one_period_is_found_by_every_record_only(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/operating.md says: the record is counted in the same period before and after."""
    with kept_in_step(database_url, monkeypatch, customers=3_500, items=2) as kept:
        kept.sync()
        id = person(kept)
        mirror(kept, "UPDATE quickbooks.record SET sync_token = sync_token - 1", id)

        assert drift(reconcile(kept)[0]) == {}
        assert drift(reconcile(kept, EVERYTHING)[0]) == {"Customer other_version": [id]}


def test_what_is_new_in_quickbooks_is_read_first_and_is_no_drift(kept: Kept) -> None:
    kept.quickbooks.change("Customer", person(kept), Notes="new")
    kept.quickbooks.add("Customer", DisplayName="New")
    kept.quickbooks.inactivate("Customer", people(kept)[1])

    report, _ = reconcile(kept)

    assert (report.in_step, report.drift) == (True, ())
    accounts = next(one for one in report.compared if one.subject == "accounts")
    assert (accounts.source, accounts.target, accounts.waiting) == (31, 28, 3)
    assert counts(kept.sync())["accounts"] == {"added": 1, "updated": 2}


@pytest.mark.parametrize("wish", [COUNTS, EVERYTHING])
def test_what_changed_too_recently_to_compare_is_counted_on_both_sides_and_told(
    kept: Kept, wish: Wish
) -> None:
    recent, lost = people(kept)[:2]
    kept.quickbooks.change("Customer", recent, Balance=Decimal("500.05"))
    kept.sync()
    mirror(kept, "DELETE FROM quickbooks.record", lost)

    report, run = reconcile(kept, wish)

    told = "30 in QuickBooks, 29 in the mirror (every record compared; 1 of them changed too"
    assert f"  Customer: {told} recently to compare)" in wording.summary(run)
    left = [t.waiting for t in report.totals if t.subject == "Customer" and t.waiting]
    assert left == [Decimal("500.05")]
    mirrored = {t.currency: t.source for t in report.totals if t.field == "balance"}
    theirs = [t for t in report.totals if f"{t.subject}.{t.field}" == "Customer.Balance"]
    assert {t.currency: t.target + t.waiting for t in theirs} == mirrored
    assert "To repair: python -m quickbooks_crm reconcile --company sample --repair" in (
        wording.summary(run)
    )


@pytest.mark.parametrize("wish", [COUNTS, EVERYTHING])
def test_what_changes_or_goes_while_it_compares_is_counted_as_left_to_the_next_sync(
    kept: Kept, wish: Wish
) -> None:
    gone, changed = people(kept)[:2]

    def act() -> None:
        kept.quickbooks.delete("Customer", gone)
        kept.quickbooks.change("Customer", changed, Notes="just now")

    kept.quickbooks.when("query", act, matching="FROM Customer")

    report, _ = reconcile(kept, wish)

    customer = next(one for one in report.compared if one.subject == "Customer")
    assert (customer.source, customer.target, customer.waiting) == (29, 30, 2)


# Nothing unasked, and the breakers hold


def test_a_reconcile_that_is_not_asked_to_repair_changes_nothing(kept: Kept) -> None:
    first, second = people(kept)[:2]
    mirror(kept, "DELETE FROM quickbooks.record", first)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", second)
    everything = "SELECT * FROM quickbooks.record ORDER BY entity, id"
    before = (kept.ask(everything), kept.image())

    report, _ = reconcile(kept, EVERYTHING)

    assert len(report.drift) == 2
    assert (kept.ask(everything), kept.image()) == before
    assert kept.sync().quiet


def test_a_repair_stops_before_it_marks_suspiciously_many_as_deleted(kept: Kept) -> None:
    for number in range(40):
        kept.quickbooks.add("Customer", Id=str(9000 + number), DisplayName=f"Soon lost {number}")
    kept.sync()
    for number in range(40):
        lose(kept, str(9000 + number))
    kept.ask("UPDATE quickbooks.record SET updated_at = updated_at - interval '1 h'")

    with pytest.raises(
        BreakerTripped, match="40 of 70 records of Customer are deleted in QuickBooks"
    ):
        reconcile(kept, REPAIR)

    assert kept.ask("SELECT count(*) FROM quickbooks.record WHERE deleted") == [{"count": 0}]


def test_an_entity_that_cannot_be_compared_stops_no_other(kept: Kept) -> None:
    id = person(kept)
    kept.ask("UPDATE crm.contacts SET last_name = 'x' WHERE quickbooks_customer_id = %s", id)
    run_id = kept.new_run_id()
    kept.quickbooks.fail("query", 400, times=99, matching="FROM Customer")

    with pytest.raises(QuickBooksRefused):
        reconciling.reconcile("sample", run_id, BY_HAND, COUNTS)

    run = kept.run(run_id)
    assert run.report is not None
    assert [one.subject for one in run.report.compared] == [
        "Item",
        "Term",
        "accounts",
        "contacts",
        "products",
    ]
    assert drift(run.report) == {"contacts changed_in_crm": [id]}
    assert [(problem.task, problem.code) for problem in run.problems] == [
        ("compare", "quickbooks_refused")
    ]


# The command, the log and the task


def test_the_command_repairs_and_syncs_and_its_exit_code_tells(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    id = person(kept)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", id)

    codes = [command("reconcile"), command("reconcile", "--repair"), command("reconcile")]

    assert codes == [1, 0, 0]
    said = capsys.readouterr().out
    assert f"  contacts: 1 once in the CRM, but deleted there: Id {id}\n" in said
    assert "1 record differed; it is repaired, and the next sync loads it." in said
    assert kept.crm("crm.contacts", id)


def command(*words: str) -> int:
    return command_line.main([*words, "--company", "sample"])


def test_the_command_shows_amounts_and_rows_and_json_has_them_too(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    id = person(kept)
    mirror(kept, "UPDATE quickbooks.record SET sync_token = sync_token + 1", id)
    kept.ask(
        "UPDATE crm.products SET price = 1234567.5 WHERE id = (SELECT min(id) FROM crm.products)"
    )

    command("reconcile", "--rows")
    plain = capsys.readouterr().out
    command("reconcile", "--json")
    told = json.loads(capsys.readouterr().out.splitlines()[0])

    assert "1,234," in plain
    assert f"\nCustomer {id}  in another version in the mirror than in QuickBooks" in plain
    assert told["report"]["in_step"] is False
    assert {total["field"] for total in told["report"]["totals"]} >= {"Balance", "price"}


def test_no_figure_and_no_name_reaches_a_log(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = kept.quickbooks.company.row("Customer", person(kept))
    kept.ask(
        "UPDATE crm.accounts SET balance = 1234567.89 WHERE quickbooks_customer_id = %s", row["Id"]
    )
    run_id = kept.new_run_id()

    reconciling.check_settings("sample", run_id, BY_HAND)
    pipeline.extract("sample", run_id)
    reconciling.compare("sample", run_id, EVERYTHING)
    with pytest.raises(DriftFound, match="do not agree: the activity of run run-2 says where"):
        reconciling.record("sample", run_id)

    assert "accounts.balance" in caplog.text
    assert [
        text for text in ("1234567", "1,234,567", row["DisplayName"]) if text in caplog.text
    ] == []


def test_a_task_that_is_tried_again_does_not_compare_twice(kept: Kept) -> None:
    run_id = kept.new_run_id()
    reconciling.check_settings("sample", run_id, BY_HAND)
    pipeline.extract("sample", run_id)
    reconciling.compare("sample", run_id, COUNTS)
    kept.quickbooks.reset_calls()

    again = reconciling.compare("sample", run_id, COUNTS)

    assert [call.kind for call in kept.quickbooks.calls] == ["companyinfo"]
    assert len(again.compared) == 6
