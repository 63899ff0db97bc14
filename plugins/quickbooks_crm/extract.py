"""QuickBooks → mirror: what changed, or everything, newest version only, untouched.

Rows are committed page by page; the positions and the seal of the generation commit last. So after
a crash the same changes are read again, and merging them a second time changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from quickbooks_crm.apart import Apart
from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.everything import Reader
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.source import Source
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements
from quickbooks_crm.what_changed import OVERLAP, read_changes, read_wholly

OLDEST_CHANGE = timedelta(days=28, hours=12)
"""QuickBooks tells of changes for 30 days, and the client asks for no more than 29; what is older
is read wholly. Half a day is for clocks that differ."""

REST = timedelta(hours=20)
"""How long an entity rests of which QuickBooks tells no changes, so that it is read once a day even
by a daily run that begins a little early."""

TOLD = 10
"""How many ids a warning names."""


@dataclass(frozen=True)
class Due:
    """What there is to ask QuickBooks: what changed since a position, by entity, and which entities
    are read wholly. An entity in neither rests."""

    changes: dict[str, datetime]
    everything: tuple[str, ...]


@dataclass(frozen=True)
class Extracted:
    """How many records QuickBooks sent, by entity, what befell the entities that could not be read,
    sentences about records that are not stored as they are, by key, and, when nothing could be
    read, the failure that stands for all."""

    fetched: dict[str, int]
    failed: dict[str, QuickBooksCrmError]
    warnings: dict[str, str]
    stopped: QuickBooksCrmError | None


def due(connection: Connection[Any], realm: str, entities: Sequence[str], everything: bool) -> Due:
    """What a run has to ask. An entity that was never read, or last some 29 days ago, is read
    wholly without being asked to."""
    with connection.transaction():
        where = {"realm": realm, "entities": list(entities)}
        rows = connection.execute(statements("extract")["positions"], where).fetchall()
    stand = {} if everything else {entity: ages for entity, *ages in rows}
    changes = {
        entity: since
        for entity, (since, age, _) in stand.items()
        if known(entity).cdc and age < OLDEST_CHANGE - OVERLAP
    }
    resting = {e for e, (_, _, unread) in stand.items() if not known(e).cdc and unread < REST}
    return Due(changes, tuple(e for e in entities if e not in changes and e not in resting))


def extract(
    connections: Sequence[Connection[Any]],
    quickbooks: Source,
    attempt: Attempt,
    due: Due,
    limits: Thresholds,
) -> Extracted:
    """Bring the mirror up to date, through one connection or several at a time.

    An entity that fails stops no other; when none could be read, nothing is sealed. An entity that
    changed more than QuickBooks tells of is queried without being asked to.
    """
    first, *others = connections
    mirror = Mirror(first, attempt)
    reader = Reader(quickbooks, [mirror, *map(mirror.beside, others)], limits)
    apart = Apart()
    read_changes(reader, due.changes, apart)
    for entity in due.everything:
        with apart.of(entity):
            read_wholly(reader, entity)
    if apart.stopped is None:
        mirror.seal()
    return Extracted(dict(mirror.fetched), apart.failed, _warnings(mirror), apart.stopped)


def _warnings(mirror: Mirror) -> dict[str, str]:
    aside = {
        f"set_aside.{entity}": f"{_told(entity, ids)} cannot be stored: perhaps a number has too "
        "many digits, or one field stands in it twice. The CRM keeps what it had before, or gets "
        "the Id alone. Put it right in QuickBooks."
        for entity, ids in sorted(mirror.set_aside.items())
    }
    replaced = {
        f"replaced.{entity}": f"{_told(entity, ids)} cannot be stored letter for letter: a NUL, or "
        "half of a character, became \ufffd."
        for entity, ids in sorted(mirror.replaced.items())
    }
    timeless = {
        f"timeless.{entity}": f"{_told(entity, ids)} came without a readable time of the last "
        "change: stored as sent, and of two versions the greater SyncToken counts."
        for entity, ids in sorted(mirror.timeless.items())
    }
    in_part = {
        f"in_part.{entity}": f"{_told(entity, ids)} came only in part (sparse): of what was not "
        "sent the mirror keeps what it had."
        for entity, ids in sorted(mirror.in_part.items())
    }
    return aside | replaced | timeless | in_part | mirror.changed_fields


def _told(entity: str, ids: set[str]) -> str:
    some = ", ".join(sorted(ids)[:TOLD])
    rest = f" and {len(ids) - TOLD} more" if len(ids) > TOLD else ""
    return f"{entity} {some}{rest}"
