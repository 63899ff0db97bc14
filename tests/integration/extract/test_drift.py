"""What becomes of a record that comes only in part or says two things of one field, and how it is
told that QuickBooks sends other fields than before."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.fields import NamedTwice, fields
from quickbooks_crm.quickbooks.records import Record
from quickbooks_crm.reconcile.mirror_side import MirrorSide
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of
from tests.integration.extracting import NOON, Books, customer, extract, mirrored, names, read_rows

# Only in part


def test_what_comes_only_in_part_erases_nothing_of_the_rest(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """E6."""
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 1, Notes="Tall", Job=False, sparse=False)))

    mirror.write(read_rows(customer("1", 2, Notes="Small", sparse=True)))

    payload = mirrored(connection)["1"]["payload"]
    assert (payload["Notes"], payload["Job"]) == ("Small", False)
    assert mirror.in_part == {"Customer": {"1"}}


def test_what_comes_whole_after_that_is_taken_as_it_is(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 1, Notes="Tall")))
    mirror.write(read_rows(customer("1", 2, sparse=True)))

    mirror.write(read_rows(customer("1", 2, sparse=False)))

    assert "Notes" not in mirrored(connection)["1"]["payload"]


def test_a_new_record_may_come_only_in_part(connection: Connection[Any], attempt: Attempt) -> None:
    mirror = Mirror(connection, attempt)

    mirror.write(read_rows(customer("1", 1, sparse=True)))

    assert names(connection) == {"1": "Customer 1"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_whole_version_and_a_newer_part_of_it_may_come_together(
    connection: Connection[Any], attempt: Attempt, order: tuple[int, ...]
) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 1, Notes="Tall")))
    both = [customer("1", 2, Notes="Small"), customer("1", 3, sparse=True, Job=False)]

    mirror.write(read_rows(customer("2"), *(both[n] for n in order)))

    payload = mirrored(connection)["1"]["payload"]
    assert (payload["Notes"], payload["Job"]) == ("Small", False)
    assert "2" in names(connection)


def reconcile(connection: Connection[Any], mirror: Mirror, attempt: Attempt) -> MirrorSide:
    """The mirror's side of one that repairs."""
    side = MirrorSide(connection, attempt, "Customer", mirror.generation, Thresholds())
    side.begin(NOON + timedelta(days=900))
    return side


def test_a_reconcile_holds_only_that_part_against_the_mirror(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("1", 1, Notes="Tall")))
    mirror.write(read_rows(customer("1", 2, sparse=True)))
    before = mirrored(connection)["1"]["payload"]

    reconcile(connection, mirror, attempt).compare(read_rows(customer("1", 2, sparse=True)))

    assert mirrored(connection)["1"]["payload"] == before
    assert connection.execute("SELECT id FROM sync.drift").fetchall() == []


# Two things of one field

TWICE = [
    '{"Id":"2","DisplayName":"A","DisplayName":"B"}',
    '{"Id":"2","DisplayName":"A","BillAddr":{"City":"A","City":"B"}}',
    '{"Id":"2","DisplayName":"A","Lines":[{"A":1},{"A":1,"A":1}]}',
    '{"Id" : "2" ,"DisplayName" : "A" ,"DisplayName" : "B"}',
    '{"Id":"2","Display\\u004eame":"A","DisplayName":"B"}',
    '{"Id":"2","Far":1e400,"Far":1}',
    '{"Id":"2","DisplayName":"A","DisplayName":"B","Digits":%s}' % ("1" * 200_000),
]


@pytest.mark.parametrize("raw", TWICE)
def test_a_record_that_says_two_things_of_one_field_is_set_aside(
    connection: Connection[Any], attempt: Attempt, raw: str
) -> None:
    """D07: nobody can tell which is meant. All others arrive, and it keeps what it was."""
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("2", 1), customer("3", 1)))
    odd = Record("Customer", "2", 5, NOON + timedelta(minutes=1), False, raw.encode())

    mirror.write([*read_rows(customer("1", 1)), odd, *read_rows(customer("4", 1))])

    assert names(connection) == {str(n): f"Customer {n}" for n in range(1, 5)}
    assert mirror.set_aside == {"Customer": {"2"}}


def test_a_reconcile_takes_neither_of_them(connection: Connection[Any], attempt: Attempt) -> None:
    mirror = Mirror(connection, attempt)
    mirror.write(read_rows(customer("2", 1)))
    odd = Record("Customer", "2", 5, NOON + timedelta(minutes=1), False, TWICE[0].encode())

    reconcile(connection, mirror, attempt).compare([odd])

    assert names(connection) == {"2": "Customer 2"}


@pytest.mark.parametrize("raw", TWICE)
def test_a_field_that_stands_twice_is_seen_wherever_it_stands(raw: str) -> None:
    with pytest.raises(NamedTwice):
        fields(raw.encode())


@pytest.mark.parametrize(
    "raw",
    [
        '{"Id":"1","A":{"Id":"2"},"B":[{"Id":"3"},{"Id":"4"}]}',
        '{"Id":"1","A":"\\"Id\\": and \\"Id\\":","B":":\\"::"}',
        '{ "Id" : "1",\n "A" : {} , "B": 1e400 }',
        '{"Id":"1","A":123456789012345678901234567890,"B":"\\u0022:\\ud83d\\ude00"}',
    ],
)
def test_the_same_name_in_other_objects_and_in_texts_is_no_field_twice(raw: str) -> None:
    assert set(fields(raw.encode())) == {"Id", "A", "B"}


# Other fields than before


def wrote(mirror: Mirror, *rows: dict[str, Any]) -> dict[str, str]:
    """What a run is told of the fields of these rows, once they are all read."""
    mirror.write(read_rows(*rows))
    mirror.changed_fields.clear()
    mirror.advance({"Customer": NOON})
    return dict(mirror.changed_fields)


def several(first: int, last: int, token: int = 1, **fields: Any) -> list[dict[str, Any]]:
    return [customer(str(n), token, **fields) for n in range(first, last + 1)]


def test_a_field_that_comes_for_the_first_time_is_told_once(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """E3, N50."""
    assert wrote(Mirror(connection, attempt), *several(1, 20, Job=False)) == {}
    mirror = Mirror(connection, attempt)

    told = wrote(mirror, *several(21, 24, BrandNew={"Deep": 1}, OddToo=None), customer("25"))

    assert told == {
        "new_field.Customer": "QuickBooks sends of Customer what it never sent before: BrandNew, "
        "OddToo. It is in the mirror, and no mapping need read it."
    }
    assert wrote(mirror, *several(26, 30, BrandNew=2)) == {}


def test_a_field_that_is_known_but_was_not_used_yet_is_no_news(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    wrote(mirror, *several(1, 20))

    assert wrote(mirror, customer("21", Mobile={"FreeFormNumber": "1"})) == {}


def test_of_few_records_no_field_is_news(connection: Connection[Any], attempt: Attempt) -> None:
    mirror = Mirror(connection, attempt)
    wrote(mirror, *several(1, 19))

    assert wrote(mirror, customer("20", BrandNew=1)) == {}


def test_a_field_that_nearly_all_had_and_none_has_any_more_is_told_once(
    connection: Connection[Any], attempt: Attempt
) -> None:
    """E4: however few records change at a time."""
    mirror = Mirror(connection, attempt)
    wrote(mirror, *several(1, 40, Balance=0), customer("41"))
    told = [wrote(mirror, customer(str(n), 2)) for n in range(1, 20)]
    assert told == [{}] * 19

    assert wrote(mirror, customer("20", 2)) == {
        "gone_field.Customer": "QuickBooks no longer sends Balance of Customer: nearly every "
        "record had it before, and none of the last 20 or more has. A mapping that reads it finds "
        "a blank. See whether it has another name now."
    }
    assert wrote(mirror, *several(21, 30, 2)) == {}
    assert wrote(mirror, customer("31", 2, Balance=1)) == {}


@pytest.mark.parametrize(
    "before",
    [
        several(1, 19, Fax={}) + several(20, 21),
        several(1, 90, Fax={}) + several(91, 100),
    ],
    ids=["of few", "of nine in ten"],
)
def test_a_field_that_records_may_lack_is_not_missed(
    connection: Connection[Any], attempt: Attempt, before: list[dict[str, Any]]
) -> None:
    mirror = Mirror(connection, attempt)
    wrote(mirror, *before)

    assert wrote(mirror, *several(1, 60, 2)) == {}


def test_what_came_only_in_part_or_was_deleted_lacks_no_field(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    wrote(mirror, *several(1, 40, Balance=0))
    deleted = [{"domain": "QBO", "status": "Deleted", "Id": str(n)} for n in range(1, 31)]

    assert wrote(mirror, *several(1, 30, 2, sparse=True), *several(1, 30, 3, Balance=1)) == {}
    assert wrote(mirror, *deleted) == {}


def test_a_run_tells_which_fields_are_new_and_which_are_gone(
    connection: Connection[Any], attempt: Attempt, quickbooks: Simulator
) -> None:
    books = Books(client_of(quickbooks))
    assert extract(connection, books, attempt, ["Customer"], everything=True).warnings == {}
    for row in quickbooks.rows("Customer"):
        quickbooks.change("Customer", row["Id"], Balance=None, Saldo=5)

    told = extract(connection, books, attempt, ["Customer"], everything=False).warnings

    assert sorted(told) == ["gone_field.Customer", "new_field.Customer"]
    assert "Balance" in told["gone_field.Customer"] and "Saldo" in told["new_field.Customer"]


def test_names_of_fields_are_bound_and_never_read_as_sql(
    connection: Connection[Any], attempt: Attempt
) -> None:
    mirror = Mirror(connection, attempt)
    wrote(mirror, *several(1, 20))
    name = "x'); DROP TABLE sync.field; --"

    told = wrote(mirror, customer("21", **{name: 1}))

    assert name in told["new_field.Customer"]
