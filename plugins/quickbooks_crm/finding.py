"""Finds records among those that ended in one way in a run, however many these are."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity
from quickbooks_crm.activity import PAGE, Row
from quickbooks_crm.sql import statements

WINDOW = 5_000
"""How many names are looked at in one go: no index holds any part of a name."""

PATIENCE = 0.1
"""Seconds after which a search stops at the end of a window, and can be told to go on: an answer
that took longer would keep the others of its process waiting."""

Key = tuple[str, str]
"""The id and entity of a record: lists go on from one."""

BEGINNING: Key = ("", "")
NAMES: Key = ("", "names")
"""Before all records, too, but for the one that is found by its id: whoever goes on from here looks
for the text in names only."""


@dataclass(frozen=True)
class Which:
    """Which records: how they ended in which run and module, and, where that is said, for which
    reason, and with which text in their name or as their id."""

    realm: str
    run_id: str
    module: str
    outcome: str
    reason: str = ""
    text: str = ""


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


def part(connection: Connection[Any], which: Which, after: Key = BEGINNING) -> Part:
    """The records that follow, a page of them."""
    if which.text:
        return _search(connection, which, after)
    return _page(rows(connection, which, after, PAGE + 1))


def rows(connection: Connection[Any], which: Which, after: Key, limit: int) -> list[Row]:
    """So many of the records that follow, whatever their names."""
    return _rows(connection, which, _of_reason(which), after, limit)


def reasons(connection: Connection[Any], which: Which) -> list[str]:
    """The reasons there are for such an end."""
    found = connection.execute(statements("activity")["reasons_of"], asdict(which))
    return [reason for (reason,) in found.fetchall()]


def _search(connection: Connection[Any], which: Which, after: Key) -> Part:
    """The record of that id, or else those with the text in their names."""
    if after == BEGINNING and (found := _rows(connection, which, "of_id", BEGINNING, PAGE)):
        return Part(found, NAMES, whole=False)
    return _search_names(connection, which, after)


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
    statement = activity.of_those("rows_found", _of_reason(which))
    return activity.as_rows(connection, statement, _values(which, after) | {"limit": limit})


def _window_end(connection: Connection[Any], which: Which, after: Key) -> Key | None:
    statement = activity.of_those("window_end", _of_reason(which))
    return connection.execute(statement, _values(which, after)).fetchone()


def _rows(
    connection: Connection[Any], which: Which, narrowing: str, after: Key, limit: int
) -> list[Row]:
    statement = activity.of_those("rows", narrowing)
    return activity.as_rows(connection, statement, _values(which, after) | {"limit": limit})


def _of_reason(which: Which) -> str:
    return "of_reason" if which.reason else "all"


def _values(which: Which, after: Key) -> dict[str, Any]:
    return asdict(which) | {"after_id": after[0], "after_entity": after[1], "window": WINDOW}
