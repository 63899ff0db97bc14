"""Runs that are at work, and how long each may take before a person should look at it: twice what
is usual for its kind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from quickbooks_crm.sql import statements

AT_LEAST = timedelta(minutes=15)
"""So long any run may take: what is a matter of seconds now and then takes minutes."""

UNKNOWN = timedelta(hours=6)
"""How long a run may take of which nobody knows what is usual, as a first sync: twice the time that
Airflow gives a task of it."""

FEW = 3
"""Of fewer runs nothing is usual."""


@dataclass(frozen=True)
class AtWork:
    """A run that has not ended. Of the last runs of its kind `known` is how many there are, and
    `usual` and `usual_calls` how long those took and how often they called QuickBooks, each the
    middle one."""

    run_id: str
    kind: str
    since: datetime
    calls: int
    known: int
    usual: timedelta | None
    usual_calls: int

    @property
    def may_take(self) -> timedelta:
        """How long it may take. One that has called QuickBooks more often than is usual has more to
        read, and so much more time; but no call after call gives it time without end."""
        if self.usual is None or self.known < FEW:
            return UNKNOWN
        more = max(1.0, self.calls / max(1, self.usual_calls))
        longest = max(UNKNOWN, 2 * self.usual)
        return min(longest, max(AT_LEAST, 2 * self.usual * more))

    def is_late(self, now: datetime) -> bool:
        """Whether it is at work for longer than that."""
        return now - self.since > self.may_take


def of(connection: Connection[Any], company: str, realm: str) -> list[AtWork]:
    """A company's runs that are at work, the one that began first at the head."""
    where = {"company": company, "realm": realm}
    with connection.cursor(row_factory=class_row(AtWork)) as cursor:
        return cursor.execute(statements("health")["at_work"], where).fetchall()
