"""What happened to a CRM record: which runs changed which fields, and what people settled. It holds
customer data: never log it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from quickbooks_crm import exact, reasons
from quickbooks_crm.activity import Change, Row
from quickbooks_crm.records import Shelf
from quickbooks_crm.sql import statements

PAGE = 50

_SAID = {
    "linked": "linked",
    "unlinked": "unlinked",
    "told_apart": "told apart",
    "said_same": "said to be the same",
    "taken_back": "taken back",
}


@dataclass(frozen=True)
class Event:
    """One thing that happened. `run_id` is None of what a person settled; `gone` says that the
    values before and after are no longer kept; `of` is the QuickBooks record that it was about."""

    at: datetime
    by_whom: str | None
    what: str
    of: str
    run_id: str | None = None
    kind: str | None = None
    outcome: str | None = None
    gone: bool = False
    why: str | None = field(default=None, repr=False)
    told: tuple[str, ...] = field(default=(), repr=False)
    changes: tuple[Change, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class History:
    """What is known, newest first. `before` is the moment to go on from, `outcomes` and `images`
    those up to which it was forgotten how records ended, and what they held."""

    events: tuple[Event, ...]
    before: datetime | None
    outcomes: datetime | None
    images: datetime | None


def of(connection: Connection[Any], shelf: Shelf, key: str, before: datetime) -> History:
    """What happened to a record before a moment."""
    cursor, blocks = exact.cursor(connection), statements("history")
    where = shelf.where | {"company": shelf.company, "key": key}
    own = cursor.execute(blocks["sources"], where).fetchall()
    where |= {"entities": [one["entity"] for one in own], "ids": [one["id"] for one in own]}
    where |= {"before": before, "limit": PAGE + 1}
    found = [_did(row) for row in cursor.execute(blocks["did"], where)]
    found += [_closed(row) for row in cursor.execute(blocks["closed"], where)]
    found += [_settled(row) for row in cursor.execute(blocks["settled"], where)]
    found.sort(key=lambda event: event.at, reverse=True)
    forgotten = cursor.execute(blocks["forgotten"], where).fetchone() or {}
    older = found[PAGE - 1].at if len(found) > PAGE else None
    return History(tuple(found[:PAGE]), older, **forgotten)


def _did(row: dict[str, Any]) -> Event:
    told = {name: row.pop(name) for name in ("run_id", "at", "kind", "trigger", "by_whom", "gone")}
    ended = Row(**row, name=None)
    return Event(
        at=told["at"],
        by_whom=told["by_whom"] or told["trigger"],
        what=ended.outcome,
        of=f"{ended.entity} {ended.id}",
        run_id=told["run_id"],
        kind=told["kind"],
        outcome=ended.outcome,
        gone=told["gone"] and ended.outcome in ("added", "updated"),
        why=" ".join(_why(ended)) or None,
        told=ended.told,
        changes=ended.changes if ended.outcome == "updated" else _filled(ended),
    )


def _why(ended: Row) -> Iterator[str]:
    if ended.reason:
        yield f"{reasons.sentence(ended.reason).capitalize()}."
    if ended.message:
        yield ended.message


def _filled(ended: Row) -> tuple[Change, ...]:
    return tuple(change for change in ended.changes if change.after is not None)


def _closed(row: dict[str, Any]) -> Event:
    before, after = row["before"], row["after"]
    return Event(
        at=row["at"],
        by_whom=row["by_whom"] or row["trigger"],
        what="reference closed",
        of=f"{row['entity']} {row['id']}",
        run_id=row["run_id"],
        kind=row["kind"],
        outcome="updated",
        changes=tuple(Change(name, before[name], after[name]) for name in after),
    )


def _settled(row: dict[str, Any]) -> Event:
    return Event(row["at"], row["by_whom"], _SAID.get(row["kind"], row["kind"]), row["subject"])
