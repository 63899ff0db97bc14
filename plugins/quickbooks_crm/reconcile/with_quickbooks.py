"""QuickBooks ↔ mirror: an entity's records that differ, found with as few calls as possible.

What changed in QuickBooks too lately to be in the mirror for sure is no drift, and is left to the
next sync.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from quickbooks_crm.errors import QuickBooksRefused
from quickbooks_crm.extract import OLDEST_CHANGE
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.periods import BEGINNING, PAGE_SIZE, Period
from quickbooks_crm.quickbooks.records import Changes, Page, Record
from quickbooks_crm.reconcile.mirror_side import MirrorSide
from quickbooks_crm.reconcile.search import PERIODS, Sides, search, whole
from quickbooks_crm.reconcile.seen import Seen
from quickbooks_crm.what_changed import OVERLAP

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 200

READ_AGAIN = timedelta(days=27)
"""After so long every record is read again, for what QuickBooks changes without saying so: by every
fourth of weekly reconciles, though it begins a little early."""


class Source(Protocol):
    """What the comparison needs of QuickBooks."""

    def counted(self, entity: str, period: Period) -> int:
        """How many records last changed in a period."""

    def changed_within(self, entity: str, period: Period) -> Page:
        """The records that last changed in a period, at most 1,000."""

    def everything(self, entity: str) -> Iterator[Page]:
        """Every record, page by page in any order; one may come twice."""

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        """The records with these ids, as far as QuickBooks has them."""

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        """What changed since a moment, deletes too."""


def compare(quickbooks: Source, mirror: MirrorSide, entity: str, everything: bool) -> None:
    """Compare an entity and record what differs: every record when `everything` is asked for,
    costs no more calls than counting or was not read for four weeks, else those of the periods that
    are counted differently. Every record too where the mirror has one without the time of its last
    change: it is in no period.

    Raises `QuickBooksRefused` when it cannot be compared.
    """
    _Comparison(quickbooks, mirror, entity).run(everything)


class _Comparison:
    def __init__(self, quickbooks: Source, mirror: MirrorSide, entity: str) -> None:
        self._quickbooks = quickbooks
        self._mirror = mirror
        self._entity = entity
        self._until = self._read_until()
        self._deleted = 0
        mirror.begin(self._until)

    def run(self, everything: bool) -> None:
        if self._mirror.has_undated():
            return self._every_record()
        period = Period(BEGINNING, self._until)
        ours = self._mirror.counted(period)
        if ours < PAGE_SIZE and not everything and self._one_page(period, ours):
            return
        if everything or whole(ours) <= PERIODS or self._mirror.unread() > READ_AGAIN:
            self._every_record()
        else:
            self._where_counts_differ()

    def _read_until(self) -> datetime:
        position, age = self._mirror.position() or (None, OLDEST_CHANGE)
        if position is None or (known(self._entity).cdc and age > OLDEST_CHANGE):
            raise QuickBooksRefused(
                f"{self._entity} was not compared: the mirror does not have what QuickBooks has "
                "now. Start a sync, and reconcile when it has succeeded."
            )
        return position - OVERLAP

    def _one_page(self, period: Period, ours: int) -> bool:
        """Compare every record, if one page holds them all."""
        page = self._quickbooks.changed_within(self._entity, period)
        if len(page) >= PAGE_SIZE:
            return False
        self._require_some(len(page), ours)
        self._mirror.start_sums()
        self._mirror.compare(page.records)
        self._settle(self._mirror.unsent(period, page.records))
        self._end_period("records", len(page), ours)
        return True

    def _every_record(self) -> None:
        """Compare every record, read in pages that may overlap."""
        ours = self._mirror.live()
        seen = Seen()
        self._mirror.start_sums()
        for page in self._quickbooks.everything(self._entity):
            sent = {record.id: record for record in page.records}
            fresh = seen.missing(list(sent))
            seen.add(fresh)
            self._mirror.compare([sent[id] for id in fresh])
            log.info("%s: %d records compared", self._entity, len(seen))
        self._require_some(len(seen), ours)
        self._settle(id for ids in self._mirror.ids() for id in seen.missing(ids))
        self._mirror.end("records", len(seen), ours, self._left())

    def _where_counts_differ(self) -> None:
        count = partial(self._quickbooks.counted, self._entity)
        found = search(Sides(count, self._mirror.counted, self._mirror.middle), self._until)
        self._require_some(found.theirs, found.ours)
        unsent: list[str] = []
        for part in found.parts or ():
            records = self._records(part.period) if part.theirs else []
            if len(records) >= PAGE_SIZE:
                return self._every_record()
            self._mirror.compare(records)
            unsent += self._mirror.unsent(part.period, records)
        if found.parts is None:
            return self._every_record()
        self._settle(unsent)
        self._end_period("parts" if found.parts else "counts", found.theirs, found.ours)

    def _end_period(self, method: str, theirs: int, ours: int) -> None:
        """End with the numbers of the period that was compared, and those that changed later: the
        mirror knows of them, or QuickBooks has told meanwhile."""
        recent = self._mirror.recent()
        theirs += recent + self._mirror.meanwhile
        self._mirror.end(method, theirs, ours + recent, self._left())

    def _left(self) -> int:
        """How many records are left to the next sync."""
        return self._mirror.recent() + self._mirror.meanwhile + self._deleted

    def _records(self, period: Period) -> list[Record]:
        return self._quickbooks.changed_within(self._entity, period).records

    def _require_some(self, theirs: int, ours: int) -> None:
        if ours and not theirs:
            raise QuickBooksRefused(
                f"{self._entity} was not compared: QuickBooks says that it has none at all, though "
                f"the mirror has {ours:,}. Check that the connection is to the right company. If "
                "all were deleted, start a sync that reads everything."
            )

    def _settle(self, unsent: Iterable[str]) -> None:
        """Ask by id for records that QuickBooks did not send: it may have changed or deleted them
        meanwhile, which the next sync learns. What is left was lost long ago."""
        gone: list[str] = []
        asked = list(dict.fromkeys(unsent))
        for start in range(0, len(asked), ASKED_AT_ONCE):
            ids = asked[start : start + ASKED_AT_ONCE]
            pages = self._quickbooks.named(self._entity, ids)
            there = [record for page in pages for record in page.records]
            self._mirror.compare(there)
            gone += sorted(set(ids) - {record.id for record in there})
        lost = self._lost(gone) if gone else []
        self._deleted = len(gone) - len(lost)
        if lost:
            self._mirror.gone(lost)

    def _lost(self, gone: list[str]) -> list[str]:
        """Those of which no next sync will learn: it reads wholly what QuickBooks tells no changes
        of, or too many."""
        if not known(self._entity).cdc:
            return []
        told = self._quickbooks.changes([self._entity], self._until)
        if told.overflowed:
            return []
        lately = {r.id for r in told.records.get(self._entity, []) if r.deleted}
        return [id for id in gone if id not in lately]
