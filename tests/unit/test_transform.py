"""What becomes of QuickBooks' values on their way to the CRM's columns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.paths import written
from quickbooks_crm.transform import ENDED, WHO, columns, picks, transform
from tests.unit.mapping_texts import mapping, read

ITEM = {"@entity": "Item", "@id": "7", "@state": "active", "Id": "7", "Name": "Pump"}


def batch(known: Mapping, *rows: dict[str, Any]) -> DataFrame:
    """Rows as they come from the mirror: a column for every path of the mapping."""
    names = [*WHO, *map(written, picks(known))]
    values = [[(ITEM | row).get(name) for name in names] for row in rows]
    return DataFrame(values, columns=names, dtype="str")


def kept(known: Mapping, **row: Any) -> dict[str, str | None]:
    """The CRM's values of a record, without those that say who it is."""
    shaped, ended = transform(batch(known, row), known)
    assert ended.empty
    return {
        name: None if value != value else value
        for name, value in shaped.iloc[0].items()
        if name not in WHO
    }


def excluded(exclude: str, **row: Any) -> list[str]:
    """Why a record is excluded, if it is."""
    known = read(mapping(exclude=exclude))
    shaped, ended = transform(batch(known, row), known)
    assert len(shaped) + len(ended) == 1
    return list(ended["message"])


def test_a_column_gets_the_value_at_its_path() -> None:
    known = read(mapping("city: {from: BillAddr.City}"))

    assert kept(known, **{"BillAddr.City": "Bayshore"}) == {
        "product_id": "7",
        "name": "Pump",
        "city": "Bayshore",
    }


def test_every_path_is_read_once() -> None:
    known = read(
        mapping(
            "phone: {from: [Phone, Mobile]}, mobile: {from: Mobile}",
            exclude="[{where: {Type: Category, Name: x}, because: it is}]",
        )
    )

    assert picks(known) == [("Id",), ("Name",), ("Phone",), ("Mobile",), ("Type",)]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1", "2", "1"),
        (None, "2", "2"),
        (" \t", "2", "2"),
        (None, None, "none"),
        ("", "\u200b\u2060", "none"),
        ("[]", "2", "2"),
        ("{}", "[]", "none"),
        ("[1]", "2", "[1]"),
    ],
)
def test_the_first_source_that_is_not_blank_counts_and_then_the_default(
    first: str | None, second: str | None, expected: str
) -> None:
    known = read(mapping("phone: {from: [Phone, Mobile], default: none}"))

    assert kept(known, Phone=first, Mobile=second)["phone"] == expected


@pytest.mark.parametrize(
    ("given", "middle", "family", "expected"),
    [
        ("Amy", "B.", "Lauterbach", "Amy, B., Lauterbach"),
        ("Amy", None, "Lauterbach", "Amy, Lauterbach"),
        (None, "B.", None, "B."),
        (" Amy ", " ", "Lauterbach ", "Amy, Lauterbach"),
        (None, None, None, "nobody"),
        ("", "\u200b", " ", "nobody"),
    ],
)
def test_a_join_leaves_out_what_is_blank_and_what_would_stand_between(
    given: str | None, middle: str | None, family: str | None, expected: str
) -> None:
    source = "{join: [GivenName, MiddleName, FamilyName], with: ', '}"
    known = read(mapping(f"a: {{from: {source}, default: nobody}}"))

    row = kept(known, GivenName=given, MiddleName=middle, FamilyName=family)

    assert row["a"] == expected


def test_a_join_may_be_one_of_several_sources() -> None:
    known = read(mapping("a: {from: [Company, {join: [First, Last]}, Email]}"))

    assert kept(known, Company="Inc.", First="Amy")["a"] == "Inc."
    assert kept(known, Company="", First="Amy", Last="B", Email="e")["a"] == "Amy B"
    assert kept(known, Email="e")["a"] == "e"


def test_a_constant_is_the_same_for_every_record() -> None:
    assert kept(read(mapping("type: {value: '007'}")))["type"] == "007"


@pytest.mark.parametrize(
    "blank",
    [
        *("", " ", "\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u034f", "\ufe0f"),
        *("\u3164", "\U0001d173", "\U000e0041\U000e007f", " \U000e0041\u200b\U000e0100 "),
    ],
)
def test_what_shows_nothing_is_blank(blank: str) -> None:
    assert kept(read(mapping()), Name=blank)["name"] is None


@pytest.mark.parametrize(
    "value",
    ["0", "N/A", "[", "[ ]", "-", " x ", "null", "\u0000", "\U0001f600", "\U0001f3f4\U000e0067"],
)
def test_what_shows_something_stays_as_it_is_written(value: str) -> None:
    assert kept(read(mapping()), Name=value)["name"] == value


@pytest.mark.parametrize("column", ["state", "id", "entity", "Select", "outcome"])
def test_a_column_may_be_called_anything(column: str) -> None:
    known = read(mapping(f"{column}: {{from: BillAddr.City}}"))

    shaped, _ = transform(batch(known, {"BillAddr.City": "Bayshore"}), known)

    assert shaped.iloc[0][[*WHO, column]].tolist() == ["Item", "7", "active", "Bayshore"]


# ── inactive and deleted ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "name", "expected"),
    [
        ("inactive", "Pump (deleted)", "Pump"),
        ("inactive", "Pump (deleted 2)", "Pump"),
        ("inactive", "Pump (Deleted)", "Pump"),
        ("inactive", "Pump (deleted) again", "Pump (deleted) again"),
        ("active", "Pump (deleted)", "Pump (deleted)"),
    ],
)
def test_the_ending_that_quickbooks_gives_inactive_names_is_not_part_of_the_name(
    state: str, name: str, expected: str
) -> None:
    assert kept(read(mapping()), **{"@state": state, "Name": name})["name"] == expected


def test_only_inactive_rows_of_a_batch_lose_that_ending() -> None:
    known = read(mapping())
    inactive = {"@state": "inactive", "Name": "A (deleted)"}

    shaped, _ = transform(batch(known, inactive, {"Name": "B (deleted)"}), known)

    assert list(shaped["name"]) == ["A", "B (deleted)"]


def test_only_names_lose_that_ending() -> None:
    known = read(mapping("notes: {from: Notes}"))

    assert kept(known, **{"@state": "inactive", "Notes": "x (deleted)"})["notes"] == "x (deleted)"


@pytest.mark.parametrize(
    ("state", "active", "deleted"),
    [("active", "true", "false"), ("inactive", "false", "false"), ("deleted", "false", "true")],
)
def test_inactive_and_deleted_records_get_what_the_mapping_says_whatever_the_fields_say(
    state: str, active: str, deleted: str
) -> None:
    known = read(
        mapping(
            "active: {value: true}, deleted: {value: false}",
            when_inactive="{active: false}",
            when_deleted="{active: false, deleted: true}",
        )
    )

    row = kept(known, **{"@state": state})

    assert (row["active"], row["deleted"]) == (active, deleted)
    assert columns(known) == ["product_id", "name", "active", "deleted"]


# ── exclusions ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("condition", "values", "others"),
    [
        ("Type: Category", ["Category"], ["category", "Group", None]),
        ("Type: [Category, Group]", ["Category", "Group"], ["Service", None]),
        ("Type: {not: Service}", ["Group", None, " "], ["Service"]),
        ("Type: {not: [Service, Group]}", ["Category", None], ["Service", "Group"]),
        ("Type: 0", ["0", "0.00", "-0.0"], ["0.01", "00", "", None]),
        ("Type: 7.5", ["7.5", "7.50"], ["7", "07.5", "7.5 "]),
        ("Type: [1, 2.0]", ["1", "1.00", "2"], ["3", "12"]),
        ("Type: '007'", ["007"], ["7", "7.0"]),
        ("Type: {not: 0}", ["1", "0.001", None, "zero"], ["0", "0.00"]),
        ("Type: {not: [0, A]}", ["B", "1"], ["0.0", "A"]),
        ("Type: false", ["false"], ["true", "False", None]),
        ("Type: {above: 0.1}", ["0.10000000000000000001", "+0.2"], ["0.1", "0.10", "1e9"]),
        (
            "Type: {below: 12345678901234567890.2}",
            ["12345678901234567890.1"],
            ["12345678901234567890.2"],
        ),
        ("Type: {above: -5}", ["-4.99", "0"], ["-5", "-6"]),
        (
            "Type: {above: 2024-01-31}",
            ["2024-02-01", "2024-02-01T00:00:00-08:00"],
            ["2024-01-31", "2024-01-31T23:59:59-08:00", "2023-12-31", "99999", None],
        ),
        (
            "Type: {below: 2024-01-31}",
            ["2024-01-30", "2023-12-31T10:00:00Z"],
            ["2024-01-31", "2024-02-01", "20240130", "1", None],
        ),
        (
            "Type: {above: 2023-12-31, below: 2025-01-01}",
            ["2024-06-01"],
            ["2023-12-31", "2025-01-01"],
        ),
        ("Type: {blank: false, not: x}", ["y"], ["x", None]),
        ("Type: {above: 100}", ["100.01", "1000"], ["100", "99", "many", None]),
        ("Type: {below: 100}", ["99.99", "-5"], ["100", "101", "few", None]),
        ("Type: {above: 0, below: 100}", ["1", "99"], ["0", "100", None]),
        ("Type: {blank: true}", [None, "", " \u200b"], ["x", "0"]),
        ("Type: {blank: false}", ["x"], [None, ""]),
        ("Type: Category, Name: Pump", ["Category"], ["Group"]),
        ("Type: Category, Name: Hose", [], ["Category"]),
    ],
)
def test_a_record_is_excluded_when_all_conditions_of_a_rule_hold(
    condition: str, values: list[str | None], others: list[str | None]
) -> None:
    rule = f"[{{where: {{{condition}}}, because: it is so}}]"

    assert [excluded(rule, Type=value) for value in values] == [["It is so."]] * len(values)
    assert [excluded(rule, Type=value) for value in others] == [[]] * len(others)


def test_the_first_rule_that_applies_gives_the_reason() -> None:
    rules = "[{where: {Type: A}, because: first}, {where: {Name: Pump}, because: second}]"

    assert excluded(rules, Type="A") == ["First."]
    assert excluded(rules, Type="B") == ["Second."]


def test_what_was_excluded_says_so_in_the_columns_of_what_ended() -> None:
    known = read(mapping(exclude="[{where: {Name: Pump}, because: it is a pump}]"))

    _, ended = transform(batch(known, {}), known)

    assert list(ended.columns) == ENDED
    assert ended.iloc[0].tolist() == [
        "Item",
        "7",
        "active",
        "excluded",
        "excluded_by_mapping",
        "It is a pump.",
        None,
    ]


def test_a_deleted_record_is_never_excluded_here() -> None:
    assert excluded("[{where: {Name: Pump}, because: it is}]", **{"@state": "deleted"}) == []


texts = st.none() | st.text(max_size=10)


@given(st.lists(st.tuples(st.sampled_from(["active", "inactive", "deleted"]), texts, texts)))
def test_every_row_is_kept_or_excluded_and_none_twice(
    given_rows: list[tuple[str, str | None, str | None]],
) -> None:
    known = read(
        mapping(
            "active: {from: Active, default: true}",
            exclude="[{where: {Type: {above: 5}}, because: it is dear}]",
            when_inactive="{active: false}",
        )
    )
    rows = [
        {"@id": str(n), "@state": state, "Name": name, "Type": type}
        for n, (state, name, type) in enumerate(given_rows)
    ]

    shaped, ended = transform(batch(known, *rows), known)

    assert sorted([*shaped["@id"], *ended["@id"]]) == sorted(row["@id"] for row in rows)
    assert list(shaped.columns) == [*WHO, *columns(known)]
