"""When two texts are the same to us: the normal forms of texts, e-mail fields and phone
numbers, by cases and by a second opinion."""

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
NOTHING = re.compile(
    f"[{SPACES}\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*"
)
"""What shows nothing where nothing else is: white space and Default_Ignorable_Code_Point."""

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
    if NOTHING.fullmatch(value):
        return None
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
        ("\u034f", None),
        ("\ufe0f \U000e0041\u3164", None),
        ("\u2603\ufe0f", "\u2603\ufe0f"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e007f"),
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
        "SELECT letter, sync.normal('a' || letter || 'b'), sync.normal(letter)"
        "  FROM unnest(%s::text[]) AS letter",
        [ASSIGNED],
    ).fetchall()

    differ = [
        letter
        for letter, between, alone in found
        if (between, alone) != (second_opinion(f"a{letter}b"), second_opinion(letter))
    ]
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
        ("650\u2013555\u20110987", "6505550987"),
        ("1-800-FLOWERS", "18003569377"),
        ("1-800-356-9377", "18003569377"),
        ("1 800 go fedex", "18004633339"),
        ("1-800-FEDEX 12", "18003333912"),
        ("650 555 0987 mobile", "6505550987"),
        ("Tel. +49 (0)30 1234567", "490301234567"),
        ("650-555-0987 x12", "6505550987x12"),
        ("(650) 555-0987, Ext. 12", "6505550987x12"),
        ("650.555.0987 extension #12", "6505550987x12"),
        ("6505550987#12", "6505550987x12"),
        ("555-1234 ext 12", "5551234x12"),
        ("1-800-FLOWERS x7", "18003569377x7"),
        ("650-555-0987 x", "6505550987"),
        ("ext.", None),
        ("n/a", None),
        ("", None),
        (None, None),
    ],
)
def test_a_phone_number_is_its_digits_and_its_extension(
    connection: Connection[Any], value: str | None, expected: str | None
) -> None:
    """Letters count as the keys they stand on where the digits alone would be no number."""
    assert one(connection, "SELECT sync.normal_phone_number(%s)", [value]) == expected


@pytest.mark.parametrize(
    ("one_number", "other_number"),
    [
        ("1-800-FLOWERS", "1-800-GO-FEDEX"),
        ("1-800-555-HELP", "1-800-555-CALL"),
        ("650-555-0987 x12", "650-555-0987"),
        ("650-555-0987 x12", "650-555-0987 x13"),
        ("650-555-0987 x12", "650-555-098712"),
        ("555-1234 x12", "555-123412"),
    ],
)
def test_what_leads_to_different_people_is_not_the_same_number(
    connection: Connection[Any], one_number: str, other_number: str
) -> None:
    query = "SELECT sync.normal_phone_number(%s) <> sync.normal_phone_number(%s)"

    assert one(connection, query, [one_number, other_number])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann@X.example", "ann@x.example"),
        (" ann@x.example ", "ann@x.example"),
        ("ann@x.example,bob@x.example", "ann@x.example, bob@x.example"),
        ("ann@x.example ,  bob@x.example", "ann@x.example, bob@x.example"),
        ("Bob@x.example, ann@X.example", "ann@x.example, bob@x.example"),
        ("ann@x.example, Ann@x.example,", "ann@x.example"),
        ("ａｎｎ@x.example，bob@x.example", "ann@x.example, bob@x.example"),
        ("ann@MÜLLER.example", "ann@müller.example"),
        ("ann+news@x.example", "ann+news@x.example"),
        ("a.nn@x.example", "a.nn@x.example"),
        ("ann@xn--mller-kva.example", "ann@xn--mller-kva.example"),
        (" , ", None),
        ("", None),
        (None, None),
    ],
)
def test_an_e_mail_field_is_its_addresses(
    connection: Connection[Any], value: str | None, expected: str | None
) -> None:
    assert one(connection, "SELECT sync.normal_email(%s)", [value]) == expected


LETTERS = st.sampled_from(
    [*"0123456789" * 3, *"abEXtx#,,@@..-+() ", "\uff0c", "\uff11", "ü", "\ufe0f"]
)


@pytest.mark.parametrize("form", ["normal", "normal_email", "normal_phone_number"])
@given(values=st.lists(st.text(LETTERS | st.sampled_from(ASSIGNED), max_size=15), min_size=100))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_in_its_normal_form_already_stays_as_it_is(
    connection: Connection[Any], form: str, values: list[str]
) -> None:
    """Else a value and its own form would be two."""
    found = connection.execute(
        f"SELECT value FROM unnest(%s::text[]) AS value"
        f" WHERE sync.{form}(sync.{form}(value)) IS DISTINCT FROM sync.{form}(value)",
        [values],
    )

    assert found.fetchall() == []
