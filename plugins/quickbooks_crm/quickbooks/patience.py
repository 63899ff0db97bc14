"""How long a request waits before it is sent again, and when it is given up."""

import time
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from quickbooks_crm.quickbooks.problems import TryAgain
from quickbooks_crm.quickbooks.retry_after import SHORTEST

TRIES = 6
LONGEST = 20 * 60.0  # seconds for one request with all its tries

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


def _wait(state: RetryCallState) -> float:
    """QuickBooks' own word when it gives one, else a random time under a doubling limit."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TryAgain):
        return 0
    if error.retry_after is not None:
        return error.retry_after
    return max(SHORTEST, (_throttled if error.throttled else _down)(state))
