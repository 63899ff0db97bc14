"""The pages of a module's CRM records, over HTTP."""

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import companies, linking, mapping, one_module
from quickbooks_crm.dedupe import Target
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping
from tests.integration.crm import REALM, Record, by_hand, customer, gone, item, one, ready, sync
from tests.integration.undo import company

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

PAGES = "/quickbooks-crm"
ACCOUNTS = f"{PAGES}/records/sample/accounts"
INVOICES = f"{PAGES}/records/sample/invoices"
FROM_A_PAGE = {"sec-fetch-site": "same-origin"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def clerk(anonymous: httpx.Client, signed_in_as: Callable[[str], None]) -> httpx.Client:
    """A browser in which somebody is signed in who may run."""
    signed_in_as("user")
    return anonymous


def known(*modules: str) -> dict[str, Mapping]:
    """The mappings that the pages read."""
    found = mapping.load(companies.INCLUDE / "mappings")
    return {name: found[name] for name in modules or found}


def bring(connection: Connection[Any], *records: Record, run_id: str | None = None) -> None:
    """A sync of the accounts, and of other modules where one of the records is theirs."""
    entities = {record.entity for record in records} - {"Customer"}
    others = {"Item": ["products"], "Invoice": ["quotes", "invoices"]}
    modules = ["accounts", *(name for entity in entities for name in others[entity])]
    sync(connection, known(*modules), *records, run_id=run_id)


def target(connection: Connection[Any]) -> Target:
    return one_module.target(connection, known("accounts")["accounts"], company())


def account(connection: Connection[Any], name: str, **values: Any) -> str:
    ready(connection)
    return str(by_hand(connection, "crm.accounts", name=name, **values))


def key_of(connection: Connection[Any], name: str) -> str:
    return str(one(connection, "SELECT id FROM crm.accounts WHERE name = %s", [name]))


def text(answer: httpx.Response) -> str:
    """What a person reads, in one line."""
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def names(answer: httpx.Response) -> list[str]:
    """What the records of a list are called."""
    assert answer.status_code == 200, answer.text
    return [
        html.unescape(name)
        for name in re.findall(r'record\?key=[^"]+"><bdi>([^<]*)</bdi></a></th>', answer.text)
    ]


def found(browser: httpx.Client, sought: str) -> list[str]:
    return names(browser.get(ACCOUNTS, headers={"sought": quote(sought)}))


def record(browser: httpx.Client, key: str, at: str = ACCOUNTS) -> httpx.Response:
    return browser.get(f"{at}/record?key={key}")


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


# ── linking by hand ─────────────────────────────────────────────────────────────────────────


def link(browser: httpx.Client, key: str, id: str, **seen: str) -> httpx.Response:
    sent = {"key": key, "entity": "Customer", "id": id}
    sent |= {"was_record": "", "was_entity": "", "was_id": ""} | seen
    return browser.post(f"{ACCOUNTS}/link", json=sent, headers=FROM_A_PAGE)


def unlink(browser: httpx.Client, key: str, id: str) -> httpx.Response:
    sent = {"key": key, "entity": "Customer", "id": id}
    return browser.post(f"{ACCOUNTS}/unlink", json=sent, headers=FROM_A_PAGE)


def duplicate(connection: Connection[Any]) -> str:
    """An account made by hand, in the way of QuickBooks' customer 7."""
    mine = account(connection, "Acme", phone="555-0100")
    bring(connection, customer("7", DisplayName="Acme", CompanyName="Acme Ltd"))
    return mine


def test_a_record_is_linked_to_the_quickbooks_record_that_a_person_picks(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = duplicate(connection)

    answer = link(clerk, mine, "7")

    assert answer.json()["go"] == f"records/sample/accounts/record?key={mine}"
    assert "Customer 7 is CRM record" in answer.json()["said"]
    shown = text(record(clerk, mine))
    assert "linked by hand, next sync updates it" in shown
    assert "linked Customer 7 user" in shown
    bring(connection)
    assert "Company name Acme Ltd" in text(record(clerk, mine))


@pytest.mark.parametrize("half", [r"\ud800", "\ud800"])
def test_half_a_character_is_refused_wherever_it_is_sent(
    clerk: httpx.Client, connection: Connection[Any], half: str
) -> None:
    """JSON can say it, but no text of the database can hold it."""
    mine = duplicate(connection)
    others = '"entity": "Customer", "was_record": "", "was_entity": "", "was_id": ""'
    sent = f'{{"key": "{mine}", "id": "{half}", {others}}}'

    answer = clerk.post(
        f"{ACCOUNTS}/link",
        content=sent.encode(errors="surrogatepass"),
        headers=FROM_A_PAGE | {"content-type": "application/json"},
    )

    assert answer.status_code == 422
    assert "not sent by one of these pages" in answer.json()["message"]


def test_what_may_be_it_is_suggested_and_found_by_name_or_id(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = duplicate(connection)
    bring(connection, customer("8", DisplayName="Zebra"))

    same = f"{ACCOUNTS}/same?key={mine}"

    assert "Customer 7 Acme active not in the CRM" in text(clerk.get(same))
    assert "Customer 8" not in text(clerk.get(same))
    for sought in ("8", "zeb"):
        shown = text(clerk.get(same, headers={"sought": sought}))
        assert "Customer 8 Zebra active CRM record Zebra" in shown
    assert "Customer 7 Acme" in text(clerk.get(same, headers={"sought": "cme"}))
    assert "Nothing was found" in text(clerk.get(same, headers={"sought": "nothing"}))


def test_both_are_shown_side_by_side_as_the_crm_would_hold_them(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = duplicate(connection)

    shown = text(clerk.get(f"{ACCOUNTS}/same?key={mine}&entity=Customer&id=7"))

    assert "Account name Acme Acme = equal" in shown
    assert "Company name – Acme Ltd ≠ different" in shown
    assert "Phone 555-0100 – ≠ different" in shown


def test_what_both_sides_point_to_is_shown_by_name(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = account(connection, "Acme")
    child = customer("7", DisplayName="Acme", ParentRef={"value": "8"})
    bring(connection, customer("8", DisplayName="Mother"), child)

    shown = text(clerk.get(f"{ACCOUNTS}/same?key={mine}&entity=Customer&id=7"))

    assert "Parent account – Mother ≠ different" in shown


def test_a_record_that_is_another_one_is_parted_from_it_when_it_is_linked(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), customer("8", DisplayName="Zebra"))
    acme, zebra = key_of(connection, "Acme"), key_of(connection, "Zebra")

    asked = clerk.get(f"{ACCOUNTS}/same?key={acme}&entity=Customer&id=8")
    done = link(clerk, acme, "8", was_record=zebra, was_entity="Customer", was_id="7")

    assert "Customer 7, which it is now, is parted from it" in text(asked)
    assert "CRM record Zebra , which Customer 8 is now, is parted" in text(asked)
    assert done.status_code == 200
    assert "Customer 8" in text(record(clerk, acme))
    assert "only in the CRM" in text(record(clerk, zebra))


def test_a_link_that_has_changed_meanwhile_is_told_and_nothing_is_done(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = duplicate(connection)
    assert link(clerk, mine, "7").status_code == 200

    late = link(clerk, mine, "7")

    assert late.status_code == 409
    assert "Somebody has linked or parted Customer 7" in late.json()["message"]


def test_what_cannot_be_linked_is_told(clerk: httpx.Client, connection: Connection[Any]) -> None:
    mine = duplicate(connection)

    refused = link(clerk, mine, "99")

    assert refused.status_code == 409
    assert refused.json()["message"] == (
        "The mirror has no Customer 99 of sample. If QuickBooks has it, sync first."
    )


def test_a_record_is_parted_from_quickbooks(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"))
    mine = key_of(connection, "Acme")

    done, again = unlink(clerk, mine, "7"), unlink(clerk, mine, "7")

    assert "parted from CRM record" in done.json()["said"]
    assert "is not Customer 7 any more" in again.json()["message"]
    assert "only in the CRM" in text(record(clerk, mine))
    assert "Customer 7 Acme active not in the CRM: a person has unlinked it" in text(
        clerk.get(f"{ACCOUNTS}/same?key={mine}")
    )


def test_records_of_other_companies_cannot_be_linked_or_parted(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"))
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    theirs = account(connection, "Theirs", company_id="other")

    assert clerk.get(f"{ACCOUNTS}/same?key={theirs}").status_code == 404
    assert link(clerk, theirs, "7").status_code == 404
    assert unlink(clerk, theirs, "7").status_code == 404


def test_who_may_only_look_is_offered_no_button(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"))

    shown = record(viewer, key_of(connection, "Acme"))

    assert "<button" not in shown.text
    assert "/same?" not in shown.text


def test_while_a_run_loads_the_table_a_person_is_asked_to_try_again(
    clerk: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickbooks_crm.pages.reaching.PATIENCE", "300")
    mine = duplicate(connection)
    place = Place("sample", REALM, target(connection), ("accounts",), "Customer", "7")
    with connection.transaction():
        linking.link(connection, place, mine, "ann")
        busy = link(clerk, mine, "7")

    assert busy.status_code == 409
    assert "A run is loading crm.accounts. Try again" in busy.json()["message"]


# ── the ways from and to other pages ────────────────────────────────────────────────────────


def test_the_records_of_a_run_and_of_the_start_lead_to_the_record(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), run_id="run-1")
    key = key_of(connection, "Acme")

    rows = viewer.get(f"{PAGES}/runs/{REALM}/run-1/accounts?outcome=added").text

    assert f'href="../../../records/sample/accounts/record?key={key}"' in rows
    assert 'href="./records/sample/accounts"' in viewer.get(f"{PAGES}/").text
