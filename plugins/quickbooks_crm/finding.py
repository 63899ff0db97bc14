"""Finds records among those that ended in one way in a run, however many these are."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity
from quickbooks_crm.activity import PAGE, Module, Row, Run
from quickbooks_crm.sql import statements

WINDOW = 5_000
"""How many names are looked at in one go: no index holds any part of a name."""

PATIENCE = 0.1
"""Seconds after which a search stops at the end of a window, and can be told to go on: an answer
that took longer would keep the others of its process waiting."""

MOST = 10_000
"""How many records with notes are counted, at most, of those that ended in one way."""

Key = tuple[str, str]
"""The id and entity of a record: lists go on from one."""

BEGINNING: Key = ("", "")
NAMES: Key = ("", "names")
"""Before all records, too, but for the one that is found by its id: whoever goes on from here looks
for the text in names only."""


@dataclass(frozen=True)
class Which:
    """Which records: how they ended in which run and module, and, where that is said, for which
    reason, with which text in their name or as their id, and `noted`: only those with notes."""

    realm: str
    run_id: str
    module: str
    outcome: str
    reason: str = ""
    text: str = ""
    noted: bool = False

    @property
    def narrowed(self) -> bool:
        """Whether more is said than how they ended."""
        return bool(self.reason or self.text or self.noted)


@dataclass(frozen=True)
class Part:
    """Some of the records; `next` is where the rest begins, if there may be any. A search that is
    not `whole` has not looked at all records yet, though it has found few."""

    rows: list[Row]
    next: Key | None
    whole: bool = True

    @property
    def by_id(self) -> bool:
        """Whether they were found by their id, and names not looked at."""
        return self.next == NAMES


@dataclass(frozen=True)
class Noted:
    """How many of the records of a module that ended in one way have notes."""

    module: str
    outcome: str
    count: int

    @property
    def told(self) -> str:
        """The number in words, which is not known when it is very large."""
        return f"{self.count:,}" if self.count <= MOST else f"more than {MOST:,}"


def part(connection: Connection[Any], which: Which, after: Key = BEGINNING) -> Part:
    """The records that follow, a page of them."""
    if which.text:
        return _search(connection, which, after)
    return _page(rows(connection, which, after, PAGE + 1))


def rows(connection: Connection[Any], which: Which, after: Key, limit: int) -> list[Row]:
    """So many of the records that follow, whatever their names."""
    return _rows(connection, which, _narrowing(which), after, limit)


def reasons(connection: Connection[Any], which: Which) -> list[str]:
    """The reasons there are for such an end."""
    found = connection.execute(statements("activity")["reasons_of"], asdict(which))
    return [reason for (reason,) in found.fetchall()]


def noted(connection: Connection[Any], run: Run, counts: Iterable[Module]) -> list[Noted]:
    """Where among the records of some modules of a run there are notes, in load order."""
    ended = [(m.module, name) for m in counts for name in run.outcomes if getattr(m, name)]
    asked = {"realm": run.realm, "run_id": run.run_id, "limit": MOST + 1}
    asked |= {"modules": [module for module, _ in ended], "outcomes": [name for _, name in ended]}
    found = connection.execute(statements("activity")["noted"], asked).fetchall()
    return sorted((Noted(*row) for row in found), key=lambda n: ended.index((n.module, n.outcome)))


def _search(connection: Connection[Any], which: Which, after: Key) -> Part:
    """The record of that id, or else those with the text in their names."""
    if after == BEGINNING and (found := _with_id(connection, which)):
        return Part(found, NAMES, whole=False)
    return _search_names(connection, which, after)


def _with_id(connection: Connection[Any], which: Which) -> list[Row]:
    return _rows(connection, which, ("of_id", *_narrowing(which)), BEGINNING, PAGE)


def _search_names(connection: Connection[Any], which: Which, after: Key) -> Part:
    """Those with the text in their names, window by window."""
    until, found = time.monotonic() + PATIENCE, list[Row]()
    while True:
        missing = PAGE + 1 - len(found)
        found += _named(connection, which, after, missing)
        if len(found) > PAGE:
            return _page(found)
        end = _window_end(connection, which, after)
        if end is None:
            return Part(found, None)
        if time.monotonic() > until:
            return Part(found, end, whole=False)
        after = end


def _page(found: list[Row]) -> Part:
    if len(found) <= PAGE:
        return Part(found, None)
    last = found[PAGE - 1]
    return Part(found[:PAGE], (last.id, last.entity))


def _named(connection: Connection[Any], which: Which, after: Key, limit: int) -> list[Row]:
    """Those of a window of records that have the text in their names."""
    statement = activity.of_those("rows_found", *_narrowing(which))
    return activity.as_rows(connection, statement, _values(which, after) | {"limit": limit})


def _window_end(connection: Connection[Any], which: Which, after: Key) -> Key | None:
    statement = activity.of_those("window_end", *_narrowing(which))
    return connection.execute(statement, _values(which, after)).fetchone()


def _rows(
    connection: Connection[Any], which: Which, narrowing: Iterable[str], after: Key, limit: int
) -> list[Row]:
    statement = activity.of_those("rows", *narrowing)
    return activity.as_rows(connection, statement, _values(which, after) | {"limit": limit})


def _narrowing(which: Which) -> Iterator[str]:
    """The blocks of conditions that say which."""
    if which.reason:
        yield "of_reason"
    if which.noted:
        yield "with_notes"


def _values(which: Which, after: Key) -> dict[str, Any]:
    return asdict(which) | {"after_id": after[0], "after_entity": after[1], "window": WINDOW}
