"""Rows that the simulator takes from files, and whether the ones it makes up resemble them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import Company
from simulator.generate import generated
from simulator.load import loaded
from simulator.settings import Settings

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
real_rows = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason="the recorded rows (../shared/fixtures) are not here"
)

SIZE = Settings(customers=800, items=200, invoices=300, bills=60, purchase_orders=40, seed=9)
SALES = ("Invoice", "Estimate", "SalesReceipt", "CreditMemo")


def of_reference(*fields: str) -> set[str]:
    return {f"{field}.{part}" for field in fields for part in ("value", "name")}


# Fields of Intuit's entity pages that none of the recorded rows happens to have.
DOCUMENTED = {
    "Customer": {"AlternatePhone.FreeFormNumber", "Title", "Notes"}
    | of_reference("SalesTermRef", "CustomerTypeRef", "PaymentMethodRef"),
    "Item": {"Sku", "SubItem", "Level", "PrintGroupedItems", "ItemGroupDetail.ItemGroupLine.Qty"}
    | of_reference("ParentRef", "ItemGroupDetail.ItemGroupLine.ItemRef"),
    "Vendor": {"TermRef.value", "BillAddr.Country"},
    "Employee": {"MiddleName", "HiredDate", "PrimaryEmailAddr.Address"}
    | {"PrimaryAddr.Lat", "PrimaryAddr.Long"},
    "Class": of_reference("ParentRef"),
    "Payment": {"ExchangeRate", "PaymentRefNum"} | of_reference("CurrencyRef", "PaymentMethodRef"),
    "Bill": {"HomeBalance", "Line.LineNum"}
    | {
        f"Line.ItemBasedExpenseLineDetail.{name}"
        for name in ("BillableStatus", "Qty", "UnitPrice", "TaxCodeRef.value")
    }
    | of_reference(
        "Line.ItemBasedExpenseLineDetail.CustomerRef", "Line.ItemBasedExpenseLineDetail.ItemRef"
    ),
    "BillPayment": {"ExchangeRate", "DocNumber"} | of_reference("CurrencyRef"),
}
DOCUMENTED |= {
    entity: {"ExchangeRate", "HomeTotalAmt", "HomeBalance", "CustomField.StringValue"}
    | {"AcceptedBy", "AcceptedDate", "ExpirationDate", "PaymentRefNum"}
    | of_reference("DepartmentRef", "Line.SalesItemLineDetail.ClassRef", "PaymentMethodRef")
    for entity in SALES
}
RECORDED = (
    *("Customer", "Item", "Vendor", "Employee", "Class", "Department", "TaxCode", "TaxRate"),
    *("Account", "CompanyInfo", *SALES, "Payment", "Bill", "BillPayment"),
)
# Recorded vendors and sales are few and complete; Intuit's pages call these optional.
NOT_ALWAYS = {
    "Vendor": {"WebAddr", "AcctNum", "PrimaryEmailAddr", "BillAddr", "FamilyName", "GivenName"}
    | {"PrimaryPhone"},
    "Employee": {"PrimaryPhone"},
    "Invoice": {"BillEmail"},
    "Estimate": {"BillEmail", "ShipAddr"},
    "SalesReceipt": {"PrivateNote"},
    "CreditMemo": {"BillEmail", "ShipAddr", "ProjectRef"},
    "Payment": {"ProjectRef"},
    "BillPayment": {"PrivateNote"},
}


@pytest.fixture(scope="module")
def made_up() -> Company:
    return generated(SIZE)


@pytest.fixture(scope="module")
def real() -> Company:
    return loaded(FIXTURES)


def put(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Customer.json", [{"Id": "1"}]),
        ("customers.json", [{"Id": "1"}]),
        ("deep/down/CUSTOMER.json", [{"Id": "1"}]),
        ("page.json", {"QueryResponse": {"Customer": [{"Id": "1"}], "maxResults": 1}}),
        ("read.json", {"Customer": {"Id": "1"}, "time": "2026-01-01T00:00:00Z"}),
    ],
)
def test_rows_are_found_in_every_layout(tmp_path: Path, name: str, content: Any) -> None:
    put(tmp_path, name, content)

    assert loaded(tmp_path).rows("Customer") == [{"Id": "1"}]


def test_a_name_of_several_words_may_be_written_in_any_case_style(tmp_path: Path) -> None:
    for number, name in enumerate(("credit-memo", "CreditMemo", "credit_memos")):
        put(tmp_path, f"{number}/{name}.json", [{"Id": str(number)}])

    assert [row["Id"] for row in loaded(tmp_path).rows("CreditMemo")] == ["0", "1", "2"]


def test_files_without_rows_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "Customer.json", [{"Id": "1"}, {"no": "id"}, "text"])
    put(tmp_path, "error.json", {"Fault": {"Error": []}, "time": ""})
    put(tmp_path, "webhook.json", {"eventNotifications": [{"realmId": "1"}]})
    put(tmp_path, "unknown.json", [{"Id": "1"}])
    put(tmp_path, "broken.json", "{")

    company = loaded(tmp_path)

    found = {name: list(table.rows) for name, table in company.tables.items() if table.rows}
    assert found == {"Customer": ["1"], "CompanyInfo": ["1"]}


def test_of_two_versions_of_a_row_the_newer_is_served(tmp_path: Path) -> None:
    put(tmp_path, "a/Item.json", [{"Id": "1", "SyncToken": "10", "Name": "new"}])
    put(tmp_path, "b/Item.json", [{"Id": "1", "SyncToken": "9", "Name": "old"}])

    assert [row["Name"] for row in loaded(tmp_path).rows("Item")] == ["new"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no JSON file in"):
        loaded(tmp_path)


@real_rows
def test_recorded_rows_are_served_untouched() -> None:
    folder = FIXTURES / "fylein+fyle-qbo-api"

    served = {row["Id"]: row for row in loaded(folder).rows("Customer")}

    recorded = json.loads((folder / "Customer.json").read_text())
    assert json.loads(json.dumps(served, default=float)) == {row["Id"]: row for row in recorded}
    assert list(served)[-1] == "12sync"


@real_rows
@pytest.mark.parametrize("entity", RECORDED)
def test_a_made_up_row_has_no_field_that_real_ones_cannot_have(
    made_up: Company, real: Company, entity: str
) -> None:
    """What is sold is recorded so seldom that a field of one kind is taken as one of all kinds."""
    alike = SALES if entity in SALES else (entity,)
    known = {path for each in alike for row in real.rows(each) for path in paths(row)}

    found = {path for row in made_up.rows(entity) for path in paths(row)}

    assert found - known - DOCUMENTED.get(entity, set()) == set()


@real_rows
@pytest.mark.parametrize("entity", RECORDED)
def test_what_every_real_row_has_every_made_up_row_has_too(
    made_up: Company, real: Company, entity: str
) -> None:
    """Ids of letters mark rows that were invented where they were published: these do not count.

    Categories and bundles have no price, which no recording shows.
    """
    rows = [row for row in real.rows(entity) if row["Id"].isdigit()]
    always = set.intersection(*(set(row) for row in rows)) - NOT_ALWAYS.get(entity, set())

    assert made_up.rows(entity)
    for row in made_up.rows(entity):
        lacking = always - set(row)
        if row.get("Type") in ("Category", "Group"):
            lacking -= {"UnitPrice", "PurchaseCost", "IncomeAccountRef", "TrackQtyOnHand"}
            lacking -= {"Taxable"}
        assert lacking == set()


def paths(value: Any, above: str = "") -> Iterator[str]:
    """Every field in a row, with what it lies in: `BillAddr.City`, `Line.Amount`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{above}.{name}" if above else name)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, above)
    else:
        yield above
