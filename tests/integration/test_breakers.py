"""What looks like an accident stops, is told once, and passes once a person has released it."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import breakers, runs
from quickbooks_crm.breakers import Danger, Threshold, Thresholds
from quickbooks_crm.errors import BreakerTripped, SettingsError
from quickbooks_crm.runs import Run

REALM = "9341452000000001"
RUN, LATER = Run("sample", REALM, "run-1"), Run("sample", REALM, "run-2")
DANGER = Danger(
    "mass_delete", "Customer", 100, 1_000, "100 of 1,000 customers vanished.", {"ids": ["1", "2"]}
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        runs.start(connection, RUN, "manual", None)
        yield connection


def passes(connection: Connection[Any], danger: Danger = DANGER, run: Run = LATER) -> bool:
    """Whether a run goes on with a danger; if not, its trip is noted."""
    try:
        with connection.transaction():
            breakers.pass_or_stop(connection, run.realm, run.run_id, danger)
    except BreakerTripped as error:
        breakers.note(connection, run, error.danger)
        return False
    return True


def released(connection: Connection[Any], breaker: str = "mass_delete:Customer") -> None:
    breakers.release(connection, "sample", breaker, "anna", "we closed a branch")


def states(connection: Connection[Any]) -> list[tuple[str, str]]:
    found = [
        *breakers.open_ones(connection, "sample"),
        *breakers.past_ones(connection, "sample", 10),
    ]
    return [(breaker.name, breaker.state) for breaker in found]


# Stopping


def test_a_danger_stops_and_says_what_a_person_can_do(connection: Connection[Any]) -> None:
    with pytest.raises(BreakerTripped) as stopped:
        breakers.pass_or_stop(connection, REALM, "run-1", DANGER)

    assert stopped.value.danger is DANGER
    assert str(stopped.value) == (
        "100 of 1,000 customers vanished. Nothing of it was written. If it is right, release it on "
        "the page Health: the next run goes on with it. If it is not right, put right what caused "
        "it; the next run looks again."
    )
    assert stopped.value.typed == (
        "To release it: python -m quickbooks_crm release --company sample --breaker "
        'mass_delete:Customer --because "...". Then run again: python -m quickbooks_crm sync '
        "--company sample (with --everything, if a run that reads everything was stopped; the same "
        "replay or retry, if that was)."
    )


def test_what_stops_a_run_carries_no_details_into_a_log() -> None:
    stopped = BreakerTripped(replace(DANGER, details={"name": "Amy's Bird Sanctuary"}))

    assert "Amy" not in f"{stopped} {stopped!r}"


def test_what_stopped_a_run_survives_the_way_to_another_process() -> None:
    stopped = BreakerTripped(DANGER, "Release it.")

    copy = pickle.loads(pickle.dumps(stopped))  # noqa: S301

    assert (str(copy), copy.danger) == (str(stopped), DANGER)


def test_a_danger_that_stops_every_run_is_one_breaker(connection: Connection[Any]) -> None:
    for run, count in ((RUN, 100), (LATER, 101), (LATER, 130)):
        assert not passes(connection, replace(DANGER, count=count), run)

    (breaker,) = breakers.open_ones(connection, "sample")
    assert (breaker.trips, breaker.count, breaker.of) == (2, 130, 1_000)
    assert (breaker.run_id, breaker.details) == ("run-2", {"ids": ["1", "2"]})


def test_dangers_of_other_things_are_breakers_of_their_own(connection: Connection[Any]) -> None:
    passes(connection)
    passes(connection, replace(DANGER, subject="Item"))
    passes(connection, replace(DANGER, code="empty_source"))

    assert states(connection) == [
        ("empty_source:Customer", "open"),
        ("mass_delete:Item", "open"),
        ("mass_delete:Customer", "open"),
    ]


def test_a_breaker_of_another_company_is_not_shown(connection: Connection[Any]) -> None:
    passes(connection, run=Run("other", "9341452000000002", "run-1"))

    assert states(connection) == []


@pytest.mark.parametrize(
    ("count", "of", "said"),
    [
        (41, 200, "20.5 %; the limit is 5 %, and 20 records"),
        (600, 100_000, "the limit is 500 records"),
    ],
)
def test_what_is_too_much_says_which_limit_it_has_passed(count: int, of: int, said: str) -> None:
    assert Thresholds().mass_delete.passed(count, of)
    assert Thresholds().mass_delete.words(count, of) == said


# Releasing


def test_a_released_danger_passes_once(connection: Connection[Any]) -> None:
    passes(connection)
    released(connection)

    assert passes(connection)
    assert not passes(connection)
    assert states(connection) == [
        ("mass_delete:Customer", "open"),
        ("mass_delete:Customer", "used"),
    ]


def test_a_release_tells_who_when_and_why(connection: Connection[Any]) -> None:
    passes(connection)
    released(connection)

    (breaker,) = breakers.open_ones(connection, "sample")
    assert (breaker.state, breaker.released_by, breaker.because) == (
        "released",
        "anna",
        "we closed a branch",
    )
    assert breaker.released_at is not None


def test_a_release_is_not_used_up_by_a_run_that_fails_later(connection: Connection[Any]) -> None:
    passes(connection)
    released(connection)

    with pytest.raises(ZeroDivisionError), connection.transaction():
        breakers.pass_or_stop(connection, REALM, "run-2", DANGER)
        _ = 1 // 0

    assert passes(connection)


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [
        ({"count": 90}, True),
        ({"count": 110}, True),
        ({"count": 111}, False),
        ({"subject": "Item"}, False),
        ({"code": "empty_source"}, False),
    ],
)
def test_a_release_covers_this_very_danger_and_a_tenth_more(
    connection: Connection[Any], change: dict[str, Any], goes_on: bool
) -> None:
    passes(connection)
    released(connection)

    assert passes(connection, replace(DANGER, **change)) is goes_on


def test_a_release_does_not_cover_another_company(connection: Connection[Any]) -> None:
    passes(connection)
    released(connection)

    assert not passes(connection, run=Run("other", "9341452000000002", "run-1"))


def test_a_release_of_another_company_of_quickbooks_covers_only_the_one_that_was_shown(
    connection: Connection[Any],
) -> None:
    other = Danger("wrong_company", "", 1, 1, "It is another company.", {"found": "Amy's"})
    passes(connection, other)
    released(connection, "wrong_company")

    assert not passes(connection, replace(other, details={"found": "Bob's"}))
    released(connection, "wrong_company")
    assert passes(connection, replace(other, details={"found": "Bob's"}))


def test_a_danger_that_outgrew_its_release_must_be_released_anew(
    connection: Connection[Any],
) -> None:
    passes(connection)
    released(connection)

    assert not passes(connection, replace(DANGER, count=500))

    assert states(connection) == [
        ("mass_delete:Customer", "open"),
        ("mass_delete:Customer", "outgrown"),
    ]


@pytest.mark.parametrize(("count", "goes_on"), [(110, True), (111, False)])
def test_a_trip_that_was_noted_late_neither_undoes_nor_widens_the_release(
    connection: Connection[Any], count: int, goes_on: bool
) -> None:
    passes(connection)
    released(connection)

    breakers.note(connection, LATER, replace(DANGER, count=110))

    assert passes(connection, replace(DANGER, count=count)) is goes_on


def test_a_danger_that_is_gone_takes_its_breaker_and_its_release_along(
    connection: Connection[Any],
) -> None:
    passes(connection)
    passes(connection, replace(DANGER, subject="Item"))
    released(connection)

    breakers.clear(connection, REALM, "run-2", ["mass_delete", "empty_source"], "Customer")

    assert states(connection) == [("mass_delete:Item", "open"), ("mass_delete:Customer", "passed")]
    assert not passes(connection)


@pytest.mark.parametrize("breaker", ["mass_delete:Item", "mass_delete", "nonsense", ""])
def test_only_what_stopped_a_run_can_be_released(connection: Connection[Any], breaker: str) -> None:
    passes(connection)

    with pytest.raises(SettingsError, match="Those that do: mass_delete:Customer"):
        released(connection, breaker)


def test_nothing_is_released_twice(connection: Connection[Any]) -> None:
    passes(connection)
    released(connection)

    with pytest.raises(SettingsError, match="already released by anna"):
        released(connection)


# When it is too many


@pytest.mark.parametrize(
    ("count", "of", "too_many"),
    [
        (19, 100, False),
        (20, 100, True),
        (20, 400, False),
        (21, 400, True),
        (500, 1_000_000, False),
        (501, 1_000_000, True),
        (20, 0, True),
        (0, 0, False),
    ],
)
def test_deletes_are_too_many_by_their_share_or_by_their_number(
    count: int, of: int, too_many: bool
) -> None:
    assert Thresholds().mass_delete.passed(count, of) is too_many


@pytest.mark.parametrize(
    ("breaker", "count", "of", "too_many"),
    [
        ("too_many_rejects", 49, 49, False),
        ("too_many_rejects", 50, 500, False),
        ("too_many_rejects", 51, 500, True),
        ("mass_change", 99, 99, False),
        ("mass_change", 100, 200, False),
        ("mass_change", 101, 200, True),
        ("mass_change", 1_000, 10_000, False),
    ],
)
def test_refusals_and_changes_are_too_many_by_their_share(
    breaker: str, count: int, of: int, too_many: bool
) -> None:
    assert getattr(Thresholds(), breaker).passed(count, of) is too_many


def test_a_share_of_all_is_never_passed() -> None:
    assert not Threshold(percent=100, at_least=1).passed(10, 10)
