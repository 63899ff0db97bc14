"""The company that the simulator makes up."""

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulator import Company
from simulator.generate import generated
from simulator.settings import Settings

AS_OF = date(2026, 7, 1)
COUNTED = {
    **{"Customer": 600, "Item": 120, "Invoice": 300, "Estimate": 30, "SalesReceipt": 20},
    **{"CreditMemo": 10, "RefundReceipt": 5, "Vendor": 20, "Employee": 6, "PurchaseOrder": 10},
    **{"Bill": 30},
}
LISTS = {
    *("Account", "Term", "PaymentMethod", "Class", "Department", "CustomerType"),
    *("TaxCode", "TaxRate", "TaxAgency", "CompanyCurrency"),
}


@pytest.fixture(scope="module")
def company() -> Company:
    return generated(Settings(customers=600, items=120, invoices=300, seed=3, as_of=AS_OF))


def test_the_same_seed_makes_the_same_company() -> None:
    settings = Settings(customers=40, items=30, invoices=20, seed=5, as_of=AS_OF)

    one, other = generated(settings), generated(settings)

    for entity in one.tables:
        assert one.rows(entity) == other.rows(entity)
        assert one.table(entity).deleted == other.table(entity).deleted


def test_another_seed_makes_another_company() -> None:
    names = [
        [row["DisplayName"] for row in generated(Settings(20, 5, 0, seed=seed)).rows("Customer")]
        for seed in (1, 2)
    ]

    assert not set(names[0]) & set(names[1])


def test_there_are_as_many_rows_as_asked_for(company: Company) -> None:
    counts = {entity: len(company.rows(entity)) for entity in COUNTED}

    assert counts == COUNTED


def test_a_company_may_be_empty() -> None:
    empty = generated(Settings(customers=0, items=0, invoices=0, vendors=0, employees=0))

    filled = {name for name, table in empty.tables.items() if table.rows}
    assert filled == LISTS | {"CompanyInfo"}


@pytest.mark.parametrize("items", [0, 1])
def test_a_company_may_have_one_customer_and_next_to_nothing_to_sell(items: int) -> None:
    small = generated(Settings(customers=1, items=items, invoices=3))

    assert [len(small.rows(entity)) for entity in ("Invoice", "Estimate")] == [3, 30]


@pytest.mark.parametrize(
    ("entity", "field"), [("Customer", "DisplayName"), ("Item", "FullyQualifiedName")]
)
def test_no_name_is_given_twice(company: Company, entity: str, field: str) -> None:
    names = [row[field].lower() for row in company.rows(entity)]

    assert len(set(names)) == len(names)


def test_no_two_people_share_a_name_or_an_address(company: Company) -> None:
    rows = company.rows("Customer")
    people = [
        (row["GivenName"], row.get("MiddleName"), row["FamilyName"])
        for row in rows
        if "GivenName" in row
    ]
    emails = [row["PrimaryEmailAddr"]["Address"] for row in rows if "PrimaryEmailAddr" in row]

    assert len(set(people)) == len(people)
    assert len(set(emails)) == len(emails)


def test_every_address_and_number_leads_nowhere(company: Company) -> None:
    for row in company.rows("Customer"):
        for email in row.get("PrimaryEmailAddr", {"Address": ""})["Address"].split(", "):
            assert not email or email.endswith("example.com")
        for phone in ("PrimaryPhone", "AlternatePhone", "Mobile", "Fax"):
            assert phone not in row or " 555-01" in row[phone]["FreeFormNumber"]


def test_a_job_is_named_under_its_parent(company: Company) -> None:
    rows = {row["Id"]: row for row in company.rows("Customer")}
    jobs = [row for row in rows.values() if "ParentRef" in row]

    assert len(jobs) > 30
    assert {row["Level"] for row in jobs} >= {1, 2}
    for job in jobs:
        parent = rows[job["ParentRef"]["value"]]
        assert job["Job"] and parent["Active"]
        assert job["Level"] == parent.get("Level", 0) + 1
        assert job["FullyQualifiedName"] == f"{parent['FullyQualifiedName']}:{job['DisplayName']}"


def test_inactive_rows_say_so_in_their_name(company: Company) -> None:
    for entity, field in (("Customer", "DisplayName"), ("Item", "Name")):
        rows = company.rows(entity)
        marked = {row["Id"] for row in rows if row[field].endswith(" (deleted)")}
        assert marked == {row["Id"] for row in rows if not row["Active"]}
        assert 0 < len(marked) < len(rows) / 5


def test_the_first_eight_rows_are_plain_ones(company: Company) -> None:
    """Other tests take customer 7 or item 3 without looking what they are."""
    for entity in ("Customer", "Item"):
        for row in company.rows(entity)[:8]:
            assert row["Active"] and "ParentRef" not in row
    assert {row["Type"] for row in company.rows("Item")[:8]} <= {
        *("Service", "Inventory", "NonInventory")
    }


def test_items_are_of_every_type(company: Company) -> None:
    types = {row["Type"] for row in company.rows("Item")}

    assert types == {"Service", "Inventory", "NonInventory", "Category", "Group"}


def test_an_item_lies_in_its_category(company: Company) -> None:
    items = {row["Id"]: row for row in company.rows("Item")}
    below = [row for row in items.values() if "ParentRef" in row]

    assert len(below) > 20
    for item in below:
        category = items[item["ParentRef"]["value"]]
        assert category["Type"] == "Category" and item["SubItem"]
        assert item["FullyQualifiedName"] == f"{category['FullyQualifiedName']}:{item['Name']}"


def test_a_bundle_is_made_of_items_that_exist(company: Company) -> None:
    items = {row["Id"]: row for row in company.rows("Item")}

    for bundle in (row for row in items.values() if row["Type"] == "Group"):
        for line in bundle["ItemGroupDetail"]["ItemGroupLine"]:
            assert items[line["ItemRef"]["value"]]["Name"] == line["ItemRef"]["name"]


def test_an_invoice_adds_up(company: Company) -> None:
    for invoice in company.rows("Invoice"):
        by_type: dict[str, Decimal] = defaultdict(Decimal)
        for line in invoice["Line"]:
            by_type[line["DetailType"]] += Decimal(line["Amount"])
            if line["DetailType"] == "SalesItemLineDetail":
                detail = line["SalesItemLineDetail"]
                assert line["Amount"] == Decimal(detail["UnitPrice"]) * detail["Qty"]
        total = by_type["SalesItemLineDetail"]
        assert by_type["SubTotalLineDetail"] == total
        total += invoice["TxnTaxDetail"]["TotalTax"] - by_type["DiscountLineDetail"]
        assert invoice["TotalAmt"] == total
        assert 0 <= invoice["Balance"] <= total


def test_an_invoice_refers_to_rows_that_exist(company: Company) -> None:
    customers = {row["Id"]: row["DisplayName"] for row in company.rows("Customer")}
    items = {row["Id"]: row["FullyQualifiedName"] for row in company.rows("Item")}

    for invoice in company.rows("Invoice"):
        buyer = invoice["CustomerRef"]
        assert customers[buyer["value"]] == buyer["name"]
        for line in invoice["Line"]:
            if line["DetailType"] == "SalesItemLineDetail":
                item = line["SalesItemLineDetail"]["ItemRef"]
                assert items[item["value"]] == item["name"]


def test_a_customer_owes_what_the_open_documents_say(company: Company) -> None:
    open_amounts: dict[str, Decimal] = defaultdict(Decimal)
    for entity, field, sign in (
        ("Invoice", "Balance", 1),
        ("CreditMemo", "RemainingCredit", -1),
        ("Payment", "UnappliedAmt", -1),
    ):
        assert any(row[field] for row in company.rows(entity))
        for row in company.rows(entity):
            open_amounts[row["CustomerRef"]["value"]] += sign * row[field]
    rows = company.rows("Customer")
    children: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        children[row.get("ParentRef", {}).get("value", "")].append(row["Id"])

    def with_jobs(id: str) -> Decimal:
        return open_amounts[id] + sum((with_jobs(child) for child in children[id]), Decimal(0))

    for row in rows:
        assert row["Balance"] == open_amounts[row["Id"]]
        assert row["BalanceWithJobs"] == with_jobs(row["Id"])


def test_times_are_pacific_with_the_offset_of_their_day(company: Company) -> None:
    pacific = ZoneInfo("America/Los_Angeles")
    offsets = set()
    for row in company.rows("Customer"):
        for text in row["MetaData"].values():
            moment = datetime.fromisoformat(text)
            assert moment.utcoffset() == moment.astimezone(pacific).utcoffset()
            offsets.add(text[-6:])

    assert offsets == {"-07:00", "-08:00"}


def test_nothing_changed_after_the_day_the_company_is_as_of(company: Company) -> None:
    latest = max(row.updated for table in company.tables.values() for row in table.rows.values())

    assert latest < datetime(2026, 6, 29, tzinfo=ZoneInfo("UTC")).timestamp()


def test_fields_are_absent_about_as_often_as_in_real_companies(company: Company) -> None:
    """Shares of the 41 recorded customers, give or take an eighth."""
    recorded = {
        **{"GivenName": 29, "FamilyName": 28, "CompanyName": 20, "PrimaryPhone": 30},
        **{"PrimaryEmailAddr": 28, "WebAddr": 6, "ParentRef": 4, "Mobile": 4, "Fax": 3},
    }
    rows: list[dict[str, Any]] = company.rows("Customer")

    for field, count in recorded.items():
        share = sum(field in row for row in rows) / len(rows)
        assert share == pytest.approx(count / 41, abs=0.125), field


def test_some_names_are_not_ascii(company: Company) -> None:
    names = [row["DisplayName"] for row in company.rows("Customer")]

    assert sum(not name.isascii() for name in names) > len(names) / 20
