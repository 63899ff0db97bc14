"""Which fields QuickBooks sends of each entity, and when that changes: told once a field.

What a record holds below its own fields is not looked at.
"""

from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import Any

from psycopg import Connection

from quickbooks_crm.mapping.quickbooks_fields import fields_of
from quickbooks_crm.sql import statements

ENOUGH = 20
"""From how many records on it is known which fields an entity has, or has no more."""

USUAL = 95
"""Of how many in a hundred records a field is known to belong to all."""


class Drift:
    """Counts the fields of records that are new or have changed, from several threads, until they
    are noted."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._had: dict[str, Counter[str]] = {}
        self._read: Counter[str] = Counter()

    def count(self, entity: str, records: Iterable[tuple[str, ...]]) -> None:
        """Count the fields of some records of an entity."""
        with self._lock:
            had = self._had.setdefault(entity, Counter())
            for fields, times in Counter(records).items():
                had.update(dict.fromkeys(fields, times))
                self._read[entity] += times

    def note(self, connection: Connection[Any], realm: str, entity: str) -> dict[str, str]:
        """Note what was counted of an entity since the last time; what a run should warn of, by
        key."""
        with self._lock:
            had, read = self._had.pop(entity, Counter()), self._read.pop(entity, 0)
        if not read:
            return {}
        values: dict[str, Any] = {"realm": realm, "entity": entity, "read": read}
        values |= {"fields": [*had], "had": [*had.values()], "enough": ENOUGH, "usual": USUAL}
        rows = connection.execute(statements("drift")["note"], values).fetchall()
        listed = {str(path[0]) for path in fields_of(entity)}
        new = sorted(field for field, is_new in rows if is_new and field not in listed)
        gone = sorted(field for field, is_new in rows if not is_new)
        return dict(_told(entity, new, gone))


def _told(entity: str, new: list[str], gone: list[str]) -> Iterable[tuple[str, str]]:
    if new:
        yield (
            f"new_field.{entity}",
            f"QuickBooks sends of {entity} what it never sent before: {', '.join(new)}. It is in "
            "the mirror, and no mapping need read it.",
        )
    if gone:
        yield (
            f"gone_field.{entity}",
            f"QuickBooks no longer sends {', '.join(gone)} of {entity}: nearly every record had it "
            f"before, and none of the last {ENOUGH} or more has. A mapping that reads it finds a "
            "blank. See whether it has another name now.",
        )
