"""The page where a person settles what no rule can, over HTTP."""

import html
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import settling
from quickbooks_crm.sql import statements
from tests.integration.crm import REALM, End, customer, one, rows, sync
from tests.integration.record_pages import (
    ACCOUNTS,
    FROM_A_PAGE,
    HOSTILE,
    PAGES,
    account,
    bring,
    clerk,
    known,
    text,
)

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

REVIEW = f"{ACCOUNTS}/review"
__all__ = ["clerk"]


def say(browser: httpx.Client, of: str, **said: Any) -> httpx.Response:
    return browser.post(f"{REVIEW}/{of}", json=said, headers=FROM_A_PAGE)


def say_held(browser: httpx.Client, key: str, verdict: str) -> httpx.Response:
    return say(browser, "held", entity="Customer", id="7", key=key, verdict=verdict)


def cards(browser: httpx.Client, of: str) -> list[str]:
    """The titles of what is left to settle."""
    shown = browser.get(f"{REVIEW}?of={of}")
    assert shown.status_code == 200, shown.text
    titles = re.findall(r'<article class="card".*?<h2[^>]*>(.*?)</h2>', shown.text, re.DOTALL)
    return [html.unescape(" ".join(re.sub(r"<[^>]+>", " ", title).split())) for title in titles]


def due(connection: Connection[Any]) -> list[End]:
    """The next sync: what it takes by itself."""
    return sync(connection, known("accounts"))


def lookalikes(connection: Connection[Any], browser: httpx.Client, *names: str) -> list[str]:
    """Accounts with these names, and a look for those that look the same."""
    keys = [account(connection, name) for name in names]
    due(connection)
    assert say(browser, "look").status_code == 200
    return keys


def settle(browser: httpx.Client, verdict: str, *keys: str) -> httpx.Response:
    return say(browser, "alike", place=1, keys=keys, verdict=verdict)


def back(browser: httpx.Client) -> httpx.Response:
    """Take back what was settled last."""
    shown = browser.get(REVIEW).text
    [what] = re.findall(r'name="what" value="(\w+)"', shown)[:1]
    [since] = re.findall(r'name="since" value="([^"]+)"', shown)[:1]
    return say(browser, "back", what=what, since=html.unescape(since))


# ── records in each other's way ─────────────────────────────────────────────────────────────


def test_what_is_held_back_is_listed_with_the_record_in_its_way(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    account(connection, "Acme", phone="555-0100")
    bring(connection, customer("7", DisplayName="ACME"))

    shown = text(clerk.get(REVIEW))

    assert cards(clerk, "held") == ["Customer 7 ACME"]
    assert "1 left" in shown
    assert "the same on all check fields" in shown
    assert "Acme only in the CRM" in shown
    assert "555-0100" in shown


def test_same_makes_it_that_record_from_the_next_sync_on(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = account(connection, "Acme")
    bring(connection, customer("7", DisplayName="ACME"))

    said = say_held(clerk, mine, "same")

    assert said.json()["go"] == "records/sample/accounts/review?of=held"
    assert cards(clerk, "held") == []
    assert due(connection) == [End("7", "updated")]


def test_different_lets_the_next_sync_add_it(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = account(connection, "Acme")
    bring(connection, customer("7", DisplayName="ACME"))

    assert say_held(clerk, mine, "different").status_code == 200

    assert cards(clerk, "held") == []
    assert due(connection) == [End("7", "added")]


def test_what_quickbooks_has_twice_is_not_asked_again(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    bring(connection, customer("6", DisplayName="Acme"))
    bring(connection, customer("7", DisplayName="ACME"))
    theirs = str(one(connection, "SELECT id FROM crm.accounts"))

    said = say_held(clerk, theirs, "same")

    assert "once more. It stays out of the CRM." in said.json()["said"]
    assert cards(clerk, "held") == []
    bring(connection, customer("7", DisplayName="Acme."), run_id="again")
    assert rows(connection, "SELECT entity, id FROM sync.same") == [("Customer", "7")]


def test_while_somebody_looks_nobody_else_does(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    lookalikes(connection, clerk, "Acme", "ACME!")
    where = {"realm": REALM, "module": "accounts"}

    with connection.transaction():
        connection.execute(statements("settling")["one_look"], where)
        refused = say(clerk, "look")

    assert refused.status_code == 409
    assert "Somebody is looking for possible duplicates of accounts" in refused.json()["message"]
    assert cards(clerk, "alike") == ["Acme"]


def test_a_look_that_takes_long_stops_and_says_so(
    clerk: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "TIME", timedelta(milliseconds=100))
    for name in ("Acme", "ACME!"):
        account(connection, name)
    due(connection)
    connection.execute("ALTER FUNCTION sync.skeleton RENAME TO skeleton_at_once")
    connection.execute(
        "CREATE FUNCTION sync.skeleton(value text) RETURNS text LANGUAGE sql AS $$"
        " SELECT sync.skeleton_at_once(value) FROM pg_sleep(0.3) $$"
    )
    connection.commit()

    said = say(clerk, "look").json()["said"]

    assert said.startswith("0 possible duplicates found so far: there are too many records")


@pytest.mark.parametrize("verdict", ["same", "different"])
def test_what_was_said_is_taken_back_until_a_sync_has_acted_on_it(
    clerk: httpx.Client, connection: Connection[Any], verdict: str
) -> None:
    mine = account(connection, "Acme")
    bring(connection, customer("7", DisplayName="ACME"))
    say_held(clerk, mine, verdict)

    assert "user :" in text(clerk.get(REVIEW))
    assert back(clerk).json()["said"] == "It was taken back."

    assert due(connection) == [End("7", "duplicate", "check_fields")]
    assert cards(clerk, "held") == ["Customer 7 ACME"]


def test_a_link_that_a_sync_has_acted_on_is_not_taken_back(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    mine = account(connection, "Acme")
    bring(connection, customer("7", DisplayName="ACME"))
    say_held(clerk, mine, "same")
    since = one(connection, "SELECT held_since FROM sync.held").isoformat()
    due(connection)

    refused = say(clerk, "back", what="linked", since=since)

    assert refused.status_code == 409
    assert "A linked record can be unlinked on its page." in refused.json()["message"]


def test_one_of_several_records_in_the_way_is_picked(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    first, second = account(connection, "Acme"), account(connection, "Acme")
    bring(connection, customer("7", DisplayName="Acme"))
    assert one(connection, "SELECT count(*) FROM sync.held") == 1

    assert say_held(clerk, second, "same").status_code == 200

    due(connection)
    assert one(connection, "SELECT record_key FROM sync.link") == second != first


# ── records that look the same ──────────────────────────────────────────────────────────────


def test_possible_duplicates_are_listed_once_somebody_has_looked(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    for name in ("Acme Ltd", "ACME, Ltd.", "Other"):
        account(connection, name)
    due(connection)

    before = text(clerk.get(f"{REVIEW}?of=alike"))
    said = say(clerk, "look").json()["said"]

    assert "Nobody has looked for possible duplicates" in before
    assert said == "1 possible duplicate found."
    assert cards(clerk, "alike") == ["Acme Ltd"]
    assert "Possible duplicates 1 left" in text(clerk.get(f"{REVIEW}?of=alike"))


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        (0, "Keep one of them, and delete the other in the CRM."),
        (1, "Keep the one that QuickBooks fills, and delete the other in the CRM."),
        (2, "QuickBooks has it more than once: merge them there"),
    ],
)
def test_what_a_person_has_to_do_with_two_records_that_are_the_same_is_said(
    clerk: httpx.Client, connection: Connection[Any], filled: int, told: str
) -> None:
    bring(connection, customer("7", DisplayName="Acme"), customer("8", DisplayName="Other"))
    connection.execute("UPDATE crm.accounts SET name = 'ACME' WHERE name = 'Other'")
    connection.execute("DELETE FROM sync.link WHERE id::int >= %s", [7 + filled])
    connection.commit()
    say(clerk, "look")

    shown = text(clerk.get(f"{REVIEW}?of=alike"))

    assert f"Same: it is remembered, and no sync makes them one. {told}" in shown


@pytest.mark.parametrize("verdict", ["same", "different"])
def test_a_pair_that_is_settled_is_listed_no_more_not_even_after_another_look(
    clerk: httpx.Client, connection: Connection[Any], verdict: str
) -> None:
    pair = lookalikes(connection, clerk, "Acme", "ACME!")

    assert settle(clerk, verdict, *pair).status_code == 200

    assert cards(clerk, "alike") == []
    assert "Possible duplicates 0 left" in text(clerk.get(f"{REVIEW}?of=alike"))
    say(clerk, "look")
    assert cards(clerk, "alike") == []


def test_of_several_the_picked_ones_are_different_from_all_others(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    first, second, third = lookalikes(connection, clerk, "Acme", "ACME!", "acme.")

    settle(clerk, "different", first)
    left = clerk.get(f"{REVIEW}?of=alike")

    assert re.findall(r'name="keys" value="(\d+)"', left.text) == [second, third]


def test_of_several_the_picked_ones_are_the_same_and_the_others_are_left(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    first, second, third = lookalikes(connection, clerk, "Acme", "ACME!", "acme.")

    settle(clerk, "same", first, second)
    assert cards(clerk, "alike") == ["Acme"]
    settle(clerk, "different", third)

    assert cards(clerk, "alike") == []


@pytest.mark.parametrize(("verdict", "so"), [("same", "the same"), ("different", "different")])
def test_what_was_said_of_a_pair_stands_there_as_a_sentence(
    clerk: httpx.Client, connection: Connection[Any], verdict: str, so: str
) -> None:
    first, second = lookalikes(connection, clerk, "Acme", "ACME!")
    settle(clerk, verdict, first, second)

    shown = text(clerk.get(REVIEW))

    assert f"CRM record {first} and CRM record {second} are {so} Take back" in shown


def test_how_long_a_look_may_take_is_said_before_it(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    shown = text(clerk.get(f"{REVIEW}?of=alike"))

    assert timedelta(seconds=10) == settling.TIME
    assert "for ten seconds at most." in shown


@pytest.mark.parametrize("verdict", ["same", "different"])
def test_a_pair_is_listed_again_when_what_was_said_is_taken_back(
    clerk: httpx.Client, connection: Connection[Any], verdict: str
) -> None:
    pair = lookalikes(connection, clerk, "Acme", "ACME!")
    settle(clerk, verdict, *pair)

    assert back(clerk).status_code == 200

    assert cards(clerk, "alike") == ["Acme"]
    assert back_is_gone(clerk)


def back_is_gone(browser: httpx.Client) -> bool:
    return "Take back" not in browser.get(REVIEW).text


def test_of_two_people_the_second_is_told_that_it_is_settled(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    pair = lookalikes(connection, clerk, "Acme", "ACME!")
    settle(clerk, "same", *pair)

    late = settle(clerk, "different", *pair)

    assert late.status_code == 409
    assert late.json()["message"] == "Somebody has settled this meanwhile. Load the page again."
    assert rows(connection, "SELECT * FROM sync.different") == []


def test_only_records_of_the_group_can_be_settled(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    pair = lookalikes(connection, clerk, "Acme", "ACME!")
    stranger = account(connection, "Stranger")

    of_none, alone = settle(clerk, "same", *pair, stranger), settle(clerk, "same", pair[0])

    assert of_none.status_code == alone.status_code == 409
    assert "Pick at least two records" in alone.json()["message"]
    assert rows(connection, "SELECT * FROM sync.same") == []


def test_a_record_that_has_left_the_crm_meanwhile_is_no_duplicate(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    pair = lookalikes(connection, clerk, "Acme", "ACME!")
    connection.execute("DELETE FROM crm.accounts WHERE id = %s", [int(pair[0])])

    assert cards(clerk, "alike") == []
    assert settle(clerk, "same", *pair).status_code == 409


def test_records_of_other_companies_are_never_listed(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    account(connection, "Acme")
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    account(connection, "ACME!", company_id="other")
    due(connection)

    assert say(clerk, "look").json()["said"] == "0 possible duplicates found."
    assert "None is left to settle here." in text(clerk.get(f"{REVIEW}?of=alike"))


def test_the_list_pages_on_to_the_last_group(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    lookalikes(connection, clerk, *(f"N{n // 2}" for n in range(60)))

    seen, path = [], f"{REVIEW}?of=alike"
    while path:
        shown = clerk.get(path).text
        seen += re.findall(r'id="alike-(\d+)"', shown)
        links = re.findall(r'rel="next" href="([^"]+)"', shown)
        path = html.unescape(links[0]).replace("../../../", f"{PAGES}/") if links else ""

    assert len(seen) == len(set(seen)) == 30


def test_before_the_first_run_nothing_can_be_remembered(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    account(connection, "Acme")

    refused = say(clerk, "look")

    assert refused.status_code == 409
    assert "Nothing was read from QuickBooks for sample yet" in refused.json()["message"]


# ── who may, and what may not ───────────────────────────────────────────────────────────────


def test_who_may_only_look_is_offered_no_button(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    account(connection, "Acme")
    bring(connection, customer("7", DisplayName="ACME"))

    for of in ("held", "alike"):
        assert "<button" not in viewer.get(f"{REVIEW}?of={of}").text
    assert say(viewer, "look").status_code == 403


def test_what_the_crm_holds_cannot_become_part_of_the_page(
    clerk: httpx.Client, connection: Connection[Any]
) -> None:
    lookalikes(connection, clerk, HOSTILE, HOSTILE.upper())
    bring(connection, customer("7", DisplayName=HOSTILE))

    for of in ("held", "alike"):
        shown = clerk.get(f"{REVIEW}?of={of}").text
        assert "<script>alert" not in shown.lower()
        assert "&lt;script&gt;alert" in shown


@pytest.mark.parametrize(
    "path", ["?of=nonsense", "?of=alike&after=nonsense", f"?of=alike&after={'9' * 5_000}"]
)
def test_what_nobody_can_have_asked_for_breaks_nothing(
    clerk: httpx.Client, connection: Connection[Any], path: str
) -> None:
    assert clerk.get(f"{REVIEW}{path}").status_code in (200, 404)
