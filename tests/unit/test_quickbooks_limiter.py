"""Never more than Intuit allows, however many threads call."""

import threading
from concurrent.futures import ThreadPoolExecutor

from quickbooks_crm.quickbooks.limiter import IN_FLIGHT, Limiter


class Time:
    """A clock that moves only when someone waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def starts(self, limiter: Limiter, count: int) -> list[float]:
        starts = []
        for _ in range(count):
            with limiter.turn():
                starts.append(self.now)
        return starts


def most_within(seconds: float, starts: list[float]) -> int:
    return max(sum(start <= other < start + seconds for other in starts) for start in starts)


def test_ten_requests_may_start_at_once() -> None:
    time = Time()

    assert time.starts(Limiter(lambda: time.now, time.pause), 10) == [0.0] * 10


def test_no_second_and_no_minute_has_more_than_its_share() -> None:
    time = Time()

    starts = time.starts(Limiter(lambda: time.now, time.pause), 1000)

    assert most_within(1.2, starts) == 10
    assert most_within(60, starts) == 480
    assert starts[-1] < 130


def test_ten_requests_are_in_flight_at_most() -> None:
    limiter, lock, seen = Limiter(), threading.Lock(), [0, 0]
    enough = threading.Barrier(IN_FLIGHT)

    def request() -> None:
        with limiter.turn():
            with lock:
                seen[0] += 1
                seen[1] = max(seen)
            enough.wait(timeout=10)
            with lock:
                seen[0] -= 1

    with ThreadPoolExecutor(2 * IN_FLIGHT) as pool:
        for future in [pool.submit(request) for _ in range(2 * IN_FLIGHT)]:
            future.result()

    assert seen == [0, IN_FLIGHT]


def test_a_request_that_fails_gives_its_turn_back() -> None:
    time = Time()
    limiter = Limiter(lambda: time.now, time.pause)

    for _ in range(2 * IN_FLIGHT):
        try:
            with limiter.turn():
                raise TimeoutError
        except TimeoutError:
            pass

    assert time.starts(limiter, 1)
