"""Add New Field, as a person does it: on the command line, then in the mapping, then a sync."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=3, items=1) as company:
        yield company


FIELD = ("add-field", "crm.accounts", "Sales region", "--type", "text", "--length", "50")


def test_a_field_is_planned_added_mapped_and_filled(
    kept: Kept,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*FIELD, "--plan"]) == 0
    planned = capsys.readouterr().out
    assert main([*FIELD, "--json"]) == 0
    added = json.loads(capsys.readouterr().out)
    mapping = own_include(tmp_path, monkeypatch) / "mappings" / "accounts.yaml"
    text = mapping.read_text().replace("\nfields:\n", "\nfields:\n  sales_region: {from: Region}\n")
    mapping.write_text(text)
    customer = kept.quickbooks.add("Customer", DisplayName="A firm", Region="North")

    kept.sync()

    assert planned.startswith('ALTER TABLE "crm"."accounts" ADD COLUMN "sales_region" varchar(50);')
    assert (added["column"], added["planned"]) == ("sales_region", False)
    assert kept.crm("crm.accounts", customer)["sales_region"] == "North"


def test_the_same_field_twice_ends_with_2_and_names_the_column(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIELD]) == 0

    assert main([*FIELD]) == 2

    assert "has a field 'Sales region' already: its column is sales_region" in (
        capsys.readouterr().err
    )
