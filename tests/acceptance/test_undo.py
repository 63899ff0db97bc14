"""Undoing a run from the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from quickbooks_crm import undo
from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process: its exit code, and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main([words[0], "--company", "sample", *words[1:]])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def images(kept: Kept) -> list[dict[str, Any]]:
    """All that the CRM holds and all links, but for what says when."""
    return [
        *kept.ask("SELECT to_jsonb(p.*) - 'updated_at' AS row FROM crm.products AS p ORDER BY id"),
        *kept.ask("SELECT to_jsonb(p.*) - 'updated_at' AS row FROM crm.accounts AS p ORDER BY id"),
        *kept.ask("SELECT to_jsonb(p.*) - 'updated_at' AS row FROM crm.contacts AS p ORDER BY id"),
        *kept.ask("SELECT * FROM sync.link ORDER BY module, entity, id"),
    ]


def changed(kept: Kept) -> None:
    """Somebody works in QuickBooks, and a sync brings it."""
    kept.quickbooks.change("Customer", "3", CompanyName="Wrong")
    kept.quickbooks.add("Customer", DisplayName="New", FamilyName="Newman")
    kept.sync("wrong")


def test_a_run_is_undone_and_done_again(kept: Kept, command: Command) -> None:
    kept.sync("first")
    before = images(kept)
    changed(kept)
    after = images(kept)

    code, said, logged = command("undo", "wrong")

    assert code == 0
    assert (said + logged).count("undo success (of wrong)") == 1
    assert "retry --company sample --reason undone\n" in said
    assert images(kept) == before
    again = said.splitlines()[-1].rpartition(" ")[2]
    assert "undo success (of wrong)" in said
    assert kept.run(again).kind == "undo"
    code, said, _ = command("undo", again)
    assert code == 0
    assert "--reason undone" not in said
    assert said.splitlines()[-1].startswith("To take that back: python -m quickbooks_crm undo ")
    assert images(kept) == after
    assert kept.mismatched() == []


def test_an_undo_that_changed_nothing_offers_no_way_back(kept: Kept, command: Command) -> None:
    kept.sync("first")
    changed(kept)
    command("undo", "wrong")

    code, said, _ = command("undo", "wrong")

    assert code == 0
    assert "To do it again" not in said


def test_a_whole_first_sync_is_undone(kept: Kept, command: Command) -> None:
    kept.sync("first")

    assert command("undo", "first")[0] == 0
    assert images(kept) == []
    kept.sync()
    assert images(kept) == []


def test_a_mapping_that_was_corrected_before_an_undo_brings_nothing_back(
    kept: Kept, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = own_include(tmp_path, monkeypatch) / "mappings" / "products.yaml"
    kept.sync("first")
    mapping.write_text(mapping.read_text().replace("{from: Description}", "{from: Name}"))

    assert command("undo", "first", "--module", "products")[0] == 0
    kept.sync()
    assert kept.ask("SELECT count(*) FROM crm.products") == [{"count": 0}]

    mapping.write_text(mapping.read_text().replace("{from: Sku}", "{from: Name}"))
    kept.sync()
    assert kept.ask("SELECT count(*) FROM crm.products") == [{"count": 8}]


def test_a_plan_says_what_would_be_done_and_does_nothing(kept: Kept, command: Command) -> None:
    kept.sync("first")
    changed(kept)
    kept.ask("UPDATE crm.accounts SET company_name = 'Own' WHERE company_name = 'Wrong'")
    before, runs = images(kept), kept.ask("SELECT run_id, state FROM sync.run ORDER BY run_id")

    code, said, _ = command("undo", "wrong", "--plan", "--json")
    planned = json.loads(said)
    _, words, _ = command("undo", "wrong", "--plan")

    assert (code, planned["plan"]) == (0, True)
    assert {m["module"]: (m["removed"], m["kept"]) for m in planned["modules"]}["accounts"] == (
        1,
        1,
    )
    assert [row["reason"] for row in planned["kept"]] == ["changed_since"]
    assert "Changed since by somebody in the CRM: company_name." in words
    assert words.startswith("To undo wrong would do this; nothing was done.\nmodule ")
    assert "not finished" not in words
    assert images(kept) == before
    assert kept.ask("SELECT run_id, state FROM sync.run ORDER BY run_id") == runs
    command("undo", "wrong")
    [done] = kept.ask(
        "SELECT removed, kept FROM sync.activity WHERE mode = 'undo' AND module = 'accounts'"
    )
    assert done == {"removed": 1, "kept": 1}


def test_an_undo_that_is_killed_between_two_modules_is_finished_by_another(
    kept: Kept, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.sync("first")
    before = images(kept)
    changed(kept)
    real = undo.undo

    def killed(connection: psycopg.Connection[Any], work: undo.Undo) -> None:
        if work.target.mapping.module == "accounts":
            raise KeyboardInterrupt
        real(connection, work)

    monkeypatch.setattr(undo, "undo", killed)
    with pytest.raises(KeyboardInterrupt):
        command("undo", "wrong")
    assert images(kept) != before
    monkeypatch.setattr(undo, "undo", real)

    assert command("undo", "wrong")[0] == 0
    assert images(kept) == before


def test_what_cannot_be_undone_is_told(kept: Kept, command: Command) -> None:
    kept.sync("first")
    kept.sync("quiet")
    with psycopg.connect(kept.url) as other:
        other.execute("UPDATE sync.lease SET run_id = 'first', taken_at = now()")
        other.execute("UPDATE sync.run SET state = 'running' WHERE run_id = 'first'")
    at_work = command("undo", "first")
    with psycopg.connect(kept.url) as other:
        other.execute("UPDATE sync.lease SET run_id = NULL")
        other.execute("UPDATE sync.run SET purged_at = now() WHERE run_id = 'first'")

    told = [at_work, *(command("undo", *words) for words in (["none"], ["quiet"], ["first"]))]
    told.append(command("undo", "first", "--module", "accounts"))

    assert [(code, said) for code, said, _ in told] == [(1, "")] * 5
    assert [error.partition(": what")[0] for _, _, error in told] == [
        "Run first is still at work. Undo it when it has finished.\n",
        "Company sample has no run none. Its runs are on the page Activity, and in a terminal: "
        "python -m quickbooks_crm activity --company sample --limit 20\n",
        "Run quiet has changed nothing in the CRM.\n",
        "Run first cannot be undone",
        "Run first cannot be undone",
    ]
    assert kept.ask("SELECT count(*) AS n FROM sync.run WHERE kind = 'undo'") == [{"n": 0}]


def test_what_would_be_undone_in_other_records_is_told(kept: Kept, command: Command) -> None:
    """Somebody has given the accounts new numbers: those that the run knows them by are others'."""
    kept.sync("first")
    changed(kept)
    kept.ask("DELETE FROM crm.contacts; DELETE FROM crm.accounts WHERE id = 1; SELECT 1")
    renumber = "DROP id CASCADE, ADD id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    kept.ask(f"ALTER TABLE crm.accounts {renumber}; SELECT 1")
    accounts = "SELECT to_jsonb(a.*) AS row FROM crm.accounts AS a ORDER BY id"
    before = kept.ask(accounts)

    code, said, error = command("undo", "wrong")

    assert (code, said) == (1, "")
    assert error.startswith("Run wrong cannot be undone, since its records cannot be told from")
    assert "Nothing was undone: accounts.yaml line 3: accounts has been loaded into" in error
    assert "its primary key id (integer), and that is another column of that name now." in error
    assert error.endswith("other modules can be undone with --module.\n")
    assert kept.ask(accounts) == before
    assert command("undo", "wrong", "--module", "contacts")[0] == 0
