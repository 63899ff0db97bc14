"""A request is sent again while that can help, no sooner than QuickBooks says, and not for ever."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from quickbooks_crm.quickbooks.patience import patient
from quickbooks_crm.quickbooks.problems import TryAgain
from quickbooks_crm.quickbooks.retry_after import seconds_of


class Failing:
    """Raises these errors in turn, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    def __call__(self) -> str:
        if self._failures:
            raise self._failures.pop(0)
        return "answer"


def waits(*failures: Exception) -> list[float]:
    paused: list[float] = []
    assert patient(paused.append)(Failing(*failures)) == "answer"
    return paused


def test_what_passes_is_tried_again_with_growing_random_pauses() -> None:
    paused = waits(*[TryAgain("down")] * 5)

    assert all(1 <= pause <= max(1, 2**n) for pause, n in zip(paused, range(5), strict=True)), (
        paused
    )


def test_throttling_is_waited_out_longer() -> None:
    for _ in range(20):
        paused = waits(*[TryAgain("slow", throttled=True)] * 5)
        assert all(
            1 <= pause <= min(60, 8 * 2**n) for pause, n in zip(paused, range(5), strict=True)
        )


def test_quickbooks_is_taken_at_its_word() -> None:
    assert waits(TryAgain("slow", throttled=True, retry_after=7.0)) == [7.0]


def test_it_is_given_up_after_six_tries() -> None:
    with pytest.raises(TryAgain, match="down"):
        patient(lambda _: None)(Failing(*[TryAgain("down")] * 6))


def test_what_does_not_pass_is_not_tried_again() -> None:
    with pytest.raises(ValueError, match="no"):
        patient(lambda _: pytest.fail("waited"))(Failing(ValueError("no")))


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("7", 7),
        (" 2.5 ", 2.5),
        ("0", 1),
        ("-5", 1),
        ("315360000", 900),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2195 07:28:00 GMT", 900),
        ("Wed, 99 Oct 2195 07:28:00 GMT", None),
    ],
)
def test_a_retry_after_is_honoured_within_reason(
    retry_after: str | None, seconds: float | None
) -> None:
    assert seconds_of(retry_after) == seconds


def test_a_retry_after_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 55 < (seconds_of(in_a_minute) or 0) <= 60
