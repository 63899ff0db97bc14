"""Every call the simulator was asked, whether it would have cost money, and how many at once."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

METERED = frozenset({"query", "cdc", "companyinfo", "read", "batch"})
"""Kinds of calls Intuit bills as reads; only those that succeed count."""

MOST_IN_FLIGHT = 10
MOST_A_SECOND = 10
MOST_A_MINUTE = 500
MOST_BATCHES_A_MINUTE = 40
_SECOND = 0.95
"""A little less, so that a caller who keeps exactly to the limit does not pay for jitter."""


@dataclass(frozen=True)
class Call:
    """One request and how it ended; `statement` is the query, or the parameters of other calls."""

    method: str
    path: str
    kind: str
    statement: str
    status: int
    tid: str
    at: float

    @property
    def metered(self) -> bool:
        """Whether Intuit would count it against the month."""
        return self.kind in METERED and self.status == 200

    def as_dict(self) -> dict[str, Any]:
        """For the control API."""
        return {**asdict(self), "metered": self.metered}


class Ledger:
    """The calls so far."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self._months: Counter[tuple[int, int]] = Counter()
        self.metered = 0

    def add(self, call: Call) -> None:
        """Write a call down."""
        with self._lock:
            self._calls.append(call)
            self.metered += call.metered
            self._months[_month(call.at)] += call.metered

    def metered_this_month(self, now: float) -> int:
        """How many calls since the month began, in UTC, Intuit would bill."""
        return self._months[_month(now)]

    def calls(self) -> list[Call]:
        """All calls since the last reset, in the order they ended."""
        with self._lock:
            return list(self._calls)

    def reset(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
            self._months.clear()
            self.metered = 0


def _month(seconds: float) -> tuple[int, int]:
    moment = time.gmtime(seconds)
    return moment.tm_year, moment.tm_mon


class Throttle:
    """Intuit's limits per company: in flight, a second, a minute; and the most seen of each."""

    def __init__(self, limits: bool, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._now = now
        self._asked: deque[float] = deque()
        self._let_in: deque[float] = deque()
        self._batches: deque[float] = deque()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget the maxima."""
        self.most_in_flight = self.most_a_second = self.most_a_minute = 0

    @property
    def exceeded(self) -> bool:
        """Whether more was asked than Intuit allows, if it is to be kept to at all."""
        return self.limits and (
            self.most_in_flight > MOST_IN_FLIGHT
            or self.most_a_second > MOST_A_SECOND
            or self.most_a_minute > MOST_A_MINUTE
        )

    @property
    def maxima(self) -> dict[str, int]:
        """The most requests at once, within a second and within a minute; refused ones count."""
        return {
            "in_flight": self.most_in_flight,
            "per_second": self.most_a_second,
            "per_minute": self.most_a_minute,
        }

    def enter(self, kind: str = "query") -> bool:
        """Whether the request that arrives now may go on; call `leave` in either case."""
        now = self._now()
        self._in_flight += 1
        self._asked.append(now)
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        self.most_a_second = max(self.most_a_second, _within(self._asked, now, _SECOND))
        self.most_a_minute = max(self.most_a_minute, _within(self._asked, now, 60))
        if self.limits and (
            self._in_flight > MOST_IN_FLIGHT
            or _within(self._let_in, now, _SECOND) >= MOST_A_SECOND
            or _within(self._let_in, now, 60) >= MOST_A_MINUTE
            or (kind == "batch" and _within(self._batches, now, 60) >= MOST_BATCHES_A_MINUTE)
        ):
            return False
        if kind == "batch":
            self._batches.append(now)
        self._let_in.append(now)
        return True

    def leave(self) -> None:
        """The request has been answered."""
        self._in_flight -= 1


def _within(times: deque[float], now: float, seconds: float) -> int:
    """How many of these times lie within the last seconds; drops those older than a minute."""
    while times and times[0] <= now - 60:
        times.popleft()
    if seconds >= 60:
        return len(times)
    count = 0
    for moment in reversed(times):
        if moment <= now - seconds:
            break
        count += 1
    return count
