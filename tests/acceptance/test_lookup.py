"""What records show of entities that no module loads, through whole runs against QuickBooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.kept_in_step import Kept, counts, kept_in_step, own_include

SHOWN = """\
  notes:                  {from: SalesTermRef.value, lookup: {entity: Term, show: Name}}
  tax_number:             {from: DefaultTaxCodeRef.value, lookup: {entity: TaxCode, show: Name}}
"""


SHOWING = """
    SELECT quickbooks_customer_id AS id FROM crm.accounts AS own WHERE to_jsonb(own) ->> %s = %s"""


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kept]:
    """A company whose accounts show the names of their terms, and of their tax code, of which
    QuickBooks tells no changes."""
    file = own_include(tmp_path, monkeypatch) / "mappings" / "accounts.yaml"
    lines = file.read_text().splitlines(keepends=True)
    others = [line for line in lines if not line.startswith(("  notes:", "  tax_number:"))]
    file.write_text("".join(others).replace("when_deleted", f"{SHOWN}\nwhen_deleted"))
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def of_term(kept: Kept, term: str) -> set[str]:
    """The customers with these terms."""
    customers = kept.quickbooks.rows("Customer")
    return {row["Id"] for row in customers if row.get("SalesTermRef", {}).get("value") == term}


def named(kept: Kept, entity: str, id: str) -> str:
    """What QuickBooks calls a record."""
    [name] = [row["Name"] for row in kept.quickbooks.rows(entity) if row["Id"] == id]
    return str(name)


def showing(kept: Kept, column: str, name: str) -> set[str]:
    """The accounts that show the name."""
    found = kept.ask(SHOWING, column, name)
    return {row["id"] for row in found}


def test_a_renamed_term_is_renamed_in_its_accounts_and_no_others_are_loaded(kept: Kept) -> None:
    kept.sync()
    customers = of_term(kept, "3")
    assert 0 < len(customers) < 30

    kept.quickbooks.change("Term", "3", Name="A month")
    run = kept.sync()

    assert showing(kept, "notes", "A month") == customers
    assert counts(run) == {"accounts": {"updated": len(customers)}}
    assert kept.sync().counts == ()


def test_an_entity_without_changes_told_is_looked_up_too(kept: Kept) -> None:
    kept.sync()
    [code] = {
        row["DefaultTaxCodeRef"]["value"]
        for row in kept.quickbooks.rows("Customer")
        if "DefaultTaxCodeRef" in row
    }
    name = named(kept, "TaxCode", code)
    kept.quickbooks.change("TaxCode", code, Name="Renamed")

    kept.sync()
    showed = showing(kept, "tax_number", name)
    assert showed and not showing(kept, "tax_number", "Renamed")  # it is read once a day
    kept.sync(everything=True)

    assert showing(kept, "tax_number", "Renamed") == showed


def test_an_entity_that_is_only_looked_up_stops_no_module(kept: Kept) -> None:
    kept.quickbooks.fail("query", 400, matching="FROM Term", times=1000)

    run = kept.sync()

    assert (run.state, run.blocked) == ("success", {})
    [said] = [said for said in run.warnings if "Term could not be read" in said]
    assert said.endswith("What accounts show of it is as it was known before.")
    sent_along = named(kept, "Term", "3")
    assert showing(kept, "notes", sent_along) == of_term(kept, "3")

    kept.quickbooks.clear_faults()
    kept.quickbooks.change("Term", "3", Name="A month")
    kept.sync()

    assert showing(kept, "notes", "A month") == of_term(kept, "3")
