"""The simulator's clock, which tests can move, and QuickBooks' way of writing times."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
DAY = 86_400


class Clock:
    """The wall clock, plus what it was advanced by, unless it stands still."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._stopped: float | None = None

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead if self._stopped is None else self._stopped

    def advance(self, seconds: float) -> None:
        """Let time pass at once: tokens expire, changes grow old. Negative, it goes back."""
        self._ahead += seconds
        if self._stopped is not None:
            self._stopped += seconds

    def stop(self) -> None:
        """Stand still: whatever changes now changes in the same second."""
        self._stopped = self.now()

    def start(self) -> None:
        """Go with the wall clock again, as far ahead of it as told."""
        self._stopped = None


@lru_cache(64)  # one document tells the same moment several times
def pacific(seconds: float) -> str:
    """The time as in MetaData: Pacific, with the offset of that day, whole seconds."""
    return datetime.fromtimestamp(int(seconds), PACIFIC).isoformat()


def envelope_time(seconds: float) -> str:
    """The time as in the envelope of an answer: Pacific, with milliseconds."""
    return datetime.fromtimestamp(seconds, PACIFIC).isoformat(timespec="milliseconds")


def parse_time(text: str) -> float:
    """Seconds since 1970 of any time QuickBooks accepts in a filter; raises ValueError.

    How QuickBooks reads a time without a zone is not documented; the simulator takes it as Pacific.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PACIFIC)
    return moment.astimezone(UTC).timestamp()
