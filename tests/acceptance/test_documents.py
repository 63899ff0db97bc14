"""Quotes, invoices and payments of a simulated company: every amount arrives, with its sign."""

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quickbooks_crm import reconciling
from quickbooks_crm.__main__ import main
from quickbooks_crm.reconcile.comparing import Wish
from tests.acceptance.kept_in_step import (
    BY_HAND,
    FirstSyncs,
    Kept,
    counts,
    kept_in_step,
    own_include,
)

ALL = "[products, accounts, contacts, vendors, quotes, invoices, payments]"
KINDS = {
    "Invoice": ("invoice", 1),
    "SalesReceipt": ("sales receipt", 1),
    "CreditMemo": ("credit memo", -1),
    "RefundReceipt": ("refund", -1),
}
BOUGHT = """
    SELECT account.quickbooks_customer_id AS customer, product.quickbooks_product_id AS item,
           bought.currency, bought.quantity, bought.amount,
           first_bought_on::text AS first, last_bought_on::text AS last
      FROM crm.purchases AS bought
      JOIN crm.accounts AS account ON account.id = bought.account_id
      JOIN crm.products AS product ON product.id = bought.product_id"""


KIND_OF_LINE = (
    "ALTER TABLE crm.invoice_lines ADD COLUMN kind_of_line text",
    "INSERT INTO crm.keyword_lists (id, name) VALUES (99, 'Kinds of lines')",
    "INSERT INTO crm.form_field (table_name, column_name, label, type, keyword_list_id) "
    "VALUES ('crm.invoice_lines', 'kind_of_line', 'Kind of line', 'keyword', 99)",
)


@pytest.fixture
def kept(
    first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Kept]:
    """A company with documents, kept once."""
    own_include(tmp_path, monkeypatch, ALL)
    with first_syncs.company(monkeypatch, invoices=60) as kept:
        yield kept


def documents(kept: Kept) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """What was sold and taken back in QuickBooks: kind, sign and record."""
    for entity, (kind, sign) in KINDS.items():
        for row in kept.quickbooks.rows(entity):
            yield kind, sign, row


def sold(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The lines of a document that sell a product."""
    for line in row["Line"]:
        detail = line.get("SalesItemLineDetail")
        if detail and detail["ItemRef"]["value"].isdigit():
            yield line


def test_every_document_arrives_with_its_kind_and_its_signed_total(kept: Kept) -> None:
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for kind, sign, row in documents(kept):
        expected[kind, row["CurrencyRef"]["value"]] += sign * Decimal(str(row["TotalAmt"]))

    found = kept.ask("SELECT kind, currency, sum(total) AS total FROM crm.invoices GROUP BY 1, 2")

    assert {kind for kind, _ in expected} == {kind for kind, _ in KINDS.values()}
    assert {(row["kind"], row["currency"]): row["total"] for row in found} == expected


def test_lines_and_tax_come_to_the_total(kept: Kept) -> None:
    """Discounts, shipping and what was taken back included, to the cent."""
    wrong = """
        SELECT document.id FROM crm.{0}s AS document
          LEFT JOIN crm.{0}_lines AS line ON line.{0}_id = document.id
         GROUP BY document.id
        HAVING coalesce(sum(line.amount), 0) + coalesce(document.tax, 0) <> document.total"""
    discounts = """
        SELECT count(*) AS n FROM crm.invoice_lines
         WHERE type = 'DiscountLineDetail' AND amount < 0"""

    assert kept.ask(wrong.format("quote")) == kept.ask(wrong.format("invoice")) == []
    assert kept.ask(discounts)[0]["n"] > 0


def test_payments_add_up_and_lead_to_what_they_pay(kept: Kept) -> None:
    wrong = kept.ask(
        """SELECT payment.id FROM crm.payments AS payment
             LEFT JOIN crm.payment_applications AS own ON own.payment_id = payment.id
            GROUP BY payment.id
           HAVING coalesce(sum(CASE WHEN credit_memo_id IS NULL THEN amount ELSE -amount END), 0)
                  + payment.unapplied <> payment.total"""
    )
    kinds = kept.ask(
        """SELECT DISTINCT invoice.kind, memo.kind AS memo FROM crm.payment_applications AS own
             LEFT JOIN crm.invoices AS invoice ON invoice.id = own.invoice_id
             LEFT JOIN crm.invoices AS memo ON memo.id = own.credit_memo_id ORDER BY 1"""
    )

    assert wrong == []
    assert kinds == [
        {"kind": "invoice", "memo": None}, {"kind": None, "memo": "credit memo"}
    ]  # fmt: skip


def test_what_each_account_bought_is_told_by_product_and_currency(kept: Kept) -> None:
    expected: dict[tuple[str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    days: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for kind, sign, row in documents(kept):
        if row.get("PrivateNote") == "Voided":
            continue
        for line in sold(row):
            item = line["SalesItemLineDetail"]
            key = (
                row["CustomerRef"]["value"],
                item["ItemRef"]["value"],
                row["CurrencyRef"]["value"],
            )
            quantity, amount = expected[key]
            expected[key] = [
                quantity + sign * Decimal(str(item["Qty"])),
                amount + sign * Decimal(str(line["Amount"])),
            ]
            days[key] += [row["TxnDate"]] if kind in ("invoice", "sales receipt") else []

    found = kept.ask(BOUGHT)

    own = ("customer", "item", "currency")
    assert {
        tuple(row[n] for n in own): [row["quantity"], row["amount"]] for row in found
    } == expected
    assert {tuple(row[n] for n in own): (row["first"], row["last"]) for row in found} == {
        key: (min(days[key], default=None), max(days[key], default=None)) for key in expected
    }


def test_nothing_waits_for_what_is_no_record(kept: Kept) -> None:
    assert kept.ask("SELECT * FROM sync.parked") == []
    assert kept.ask("SELECT * FROM crm.invoice_lines WHERE product_id IS NULL AND quantity = 1")


def test_vendors_and_customers_are_accounts_that_leave_each_other_alone(kept: Kept) -> None:
    kept.quickbooks.change("Vendor", "1", Notes="x")
    again = kept.sync()

    assert counts(again) == {"vendors": {"unchanged": 1}}
    types = kept.ask(
        """SELECT type, quickbooks_customer_id IS NULL AS vendor, count(*) AS n
             FROM crm.accounts GROUP BY 1, 2 ORDER BY 1"""
    )
    assert [(row["type"], row["vendor"]) for row in types] == [
        ("Customer", False),
        ("Vendor", True),
    ]
    assert types[1]["n"] == len(kept.quickbooks.rows("Vendor"))


def test_voided_and_deleted_documents_are_flagged_and_the_second_sync_is_quiet(kept: Kept) -> None:
    invoice, receipt = (
        next(row["Id"] for row in kept.quickbooks.rows(entity) if row["TotalAmt"])
        for entity in ("Invoice", "SalesReceipt")
    )
    kept.quickbooks.void("Invoice", invoice)
    kept.quickbooks.delete("SalesReceipt", receipt)

    changed, quiet = kept.sync(), kept.sync()

    flags = kept.ask(
        "SELECT kind, voided, deleted, total, quickbooks_invoice_id AS id FROM crm.invoices "
        "WHERE (kind, quickbooks_invoice_id) IN (('invoice', %s), ('sales receipt', %s)) "
        "ORDER BY kind",
        *(invoice, receipt),
    )
    assert [(row["kind"], row["voided"], row["deleted"]) for row in flags] == [
        ("invoice", True, False),
        ("sales receipt", False, True),
    ]
    assert flags[0]["total"] == 0
    assert counts(changed)["invoices"] == {"updated": 2}
    assert counts(quiet) == {}


def test_a_preview_says_in_words_that_the_lines_change(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    row = kept.quickbooks.rows("Invoice")[0]
    count = sum(1 for _ in sold(row))
    kept.quickbooks.void("Invoice", row["Id"])

    assert main(["preview", "--company", "sample", "--read", "--rows"]) == 0

    shown = capsys.readouterr().out
    assert f"{count} lines, changed" in shown
    assert "voided false → true" in shown


@pytest.mark.parametrize("wish", [Wish(), Wish(everything=True)])
def test_a_reconcile_agrees_to_the_cent_signs_included(kept: Kept, wish: Wish) -> None:
    report = reconciling.reconcile("sample", kept.new_run_id(), BY_HAND, wish)

    assert (report.in_step, report.drift) == (True, ())
    totals = {(t.subject, t.field, t.currency): t for t in report.totals if t.side == "crm"}
    total = totals["invoices", "total", "USD"]
    expected = sum(
        (
            sign * Decimal(str(row["TotalAmt"]))
            for _, sign, row in documents(kept)
            if row["CurrencyRef"]["value"] == "USD"
        ),
        Decimal(0),
    )
    assert (total.source, total.target) == (expected, expected)
    assert {"invoices", "payments", "quotes"} <= {subject for subject, _, _ in totals}


def test_a_reconcile_finds_a_line_that_was_changed_in_the_crm(kept: Kept) -> None:
    kept.ask("UPDATE crm.invoice_lines SET amount = amount + 1 WHERE id = 1")

    report = reconciling.reconcile("sample", kept.new_run_id(), BY_HAND, Wish(repair=True))
    after = kept.sync()

    assert [(drift.subject, drift.kind, drift.fields) for drift in report.drift] == [
        ("invoices", "changed_in_crm", ["@lines"])
    ]
    assert counts(after) == {"invoices": {"updated": 1}}


def test_a_preview_tells_which_keywords_of_lines_would_join_their_list_and_an_undo_takes_them_off(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = own_include(tmp_path, monkeypatch, ALL) / "mappings" / "invoices.yaml"
    field = "\n    kind_of_line: {from: DetailType, keywords: insert}\n"
    added = "SELECT DISTINCT value FROM sync.added_keyword WHERE run_id = %s ORDER BY 1"
    listed = "SELECT value FROM crm.keyword_values WHERE list_id = 99 ORDER BY 1"
    with kept_in_step(database_url, monkeypatch, invoices=6) as kept:
        for statement in KIND_OF_LINE:
            kept.ask(statement)
        file.write_text(re.sub(r"(?<=\n  fields:)\n", field, file.read_text(), count=1))

        assert main(["preview", "--company", "sample", "--read"]) == 0
        [previewed] = kept.ask("SELECT run_id FROM sync.run WHERE kind = 'preview'")
        would_join = kept.ask(added, previewed["run_id"])
        assert kept.ask(listed) == []

        kept.sync("run-1")
        assert kept.ask(listed) == kept.ask(added, "run-1") == would_join != []

        assert main(["undo", "run-1", "--company", "sample"]) == 0
        assert kept.ask(listed) == []


@pytest.mark.parametrize(
    ("table", "column", "place"),
    [
        ("invoices", "company_id", "company"),
        ("invoice_lines", "invoice_id", "lines.parent"),
        ("invoice_lines", "position", "lines.position"),
    ],
)
def test_an_undo_that_could_not_find_records_or_lines_any_more_says_which_column_is_gone(
    kept: Kept, capsys: pytest.CaptureFixture[str], table: str, column: str, place: str
) -> None:
    kept.ask(f"ALTER TABLE crm.{table} DROP {column} CASCADE; SELECT 1")
    before = kept.ask("SELECT count(*) AS lines FROM crm.invoice_lines")

    assert main(["undo", "run-1", "--company", "sample"]) == 1

    error = capsys.readouterr().err
    assert error.startswith("Run run-1 cannot be undone, since its records cannot be told from")
    assert f"{place}: crm.{table} has no column '{column}'." in error
    assert "Give the table back what it had; other modules can be undone with" in error
    assert kept.ask("SELECT count(*) AS lines FROM crm.invoice_lines") == before
    assert kept.ask("SELECT count(*) AS undos FROM sync.run WHERE kind = 'undo'")[0]["undos"] == 0
    assert main(["undo", "run-1", "--company", "sample", "--module", "payments"]) == 0
