"""A table that somebody changes while a run is at work stops its own module, says why, and stops no
other."""

from collections.abc import Iterator

import pytest

from quickbooks_crm import pipeline
from quickbooks_crm.errors import QuickBooksCrmError
from tests.acceptance.kept_in_step import BY_HAND, Kept, kept_in_step

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
