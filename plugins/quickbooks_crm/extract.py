"""QuickBooks → mirror: what changed, or everything, newest version only, untouched.

Rows are committed page by page; the positions and the seal of the generation commit last. So after
a crash the same changes are read again, and merging them a second time changes nothing.
"""

import json
import logging
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any, Protocol

import numpy as np
import psycopg
from psycopg import Connection

from quickbooks_crm.errors import QuickBooksRefused
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.records import Changes, Page, Record
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""How far before its position a read begins: QuickBooks may show a change late."""

OLDEST_CHANGE = timedelta(days=28, hours=12)
"""QuickBooks tells of changes for 30 days, and the client asks for no more than 29; what is older
is read wholly. Half a day is for clocks that differ."""

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


UNSTORABLE = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded)
"""What Postgres says of a record that it cannot hold, such as a number with 200,000 digits."""


class Source(Protocol):
    """What extract needs of QuickBooks."""

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        """What changed since a moment on QuickBooks' clock."""

    def everything(self, entity: str) -> Iterator[Page]:
        """Every record of an entity, inactive ones too, page by page in any order."""

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        """The records with these ids, as far as QuickBooks has them."""


class Mirror:
    """Writes one generation of the mirror, page by page, each page in a transaction of its own."""

    def __init__(self, connection: Connection[Any], attempt: Attempt) -> None:
        self._connection = connection
        self._attempt = attempt
        self.fetched: Counter[str] = Counter()
        with self._transaction():
            row = connection.execute(statements("runs")["new_generation"], self._where).fetchone()
        self.generation: int = row[0] if row else 0

    def write(self, records: Sequence[Record]) -> None:
        """Merge records into the mirror. One that Postgres cannot hold is set aside, and stops no
        other."""
        try:
            self._write(records)
        except UNSTORABLE:
            half = len(records) // 2
            if half:
                self.write(records[:half])
                self.write(records[half:])
            else:
                self._set_aside(records[0])

    def _write(self, records: Sequence[Record]) -> None:
        sql = statements("extract")
        with self._transaction():
            self._connection.execute(sql["page_table"])
            with self._connection.cursor().copy(sql["copy_page"]) as copy:
                for r in records:
                    payload = _storable(r.raw).decode()
                    copy.write_row((r.entity, r.id, r.sync_token, r.updated_at, r.deleted, payload))
            self._connection.execute(sql["merge_page"], self._where)
        self.fetched.update(record.entity for record in records)

    def _set_aside(self, record: Record) -> None:
        """Keep of the record only that it exists: its module will say that its fields are blank."""
        id = record.id.replace("\0", "\ufffd")[:100]
        log.error("%s %s cannot be stored: only its Id is kept", record.entity, id)
        self._write([replace(record, id=id, raw=json.dumps({"Id": id}).encode())])

    def ids(self, entity: str) -> Iterator[str]:
        """The ids that the mirror holds of an entity, deleted ones left out."""
        with self._connection.transaction(), self._connection.cursor("known_ids") as cursor:
            cursor.itersize = 10_000
            cursor.execute(statements("extract")["known_ids"], self._where | {"entity": entity})
            yield from (row[0] for row in cursor)

    def not_deleted(self, entity: str, ids: Sequence[str]) -> list[str]:
        """Those of the ids that the mirror does not hold as deleted already."""
        where = self._where | {"entity": entity, "ids": list(ids)}
        rows = self._connection.execute(statements("extract")["deleted_ids"], where)
        return sorted(set(ids) - {row[0] for row in rows})

    def delete(self, entity: str, ids: Sequence[str]) -> None:
        """Mark records as deleted that QuickBooks no longer has."""
        with self._transaction():
            where = self._where | {"entity": entity, "ids": list(ids)}
            self._connection.execute(statements("extract")["vanished"], where)

    def advance(self, positions: dict[str, datetime], whole: bool = False) -> None:
        """Move the entities' positions: what QuickBooks had until then is in the mirror. `whole`:
        it was read wholly."""
        with self._transaction():
            for entity, time in sorted(positions.items()):
                values = {"entity": entity, "changed_since": time, "whole": whole}
                self._connection.execute(statements("extract")["advance"], self._where | values)

    def seal(self) -> None:
        """Declare the generation whole."""
        with self._transaction():
            self._connection.execute(statements("runs")["seal_generation"], self._where)

    @property
    def _where(self) -> dict[str, Any]:
        generation = getattr(self, "generation", None)
        return {
            "realm": self._attempt.realm,
            "run_id": self._attempt.run_id,
            "generation": generation,
        }

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            self._attempt.require(self._connection)
            yield


def extract(
    connection: Connection[Any],
    quickbooks: Source,
    attempt: Attempt,
    entities: Sequence[str],
    everything: bool,
) -> dict[str, int]:
    """Bring the mirror up to date; how many records QuickBooks sent, by entity.

    An entity that was never read, or last some 29 days ago, or that changed more than
    QuickBooks tells of at once, is read wholly without being asked to.
    """
    mirror = Mirror(connection, attempt)
    positions = {} if everything else _positions(connection, attempt.realm, entities)
    overflowed = _read_changes(mirror, quickbooks, positions)
    for entity in entities:
        if entity not in positions or entity in overflowed:
            mirror.advance({entity: _read_everything(mirror, quickbooks, entity)}, whole=True)
    mirror.seal()
    return dict(mirror.fetched)


def _positions(
    connection: Connection[Any], realm: str, entities: Sequence[str]
) -> dict[str, datetime]:
    """Where each entity stands, of those of which QuickBooks can still tell every change since."""
    with connection.transaction():
        where = {"realm": realm, "entities": list(entities)}
        rows = connection.execute(statements("extract")["positions"], where).fetchall()
    return {
        entity: since
        for entity, since, age in rows
        if known(entity).cdc and age < OLDEST_CHANGE - OVERLAP
    }


def _read_changes(
    mirror: Mirror, quickbooks: Source, positions: dict[str, datetime]
) -> frozenset[str]:
    """Read what changed; the entities of which there was more than QuickBooks tells at once."""
    if not positions:
        return frozenset()
    changes = quickbooks.changes(sorted(positions), min(positions.values()) - OVERLAP)
    for entity, records in sorted(changes.records.items()):
        if entity in positions and entity not in changes.overflowed:
            mirror.write(list(_verified(mirror, quickbooks, entity, records)))
    read = positions.keys() - changes.overflowed
    mirror.advance({entity: max(positions[entity], changes.time) for entity in read})
    return changes.overflowed


def _verified(
    mirror: Mirror, quickbooks: Source, entity: str, records: list[Record]
) -> Iterator[Record]:
    """Records as they are; of a name list, which is only ever made inactive, a delete that is news
    is believed when it is confirmed."""
    told = [r.id for r in records if r.deleted] if known(entity).hides_inactive else []
    news = mirror.not_deleted(entity, told) if told else []
    pages = quickbooks.named(entity, news) if news else iter(())
    alive = {record.id: record for page in pages for record in page.records}
    return (alive.get(record.id, record) for record in records)


def _read_everything(mirror: Mirror, quickbooks: Source, entity: str) -> datetime:
    """Read an entity wholly, and mark what QuickBooks no longer has; the time from which changes
    are still unknown."""
    seen = array("q")
    times = []
    for page in quickbooks.everything(entity):
        mirror.write(page.records)
        seen.extend(hash(record.id) for record in page.records)
        times.append(page.time)
        log.info("%s: %d records read", entity, len(seen))
    different = np.unique(np.frombuffer(seen, dtype=np.int64)) if seen else np.empty(0, np.int64)
    if seen:
        mirror.fetched[entity] = len(different)  # pages overlap
    for ids in _batched(_unseen(mirror.ids(entity), different), 200):
        _settle_unseen(mirror, quickbooks, entity, ids, nothing_seen=not seen)
    return min(times)


def _unseen(ids: Iterable[str], seen: "np.ndarray[Any, Any]") -> list[str]:
    """The ids that a full read did not bring. Compared by hash: a million ids are eight megabytes
    so."""
    missing: list[str] = []
    for some in _batched(ids, 10_000):
        hashes = np.fromiter(map(hash, some), dtype=np.int64, count=len(some))
        found = np.isin(hashes, seen)
        missing.extend(id for id, there in zip(some, found, strict=True) if not there)
    return missing


def _settle_unseen(
    mirror: Mirror, quickbooks: Source, entity: str, ids: Sequence[str], nothing_seen: bool
) -> None:
    """Ask for unseen records by id: what is still there was only missed, what is not was
    deleted."""
    if nothing_seen:
        raise QuickBooksRefused(
            f"QuickBooks says that it has no {entity} at all, though the mirror has {len(ids)} "
            "or more. "
            "Nothing was marked as deleted. Check that the connection is to the right company."
        )
    found = list(chain.from_iterable(page.records for page in quickbooks.named(entity, ids)))
    if found:
        mirror.write(found)
    gone = sorted(set(ids) - {record.id for record in found})
    mirror.delete(entity, gone)
    log.info("%s: %d records are no longer in QuickBooks", entity, len(gone))


def _storable(raw: bytes) -> bytes:
    """The record as it was sent, less what Postgres cannot store: NUL becomes U+FFFD."""
    return _NUL.sub(rb"\1\\ufffd", raw) if b"\\u0000" in raw else raw


def _batched(ids: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(ids)
    while batch := tuple(islice(rest, size)):
        yield batch
