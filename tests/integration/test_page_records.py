"""The pages of a module's CRM records, over HTTP."""

import html
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import linking
from quickbooks_crm.linking import Place
from tests.integration.crm import REALM, Record, customer, gone, item, one, sync
from tests.integration.isolated import FROM_THE_RIGHT
from tests.integration.record_pages import (
    ACCOUNTS,
    HOSTILE,
    PAGES,
    account,
    bring,
    key_of,
    known,
    record,
    target,
    text,
)

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
INVOICES = f"{PAGES}/records/sample/invoices"


def names(answer: httpx.Response) -> list[str]:
    """What the records of a list are called."""
    assert answer.status_code == 200, answer.text
    return [
        html.unescape(name)
        for name in re.findall(r'record\?key=[^"]+"><bdi>([^<]*)</bdi></a></th>', answer.text)
    ]


def found(browser: httpx.Client, sought: str) -> list[str]:
    return names(browser.get(ACCOUNTS, headers={"sought": quote(sought)}))


# ── the list ────────────────────────────────────────────────────────────────────────────────


def test_the_modules_of_a_company_are_listed_with_how_many_records_they_have(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7"), customer("8"), item("1"))

    shown = text(viewer.get(f"{PAGES}/records"))

    assert "Products 1 " in shown
    assert "Accounts 2 " in shown
    assert "Invoices 0 " in shown


def test_a_list_shows_each_record_with_the_quickbooks_record_that_it_is(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    account(connection, "Mine")
    bring(connection, customer("7", DisplayName="Acme", CompanyName="Acme Ltd"))

    answer = viewer.get(ACCOUNTS)

    assert names(answer) == ["Mine", "Acme"]
    assert "Customer 7" in text(answer)
    assert "Acme Ltd" in text(answer)
    assert "only in the CRM" in text(answer)


def test_records_of_other_companies_are_not_there(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    theirs = account(connection, "Theirs", company_id="other")
    taken = account(connection, "Taken", quickbooks_customer_id="7")
    sync(connection, known("accounts"), customer("7"), realm="555", company="other")

    assert one(connection, "SELECT count(*) FROM sync.link") == 1
    assert names(viewer.get(ACCOUNTS)) == []
    assert found(viewer, "Theirs") == []
    assert [record(viewer, key).status_code for key in (theirs, taken)] == [404, 404]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("any", ["Mine", "Acme", "Gone", "Sleeping", "Child"]),
        ("linked", ["Acme", "Gone", "Sleeping", "Child"]),
        ("by_hand", ["Mine"]),
        ("deleted", ["Gone"]),
        ("inactive", ["Sleeping"]),
        ("waiting", ["Child"]),
        ("in_conflict", []),
        ("merged", []),
    ],
)
def test_a_list_can_be_of_some_records_only(
    viewer: httpx.Client, connection: Connection[Any], wanted: str, expected: list[str]
) -> None:
    account(connection, "Mine")
    leaving = customer("2", DisplayName="Gone")
    bring(connection, customer("1", DisplayName="Acme"), leaving)
    sleeping = customer("3", DisplayName="Sleeping", Active=False)
    child = customer("4", DisplayName="Child", ParentRef={"value": "99"})
    bring(connection, gone(leaving), sleeping, child)

    assert names(viewer.get(f"{ACCOUNTS}?wanted={wanted}")) == expected


@pytest.mark.parametrize("wanted", ["any", "linked", "deleted", "waiting"])
def test_a_list_pages_on_to_the_last_record(
    viewer: httpx.Client, connection: Connection[Any], wanted: str
) -> None:
    ids = [str(number) for number in range(1, 120)]
    waits = {"ParentRef": {"value": "999"}} if wanted == "waiting" else {}
    people = [customer(id, DisplayName=f"N{int(id):03}", **waits) for id in ids]
    bring(connection, *people)
    if wanted == "deleted":
        bring(connection, *map(gone, people))

    seen, path = [], f"{ACCOUNTS}?wanted={wanted}"
    while path:
        answer = viewer.get(path)
        seen += names(answer)
        links = re.findall(r'rel="next" href="([^"]+)"', answer.text)
        path = html.unescape(links[0]).replace("../../", f"{PAGES}/") if links else ""

    assert len(seen) == len(set(seen)) == 119


def test_what_was_looked_through_is_said_when_it_was_not_enough(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickbooks_crm.records.LOOKED", 5)
    bring(connection, *(customer(str(number)) for number in range(1, 20)))
    account(connection, "Mine")

    answer = viewer.get(f"{ACCOUNTS}?wanted=by_hand")

    assert "10 records were looked at" in text(answer)
    [on] = re.findall(r'rel="next" href="([^"]+)">Look further', answer.text)
    further = viewer.get(html.unescape(on).replace("../../", f"{PAGES}/"))
    assert names(further) == ["Mine"]


# ── search ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sought", "expected"),
    [
        ("acme", ["Acme Pumps"]),
        ("ACME  p", ["Acme Pumps"]),
        ("pump", ["Acme Pumps"]),
        ("7", ["Acme Pumps"]),
        ("köln", ["Kölner Brunnen"]),
        ("50% _off", ["50% _off"]),
        ("nothing", []),
    ],
)
def test_a_record_is_found_by_its_name_or_its_quickbooks_id(
    viewer: httpx.Client, connection: Connection[Any], sought: str, expected: list[str]
) -> None:
    account(connection, "Kölner Brunnen")
    account(connection, "50% _off")
    bring(connection, customer("7", DisplayName="Acme Pumps"))

    assert found(viewer, sought) == expected


def test_a_record_is_found_by_its_own_number(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    key = account(connection, "Mine")

    assert found(viewer, key) == ["Mine"]


def test_in_a_long_table_names_are_found_by_how_they_begin(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickbooks_crm.searching.LOOKED", 1)
    for name in ("First", "Last Pump", "Pump Last"):
        account(connection, name)

    answer = viewer.get(ACCOUNTS, headers={"sought": "pump"})

    assert names(answer) == ["Pump Last"]
    assert "What is in the middle is looked for in the first 10,000 records only" in text(answer)


def test_a_table_without_an_index_is_searched_in_part_and_that_is_said(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickbooks_crm.searching.LOOKED", 2)
    for name in ("Pump 1", "Pump 2", "Pump 3"):
        account(connection, name)
    connection.execute("DROP INDEX crm.accounts_name_normal")

    answer = viewer.get(ACCOUNTS, headers={"sought": "pump"})

    assert names(answer) == ["Pump 1", "Pump 2"]
    assert "no index for Account name: only its first 10,000 records" in text(answer)


# ── a record ────────────────────────────────────────────────────────────────────────────────


def test_a_record_shows_all_its_fields_by_their_labels(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    phone = {"FreeFormNumber": "555-0100"}
    bring(connection, customer("7", DisplayName="Acme", PrimaryPhone=phone, Balance=12.5))

    shown = text(record(viewer, key_of(connection, "Acme")))

    assert "Phone 555-0100" in shown
    assert "Open balance 12.50" in shown
    assert "Customer 7" in shown
    assert re.search(r"Created \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", shown)


def test_the_history_says_which_run_changed_what_from_what_to_what_and_who_started_it(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    bring(connection, customer("7", DisplayName="Acme Ltd"), run_id="run-2")

    answer = record(viewer, key_of(connection, "Acme Ltd"))

    assert re.search(r"updated Customer 7 Account name Acme → Acme Ltd admin", text(answer))
    assert re.search(r"added Customer 7 .*Account name Acme", text(answer))
    assert f"runs/{REALM}/run-1" in answer.text
    assert answer.text.index(f"runs/{REALM}/run-2") < answer.text.index(f"runs/{REALM}/run-1")


def test_neither_a_preview_nor_a_run_without_a_change_is_history(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-2")
    bring(connection, customer("7", DisplayName="Acme", Notes="new"), run_id="run-3")
    connection.execute("UPDATE sync.run SET kind = 'preview' WHERE run_id = 'run-3'")

    shown = record(viewer, key_of(connection, "Acme")).text

    assert re.findall(rf"runs/{REALM}/(run-\d)", shown) == ["run-1"]


def test_the_history_tells_when_a_reference_was_closed(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Child", ParentRef={"value": "8"}))
    waiting = text(record(viewer, key_of(connection, "Child")))
    bring(connection, customer("8", DisplayName="Mother"))

    shown = record(viewer, key_of(connection, "Child"))

    assert "Parent account : Customer 8 , QuickBooks has not sent it yet" in waiting
    mother = key_of(connection, "Mother")
    assert "reference closed Customer 7 Parent account blank → Mother" in text(shown)
    assert shown.text.count(f'key={mother}"><bdi>Mother</bdi>') == 2


def test_the_history_tells_what_people_settled_and_who_did(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"))
    place = Place("sample", REALM, target(connection), ("accounts", "vendors"), "Customer", "7")
    linking.unlink(connection, place, "ann")

    shown = text(record(viewer, key_of(connection, "Acme")))

    assert "unlinked Customer 7 ann" in shown
    assert "added Customer 7" in shown


def test_what_retention_has_thrown_away_is_said(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    bring(connection, customer("7", DisplayName="Acme Ltd"), run_id="run-2")
    connection.execute("UPDATE sync.run SET purged_at = now() WHERE run_id = 'run-2'")
    connection.execute("UPDATE sync.outcome SET before = NULL, after = '{}' WHERE run_id = 'run-2'")
    connection.execute("UPDATE sync.run SET emptied_at = now() WHERE run_id = 'run-1'")
    connection.execute("DELETE FROM sync.outcome WHERE run_id = 'run-1'")

    shown = text(record(viewer, key_of(connection, "Acme Ltd")))

    assert "values before and after are kept for 90 days, and thrown away" in shown
    assert "How records ended is kept for 400 days" in shown


def test_a_conflict_shows_both_values(viewer: httpx.Client, connection: Connection[Any]) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    key = key_of(connection, "Acme")
    connection.execute(
        "INSERT INTO sync.conflict (realm, module, entity, id, field, record_key, crm, quickbooks,"
        " run_id) VALUES (%s, 'accounts', 'Customer', '7', 'phone', %s, '555', '777', 'run-1')",
        [REALM, key],
    )

    assert "Phone 555 777" in text(record(viewer, key))
    assert names(viewer.get(f"{ACCOUNTS}?wanted=in_conflict")) == ["Acme"]


def test_a_document_shows_its_lines_and_what_it_points_to_and_what_points_to_it(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    line = {
        "DetailType": "SalesItemLineDetail",
        "Amount": 30,
        "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 3, "UnitPrice": 10},
    }
    invoice = {"Id": "5", "DocNumber": "1001", "CustomerRef": {"value": "7"}, "Line": [line]}
    acme, hose = customer("7", DisplayName="Acme"), item("1", Name="Garden hose")
    bring(connection, acme, hose, Record("Invoice", "5", invoice | {"TotalAmt": 30}))
    key = str(one(connection, "SELECT id FROM crm.invoices"))

    shown = record(viewer, key, INVOICES)

    assert "Garden hose" in text(shown)
    assert "30.00" in text(shown)
    assert re.search(r'accounts/record\?key=\d+"><bdi>Acme</bdi>', shown.text)
    by = text(record(viewer, key_of(connection, "Acme")))
    assert "Invoices (Account): 1001, invoice" in by
    product = str(one(connection, "SELECT id FROM crm.products"))
    assert names(viewer.get(INVOICES)) == ["1001, invoice"]
    assert "1001" in text(record(viewer, product, f"{PAGES}/records/sample/products"))


@pytest.mark.parametrize(
    "path",
    [
        "never",
        "accounts?wanted=nonsense",
        "accounts/record?key=999",
        "accounts/record?key=nonsense",
        "accounts/record?key=%00",
        "accounts/record",
        "accounts/record?key=1&before=nonsense",
    ],
)
def test_what_is_not_there_is_not_found(
    viewer: httpx.Client, connection: Connection[Any], path: str
) -> None:
    assert viewer.get(f"{PAGES}/records/sample/{path}").status_code == 404


def test_what_quickbooks_sent_cannot_become_part_of_the_page(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName=HOSTILE, ParentRef={"value": HOSTILE}))
    key = key_of(connection, HOSTILE)

    for answer in (
        viewer.get(ACCOUNTS),
        viewer.get(ACCOUNTS, headers={"sought": quote(HOSTILE)}),
        record(viewer, key),
    ):
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


def test_what_is_written_from_the_right_turns_nothing_beside_it_around(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    """D13: each page is looked at when it is read, see isolated.py."""
    parent, child = (f"{FROM_THE_RIGHT}{name}" for name in ("above", "below"))
    bring(connection, customer("7", DisplayName=parent), customer("8", DisplayName="Acme"))
    under = {"ParentRef": {"value": "7"}}
    bring(connection, customer("8", DisplayName=child, CompanyName=child, **under))
    bring(connection, customer(f"{FROM_THE_RIGHT}9", ParentRef={"value": f"{FROM_THE_RIGHT}x"}))
    connection.execute("UPDATE crm.accounts SET tags = %s", [[parent, child]])

    assert names(viewer.get(ACCOUNTS)) == [parent, child, f"Customer {FROM_THE_RIGHT}9"]
    for name in (parent, child, f"Customer {FROM_THE_RIGHT}9"):
        assert FROM_THE_RIGHT in record(viewer, key_of(connection, name)).text


# ── the ways from and to other pages ────────────────────────────────────────────────────────


def test_the_records_of_a_run_and_of_the_start_lead_to_the_record(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    key = key_of(connection, "Acme")

    rows = viewer.get(f"{PAGES}/runs/{REALM}/run-1/accounts?outcome=added").text

    assert f'href="../../../records/sample/accounts/record?key={key}"' in rows
    assert 'href="./records/sample/accounts"' in viewer.get(f"{PAGES}/").text
