"""Tells Airflow that a company was told of changes, so that it syncs before its schedule.

Runs in Airflow's triggerer, as the watcher of an asset that the company's DAG waits for.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from quickbooks_crm.webhooks import inbox
from quickbooks_crm.webhooks.inbox import Waiting
from quickbooks_crm.webhooks.keeper import NOT_NOW, Keeper

log = logging.getLogger(__name__)

LOOKED_EVERY = 5.0
AFTER_A_FAILURE = 60.0
APART = 60.0
"""Seconds between two early syncs of a company, however much it is told: each costs calls."""
FARTHEST_APART = 3600.0
"""The time between two doubles with every one that failed, up to this."""
LOST_AFTER = 900.0
"""Seconds after which a sync that was asked for and has not begun is asked for again."""


def told(company: str) -> Asset:
    """The asset that changes when QuickBooks tells of changes in a company."""
    name = f"quickbooks_told_{company}"
    watcher = AssetWatcher(name=name, trigger=WebhookHint(company))
    return Asset(name=name, uri=f"quickbooks://{company}/changes", watchers=[watcher])


def schedule(company: str, cron: str | None) -> AssetOrTimeSchedule | None:
    """When a company syncs: when the cron expression says, and earlier when QuickBooks tells
    of changes; or by hand."""
    if cron is None:
        return None
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(cron, timezone="UTC"), assets=[told(company)]
    )


@dataclass
class Asking:
    """When to ask for an early sync of one company: once for all that it was told of."""

    _at: float | None = None
    _after: datetime | None = None

    def due(self, waiting: Waiting, now: float) -> bool:
        """Whether to ask now, in seconds of a clock that only goes forward; if so, it is asked."""
        if self._at is not None:
            begun = waiting.last_sync != self._after
            apart = min(APART * 2 ** min(waiting.failed, 10), FARTHEST_APART)
            if now - self._at < (apart if begun else max(apart, LOST_AFTER)):
                return False
        self._at, self._after = now, waiting.last_sync
        return True


class WebhookHint(BaseEventTrigger):
    """Fires when a company waits for a sync. All companies share one look at the inbox."""

    def __init__(self, company: str) -> None:
        super().__init__()
        self.company = company

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes it anew."""
        return f"{__name__}.{type(self).__name__}", {"company": self.company}

    def shared_stream_key(self) -> Hashable:
        """The same for all companies."""
        return (__name__,)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[dict[str, Waiting]]:
        """The companies that wait, again and again while there are any. It outlives a
        database that is away for a while."""
        keeper = Keeper()
        try:
            while True:
                pause = LOOKED_EVERY
                try:
                    if found := await keeper.do(inbox.waiting):
                        yield found
                except NOT_NOW as error:
                    log.warning("Webhooks start no early sync: %s.", type(error).__name__)
                    pause = AFTER_A_FAILURE
                await asyncio.sleep(pause)
        finally:
            keeper.close()

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[dict[str, Waiting]]
    ) -> AsyncIterator[TriggerEvent]:
        """An event when this company is to sync."""
        asking = Asking()
        async for waiting in shared_stream:
            own = waiting.get(self.company)
            if own and asking.due(own, time.monotonic()):
                yield TriggerEvent({"company": self.company, "events": own.events})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same by itself."""
        async for event in self.filter_shared_stream(self.open_shared_stream({})):
            yield event
