"""What the benchmarks judge by themselves: memory, which is no matter of the machine."""

import pytest

from benchmarks.load import memory_kept


@pytest.mark.parametrize(
    ("peaks", "kept", "told"),
    [
        ({100_000: 250.0}, True, "kept (250 MB at 100,000 customers)."),
        ({100_000: 300.0}, True, "kept (300 MB at 100,000 customers)."),
        (
            {100_000: 250.0, 1_000_000: 300.6},
            False,
            "NOT kept (250 MB at 100,000, 301 MB at 1,000,000 customers).",
        ),
    ],
)
def test_more_memory_than_allowed_at_any_size_is_told_and_fails(
    peaks: dict[int, float], kept: bool, told: str
) -> None:
    assert memory_kept(peaks) == (kept, f"At most 300 MB in Python: {told}")
