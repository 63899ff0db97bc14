"""Does the mirror have what QuickBooks has, and the CRM what the mirror has? And is it repaired?"""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest

from quickbooks_crm import __main__ as command_line
from quickbooks_crm import pipeline, reconciling, wording
from quickbooks_crm.activity import Run
from quickbooks_crm.errors import BreakerTripped, DriftFound, QuickBooksRefused
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.reconcile.report import Report, words
from tests.acceptance.kept_in_step import BY_HAND, FirstSyncs, Kept, counts, kept_in_step

COUNTS = Wish()
EVERYTHING = Wish(everything=True)
REPAIR = Wish(repair=True)
REPAIR_EVERYTHING = Wish(everything=True, repair=True)


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A company that has been synced once, its calls to come counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


def reconcile(kept: Kept, wish: Wish = COUNTS) -> tuple[Report, Run]:
    run_id = kept.new_run_id()
    report = reconciling.reconcile("sample", run_id, BY_HAND, wish)
    return report, kept.run(run_id)


def drift(report: Report) -> dict[str, list[str]]:
    """What differs: `subject kind` -> ids."""
    return {f"{drift.subject} {drift.kind}": drift.ids for drift in report.drift}


def people(kept: Kept) -> list[str]:
    """Active customers that are nobody's parent, with an account and a contact."""
    there = kept.quickbooks.rows("Customer")
    parents = {c.get("ParentRef", {}).get("value") for c in there}
    return [
        c["Id"] for c in there if c["Active"] and c.get("FamilyName") and c["Id"] not in parents
    ]


def person(kept: Kept) -> str:
    return people(kept)[0]


def totals(report: Report, name: str) -> dict[str, Decimal]:
    """The differences of one total, by currency."""
    return {t.currency: t.difference for t in report.totals if f"{t.subject}.{t.field}" == name}


def mirror(kept: Kept, statement: str, id: str, entity: str = "Customer") -> None:
    """Do something to a record of the mirror that no sync does."""
    kept.ask(f"{statement} WHERE entity = %s AND id = %s", entity, id)


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


# QuickBooks and the mirror


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


def lose(kept: Kept, id: str) -> None:
    """Delete a customer so long ago that QuickBooks no longer tells of it."""
    kept.quickbooks.company.tables["Customer"].rows.pop(id)


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


# The mirror and the CRM


def test_a_record_deleted_from_the_crm_is_found_and_added_again(kept: Kept) -> None:
    id = person(kept)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", id)

    report, _ = reconcile(kept, REPAIR)
    synced = kept.sync()

    assert drift(report) == {"contacts crm_record_gone": [id]}
    assert counts(synced) == {"accounts": {"unchanged": 1}, "contacts": {"added": 1}}
    assert reconcile(kept)[0].drift == ()


def test_a_record_that_is_nowhere_is_found_and_loaded(kept: Kept) -> None:
    id = person(kept)
    kept.ask("DELETE FROM sync.link WHERE module = 'contacts' AND id = %s", id)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", id)

    report, _ = reconcile(kept, REPAIR)

    assert drift(report) == {"contacts nowhere": [id]}
    assert counts(kept.sync())["contacts"] == {"added": 1}


def test_what_people_changed_in_the_crm_is_told_and_calls_nobody(kept: Kept) -> None:
    id = person(kept)
    kept.ask(
        "UPDATE crm.accounts SET notes = 'x', phone = '1' WHERE quickbooks_customer_id = %s", id
    )

    report, run = reconcile(kept)

    changed = report.drift[0]
    told = [field for field in ("notes", "phone") if field in changed.fields]
    assert drift(report) == {"accounts changed_in_crm": [id]}
    assert (changed.fields, bool(told)) == (told, True)
    assert (report.in_step, run.state) == (True, "success")
    assert "1 record was changed in the CRM since a sync wrote it." in wording.summary(run)


def test_a_value_that_a_person_added_where_quickbooks_has_none_is_theirs(kept: Kept) -> None:
    id = kept.quickbooks.add("Customer", DisplayName="Bare")
    kept.sync()
    kept.ask("UPDATE crm.accounts SET notes = 'ours' WHERE quickbooks_customer_id = %s", id)

    assert drift(reconcile(kept)[0]) == {}


def test_an_amount_changed_in_the_crm_breaks_its_control_total_until_it_is_repaired(
    kept: Kept,
) -> None:
    id = person(kept)
    currency = kept.crm("crm.accounts", id)["currency"]
    kept.ask("UPDATE crm.accounts SET balance = balance + 7 WHERE quickbooks_customer_id = %s", id)

    report, run = reconcile(kept)
    repaired, mended = reconcile(kept, REPAIR)
    kept.sync()

    assert totals(report, "accounts.balance")[currency] == 7
    said = f"Control totals: before the repair 1 of {len(report.totals)} differed: accounts.balance"
    assert said in wording.summary(mended)
    assert "To repair" not in wording.summary(mended)
    assert (report.in_step, run.state, repaired.in_step) == (False, "failed", True)
    assert f"accounts.balance {currency}" in wording.summary(run)
    assert set(totals(reconcile(kept)[0], "accounts.balance").values()) == {Decimal(0)}


def test_records_held_back_explain_a_control_total(kept: Kept) -> None:
    first, second = people(kept)[:2]
    name = kept.quickbooks.company.row("Customer", first)["DisplayName"]
    kept.quickbooks.change("Customer", second, DisplayName=name, Balance=Decimal("500.05"))
    kept.ask("DELETE FROM crm.accounts WHERE quickbooks_customer_id = %s", second)
    kept.sync()

    report, _ = reconcile(kept)

    accounts = next(one for one in report.compared if one.subject == "accounts")
    assert (accounts.source, accounts.target, accounts.held) == (30, 29, 1)
    [held] = [t for t in report.totals if t.field == "balance" and t.held]
    assert (held.held, held.held_records, held.waiting_records) == (Decimal("500.05"), 1, 0)
    assert "500.05 (1)" in held.figures
    assert report.in_step
    explained = f"Control totals without what is held back: accounts.balance {held.currency} (1 re"
    assert any(line.startswith(explained) for line in words(report))


def test_records_that_are_in_the_crm_as_they_were_are_not_told_as_missing(kept: Kept) -> None:
    id = person(kept)
    kept.quickbooks.change("Customer", id, CompanyName="A" * 501)
    kept.sync()

    report, run = reconcile(kept)

    accounts = next(one for one in report.compared if one.subject == "accounts")
    assert (accounts.target, accounts.behind, accounts.held) == (30, 1, 0)
    told = "accounts: 30 in the mirror: 30 in the CRM (1 of them held back as they were)\n"
    assert told in wording.summary(run)
    assert report.in_step


def test_only_amounts_of_money_are_summed_and_all_have_their_cents(kept: Kept) -> None:
    report, _ = reconcile(kept)

    summed = {f"{total.subject}.{total.field}" for total in report.totals if total.side == "crm"}
    assert summed == {"accounts.balance", "products.price", "products.cost"}
    figures = [figure.split()[0] for total in report.totals for figure in total.figures]
    assert all(figure[-3] == "." for figure in figures)


def test_a_record_that_the_crm_holds_for_active_is_found_and_flagged(kept: Kept) -> None:
    id = person(kept)
    kept.quickbooks.inactivate("Customer", id)
    kept.sync()
    kept.ask("UPDATE sync.link SET state = 'active' WHERE module = 'accounts' AND id = %s", id)

    assert drift(reconcile(kept)[0]) == {"accounts other_state": [id]}


def test_a_duplicate_of_a_record_that_is_gone_is_found_and_added(kept: Kept) -> None:
    """A sync would find it as well: here the reconcile is first."""
    first, second = people(kept)[:2]
    name = kept.quickbooks.company.row("Customer", first)["DisplayName"]
    kept.ask("DELETE FROM crm.accounts WHERE quickbooks_customer_id = %s", second)
    kept.quickbooks.change("Customer", second, DisplayName=name)
    kept.sync()
    kept.ask("DELETE FROM crm.accounts WHERE quickbooks_customer_id = %s", first)
    kept.quickbooks.delete("Customer", first)

    report, _ = reconcile(kept, REPAIR)
    kept.sync()

    assert second in drift(report)["accounts original_gone"]
    assert kept.crm("crm.accounts", second)["name"] == name


def test_a_link_to_a_record_that_exists_nowhere_marks_its_crm_record_as_deleted(kept: Kept) -> None:
    id = person(kept)
    lose(kept, id)
    mirror(kept, "DELETE FROM quickbooks.record", id)

    report, _ = reconcile(kept, REPAIR)
    kept.sync()

    assert drift(report) == {
        "accounts mirror_record_gone": [id], "contacts mirror_record_gone": [id]
    }  # fmt: skip
    assert kept.crm("crm.accounts", id)["deleted"] is True


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
