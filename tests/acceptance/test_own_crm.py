"""docs/own-crm.md, done: a CRM of another make is filled step by step on the command line, with the
very files that the page shows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from quickbooks_crm import companies
from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept, kept_in_step

OWN = Path(__file__).parent / "own_crm"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-crm.md"
FILES = sorted(file for file in OWN.rglob("*.*") if file.suffix in (".sql", ".yaml"))


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    """A company whose CRM is not the reference one: that is not even there."""
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM crm.companies")
    size: dict[str, Any] = {"customers": 12, "items": 6, "invoices": 8}
    with kept_in_step(database_url, monkeypatch, **size) as company:
        company.ask("DROP SCHEMA crm CASCADE")
        for folder in ("mappings", "companies"):
            shutil.copytree(OWN / folder, tmp_path / folder)
        monkeypatch.setattr(companies, "INCLUDE", tmp_path)
        yield company


def script(kept: Kept, name: str) -> None:
    with psycopg.connect(kept.url) as connection:
        connection.execute((OWN / name).read_bytes())


def counted(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, int]]:
    """What a sync says of each module, without noughts."""
    [run] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")
    return {
        module["module"]: {name: module[name] for name in names if module[name]}
        for module in run["modules"]
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_page_shows_the_very_files_that_are_run(file: Path) -> None:
    language = "sql" if file.suffix == ".sql" else "yaml"

    assert f"```{language}\n{file.read_text()}```" in PAGE.read_text()


def test_a_crm_of_ones_own_is_filled_step_by_step(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    test = kept.quickbooks.add("Customer", DisplayName="Test Customer")
    bill = kept.quickbooks.add(
        "Invoice",
        CustomerRef={"value": test},
        DocNumber="T-1",
        TxnDate="2024-02-29",
        TotalAmt=12.5,
    )
    script(kept, "tables.sql")
    script(kept, "prepare.sql")

    assert main(["check"]) == 0
    capsys.readouterr()
    assert main(["sync", "--company", "firm", "--json"]) == 0
    first = counted(capsys)
    assert main(["activity", "--company", "firm", "--rows"]) == 0
    told = capsys.readouterr().out
    assert main(["sync", "--company", "firm", "--json"]) == 0
    again = counted(capsys)
    kept.quickbooks.change("Customer", test, DisplayName="Tess Tomer")
    assert main(["sync", "--company", "firm", "--json"]) == 0
    mended = counted(capsys)

    assert first["articles"] == {"added": 6}
    assert first["clients"] == {"added": 12, "not_added": 1}
    assert first["bills"] == {"added": 8, "not_added": 1}
    assert "The CRM table refused the record: test clients do not belong in the CRM." in told
    assert 'null value in column "client"' in told
    assert again == {}
    assert mended["clients"] == {"added": 1}
    assert mended["bills"] == {"added": 1}
    query = """
        SELECT "Name", stage::text, source, number, total::text FROM desk."Client"
          JOIN desk.bill ON client = "Client Id" WHERE bill.quickbooks_id = %s"""
    assert kept.ask(query, bill) == [
        {
            "Name": "Tess Tomer",
            "stage": "won",
            "source": "QuickBooks",
            "number": "T-1",
            "total": "12.50",
        }
    ]


def test_what_does_not_fit_is_told_before_any_row_moves(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    script(kept, "tables.sql")

    assert main(["check"]) == 2
    assert "desk.Client has no column 'quickbooks_id'" in capsys.readouterr().err
    assert main(["sync", "--company", "firm"]) == 2

    assert kept.ask('SELECT 1 FROM desk."Client"') == []


def test_a_field_is_added_to_a_crm_of_ones_own(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    script(kept, "tables.sql")

    assert main(["add-field", "desk.Client", "Sales region", "--type", "text"]) == 0

    assert "has no table form_field like the reference CRM's: the label is not kept." in (
        capsys.readouterr().out
    )
    assert kept.ask('SELECT sales_region FROM desk."Client"') == []
