"""What changed in QuickBooks since the mirror last looked: one question when little did."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quickbooks_crm.apart import OF_ONE_ENTITY, Apart
from quickbooks_crm.errors import ChangesTooFast
from quickbooks_crm.everything import Reader, read_everything, vanished
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.records import Changes, Record

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""How far before its position a read begins: QuickBooks may show a change late."""

ABREAST = timedelta(days=1)
"""Entities that have fallen further behind the others than this are asked for alone: all others
would be told their old changes again."""


def read_changes(reader: Reader, positions: Mapping[str, datetime], apart: Apart) -> None:
    """Bring in what changed in these entities since their positions, and move these."""
    for entities in _abreast(positions):
        together = _told(reader, positions, entities) if len(entities) > 1 else None
        read = {}
        for entity in entities:
            with apart.of(entity):
                since = positions[entity]
                changes = together or reader.quickbooks.changes([entity], since - OVERLAP)
                if entity in changes.overflowed:
                    _catch_up(reader, entity, since, changes.time)
                else:
                    _bring_in(reader, entity, changes.records.get(entity, []))
                    read[entity] = max(since, changes.time)
        reader.mirror.advance(read)


def read_wholly(reader: Reader, entity: str) -> None:
    """Read an entity wholly; where an earlier try had begun it, also what has changed since."""
    begun = read_everything(reader, entity)
    if begun is None:
        return
    changes = reader.quickbooks.changes([entity], begun - OVERLAP)
    if entity in changes.overflowed:
        read_everything(reader, entity)
    else:
        _bring_in(reader, entity, changes.records.get(entity, []))
        reader.mirror.advance({entity: changes.time})


def _abreast(positions: Mapping[str, datetime]) -> list[list[str]]:
    """The entities that are asked for together, and each of the others alone."""
    if not positions:
        return []
    newest = max(positions.values())
    behind = sorted(entity for entity in positions if newest - positions[entity] > ABREAST)
    together = sorted(positions.keys() - set(behind))
    return [together, *([entity] for entity in behind)]


def _told(
    reader: Reader, positions: Mapping[str, datetime], entities: Sequence[str]
) -> Changes | None:
    """What changed in several entities; nothing when it is better to ask for each alone."""
    try:
        since = min(positions[entity] for entity in entities)
        return reader.quickbooks.changes(entities, since - OVERLAP)
    except OF_ONE_ENTITY as error:
        log.warning("%s could not be asked for together: %s", ", ".join(entities), error)
        return None


def _bring_in(reader: Reader, entity: str, records: list[Record]) -> None:
    """Write what changed; of a name list, which is only ever made inactive, a delete that is news
    is believed when it is confirmed."""
    mirror = reader.mirror
    told = {record.id: record for record in records if record.deleted}
    held = mirror.held(entity, list(told)) if told else {}
    news = [id for id in told if held.get(id) != "deleted"] if known(entity).hides_inactive else []
    pages = reader.quickbooks.named(entity, news) if news else iter(())
    found = {record.id: record for page in pages for record in page.records}
    gone = [stub for id, stub in told.items() if id not in found]
    kept = [*(record for record in records if not record.deleted), *found.values()]
    if kept:
        mirror.write(kept)
    if gone:
        fresh = sum(held.get(stub.id) == "alive" for stub in gone)
        mirror.write_deleted(gone, vanished(entity, fresh, mirror.alive(entity), reader.limits))


def _catch_up(reader: Reader, entity: str, position: datetime, time: datetime) -> None:
    """Bring in more changes than QuickBooks tells of at once, and move the position.

    A query finds all but the deletes. These are excluded by counting: until `time` the mirror then
    has at least what QuickBooks has, so as many means the same. Otherwise, and where the mirror
    cannot be counted so, all is read.
    """
    before = reader.quickbooks.count(entity, time)
    if _queried(reader, entity, position - OVERLAP):
        after = reader.quickbooks.count(entity, time)
        if before == after == reader.mirror.created_until(entity, time):
            return reader.mirror.advance({entity: max(position, time)})
        log.info("%s: there may be deletes among the changes, so all is read", entity)
    read_wholly(reader, entity)


def _queried(reader: Reader, entity: str, since: datetime) -> bool:
    """Write what was added or changed since; False when it changed too fast to be read so."""
    seen: set[str] = set()
    try:
        for page in reader.quickbooks.updated(entity, since):
            reader.mirror.write([record for record in page.records if record.id not in seen])
            seen.update(record.id for record in page.records)
    except ChangesTooFast:
        return False
    return True
