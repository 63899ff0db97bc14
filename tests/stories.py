"""Tells stories that Hypothesis makes up, and does not take long to make those shorter that fail.

SEQUENCES=5000 tells so many instead of a few, others each time, and takes its time with those that
fail.
"""

import os
from collections.abc import Callable
from functools import wraps
from time import monotonic
from types import TracebackType
from typing import Any

from hypothesis import HealthCheck, Phase, settings

PATIENCE = 300 if "SEQUENCES" in os.environ else 30
"""For how many seconds a shorter story is looked for: all tests together must not take too long."""


def so_many(usual: int) -> int:
    """How many stories to tell."""
    return int(os.environ.get("SEQUENCES", usual))


def telling(stories: int) -> settings:
    """So many stories: the same each time, so that a change is judged by itself, or with SEQUENCES
    others each time."""
    return settings(
        derandomize="SEQUENCES" not in os.environ,
        max_examples=stories,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=True,
    )


def soon_told(
    tell: Callable[..., None], seconds: float = PATIENCE, clock: Callable[[], float] = monotonic
) -> Callable[..., None]:
    """The same; but some time after the first story that fails none is told any more, and those
    fail that have failed already: Hypothesis then finds nothing shorter than the shortest of
    these."""
    failed: list[tuple[Any, Exception, TracebackType | None]] = []
    until: list[float] = []

    @wraps(tell)
    def told(*said: Any, **parts: Any) -> None:
        if until and clock() > until[0]:
            for story, error, place in failed:
                if story == (said, parts):
                    raise error.with_traceback(place)
            return
        try:
            tell(*said, **parts)
        except Exception as error:
            failed.append(((said, parts), error, error.__traceback__))
            until.append(clock() + seconds)
            raise

    return told
