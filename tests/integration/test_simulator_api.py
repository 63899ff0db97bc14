"""The simulator's accounting API over HTTP: what QuickBooks documents or was seen to do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from simulator import Company, Simulator
from simulator.entities import ENTITIES
from tests.integration.simulator_caller import Caller

EVERYONE = "SELECT * FROM Customer WHERE Active IN (true,false)"
SOME_ITEMS = "SELECT * FROM Item WHERE {} ORDERBY Id MAXRESULTS 1000"
CHANGED_SINCE = "SELECT * FROM Invoice WHERE MetaData.LastUpdatedTime >= '{}'"


@pytest.fixture(scope="module")
def sample() -> Iterator[Caller]:
    """A company nobody changes."""
    with Simulator(customers=60, items=40, invoices=30, throttle=False) as quickbooks:
        yield Caller(quickbooks)


@pytest.fixture
def own() -> Iterator[Caller]:
    """A company of the test's own."""
    with Simulator(customers=20, items=5, invoices=5, throttle=False) as quickbooks:
        yield Caller(quickbooks)


def detail(response: Any) -> tuple[int, str, str]:
    error = response.json()["Fault"]["Error"][0]
    return response.status_code, error["code"], error["Detail"]


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_every_field_of_the_sample_is_known_to_the_query_language(sample: Caller) -> None:
    """A projection may name whatever a row has."""
    for name, about in ENTITIES.items():
        known = {each.name.partition(".")[0] for each in about.properties.values()}
        fields = {field for row in sample.quickbooks.rows(name) for field in row}
        assert (name, fields - known) == (name, set())


# Pages


def test_a_page_says_where_it_begins_and_how_many_rows_it_has(sample: Caller) -> None:
    body = sample.query(f"{EVERYONE} ORDERBY Id STARTPOSITION 58 MAXRESULTS 10").json()

    page = body["QueryResponse"]
    assert list(page) == ["Customer", "startPosition", "maxResults"]
    assert [row["Id"] for row in page["Customer"]] == ["58", "59", "60"]
    assert (page["startPosition"], page["maxResults"]) == (58, 3)
    assert datetime.fromisoformat(body["time"]).utcoffset() in (
        *(timedelta(hours=-8), timedelta(hours=-7)),
    )


def test_a_page_after_the_end_is_empty_without_the_entity(sample: Caller) -> None:
    body = sample.query(f"{EVERYONE} STARTPOSITION 61").json()

    assert body["QueryResponse"] == {}


def test_the_pages_together_are_all_rows_once(sample: Caller) -> None:
    pages = [
        sample.ids(f"{EVERYONE} ORDERBY Id STARTPOSITION {start} MAXRESULTS 25")
        for start in (1, 26, 51)
    ]

    assert [id for page in pages for id in page] == [str(number) for number in range(1, 61)]


def test_a_page_has_100_rows_unless_more_are_asked_for() -> None:
    with Simulator(customers=150, items=0, invoices=0) as quickbooks:
        caller = Caller(quickbooks)

        assert len(caller.ids(EVERYONE)) == 100
        assert len(caller.ids(f"{EVERYONE} MAXRESULTS 1000")) == 150


def test_invoices_say_the_length_of_their_page_twice(sample: Caller) -> None:
    page = sample.query("SELECT * FROM Invoice MAXRESULTS 20").json()["QueryResponse"]

    assert (page["maxResults"], page["totalCount"]) == (20, 20)


def test_a_count_counts_all_pages(sample: Caller) -> None:
    body = sample.query("SELECT COUNT(*) FROM Invoice").json()

    assert body["QueryResponse"] == {"totalCount": 30}


def test_a_query_may_be_posted(sample: Caller) -> None:
    url = f"{sample.quickbooks.url}/v3/company/{sample.quickbooks.realm}/query"

    answer = sample.session.post(
        url,
        data="SELECT COUNT(*) FROM Item",
        headers={"Content-Type": "application/text"},
        timeout=5,
    )

    assert answer.json()["QueryResponse"] == {"totalCount": len(active(sample, "Item"))}


def active(caller: Caller, entity: str) -> list[dict[str, Any]]:
    return [row for row in caller.quickbooks.rows(entity) if row["Active"]]


# Order and conditions


def test_inactive_rows_are_hidden_unless_asked_for(sample: Caller) -> None:
    shown = sample.ids("SELECT * FROM Customer ORDERBY Id")

    assert shown == [row["Id"] for row in active(sample, "Customer")]
    assert len(sample.ids(EVERYONE)) == 60 > len(shown)


def test_names_come_in_order_of_their_full_name(sample: Caller) -> None:
    names = [row["FullyQualifiedName"] for row in sample.rows(EVERYONE)]

    assert names == sorted(names, key=str.encode)


def test_transactions_come_latest_change_first(sample: Caller) -> None:
    times = [row["MetaData"]["LastUpdatedTime"] for row in sample.rows("SELECT * FROM Invoice")]

    moments = [datetime.fromisoformat(text) for text in times]
    assert moments == sorted(moments, reverse=True)


def test_ids_are_ordered_as_numbers_and_then_as_text() -> None:
    company = Company()
    company.load("Item", [{"Id": id} for id in ("10", "9", "12sync", "5000000000000003466", "1x")])
    with Simulator(company) as quickbooks:
        ids = Caller(quickbooks).ids("SELECT * FROM Item ORDERBY Id")

    assert ids == ["9", "10", "5000000000000003466", "12sync", "1x"]


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ("Type = 'Category'", lambda row: row["Type"] == "Category"),
        ("type in ('Service', 'Group')", lambda row: row["Type"] in ("Service", "Group")),
        ("UnitPrice > '99.50'", lambda row: row.get("UnitPrice", 0) > 99.5),
        ("UnitPrice <= '20' AND Taxable = true", None),
        (
            "Name LIKE '%e%a%'",
            lambda row: "e" in row["Name"] and "a" in row["Name"].split("e", 1)[1],
        ),
        ("Id IN ('3', '7', '999')", lambda row: row["Id"] in ("3", "7")),
        ("Sku = 'nothing'", lambda row: False),
    ],
)
def test_conditions_choose_rows(sample: Caller, condition: str, meant: Any) -> None:
    if meant is None:

        def meant(row: dict[str, Any]) -> bool:
            return bool("UnitPrice" in row and row["UnitPrice"] <= 20 and row["Taxable"])

    chosen = sample.ids(SOME_ITEMS.format(condition))

    assert chosen == [row["Id"] for row in active(sample, "Item") if meant(row)]


def test_a_quote_in_a_value_is_escaped(own: Caller) -> None:
    own.quickbooks.change("Customer", "3", DisplayName=r"Mickey O'Neil \ Sons")

    found = own.ids(r"SELECT * FROM Customer WHERE DisplayName = 'Mickey O\'Neil \\ Sons'")

    assert found == ["3"]


@pytest.mark.parametrize(
    "since", ["2026-05-05T00:00:00-07:00", "2026-05-05T07:00:00Z", "2026-05-05T07:00:00.000+00:00"]
)
def test_a_time_may_be_written_in_any_zone(since: str) -> None:
    company = Company()
    for id, changed in (("1", "2026-05-04T23:59:59-07:00"), ("2", "2026-05-05T00:00:00-07:00")):
        company.load("Invoice", [{"Id": id, "MetaData": {"LastUpdatedTime": changed}}])
    with Simulator(company) as quickbooks:
        found = Caller(quickbooks).ids(CHANGED_SINCE.format(since))

    assert found == ["2"]


def test_a_projection_gives_sparse_rows_of_these_fields(sample: Caller) -> None:
    rows = sample.rows("SELECT Id, MetaData.CreateTime FROM Invoice ORDERBY Id MAXRESULTS 1")

    created = sample.quickbooks.rows("Invoice")[0]["MetaData"]["CreateTime"]
    assert rows == [
        {"Id": "1", "MetaData": {"CreateTime": created}, "domain": "QBO", "sparse": True}
    ]


# Refusals


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("SELECT * FROM Custmoer", "4001", "invalid context declaration: Custmoer"),
        (
            "SELECT * FROM Customer MAXRESULTS 1500",
            "4001",
            "value 1500 is too large. Max allowed value is 1000",
        ),
        (
            "SELECT * FROM Customer STARTPOSITION 0",
            "4001",
            "value 0 is too small. Min allowed value is 1",
        ),
        (
            "SELECT * FROM Customer WHERE Nmae = 'x'",
            "4001",
            "Property Nmae not found for Entity Customer",
        ),
        ("SELECT * FROM Customer WHERE Job = true", "4001", "property 'Job' is not queryable"),
        (
            "SELECT BillAddr FROM Customer",
            "4001",
            "Property BillAddr not found for Entity Customer",
        ),
        (
            "SELECT * FROM Customer WHERE Id > '7'",
            "4001",
            "operator '>' is not supported for 'Id'",
        ),
        ("SELECT * FROM Customer WHERE Balance > 'much'", "4001", "invalid value 'much'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    sample: Caller, statement: str, code: str, words: str
) -> None:
    status, found, text = detail(sample.query(statement))

    assert (status, found) == (400, code)
    assert text.startswith(f"QueryValidationError: {words}")


def test_a_parse_error_has_code_4000(sample: Caller) -> None:
    assert detail(sample.query("SELECT *"))[:2] == (400, "4000")


@pytest.mark.parametrize("path", ["customer/1/5", "customer", "batch", "nothing/1"])
def test_an_operation_that_does_not_exist_has_code_500(sample: Caller, path: str) -> None:
    status, code, text = detail(sample.get(path))

    assert (status, code) == (400, "500")
    assert text.startswith("Operation Could not find resource for relative : /v3/company/")


# Changes


def test_nothing_changed_gives_empty_groups(own: Caller) -> None:
    body = own.get("cdc", entities="Customer,Item", changedSince=in_hours(-1)).json()

    assert body["CDCResponse"] == [{"QueryResponse": [{}, {}]}]


def test_changes_are_full_rows_and_deletions_stubs_after_them(own: Caller) -> None:
    quickbooks = own.quickbooks
    quickbooks.delete("Invoice", "2")
    quickbooks.change("Invoice", "4", PrivateNote="paid")
    new = quickbooks.add("Invoice", TotalAmt=10)

    changed = own.changes("Invoice,Customer", in_hours(-1))

    assert list(changed) == ["Invoice"]
    *live, stub = changed["Invoice"]
    assert [row["Id"] for row in live] == ["4", new]
    assert live[0]["SyncToken"] == str(int(before(own, "4")) + 1)
    assert set(stub) == {"domain", "status", "Id", "MetaData"}
    assert (stub["status"], stub["Id"]) == ("Deleted", "2")


def before(caller: Caller, id: str) -> str:
    """The version of an invoice that a fresh company of the same seed has."""
    fresh = Simulator(customers=20, items=5, invoices=5)
    return str(fresh.company.row("Invoice", id)["SyncToken"])


def test_an_inactive_row_comes_whole_and_marked(own: Caller) -> None:
    name = own.quickbooks.rows("Customer")[2]["DisplayName"]

    own.quickbooks.inactivate("Customer", "3")

    (row,) = own.changes("Customer", in_hours(-1))["Customer"]
    assert (row["Active"], row["DisplayName"]) == (False, f"{name} (deleted)")
    assert row["FullyQualifiedName"] == row["DisplayName"]


def test_a_request_never_tells_of_more_than_1000_changes() -> None:
    company = Company()
    changed = {"LastUpdatedTime": in_hours(-1)}
    company.load("Customer", [{"Id": str(id), "MetaData": changed} for id in range(700)])
    company.load("Item", [{"Id": str(id), "MetaData": changed} for id in range(700)])
    with Simulator(company) as quickbooks:
        groups = Caller(quickbooks).changes("Customer,Item", in_hours(-2))

    assert {name: len(rows) for name, rows in groups.items()} == {"Customer": 700, "Item": 300}


def test_changes_are_told_for_30_days(own: Caller) -> None:
    own.quickbooks.delete("Invoice", "2")
    own.quickbooks.advance(31 * 86_400)
    own.log_in()

    assert own.changes("Invoice", in_hours(-1)) == {}


@pytest.mark.parametrize(
    "entity", ["TaxCode", "TaxRate", "TaxAgency", "TimeActivity", "CustomerType", "Nothing"]
)
def test_some_entities_have_no_changes_to_ask_for(own: Caller, entity: str) -> None:
    response = own.get("cdc", entities=f"Customer,{entity}", changedSince=in_hours(-1))

    assert detail(response)[:2] == (400, "4001")


def test_a_change_shows_in_the_next_page(own: Caller) -> None:
    assert "3" in own.ids("SELECT * FROM Customer ORDERBY Id")

    own.quickbooks.inactivate("Customer", "3")
    assert "3" not in own.ids("SELECT * FROM Customer ORDERBY Id")

    own.quickbooks.reactivate("Customer", "3")
    assert "3" in own.ids("SELECT * FROM Customer ORDERBY Id")


# Single rows, formats, headers


def test_the_company_tells_its_name(sample: Caller) -> None:
    info = sample.get(f"companyinfo/{sample.quickbooks.realm}").json()["CompanyInfo"]

    assert info["CompanyName"] == "Sample Landscaping & Garden"


def test_a_row_is_read_by_its_id(sample: Caller) -> None:
    body = sample.get("customer/7").json()

    assert body["Customer"]["Id"] == "7"
    assert set(body) == {"Customer", "time"}


def test_a_row_that_is_gone_has_code_610(own: Caller) -> None:
    own.quickbooks.delete("Invoice", "2")

    status, code, text = detail(own.get("invoice/2"))

    assert (status, code) == (400, "610")
    assert text.startswith("Object Not Found : Something you're trying to use has been made")


def test_who_does_not_ask_for_json_gets_xml(sample: Caller) -> None:
    sample_xml = sample.session.get(
        f"{sample.quickbooks.url}/v3/company/{sample.quickbooks.realm}/query",
        params={"query": "SELECT * FROM Customer MAXRESULTS 1"},
        headers={"Accept": "*/*"},
        timeout=5,
    )

    root = ElementTree.fromstring(sample_xml.content)  # noqa: S314  # our own answer
    space = "{http://schema.intuit.com/finance/v3}"
    customer = root.find(f"{space}QueryResponse/{space}Customer")
    assert root.tag == f"{space}IntuitResponse"
    assert customer is not None and customer.attrib == {"domain": "QBO", "sparse": "false"}
    assert customer.findtext(f"{space}CurrencyRef") == "USD"


def test_every_answer_has_an_id_of_its_own(sample: Caller) -> None:
    tids = {sample.query("SELECT COUNT(*) FROM Item").headers["intuit_tid"] for _ in range(3)}

    assert len(tids) == 3
    assert {call.tid for call in sample.quickbooks.calls[-3:]} == tids


def test_amounts_are_written_with_two_decimals(sample: Caller) -> None:
    body = sample.query("SELECT * FROM Invoice WHERE TotalAmt > '0'").text

    amount = str(sample.quickbooks.rows("Invoice")[0]["TotalAmt"])
    assert amount[-3] == "."
    assert f'"TotalAmt":{amount},' in body
