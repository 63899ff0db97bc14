"""Leaving, as a person does it on the command line: one person of a company, then the company."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from quickbooks_crm.__main__ import main
from quickbooks_crm.command_line.leaving import THROWN
from quickbooks_crm.retention import Purged
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include

CANARY = "Zyxwvut"
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
     WHERE table_schema IN ('sync', 'quickbooks', 'crm') AND table_type = 'BASE TABLE'"""


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=5, items=2, invoices=4) as company:
        yield company


def holding(kept: Kept, text: str) -> list[str]:
    """The tables that hold a text, wherever."""
    found = []
    with psycopg.connect(kept.url) as connection:
        for names in connection.execute(TABLES.encode()).fetchall():
            query = sql.SQL("SELECT count(*) FROM {} AS t WHERE to_jsonb(t)::text ILIKE %s")
            row = connection.execute(query.format(sql.Identifier(*names)), [f"%{text}%"]).fetchone()
            if row and row[0]:
                found.append(".".join(names))
    return found


def test_a_person_is_erased_and_no_read_of_quickbooks_brings_them_back(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.quickbooks.company.clock.advance(-3600)  # what changes just now is not compared
    who = kept.quickbooks.add(
        "Customer",
        DisplayName=f"{CANARY} Ann",
        FamilyName=CANARY,
        PrimaryEmailAddr={"Address": f"ann@{CANARY.lower()}.example"},
    )
    kept.sync()
    words = ["erase", "--company", "sample", "Customer", who]

    assert main(words) == 0
    planned = capsys.readouterr().out
    before = holding(kept, CANARY)
    assert main([*words, "--yes"]) == 0
    said = capsys.readouterr().out
    erased = holding(kept, CANARY)
    kept.sync(everything=True)
    kept.quickbooks.change("Customer", who, Notes=f"{CANARY} again")
    changed = kept.sync()
    kept.quickbooks.company.clock.advance(3600)
    compared = main(["reconcile", "--company", "sample", "--everything", "--repair"])

    assert "Nothing was changed. To do it, add --yes" in planned
    assert compared == 0
    assert {"crm.accounts", "crm.contacts", "quickbooks.record"} <= set(before)
    assert "none is left" in said
    assert (erased, holding(kept, CANARY)) == ([], [])
    assert {m.module: m.excluded for m in changed.counts} == {"accounts": 1, "contacts": 1}
    assert kept.crm("crm.accounts", who)["name"] == f"Erased Customer {who}"


def test_what_an_erasure_emptied_in_the_lines_of_a_document_is_nobodys_change(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of the document itself nothing is emptied here: no column of it names the person."""
    own_include(tmp_path, monkeypatch, "[products, accounts, quotes, invoices]")
    with kept_in_step(database_url, monkeypatch, customers=5, items=2, invoices=4) as kept:
        kept.quickbooks.company.clock.advance(-3600)  # what changes just now is not compared
        who = kept.quickbooks.add("Customer", DisplayName=f"{CANARY} Ann")
        line = {"Id": "1", "Amount": 5, "DetailType": "SalesItemLineDetail"}
        kept.quickbooks.add(
            *("Invoice",), CustomerRef={"value": who}, TotalAmt=5,
            Line=[line | {"Description": f"For {CANARY}"}],
        )  # fmt: skip
        kept.sync()
        kept.quickbooks.company.clock.advance(3600)

        assert main(["erase", "--company", "sample", "Customer", who, "--yes"]) == 0
        assert "crm.invoice_lines: blanked description" in capsys.readouterr().out
        main(["reconcile", "--company", "sample", "--everything"])

        assert "changed in the CRM" not in capsys.readouterr().out


def test_a_company_leaves_and_only_what_was_done_is_remembered(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.sync()
    accounts = len(kept.ask("SELECT 1 FROM crm.accounts"))
    words = ["remove-company", "--company", "sample", "--crm", "remove", "--json"]

    assert main(words) == 0
    planned = json.loads(capsys.readouterr().out)
    assert main([*words, "--yes"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert main(["acts", "--json"]) == 0
    [act] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert planned["crm"]["crm.accounts"] == {"removed": accounts, "kept": 0}
    assert (planned["crm"], planned["forgotten"]) == (done["crm"], done["forgotten"])
    for table in ("crm.accounts", "crm.products", "quickbooks.record", "sync.token", "sync.run"):
        assert kept.ask(f"SELECT 1 FROM {table}") == []
    assert (act["kind"], act["company"]) == ("company_removed", "sample")
    assert kept.quickbooks.calls[-1].kind == "revoke"


def test_what_would_be_forgotten_is_told_in_words_and_not_by_tables(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.sync()
    [records] = kept.ask("SELECT count(*) AS n FROM quickbooks.record")

    assert main(["remove-company", "--company", "sample", "--crm", "keep"]) == 0
    said = capsys.readouterr().out

    assert f"  forgotten: {records['n']} records read from QuickBooks\n" in said
    assert "  forgotten: 1 run\n" in said
    assert "  forgotten: 1 login\n" in said
    assert "sync." not in said
    assert "\n\n" not in said


def test_what_is_old_is_counted_and_thrown_away(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.sync()
    assert main(["purge"]) == 0
    assert capsys.readouterr().out == "sample: nothing is too old\n"
    kept.ask("UPDATE sync.run SET finished_at = now() - interval '100 days' RETURNING 1")

    assert main(["purge", "--plan"]) == 0
    planned = capsys.readouterr().out
    assert main(["purge", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)

    assert planned == "sample: would be thrown away: 11 images (of 1 run)\n"
    assert (done["images"], done["runs"], done["planned"]) == (11, 1, False)
    assert main(["undo", "run-1", "--company", "sample"]) != 0
    assert "longer kept" in capsys.readouterr().err


def test_all_that_can_be_thrown_away_has_a_word() -> None:
    assert {"company", "runs", *THROWN} == {each.name for each in fields(Purged)}


def test_a_company_that_is_not_named_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove-company", "--crm", "keep"]) == 2
    assert main(["erase", "--company", "sample"]) == 2

    assert "Say which company: --company NAME, once." in capsys.readouterr().err
