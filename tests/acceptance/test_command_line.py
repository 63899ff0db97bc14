"""`python -m quickbooks_crm`, as people and scripts start it."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import ports
from demo.postgres import Server
from quickbooks_crm import companies, database, pipeline
from quickbooks_crm.__main__ import main
from quickbooks_crm.command_line import rows
from quickbooks_crm.errors import SchemaOutdated
from tests.acceptance.kept_in_step import BY_HAND, FirstSyncs, Kept, kept_in_step, own_include
from tests.acceptance.putting_in_force import edit


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_include(tmp_path, monkeypatch)


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


@dataclass
class Ended:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command in this process, which saves starting one; an exception fails the test."""

    def run(*words: str) -> Ended:
        try:
            code = main(words)
        except SystemExit as usage:
            code = int(str(usage.code))
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def process(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a script does."""
    return subprocess.run(
        [sys.executable, "-m", "quickbooks_crm", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_sync_that_went_well_ends_with_0_and_shows_its_counts(kept: Kept) -> None:
    finished = process("sync", "--company", "sample")

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("sample command-line__")
    assert "accounts    30     30" in finished.stdout
    [run] = kept.ask("SELECT state, trigger FROM sync.run")
    assert run == {"state": "success", "trigger": "command line"}


def test_every_warning_has_a_line_of_its_own(
    kept: Kept, include: Path, command: Callable[..., Ended]
) -> None:
    edit(include, ("{from: Sku}", "{from: Skus}"), ("{from: Description}", "{from: Desription}"))

    told = [command(word).stdout.splitlines() for word in ("preview", "sync", "activity", "check")]

    for lines in told:
        warned = [line for line in lines if line.startswith("Warning: products.yaml line")]
        assert [line.split("'")[1] for line in warned] == ["Skus", "Desription"]


def test_a_sync_that_quickbooks_asks_to_wait_ends_at_once_and_says_how_long(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    kept.quickbooks.fail("query", 429, headers={"Retry-After": "600"})

    finished = command("sync", "--company", "sample")

    assert finished.returncode == 1
    assert "Nothing is called for 600 seconds. Nothing is lost" in finished.stderr
    assert [c.status for c in kept.quickbooks.calls if c.kind == "query"] == [429]


def test_with_json_every_line_is_one_run_and_logs_are_elsewhere(kept: Kept) -> None:
    first = process("sync", "--json")
    second = process("sync", "--json", "--everything", "--module", "products")

    [run] = objects(first.stdout)
    assert {module["module"]: module["added"] for module in run["modules"]}["accounts"] == 30
    assert objects(second.stdout)[0]["asked"] == ["products"]
    assert "accounts: 30 read, 30 added" in first.stderr


def test_the_last_runs_are_shown_newest_first(kept: Kept, command: Callable[..., Ended]) -> None:
    for run_id in ("run-1", "run-2", "run-3"):
        kept.sync(run_id)

    finished = command("activity", "--json", "--limit", "2")

    assert [run["run_id"] for run in objects(finished.stdout)] == ["run-3", "run-2"]


def test_the_last_run_is_the_last_that_was_meant_to_change_something(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    command("preview")
    assert command("activity").stdout == (
        "sample: nothing has run yet but previews, which --previews shows.\n"
    )
    kept.sync("run-1")
    command("preview")

    newest = objects(command("activity", "--json").stdout)
    with_previews = objects(command("activity", "--json", "--previews", "--limit", "3").stdout)

    assert [run["run_id"] for run in newest] == ["run-1"]
    assert [run["kind"] for run in with_previews] == ["preview", "sync", "preview"]


def test_a_retry_tells_only_of_modules_that_hold_something_back(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    kept.quickbooks.change("Customer", "3", CompanyName="A" * 501)
    kept.sync()

    held = command("retry").stdout
    nothing = command("retry", "--module", "products").stdout

    assert "products  nothing to try again\n" in held
    assert "accounts     1" in held
    assert "\nNothing to try again. What a person has undone or unlinked" in nothing
    assert "module" not in nothing


@pytest.mark.parametrize("name", ["replay", "retry"])
@pytest.mark.parametrize("words", [["--rows"], ["--format", "csv"]])
def test_what_is_about_a_plan_is_refused_without_one(
    kept: Kept, command: Callable[..., Ended], name: str, words: list[str]
) -> None:
    ended = command(name, *words)

    assert ended.returncode == 2
    assert ended.stderr.startswith("--rows and --format are about a plan: add --plan.")
    assert kept.ask("SELECT 1 FROM sync.run") == []


def test_the_rows_that_are_not_in_the_crm_are_shown_on_demand(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    excluded = kept.quickbooks.add("Customer", DisplayName="A firm", FamilyName=None)
    kept.sync()

    finished = command("activity", "--rows")

    said = "excluded: A contact needs a first name, a last name or an e-mail address."
    assert f"contacts: Customer {excluded} (A firm)  {said}" in finished.stdout


def changed_price(kept: Kept) -> tuple[str, str, str]:
    """A run called `changed`, which brought a product another price, and a later one; the product's
    id, the key of its CRM record, and the price before."""
    kept.sync()
    item = next(row for row in kept.quickbooks.rows("Item") if row["Type"] == "Service")
    before = kept.crm("crm.products", item["Id"])
    kept.quickbooks.change("Item", item["Id"], UnitPrice="47.11")
    kept.quickbooks.add("Item", Name="A new one", Type="Service")
    kept.sync("changed")
    kept.quickbooks.change("Item", item["Id"], UnitPrice="12")
    kept.sync()
    return item["Id"], str(before["id"]), f"{before['price'].normalize():f}"


def test_what_a_run_changed_is_listed_with_what_it_was_before(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    id, key, price = changed_price(kept)

    shown = command("activity", "--run", "changed", "--outcome", "updated").stdout
    added = command("activity", "--run", "changed", "--outcome", "added").stdout

    assert shown.startswith("sample changed: success")
    [line] = [line for line in shown.splitlines() if line.startswith("products: ")]
    assert line.startswith(f"products: Item {id} (")
    assert line.endswith(f")  updated CRM {key}: price {price} → 47.11")
    assert "(A new one)  added CRM " in added
    assert "name A new one" in added


def test_what_a_run_changed_is_listed_as_json_and_csv(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    id, key, price = changed_price(kept)
    words = ("activity", "--run", "changed", "--outcome", "updated")

    run, row = objects(command(*words, "--json").stdout)
    [line] = csv.DictReader(io.StringIO(command(*words, "--format", "csv").stdout))

    assert (run["run_id"], row["run_id"], row["id"]) == ("changed", "changed", id)
    assert row["changes"] == [{"field": "price", "before": price, "after": "47.11"}]
    assert (line["run_id"], line["id"], line["crm_record"]) == ("changed", id, key)
    assert (line["field"], line["before"], line["after"]) == ("price", price, "47.11")


def test_every_row_of_a_run_is_listed_however_many_there_are(
    synced: Kept, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE", 7)

    listed = command("activity", "--outcome", "added", "--json").stdout

    ids = [row["id"] for row in objects(listed)[1:] if row["module"] == "accounts"]
    assert len(ids) == len(set(ids)) == 30


def test_rows_with_notes_are_listed_with_these(kept: Kept, command: Callable[..., Ended]) -> None:
    firm = kept.quickbooks.add("Customer", DisplayName="A firm", FamilyName=None)
    kept.sync()
    kept.ask(
        "UPDATE sync.outcome SET details = jsonb_build_object('notes', %s::jsonb)"
        " WHERE module = 'products' AND record_key = '1' OR module = 'contacts' AND id = %s",
        '[{"label": "Rate", "value": 0, "rule": "is no rate"}, {"label": "X", "rule": "is y"}]',
        firm,
    )

    every = command("activity", "--with-notes").stdout
    added = command("activity", "--with-notes", "--outcome", "added", "--format", "csv").stdout

    product, contact = (line for line in every.splitlines() if " CRM " in line or firm in line)
    assert product.endswith("; Rate '0' is no rate. X is y.")
    assert contact.endswith(" or an e-mail address. Rate '0' is no rate. X is y.")
    assert {line["id"] for line in csv.DictReader(io.StringIO(added))} == {"1"}


def test_values_that_were_thrown_away_are_told_as_such(
    synced: Kept, command: Callable[..., Ended]
) -> None:
    synced.ask("UPDATE sync.outcome SET before = NULL, after = '{}'")

    listed = command("activity", "--outcome", "added").stdout

    assert ")  added CRM 1: what it held is no longer kept\n" in listed


def test_a_run_that_there_is_not_is_told(synced: Kept, command: Callable[..., Ended]) -> None:
    ended = command("activity", "--run", "run-9")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("There is no run run-9 of sample. What there is: python -m")


@pytest.mark.parametrize("reason", ["key_tken", "changed_since"])
def test_a_reason_that_nothing_is_held_back_for_is_refused(
    command: Callable[..., Ended], reason: str
) -> None:
    finished = command("retry", "--reason", reason)

    assert finished.returncode == 2
    assert f"invalid choice: '{reason}'" in finished.stderr
    assert "key_taken" in finished.stderr


def test_a_list_of_acts_that_is_empty_says_so(kept: Kept, command: Callable[..., Ended]) -> None:
    assert command("acts").stdout == "Nobody has done anything of the kind yet.\n"
    assert command("acts", "--json").stdout == ""


def test_a_reader_that_has_enough_sees_no_traceback(synced: Kept) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    finished = subprocess.run(
        [sys.executable, "-m", "quickbooks_crm", "activity"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )

    os.close(writing)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_a_disk_that_is_full_is_told_without_a_traceback(synced: Kept) -> None:
    with open("/dev/full", "w") as full:
        finished = subprocess.run(
            [sys.executable, "-m", "quickbooks_crm", "activity"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )

    assert (finished.returncode, finished.stderr) == (
        1,
        "The disk is full: what was to be told could not all be written.\n",
    )


def test_where_no_run_has_been_the_limits_of_breakers_are_told(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    limits = (
        "A run will be stopped before it writes what is too much at once:\n"
        "  mass_delete: more than 5 %, and 20 records or more; or more than 500 records\n"
        "  mass_change: more than 50 %, and 100 records or more\n"
        "  mass_clear: more than 90 %, and 20 records or more\n"
        "  too_many_rejects: more than 10 %, and 50 records or more\n"
        "A company's file can set other limits. What each counts: docs/operating.md, Breakers.\n"
    )

    of_all, of_one = command("breakers"), command("breakers", "--company", "sample")
    assert (
        of_all.stdout == f"No company has had a run yet, so no breaker has stopped one.\n{limits}"
    )
    assert of_one.stdout == f"sample: no run has been yet, so no breaker has stopped one.\n{limits}"
    assert command("breakers", "--json").stdout == ""


@pytest.mark.parametrize(
    ("words", "code"), [("sync", 0), ("mapping-store accounts - --based-on 0", 2)]
)
def test_a_command_ends_as_it_should_without_input_or_output(
    synced: Kept, words: str, code: int
) -> None:
    typed = f'"$0" -m quickbooks_crm {words} --company sample <&- >&-'

    finished = subprocess.run(
        ["sh", "-c", typed, sys.executable],
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )

    assert finished.returncode == code
    assert "Traceback" not in finished.stderr


def test_a_run_that_failed_ends_with_1_and_says_why(kept: Kept) -> None:
    kept.quickbooks.revoke_refresh_token()

    finished = process("sync", "--json")

    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    [run] = objects(finished.stdout)
    assert (run["state"], run["problems"][0]["code"]) == ("failed", "reconnect_needed")
    assert run["problems"][0]["message"] in finished.stderr


@pytest.mark.parametrize("name", ["sync", "reconcile"])
def test_why_a_run_failed_is_said_once(
    kept: Kept, command: Callable[..., Ended], name: str
) -> None:
    kept.quickbooks.revoke_refresh_token()

    finished = command(name)

    said = "Intuit refused the first refresh token"
    assert finished.stderr.startswith(f"sample: {said}")
    assert said not in finished.stdout
    assert "\nextract stopped.\n" in finished.stdout
    afterwards = command("activity").stdout
    assert f"extract stopped: {said}" in afterwards
    assert afterwards.count(said) == 1


def test_what_is_wrong_with_the_settings_is_said_once(
    kept: Kept, command: Callable[..., Ended], include: Path
) -> None:
    accounts = include / "mappings" / "accounts.yaml"
    accounts.write_text(accounts.read_text().replace("DisplayName}", "DisplayNam, requird: true}"))

    finished = [command(name) for name in ("sync", "preview", "replay")]

    assert [each.returncode for each in finished] == [2, 2, 2]
    for each in finished:
        assert (each.stderr + each.stdout).count("'requird'") == 1


def test_an_unknown_company_ends_with_2_and_the_name_that_was_meant(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    finished = command("sync", "--company", "sampel")

    assert finished.returncode == 2
    assert "There is no company 'sampel'" in finished.stderr
    assert "Did you mean 'sample'?" in finished.stderr


def test_a_settings_error_is_one_object_with_json(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    finished = command("check", "--json", "--company", "sampel")

    assert finished.returncode == 2
    assert [error["error"] for error in objects(finished.stdout)] == ["settings"]


@pytest.mark.parametrize("words", [(), ("snyc",), ("sync", "--evrything"), ("activity", "--limit")])
def test_wrong_usage_ends_with_2(words: tuple[str, ...], command: Callable[..., Ended]) -> None:
    finished = command(*words)

    assert finished.returncode == 2
    assert "usage: python -m quickbooks_crm" in finished.stderr


@pytest.mark.parametrize("words", [["check"], ["suggest", "crm.accounts", "--entity", "Customer"]])
def test_who_holds_a_table_alone_is_named_to_whoever_wants_to_look_at_it(
    crm: str,
    include: Path,
    command: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.setattr(database, "PATIENCE_MS", 1000)
    with psycopg.connect(crm) as other:
        other.execute("ALTER TABLE crm.accounts ALTER COLUMN name SET NOT NULL")
        who = f"crm.accounts (process {other.info.backend_pid} of Postgres, {other.info.user})"

        ended = command(*words)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"since others hold it for themselves alone: {who}. Try again" in ended.stderr
    assert "others hold it" not in command(*words).stderr


def test_a_check_touches_nothing(kept: Kept, command: Callable[..., Ended]) -> None:
    finished = command("check")

    assert finished.returncode == 0
    assert finished.stdout.startswith(
        "sample\n  products: 12 columns of crm.products from Item (shared file products.yaml)\n"
    )
    assert "    required: Last name <- FamilyName, GivenName, DisplayName\n" in finished.stdout
    assert finished.stdout.endswith("\nMappings, companies and tables fit together.\n")
    assert kept.quickbooks.calls == []
    assert kept.ask("SELECT 1 FROM sync.run") == []


def test_a_check_tells_of_a_connection_to_quickbooks_that_airflow_does_not_have(
    kept: Kept, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE")

    said = command("check").stdout.splitlines()

    assert said[-2:] == [
        "Warning: sample.yaml line 3: quickbooks: Airflow has no connection 'quickbooks_sample'. "
        "Add one of type QuickBooks Online under Admin > Connections.",
        "Mappings, companies and tables fit together.",
    ]


@pytest.mark.parametrize(
    ("table", "entity", "line"),
    [
        ("crm.contacts", "Customer", "  # perhaps: account_id: {from: Id, refers: accounts}   #"),
        ("crm.invoices", "Invoice", "  account_id: {from: CustomerRef.value, refers: accounts}"),
    ],
)
def test_a_proposal_refers_to_the_records_of_modules_that_there_are(
    kept: Kept, command: Callable[..., Ended], table: str, entity: str, line: str
) -> None:
    """The file that the proposal is on its way to is empty until then."""
    (companies.INCLUDE / "mappings" / "on_its_way.yaml").write_text("")

    ended = command("suggest", table, "--entity", entity)

    assert ended.returncode == 0
    assert [said for said in ended.stdout.splitlines() if said.startswith(line)]


def test_a_proposal_needs_no_other_file_that_can_be_read(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    directory = companies.INCLUDE / "mappings"
    (directory / "latin.yaml").write_bytes(b"# caf\xe9")
    (directory / "gone.yaml").symlink_to(directory / "nowhere")

    ended = command("suggest", "crm.accounts", "--entity", "Customer")

    assert ended.returncode == 0
    assert "\n  name: {from: DisplayName}\n" in ended.stdout


@pytest.mark.parametrize("words", [["--company", "caf\udce9"], ["--module", "caf\udce9"]])
def test_words_that_are_no_text_are_refused(
    kept: Kept, command: Callable[..., Ended], words: list[str]
) -> None:
    """Such as `café` from a terminal, or a script, that writes Latin-1."""
    ended = command("sync", *words)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(r"'caf\udce9' is not UTF-8. Type it where ")
    assert kept.ask("SELECT 1 FROM sync.run") == []


@pytest.mark.parametrize("limit", ["99999999999999999999", "0", "-5", "many"])
@pytest.mark.parametrize("name", ["activity", "acts", "breakers", "review"])
def test_a_limit_that_is_none_is_wrong_usage(
    command: Callable[..., Ended], name: str, limit: str
) -> None:
    ended = command(name, f"--limit={limit}")

    assert ended.returncode == 2
    assert f"must be a whole number from 1 to 2,147,483,647: '{limit}'\n" in ended.stderr


def test_who_has_no_name_on_this_machine_says_one(
    kept: Kept, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a container that runs as any number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 12345)

    nameless = command("sync")
    monkeypatch.setenv("LOGNAME", "ada")
    named = command("sync")

    assert (nameless.returncode, nameless.stdout) == (2, "")
    assert "the user that this runs as (number 12345)" in nameless.stderr
    assert "LOGNAME=your-name python -m quickbooks_crm" in nameless.stderr
    assert named.returncode == 0
    assert kept.ask("SELECT started_by FROM sync.run") == [{"started_by": "ada"}]


def test_a_missing_connection_ends_with_2_and_says_which(
    command: Callable[..., Ended], airflow_metadata: None
) -> None:
    finished = command("activity")

    assert finished.returncode == 2
    assert "Airflow has no connection 'crm'" in finished.stderr


@pytest.mark.parametrize("word", ["sync", "check", "activity", "migrate", "install-crm"])
def test_a_database_that_does_not_answer_ends_with_1_and_where_it_was_looked_for(
    kept: Kept, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    port = ports.free(59999)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", f"postgresql://crm:pass-word@127.0.0.1:{port}/books")

    finished = command(word)

    assert finished.returncode == 1
    assert f"books at 127.0.0.1, port {port}, cannot be opened" in finished.stderr
    assert "pass-word" not in finished.stderr + finished.stdout


def test_a_new_database_is_made_ready_by_two_commands_that_may_be_repeated(
    server: Server, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", server.create_database(f"fresh_{os.getpid()}"))

    told = [command(word) for word in ("check", "migrate", "install-crm") * 2]

    server.drop_database(f"fresh_{os.getpid()}")
    assert [finished.returncode for finished in told] == [2, 0, 0, 0, 0, 0]
    assert "Run: python -m quickbooks_crm migrate" in told[0].stderr
    assert told[1].stdout.startswith("Applied: 0001_")
    assert told[4].stdout == "The database is up to date.\n"
    assert "with companies: sample" in told[5].stdout


@pytest.mark.parametrize(
    "words", ["sync", "preview", "replay", "retry", "reconcile", "activity", "review", "undo run-1"]
)
def test_a_database_that_lacks_a_migration_ends_with_2_and_the_command_that_brings_it(
    kept: Kept, command: Callable[..., Ended], words: str
) -> None:
    kept.ask("ALTER TABLE sync.run DROP COLUMN undoes CASCADE")
    kept.ask("DELETE FROM sync.migration WHERE name > '0013'")

    ended = command(*words.split(), "--company", "sample")

    assert (ended.returncode, ended.stdout) == (2, "")
    [said] = ended.stderr.splitlines()
    assert said.startswith("The CRM database lacks ")
    assert said.endswith(" on. Run: python -m quickbooks_crm migrate")


@pytest.mark.parametrize("task", [pipeline.check_settings, pipeline.record_activity])
def test_a_run_on_a_database_that_lacks_a_migration_says_so_at_its_beginning_and_end(
    kept: Kept, task: Callable[..., object]
) -> None:
    kept.ask("ALTER TABLE sync.run DROP COLUMN undoes CASCADE")
    kept.ask("DELETE FROM sync.migration WHERE name > '0013'")

    with pytest.raises(SchemaOutdated, match="Run: python -m quickbooks_crm migrate"):
        task("sample", "run-1", *[BY_HAND] * (task is pipeline.check_settings))


@pytest.mark.parametrize("name", ["activity", "breakers", "acts"])
def test_a_company_that_nobody_has_is_a_mistake_and_not_silence(
    kept: Kept, command: Callable[..., Ended], name: str
) -> None:
    ended = command(name, "--company", "nobody")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("There is no company 'nobody'")


@pytest.mark.parametrize("name", ["health", "status", "sync", "reconcile", "review", "mappings"])
def test_who_has_no_company_yet_is_told_how_to_add_one(
    crm: str, include: Path, command: Callable[..., Ended], name: str
) -> None:
    (include / "companies" / "sample.yaml").unlink()

    ended = command(name)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"There are no companies: {include}/companies holds no files that end in .yaml. Add one "
        "for each company (docs/mappings.md, The file of a company), and connect it "
        "(docs/connecting.md).\n"
    )


def test_activity_says_that_nothing_has_run(kept: Kept, command: Callable[..., Ended]) -> None:
    assert command("activity").stdout.startswith("Nothing has run yet.")
    assert command("activity", "--company", "sample").stdout == "sample: nothing has run yet.\n"


def test_a_run_that_was_asked_for_nothing_it_has_shows_no_empty_table(
    kept: Kept, command: Callable[..., Ended]
) -> None:
    ended = command("sync", "--module", "invoices")

    assert ended.returncode == 2
    assert "\ncheck_settings stopped.\n" in ended.stdout
    assert ended.stderr.startswith("There is no mapping for invoices.")
    assert "module  read" not in ended.stdout
