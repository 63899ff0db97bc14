"""When two texts are the same to us: sync.normal and sync.normal_phone, by cases and by a second
opinion."""

import re
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.integration.crm import one

SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = re.compile("[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Of what Unicode calls format characters those that nobody sees in a name. The others are left
alone: some do show (Arabic number signs), and some tell one emoji from another (tags)."""

ASSIGNED = [
    letter
    for letter in map(chr, range(1, sys.maxunicode + 1))
    if unicodedata.category(letter) not in ("Cn", "Co", "Cs")
]


def normal(connection: Connection[Any], value: str | None) -> str | None:
    found: str | None = one(connection, "SELECT sync.normal(%s)", [value])
    return found


def folded(letter: str) -> str:
    """Case folding, except that a Greek vowel keeps its iota subscript instead of growing a
    letter."""
    return letter.lower() if "\u1f80" <= letter <= "\u1fff" else letter.casefold()


def second_opinion(value: str) -> str | None:
    """The same, as Python understands Unicode."""
    composed = unicodedata.normalize("NFKC", value)
    same_case = unicodedata.normalize("NFKC", "".join(map(folded, composed)))
    shown = INVISIBLE.sub("", same_case)
    return re.sub(f"[{SPACES}]+", " ", shown).strip(" ") or None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Pump", "pump"),
        ("  Big \t\n Pump ", "big pump"),
        ("Big\u00a0Pump", "big pump"),
        ("Big\u3000Pump", "big pump"),
        ("CAFÉ", "café"),
        ("Cafe\u0301", "café"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ẞ", "ss"),
        ("ﬁtting", "fitting"),
        ("Ｐｕｍｐ １", "pump 1"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("Ζεύς", "ζεύσ"),
        ("ЖУК", "жук"),
        ("Zoë\u200bs", "zoës"),
        ("co\u00adop", "coop"),
        ("\u202eabc", "abc"),
        ("Ⅳ", "iv"),
        ("½", "1\u20442"),
        ("a'b\"c;--", "a'b\"c;--"),
        ("\U0001f600", "\U0001f600"),
        ("", None),
        (" ", None),
        ("\u200b\u2060\ufeff", None),
        (None, None),
    ],
)
def test_the_normal_form_by_cases(
    connection: Connection[Any], value: str | None, expected: str | None
) -> None:
    assert normal(connection, value) == expected


@pytest.mark.parametrize(
    ("one_text", "other_text"),
    [
        ("Pump", "Рump"),  # the second begins with a Cyrillic letter
        ("DIŞ", "dış"),  # Turkish: a dotless i is another letter
        ("resume", "résumé"),
        ("Pump 1", "Pump 1."),
        ("Pump", "Pumps"),
        ("a b", "ab"),
    ],
)
def test_what_only_looks_alike_is_not_the_same(
    connection: Connection[Any], one_text: str, other_text: str
) -> None:
    assert normal(connection, one_text) != normal(connection, other_text)


def test_every_letter_there_is_has_the_normal_form_that_python_gives_it(
    connection: Connection[Any],
) -> None:
    found = connection.execute(
        "SELECT letter, sync.normal('a' || letter || 'b') FROM unnest(%s::text[]) AS letter",
        [ASSIGNED],
    ).fetchall()

    differ = [letter for letter, form in found if form != second_opinion(f"a{letter}b")]
    assert len(found) == len(ASSIGNED)
    assert [f"U+{ord(letter):04X}" for letter in differ] == []


@given(st.lists(st.text(st.sampled_from(ASSIGNED), max_size=12), min_size=50, max_size=100))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_has_the_normal_form_that_python_gives_it(
    connection: Connection[Any], texts: list[str]
) -> None:
    found = connection.execute(
        "SELECT value, sync.normal(value) FROM unnest(%s::text[]) AS value", [texts]
    ).fetchall()

    assert [(value, form) for value, form in found if form != second_opinion(value)] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("(650) 555-0987", "6505550987"),
        ("+1 650.555.0987", "16505550987"),
        ("６５０", "650"),
        ("ext.", None),
        ("", None),
        (None, None),
    ],
)
def test_a_phone_number_is_its_digits(
    connection: Connection[Any], value: str | None, expected: str | None
) -> None:
    assert one(connection, "SELECT sync.normal_phone(%s)", [value]) == expected
