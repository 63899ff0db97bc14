"""Taking over a CRM that has records already, from the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    """A company whose accounts are found by their names, and a CRM with three of its own."""
    accounts = own_include(tmp_path, monkeypatch) / "mappings" / "accounts.yaml"
    text = accounts.read_text().replace("key: quickbooks_customer_id ", "key: name ")
    accounts.write_text(text)
    with kept_in_step(database_url, monkeypatch) as company:
        names = [row["DisplayName"] for row in company.quickbooks.rows("Customer")[:2]]
        with psycopg.connect(database_url) as connection:
            for id, name in enumerate([names[0], names[1], names[1].upper(), "Own"], 1001):
                connection.execute(
                    "INSERT INTO crm.accounts (id, name, company_id) VALUES (%s, %s, 'sample')",
                    [id, name],
                )
        yield company


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process: its exit code, and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main([words[0], "--company", "sample", *words[1:]])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_what_is_left_to_a_person_is_listed_and_settled(kept: Kept, command: Command) -> None:
    kept.sync("takeover")

    code, said, _ = command("review", "--module", "accounts")
    found = json.loads(command("review", "--module", "accounts", "--json")[1])

    assert code == 0
    [held] = found["held"]
    assert (held["reason"], held["candidates"]) == ("ambiguous_key", ["1002", "1003"])
    assert found["unmatched"] == ["1002", "1003", "1004"]
    assert found["alike"] == [{"by": ["name"], "keys": ["1002", "1003"], "size": 2}]
    assert f"{held['entity']} {held['id']}  ambiguous_key: CRM records 1002, 1003" in said
    assert "1002, 1003 look the same in name" in said

    planned = command("link", "accounts", "Customer", held["id"], "1003", "--plan")
    assert planned[1].startswith("This would be done: Customer")
    assert json.loads(command("review", "--module", "accounts", "--json")[1])["held"] == [held]
    assert command("link", "accounts", "Customer", held["id"], "1003")[0] == 0
    assert command("different", "accounts", "1002", "1003")[0] == 0
    run = kept.sync("after")

    accounts = run.module("accounts")
    assert accounts is not None
    assert (accounts.read, accounts.updated) == (1, 1)
    left = json.loads(command("review", "--module", "accounts", "--json")[1])
    assert (left["held"], left["unmatched"], left["alike"]) == ([], ["1002", "1004"], [])


def test_a_customer_told_apart_from_a_crm_record_is_found_as_the_other(
    kept: Kept, command: Command
) -> None:
    kept.sync("takeover")
    [held] = json.loads(command("review", "--module", "accounts", "--json")[1])["held"]

    code, said, _ = command("different", "accounts", held["entity"], held["id"], "1002")
    kept.sync("after")

    told = f"Customer {held['id']} and CRM record 1002 are different; the next sync knows.\n"
    assert (code, said) == (0, told)
    query = "SELECT record_key FROM sync.link WHERE module = 'accounts' AND id = %s"
    assert kept.ask(query, held["id"]) == [{"record_key": "1003"}]


def test_the_list_of_acts_names_both_that_were_told_apart_linked_or_parted(
    kept: Kept, command: Command
) -> None:
    kept.sync("takeover")
    [held] = json.loads(command("review", "--module", "accounts", "--json")[1])["held"]
    one = f"Customer {held['id']}"
    command("different", "accounts", "Customer", held["id"], "1002")
    command("different", "accounts", "1003", "1004")
    command("link", "accounts", "Customer", held["id"], "1003")
    command("unlink", "accounts", "Customer", held["id"])

    acts = [line.partition(": ")[2] for line in command("acts")[1].splitlines()]

    assert acts == [
        f"{one} from CRM record 1003 of accounts",
        f"{one} to CRM record 1003 of accounts",
        "CRM record 1003 and CRM record 1004 of accounts",
        f"{one} and CRM record 1002 of accounts",
    ]


def test_values_are_shown_only_where_they_are_asked_for(kept: Kept, command: Command) -> None:
    name = kept.quickbooks.rows("Customer")[1]["DisplayName"]
    kept.sync("takeover")

    plain = [command("review", *more)[1] for more in ([], ["--json"])]
    named = [command("review", "--values", *more)[1] for more in ([], ["--json"])]

    assert [name in said for said in plain] == [False, False]
    assert [name in said for said in named] == [True, True]


def test_an_account_is_unlinked_and_no_sync_touches_it(kept: Kept, command: Command) -> None:
    kept.sync("takeover")
    [link] = kept.ask("SELECT id FROM sync.link WHERE record_key = '1001'")
    before = kept.ask("SELECT * FROM crm.accounts WHERE id = 1001")

    code, said, _ = command("unlink", "accounts", "Customer", link["id"])
    kept.quickbooks.change("Customer", link["id"], CompanyName="New")
    kept.sync("after")

    assert (code, said) == (
        0,
        f"Customer {link['id']} is parted from CRM record 1001, which no sync touches any more.\n",
    )
    assert kept.ask("SELECT * FROM crm.accounts WHERE id = 1001") == before
    held = kept.ask(
        "SELECT reason FROM sync.held WHERE module = 'accounts' AND id = %s", link["id"]
    )
    assert held == [{"reason": "unlinked"}]
    assert command("retry", "--module", "accounts")[0] == 0
    assert kept.ask("SELECT * FROM crm.accounts WHERE id = 1001") == before


def test_who_asks_for_a_retry_of_what_was_unlinked_links_it_again(
    kept: Kept, command: Command
) -> None:
    kept.sync("takeover")
    [link] = kept.ask("SELECT id FROM sync.link WHERE record_key = '1001'")
    command("unlink", "accounts", "Customer", link["id"])
    retry = ("retry", "--module", "accounts", "--reason", "unlinked")

    [planned] = json.loads(command(*retry, "--plan", "--json")[1])["modules"]
    assert (planned["read"], planned["not_added"]) == (1, 0)
    assert kept.ask("SELECT id FROM sync.link WHERE record_key = '1001'") == []

    assert command(*retry)[0] == 0
    assert kept.ask("SELECT id FROM sync.link WHERE record_key = '1001'") == [link]
    assert kept.ask("SELECT * FROM sync.unlinked") == []


def test_what_cannot_be_linked_is_told(kept: Kept, command: Command) -> None:
    kept.sync("takeover")

    refused = command("link", "accounts", "Customer", "1", "9999")
    unknown = command("link", "nothing", "Customer", "1", "9999")
    misused = command("different", "accounts", "1002")

    assert refused[0] == 1
    assert refused[2].startswith("crm.accounts has no record 9999 of sample.")
    assert (unknown[0], unknown[2]) == (
        2,
        "Company sample does not take nothing. It takes: products, accounts, contacts.\n",
    )
    assert misused[0] == 2
    assert misused[2].startswith("Name two CRM records of the module by their keys")
