"""The mirror of QuickBooks: newest version only, untouched, one generation at a time."""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import args_row

from quickbooks_crm import breakers, erased
from quickbooks_crm.breakers import Danger
from quickbooks_crm.copying import columns, digest, escaped, line, storable
from quickbooks_crm.drift import Drift
from quickbooks_crm.quickbooks.fields import NamedTwice, fields
from quickbooks_crm.quickbooks.records import Record, Span
from quickbooks_crm.runs import Attempt
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

UNSTORABLE = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    NamedTwice,
)
"""What is said of a record that the mirror cannot hold, such as a number with 200,000 digits."""

AMONG_CHANGES = {"found": "among the changes that QuickBooks told"}
"""What a breaker says of deletes that no full read has found: where they are no danger any more, it
is over."""

_SPARSE = re.compile(rb'"sparse"\s*:\s*true')

Row = tuple[Record, int]
"""A record and its digest."""


@dataclass(frozen=True)
class PageRead:
    """What is remembered of a page of a full read: where it lies, eight bytes for each of its ids,
    and QuickBooks' clock."""

    entity: str
    span: Span
    ids: bytes
    time: datetime

    @classmethod
    def of(cls, entity: str, start: int, end: int, *rest: Any) -> "PageRead":
        """As the database keeps it."""
        head, tail, ids, time = rest
        span = Span(start, end, True, frozenset(head), frozenset(tail))
        return cls(entity, span, ids, time)


class Mirror:
    """Writes one generation of the mirror, some records of one entity in each transaction."""

    def __init__(self, connection: Connection[Any], attempt: Attempt) -> None:
        self._connection = connection
        self._attempt = attempt
        self.fetched: Counter[str] = Counter()
        self.set_aside: dict[str, set[str]] = {}
        self.replaced: dict[str, set[str]] = {}
        self.timeless: dict[str, set[str]] = {}
        self.in_part: dict[str, set[str]] = {}
        self.changed_fields: dict[str, str] = {}
        self._drift = Drift()
        self._empty: set[str] = set()
        self._has_erased = erased.has_erased(connection, attempt.realm)
        with self._transaction():
            row = connection.execute(statements("runs")["new_generation"], self._where).fetchone()
        self.generation: int = row[0] if row else 0

    def beside(self, connection: Connection[Any]) -> "Mirror":
        """The same generation through another connection, so that two can write at a time."""
        twin = copy(self)
        twin._connection = connection
        return twin

    def write(self, records: Sequence[Record]) -> None:
        """Merge records of one entity. One that Postgres cannot hold is set aside, and stops no
        other."""
        self._write(records)
        self.fetched.update(record.entity for record in records)

    def write_page(self, records: Sequence[Record], whole: Sequence[PageRead]) -> None:
        """Merge records of a full read, and remember in the same transaction that earlier pages are
        whole."""
        self._write(records, whole)

    def remember(self, whole: Sequence[PageRead]) -> None:
        """Let the next try not read these pages."""
        with self._transaction():
            self._remember(whole)

    def _write(self, records: Sequence[Record], whole: Sequence[PageRead] = ()) -> None:
        try:
            self._merge(records, whole)
        except UNSTORABLE:
            half = len(records) // 2
            if half:
                self._write(records[:half])
                self._write(records[half:], whole)
            else:
                self._set_aside(records[0], whole)

    def _merge(self, records: Sequence[Record], whole: Sequence[PageRead]) -> None:
        rows = [(record, digest(record)) for record in records]
        try:
            with self._unhurried():
                new, others = self._parted(rows)
                found = _fields_of(new + others)
                self._copy_new(new)
                self._merge_rows(others)
                self._remember(whole)
        except psycopg.errors.UniqueViolation:  # another connection was first with one of them
            new, others = [], rows
            with self._unhurried():
                self._merge_rows(rows)
                self._remember(whole)
        for entity, each in found.items():
            self._drift.count(entity, each)
        self._note_odd(record for record, _ in (*new, *others))

    def _parted(self, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """Rows the mirror has never seen, and those it may hold otherwise; what it holds byte for
        byte is left out."""
        ids = [record.id for record, _ in rows]
        if len(set(ids)) < len(ids):
            return [], rows
        if not rows or (rows[0][0].entity in self._empty and not self._has_erased):
            return rows, []
        where = self._where | {"entity": rows[0][0].entity, "ids": ids}
        known = dict(self._connection.execute(statements("extract")["digests"], where).fetchall())
        if self._has_erased:  # nothing of them goes straight into the mirror
            return [], [row for row in rows if known.get(row[0].id) != row[1]]
        new = [row for row in rows if row[0].id not in known]
        return new, [row for row in rows if known.get(row[0].id, row[1]) != row[1]]

    def _copy_new(self, rows: Sequence[Row]) -> None:
        if rows:
            stamp = (escaped(self._attempt.realm.encode()), b"%d" % self.generation)
            self._copy("copy_new", [line(*stamp, *columns(*row)) for row in rows])

    def _merge_rows(self, rows: Sequence[Row]) -> None:
        sql = statements("extract")
        for number, some in enumerate(_one_after_the_other(rows)):
            if number:
                self._connection.execute(sql["page_done"])
            self._connection.execute(sql["page_table"])
            self._copy("copy_page", [line(*columns(*row)) for row in some])
            if self._has_erased:
                erased.scrub_page(self._connection, self._attempt.realm)
            self._connection.execute(sql["merge_page"], self._where)

    def _copy(self, statement: str, lines: Sequence[bytes]) -> None:
        with self._connection.cursor().copy(statements("extract")[statement]) as target:
            target.write(b"".join(lines))

    def _remember(self, whole: Sequence[PageRead]) -> None:
        for page in whole:
            values = asdict(page.span) | {"entity": page.entity, "ids": page.ids, "time": page.time}
            values |= {"head": list(page.span.head), "tail": list(page.span.tail)}
            self._connection.execute(statements("extract")["remember_page"], self._where | values)

    def _note_odd(self, records: Iterable[Record]) -> None:
        for record in records:
            if b"\\ufffd" in record.raw or storable(record.raw) != record.raw:
                self.replaced.setdefault(record.entity, set()).add(shown(record.id))
            if _is_in_part(record):
                self.in_part.setdefault(record.entity, set()).add(shown(record.id))
            aside = self.set_aside.get(record.entity, ())
            if record.updated_at is None and not record.deleted and record.id not in aside:
                self.timeless.setdefault(record.entity, set()).add(shown(record.id))

    def _set_aside(self, record: Record, whole: Sequence[PageRead]) -> None:
        """Keep the values that the mirror has of the record, if it has any, else only its Id."""
        id = shown(record.id)
        log.error("%s %s cannot be stored as it is", record.entity, id)
        self.set_aside.setdefault(record.entity, set()).add(id)
        where = self._where | {"entity": record.entity, "id": id}
        known = self._connection.execute(statements("extract")["last_stored"], where).fetchone()
        stored = known[0] if known else json.dumps({"Id": id})
        self._merge([msgspec.structs.replace(record, id=id, raw=stored.encode())], whole)

    def ids(self, entity: str) -> Iterator[str]:
        """The ids that the mirror holds of an entity, deleted ones left out."""
        with self._connection.transaction(), self._connection.cursor("known_ids") as cursor:
            cursor.itersize = 10_000
            cursor.execute(statements("extract")["known_ids"], self._where | {"entity": entity})
            yield from (row[0] for row in cursor)

    def alive(self, entity: str) -> int:
        """How many records of an entity the mirror holds, deleted ones left out."""
        where = self._where | {"entity": entity}
        row = self._connection.execute(statements("extract")["alive"], where).fetchone()
        return row[0] if row else 0

    def created_until(self, entity: str, until: datetime) -> int | None:
        """How many of these were created until then; None when one does not tell when it was."""
        where = self._where | {"entity": entity, "until": until}
        row = self._connection.execute(statements("extract")["created_until"], where).fetchone()
        return row[0] if row else None

    def held(self, entity: str, ids: Sequence[str]) -> dict[str, str]:
        """Of these ids those the mirror has, each `alive` or `deleted`."""
        where = self._where | {"entity": entity, "ids": list(ids)}
        return dict(self._connection.execute(statements("extract")["held"], where).fetchall())

    def write_deleted(self, stubs: Sequence[Record], danger: Danger | None) -> None:
        """Write what QuickBooks told to be deleted. Raises `BreakerTripped` when that is a danger
        that nobody has released."""
        with self._transaction():
            self._pass_or_stop(danger and replace(danger, details=AMONG_CHANGES))
            self._merge_rows([(stub, digest(stub)) for stub in stubs])
        self.fetched.update(stub.entity for stub in stubs)

    def delete(self, entity: str, ids: Sequence[str], danger: Danger | None = None) -> None:
        """Mark records as deleted that QuickBooks no longer has. Raises `BreakerTripped` when that
        is a danger that nobody has released."""
        with self._transaction():
            self._pass_or_stop(danger)
            where = self._where | {"entity": entity, "ids": list(ids)}
            self._connection.execute(statements("extract")["vanished"], where)

    def require_release(self, danger: Danger | None) -> None:
        """Raise `BreakerTripped` when nobody has released a danger; a release is not used up."""
        with self._transaction():
            self._pass_or_stop(danger)
            raise psycopg.Rollback

    def is_empty(self, entity: str) -> bool:
        """Whether the mirror has nothing of an entity. Then no record of it is looked up from here
        on."""
        where = self._where | {"entity": entity}
        if self._connection.execute(statements("extract")["has_any"], where).fetchone() is None:
            self._empty.add(entity)
        return entity in self._empty

    def pages_read(self, entity: str) -> list[PageRead]:
        """The pages that an earlier try of a full read has brought; older ones than a day are
        forgotten."""
        where = self._where | {"entity": entity}
        with self._transaction(), self._connection.cursor(row_factory=args_row(PageRead.of)) as own:
            own.execute(statements("extract")["forget_old_pages"], where)
            return own.execute(statements("extract")["pages_read"], where).fetchall()

    def forget_pages(self, entity: str) -> None:
        """Let the next try read every page."""
        with self._transaction():
            self._forget_pages(entity)

    def _forget_pages(self, entity: str) -> None:
        where = self._where | {"entity": entity}
        self._connection.execute(statements("extract")["forget_pages"], where)

    def advance(self, positions: dict[str, datetime], whole: bool = False) -> None:
        """Move the entities' positions: what QuickBooks had until then is in the mirror. `whole`:
        it was read wholly."""
        with self._transaction():
            for entity, time in sorted(positions.items()):
                values = {"entity": entity, "changed_since": time, "whole": whole}
                self._connection.execute(statements("extract")["advance"], self._where | values)
                told = self._drift.note(self._connection, self._attempt.realm, entity)
                self.changed_fields |= told
                if whole:
                    self._forget_pages(entity)
                self._nobody_need_release(entity, {} if whole else AMONG_CHANGES)

    def _nobody_need_release(self, entity: str, found: dict[str, str]) -> None:
        """End what stopped an earlier read that found so: this one met no danger, or used its
        release. What a full read found, changes do not tell again."""
        tried = self._attempt
        codes = ["empty_source", "mass_delete"]
        breakers.clear(self._connection, tried.realm, tried.run_id, codes, entity, found)

    def seal(self) -> None:
        """Declare the generation whole."""
        with self._transaction():
            self._connection.execute(statements("runs")["seal_generation"], self._where)

    def _pass_or_stop(self, danger: Danger | None) -> None:
        if danger:
            tried = self._attempt
            breakers.pass_or_stop(self._connection, tried.realm, tried.run_id, danger)

    @property
    def _where(self) -> dict[str, Any]:
        generation = getattr(self, "generation", None)
        return {
            "realm": self._attempt.realm,
            "run_id": self._attempt.run_id,
            "generation": generation,
        }

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        """A transaction that does not wait for the disk: the position's does, and with it for all
        before it. What a crash of the server takes, a page and the note that it is done, it takes
        together."""
        with self._transaction():
            self._connection.execute(statements("extract")["do_not_wait"])
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._attempt.renew(self._connection)
        with self._connection.transaction():
            self._attempt.require(self._connection)
            yield


def _is_in_part(record: Record) -> bool:
    """Whether QuickBooks says that it has left something out of the record."""
    return b'"sparse"' in record.raw and _SPARSE.search(record.raw) is not None


def _one_after_the_other(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """All rows at once; each by itself, older versions first, where a record that comes only in
    part comes more than once."""
    ids = Counter(record.id for record, _ in rows)
    if any(ids[record.id] > 1 and _is_in_part(record) for record, _ in rows):
        return [[row] for row in sorted(rows, key=lambda row: row[0].sync_token)]
    return [rows] if rows else []


def _fields_of(rows: Iterable[Row]) -> dict[str, list[tuple[str, ...]]]:
    """The fields of each record that QuickBooks sent whole, by entity. Raises `NamedTwice` for all
    when it is so of one."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for record, _ in rows:
        if not record.deleted:
            names = fields(record.raw)
            if not _is_in_part(record):
                found.setdefault(record.entity, []).append(names)
    return found


def shown(id: str) -> str:
    """An id, or as much of an odd one as Postgres can store."""
    return id.replace("\0", "\ufffd")[:100]
