"""A table that somebody changes before a run or while it is at work stops its own module, says why,
and stops no other."""

from collections.abc import Iterator

import pytest

from quickbooks_crm import pipeline, wording
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError, SyncFailed
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step

CHANGES = {
    "a column dropped": "ALTER TABLE crm.products DROP COLUMN description",
    "a table dropped": "DROP TABLE crm.products CASCADE",
    "a column that must be filled": "ALTER TABLE crm.products ADD new text NOT NULL",
    "a right taken away": "REVOKE INSERT ON crm.products FROM current_user",
}


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=4, items=3) as company:
        yield company


@pytest.mark.parametrize("when", ["before its rows are shaped", "before they are loaded"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_table_changed_during_a_run_stops_its_own_module_only(
    kept: Kept, change: str, when: str
) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    work = pipeline.extract("sample", "run-1")["work"]
    if when == "before they are loaded":
        pipeline.transform("sample", "run-1", "products")
    kept.ask(f"{change}; SELECT 1")

    stopped: dict[str, str] = {}
    for module in work:
        try:
            if module != "products" or when == "before its rows are shaped":
                pipeline.transform("sample", "run-1", module)
            pipeline.load("sample", "run-1", module)
        except QuickBooksCrmError as error:
            stopped[module] = str(error)
    with pytest.raises(QuickBooksCrmError):
        pipeline.record_activity("sample", "run-1")

    assert list(stopped) == ["products"]
    assert "crm.products" in stopped["products"]
    assert len(kept.ask("SELECT 1 FROM crm.accounts")) == 4
    [run] = kept.ask("SELECT errors FROM sync.run")
    assert any(task.startswith("products.") for task in run["errors"])


def test_a_column_that_gets_another_type_has_its_rows_checked_again_before_they_are_loaded(
    kept: Kept,
) -> None:
    """P29: nothing is rounded."""
    kept.quickbooks.add("Item", Name="Fine", Type="Service", UnitPrice="1.25")
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    pipeline.transform("sample", "run-1", "products")
    kept.ask("ALTER TABLE crm.products ALTER price TYPE numeric(12, 0); SELECT 1")

    pipeline.load("sample", "run-1", "products")

    assert kept.ask("SELECT 1 FROM crm.products WHERE name = 'Fine'") == []
    [told] = kept.ask("SELECT message FROM sync.outcome WHERE strpos(message, '1.25') > 0")
    assert told["message"].endswith("'1.25' has more than 0 decimal places.")


BEFORE = {
    "a column dropped": (
        "ALTER TABLE crm.products DROP COLUMN description",
        "crm.products has no column 'description'",
    ),
    "a table dropped": (
        "DROP TABLE crm.products CASCADE",
        "products.yaml line 3: table: The CRM database has no table crm.products,",
    ),
    "another type": (
        "ALTER TABLE crm.products ALTER price TYPE date USING NULL",
        "fields.price.from is a number in QuickBooks, and crm.products.price takes date",
    ),
    "a right taken away": (
        "REVOKE INSERT ON crm.products FROM current_user",
        "no right to INSERT",
    ),
}


@pytest.mark.parametrize(("change", "said"), BEFORE.values(), ids=BEFORE.keys())
def test_a_table_changed_before_a_run_stops_its_own_module_only(
    kept: Kept, change: str, said: str
) -> None:
    """P29."""
    kept.sync("before")
    kept.quickbooks.add("Customer", DisplayName="New")
    kept.quickbooks.add("Item", Name="Newer", Type="Service")
    kept.ask(f"{change}; SELECT 1")

    with pytest.raises(SyncFailed, match="Not finished in this run: products"):
        kept.sync("run-1")

    run = kept.run("run-1")
    assert list(counts(run)) == ["accounts", "contacts"]
    assert counts(run)["accounts"] == {"added": 1}
    assert said in run.blocked["products"]
    assert said in wording.summary(run)
    assert run.state == "failed"


def test_a_module_whose_table_is_mended_loads_what_it_has_missed(kept: Kept) -> None:
    kept.sync("before")
    kept.quickbooks.add("Item", Name="Newer", Type="Service")
    kept.ask("ALTER TABLE crm.products RENAME description TO other; SELECT 1")
    with pytest.raises(SyncFailed):
        kept.sync("run-1")

    kept.ask("ALTER TABLE crm.products RENAME other TO description; SELECT 1")

    assert counts(kept.sync("run-2"))["products"] == {"added": 1}


def test_records_of_other_modules_leave_references_of_a_changed_table_open(kept: Kept) -> None:
    """Contacts refer to accounts through a column that is gone."""
    kept.sync("before")
    kept.quickbooks.add("Customer", DisplayName="New", FamilyName="Lee")
    kept.ask("ALTER TABLE crm.contacts DROP COLUMN account_id CASCADE; SELECT 1")

    with pytest.raises(SyncFailed, match="contacts"):
        kept.sync("run-1")

    assert list(counts(kept.run("run-1"))) == ["accounts"]


def test_a_run_none_of_whose_tables_fits_stops_before_anything_is_read(kept: Kept) -> None:
    kept.ask("ALTER SCHEMA crm RENAME TO other; SELECT 1")

    with pytest.raises(SettingsError, match="The mappings do not fit the CRM"):
        kept.sync("run-1")

    assert kept.run("run-1").api_calls == 0
