"""A merge that no webhook told of, told by a person."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import FirstSyncs, Kept, kept_in_step, own_include


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


LONELY = """
    SELECT account.quickbooks_customer_id AS id FROM crm.accounts AS account
      JOIN crm.contacts AS contact ON contact.account_id = account.id
     WHERE parent_id IS NULL AND NOT EXISTS (SELECT FROM crm.accounts AS child
                                              WHERE child.parent_id = account.id)
     ORDER BY account.id LIMIT 2"""
ACCOUNT = """
    SELECT account.quickbooks_customer_id AS id FROM crm.contacts AS contact
      JOIN crm.accounts AS account ON account.id = contact.account_id
     WHERE contact.quickbooks_customer_id = %s"""


def test_a_merge_told_by_hand_is_previewed_told_and_in_the_crm_with_the_next_sync(
    synced: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    loser, survivor = (row["id"] for row in synced.ask(LONELY))
    synced.quickbooks.merge("Customer", loser, survivor)
    synced.sync()
    words = ["merged", "--company", "sample", "Customer", loser, survivor]

    assert main([*words, "--plan", "--json"]) == 0
    previewed = json.loads(capsys.readouterr().out)
    assert synced.ask("SELECT * FROM sync.merge") == []
    assert main(words) == 0
    assert f"Customer {loser} was merged into {survivor}." in capsys.readouterr().out
    synced.sync()

    assert previewed["referring"]["contacts"] == 1
    assert synced.ask(ACCOUNT, loser) == [{"id": survivor}]
    assert synced.mismatched() == []


def test_a_merge_told_wrongly_is_taken_back_and_both_are_written_down(
    synced: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    loser, survivor = (row["id"] for row in synced.ask(LONELY))
    synced.quickbooks.change("Customer", loser, Active=False)
    synced.sync()
    words = ["merged", "--company", "sample", "Customer", loser, survivor]
    assert main(words) == 0
    synced.sync()
    assert synced.ask(ACCOUNT, loser) == [{"id": survivor}]
    capsys.readouterr()

    assert main([*words, "--undo", "--plan"]) == 0
    assert "Without --plan it is taken back." in capsys.readouterr().out
    assert main([*words, "--undo"]) == 0
    said = f"Customer {loser} was not merged into {survivor}."
    assert said in capsys.readouterr().out
    synced.sync()

    assert synced.ask(ACCOUNT, loser) == [{"id": loser}]
    assert [row["kind"] for row in synced.ask("SELECT kind FROM sync.act ORDER BY act")] == [
        "merge_told",
        "merge_taken_back",
    ]
    assert synced.mismatched() == []
    assert main([*words, "--undo"]) == 2
    assert "has been taken back already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (("1000000", "1000001"), "There is no Customer 1000000 in what was read"),
        (("1", "1"), "Customer 1 cannot be merged into itself."),
        (None, "is active in QuickBooks, so it was not merged away."),
    ],
)
def test_a_merge_that_cannot_be_is_refused(
    synced: Kept,
    capsys: pytest.CaptureFixture[str],
    which: tuple[str, str] | None,
    said: str,
) -> None:
    loser, survivor = which or [row["id"] for row in synced.ask(LONELY)]

    assert main(["merged", "--company", "sample", "Customer", loser, survivor]) == 2

    assert said in capsys.readouterr().err
    assert synced.ask("SELECT * FROM sync.merge") == []


PARENTS = """
    SELECT id, payload #>> '{ParentRef,value}' AS parent FROM quickbooks.record
     WHERE entity = 'Customer' AND payload #>> '{ParentRef,value}' <> ''"""


def test_a_company_that_rolls_up_its_sub_customers_has_accounts_of_topmost_customers_only(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    sample.write_text(sample.read_text() + "child_accounts: roll_up\n")

    kept.sync()

    parents = {row["id"]: row["parent"] for row in kept.ask(PARENTS)}
    held = {row["id"] for row in kept.ask("SELECT quickbooks_customer_id AS id FROM crm.accounts")}
    assert parents
    assert held.isdisjoint(parents)
    for id in parents:
        topmost = id
        while topmost in parents:
            topmost = parents[topmost]
        assert [row["id"] for row in kept.ask(ACCOUNT, id)] in ([], [topmost])
