"""An accident in QuickBooks does not become one in the CRM; a person can say that it is none."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import BreakerTripped, SyncFailed
from tests.acceptance.kept_in_step import FirstSyncs, Kept, counts
from tests.integration.connected import typed_as_json

HIT = 30
MIRROR = {"quickbooks.record", "sync.generation", "sync.entity_position"}
"""What has been read stays read; the next run begins with it."""
LOG = {"sync.attempt", "sync.breaker", "sync.budget", "sync.call", "sync.lease", "sync.run"}
LOG |= {"sync.field", "sync.stage", "sync.staged", "sync.turn"}
"""What tells that the run was there, and what it had worked out."""
REST = ("sync.link", "sync.held", "sync.parked", "sync.module_position", "sync.outcome")


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with first_syncs.company(monkeypatch, customers=80) as company:
        yield company


@pytest.fixture
def accident(kept: Kept) -> Kept:
    """Somebody has made a third of the customers inactive, and an item dearer; a sync met it."""
    active = [row["Id"] for row in kept.quickbooks.rows("Customer") if row["Active"]]
    for customer in active[:HIT]:
        kept.quickbooks.inactivate("Customer", customer)
    kept.quickbooks.change("Item", dear(kept), UnitPrice="4711.00")
    with pytest.raises(BreakerTripped):
        kept.sync("accident")
    return kept


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command in this process; its exit code and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        code = main(words)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def dear(kept: Kept) -> str:
    rows = kept.quickbooks.rows("Item")
    return str(next(row["Id"] for row in rows if row["Active"] and row["Type"] != "Category"))


def release(*breakers: str) -> None:
    for breaker in breakers:
        words = ["--company", "sample", "--breaker", breaker, "--because", "a branch was closed"]
        assert main(["release", *words]) == 0


def inactive(kept: Kept) -> int:
    [row] = kept.ask("SELECT count(*) AS count FROM crm.accounts WHERE NOT active")
    return int(row["count"])


def books(kept: Kept, module: str) -> dict[str, Any]:
    """What the sync knows of a module's records, and its login."""
    known = {
        table: kept.ask(
            f"SELECT * FROM {table} AS kept WHERE module = %s ORDER BY kept::text",
            module,
        )
        for table in REST
    }
    return known | {"token": kept.ask("SELECT refresh_token, state FROM sync.token")}


def test_an_accident_stops_its_modules_and_no_other(accident: Kept) -> None:
    run = accident.run("accident")

    assert counts(run) == {"products": {"updated": 1}}
    assert [(problem.task, problem.code) for problem in run.problems] == [
        ("accounts.load", "breaker"),
        ("contacts.load", "breaker"),
    ]
    assert run.state == "failed"
    assert f"{HIT} of the " in run.problems[0].message


def test_what_an_accident_would_have_changed_is_untouched(kept: Kept) -> None:
    before, known = kept.image(), books(kept, "accounts")

    active = [row["Id"] for row in kept.quickbooks.rows("Customer") if row["Active"]]
    for customer in active[:HIT]:
        kept.quickbooks.inactivate("Customer", customer)
    with pytest.raises(BreakerTripped):
        kept.sync()

    assert kept.image() == before
    assert books(kept, "accounts") == known


def test_a_sync_of_which_every_record_is_bad_changes_no_table_but_the_mirror_and_the_log(
    kept: Kept,
) -> None:
    """RELIABILITY D44."""
    before = every_table(kept)
    for row in kept.quickbooks.rows("Customer"):
        bad = {"Fax": {"FreeFormNumber": "1" * 80}, "PrimaryEmailAddr": {"Address": "none"}}
        kept.quickbooks.change("Customer", row["Id"], **bad)

    with pytest.raises(BreakerTripped, match=r"80 of the 80 records of accounts .* 100 %"):
        kept.sync("bad")

    after = every_table(kept)
    assert {table for table in after if after[table] != before[table]} <= MIRROR | LOG
    assert {"crm.accounts", "sync.link", "sync.held", "sync.module_position"} <= set(after)


def every_table(kept: Kept) -> dict[str, list[dict[str, Any]]]:
    """All that the database holds."""
    tables = kept.ask(
        "SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('crm', 'quickbooks', 'sync') AND %s",
        True,
    )
    return {
        name: kept.ask(f"SELECT own::text AS row FROM {name} AS own ORDER BY 1")
        for name in (table["name"] for table in tables)
    }


def test_the_next_run_stops_again_and_costs_one_call(accident: Kept) -> None:
    accident.quickbooks.reset_calls()

    with pytest.raises(BreakerTripped):
        accident.sync("again")

    assert [call.kind for call in accident.quickbooks.calls] == ["cdc"]
    assert counts(accident.run("again")) == {}


def test_what_a_person_releases_is_loaded_by_the_next_run(accident: Kept) -> None:
    before = inactive(accident)

    release("mass_delete:accounts", "mass_delete:contacts")
    run = accident.sync("released")

    assert run.state == "success"
    assert inactive(accident) == before + HIT
    assert run.breakers == ()
    [used] = accident.ask(
        "SELECT released_by IS NOT NULL AS by, because, ended, ended_in FROM sync.breaker"
        " WHERE subject = 'accounts'"
    )
    assert used == {
        "by": True,
        "because": "a branch was closed",
        "ended": "used",
        "ended_in": "released",
    }


def test_a_release_tells_what_stays_open_and_one_command_releases_all_of_one_cause(
    accident: Kept, command: Callable[..., tuple[int, str]]
) -> None:
    because = ("--company", "sample", "--because", "a branch was closed")
    accounts, contacts = "mass_delete:accounts", "mass_delete:contacts"

    one = command("release", "--breaker", accounts, *because)
    other = command("release", "--breaker", contacts, *because)
    known = accident.ask("SELECT code FROM sync.breaker WHERE released_at IS NOT NULL")
    accident.ask("UPDATE sync.breaker SET released_at = NULL, released_by = NULL, because = NULL")
    both = command("release", "--breaker", accounts, "--breaker", contacts, *because)

    assert "\nStill open: mass_delete:contacts. One cause may trip several breakers" in one[1]
    assert "Still open" not in other[1] + both[1]
    assert len(known) == 2
    assert [code for code, _ in (one, other, both)] == [0, 0, 0]
    assert accident.sync("released").state == "success"


def test_of_several_breakers_all_are_released_or_none(
    accident: Kept, command: Callable[..., tuple[int, str]]
) -> None:
    names = ("--breaker", "mass_delete:accounts", "--breaker", "mass_delete:acounts")

    code, said = command("release", "--company", "sample", "--because", "sold", *names)

    assert code == 2
    assert said.startswith("No breaker mass_delete:acounts of company sample waits to be released")
    assert "Nothing was released." in said
    assert accident.ask("SELECT 1 FROM sync.breaker WHERE released_at IS NOT NULL") == []


def test_a_retry_that_is_stopped_goes_on_when_the_same_retry_is_started_again(
    accident: Kept, command: Callable[..., tuple[int, str]]
) -> None:
    """A sync leaves alone what a person has undone."""
    release("mass_delete:accounts", "mass_delete:contacts")
    accident.sync("released")
    command("undo", "released", "--company", "sample")
    retry = ("retry", "--company", "sample", "--module", "accounts", "--reason", "undone")

    code, said = command(*retry)
    release("mass_delete:accounts")
    accident.sync()
    waiting = accident.ask("SELECT 1 FROM sync.breaker WHERE ended IS NULL")
    again = command(*retry)[0]

    assert "; the same replay or retry, if that was)." in said
    assert "Nothing to try again" not in said
    assert (code, len(waiting), again) == (1, 1, 0)


def test_a_module_that_was_not_released_still_stops(accident: Kept) -> None:
    release("mass_delete:accounts")

    with pytest.raises(BreakerTripped):
        accident.sync("half")

    run = accident.run("half")
    assert [module.module for module in run.counts] == ["accounts"]
    assert [problem.task for problem in run.problems] == ["contacts.load"]


def test_an_accident_that_is_undone_in_quickbooks_needs_no_release(accident: Kept) -> None:
    for row in accident.quickbooks.rows("Customer"):
        if not row["Active"]:
            accident.quickbooks.change("Customer", row["Id"], Active=True)

    assert accident.sync("undone").state == "success"
    assert {row["ended"] for row in accident.ask("SELECT ended FROM sync.breaker")} == {"passed"}


def test_deletes_are_released_once_for_the_mirror_and_all_that_it_feeds(kept: Kept) -> None:
    active = [row["Id"] for row in kept.quickbooks.rows("Customer") if row["Active"]]
    for customer in active[:HIT]:
        kept.quickbooks.delete("Customer", customer)
    kept.quickbooks.change("Item", dear(kept), UnitPrice="4711.00")
    with pytest.raises(SyncFailed):
        kept.sync("stopped")

    stopped = kept.run("stopped")
    assert counts(stopped) == {"products": {"updated": 1}}
    assert {*stopped.blocked} == {"accounts", "contacts"}
    assert "30 of 80 records of Customer are deleted" in stopped.blocked["accounts"]
    assert "the page Health" in stopped.blocked["accounts"]
    assert stopped.breakers == ()  # the modules say it

    release("mass_delete:Customer")
    assert kept.sync("released").state == "success"
    [deleted] = kept.ask("SELECT count(*) AS count FROM crm.accounts WHERE deleted")
    assert deleted["count"] == HIT


def test_the_activity_shows_what_still_waits(accident: Kept) -> None:
    """Also in a run of other modules, which went well."""
    accident.ask("UPDATE sync.run SET errors = '{}', finished_at = now() + interval '1 minute'")

    first, second = sorted(accident.run("accident").breakers)

    assert first.startswith("mass_delete:accounts has stopped runs since ")
    assert second.startswith("mass_delete:contacts has stopped runs since ")


def test_the_command_shows_what_stopped_and_what_became_of_it(
    accident: Kept, command: Callable[..., tuple[int, str]]
) -> None:
    code, printed = command("breakers")
    assert code == 0
    assert "sample mass_delete:accounts: open\n" in printed
    assert printed.count("becomes inactive") == 2 * 20
    assert f"  the first 20 of {HIT} records:\n    id " in printed
    assert "records: " not in printed

    release("mass_delete:accounts")
    _, printed = command("breakers", "--company", "sample", "--json")
    told = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert {one["name"]: one["state"] for one in told} == {
        "mass_delete:contacts": "open",
        "mass_delete:accounts": "released",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--company", "sample", "--breaker", "mass_delete:products"], "Those that do: none."),
        (["--breaker", "mass_delete:accounts"], "--company NAME, once"),
        (["--company", "a", "--company", "b", "--breaker", "x"], "--company NAME, once"),
    ],
)
def test_what_cannot_be_released_is_said_so(
    kept: Kept, command: Callable[..., tuple[int, str]], words: list[str], said: str
) -> None:
    code, printed = command("release", *words, "--because", "why not")

    assert code == 2
    assert said in printed


def test_a_sync_names_every_breaker_on_standard_error(
    accident: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync"]) == 1

    told = [line for line in capsys.readouterr().err.splitlines() if "keeps in the CRM" in line]
    assert [line.split("that ")[1].split()[0] for line in told] == ["accounts", "contacts"]


def test_a_sync_that_cannot_begin_shows_no_other_run(
    accident: Kept,
    command: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    incomplete = typed_as_json(accident.quickbooks, environment="")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", incomplete)

    code, printed = command("sync")

    assert code == 2
    assert "accident" not in printed


def test_a_release_needs_a_reason(accident: Kept, command: Callable[..., tuple[int, str]]) -> None:
    words = ("--company", "sample", "--breaker", "mass_delete:accounts")

    code, printed = command("release", *words, "--because", " ")

    assert (code, printed) == (2, 'Say why: --because "...". It is kept with your name.\n')
    assert {row["released_at"] for row in accident.ask("SELECT released_at FROM sync.breaker")} == {
        None
    }
