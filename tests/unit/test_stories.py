"""How long the tests look for a shorter story that fails."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as any_of

from tests.stories import soon_told, telling


@pytest.mark.parametrize(
    ("seconds", "shortest"), [(1000, True), (0, False)], ids=["with time", "at once"]
)
def test_a_story_that_fails_is_made_shorter_as_long_as_there_is_time(
    seconds: int, shortest: bool
) -> None:
    told: list[int] = []

    def tell(number: int) -> None:
        told.append(number)
        assert number // 7 < 143  # Hypothesis likes numbers that it reads in a test

    hours = itertools.count()
    numbers = any_of.integers(0, 10**9)
    with pytest.raises(AssertionError):
        telling(100)(given(numbers)(soon_told(tell, seconds, lambda: next(hours))))()

    failed = [number for number in told if number >= 7 * 143]
    assert (failed[-1] == 7 * 143, len(failed) == 1) == (shortest, not shortest)
