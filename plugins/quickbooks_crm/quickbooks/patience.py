"""How long a request waits before it is sent again, and when it is given up."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from quickbooks_crm.quickbooks.problems import TryAgain

TRIES = 6
LONGEST = 20 * 60.0  # seconds for one request with all its tries
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 15 * 60.0  # seconds for which QuickBooks is taken at its word

_down = wait_random_exponential(multiplier=1, max=60)
_throttled = wait_random_exponential(multiplier=8, max=60)  # Intuit's throttle lasts a minute


def patient(pause: Callable[[float], None] = time.sleep) -> Retrying:
    """Repeats what raises `TryAgain`, with growing random pauses, until it helps or is hopeless."""
    return Retrying(
        retry=retry_if_exception_type(TryAgain),
        stop=stop_after_attempt(TRIES) | stop_before_delay(LONGEST),
        wait=_wait,
        sleep=pause,
        reraise=True,
    )


def seconds_of(retry_after: str | None) -> float | None:
    """A Retry-After in either of its forms, within reason; nothing when it cannot be read."""
    if not retry_after:
        return None
    try:
        if re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", retry_after):
            seconds = float(retry_after)
        else:
            until = parsedate_to_datetime(retry_after) - datetime.now(UTC)
            seconds = until / timedelta(seconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _wait(state: RetryCallState) -> float:
    """QuickBooks' own word when it gives one, else a random time under a doubling limit."""
    error = state.outcome.exception() if state.outcome else None
    told = seconds_of(error.retry_after) if isinstance(error, TryAgain) else None
    if told is not None:
        return told
    throttled = isinstance(error, TryAgain) and error.throttled
    return max(SHORTEST_WAIT, (_throttled if throttled else _down)(state))
