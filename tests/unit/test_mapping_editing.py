"""What a person changes in a form, as changes of a mapping's text."""

from dataclasses import replace
from pathlib import Path

import pytest

from quickbooks_crm.mapping.choices import Choice, fields, in_words
from quickbooks_crm.mapping.document import read
from quickbooks_crm.mapping.editing import (
    KEPT,
    Filling,
    fields_changed,
    filling,
    parts_of,
    parts_removed,
    settings_changed,
    settings_of,
)
from quickbooks_crm.mapping.rewriting import rewritten

MAPPINGS = Path(__file__).resolve().parents[2] / "include" / "mappings"
CHOICES = fields(["Customer"])
TEXT = """\
entities: [Customer]
table: crm.accounts
exclude:
  - {where: {Active: false}, because: gone}
  - {where: {Balance: 0}, because: nothing}
import:
  mode: merge                # as usual
  key: id
fields:
  id:    {from: Id}          # found by it
  name:  {from: DisplayName, required: true}
  phone: {from: [PrimaryPhone.FreeFormNumber, Mobile.FreeFormNumber], kind: phone}
  type:  {value: Customer}
  terms: {from: SalesTermRef.value, lookup: {entity: Term, show: Name}}
  open:  {from: Active, default: true}
when_deleted: {open: false}
"""


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("id", Filling("Id")),
        ("name", Filling("DisplayName", required="true")),
        ("phone", Filling(KEPT, kind="phone")),
        ("type", Filling(constant="Customer")),
        ("terms", Filling("SalesTermRef.name")),
        ("open", Filling("Active", "true")),
    ],
)
def test_a_field_is_shown_as_it_is_mapped(column: str, expected: Filling) -> None:
    assert filling(read(TEXT).tree["fields"][column], CHOICES) == expected


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_form_that_nobody_touched_changes_nothing(file: Path) -> None:
    tree = read(file.read_text()).tree
    choices = fields(tree["entities"])
    shown = {column: filling(words, choices) for column, words in tree["fields"].items()}

    assert list(fields_changed(tree, shown, dict.fromkeys(shown, choices))) == []
    check = tree["import"].get("check", [])
    assert list(settings_changed(tree, settings_of(tree), check)) == []


@pytest.mark.parametrize(
    ("column", "want", "line"),
    [
        ("id", Filling("DisplayName"), "id:    {from: DisplayName}          # found by it"),
        ("name", Filling("CompanyName"), "name:  {from: CompanyName}"),
        ("name", Filling(constant="x"), "name:  {value: x}"),
        (
            "phone",
            Filling(KEPT, "none", kind="phone"),
            "FreeFormNumber], kind: phone, default: none}",
        ),
        (
            "phone",
            Filling("Fax.FreeFormNumber", kind="phone"),
            "phone: {from: Fax.FreeFormNumber, kind: phone}",
        ),
        ("type", Filling("PrintOnCheckName"), "type:  {from: PrintOnCheckName}"),
        ("type", Filling("Job", "no"), "type:  {from: Job, default: no}"),
        ("terms", Filling("Notes"), "terms: {from: Notes}"),
        ("notes", Filling("Notes", edits="crm"), "notes: {from: Notes, edits: crm}"),
        (
            "pay",
            Filling("PaymentMethodRef.name"),
            "pay:   {from: PaymentMethodRef.value, lookup: {entity: PaymentMethod, show: Name}}",
        ),
        ("open", Filling("Active", "false"), "open:  {from: Active, default: false}"),
        (
            "open",
            Filling("Active", blank_overwrites="false"),
            "open:  {from: Active, blank_overwrites: false}",
        ),
    ],
)
def test_what_a_person_wants_becomes_its_line(column: str, want: Filling, line: str) -> None:
    assert f"{line}\n" in _changed(column, want)


def test_a_field_that_gets_nothing_goes_and_its_neighbours_stay() -> None:
    assert _changed("type", Filling()) == TEXT.replace("  type:  {value: Customer}\n", "")


def test_a_column_that_is_not_mapped_and_stays_so_is_not_written() -> None:
    assert _changed("fax", Filling()) == TEXT


def test_settings_are_written_only_where_they_differ() -> None:
    tree = read(TEXT).tree
    wanted = settings_of(tree) | {"mode": "create", "key": "", "unknown_keywords": "insert"}

    changed = rewritten(TEXT, settings_changed(tree, wanted, ["name"]))

    assert changed == TEXT.replace(
        "  mode: merge                # as usual\n  key: id\n",
        "  mode: create                # as usual\n  unknown_keywords: insert\n  check: [name]\n",
    )


def test_check_fields_keep_the_order_in_which_they_are_written() -> None:
    tree = {"import": {"check": ["b", "a"]}}

    assert list(settings_changed(tree, {}, ["a", "b"])) == []
    assert list(settings_changed(tree, {}, ["a", "b", "c"])) == [
        (("import", "check"), ["b", "a", "c"])
    ]


def test_parts_that_a_form_cannot_change_are_taken_out_as_a_whole() -> None:
    tree = read(TEXT).tree

    assert parts_of(tree) == [("exclude", 0), ("exclude", 1), ("when_deleted",)]
    gone = rewritten(TEXT, parts_removed(tree, parts_of(tree)))
    assert "exclude" not in gone and "when_deleted" not in gone
    assert rewritten(TEXT, parts_removed(tree, [("fields",), ("exclude", 7)])) == TEXT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{from: DisplayName}", "Name"),
        ("{from: [PrimaryPhone.FreeFormNumber, Fax.FreeFormNumber]}", "Phone, or else Fax"),
        ("{from: {join: [GivenName, FamilyName]}}", "First name + Last name"),
        (
            "{from: ParentRef.value, refers: accounts}",
            "QuickBooks parent id; the record of accounts it means",
        ),
        ("{owner: account_id}", "the owner of account_id"),
        ("{owner: true}", "the owner in the CRM"),
        ("{from: Balance, negate: true}", "Open balance; with the opposite sign"),
        ("{for_entity: {Customer: {value: x}}}", "of Customer: “x”"),
        ("{from: Strange.Thing}", "Strange.Thing"),
    ],
)
def test_what_a_form_cannot_change_is_told_in_words(words: str, said: str) -> None:
    assert in_words(read(f"a: {words}").tree["a"], CHOICES) == said


def test_a_path_is_the_same_however_it_is_quoted() -> None:
    key = 'CustomField[Name="Sales Rep"].StringValue'
    own = Choice(key, "Sales Rep", "text", None, {"from": key})
    words = read("a: {from: 'CustomField[Name=Sales Rep].StringValue'}").tree["a"]

    assert filling(words, {key: own}) == Filling(key)
    assert filling(words, {key: replace(own, words={"from": "Id"})}).source == KEPT


def _changed(column: str, want: Filling) -> str:
    tree = read(TEXT).tree
    return rewritten(TEXT, fields_changed(tree, {column: want}, {column: CHOICES}))
