"""The mirror's side of a comparison with QuickBooks: one entity's records as the mirror has them,
and what of QuickBooks' differs from them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection

from quickbooks_crm import breakers, erased
from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.copying import columns, digest, line
from quickbooks_crm.everything import vanished
from quickbooks_crm.mirror import UNSTORABLE, shown
from quickbooks_crm.quickbooks.fields import fields
from quickbooks_crm.quickbooks.periods import Period
from quickbooks_crm.quickbooks.records import Record
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements

AMOUNTS = ("TotalAmt", "Balance", "UnitPrice")
"""The fields whose sums are compared where every record is read."""


@dataclass(frozen=True)
class Sums:
    """Of one amount: what was compared of both sides, and what changed too recently for it."""

    theirs: Decimal = Decimal(0)
    ours: Decimal = Decimal(0)
    recent: Decimal = Decimal(0)


class MirrorSide:
    """One entity of the mirror. Every method that writes does so in a transaction of its own, and
    what it puts right comes under a generation: all that differs in a repair, which is given when
    its breakers trip; else only what QuickBooks changed without saying so."""

    def __init__(
        self,
        connection: Connection[Any],
        attempt: Attempt,
        entity: str,
        generation: int,
        repair: Thresholds | None,
    ) -> None:
        self._connection = connection
        self._attempt = attempt
        self._entity = entity
        self._repair = repair
        self._sums: dict[tuple[str, str], Sums] = {}
        self._meanwhile = 0
        self._where: dict[str, Any] = {
            "realm": attempt.realm,
            "run_id": attempt.run_id,
            "entity": entity,
            "until": None,
            "amounts": list(AMOUNTS),
            "repaired": repair is not None,
            "generation": generation,
        }

    def begin(self, until: datetime) -> None:
        """Forget what an earlier try found; changes in QuickBooks from `until` on do not count."""
        self._where["until"] = until
        with self._transaction():
            self._ask("forget")
            self._ask("forget_totals")

    def position(self) -> tuple[datetime, timedelta] | None:
        """Up to when the mirror has everything, on QuickBooks' clock, and how long ago that was;
        None when it was never read."""
        found: tuple[datetime, timedelta] | None = self._ask("position").fetchone()
        return found

    def unread(self) -> timedelta:
        """How long ago every record was read last, to be compared or to be brought in."""
        age: timedelta = self._ask("unread").fetchone()[0]
        return age

    def live(self) -> int:
        """How many live records there are."""
        return int(self._ask("live").fetchone()[0])

    def has_undated(self) -> bool:
        """Whether of a live record nobody knows when it last changed."""
        return bool(self._ask("has_undated").fetchone()[0])

    def counted(self, period: Period) -> int:
        """How many live records last changed in the period."""
        row = self._ask("mirrored", since=period.since, before=period.until).fetchone()
        return int(row[0])

    def middle(self, period: Period) -> datetime | None:
        """The time that halves the period's records; None when all changed at the same one."""
        row = self._ask("middle", since=period.since, before=period.until).fetchone()
        return row[0] if row else None

    def unsent(self, period: Period, sent: Sequence[Record]) -> list[str]:
        """The ids of live records of the period that are not among these."""
        ids = [record.id for record in sent]
        rows = self._ask("unsent", since=period.since, before=period.until, sent=ids)
        return [id for (id,) in rows.fetchall()]

    def ids(self) -> Iterator[list[str]]:
        """The ids of all live records, some at a time."""
        with self._connection.transaction(), self._connection.cursor("live_ids") as cursor:
            cursor.execute(statements("reconcile")["live_ids"], self._where)
            while some := cursor.fetchmany(10_000):
                yield [id for (id,) in some]

    def compare(self, records: Sequence[Record]) -> None:
        """Record what differs from QuickBooks' records, and put right what is to be. One that
        Postgres cannot hold stops no other."""
        try:
            self._compare(records)
        except UNSTORABLE:
            half = len(records) // 2
            if half:
                self.compare(records[:half])
                self.compare(records[half:])
            else:
                self._compare([self._without_content(records[0])])

    def _without_content(self, record: Record) -> Record:
        """A record that cannot be stored, with what the mirror has instead: only its version
        counts."""
        id = shown(record.id)
        where = self._where | {"id": id}
        known = self._connection.execute(statements("extract")["last_stored"], where).fetchone()
        stored: str = known[0] if known else json.dumps({"Id": id})
        return msgspec.structs.replace(record, id=id, raw=stored.encode())

    def _compare(self, records: Sequence[Record]) -> None:
        sql = statements("extract")
        for record in records:
            fields(record.raw)
        with self._transaction():
            self._connection.execute(sql["page_table"])
            with self._connection.cursor().copy(sql["copy_page"]) as copy:
                for record in {record.id: record for record in records}.values():
                    copy.write(line(*columns(record, digest(record))))
            erased.scrub_page(self._connection, self._attempt.realm)
            self._ask("in_part")
            self._sum()
            self._ask("differing")
            self._ask("set_right")

    def _sum(self) -> None:
        self._meanwhile += self._ask("meanwhile").fetchone()[0]
        for field, currency, theirs, ours in self._ask("sums").fetchall():
            self._add(field, currency, Sums(theirs, ours))
        for field, currency, recent in self._ask("sums_meanwhile").fetchall():
            self._add(field, currency, Sums(recent=recent))

    def gone(self, ids: list[str]) -> None:
        """Record, and mark as deleted, what QuickBooks no longer has. Raises `BreakerTripped` when
        a repair would mark suspiciously many."""
        with self._transaction():
            if self._repair:
                self._pass_breaker(self._repair, len(ids))
                self._ask("delete", ids=ids)
            for field, currency, ours in self._ask("sums_of_gone", ids=ids).fetchall():
                self._add(field, currency, Sums(ours=ours))
            self._ask("gone", ids=ids)

    def _pass_breaker(self, limits: Thresholds, count: int) -> None:
        danger = vanished(self._entity, count, self.live(), limits)
        if danger:
            breakers.pass_or_stop(
                self._connection, self._attempt.realm, self._attempt.run_id, danger
            )

    def start_sums(self) -> None:
        """Sum the amounts from here on: every record is to follow, once."""
        self._sums.clear()
        self._meanwhile = 0

    def _add(self, field: str, currency: str, more: Sums) -> None:
        sums = self._sums.get((field, currency), Sums())
        self._sums[field, currency] = Sums(
            sums.theirs + more.theirs, sums.ours + more.ours, sums.recent + more.recent
        )

    def recent(self) -> int:
        """How many live records changed in QuickBooks too recently to be compared."""
        return int(self._ask("recent").fetchone()[0])

    @property
    def meanwhile(self) -> int:
        """How many records QuickBooks was met to have changed since the mirror was read."""
        return self._meanwhile

    def end(self, method: str, theirs: int, ours: int, left: int) -> None:
        """Record how the entity was compared: all records of both sides, and how many of them were
        left to the next sync. Sums mean something where every record was read."""
        with self._transaction():
            self._ask("compared", method=method, source=theirs, target=ours, waiting=left)
            if method == "records":
                self._end_sums()

    def _end_sums(self) -> None:
        for field, currency, recent in self._ask("sums_of_recent").fetchall():
            self._add(field, currency, Sums(recent=recent))
        for (field, currency), sums in sorted(self._sums.items()):
            which = {"field": field, "currency": currency, "waiting": sums.recent}
            self._ask("control_total", source=sums.theirs + sums.recent, target=sums.ours, **which)

    def _ask(self, statement: str, **values: Any) -> Any:
        return self._connection.execute(statements("reconcile")[statement], self._where | values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._attempt.renew(self._connection)
        with self._connection.transaction():
            self._attempt.require(self._connection)
            yield
