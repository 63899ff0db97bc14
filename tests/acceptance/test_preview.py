"""A preview says what a run would do, changes nothing, and is right."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from quickbooks_crm import pipeline, previewing
from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import CompanyBusy
from tests.acceptance.kept_in_step import (
    BY_HAND,
    FirstSyncs,
    Kept,
    kept_in_step,
    own_include,
)

EVERY_TABLE = """
    SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname IN ('crm', 'quickbooks', 'sync') AND tablename <> ALL (%s)"""
TELLS = ["run", "attempt", "activity", "outcome", "added_keyword"]
"""The tables in which a preview says what would be."""

OUTCOMES = """
    SELECT module, entity, id, outcome, reason, message, flag, before, after, details,
           CASE WHEN outcome = 'updated' THEN record_key END AS record_key
      FROM sync.outcome WHERE run_id = %s ORDER BY module, entity, id"""


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command; what it prints."""

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def state(kept: Kept) -> dict[str, Any]:
    """All that a preview must leave as it was."""
    tables = [row["name"] for row in kept.ask(EVERY_TABLE, TELLS)]
    return {
        table: kept.ask(f"SELECT to_jsonb(t) AS row FROM {table} AS t ORDER BY 1")
        for table in tables
    }


def preview(kept: Kept, **asked: Any) -> Any:
    run_id = kept.new_run_id()
    previewing.sync("sample", run_id, BY_HAND, **asked)
    return kept.run(run_id)


def told(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    """How every record ended in a run, but for keys and times that the tables make themselves."""
    made = ("created_at", "updated_at", "account_id", "parent_id")
    rows = kept.ask(OUTCOMES, run_id)
    for row in rows:
        for image in ("before", "after"):
            row[image] = {k: v for k, v in (row[image] or {}).items() if k not in made}
    return rows


def read(kept: Kept) -> None:
    """Bring what changed into the mirror, and load nothing of it."""
    run_id = kept.new_run_id()
    pipeline.check_settings("sample", run_id, BY_HAND)
    pipeline.extract("sample", run_id)
    kept.ask("UPDATE sync.lease SET run_id = NULL")


def plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def happens(kept: Kept, chance: Random) -> None:
    """A day's work, in QuickBooks and in the CRM."""
    books, customers = kept.quickbooks, kept.quickbooks.rows("Customer")
    some = chance.sample([row["Id"] for row in customers], 8)
    books.change("Customer", some[0], DisplayName=f"Renamed {chance.random()}")
    books.change("Customer", some[1], Notes="told", PrimaryEmailAddr={"Address": "no address"})
    books.change("Customer", some[2], Fax={"FreeFormNumber": "1" * 80})
    books.inactivate("Customer", some[3])
    books.add("Customer", DisplayName=f"New {chance.random()}", ParentRef={"value": some[4]})
    books.add("Customer", DisplayName=f"Nobody {chance.random()}", FamilyName=None, GivenName=None)
    twin = chance.choice(kept.ask("SELECT name FROM crm.products WHERE active"))["name"]
    books.add("Item", Name=f" {twin.upper()} ", Type="Service")
    books.change("Item", chance.choice(books.rows("Item"))["Id"], UnitPrice="47.11")
    books.add("Item", Name=f"Odd {chance.random()}", Type="Chargeable once")
    name = f"By hand {chance.random()}"
    kept.ask("INSERT INTO crm.products (company_id, name) VALUES ('sample', %s)", name)
    books.add("Item", Name=name, Type="Service")
    kept.ask("UPDATE crm.accounts SET notes = 'mine' WHERE quickbooks_customer_id = %s", some[5])
    kept.ask("UPDATE crm.accounts SET name = %s WHERE quickbooks_customer_id = %s", name, some[6])
    kept.ask("DELETE FROM crm.contacts WHERE quickbooks_customer_id = %s", some[7])


def test_a_preview_of_the_first_sync_and_that_sync_agree_row_by_row(kept: Kept) -> None:
    foreseen = preview(kept, read=True)
    run = kept.sync()

    assert foreseen.counts == run.counts
    assert told(kept, foreseen.run_id) == told(kept, run.run_id)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happened_a_preview_and_the_sync_after_it_agree_row_by_row(
    kept: Kept, seed: int
) -> None:
    chance = Random(seed)
    kept.sync()
    for _ in range(3):
        happens(kept, chance)
        foreseen = preview(kept, read=True)
        run = kept.sync()

        assert foreseen.counts == run.counts != ()
        assert told(kept, foreseen.run_id) == told(kept, run.run_id)
        assert foreseen.warnings == run.warnings
        assert any("QuickBooks says something odd" in said for said in run.warnings)


def test_a_preview_and_the_sync_after_it_agree_on_what_waited_for_a_record_that_a_person_made(
    kept: Kept,
) -> None:
    """The accounts' load closes the reference of a contact that is on its way itself."""
    unnamed = kept.quickbooks.add("Customer", DisplayName="X", FamilyName="Lee")
    kept.quickbooks.change("Customer", unnamed, DisplayName=" ")
    kept.sync()
    kept.ask(BY_HAND_ACCOUNT, unnamed)
    kept.quickbooks.add("Customer", DisplayName="Another")

    foreseen = preview(kept, read=True)
    run = kept.sync()

    assert foreseen.counts == run.counts
    assert told(kept, foreseen.run_id) == told(kept, run.run_id)


BY_HAND_ACCOUNT = """
    INSERT INTO crm.accounts (name, quickbooks_customer_id) VALUES ('By hand', %s)"""


def test_a_preview_changes_nothing_but_the_activity(synced: Kept) -> None:
    happens(synced, Random(1))
    read(synced)
    before = state(synced)

    foreseen = preview(synced)

    assert (foreseen.kind, foreseen.state) == ("preview", "success")
    assert foreseen.read > 5
    assert state(synced) == before


def test_a_preview_calls_nobody_unless_it_is_told_to_read(synced: Kept) -> None:
    synced.quickbooks.change("Item", synced.quickbooks.rows("Item")[0]["Id"], UnitPrice="47.11")
    synced.quickbooks.reset_calls()

    assert (preview(synced).read, synced.quickbooks.calls) == (0, [])
    assert preview(synced, read=True).read == 1


def test_later_modules_see_what_earlier_ones_would_add(kept: Kept) -> None:
    read(kept)

    foreseen = preview(kept)

    contacts = [row for row in told(kept, foreseen.run_id) if row["module"] == "contacts"]
    assert {row["outcome"] for row in contacts} >= {"added"}
    linked = kept.ask(
        "SELECT count(*) AS n FROM sync.outcome WHERE run_id = %s AND module = 'contacts'"
        " AND outcome = 'added' AND after ->> 'account_id' IS NULL",
        foreseen.run_id,
    )
    assert linked == [{"n": 0}]


def test_what_would_stop_a_run_is_told_and_stops_nothing(
    synced: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    company.write_text(
        company.read_text() + "breakers:\n  mass_delete: {percent: 1, at_least: 1}\n"
    )
    active = next(row for row in synced.quickbooks.rows("Item") if row["Active"])
    synced.quickbooks.inactivate("Item", active["Id"])

    foreseen = preview(synced, read=True)

    [warning] = foreseen.warnings
    assert "1 of the" in warning
    assert warning.endswith("A run stops here until a person releases mass_delete:products.")
    assert foreseen.module("products").deactivated == 1
    assert synced.ask("SELECT 1 FROM sync.breaker") == []


def test_a_preview_leaves_the_staged_rows_of_a_run_alone(kept: Kept) -> None:
    run_id = kept.new_run_id()
    for module in (
        pipeline.check_settings("sample", run_id, BY_HAND)
        and pipeline.extract("sample", run_id)["work"]
    ):
        pipeline.transform("sample", run_id, module)

    foreseen = preview(kept)
    for module in ("products", "accounts", "contacts"):
        pipeline.load("sample", run_id, module)
    pipeline.record_activity("sample", run_id)

    assert foreseen.counts == kept.run(run_id).counts
    assert kept.run(run_id).state == "success"


def test_a_preview_gives_way_to_what_writes_to_the_same_tables(kept: Kept) -> None:
    read(kept)
    with psycopg.connect(kept.url) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended("
            "'quickbooks_crm crm.accounts sample', 0))"
        )
        with pytest.raises(CompanyBusy, match="Something else writes to the CRM tables"):
            preview(kept)

    [run] = kept.ask(
        "SELECT state, errors -> 'preview' ->> 'code' AS code FROM sync.run WHERE kind = 'preview'"
    )
    assert run == {"state": "failed", "code": "company_busy"}
    assert preview(kept).state == "success"


def test_a_preview_is_told_of_when_it_is_repeated(kept: Kept) -> None:
    read(kept)
    previewing.sync("sample", "repeated", BY_HAND)
    first = kept.run("repeated")

    previewing.sync("sample", "repeated", BY_HAND)

    assert kept.run("repeated").counts == first.counts


def test_the_command_shows_counts_and_every_record(
    synced: Kept, printed: Callable[..., str]
) -> None:
    item = next(row for row in synced.quickbooks.rows("Item") if row["Type"] == "Service")
    synced.quickbooks.change("Item", item["Id"], UnitPrice="47.11")
    synced.quickbooks.add("Item", Name=item["Name"].upper(), Type="Service")
    record = synced.crm("crm.products", item["Id"])

    shown = printed("preview", "--read", "--rows")

    assert "preview success" in shown
    assert "A preview: nothing was changed." in shown
    line = f"products: Item {item['Id']} ({item['Name']})  updated CRM {record['id']}: "
    assert f"{line}price {plain(record['price'])} → 47.11" in shown
    assert f"The CRM has a record with the same Product name. (CRM {record['id']})" in shown


def test_a_preview_says_when_it_has_not_asked_quickbooks(
    synced: Kept, printed: Callable[..., str]
) -> None:
    item = next(row for row in synced.quickbooks.rows("Item") if row["Type"] == "Service")
    synced.quickbooks.change("Item", item["Id"], UnitPrice="47.11")

    unasked, asked = printed("preview"), printed("preview", "--read")

    assert "QuickBooks was not asked: what has changed there" in unasked
    assert "Nothing changed in QuickBooks." not in unasked
    assert "QuickBooks was not asked" not in asked
    assert "These would be the outcomes:" in asked


def test_the_command_writes_json_and_csv(synced: Kept, printed: Callable[..., str]) -> None:
    item = next(row for row in synced.quickbooks.rows("Item") if row["Type"] == "Service")
    synced.quickbooks.change("Item", item["Id"], UnitPrice="47.11", Name="=1+1")
    before = synced.crm("crm.products", item["Id"])

    run, row = map(json.loads, printed("preview", "--read", "--rows", "--json").splitlines())
    lines = list(csv.DictReader(io.StringIO(printed("preview", "--format", "csv"))))

    assert (run["kind"], run["modules"][0]["updated"]) == ("preview", 1)
    price = {"field": "price", "before": plain(before["price"]), "after": "47.11"}
    assert (row["id"], price in row["changes"]) == (item["Id"], True)
    assert {line["field"]: line["after"] for line in lines} == {"name": "'=1+1", "price": "47.11"}
    assert {line["crm_record"] for line in lines} == {str(before["id"])}


def test_no_cell_of_the_csv_is_a_formula(kept: Kept, printed: Callable[..., str]) -> None:
    names = [f"{start}1+1" for start in "=+-@＝＋－＠"]
    for name in names:
        kept.quickbooks.add("Item", Name=name, Type="Service", Description="\n=1+1")

    cells = csv.DictReader(io.StringIO(printed("preview", "--read", "--format", "csv")))

    told = {cell for line in cells for cell in line.values() if "1+1" in cell}
    assert told >= {f"'{name}" for name in names}
    assert {cell[0] for cell in told} == {"'"}


def test_the_calls_of_a_preview_stay_counted(kept: Kept) -> None:
    foreseen = preview(kept, read=True)

    own = "SELECT purpose, calls FROM sync.call WHERE run_id = %s ORDER BY purpose"
    assert [row["purpose"] for row in kept.ask(own, foreseen.run_id)] == [
        "Customer",
        "Item",
        "Term",
        "companyinfo",
        "count",
    ]


def test_a_preview_of_another_policy_for_sub_customers_and_the_sync_after_it_agree(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    kept.sync()
    company.write_text(company.read_text() + "child_accounts: roll_up\n")
    before = state(kept)

    foreseen = preview(kept)

    assert state(kept) == before
    run = kept.sync()
    assert foreseen.counts == run.counts != ()
    assert told(kept, foreseen.run_id) == told(kept, run.run_id)
