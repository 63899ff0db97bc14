"""The limits of the simulator, on a clock that the test moves."""

from simulator.ledger import Throttle


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def let_in(throttle: Throttle, clock: Clock, calls: int, every: float) -> list[bool]:
    """Which of the calls may go on, when one comes every so many seconds."""
    answers = []
    for _ in range(calls):
        answers.append(throttle.enter())
        throttle.leave()
        clock.seconds += every
    return answers


def test_ten_calls_a_second_are_let_in_for_a_while() -> None:
    clock = Clock()

    answers = let_in(Throttle(True, clock), clock, calls=300, every=0.1)

    assert all(answers)


def test_the_501st_call_within_a_minute_is_too_many() -> None:
    clock = Clock()
    throttle = Throttle(True, clock)

    answers = let_in(throttle, clock, calls=502, every=0.11)

    assert answers == [True] * 500 + [False] * 2
    assert throttle.maxima["per_minute"] == 502


def test_a_minute_later_calls_are_let_in_again() -> None:
    clock = Clock()
    throttle = Throttle(True, clock)
    let_in(throttle, clock, calls=600, every=0.11)

    clock.seconds += 60

    assert let_in(throttle, clock, calls=1, every=1) == [True]


def test_without_limits_only_the_maxima_are_kept() -> None:
    clock = Clock()
    throttle = Throttle(False, clock)

    answers = let_in(throttle, clock, calls=30, every=0.01)

    assert all(answers)
    assert throttle.maxima == {"in_flight": 1, "per_second": 30, "per_minute": 30}
