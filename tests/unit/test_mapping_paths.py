"""Paths into a QuickBooks record: how they are written, and what of it Postgres gets to see."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickbooks_crm.mapping import Item, Join
from quickbooks_crm.mapping.paths import Path, bound, is_plain, json_path, parse_path, written
from tests.unit.mapping_texts import mapping, read


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Id", ("Id",)),
        ("BillAddr.City", ("BillAddr", "City")),
        (
            "CustomField[Name=Sales Rep].StringValue",
            (Item("CustomField", ("Name",), "Sales Rep"), "StringValue"),
        ),
        ('A[B="x ] y"].C', (Item("A", ("B",), "x ] y"), "C")),
        ("A[B='it''s'].C", (Item("A", ("B",), "it's"), "C")),
        ('A[B="say ""yes"""]', (Item("A", ("B",), 'say "yes"'),)),
        ("A[ B . C = x ].D", None),
        ("A[ B.C = x ].D", (Item("A", ("B", "C"), "x"), "D")),
        ("A.B[C=d].E[F=g].H", ("A", Item("B", ("C",), "d"), Item("E", ("F",), "g"), "H")),
        ("A[0].B", None),
        ("A[].B", None),
        ("A[B=].C", None),
        ("A[B].C", None),
        ("A[B=c", None),
        ("A[B=c]D", None),
        ("A..B", None),
        (".A", None),
        ("A.", None),
        ("", None),
        ("A B", None),
        ("Ä", None),
    ],
)
def test_a_path_has_names_and_items_told_by_what_they_hold(text: str, path: Path | None) -> None:
    assert parse_path(text) == path


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
values = st.text(min_size=1).filter(lambda text: text.strip())
steps = names | st.builds(Item, names, st.lists(names, min_size=1).map(tuple), values)


@given(st.lists(steps, min_size=1, max_size=4).map(tuple))
def test_every_path_is_read_as_it_is_written(path: Path) -> None:
    assert parse_path(written(path)) == path


@given(st.text())
def test_any_text_is_a_path_or_none(text: str) -> None:
    path = parse_path(text)

    assert path is None or parse_path(written(path)) == path


def test_a_long_text_that_is_no_path_is_refused_at_once() -> None:
    """K15: nothing here takes longer than the text is long."""
    assert parse_path("A[B=" + '"' * 100_001 + "]") is None
    assert parse_path("a" * 100_000 + "!") is None
    assert parse_path("A[B= " + " x" * 50_000) is None


def test_no_value_is_part_of_what_postgres_reads_as_a_path() -> None:
    variables: list[str] = []
    found = json_path((Item("A", ("B", "C"), '") || true'), "D", Item("E", ("F",), "1")), variables)

    assert found == '$."A"[*] ? (@."B"."C" == $v0)."D"."E"[*] ? (@."F" == $v1 || @."F" == $v2)'
    assert json.loads(bound(variables)) == {"v0": '") || true', "v1": "1", "v2": 1}


def test_only_a_path_into_a_list_needs_more_than_its_names() -> None:
    assert is_plain(("BillAddr", "City"))
    assert not is_plain((Item("A", ("B",), "c"), "D"))


@pytest.mark.parametrize(
    ("source", "sources"),
    [
        ("A.B", (("A", "B"),)),
        ("[A, B.C]", (("A",), ("B", "C"))),
        ("{join: [A, B.C]}", (Join((("A",), ("B", "C")), " "),)),
        ("{join: [A, B], with: ', '}", (Join((("A",), ("B",)), ", "),)),
        ("{join: [A, B], with: ''}", (Join((("A",), ("B",)), ""),)),
        ("[C, {join: [A, B]}, D]", (("C",), Join((("A",), ("B",)), " "), ("D",))),
    ],
)
def test_a_source_is_a_path_a_join_or_several_in_their_order(
    source: str, sources: tuple[object, ...]
) -> None:
    assert read(mapping(f"a: {{from: {source}}}")).fields["a"].sources == sources


def test_an_exclusion_may_look_into_a_list() -> None:
    found = read(
        mapping(exclude="[{where: {'CustomField[Name=Rep].StringValue': x}, because: it is}]")
    )

    assert found.exclude[0].where[0].path == (Item("CustomField", ("Name",), "Rep"), "StringValue")
