"""The documents of the company that the simulator makes up: they add up and refer to each other."""

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from simulator import Company, words
from simulator.generate import generated
from simulator.settings import Settings

SOLD = ("Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt")
BOUGHT = ("PurchaseOrder", "Bill")
PLENTY = Settings(
    customers=300,
    items=120,
    invoices=400,
    estimates=200,
    sales_receipts=120,
    credit_memos=90,
    refund_receipts=60,
    vendors=60,
    employees=40,
    purchase_orders=100,
    bills=150,
    seed=3,
    as_of=date(2026, 7, 1),
)


@pytest.fixture(scope="module")
def company() -> Company:
    return generated(PLENTY)


def by_id(company: Company, entity: str) -> dict[str, dict[str, Any]]:
    return {row["Id"]: row for row in company.rows(entity)}


@pytest.mark.parametrize("entity", SOLD)
def test_what_is_sold_adds_up(company: Company, entity: str) -> None:
    """Subtotal, less a discount, plus eight per cent on what is taxed."""
    for row in company.rows(entity):
        by_type: dict[str, Decimal] = defaultdict(Decimal)
        taxed = Decimal(0)
        for line in row["Line"]:
            by_type[line["DetailType"]] += Decimal(line.get("Amount", 0))
            if line["DetailType"] == "SalesItemLineDetail":
                detail = line["SalesItemLineDetail"]
                assert line["Amount"] == Decimal(detail["UnitPrice"]) * detail["Qty"]
                taxed += line["Amount"] if detail["TaxCodeRef"]["value"] == "TAX" else 0
        tax = row["TxnTaxDetail"]["TotalTax"]
        assert by_type["SubTotalLineDetail"] == by_type["SalesItemLineDetail"]
        assert abs(tax - taxed * 8 / 100) <= Decimal("0.005")
        less = by_type["DiscountLineDetail"]
        assert row["TotalAmt"] == by_type["SalesItemLineDetail"] - less + tax


def test_some_lines_say_something_only(company: Company) -> None:
    found = [
        line
        for row in company.rows("Estimate")
        for line in row["Line"]
        if line["DetailType"] == "DescriptionOnly"
    ]

    assert found
    assert all(line["Description"] and "Amount" not in line for line in found)


@pytest.mark.parametrize("entity", BOUGHT)
def test_what_is_bought_adds_up(company: Company, entity: str) -> None:
    for row in company.rows(entity):
        assert row["TotalAmt"] == sum(line["Amount"] for line in row["Line"])
        assert 0 <= row.get("Balance", 0) <= row["TotalAmt"]


def test_every_reference_leads_to_a_row(company: Company) -> None:
    """All but the line items `SHIPPING_ITEM_ID` and the tax codes `TAX` and `NON`."""
    referred: dict[str, set[str]] = defaultdict(set)
    for table in company.tables.values():
        for row in table.rows.values():
            collect(row.data, referred)

    for field, ids in referred.items():
        if field in REFERS:
            known = set(company.table(REFERS[field]).rows) | PSEUDO.get(field, set())
            assert ids - known == set(), field
    assert set(referred) - set(REFERS) == {"CurrencyRef", "ParentRef"}
    assert {"SHIPPING_ITEM_ID"} < referred["ItemRef"]


REFERS = {
    **{"CustomerRef": "Customer", "VendorRef": "Vendor", "ItemRef": "Item", "TermRef": "Term"},
    **{"SalesTermRef": "Term", "PaymentMethodRef": "PaymentMethod", "ClassRef": "Class"},
    **{"DepartmentRef": "Department", "CustomerTypeRef": "CustomerType", "TaxCodeRef": "TaxCode"},
    **{"TxnTaxCodeRef": "TaxCode", "DefaultTaxCodeRef": "TaxCode", "TaxRateRef": "TaxRate"},
    **{"AgencyRef": "TaxAgency"},
    **{
        f"{use}Ref": "Account"
        for use in (
            *("Account", "APAccount", "BankAccount", "DepositToAccount", "DiscountAccount"),
            *("IncomeAccount", "ExpenseAccount", "AssetAccount"),
        )
    },
}
PSEUDO = {"ItemRef": {"SHIPPING_ITEM_ID"}, "TaxCodeRef": {"TAX", "NON"}}


def collect(value: Any, into: dict[str, set[str]]) -> None:
    """The ids of every field that ends in Ref."""
    if isinstance(value, list):
        for inner in value:
            collect(inner, into)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name.endswith("Ref"):
                into[name].add(inner["value"])
            else:
                collect(inner, into)


def test_an_invoice_is_paid_by_the_payments_it_names(company: Company) -> None:
    """To the cent, with what credit memos took off it."""
    applied: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    named: dict[str, set[str]] = defaultdict(set)
    for payment in company.rows("Payment"):
        total = Decimal(payment["UnappliedAmt"])
        for line in payment["Line"]:
            [linked] = line["LinkedTxn"]
            applied[linked["TxnType"], linked["TxnId"]] += line["Amount"]
            total += -line["Amount"] if linked["TxnType"] == "CreditMemo" else line["Amount"]
            if linked["TxnType"] == "Invoice":
                named[linked["TxnId"]].add(payment["Id"])
        assert payment["TotalAmt"] == total >= 0
    invoices, memos = by_id(company, "Invoice"), by_id(company, "CreditMemo")

    for id, invoice in invoices.items():
        assert applied["Invoice", id] == invoice["TotalAmt"] - invoice["Balance"]
        links = {each["TxnId"] for each in invoice["LinkedTxn"] if each["TxnType"] == "Payment"}
        assert links == named[id]
    for id, memo in memos.items():
        assert applied["CreditMemo", id] == memo["TotalAmt"] - memo["RemainingCredit"]
        assert memo["Balance"] == memo["RemainingCredit"] >= 0
    assert {kind for kind, _ in applied} == {"Invoice", "CreditMemo"}
    assert any(len(paid_by(payment)) > 1 for payment in company.rows("Payment"))


def paid_by(payment: dict[str, Any]) -> list[str]:
    """The invoices that a payment pays."""
    linked = [line["LinkedTxn"][0] for line in payment["Line"]]
    return [each["TxnId"] for each in linked if each["TxnType"] == "Invoice"]


def test_a_payment_pays_documents_of_its_own_customer_written_before_it(company: Company) -> None:
    documents = {kind: by_id(company, kind) for kind in ("Invoice", "CreditMemo")}
    for payment in company.rows("Payment"):
        for line in payment["Line"]:
            [linked] = line["LinkedTxn"]
            paid = documents[linked["TxnType"]][linked["TxnId"]]
            assert paid["CustomerRef"] == payment["CustomerRef"]
            assert paid["CurrencyRef"] == payment["CurrencyRef"]
            assert paid["MetaData"]["CreateTime"][:10] <= payment["TxnDate"]
            assert paid["SyncToken"] != "0"


@pytest.mark.parametrize(
    ("entity", "kind", "becomes", "back"),
    [
        ("Estimate", "Invoice", "Invoice", "Estimate"),
        ("PurchaseOrder", "Bill", "Bill", "PurchaseOrder"),
        ("Bill", "BillPaymentCheck", "BillPayment", "Bill"),
    ],
)
def test_links_are_told_on_both_sides(
    company: Company, entity: str, kind: str, becomes: str, back: str
) -> None:
    there, here = links(company, entity, kind), links(company, becomes, back)

    assert len(there) > 20
    assert there == {(one, other) for other, one in here}


def links(company: Company, entity: str, kind: str) -> set[tuple[str, str]]:
    """Which row leads to which, of a kind; those of payments are on their lines."""
    return {
        (row["Id"], link["TxnId"])
        for row in company.rows(entity)
        for holder in (row, *row["Line"])
        for link in holder.get("LinkedTxn", [])
        if link["TxnType"] == kind
    }


def test_an_estimate_that_became_an_invoice_has_its_lines(company: Company) -> None:
    invoices = by_id(company, "Invoice")
    closed = [row for row in company.rows("Estimate") if row["LinkedTxn"]]

    assert len(closed) == 100
    for estimate in closed:
        invoice = invoices[estimate["LinkedTxn"][0]["TxnId"]]
        for field in ("CustomerRef", "Line", "TotalAmt", "CurrencyRef"):
            assert estimate[field] == invoice[field]
        assert estimate["TxnDate"] <= invoice["TxnDate"]


def test_estimates_are_in_every_state(company: Company) -> None:
    states = {row["TxnStatus"] for row in company.rows("Estimate")}

    assert states == {"Pending", "Accepted", "Rejected", "Closed"}


def test_a_vendor_is_owed_what_the_bills_say(company: Company) -> None:
    open_amounts: dict[str, Decimal] = defaultdict(Decimal)
    for bill in company.rows("Bill"):
        open_amounts[bill["VendorRef"]["value"]] += bill["Balance"]

    assert any(open_amounts.values())
    for vendor in company.rows("Vendor"):
        assert vendor["Balance"] == open_amounts[vendor["Id"]]


def test_a_bill_is_paid_by_the_check_it_names(company: Company) -> None:
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for payment in company.rows("BillPayment"):
        paid[payment["Line"][0]["LinkedTxn"][0]["TxnId"]] += payment["TotalAmt"]

    for bill in company.rows("Bill"):
        assert bill["TotalAmt"] - bill["Balance"] == paid[bill["Id"]]


@pytest.mark.parametrize(
    ("entity", "party"),
    [
        *((entity, "Customer") for entity in (*SOLD, "Payment")),
        *((entity, "Vendor") for entity in (*BOUGHT, "BillPayment")),
    ],
)
def test_a_document_is_in_the_currency_of_whom_it_is_for(
    company: Company, entity: str, party: str
) -> None:
    """One in another currency than the company's says its rate, one in dollars does not."""
    parties = by_id(company, party)
    for row in company.rows(entity):
        assert row["CurrencyRef"] == parties[row[f"{party}Ref"]["value"]]["CurrencyRef"]
        assert ("ExchangeRate" in row) == (row["CurrencyRef"]["value"] != "USD")
        assert ("HomeTotalAmt" in row) == (entity in SOLD and "ExchangeRate" in row)
        for home, own in (("HomeTotalAmt", "TotalAmt"), ("HomeBalance", "Balance")):
            if home in row:
                assert abs(row[home] - row[own] * row["ExchangeRate"]) <= Decimal("0.005")


def test_a_price_in_another_currency_is_that_of_the_list_at_the_rate_of_the_day(
    company: Company,
) -> None:
    items = by_id(company, "Item")
    foreign = [row for row in company.rows("Invoice") if "ExchangeRate" in row]

    assert foreign
    for invoice in foreign:
        for line in invoice["Line"]:
            detail = line.get("SalesItemLineDetail", {})
            price = items[detail["ItemRef"]["value"]]["UnitPrice"] if detail else 0
            if price:
                assert abs(price / invoice["ExchangeRate"] - detail["UnitPrice"]) < Decimal("0.01")


def test_a_few_customers_pay_in_another_currency(company: Company) -> None:
    rows = by_id(company, "Customer")
    foreign = [row for row in rows.values() if row["CurrencyRef"]["value"] != "USD"]

    assert 3 < len(foreign) < len(rows) / 10
    assert all(row["CurrencyRef"]["value"] == "USD" for row in list(rows.values())[:8])
    for row in rows.values():
        if "ParentRef" in row:
            assert row["CurrencyRef"] == rows[row["ParentRef"]["value"]]["CurrencyRef"]


def test_no_customer_vendor_and_employee_share_a_name(company: Company) -> None:
    """QuickBooks holds the three in one list of names."""
    names = [
        row["DisplayName"].lower()
        for entity in ("Customer", "Vendor", "Employee")
        for row in company.rows(entity)
    ]

    assert len(set(names)) == len(names)
    assert not set(words.SUPPLIES) & set(words.TRADES)
    for vendor in company.rows("Vendor"):
        assert any(supply in vendor["DisplayName"] for supply in words.SUPPLIES)


def test_some_lists_have_ids_that_no_float_holds(company: Company) -> None:
    for entity in ("CustomerType", "Class"):
        assert any(int(row["Id"]) > 2**53 for row in company.rows(entity))
    used = {row.get("CustomerTypeRef", {}).get("value") for row in company.rows("Customer")}
    assert used - {None} <= set(company.table("CustomerType").rows)


def test_inactive_rows_of_the_other_name_lists_say_so_too(company: Company) -> None:
    for entity, field in (
        *(("Vendor", "DisplayName"), ("Employee", "DisplayName")),
        *(("Class", "Name"), ("Department", "Name")),
    ):
        rows = company.rows(entity)
        marked = {row["Id"] for row in rows if row[field].endswith(" (deleted)")}
        assert marked == {row["Id"] for row in rows if not row["Active"]} != set()


def test_no_document_is_written_after_the_day_asked_for(company: Company) -> None:
    for entity in (*SOLD, *BOUGHT, "Payment", "BillPayment"):
        for row in company.rows(entity):
            created, updated = (
                datetime.fromisoformat(row["MetaData"][name])
                for name in ("CreateTime", "LastUpdatedTime")
            )
            assert created <= updated and (created < updated) <= (row["SyncToken"] != "0")
            assert "2024" < row["TxnDate"] <= updated.date().isoformat() < "2026-06-29"
