"""Other words at some places of a mapping's text: everything else stays as it was written."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.document import read
from quickbooks_crm.mapping.rewriting import rewritten

MAPPINGS = Path(__file__).resolve().parents[2] / "include" / "mappings"
SHIPPED = {file.stem: file.read_text() for file in sorted(MAPPINGS.glob("*.yaml"))}
TEXT = """\
# What it is.
entities: [Item]
table: crm.products

exclude:
  - {where: {Type: Category}, because: "no product"}
  - where: {Active: false}      # gone
    because: old

import:
  mode: merge                   # or create
  key: quickbooks_product_id

fields:
  quickbooks_product_id: {from: Id}   # the id
  name:                  {from: Name}
  # Money.
  price:                              # net
    from: UnitPrice
    for_entity: {Item: {negate: true}}
"""


@pytest.mark.parametrize(
    ("place", "words", "old", "new"),
    [
        (("import", "mode"), "create", "mode: merge  ", "mode: create  "),
        (("fields", "name", "from"), "Sku", "{from: Name}", "{from: Sku}"),
        (("fields", "name", "default"), "a: b", "{from: Name}", '{from: Name, default: "a: b"}'),
        (("fields", "name"), {"value": "x"}, "{from: Name}", "{value: x}"),
        (("fields", "price", "from"), "Cost", "from: UnitPrice", "from: Cost"),
        (
            ("fields", "price", "default"),
            "0",
            "negate: true}}\n",
            "negate: true}}\n    default: 0\n",
        ),
        (
            ("fields", "code"),
            {"from": "Sku"},
            "negate: true}}\n",
            "negate: true}}\n  code:                  {from: Sku}\n",
        ),
        (
            ("import", "check"),
            ["name", "code"],
            "key: quickbooks_product_id\n",
            "key: quickbooks_product_id\n  check: [name, code]\n",
        ),
        (("when_deleted", "active"), False, "true}}\n", "true}}\nwhen_deleted: {active: false}\n"),
        (
            ("fields", "price"),
            {"value": "1"},
            "# net\n    from: UnitPrice\n    for_entity: {Item: {negate: true}}\n",
            "# net\n",
        ),
    ],
)
def test_only_what_is_meant_is_written_again(place: Any, words: Any, old: str, new: str) -> None:
    changed = rewritten(TEXT, [(place, words)])

    if place == ("fields", "price"):
        assert "  price: {value: 1}                              # net\n" in changed
    else:
        assert changed == TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        (("fields", "name"), "  name:                  {from: Name}\n"),
        (
            ("fields", "price"),
            "  price:                              # net\n    from: UnitPrice\n"
            "    for_entity: {Item: {negate: true}}\n",
        ),
        (("exclude", 1), "  - where: {Active: false}      # gone\n    because: old\n"),
        (("exclude", 0), '  - {where: {Type: Category}, because: "no product"}\n'),
        (("import", "mode"), "  mode: merge                   # or create\n"),
        (
            ("import",),
            "import:\n  mode: merge                   # or create\n  key: quickbooks_product_id\n",
        ),
        (("fields", "price", "for_entity"), "    for_entity: {Item: {negate: true}}\n"),
    ],
)
def test_what_is_taken_out_leaves_the_lines_around_it(place: Any, gone: str) -> None:
    assert rewritten(TEXT, [(place, None)]) == TEXT.replace(gone, "")


def test_taking_out_what_is_not_there_changes_nothing() -> None:
    assert rewritten(TEXT, [(("fields", "nothing", "from"), None)]) == TEXT


def test_with_the_last_word_of_a_group_the_group_goes() -> None:
    changed = rewritten(TEXT, [(("import", "mode"), None), (("import", "key"), None)])

    assert "import" not in read(changed).tree


def test_a_word_goes_out_of_a_line_wherever_it_stands() -> None:
    line = "fields:\n  name: {from: Name, default: x, edits: crm}\n"

    left = [rewritten(line, [(("fields", "name", word), None)]) for word in _WORDS]

    assert [text.strip().partition("name: ")[2] for text in left] == [
        "{default: x, edits: crm}",
        "{from: Name, edits: crm}",
        "{from: Name, default: x}",
    ]


_WORDS = ("from", "default", "edits")


@pytest.mark.parametrize(
    "word",
    [
        "true",
        "null",
        "~",
        "",
        " x",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "'",
        '"',
        "a\nb",
        "ü–𝄞",
        "{",
        "\u2028",
    ],
)
def test_any_text_comes_back_as_it_was(word: str) -> None:
    changed = rewritten(TEXT, [(("fields", "name", "default"), word)])

    assert read(changed).tree["fields"]["name"]["default"] == word


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_change_touches_anything_else_in_the_shipped_mappings(data: st.DataObject) -> None:
    """Every comment that does not stand on a line taken out stays, and all words but the changed
    one are what they were."""
    text = SHIPPED[data.draw(st.sampled_from(sorted(SHIPPED)))]
    tree = read(text).tree
    column = data.draw(st.sampled_from([*tree["fields"], "something_new"]))
    word = data.draw(st.sampled_from(["from", "default", "edits", "required", "kind", "lookup"]))
    words = data.draw(st.one_of(st.none(), st.booleans(), _TEXTS, _PARTS))
    words = None if words == {} else words

    changed = rewritten(text, [(("fields", column, word), words)])

    wanted = deepcopy(tree)
    _put(wanted["fields"], column, word, words)
    assert read(changed).tree == wanted
    kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in changed.splitlines() if line.lstrip().startswith("#")] == kept
    assert len(re.findall("  # ", changed)) >= len(re.findall("  # ", text)) - (words is None)


_TEXTS = st.text(st.characters(exclude_categories=["C"]), max_size=8)
_PARTS = st.dictionaries(st.sampled_from(["entity", "show"]), st.text("ab:, #", min_size=1))


def _put(fields: dict[str, Any], column: str, word: str, words: Any) -> None:
    if words is not None:
        fields.setdefault(column, {})[word] = words
    elif column in fields:
        fields[column].pop(word, None)
        if not fields[column]:
            del fields[column]


def test_what_is_written_too_oddly_to_be_changed_is_told_and_left_alone() -> None:
    with pytest.raises(MappingError, match="cannot be changed here"):
        rewritten(
            "fields: {name: {from: Name # why\n  }}\n", [(("fields", "name", "edits"), "\x01")]
        )
