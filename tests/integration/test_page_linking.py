"""The pages where a person says which QuickBooks record a CRM record is, over HTTP."""

from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import linking
from quickbooks_crm.linking import Place
from tests.integration.crm import REALM, customer
from tests.integration.record_pages import (
    ACCOUNTS,
    FROM_A_PAGE,
    account,
    bring,
    clerk,
    key_of,
    record,
    target,
    text,
)

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

__all__ = ["clerk"]


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
    assert "linked by hand, not updated by a sync yet" in shown
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
