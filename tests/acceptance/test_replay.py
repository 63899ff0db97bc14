"""After a mapping change the CRM is brought to it from the mirror, without a call to QuickBooks."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from quickbooks_crm import pipeline, previewing, repeating, replay, undoing
from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import BreakerTripped, UndoImpossible
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import (
    BY_HAND,
    FirstSyncs,
    Kept,
    counts,
    own_include,
    said_yes,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

CHANGED = ("notes:                  {from: Notes}", "notes: {value: From QuickBooks}")


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_include(tmp_path, monkeypatch)


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch, include: Path) -> Iterator[Kept]:
    with first_syncs.company(monkeypatch) as company:
        yield company


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that goes well; what it prints."""

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def remap(include: Path, before: str = CHANGED[0], after: str = CHANGED[1]) -> None:
    mapping = include / "mappings" / "accounts.yaml"
    assert before in mapping.read_text()
    mapping.write_text(mapping.read_text().replace(before, after))


def stop_at_one(include: Path, breaker: str) -> None:
    """Let a breaker trip for a single record."""
    company = include / "companies" / "sample.yaml"
    limits = f"breakers:\n  {breaker}: {{percent: 1, at_least: 1}}\n"
    company.write_text(company.read_text() + limits)


def notes(kept: Kept) -> set[str]:
    return {row["notes"] for row in kept.ask("SELECT notes FROM crm.accounts WHERE NOT deleted")}


ACCOUNT = """
    SELECT account.quickbooks_customer_id AS id FROM crm.contacts AS contact
      JOIN crm.accounts AS account ON account.id = contact.account_id
     WHERE contact.quickbooks_customer_id = %s"""


def test_a_planned_replay_as_csv_names_its_columns(
    kept: Kept, include: Path, printed: Callable[..., str]
) -> None:
    remap(include)

    lines = csv.DictReader(io.StringIO(printed("replay", "--plan", "--format", "csv")))

    changed = [line for line in lines if line["outcome"] == "updated"]
    assert {(line["field"], line["after"]) for line in changed} == {("notes", "From QuickBooks")}


def test_a_replay_brings_records_to_another_policy_for_sub_customers(
    kept: Kept, include: Path
) -> None:
    top = kept.quickbooks.add("Customer", DisplayName="Top")
    below = kept.quickbooks.add(
        "Customer", DisplayName="Below", FamilyName="Lee", ParentRef={"value": top}
    )
    kept.sync()
    company = include / "companies" / "sample.yaml"
    company.write_text(company.read_text() + "child_accounts: roll_up\n")

    repeating.replay_all("sample", "replayed", BY_HAND)

    assert kept.ask(ACCOUNT, below) == [{"id": top}]


def test_a_replay_brings_every_record_to_the_mapping_without_a_call(
    kept: Kept, include: Path, printed: Callable[..., str]
) -> None:
    remap(include)

    [run] = map(json.loads, printed("replay", "--module", "accounts", "--json").splitlines())

    assert (run["kind"], run["state"], run["api_calls"]) == ("replay", "success", 0)
    assert {m["module"]: (m["read"], m["updated"]) for m in run["modules"]} == {
        "accounts": (30, 30)
    }
    assert notes(kept) == {"From QuickBooks"}
    assert kept.quickbooks.calls == []
    assert kept.ask("SELECT * FROM sync.replay") == []
    assert kept.sync().counts == ()
    assert kept.mismatched() == []


def test_the_plan_says_how_many_would_change_and_the_replay_agrees(
    kept: Kept, include: Path, printed: Callable[..., str]
) -> None:
    remap(include)
    before = kept.image()

    planned = json.loads(printed("replay", "--plan", "--json"))
    image = kept.image()
    done = json.loads(printed("replay", "--json"))

    assert (planned["kind"], planned["warnings"]) == ("preview", [])
    assert image == before != kept.image()
    assert planned["modules"] == done["modules"]
    assert {m["module"]: m["updated"] for m in done["modules"]} == {
        "products": 0,
        "accounts": 30,
        "contacts": 0,
    }


def test_a_sync_after_a_mapping_change_says_that_a_replay_is_due(kept: Kept, include: Path) -> None:
    remap(include)
    changed = kept.quickbooks.rows("Customer")[0]["Id"]
    kept.quickbooks.change("Customer", changed, Notes="just now")

    run = kept.sync()

    assert counts(run)["accounts"] == {"updated": 1}
    [warning] = run.warnings
    assert "the rest of its 30 records in the CRM stays as an earlier mapping made it" in warning
    assert "until you choose 'Bring all to the mappings' on the page of a run, or run" in warning
    assert [row["module"] for row in kept.ask("SELECT module FROM sync.replay")] == ["accounts"]
    kept.quickbooks.change("Customer", changed, Notes="and again")
    assert kept.sync().warnings == ()


def test_a_preview_says_that_a_replay_is_due_until_one_has_come(
    kept: Kept, include: Path, printed: Callable[..., str]
) -> None:
    said = "The mapping of accounts has changed."
    assert said not in printed("preview")
    remap(include)

    told = printed("preview")
    kept.quickbooks.change("Customer", "3", Notes="just now")
    kept.sync()
    still = printed("preview")
    repeating.replay_all("sample", "replayed", BY_HAND)

    assert f"Warning: {said} It applies to what changes from now on" in told
    assert "until you choose 'Bring all to the mappings' on the page of a run, or run" in told
    assert f"Warning: {said}" in still
    assert said not in printed("preview")


def test_records_held_back_are_replayed_too(kept: Kept, include: Path) -> None:
    remap(
        include,
        "  name:                   {from: DisplayName}",
        "  name: {from: CompanyName, required: true}",
    )
    repeating.replay_all("sample", "replayed", BY_HAND)

    run = kept.run("replayed")
    account = run.module("accounts")
    assert account is not None
    assert account.read == 30
    assert account.not_added + account.updated + account.unchanged == 30


def killed_at(load: int) -> None:
    """Replay in a process of its own, three records at a time, and kill it at this load."""
    child = os.fork()
    if child == 0:
        seen, load_rows = 0, replay.one_module.load_rows

        def counted(*given: Any) -> dict[str, int]:
            nonlocal seen
            seen, found = seen + 1, load_rows(*given)
            if seen == load:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        replay.one_module.load_rows = counted
        replay.SLICE = 3
        try:
            repeating.replay_all("sample", "killed", Request("command line", modules=("accounts",)))
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def minutes_pass(kept: Kept) -> None:
    kept.ask("UPDATE sync.lease SET taken_at = taken_at - interval '5 minutes'")
    kept.ask("UPDATE sync.attempt SET renewed_at = renewed_at - interval '5 minutes'")


def test_a_replay_that_was_killed_goes_on_where_it_was(kept: Kept, include: Path) -> None:
    remap(include)
    killed_at(5)  # four slices are in the CRM
    minutes_pass(kept)
    assert notes(kept) > {"From QuickBooks"}

    repeating.replay_all("sample", "resumed", BY_HAND)

    brought = [kept.run(run).module("accounts") for run in ("killed", "resumed")]
    assert [module.updated for module in brought if module] == [4 * 3, 30 - 4 * 3]
    assert notes(kept) == {"From QuickBooks"}
    assert kept.mismatched() == []


def test_a_mass_change_stops_a_sync_but_not_the_replay_that_was_asked_for(
    kept: Kept, include: Path
) -> None:
    remap(include)
    company = include / "companies" / "sample.yaml"
    company.write_text(
        company.read_text() + "breakers:\n  mass_change: {percent: 1, at_least: 1}\n"
    )
    for row in kept.quickbooks.rows("Customer"):
        kept.quickbooks.change("Customer", row["Id"], Title="x")
    with pytest.raises(BreakerTripped):
        kept.sync()

    repeating.replay_all("sample", "replayed", BY_HAND)

    assert notes(kept) == {"From QuickBooks"}


def test_too_many_rejects_stop_a_replay_too(kept: Kept, include: Path) -> None:
    remap(
        include,
        "  fax:                    {from: Fax.FreeFormNumber, kind: phone}",
        "  fax: {from: Nothing, required: true}",
    )
    stop_at_one(include, "too_many_rejects")
    before = kept.image()

    with pytest.raises(BreakerTripped, match="would not be added"):
        repeating.replay_all("sample", "replayed", BY_HAND)

    assert kept.image() == before


def test_a_replay_can_be_undone_and_its_plan_need_not_be(kept: Kept, include: Path) -> None:
    before = notes(kept)
    remap(include)
    previewing.replays("sample", "planned", BY_HAND)
    repeating.replay_all("sample", "replayed", BY_HAND)
    with pytest.raises(UndoImpossible, match="Run planned was a preview"):
        main_undo("planned")

    main_undo("replayed")

    assert notes(kept) == before


def main_undo(run_id: str) -> None:
    undoing.carry_out("sample", f"undo-{run_id}", undoing.Wish(run_id, BY_HAND.trigger, "tester"))


def test_a_replay_leaves_undone_what_a_person_has_undone(kept: Kept, include: Path) -> None:
    undoing.carry_out("sample", "undo", undoing.Wish("run-1", "command line", "ann"))

    repeating.replay_all("sample", "same mappings", BY_HAND)

    assert kept.ask("SELECT id FROM crm.accounts") == []
    remap(include)
    repeating.replay_all("sample", "another mapping", BY_HAND)
    assert notes(kept) == {"From QuickBooks"}


def shown_older(kept: Kept, run_id: str = "shown") -> list[dict[str, Any]]:
    """What a person is shown who asks what becomes of older records, too."""
    previewing.sync("sample", run_id, Request("manual", "ann", older=True), read=True)
    return ends(kept, run_id)


def ends(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    return kept.ask(
        "SELECT module, entity, id, outcome, before, after - 'updated_at' AS after"
        "  FROM sync.outcome WHERE run_id = %s ORDER BY 1, 2, 3",
        run_id,
    )


AFTER_A_YES = Request("operator_triggered", "ann", previewed="shown")


def done_after_a_yes() -> None:
    said_yes("shown")
    pipeline.sync("sample", "done", AFTER_A_YES)


def test_a_yes_brings_older_records_to_a_changed_mapping_with_what_is_new(
    kept: Kept, include: Path
) -> None:
    """In one run, whose changes a person has expected, and without a call for it."""
    remap(include)
    stop_at_one(include, "mass_change")
    kept.quickbooks.add("Customer", DisplayName="New")

    shown = shown_older(kept)
    before = notes(kept)
    done_after_a_yes()

    assert "From QuickBooks" not in before
    assert ends(kept, "done") == shown
    assert kept.run("shown").whole == kept.run("done").whole == ["accounts"]
    assert counts(kept.run("done"))["accounts"] == {"added": 1, "updated": 30}
    assert notes(kept) == {"From QuickBooks"}
    assert (kept.run("shown").warnings, kept.run("done").warnings) == ((), ())
    assert (kept.run("done").previewed, kept.run("done").begun) == ("shown", "a Yes")
    assert kept.run("done").calls == {"changes": 1}
    assert kept.sync().counts == ()


def test_a_yes_brings_what_an_earlier_sync_has_left_as_it_was(kept: Kept, include: Path) -> None:
    remap(include)
    kept.quickbooks.change("Customer", "3", Notes="just now")
    kept.sync()

    shown = shown_older(kept)
    done_after_a_yes()

    assert ends(kept, "done") == shown
    assert counts(kept.run("done"))["accounts"] == {"updated": 29, "unchanged": 1}
    assert kept.ask("SELECT * FROM sync.replay") == []
    assert shown_older(kept, "shown again") == []


def test_a_yes_leaves_undone_what_a_person_has_undone(kept: Kept, include: Path) -> None:
    remap(include)
    kept.quickbooks.change("Customer", "3", Notes="just now")
    undone = kept.sync().run_id
    main_undo(undone)
    before = kept.crm("crm.accounts", "3")

    shown_older(kept)
    done_after_a_yes()

    assert counts(kept.run("done"))["accounts"] == {"updated": 29}
    assert kept.crm("crm.accounts", "3") == before


def test_stages_that_airflow_repeats_bring_older_records_once(kept: Kept, include: Path) -> None:
    remap(include)
    shown_older(kept)
    said_yes("shown")

    for _ in range(2):
        pipeline.check_settings("sample", "done", AFTER_A_YES)
        assert pipeline.extract("sample", "done")["work"] == ["accounts"]
    for _ in range(2):
        pipeline.transform("sample", "done", "accounts")
        pipeline.load("sample", "done", "accounts")
    pipeline.record_activity("sample", "done")

    assert counts(kept.run("done"))["accounts"] == {"updated": 30}
    assert kept.mismatched() == []


def test_a_retry_tries_what_is_held_back_and_nothing_else(
    kept: Kept, printed: Callable[..., str]
) -> None:
    name = kept.ask("SELECT name FROM crm.products WHERE active LIMIT 1")[0]["name"]
    kept.quickbooks.add("Item", Name=name.upper(), Type="Service")
    kept.quickbooks.add("Item", Name=f"{name.lower()} ", Type="Service")
    kept.sync()
    kept.quickbooks.reset_calls()
    with psycopg.connect(kept.url, autocommit=True) as connection:
        connection.execute("UPDATE crm.products SET name = 'Another' WHERE name = %s", [name])

    [run] = map(json.loads, printed("retry", "--reason", "check_fields", "--json").splitlines())

    assert (run["kind"], run["state"], run["api_calls"]) == ("retry", "success", 0)
    done = {m["module"]: (m["read"], m["added"], m["duplicate"]) for m in run["modules"]}
    assert done["products"] == (2, 1, 1)
    assert kept.quickbooks.calls == []
    held = kept.ask("SELECT reason FROM sync.held WHERE module = 'products'")
    assert held == [{"reason": "same_in_batch"}]
    assert kept.sync().state == "success"


def test_the_plan_of_a_retry_says_what_would_be_tried_and_the_retry_agrees(
    kept: Kept, printed: Callable[..., str]
) -> None:
    [name] = {row["name"] for row in kept.ask("SELECT name FROM crm.products WHERE active LIMIT 1")}
    id = kept.quickbooks.add("Item", Name=name.upper(), Type="Service")
    kept.sync()
    kept.ask("UPDATE crm.products SET name = 'Another' WHERE name = %s", name)
    image = kept.image(), kept.ask("SELECT * FROM sync.held")

    planned = json.loads(printed("retry", "--plan", "--json"))
    rows = printed("retry", "--plan", "--rows")
    still = kept.image(), kept.ask("SELECT * FROM sync.held")
    done = json.loads(printed("retry", "--json"))

    assert still == image
    assert (planned["kind"], planned["api_calls"]) == ("preview", 0)
    assert planned["modules"] == done["modules"]
    tried = {m["module"]: (m["read"], m["added"]) for m in planned["modules"]}
    assert tried == {"products": (1, 1), "accounts": (0, 0), "contacts": (0, 0)}
    assert f"products: Item {id} ({name.upper()})  added: " in rows
