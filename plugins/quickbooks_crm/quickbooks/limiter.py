"""Keeps a company's requests within Intuit's limits: 10 at a time, 10 a second, 500 a minute."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

IN_FLIGHT = 10
# (requests, seconds). The first is 10 a second with room for requests that reach QuickBooks late
# and thus closer together;
# the second leaves a few of the 500 for others who use the same company.
WINDOWS = ((10, 1.25), (480, 60.0))


class Limiter:
    """Lets each request start when it may.

    One limiter is shared by all threads that call for a company.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._in_flight = threading.BoundedSemaphore(IN_FLIGHT)
        self._starts: deque[float] = deque(maxlen=max(count for count, _ in WINDOWS))
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one more request may start; the block is that request."""
        with self._in_flight:
            while (wait := self._start()) > 0:
                self._pause(wait)
            yield

    def _start(self) -> float:
        """Note a start now, or say how many seconds it is too early for one."""
        with self._lock:
            now = self._clock()
            wait = max(self._too_early(now, count, seconds) for count, seconds in WINDOWS)
            if wait <= 0:
                self._starts.append(now)
            return wait

    def _too_early(self, now: float, count: int, seconds: float) -> float:
        return self._starts[-count] + seconds - now if len(self._starts) >= count else 0.0


@cache
def limiter(api_url: str, realm: str) -> Limiter:
    """The limiter of a company in this process."""
    return Limiter()
