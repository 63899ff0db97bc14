"""Everything of an entity: read wholly, and what QuickBooks no longer has is marked as deleted."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np

from quickbooks_crm.breakers import Danger, Thresholds
from quickbooks_crm.errors import BreakerTripped, ChangesTooFast
from quickbooks_crm.loaders import loading
from quickbooks_crm.mirror import Mirror, PageRead
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.records import Page, Record
from quickbooks_crm.quickbooks.source import Source

log = logging.getLogger(__name__)

Hashes = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Reader:
    """What reading takes: QuickBooks, the mirror once for each connection that may write at the
    same time, and when breakers trip."""

    quickbooks: Source
    mirrors: Sequence[Mirror]
    limits: Thresholds

    @property
    def mirror(self) -> Mirror:
        """The mirror, where one connection is enough."""
        return self.mirrors[0]


def read_everything(reader: Reader, entity: str) -> datetime | None:
    """Read an entity wholly, mark what QuickBooks no longer has, and move its position. What an
    earlier try of the last day has read is not read again: then the time when that one began.

    Raises `BreakerTripped` when too much would be marked.
    """
    mirror = reader.mirror
    done, new = mirror.pages_read(entity), mirror.is_empty(entity)
    times, seen = [page.time for page in done], [page.ids for page in done]
    pages = _Overlapping()
    try:
        with loading(reader.mirrors) as loaders:
            for page in reader.quickbooks.everything(entity, [page.span for page in done]):
                ids = hashes(record.id for record in page.records)
                loaders.write(_to_remember(entity, page, ids), pages.fresh(page))
                times.append(page.time)
                seen.append(ids)
        different = np.unique(np.frombuffer(b"".join(seen), np.int64))
        log.info("%s: %d records read", entity, len(different))
        if not new:
            _settle_unseen(reader, entity, different)
    except (ChangesTooFast, BreakerTripped):
        mirror.forget_pages(entity)  # the next try is to look again, not at what this one saw
        raise
    mirror.fetched[entity] += len(different)
    mirror.advance({entity: min(times)}, whole=True)
    return min(times) if done else None


def _to_remember(entity: str, page: Page, ids: bytes) -> PageRead | None:
    """A page that the next try need not read again: a full one, of an entity of which QuickBooks
    tells the changes since."""
    if page.span.full and known(entity).cdc:
        return PageRead(entity, page.span, ids, page.time)
    return None


class _Overlapping:
    """Each page begins with the last record of another: it is written once, or two connections
    would wait for each other. Which of the two versions is no matter: a change between them is
    told again, as any change since the read began."""

    def __init__(self) -> None:
        self._borders: set[str] = set()

    def fresh(self, page: Page) -> list[Record]:
        """The records of a page less those that lie on the border of one before."""
        fresh = [record for record in page.records if record.id not in self._borders]
        self._borders.update(record.id for record in (*page.records[:1], *page.records[-1:]))
        return fresh


def hashes(ids: Iterable[str]) -> bytes:
    """Eight bytes for each id, the same ones in every process: a million ids are eight megabytes
    so."""
    return b"".join(blake2b(id.encode(), digest_size=8).digest() for id in ids)


def _settle_unseen(reader: Reader, entity: str, seen: Hashes) -> None:
    """Ask for unseen records by id: what is still there was only missed, what is not was
    deleted."""
    mirror, limits = reader.mirror, reader.limits
    unseen = _unseen(mirror.ids(entity), seen)
    if not unseen:
        return
    alive = mirror.alive(entity)
    danger = vanished(entity, len(unseen), alive, limits, any_left=len(seen) > 0)
    mirror.require_release(danger)  # before a question for every 200 of them
    pages = reader.quickbooks.named(entity, unseen)
    found = [record for page in pages for record in page.records]
    if found:
        mirror.write(found)
    gone = sorted(set(unseen) - {record.id for record in found})
    danger = vanished(entity, len(gone), alive, limits, any_left=len(seen) + len(found) > 0)
    mirror.delete(entity, gone, danger)
    log.info("%s: %d records are no longer in QuickBooks", entity, len(gone))


def _unseen(ids: Iterable[str], seen: Hashes) -> list[str]:
    """The ids that a full read did not bring."""
    missing: list[str] = []
    for some in _batched(ids, 10_000):
        found = np.isin(np.frombuffer(hashes(some), np.int64), seen)
        missing.extend(id for id, there in zip(some, found, strict=True) if not there)
    return missing


def vanished(
    entity: str, gone: int, alive: int, limits: Thresholds, any_left: bool = True
) -> Danger | None:
    """Whether so many of an entity's records gone at once look like an accident."""
    if not any_left and alive:
        message = (
            f"QuickBooks says that it has no {entity} at all, though the mirror has {alive}. Check "
            "that the connection is to the right company."
        )
        return Danger("empty_source", entity, alive, alive, message)
    if limits.mass_delete.passed(gone, alive):
        limit = limits.mass_delete.words(gone, alive)
        message = f"{gone} of {alive} records of {entity} are deleted in QuickBooks: {limit}."
        return Danger("mass_delete", entity, gone, alive, message)
    return None


def _batched(ids: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(ids)
    while batch := tuple(islice(rest, size)):
        yield batch
