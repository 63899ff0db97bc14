"""YAML as settings files may use it, and what is said of the rest."""

import json
import random

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping import Mapping, parse
from quickbooks_crm.mapping.document import MAX_BYTES, read
from quickbooks_crm.mapping.words import MAPPING
from tests.unit.mapping_texts import mapping

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

REFUSED = {
    "": "line 1: the file is empty. Write what it is to say, or remove it.",
    "# only a remark\n": "line 1: the file is empty. Write what it is to say, or remove it.",
    "null\n": "line 1: the file is empty. Write what it is to say, or remove it.",
    "\n- a\n": "line 2: the file must hold words with values: 'word: value'.",
    "a: 1\n\tb: 2\n": "line 2: is indented with a tab. Use spaces.",
    "\ufeffa: 1\n": "line 1: the file begins with a byte order mark. Save it as UTF-8 without one.",
    "a: 1\nb: \x00\n": "line 2: has a character that is not text: '\\x00'.",
    "a: \ud800\n": "line 1: has a character that is not text: '\\ud800'.",
    'a: "\\0"\n': "line 1: a cannot hold the character in '\\x00'.",
    "a: 1\n---\nb: 2\n": "line 2: begins a second document. Keep one: remove the line ---.",
    "a: !!python/object:os.system x\n": "line 1: has a tag: "
    "'tag:yaml.org,2002:python/object:os.syst…'. Write the plain value.",
    "a: &x [*x]\n": "line 1: sets an anchor: &x. Write values where they are used.",
    "a: {{ b }}\n": "line 1: has braces or brackets where a word should be. "
    "Put quotes around the text.",
    "a:\n  b: 1\n  b: 2\n": "line 3: a.b is written twice, first on line 2. Keep one.",
    "a: " + "[" * 50: "line 1: is nested too deeply for a settings file.",
    "a: " + "x" * MAX_BYTES: "line 1: the file is larger than 256 KB. Split or shorten it.",
}


def said(text: str) -> list[str]:
    return [f"line {problem.line}: {problem.said}" for problem in read(text).problems]


@pytest.mark.parametrize(("text", "problem"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_file_that_is_not_plain_yaml_is_refused_with_its_line(text: str, problem: str) -> None:
    """K02, K03, K04, K07: an alias of itself, a tag, a key twice, and what is not plain text."""
    assert said(text)[0] == problem


def test_what_is_not_yaml_is_refused_where_it_stops_making_sense() -> None:
    (problem,) = said("a: [1, 2\nb: 3\n")

    assert problem.startswith("line 2: is not YAML: while parsing a flow sequence")


def test_a_file_that_would_swell_is_refused_before_it_does() -> None:
    """K01."""
    assert said(BOMB) == [
        "line 1: sets an anchor: &a. Write values where they are used.",
        "line 2: sets an anchor: &b. Write values where they are used.",
        "line 2: uses an alias: *a. Write the value itself.",
        "line 2: uses an alias: *a. Write the value itself.",
        "line 3: uses an alias: *b. Write the value itself.",
        "line 3: uses an alias: *b. Write the value itself.",
    ]


def test_words_and_items_know_their_lines() -> None:
    document = read("a:\n  - x\n  - b: 1\n    c: 2\n")

    assert document.tree == {"a": ["x", {"b": "1", "c": "2"}]}
    assert document.lines == {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 3,
        ("a", 1, "b"): 3,
        ("a", 1, "c"): 4,
    }


def outcome(text: str) -> Mapping | str:
    try:
        return parse("products", text, "products.yaml")
    except MappingError as error:
        return str(error)


ALPHABET = st.sampled_from([*"abz:,-[]{}&*!|>#'\"%@`\\ \n\t0.~?", "é", "\x00", "\ufeff", "\ud800"])
WORDS = st.sampled_from(
    sorted({word.pattern[-1] for word in MAPPING.words} | {"Item", "a.b", "name"})
)
TREES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(st.text(ALPHABET, max_size=200))
@settings(max_examples=200, deadline=None)
@example("? [a]\n: b")
@example("%YAML 9.0\n---\na: 1")
@example('a: "\\UFFFFFFFF"')
@example("a: 'b")
@example("fields: {a: {from: {b: c}}}")
def test_any_text_is_a_mapping_or_a_list_of_problems(text: str) -> None:
    assert isinstance(outcome(text), Mapping) or "is not a valid mapping" in str(outcome(text))


@given(st.dictionaries(WORDS, TREES, max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_words_anywhere_are_a_mapping_or_a_list_of_problems(tree: object) -> None:
    found = outcome(yaml.safe_dump(tree, allow_unicode=True))

    assert isinstance(found, Mapping) or "is not a valid mapping" in found


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_damaged_mapping_is_a_mapping_or_a_list_of_problems(chance: random.Random) -> None:
    text = mapping("a: {from: [A.B, C], kind: email}", exclude="[{where: {T: x}, because: y}]")

    at = chance.randrange(len(text))
    found = outcome(
        text[:at] + chance.choice("{}[]:,'\"&*!#\n x") + text[at + chance.randint(0, 3) :]
    )

    assert isinstance(found, Mapping) or "is not a valid mapping" in found


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40))
def test_a_constant_comes_back_as_it_was_quoted(text: str) -> None:
    found = outcome(mapping(f"a: {{value: {json.dumps(text, ensure_ascii=False)}}}"))

    if isinstance(found, Mapping):
        assert found.fields["a"].value == text
    else:
        assert "fields.a.value is blank" in found
