"""Where two sides differ, found by counting: a period of which they count the same is not read.

Records are counted by the time of their last change, so a change that one side missed shows too:
its record is counted in two different periods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log2

from quickbooks_crm.quickbooks.periods import BEGINNING, PAGE_SIZE, Period

AGES = (timedelta(days=30), timedelta(days=7), timedelta(days=1))
"""Where the periods that are counted first meet: changes are missed lately rather than long ago."""

PERIODS = len(AGES) + 1


@dataclass(frozen=True)
class Sides:
    """How both sides are counted: by calls to QuickBooks, and in the mirror. `middle` is the time
    that halves a period's records in the mirror; None when all of them have the same one."""

    theirs: Callable[[Period], int]
    ours: Callable[[Period], int]
    middle: Callable[[Period], datetime | None]


@dataclass(frozen=True)
class Part:
    """A period and how many records each side has in it."""

    period: Period
    theirs: int
    ours: int

    @property
    def calls(self) -> int:
        """How many calls it takes to find one difference in it, and to read what is around it."""
        return 1 + max(0, ceil(log2((self.theirs + 1) / PAGE_SIZE)))


@dataclass(frozen=True)
class Found:
    """How many records there are, and the parts that have to be read; None: all of it, since
    looking further would cost more."""

    theirs: int
    ours: int
    parts: list[Part] | None


def search(sides: Sides, until: datetime) -> Found:
    """The parts in which both sides differ, each small enough for one page."""
    first = [_part(sides, period) for period in _periods(until)]
    theirs = sum(part.theirs for part in first)
    parts: list[Part] | None = [part for part in first if part.theirs != part.ours]
    while parts and (large := max(parts, key=lambda part: part.theirs)).theirs >= PAGE_SIZE:
        halves = _halves(sides, large)
        if sum(part.calls for part in parts) > whole(theirs) or not halves:
            parts = None
        else:
            parts.remove(large)
            parts += [half for half in halves if half.theirs != half.ours]
    return Found(theirs, sum(part.ours for part in first), parts)


def whole(records: int) -> int:
    """How many calls it takes to read so many records, all of them."""
    return 1 + ceil(records / (PAGE_SIZE - 1))


def _periods(until: datetime) -> list[Period]:
    ends = [*(until - age for age in AGES), until]
    return [Period(since, end) for since, end in zip([BEGINNING, *ends], ends, strict=False)]


def _part(sides: Sides, period: Period) -> Part:
    return Part(period, sides.theirs(period), sides.ours(period))


def _halves(sides: Sides, part: Part) -> list[Part]:
    """Both halves for the price of one; none where all changed in the same second."""
    middle = sides.middle(part.period)
    if middle is None:
        return []
    earlier = _part(sides, Period(part.period.since, middle))
    later = Period(middle, part.period.until)
    return [earlier, Part(later, part.theirs - earlier.theirs, part.ours - earlier.ours)]
