"""Which values a column takes, and how a row that may not be loaded says why."""

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.check import check
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.suiting import missing_fields, unfit_constants
from tests.unit.mapping_texts import mapping, read

KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "character varying(5)", "length": 5},
    "numeric": {"type": "numeric(7,2)", "precision": 7, "scale": 2},
    "integer": {"type": "integer", "base": "int4"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date"},
    "timestamp": {"type": "timestamp with time zone", "base": "timestamptz", "scale": 6},
    "uuid": {"type": "uuid"},
    "choice": {"type": "mood", "choices": ("happy", "sad")},
    "other": {"type": "inet"},
    "time": {"type": "time without time zone"},
}
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def column(name: str, kind: str = "text", **given: Any) -> Column:
    """A column that takes anything of its kind; its label is its name in capitals."""
    unlimited: dict[str, Any] = {"length": None, "precision": None, "scale": None, "choices": ()}
    rest = {"type": kind, "required": False, "default": None, "writable": True, "sequence": None}
    base = {"base": "int8"} if kind == "integer" else {}
    return Column(name=name, label=name.upper(), kind=kind, **(unlimited | rest | base | given))


def table(*columns: Column) -> Table:
    """A table of an id, a name and these columns."""
    known = (column("product_id"), column("name"), *columns)
    return Table("crm", "products", "id", {each.name: each for each in known})


def batch(*rows: dict[str, str | None]) -> DataFrame:
    """Rows as transform keeps them, of the items 1, 2, ..."""
    who = [{"@entity": "Item", "@id": str(n), "@state": "active"} for n in range(1, len(rows) + 1)]
    plain = [
        own | {"product_id": "1", "name": "A"} | row for own, row in zip(who, rows, strict=True)
    ]
    return DataFrame(plain, dtype="str")


def own(words: str = "") -> Mapping:
    """A mapping that fills the column own."""
    return read(mapping(f"own: {{from: Own{words and ', ' + words}}}"))


def said_of(value: str, kind: str, **given: Any) -> str | None:
    """What is said of a value in a column of this kind; nothing when it fits."""
    of_kind = table(column("own", kind, **(KINDS[kind] | given)))
    fit, ended = check(batch({"own": value}), own(), of_kind)
    assert len(fit) + len(ended) == 1
    return None if ended.empty else str(ended["message"].iloc[0])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "12345"),
        ("text", "\U0001f600" * 5),
        ("text", "{a}"),
        ("text", "[2]"),
        ("text", '{"a"'),
        ("numeric", "0.1"),
        ("numeric", "-0.00"),
        ("numeric", "+12345.67"),
        ("numeric", "12345.6700"),
        ("numeric", "000012345"),
        ("numeric", ".5"),
        ("numeric", "5."),
        ("integer", "5.00"),
        ("integer", "-2147483648"),
        ("integer", "+2147483647"),
        ("boolean", "true"),
        ("boolean", "false"),
        ("date", "2024-02-29"),
        ("date", "0001-01-01"),
        ("date", "1752-09-14"),
        ("date", "9999-12-31"),
        ("timestamp", "2024-03-10T02:30:00-08:00"),
        ("timestamp", "2024-03-10 02:30:00.123456789Z"),
        ("timestamp", "2024-03-10T02:30:00"),
        ("uuid", UUID),
        ("uuid", UUID.upper()),
        ("choice", "sad"),
        ("other", "anything, for the database to judge"),
    ],
)
def test_a_value_of_the_columns_type_fits(kind: str, value: str) -> None:
    assert said_of(value, kind) is None


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", "123456", "is longer than 5 characters"),
        ("numeric", "1e3", "is not a number"),
        ("numeric", "NaN", "is not a number"),
        ("numeric", "Infinity", "is not a number"),
        ("numeric", "1,5", "is not a number"),
        ("numeric", "1 5", "is not a number"),
        ("numeric", "5\n", "is not a number"),
        ("numeric", "٣", "is not a number"),
        ("numeric", ".", "is not a number"),
        ("numeric", "--1", "is not a number"),
        ("numeric", "0x1F", "is not a number"),
        ("numeric", "1.005", "has more than 2 decimal places"),
        ("numeric", "123456.7", "is too large"),
        ("integer", "5.50", "is not a whole number"),
        ("integer", "1e3", "is not a whole number"),
        ("integer", "٣", "is not a whole number"),
        ("integer", "²", "is not a whole number"),
        ("integer", "2147483648", "is too large"),
        ("integer", "9" * 5000, "is too large"),
        ("boolean", "yes", "is neither true nor false"),
        ("boolean", "True", "is neither true nor false"),
        ("date", "2023-02-29", "is not a date (year-month-day)"),
        ("date", "0000-00-00", "is not a date (year-month-day)"),
        ("date", "0000-01-01", "is not a date (year-month-day)"),
        ("date", "31/12/2024", "is not a date (year-month-day)"),
        ("date", "2024-1-1", "is not a date (year-month-day)"),
        ("date", "infinity", "is not a date (year-month-day)"),
        ("date", "now", "is not a date (year-month-day)"),
        ("date", "epoch", "is not a date (year-month-day)"),
        ("date", "2024-01-01T10:00:00Z", "is not a date (year-month-day)"),
        ("date", "٢٠٢٤-01-01", "is not a date (year-month-day)"),
        ("timestamp", "2024-01-01", "is not a moment (date and time)"),
        ("timestamp", "2024-01-01T25:00:00Z", "is not a moment (date and time)"),
        ("timestamp", "2023-02-29T10:00:00Z", "is not a moment (date and time)"),
        ("timestamp", "0000-01-01T10:00:00Z", "is not a moment (date and time)"),
        ("timestamp", "now", "is not a moment (date and time)"),
        ("uuid", "a0eebc99", "is not a UUID"),
        ("uuid", f"{{{UUID}}}", "is not a UUID"),
        ("choice", "Happy", "is none of happy, sad"),
    ],
)
def test_a_value_that_the_column_cannot_take_says_which_rule_it_breaks(
    kind: str, value: str, said: str
) -> None:
    message = said_of(value, kind)

    assert message is not None
    assert message.startswith("OWN '")
    assert message.endswith(f"' {said}.")


@pytest.mark.parametrize(
    "value",
    [
        "Birds@Intuit.com",
        "a@example.test",
        "one@intuit.com, two@intuit.com",
        "müller@bücher.de",
        "o'neill+crm@mail.example.co.uk",
    ],
)
def test_an_email_field_takes_addresses_separated_by_commas(value: str) -> None:
    assert ends_of({"own": value}, own("kind: email")) == []


@pytest.mark.parametrize(
    "value",
    ["geeta at kalapatapu", "a@b", "a@b..com", "one@intuit.com,", "@intuit.com", "a b@c.de"],
)
def test_an_email_field_takes_nothing_else(value: str) -> None:
    assert ends_of({"own": value}, own("kind: email")) == [
        f"OWN '{value}' is not an e-mail address."
    ]


@given(
    st.from_regex(
        r"\w{1,9}([.+-]\w{1,9}){0,9}@(\w{1,33}(-\w{1,9}){0,2}\.){1,3}\w{1,9}", fullmatch=True
    )
    | st.sampled_from(["a@b.test", "a@b.local", "a@b.LOCALHOST", "a@arpa", "a@xn--a.com", "a@b.c1"])
    | st.emails()
)
def test_an_address_that_looks_plain_is_one_by_every_rule(value: str) -> None:
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
        known = True
    except EmailNotValidError:
        known = False

    assert (ends_of({"own": value}, own("kind: email")) == []) == known


def ends_of(row: dict[str, str | None], known: Mapping, *columns: Column) -> list[str]:
    _, ended = check(batch(row), known, table(*(columns or (column("own"),))))
    return list(ended["message"])


def test_a_long_value_is_shortened_in_the_message_and_kept_out_of_the_log() -> None:
    assert said_of("x" * 41, "boolean") == f"OWN '{'x' * 39}…' is neither true nor false."
    assert said_of("x" * 40, "boolean") == f"OWN '{'x' * 40}' is neither true nor false."


def test_all_reasons_are_told_at_once_and_missing_fields_first() -> None:
    known = read(
        mapping("price: {from: Price}, day: {from: Day}, code: {from: Sku, required: true}")
    )
    columns = table(column("price", "numeric"), column("day", "date"), column("code"))

    _, ended = check(batch({"price": "x", "day": "y", "code": None}), known, columns)

    row = ended.iloc[0]
    assert row["reason"] == "missing_required"
    assert row["message"] == (
        "CODE is required but blank in QuickBooks. "
        "PRICE 'x' is not a number. DAY 'y' is not a date (year-month-day)."
    )
    assert row["details"] == [
        {
            "reason": "missing_required",
            "field": "code",
            "label": "CODE",
            "rule": "is required but blank in QuickBooks",
        },
        {
            "reason": "invalid_value",
            "field": "price",
            "label": "PRICE",
            "rule": "is not a number",
            "value": "x",
        },
        {
            "reason": "invalid_value",
            "field": "day",
            "label": "DAY",
            "rule": "is not a date (year-month-day)",
            "value": "y",
        },
    ]


@pytest.mark.parametrize(
    ("words", "given", "blank_is_fine"),
    [
        ("", {}, True),
        ("required: true", {}, False),
        ("", {"required": True}, False),
        ("", {"required": True, "default": "3"}, True),
        ("required: true", {"required": True, "default": "3"}, False),
    ],
)
def test_a_blank_ends_a_row_where_mapping_or_table_require_a_value(
    words: str, given: dict[str, Any], blank_is_fine: bool
) -> None:
    ended = ends_of({"own": None}, own(words), column("own", **given))

    assert (ended == []) == blank_is_fine


def test_a_reference_is_not_checked_as_a_value() -> None:
    known = read(mapping("own: {from: Own, refers: {module: other, entity: Item}}"))

    assert ends_of({"own": "12sync"}, known, column("own", "integer")) == []


def test_a_bad_row_does_not_stop_the_good_ones_and_a_deleted_one_is_not_checked() -> None:
    rows = batch({"own": "1"}, {"own": "x"}, {"own": "y"}, {"own": "2"})
    rows.loc[2, "@state"] = "deleted"

    fit, ended = check(rows, own(), table(column("own", "integer")))

    assert list(fit["@id"]) == ["1", "3", "4"]
    assert list(ended["@id"]) == ["2"]


@pytest.mark.parametrize(
    ("precision", "scale", "value", "said"),
    [
        (2, 4, "0.0099", None),
        (2, 4, "-0.0012", None),
        (2, 4, "0.01", "is too large"),
        (2, 4, "0.00991", "has more than 4 decimal places"),
        (3, -2, "99900", None),
        (3, -2, "-1200", None),
        (3, -2, "0", None),
        (3, -2, "100000", "is too large"),
        (3, -2, "1250", "is not a multiple of 100"),
        (3, -2, "1200.5", "has more than 0 decimal places"),
        (5, 5, "0.12345", None),
        (5, 5, "1", "is too large"),
    ],
)
def test_a_scale_below_nought_or_above_the_precision_is_as_postgres_means_it(
    precision: int, scale: int, value: str, said: str | None
) -> None:
    message = said_of(value, "numeric", precision=precision, scale=scale)

    assert message == (said and f"OWN '{value}' {said}.")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("9" * 30 + ".125", None),
        ("-" + "0" * 400 + "5", None),
        ("1" + "0" * 30, "has more than 30 digits"),
        ("-1" + "0" * 400 + ".5", "has more than 30 digits"),
    ],
)
def test_a_column_without_limits_takes_no_number_that_nobody_counts_or_pays(
    value: str, said: str | None
) -> None:
    """QuickBooks' JSON may say 1e400, which `numeric` would hold."""
    shown = value if len(value) <= 40 else value[:39] + "…"

    assert said_of(value, "numeric", precision=None, scale=None) == (
        said and f"OWN '{shown}' {said}."
    )


@pytest.mark.parametrize(
    ("kind", "base", "scale", "value", "said"),
    [
        ("numeric", "float4", None, "200000.01", "has more digits than numeric(7,2) holds"),
        ("numeric", "float4", None, "16777217", "has more digits than numeric(7,2) holds"),
        ("numeric", "float4", None, "200000.5", None),
        ("numeric", "float4", None, "0.10", None),
        ("numeric", "float4", None, "9" * 60, "has more digits than numeric(7,2) holds"),
        ("numeric", "float8", None, "200000.01", None),
        ("numeric", "float8", None, "0.123456789012345", None),
        ("numeric", "float8", None, "9007199254740993", "has more digits than numeric(7,2) holds"),
        ("text", "name", None, "ü" * 32, "is longer than 63 bytes"),
        ("text", "name", None, "x" * 63, None),
        ("text", "char", None, "xyz", "is longer than 1 byte"),
        ("text", "char", None, "x", None),
        ("time", "time", 0, "10:00:00.7", "is finer than the 0 decimal places of a second in time"),
        ("time", "time", 0, "10:00:00.0", None),
        ("time", "time", 6, "10:00:00Z", "has a time zone, which time does not hold"),
        ("time", "timetz", 6, "10:00:00-08:00", None),
        ("timestamp", "timestamptz", 3, "2024-01-01T10:00:00.1234Z", "is finer than the 3 decimal "
         "places of a second in timestamp with time zone"),
        ("timestamp", "timestamptz", 3, "2024-01-01T10:00:00.1230Z", None),
    ],
)  # fmt: skip
def test_what_a_column_would_round_or_cut_off_is_not_taken(
    kind: str, base: str, scale: int | None, value: str, said: str | None
) -> None:
    """D09: never silent."""
    given = {"type": "time"} if kind == "time" else {}
    limits = {"length": None, "precision": None, "scale": scale}

    message = said_of(value, kind, base=base, **limits, **given)

    shown = value if len(value) <= 40 else value[:39] + "…"
    assert message == (said and f"OWN '{shown}' {said}.")


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("2024-01-01T02:00:00-08:00", "2024-01-01T10:00:00"),
        ("2024-11-03T01:30:00-07:00", "2024-11-03T08:30:00"),
        ("2024-11-03T01:30:00-08:00", "2024-11-03T09:30:00"),
        ("2024-03-10T02:30:00.25Z", "2024-03-10T02:30:00.250000"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("2024-01-01T02:00:00", "2024-01-01T02:00:00"),
    ],
)
def test_a_moment_is_written_in_utc_where_the_column_has_no_time_zone(
    value: str, held: str
) -> None:
    """D30: instants in UTC, order right."""
    without = column("own", "timestamp", base="timestamp", scale=6)

    fit, _ = check(batch({"own": value}), own(), table(without))

    assert list(fit["own"]) == [held]


def test_whole_numbers_lose_their_noughts_and_nothing_else_changes() -> None:
    fit, _ = check(batch({"own": "5.00"}), own(), table(column("own", "integer")))

    assert list(fit["own"]) == ["5"]


def test_an_empty_batch_stays_empty() -> None:
    fit, ended = check(batch({"own": "1"}).iloc[:0], own(), table(column("own", "numeric")))

    assert (len(fit), len(ended)) == (0, 0)


@given(
    st.lists(st.none() | st.text() | st.emails(), min_size=1, max_size=5),
    st.sampled_from(list(KINDS)),
    st.sampled_from(["required: true", "required: true, kind: email"]),
)
def test_whatever_text_comes_every_row_ends_in_exactly_one_place(
    values: list[str | None], kind: str, words: str
) -> None:
    """K16: no value can stop the others."""
    rows = batch(*({"own": value} for value in values))

    fit, ended = check(rows, own(words), table(column("own", kind, **KINDS[kind])))

    assert sorted([*fit["@id"], *ended["@id"]]) == sorted(rows["@id"])
    assert fit["own"].notna().all()
    assert all(ended["message"].str.len() > 0)


@given(st.from_regex(r"[+-]?[0-9]{0,7}(\.[0-9]{0,4})?", fullmatch=True))
def test_a_number_fits_exactly_when_the_column_holds_it_without_rounding(text: str) -> None:
    try:
        number = Decimal(text)
        holds = number == round(number, 2) and abs(number) < 100_000
    except InvalidOperation:
        holds = False

    assert (said_of(text, "numeric") is None) == holds


def test_missing_fields_are_those_the_table_requires_and_nothing_gives() -> None:
    columns = table(
        column("own", required=True),
        column("company_id", required=True),
        column("by_default", required=True, default="'x'"),
        column("by_database", required=True, writable=False),
        column("price", required=True),
        column("optional"),
    )
    known = read(mapping("own: {default: x, from: Own}", company="company_id"))

    assert missing_fields(known, columns) == ["PRICE"]


@pytest.mark.parametrize(
    ("words", "written", "said"),
    [
        ({"fields": "own: {value: perhaps}"}, "4: fields.own.value", "perhaps"),
        ({"fields": "own: {from: Own, default: perhaps}"}, "4: fields.own.default", "perhaps"),
        (
            {"fields": "own: {from: Own}", "when_inactive": "{own: perhaps}"},
            "5: when_inactive.own",
            "perhaps",
        ),
        (
            {"fields": "own: {value: false}", "when_deleted": "{own: gone}"},
            "5: when_deleted.own",
            "gone",
        ),
    ],
)
def test_a_constant_that_its_column_cannot_take_is_told_with_its_line(
    words: dict[str, str], written: str, said: str
) -> None:
    known = read(mapping(words.pop("fields"), **words))

    assert list(unfit_constants(known, table(column("own", "boolean")))) == [
        f"products.yaml line {written} '{said}' is neither true nor false. "
        "crm.products.own takes boolean."
    ]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", "123456", "is longer than 5 characters. {} takes character varying(5)."),
        ("numeric", "1e3", "is not a number. {} takes numeric(7,2)."),
        (
            "numeric",
            "123456.789",
            "is too large and has more than 2 decimal places. {} takes numeric(7,2).",
        ),
        ("integer", "2147483648", "is too large. {} takes integer."),
        ("date", "now", "is not a date (year-month-day). {} takes date."),
        (
            "timestamp",
            "2024-01-01",
            "is not a moment (date and time). {} takes timestamp with time zone.",
        ),
        ("uuid", "1", "is not a UUID. {} takes uuid."),
        ("choice", "Happy", "is none of happy, sad. {} takes mood."),
    ],
)
def test_a_constant_keeps_the_same_rules_as_the_values_of_rows(
    kind: str, value: str, said: str
) -> None:
    known = read(mapping(f"own: {{value: '{value}'}}"))
    columns = table(column("own", kind, **KINDS[kind]))

    assert list(unfit_constants(known, columns)) == [
        f"products.yaml line 4: fields.own.value '{value}' " + said.format("crm.products.own")
    ]


def test_a_constant_of_an_email_field_must_be_an_address() -> None:
    known = read(mapping("own: {from: Own, default: nobody, kind: email}"))

    assert list(unfit_constants(known, table(column("own")))) == [
        "products.yaml line 4: fields.own.default 'nobody' is not an e-mail address. "
        "crm.products.own takes text."
    ]


def test_a_long_constant_is_shortened_in_the_message() -> None:
    known = read(mapping(f"own: {{value: {'x' * 41}}}"))

    [said] = unfit_constants(known, table(column("own", "boolean")))

    assert f"fields.own.value '{'x' * 39}…' is" in said


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", "5.00"), ("boolean", "true"), ("other", "the database judges")]
)
def test_a_constant_that_its_column_takes_is_not_told(kind: str, value: str) -> None:
    known = read(mapping(f"own: {{value: {value}}}", when_deleted=f"{{own: {value}}}"))

    assert list(unfit_constants(known, table(column("own", kind, **KINDS[kind])))) == []


def test_constants_of_columns_that_cannot_be_written_are_for_others_to_tell() -> None:
    known = read(mapping("nowhere: {value: x}, own: {value: x}"))

    assert list(unfit_constants(known, table(column("own", "integer", writable=False)))) == []


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(list(KINDS)))
def test_a_constant_is_told_exactly_when_a_row_with_that_value_is_not_added(
    value: str, kind: str
) -> None:
    fields = {**own().fields, "own": replace(own().fields["own"], sources=(), value=value)}
    columns = table(column("own", kind, **KINDS[kind]))

    told = list(unfit_constants(replace(own(), fields=fields), columns))

    assert (told == []) == (said_of(value, kind) is None)


def test_whole_numbers_of_a_type_of_the_crms_own_have_the_limits_of_what_it_is_made_of() -> None:
    said = said_of("40000", "integer", type="own.small_number", base="int2")

    assert said == "OWN '40000' is too large."
