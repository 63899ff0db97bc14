"""Rows added to a simulated company with a few fields given: the rest is filled in."""

from decimal import Decimal
from typing import Any

import pytest

from simulator import Company
from simulator.plausible import filled_in

READ = (
    *("Customer", "Item", "Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt"),
    *("Payment", "Vendor", "Employee", "PurchaseOrder", "Bill", "Term", "PaymentMethod", "Class"),
    *("Department", "TaxCode", "CustomerType"),
)


@pytest.fixture
def company() -> Company:
    own = Company()
    for entity in ("Customer", "Vendor", "Item"):
        own.load(entity, [{"Id": "1", "DisplayName": f"First {entity}"}])
    return own


def test_a_row_of_nothing_gets_a_name_or_a_sum_and_a_day(company: Company) -> None:
    for entity in READ:
        row = added(company, entity)
        named = {"DisplayName", "Name"} & row.keys() and row["Active"]
        assert named or (row["TotalAmt"] == 100 and row["TxnDate"] and row["CurrencyRef"]), entity


def added(company: Company, entity: str, **fields: Any) -> dict[str, Any]:
    return company.row(entity, company.add(entity, filled_in(company, entity, fields)))


@pytest.mark.parametrize(
    ("entity", "reference", "to"),
    [
        *(
            (entity, "CustomerRef", {"value": "1", "name": "First Customer"})
            for entity in ("Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt", "Payment")
        ),
        *(
            (entity, "VendorRef", {"value": "1", "name": "First Vendor"})
            for entity in ("PurchaseOrder", "Bill")
        ),
    ],
)
def test_a_document_is_for_the_first_one_there_is(
    company: Company, entity: str, reference: str, to: dict[str, str]
) -> None:
    assert added(company, entity)[reference] == to
    assert added(company, entity, **{reference: {"value": "7"}})[reference] == {"value": "7"}


@pytest.mark.parametrize(
    ("entity", "lines"),
    [
        *((each, 2) for each in ("Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt")),
        *((each, 1) for each in ("PurchaseOrder", "Bill")),
    ],
)
def test_a_document_has_lines_of_its_total(company: Company, entity: str, lines: int) -> None:
    row = added(company, entity, TotalAmt=Decimal("12.50"))

    assert [line["Amount"] for line in row["Line"]] == [Decimal("12.50")] * lines


@pytest.mark.parametrize(
    ("entity", "left"),
    [
        ("Invoice", {"Balance": 12}),
        ("Bill", {"Balance": 12}),
        ("SalesReceipt", {"Balance": 0}),
        ("CreditMemo", {"Balance": 12, "RemainingCredit": 12}),
        ("Payment", {"UnappliedAmt": 12}),
    ],
)
def test_what_is_left_of_a_document_follows_from_its_total(
    company: Company, entity: str, left: dict[str, int]
) -> None:
    row = added(company, entity, TotalAmt=12)

    assert {field: row[field] for field in left} == left


@pytest.mark.parametrize("entity", ["Invoice", "Estimate", "CreditMemo", "Payment"])
def test_a_document_is_in_the_currency_of_its_customer(company: Company, entity: str) -> None:
    abroad = company.add(
        "Customer", filled_in(company, "Customer", {"CurrencyRef": {"value": "EUR"}})
    )

    row = added(company, entity, CustomerRef={"value": abroad})

    assert row["CurrencyRef"]["value"] == "EUR"
    assert row["ExchangeRate"] > 1
    assert "ExchangeRate" not in added(company, entity)


def test_a_payment_leaves_over_what_its_lines_do_not_apply(company: Company) -> None:
    line = {"Amount": 30, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}

    assert added(company, "Payment", TotalAmt=50.25, Line=[line])["UnappliedAmt"] == Decimal(
        "20.25"
    )


def test_a_class_below_another_is_named_under_it(company: Company) -> None:
    above = company.add("Class", filled_in(company, "Class", {"Name": "Gardens"}))

    below = added(company, "Class", Name="Roof", ParentRef={"value": above})

    assert below["FullyQualifiedName"] == "Gardens:Roof"
