"""Where two sides differ, found by counting: the parts to read, and what finding them costs."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from quickbooks_crm.quickbooks.periods import Period
from quickbooks_crm.reconcile.search import PERIODS, Found, Sides, search, whole

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass
class Books:
    """Times of the last change by id, as each side has them."""

    theirs: dict[int, datetime]
    ours: dict[int, datetime]
    asked: list[Period] = field(default_factory=list)

    def search(self) -> Found:
        return search(Sides(self._theirs, self._ours, self._middle), NOW)

    def _theirs(self, period: Period) -> int:
        self.asked.append(period)
        return len(within(self.theirs, period))

    def _ours(self, period: Period) -> int:
        return len(within(self.ours, period))

    def _middle(self, period: Period) -> datetime | None:
        times = sorted(self.ours[id] for id in within(self.ours, period))
        later = [t for t in times if t > times[0] and t >= times[(len(times) - 1) // 2]]
        return later[0] if later else None


def within(times: dict[int, datetime], period: Period) -> set[int]:
    return {id for id, time in times.items() if period.since <= time < period.until}


def books(count: int, seed: int = 1) -> Books:
    """Two sides that agree, with changes of three years."""
    chance = random.Random(seed)
    times = {id: NOW - timedelta(seconds=chance.randint(1, 94_608_000)) for id in range(count)}
    return Books(dict(times), dict(times))


def test_sides_that_agree_cost_one_call_a_period_and_nothing_is_read() -> None:
    both = books(20_000)

    assert both.search() == Found(20_000, 20_000, [])
    assert len(both.asked) == PERIODS


@pytest.mark.parametrize("seed", range(20))
def test_every_record_that_one_side_lacks_is_in_a_part_that_fits_on_a_page(seed: int) -> None:
    both = books(20_000, seed)
    chance = random.Random(seed)
    lacking, extra = chance.sample(range(20_000), 2), chance.sample(range(20_000), 1)
    at_stake = {id: both.theirs[id] for id in (*lacking, *extra)}
    for id in lacking:
        both.ours.pop(id, None)
    for id in extra:
        both.theirs.pop(id, None)

    found = both.search()

    cells = [within(at_stake, part.period) for part in found.parts or ()]
    assert found.parts is not None
    hidden = len(at_stake) - sum(map(len, cells))
    assert hidden in (0, 2)  # one too many and one too few, side by side, hide each other
    assert all(part.theirs < 1_000 for part in found.parts)
    assert len(both.asked) + len(found.parts) < whole(20_000)


def test_a_change_that_was_missed_is_counted_in_two_periods() -> None:
    both = books(5_000)
    id = next(id for id, time in both.ours.items() if time < NOW - timedelta(days=300))
    both.theirs[id] = NOW - timedelta(days=3)

    found = both.search()

    assert found.theirs == found.ours
    assert sum(part.theirs - part.ours for part in found.parts or ()) == 0
    assert {part.theirs - part.ours for part in found.parts or ()} == {1, -1}


def test_all_is_read_when_looking_further_would_cost_more() -> None:
    both = books(20_000)
    for id in random.Random(1).sample(range(20_000), 200):
        del both.ours[id]

    assert both.search().parts is None
    assert len(both.asked) < whole(20_000)


def test_all_is_read_when_too_many_changed_in_the_same_second() -> None:
    same = dict.fromkeys(range(1_500), NOW - timedelta(days=100))
    both = Books(same, {id: time for id, time in same.items() if id})

    assert both.search().parts is None


@pytest.mark.parametrize(("records", "calls"), [(0, 1), (1, 2), (999, 2), (1_000, 3), (20_000, 22)])
def test_what_reading_all_of_it_costs(records: int, calls: int) -> None:
    assert whole(records) == calls
