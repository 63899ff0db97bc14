"""How far a run is, and what a preview has found, for a person who waits for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from quickbooks_crm import activity, runs
from quickbooks_crm.activity import Row, Run
from quickbooks_crm.errors import RunError
from quickbooks_crm.sql import statements

SHOWN = ("added", "updated", "removed", "duplicate", "not_added", "excluded")
"""The outcomes of which a preview shows some rows; the others would stay as they are."""

SOME = 5
MOST = 10_000
"""How many records are counted at most while a run reads."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: how many records it has `read` by entity, and how many rows of a module are
    `staged`. More than `MOST` are not counted."""

    read: dict[str, int]
    staged: dict[str, int]


@dataclass(frozen=True)
class Sample:
    """Some records that ended in one way, or would; how many `more` there are."""

    module: str
    outcome: str
    rows: tuple[Row, ...]
    more: int


@dataclass(frozen=True)
class LeftOut:
    """Whether records are held back since somebody has undone them, and whether `others` are."""

    undone: bool = False
    others: bool = False


def find(connection: Connection[Any], company: str, run_id: str) -> Run | None:
    """A company's run with its counts, or None before its first task has begun."""
    where = {"company": company, "run_id": run_id}
    row = connection.execute(statements("progress")["realm"], where).fetchone()
    return activity.counted(connection, row[0], run_id) if row else None


def of(connection: Connection[Any], run: Run) -> Progress:
    """How far a run is that has begun."""
    sql, where = statements("progress"), {"realm": run.realm, "run_id": run.run_id}
    counted = where | {"entities": _entities(connection, run), "most": MOST + 1}
    read = connection.execute(sql["read_so_far"], counted).fetchall()
    return Progress(dict(read), dict(connection.execute(sql["staged"], where).fetchall()))


def left_out(connection: Connection[Any], run: Run) -> LeftOut:
    """Whether records of the run's modules are held back by now."""
    where = {"realm": run.realm, "modules": list(run.modules)}
    row = connection.execute(statements("progress")["left_out"], where).fetchone()
    return LeftOut(*row) if row else LeftOut()


def samples(connection: Connection[Any], run: Run) -> Iterator[Sample]:
    """Of each module and outcome some rows, with before and after."""
    for counts in run.counts:
        for outcome in SHOWN:
            if count := getattr(counts, outcome):
                asked = (connection, run.realm, run.run_id, counts.module, outcome)
                rows = tuple(activity.rows(*asked, limit=SOME))
                yield Sample(counts.module, outcome, rows, count - len(rows))


def _entities(connection: Connection[Any], run: Run) -> list[str]:
    """The entities that a run reads; none before its settings are settled."""
    try:
        known = runs.asked(connection, runs.Run(run.company, run.realm, run.run_id))
    except RunError:
        return []
    return sorted({entity for mapping in known.values() for entity in mapping.reads})
