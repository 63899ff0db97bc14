"""The mappings that come with the project, and the page that explains every word."""

import json
from pathlib import Path
from typing import Any

import pytest

from quickbooks_crm.mapping import Shown, load, load_order
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.mapping.words import COMPANY, ENTITIES, MAPPING, Word
from quickbooks_crm.quickbooks import entities
from quickbooks_crm.transform import picks

PROJECT = Path(__file__).resolve().parents[2]
REAL_ROWS = PROJECT.parent / "shared" / "fixtures"
REAL_FILES = {"Customer": "*/[Cc]ustomer.json", "Item": "*/Item.json"}
DOCUMENTED = {  # by Intuit, but in none of the real rows at hand
    "AlternatePhone.FreeFormNumber",
    "BillAddr.Line2",
    "ShipAddr.Line2",
    "Notes",
    "ParentRef.value",
    "QtyOnHand",
    "ResaleNum",
    "SalesTermRef.value",
    "Sku",
    "Suffix",
    "Title",
}


def test_the_mappings_that_ship_load_in_the_order_of_their_references() -> None:
    found = load(PROJECT / "include" / "mappings")

    assert load_order(found) == [
        *("products", "vendors", "accounts", "contacts", "quotes", "invoices", "payments")
    ]


@pytest.mark.parametrize(
    ("module", "check"),
    [
        ("products", ("name",)),
        ("accounts", ("name",)),
        ("contacts", ("last_name", "first_name", "account_id")),
        ("vendors", ("name",)),
        ("quotes", ()),
        ("invoices", ()),
        ("payments", ()),
    ],
)
def test_the_mappings_that_ship_merge_by_quickbooks_id(module: str, check: tuple[str, ...]) -> None:
    found = load(PROJECT / "include" / "mappings")[module]

    assert found.mode == "merge"
    assert found.fields[found.key or ""].sources == (("Id",),)
    assert found.check == check


@pytest.mark.parametrize(
    ("modules", "flags"),
    [
        (["products", "accounts", "contacts", "vendors"], {"deleted": "true", "active": "false"}),
        (["quotes", "invoices", "payments"], {"deleted": "true"}),
    ],
)
def test_the_mappings_that_ship_flag_what_is_deleted(
    modules: list[str], flags: dict[str, str]
) -> None:
    found = load(PROJECT / "include" / "mappings")

    assert {name: found[name].when_deleted for name in modules} == dict.fromkeys(modules, flags)


def test_a_mapping_may_take_whatever_the_hook_can_read() -> None:
    """CompanyInfo is not a record but the company itself."""
    assert {*ENTITIES, "CompanyInfo"} == set(entities.ENTITIES)


@pytest.mark.skipif(not REAL_ROWS.is_dir(), reason="there are no real rows in ../shared/fixtures")
@pytest.mark.parametrize("module", ["products", "accounts", "contacts"])
def test_the_mappings_that_ship_name_what_real_rows_have(module: str) -> None:
    """A path with a slip of the pen would be blank in every row, and nobody would notice."""
    mapping = load(PROJECT / "include" / "mappings")[module]
    real = {path for row in _real_rows(mapping.entities[0]) for path in _paths(row)}

    paths = [pick.path if isinstance(pick, Shown) else pick for pick in picks(mapping)]
    named = set(map(written, paths))

    assert named - real <= DOCUMENTED


def _real_rows(entity: str) -> list[dict[str, Any]]:
    files = REAL_ROWS.glob(REAL_FILES[entity])
    return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def _paths(row: dict[str, Any]) -> list[str]:
    below = {key: _paths(value) for key, value in row.items() if isinstance(value, dict)}
    return [key for key in row if key not in below] + [
        f"{key}.{path}" for key, paths in below.items() for path in paths
    ]


@pytest.mark.parametrize("word", [*MAPPING.words, *COMPANY.words], ids=lambda word: word.place)
def test_every_word_is_explained_with_an_example(word: Word) -> None:
    docs = (PROJECT / "docs" / "mappings.md").read_text(encoding="utf-8")

    assert f"`{word.pattern[-1]}`" in docs or f"`{word.place}`" in docs
    assert f"{word.pattern[-1]}: " in docs or f"{word.pattern[-1]}:\n" in docs


def test_the_docs_show_the_message_as_it_is() -> None:
    docs = (PROJECT / "docs" / "mappings.md").read_text(encoding="utf-8")

    assert "  line 8: import.mode cannot be: 'marge'. Did you mean 'merge'?" in docs
