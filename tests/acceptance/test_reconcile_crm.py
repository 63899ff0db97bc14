"""Where the mirror and the CRM do not agree, a reconcile finds it and repairs it."""

from decimal import Decimal
from pathlib import Path

import pytest

from quickbooks_crm import repeating, wording
from quickbooks_crm.__main__ import main
from quickbooks_crm.reconcile.report import words
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, own_include
from tests.acceptance.reconciled import (
    REPAIR,
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


def test_a_record_deleted_from_the_crm_is_found_and_added_again(kept: Kept) -> None:
    id = person(kept)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", id)

    report, _ = reconcile(kept, REPAIR)
    synced = kept.sync()

    assert drift(report) == {"contacts crm_record_gone": [id]}
    assert counts(synced) == {"accounts": {"unchanged": 1}, "contacts": {"added": 1}}
    assert reconcile(kept)[0].drift == ()


@pytest.mark.parametrize("first", ["QuickBooks", "CRM"])
def test_a_record_deleted_in_quickbooks_and_from_the_crm_is_no_drift(
    kept: Kept, first: str
) -> None:
    """Nothing is missing, and no repair would bring it back."""
    id = person(kept)
    if first == "QuickBooks":
        kept.quickbooks.delete("Customer", id)
        kept.sync()
    for table in ("contacts", "accounts"):
        kept.ask(f"DELETE FROM crm.{table} WHERE quickbooks_customer_id = %s", id)
    if first == "CRM":
        kept.quickbooks.delete("Customer", id)
        kept.sync()

    report, _ = reconcile(kept)

    assert (drift(report), report.in_step) == ({}, True)


def test_a_repair_of_one_module_does_not_bring_back_what_was_undone_in_another(kept: Kept) -> None:
    id = person(kept)
    kept.quickbooks.change("Customer", id, FamilyName="Wrong")
    wrong = kept.sync()
    assert main(["undo", wrong.run_id, "--company", "sample"]) == 0
    change = "UPDATE crm.accounts SET phone = '1' WHERE quickbooks_customer_id = %s RETURNING name"
    kept.ask(change, id)

    report, _ = reconcile(kept, REPAIR)
    synced = kept.sync()

    assert drift(report) == {"accounts changed_in_crm": [id]}
    assert counts(synced) == {"accounts": {"updated": 1}, "contacts": {}}
    there = kept.ask("SELECT last_name FROM crm.contacts WHERE quickbooks_customer_id = %s", id)
    assert there[0]["last_name"] != "Wrong"


def test_a_record_that_is_nowhere_is_found_and_loaded(kept: Kept) -> None:
    id = person(kept)
    kept.ask("DELETE FROM sync.link WHERE module = 'contacts' AND id = %s", id)
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", id)

    report, _ = reconcile(kept, REPAIR)

    assert drift(report) == {"contacts nowhere": [id]}
    assert counts(kept.sync())["contacts"] == {"added": 1}


def test_postgres_looks_at_what_a_load_has_just_written_before_it_compares(kept: Kept) -> None:
    """It would expect next to nothing there, and look all links through for each record."""
    reconcile(kept)

    known = "SELECT reltuples::int AS known FROM pg_class WHERE oid = 'sync.link'::regclass"
    assert kept.ask(known)[0]["known"] == kept.ask("SELECT count(*) FROM sync.link")[0]["count"]


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


def test_an_amount_that_people_may_edit_has_no_control_total(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repair could make it agree."""
    file = own_include(tmp_path, monkeypatch) / "mappings" / "accounts.yaml"
    file.write_text(file.read_text().replace("{from: Balance}", "{from: Balance, edits: crm}"))
    kept.ask("UPDATE crm.accounts SET balance = balance + 7")

    report, _ = reconcile(kept)

    assert (totals(report, "accounts.balance"), report.in_step) == ({}, True)


def test_a_reconcile_says_that_a_replay_is_due_until_it_is_done(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = own_include(tmp_path, monkeypatch) / "mappings" / "products.yaml"
    file.write_text(file.read_text().replace("{from: UnitPrice}", "{from: PurchaseCost}"))

    report, run = reconcile(kept)
    repeating.replay_all("sample", "replayed", BY_HAND)
    replayed, later = reconcile(kept)

    told = (
        "Warning: products: a replay is due, since its mapping has changed and records in the CRM "
        "are as an earlier one made them: python -m quickbooks_crm replay --company sample "
        "--module products (with --plan: how many would change). Control totals may differ for "
        "that, and no repair mends it."
    )
    assert told in wording.summary(run).splitlines()
    assert (report.in_step, replayed.in_step, later.warnings) == (False, True, ())


def test_records_held_back_explain_a_control_total(kept: Kept) -> None:
    first, second = people(kept)[:2]
    name = kept.quickbooks.company.row("Customer", first)["DisplayName"]
    kept.quickbooks.change("Customer", second, DisplayName=name, Balance=Decimal("500.05"))
    kept.ask("DELETE FROM crm.accounts WHERE quickbooks_customer_id = %s", second)
    kept.sync()
    kept.sync()  # what refers to it follows it

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
    kept.sync()  # what refers to it follows it
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
