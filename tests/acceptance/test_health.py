"""A run that hangs is told by itself, and no more once another has taken over."""

from datetime import timedelta

from quickbooks_crm import database, health, pipeline
from tests.acceptance.kept_in_step import BY_HAND, Kept
from tests.acceptance.reconciled import kept
from tests.faults.interrupted import nothing_is_heard

__all__ = ["kept"]


def told(kept: Kept, minutes: int) -> list[str]:
    """What is told in so many minutes."""
    with database.connect() as connection:
        later = database.now(connection) + timedelta(minutes=minutes)
        found = health.concerns(connection, ["sample"], later)
    return [each.title for each in found if each.code in ("takes_long", "overdue")]


def test_a_sync_that_hangs_is_told_until_another_has_taken_over(kept: Kept) -> None:
    for _ in range(3):
        kept.sync()
    pipeline.check_settings("sample", kept.new_run_id(), BY_HAND)

    assert told(kept, minutes=14) == []
    assert told(kept, minutes=16) == ["A sync takes longer than usual"]

    kept.ask("UPDATE sync.run SET started_at = now() - interval '3 min' WHERE state = 'running'")
    nothing_is_heard(kept)
    kept.sync()

    assert told(kept, minutes=16) == []


def test_a_sync_that_nobody_starts_is_told_when_two_are_missing(kept: Kept) -> None:
    kept.sync()

    assert told(kept, minutes=60) == []
    assert told(kept, minutes=120 + 16) == ["The last sync is too long ago"]
