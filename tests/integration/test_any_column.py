"""Columns of any type and any name: what they take is stored and stays, what they do not take ends
its own row."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog, lacking
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.proposing import candidates
from tests.integration.crm import End, item, mapping, one, outcome, rows, sync
from tests.integration.own_tables import into, own, things

__all__ = ["own"]


@pytest.mark.parametrize(
    ("type_", "sent", "held"),
    [
        ("text[]", ["a", "b c", '{"', None], ["a", "b c", '{"', None]),
        ("text[]", [], None),
        ("text[]", ["2024"], ["2024"]),
        ("text[]", [1.10, True], ["1.1", "true"]),
        ("varchar(3)[]", ["abc"], ["abc"]),
        ("integer[]", [1, 2], [1, 2]),
        ("numeric(9, 2)[]", [1.5, "2"], [Decimal("1.50"), Decimal("2.00")]),
        ("date[]", ["2024-02-29", None], [date(2024, 2, 29), None]),
        ("integer[]", [5.00, "6.0"], [5, 6]),
        ("integer[]", "{5,NULL,6}", [5, None, 6]),
        ("boolean[]", [True, False], [True, False]),
        (
            "timestamp[]",
            ["2024-01-01T02:00:00-08:00", None, "2024-01-01T02:00:00"],
            [datetime(2024, 1, 1, 10), None, datetime(2024, 1, 1, 2)],
        ),
        ("own.mood[]", ["sad", "happy"], "{sad,happy}"),
        ("own.prices", ["1.5"], "{1.50}"),
        ("text[]", "{a,b}", ["a", "b"]),
        ("own.labels", ["a", "b c"], ["a", "b c"]),
        ("text[]", None, None),
    ],
)
def test_a_list_of_quickbooks_fills_a_column_of_several_values_one_by_one(
    own: Connection[Any], type_: str, sent: Any, held: Any
) -> None:
    own.execute("CREATE DOMAIN own.labels AS text[] CHECK (cardinality(VALUE) < 3)")
    _make_types(own)
    things(own, f"value {type_}")

    sync(own, into(type_), item("7", Value=sent))

    assert rows(own, "SELECT value FROM own.things") == [(held,)]
    assert sync(own, into(type_), item("7", Value=sent)) == [End("7", "unchanged")]


def test_an_empty_list_is_blank_as_what_is_not_there(own: Connection[Any]) -> None:
    things(own, "value text[]")
    sync(own, into("text[]"), item("7", Value=["a"]), item("8", Value=["a"]))
    own.execute("UPDATE own.things SET value = '{person}' WHERE quickbooks_id = '7'")

    sync(own, into("text[]"), item("7", Value=[]), item("8", Value=[]))

    held = rows(own, "SELECT quickbooks_id, value FROM own.things ORDER BY 1")
    assert held == [("7", ["person"]), ("8", None)]


def test_an_empty_list_is_no_value_for_a_column_that_requires_one(own: Connection[Any]) -> None:
    things(own, "value text[] NOT NULL")

    ended = sync(own, into("text[]"), item("7", Value=[]), item("8", Value=["a"]))

    assert ended == [End("7", "not_added", "missing_required"), End("8", "added")]


@pytest.mark.parametrize(
    ("type_", "sent", "rule"),
    [
        ("integer[]", ["a"], "is not a whole number"),
        ("integer[]", [1, 1.5], "is not a whole number"),
        ("smallint[]", [40000], "is too large"),
        ("numeric(9, 2)[]", [1.5, 1.005], "has more than 2 decimal places"),
        ("numeric(9, 2)[]", "{1.5, 1.005}", "has more than 2 decimal places"),
        ("numeric(9, 2)[]", '{{"1.5"},{"1.005"}}', "has more than 2 decimal places"),
        ("numeric(9, 2)[]", " {1.005}", "has more than 2 decimal places"),
        ("numeric(9, 2)[]", "[2:3]={1.5,1.005}", "has more than 2 decimal places"),
        ("numeric(9, 2)[]", [12345678], "is too large"),
        ("money[]", ["1.005"], "has more than 2 decimal places"),
        ("real[]", ["200000.01"], "has more digits than real holds"),
        ("varchar(3)[]", ["abc", "abcd"], "is longer than 3 characters"),
        ("name[]", ["x" * 70], "is longer than 63 bytes"),
        ("date[]", ["2024-02-29", "now"], "is not a date (year-month-day)"),
        ("date[]", r'{2024-02-29,"\now"}', "is not a date (year-month-day)"),
        ("boolean[]", [True, "yes"], "is neither true nor false"),
        ("time(0)[]", ["10:00:00.7"], "is finer than the 0 decimal places of a second"),
        ("uuid[]", ["42"], "is not a UUID"),
        ("own.mood[]", ["happy", "cross"], "is none of happy, sad"),
        ("own.price[]", ["1.005"], "has more than 2 decimal places"),
        ("own.prices", ["1.005"], "has more than 2 decimal places"),
    ],
)
def test_a_list_with_an_item_that_the_column_does_not_hold_as_it_is_ends_its_own_row(
    own: Connection[Any], type_: str, sent: Any, rule: str
) -> None:
    _make_types(own)
    things(own, f"value {type_}")

    ended = sync(own, into(type_), item("7", Value=sent), item("8"))

    assert ended == [End("7", "not_added", "invalid_value"), End("8", "added")]
    assert f"has an item that {rule}" in outcome(own, "7", "message")[0]


@pytest.mark.parametrize(
    ("type_", "dropping"),
    [
        ("interval", False),
        ("interval[]", False),
        ("interval second", False),
        ("interval(6)", False),
        ("interval day to second", False),
        ("interval(0)", True),
        ("interval(0)[]", True),
        ("interval day to second(3)", True),
        ("interval day", True),
        ("interval year to month", True),
    ],
)
def test_an_interval_that_would_drop_what_is_finer_cannot_be_mapped(
    own: Connection[Any], type_: str, dropping: bool
) -> None:
    things(own, f"value {type_}")

    told = list(lacking.misfits(catalog.read(own, "own.things"), into(type_)["things"]))

    assert ["drops in silence what is finer" in problem for problem in told] == [True] * dropping


@pytest.mark.parametrize(
    ("type_", "why"),
    [
        ("own.pair", "which is made of several columns of its own. Take it out."),
        ("own.pair[]", "which is made of several columns of its own. Take it out."),
        ("own.small_pair", "which is made of several columns of its own. Take it out."),
        (
            "own.hstore",
            "which Postgres does not read again as it writes it to JSON. Make the column jsonb, or "
            "take it out.",
        ),
    ],
)
def test_a_column_of_a_type_that_is_not_held_as_it_is_sent_is_told_before_any_row_moves(
    own: Connection[Any], type_: str, why: str
) -> None:
    """A type stands in for that of the extension hstore, which not every server has."""
    own.execute("CREATE TYPE own.pair AS (amount numeric(9, 2), name varchar(3))")
    own.execute("CREATE DOMAIN own.small_pair AS own.pair CHECK ((VALUE).amount < 10)")
    own.execute("CREATE TYPE own.hstore AS ENUM ()")
    things(own, f"value {type_}")

    table = catalog.read(own, "own.things")
    [told] = lacking.misfits(table, into(type_)["things"])

    assert "value" not in {candidate.name for candidate in candidates(table)}
    assert told == f"things.yaml line 4: fields.value: own.things.value takes {type_}, {why}"


@pytest.mark.parametrize(
    ("type_", "sent", "held"),
    [
        ("integer[]", '{5.00, "6.0" ,7}', "{5,6,7}"),
        ("integer[]", "[2:3]={5.00,null}", "[2:3]={5,NULL}"),
        ("integer[]", "{{1.0,NULL},{3,4}}", "{{1,NULL},{3,4}}"),
        ("timestamp[]", "{2024-01-01T02:00:00-08:00,NULL}", '{"2024-01-01 10:00:00",NULL}'),
        ("timestamp[]", ' {"2024-01-01T02:00:00-08:00"}', '{"2024-01-01 10:00:00"}'),
        ("text[]", r'{a\,b\ , "c\"\\d" }', r'{"a,b ","c\"\\d"}'),
        ("varchar(2)[]", r"{\a\b, \  }", '{ab," "}'),
    ],
)
def test_a_list_that_is_written_as_postgres_does_is_read_item_by_item_too(
    own: Connection[Any], type_: str, sent: str, held: str
) -> None:
    things(own, f"value {type_}")

    sync(own, into(type_), item("7", Value=sent))

    assert rows(own, "SELECT value::text FROM own.things") == [(held,)]
    assert sync(own, into(type_), item("7", Value=sent)) == [End("7", "unchanged")]


@pytest.mark.parametrize("type_", ["text", "text[]", "integer[]", "jsonb"])
@pytest.mark.parametrize("text", ["[" * 4000, "[" * 2000 + "]" * 2000, "[NaN, 5]", "[Infinity]"])
def test_a_text_that_is_nearly_a_list_stops_nothing(
    own: Connection[Any], type_: str, text: str
) -> None:
    things(own, f"value {type_}")

    ended = sync(own, into(type_), item("7", Value="{5}"), item("8", Value=text))

    assert [end.id for end in ended] == ["7", "8"]


def test_a_list_within_a_list_is_refused_by_the_table(own: Connection[Any]) -> None:
    things(own, "value text[]")

    ended = sync(own, into("text[]"), item("7", Value=[{"a": 1}, "b"]), item("8"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "added")]


def _make_types(own: Connection[Any]) -> None:
    own.execute("CREATE TYPE own.mood AS ENUM ('happy', 'sad')")
    own.execute("CREATE DOMAIN own.price AS numeric(9, 2)")
    own.execute("CREATE DOMAIN own.prices AS own.price[]")


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("smallint", "32767", "32768"),
        ("bigint", "-9223372036854775808", "1.5"),
        ("numeric(18, 2)", "0.30", "100000000000000000000"),
        ("numeric(18, 2)", "-1.50", "1.005"),
        ("numeric", "1234567890123456789.0000001", "NaN"),
        ("real", "1.5", "Infinity"),
        ("double precision", "0.1", "NaN"),
        ("money", "1234.56", "much"),
        ("boolean", "true", "yes"),
        ("date", "1752-09-14", "2023-02-29"),
        ("date", "1899-12-31", "0000-00-00"),
        ("date", "0001-01-01", "31/12/2024"),
        ("date", "9999-12-31", "infinity"),
        ("date", "2024-02-29", "now"),
        ("date", "2024-02-29", "epoch"),
        ("timestamp", "2024-02-29T23:59:59", "now"),
        ("timestamptz", "2024-02-29T23:59:59-08:00", "-infinity"),
        ("time", "23:59:59", "24:30"),
        ("time", "00:00", "now"),
        ("timetz", "12:00:00+02:00", "allballs"),
        ("interval", "1 day 02:00:00", "a while"),
        ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "42"),
        ("bytea", "\\x00ff", "\\xzz"),
        ("inet", "10.0.0.1/8", "10.0.0.256"),
        ("cidr", "10.0.0.0/8", "10.0.0.1/8"),
        ("point", "(1,2)", "here"),
        ("int4range", "[1,5)", "[5,1)"),
        ("text[]", '{a,"b c"}', "a, b"),
        ("char(3)", "abc", "abcd"),
        ("bit(3)", "101", "1011"),
        ("macaddr", "08:00:2b:01:02:03", "08:00"),
        ("real", "200000.5", "200000.01"),
        ("double precision", "200000.01", "9007199254740993"),
        ("money", "1.05", "1.005"),
        ("name", "x" * 63, "x" * 70),
        ('"char"', "x", "xyz"),
        ("time(0)", "10:00:01", "10:00:00.7"),
        ("timestamp(3)", "2024-02-29T10:00:00.125", "2024-02-29T10:00:00.1256"),
        ("numeric(2, 4)", "0.0012", "0.1"),
        ("numeric(3, -2)", "1200", "1250"),
        ("numeric(3, -2)", "0", "100000"),
    ],
)
def test_a_value_that_the_type_takes_is_stored_and_stays_and_another_ends_its_own_row(
    own: Connection[Any], type_: str, good: str, bad: str
) -> None:
    if type_ == "xml" and "libxml" not in one(
        own, "SELECT string_agg(setting, ' ') FROM pg_config"
    ):
        type_, good, bad = "macaddr", "08:00:2b:01:02:03", "08:00"
    things(own, f"value {type_}")
    known = into(type_)

    first = sync(own, known, item("7", Value=good), item("8", Value=bad), item("9"))
    again = sync(own, known, item("7", Value=good), item("9"))

    assert [(end.id, end.outcome) for end in first] == [
        ("7", "added"),
        ("8", "not_added"),
        ("9", "added"),
    ]
    assert first[1].reason in ("invalid_value", "refused_by_table")
    assert "value" in outcome(own, "8", "message")[0].lower()
    assert [end.outcome for end in again] == ["unchanged", "unchanged"]
    stored = one(own, f"SELECT value = '{good}'::{type_} FROM own.things WHERE value IS NOT NULL"
                 if type_ not in ("point",) else "SELECT true")  # fmt: skip
    assert stored


def test_a_moment_keeps_its_instant_in_a_column_without_a_time_zone(own: Connection[Any]) -> None:
    things(own, "value timestamp")

    sync(own, into("timestamp"), item("7", Value="2024-01-01T02:00:00-08:00"))
    again = sync(own, into("timestamp"), item("7", Value="2024-01-01T02:00:00-08:00"))

    assert rows(own, "SELECT value::text FROM own.things") == [("2024-01-01 10:00:00",)]
    assert again == [End("7", "unchanged")]


def test_a_domain_has_the_limits_of_what_it_is_made_of(own: Connection[Any]) -> None:
    own.execute("CREATE DOMAIN own.label AS name; CREATE DOMAIN own.hundreds AS numeric(3, -2)")
    things(own, "value own.label, hundreds own.hundreds")
    known = parse_all({"things": mapping("own.things", "value: {from: V}, hundreds: {from: H}")})

    ended = sync(own, known, item("7", V="x" * 70), item("8", H="1250"), item("9", H="1200"))

    assert [end.outcome for end in ended] == ["not_added", "not_added", "added"]


@pytest.mark.parametrize("type_", ["json", "jsonb"])
def test_any_text_is_a_value_of_json(own: Connection[Any], type_: str) -> None:
    things(own, f"value {type_}")

    assert sync(own, into(type_), item("7", Value='a "text"')) == [End("7", "added")]
    assert sync(own, into(type_), item("7", Value='a "text"')) == [End("7", "unchanged")]
    assert one(own, "SELECT value::jsonb #>> '{}' FROM own.things") == 'a "text"'


@pytest.mark.parametrize(
    "name",
    [
        *("select", "User", "two words", "größe", "table", "a.b", 'qu"ote', "it's", "100%"),
        *("n", "n" * 63, "ü" * 31, "{brace}", "current", "i", "new", "record_key", "ctid_"),
        *("self", "back\\slash", "index"),
    ],
)
def test_a_column_of_any_name_is_filled_and_found(own: Connection[Any], name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    things(own, f"{quoted} text")
    written = "'" + name.replace("'", "''") + "': {from: Value}"
    known = parse_all({"things": mapping("own.things", written)})

    assert sync(own, known, item("7", Value="A")) == [End("7", "added")]
    assert sync(own, known, item("7", Value="B")) == [End("7", "updated")]
    assert one(own, f"SELECT {quoted} FROM own.things") == "B"


def test_a_column_that_is_named_like_the_columns_of_a_batch_is_told(own: Connection[Any]) -> None:
    things(own, '"@entity" text')
    known = parse_all({"things": mapping("own.things", "'@entity': {from: Value}")})

    [told] = lacking.misfits(catalog.read(own, "own.things"), known["things"])

    assert "a column whose name begins with @ cannot be mapped. Rename it." in told


@pytest.mark.parametrize(
    ("type_", "default"),
    [
        ("varchar(20)", "nextval('own.number')"),
        ("bigint", "extract(epoch FROM timestamptz '2026-01-01')"),
        ("own.label", "1"),
    ],
)
def test_a_blank_gets_a_default_of_another_type_as_the_column_takes_it(
    own: Connection[Any], type_: str, default: str
) -> None:
    own.execute("CREATE SEQUENCE own.number; CREATE DOMAIN own.label AS varchar(5)")
    things(own, f"value {type_} NOT NULL DEFAULT {default}")
    own.execute("INSERT INTO own.things (name) VALUES ('by hand')")

    ended = sync(own, into("x"), item("7"), item("8", Value="77"))

    assert ended == [End("7", "added"), End("8", "added")]
    [seven, eight, hand] = rows(own, "SELECT value::text FROM own.things ORDER BY quickbooks_id")
    assert seven == (("2",) if "nextval" in default else hand) and eight == ("77",)


def test_fields_with_different_collations_are_compared_together(own: Connection[Any]) -> None:
    things(own, 'value text COLLATE "C"')
    own.execute('ALTER TABLE own.things ALTER name TYPE text COLLATE "POSIX"')
    own.execute("INSERT INTO own.things (name, value) VALUES ('Pump', 'a')")
    checked = {"import": "{key: quickbooks_id, check: [name, value]}"}
    known = parse_all({"things": mapping("own.things", "value: {from: Value}", **checked)})

    ended = sync(
        own, known, item("7", Name="PUMP", Value="A"), item("8", Value="b"), item("9", Value="b")
    )

    assert [end.outcome for end in ended] == ["duplicate", "added", "added"]
    assert sync(own, known, item("10", Name="Item 9", Value="B"))[0].outcome == "duplicate"


def test_a_domain_over_a_domain_keeps_all_their_rules(own: Connection[Any]) -> None:
    own.execute("CREATE DOMAIN own.short AS varchar(5) CHECK (VALUE <> 'bad')")
    own.execute("CREATE DOMAIN own.must AS own.short NOT NULL")
    things(own, "value own.must")

    found = catalog.read(own, "own.things").columns["value"]
    ended = sync(own, into("x"), *(item(str(n), Value=v) for n, v in enumerate(VALUES)))

    assert (found.kind, found.length, found.required) == ("text", 5, True)
    assert [end.reason for end in ended] == [
        None,
        "invalid_value",
        "refused_by_table",
        "missing_required",
    ]


VALUES = ("fine!", "longer", "bad", " ")
