"""What only a person can settle, one after the other: which records that look the same are, and
which QuickBooks record a CRM record in its way is. They hold customer data: never log them."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any, Literal

from psycopg import Connection, errors
from psycopg.rows import class_row

from quickbooks_crm import linking, records, review
from quickbooks_crm.errors import LinkRefused
from quickbooks_crm.records import MOST, Record, Shelf
from quickbooks_crm.review import Alike, Held
from quickbooks_crm.sql import statements

PAGE = 20
LATELY = 5
TIME = timedelta(seconds=10)
"""How long a look may take: somebody waits for it."""

_DIGITS = 19
"""No place has so many."""

Verdict = Literal["same", "different"]


@dataclass(frozen=True)
class Group:
    """CRM records that look the same in the columns `by` and of which a person has not said of all
    whether they are; `more` were not listed when somebody looked."""

    place: int
    by: tuple[str, ...]
    more: int
    records: tuple[Record, ...] = field(repr=False)


@dataclass(frozen=True)
class InTheWay:
    """A QuickBooks record that is held back, and the CRM records in its way."""

    held: Held
    records: tuple[Record, ...] = field(repr=False)


@dataclass(frozen=True)
class Left:
    """How much is left to settle, counted up to one more than `MOST`, and who last looked for
    records that look the same."""

    held: int
    alike: int
    by_whom: str | None
    looked_at: datetime | None


@dataclass(frozen=True)
class Said:
    """What was said last: that the records with these keys, and perhaps a QuickBooks record, are
    different, the same, or linked."""

    what: str
    since: datetime
    by_whom: str
    entity: str
    id: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """How many groups a look has found, and whether it was at the `whole` table."""

    groups: int
    whole: bool


@dataclass(frozen=True)
class Person:
    """Who settles something on which shelf."""

    shelf: Shelf
    name: str


@dataclass(frozen=True)
class Some:
    """A page of what is left, and the place to go on from."""

    groups: tuple[Group, ...] = ()
    in_the_way: tuple[InTheWay, ...] = ()
    next: str | None = None


def look(connection: Connection[Any], person: Person) -> Looked:
    """Look at the whole table for records that look the same, and keep them for a person; what was
    found within `TIME`. Raises `LinkRefused` while somebody else looks at the same."""
    shelf = person.shelf
    blocks, where = statements("settling"), shelf.where
    if connection.execute(blocks["one_look"], where).fetchone() != (True,):
        raise LinkRefused(
            f"Somebody is looking for possible duplicates of {where['module']} at this moment. "
            "Load the page again in a moment to see what was found."
        )
    connection.execute(statements("load")["settings"])
    found, whole = _seen(connection, shelf)
    connection.execute(blocks["forget"], where)
    rows = (
        where | {"place": place, "by": list(one.by), "keys": list(one.keys), "size": one.size}
        for place, one in enumerate(found, 1)
    )
    connection.cursor().executemany(blocks["keep"], rows)
    connection.execute(blocks["looked"], where | {"by_whom": person.name})
    return Looked(len(found), whole)


def _seen(connection: Connection[Any], shelf: Shelf) -> tuple[list[Alike], bool]:
    """What looks the same, and whether all was looked at."""
    found: list[Alike] = []
    within = partial(_for_a_while, connection, time.monotonic() + TIME.total_seconds())
    try:
        for one in review.alike(connection, shelf.reviewed(records.PAGE), within):
            if len(found) == MOST:
                return found, False
            found.append(one)
    except errors.QueryCanceled:
        return found, False
    return found, True


@contextmanager
def _for_a_while(connection: Connection[Any], until: float) -> Iterator[None]:
    """A statement that is cut off then, without what was done before it."""
    left = max(1, round((until - time.monotonic()) * 1000))
    with connection.transaction():
        connection.execute(statements("activity")["patience"], {"milliseconds": str(left)})
        yield


def left(connection: Connection[Any], shelf: Shelf) -> Left:
    """How much is left of each sort."""
    blocks, where = statements("settling"), shelf.where | {"most": MOST + 1}
    query = blocks["left"].format(waiting=blocks["waiting"].format())
    counts = connection.execute(query, where).fetchone() or (0, 0)
    last = connection.execute(blocks["last_look"], where).fetchone() or (None, None)
    return Left(*counts, *last)


def alike(connection: Connection[Any], shelf: Shelf, after: str = "") -> Some:
    """Groups that look the same, in the order in which they were found."""
    place = int(after) if after.isdecimal() and len(after) < _DIGITS else 0
    found = _groups(connection, shelf, place, PAGE + 1)
    shown = tuple(group for group in found[:PAGE] if len(group.records) > 1)
    return Some(groups=shown, next=str(found[PAGE - 1].place) if len(found) > PAGE else None)


def in_the_way(connection: Connection[Any], shelf: Shelf, after: str = "") -> Some:
    """QuickBooks records that are held back, by their ids."""
    entity, _, id = after.partition("/")
    blocks = statements("settling")
    where = shelf.where | {"after_entity": entity, "after_id": id, "limit": PAGE + 1}
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        held = cursor.execute(
            blocks["held"].format(waiting=blocks["waiting"].format()), where
        ).fetchall()
    known = _known(connection, shelf, (key for one in held for key in one.candidates))
    shown = (
        InTheWay(one, tuple(known[key] for key in one.candidates if key in known)) for one in held
    )
    last = held[PAGE - 1] if len(held) > PAGE else None
    return Some(in_the_way=tuple(shown)[:PAGE], next=f"{last.entity}/{last.id}" if last else None)


def lately(connection: Connection[Any], shelf: Shelf) -> list[Said]:
    """What people said last."""
    where = shelf.where | {"company_name": shelf.company, "limit": LATELY}
    with connection.cursor(row_factory=class_row(Said)) as cursor:
        return cursor.execute(statements("settling")["lately"], where).fetchall()


def settle_held(
    connection: Connection[Any], person: Person, held: tuple[str, str], key: str, verdict: Verdict
) -> str:
    """Say whether a QuickBooks record is a CRM record in its way. The same: it is linked, unless
    another one is that CRM record already. What was done, in a sentence."""
    shelf = person.shelf
    place = shelf.place(*held)
    record = records.one(connection, shelf, key)
    if record is None:
        raise LinkRefused(f"CRM record {key} is not there any more. Load the page again.")
    if verdict == "different":
        return linking.tell_apart(connection, place, key, person.name)
    if record.origin:
        return linking.say_same(connection, place, key, person.name)
    return linking.link(connection, place, key, person.name)


def settle_alike(
    connection: Connection[Any], person: Person, number: int, keys: list[str], verdict: Verdict
) -> str:
    """Say of some records of a group that they are the same, or each different from all others of
    it. What was done, in a sentence."""
    shelf, blocks = person.shelf, statements("settling")
    where = shelf.where | {"place": number}
    place = shelf.place()
    say = linking.say_records_same if verdict == "same" else linking.tell_records_apart
    row = connection.execute(blocks["group_left"], where).fetchone()
    if row is None or not set(keys) <= set(row[0]):
        raise LinkRefused("Somebody has settled this meanwhile. Load the page again.")
    there = set(_known(connection, shelf, row[0]))
    pairs = list(_pairs([key for key in row[0] if key in there], set(keys), verdict))
    if not pairs:
        raise LinkRefused("Pick at least two records that are in the CRM.")
    for one, other in pairs:
        said = say(connection, place, one, other, person.name)
    if len(_groups(connection, shelf, number - 1, 1)[0].records) < 2:
        connection.execute(blocks["settle_group"], where)
    return said if len(pairs) == 1 else f"{len(pairs)} pairs of records are {verdict}."


def take_back(connection: Connection[Any], person: Person, what: str, since: datetime) -> str:
    """Take back what was said at a moment. What was done, in a sentence."""
    shelf = person.shelf
    said = linking.take_back(connection, shelf.place(), what, since, person.name)
    connection.execute(statements("settling")["unsettle_groups"], shelf.where | {"since": since})
    return said


def _pairs(group: list[str], chosen: set[str], verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Of records that are the same, all pairs of these; of different ones each with all others."""
    for one, other in combinations(group, 2):
        both = {one, other} & chosen
        if len(both) == 2 or (both and verdict == "different"):
            yield one, other


def _groups(connection: Connection[Any], shelf: Shelf, after: int, limit: int) -> list[Group]:
    where = shelf.where | {"after": after, "limit": limit}
    rows = connection.execute(statements("settling")["groups"], where).fetchall()
    known = _known(connection, shelf, (key for row in rows for key in row[3]))
    return [
        Group(place, tuple(by), more, tuple(known[key] for key in keys if key in known))
        for place, by, more, keys in rows
    ]


def _known(connection: Connection[Any], shelf: Shelf, keys: Iterable[str]) -> dict[str, Record]:
    """The company's records with these keys that are there."""
    wanted = list(dict.fromkeys(keys))
    found = records.these(connection, shelf, wanted, compared(shelf))
    return {record.key: record for record in found}


def compared(shelf: Shelf) -> list[str]:
    """The columns by which a person tells whether records are the same."""
    kinds = [name for name, filled in shelf.target.mapping.fields.items() if filled.kind]
    wanted = dict.fromkeys([*shelf.labels, *kinds, *shelf.listed])
    return [name for name in wanted if name in shelf.readable]
