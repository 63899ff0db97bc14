"""What webhooks come to: a company syncs early, and a person is warned when they are refused."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

from psycopg import Connection

from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.hint import APART, LOST_AFTER, Asking, WebhookHint
from quickbooks_crm.webhooks.inbox import Waiting
from tests.integration.deliveries import cloud_event
from tests.integration.kept_events import counts, database, receiver
from tests.integration.receiving import Receiving, keeper, receiving
from tests.integration.runs import NOON, started

__all__ = ["database", "receiver"]


# The hint


def test_a_company_waits_when_something_that_it_reads_has_changed(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1, type="qbo.journalentry.updated.v1")])
    receiver.deliver([cloud_event(2, intuitaccountid="88")])
    assert inbox.waiting(database) == {}

    receiver.deliver([cloud_event(3)])

    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}


def test_a_sync_that_began_later_has_seen_to_it(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1)])
    started(database, "a reconcile", started_at=NOON + timedelta(days=900), kind="reconcile")
    assert inbox.waiting(database) == {"sample": Waiting(1, NOON)}

    database.execute("UPDATE sync.run SET started_at = clock_timestamp()")

    assert inbox.waiting(database) == {}


def test_a_company_is_asked_for_once_until_its_sync_has_begun() -> None:
    asking = Asking()
    before, after = Waiting(1, NOON), Waiting(9, NOON + timedelta(hours=1))

    assert asking.due(before, now=0)
    assert not asking.due(before, now=APART + 1)
    assert asking.due(after, now=APART + 2)


def test_a_company_that_is_told_without_end_syncs_no_more_than_once_a_minute() -> None:
    asking = Asking()

    asked = [
        second
        for second in range(0, 300, 5)
        if asking.due(Waiting(1, NOON + timedelta(seconds=second)), now=second)
    ]

    assert asked == [0, 60, 120, 180, 240]


def test_a_sync_that_failed_has_not_seen_to_it(
    receiver: Receiving, database: Connection[Any]
) -> None:
    receiver.deliver([cloud_event(1)])
    later = NOON + timedelta(days=900)
    started(database, "an early sync", started_at=later, state="running")
    assert inbox.waiting(database) == {}

    database.execute("UPDATE sync.run SET state = 'failed' WHERE run_id = 'an early sync'")

    assert inbox.waiting(database) == {"sample": Waiting(1, later, failed=1)}


def test_after_each_failure_a_company_waits_twice_as_long_for_its_next_early_sync() -> None:
    asking, asked = Asking(), []

    for second in range(0, 20_000, 5):
        failed = len(asked)
        if asking.due(Waiting(1, NOON + timedelta(hours=failed), failed), now=second):
            asked.append(second)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:8] == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_sync_that_never_began_is_asked_for_again() -> None:
    asking, waiting = Asking(), Waiting(1, NOON)

    assert asking.due(waiting, now=0)
    assert not asking.due(waiting, now=LOST_AFTER - 1)
    assert asking.due(waiting, now=LOST_AFTER)


def test_all_companies_share_one_look_at_the_inbox() -> None:
    one, other = WebhookHint("one"), WebhookHint("other")

    assert one.shared_stream_key() == other.shared_stream_key() is not None
    assert one.serialize() == ("quickbooks_crm.webhooks.hint.WebhookHint", {"company": "one"})


def test_the_hint_of_one_company_says_nothing_of_another(
    receiver: Receiving, database: Connection[Any], crm: str
) -> None:
    receiver.deliver([cloud_event(1), cloud_event(2)])
    seen = asyncio.run(_first_look())

    assert asyncio.run(_events("sample", seen)) == [{"company": "sample", "events": 2}]
    assert asyncio.run(_events("other", seen)) == []


async def _first_look() -> dict[str, Waiting]:
    looking = WebhookHint.open_shared_stream({})
    try:
        return await anext(looking)
    finally:
        await looking.aclose()


async def _events(company: str, seen: dict[str, Waiting]) -> list[Any]:
    async def stream() -> Any:
        for _ in range(3):
            yield seen

    return [event.payload async for event in WebhookHint(company).filter_shared_stream(stream())]


# What a person is told


def test_a_run_warns_when_no_signature_is_right_any_more(
    database: Connection[Any], database_url: str
) -> None:
    """W05. One that is right silences it: then the wrong ones were not Intuit's."""
    assert inbox.warning(database) is None

    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)], token="another")
    assert "1 in the last day or two" in str(inbox.warning(database))
    assert "connection quickbooks_webhooks" in str(inbox.warning(database))

    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)])
    assert inbox.warning(database) is None

    database.execute("UPDATE sync.webhook_count SET last_at = now() - interval '9 days'")
    with receiving(keeper(database_url)) as receiver:
        receiver.deliver([cloud_event(1)], token="another")
    assert "Webhooks are refused since " in str(inbox.warning(database))


def test_a_missing_signature_is_any_passer_by_and_worries_nobody(
    database: Connection[Any], database_url: str
) -> None:
    with receiving(keeper(database_url)) as receiver:
        receiver.post(b"[]", {})

    assert counts(database) == {"unsigned": 1}
    assert inbox.warning(database) is None
