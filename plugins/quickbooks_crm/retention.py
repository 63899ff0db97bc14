"""What is old is thrown away: how records ended, their values before and after, calls, generations
under which nothing stands. How many ended how is kept for ever."""

from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm import acts, runs
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

BATCH = 5_000
"""How many rows go in one transaction."""


@dataclass(frozen=True)
class Retention:
    """For how many days what is kept: that a record was unchanged, the values before and after a
    change, how records ended and why, calls to QuickBooks."""

    unchanged: int = 30
    images: int = 90
    outcomes: int = 400
    calls: int = 400


@dataclass(frozen=True)
class Purged:
    """How many rows were thrown away, or would be, and of how many runs."""

    company: str
    runs: int = 0
    unchanged: int = 0
    images: int = 0
    outcomes: int = 0
    conflicts: int = 0
    calls: int = 0
    generations: int = 0

    @property
    def any(self) -> bool:
        """Whether there was anything to throw away."""
        return any(count for count in asdict(self).values() if isinstance(count, int))


_STAGES = {"outcomes": "emptied_at", "unchanged": "thinned_at", "images": "purged_at"}
"""What goes when a run is old, and which column of the run says that it is gone."""


_BESIDES = {"outcomes": ("references", "drift"), "images": ("former", "added_keywords")}
"""What goes along with it, where it is something that an undo needs."""

_COUNTED = {
    "outcomes": "count_outcomes",
    "unchanged": "count_unchanged",
    "images": "count_images",
    "conflicts": "count_conflicts",
    "calls": "count_calls",
    "generations": "count_generations",
}


def purge(
    connection: Connection[Any], company: str, realm: str, kept: Retention, by: str
) -> Purged:
    """Throw away what a company's settings no longer keep, some rows in each transaction. Be
    outside of one: what is done stays done, whatever happens after it."""
    runs.end_silent(connection, Run(company, realm, ""))
    counts: dict[str, int] = {}
    touched: set[str] = set()
    for what in _STAGES:
        run_ids = _old(connection, realm, what, kept)
        if run_ids and not touched:
            connection.execute(statements("retention")["look"])
        counts[what] = sum(_throw_away(connection, realm, run_id, what) for run_id in run_ids)
        touched |= set(run_ids)
    for what, days in _beside_runs(kept).items():
        where = {"realm": realm, "days": days}
        counts[what] = connection.execute(statements("retention")[what], where).rowcount
    purged = Purged(company, len(touched), **counts)
    if purged.any:
        told = asdict(purged) | {"kept": asdict(kept)}
        acts.note(connection, "purged", f"{company} ({realm})", by, told, company)
    return purged


def plan(connection: Connection[Any], company: str, realm: str, kept: Retention) -> Purged:
    """What `purge` would throw away now."""
    counts: dict[str, int] = {}
    emptied = set(_old(connection, realm, "outcomes", kept))
    touched = set(emptied)
    for what in _STAGES:
        run_ids = set(_old(connection, realm, what, kept))
        touched |= run_ids
        left = run_ids if what == "outcomes" else run_ids - emptied
        where = {"realm": realm, "run_ids": sorted(left)}
        counts[what] = _count(connection, what, where)
    for what, days in _beside_runs(kept).items():
        counts[what] = _count(connection, what, {"realm": realm, "days": days})
    return Purged(company, len(touched), **counts)


def _beside_runs(kept: Retention) -> dict[str, int]:
    """For how many days is kept what belongs to no run in particular."""
    return {"conflicts": kept.outcomes, "calls": kept.calls, "generations": kept.outcomes}


def _old(connection: Connection[Any], realm: str, what: str, kept: Retention) -> list[str]:
    query = statements("retention")["old_runs"].format(done=sql.Identifier(_STAGES[what]))
    rows = connection.execute(query, {"realm": realm, "days": getattr(kept, what)}).fetchall()
    return [run_id for (run_id,) in rows]


def _throw_away(connection: Connection[Any], realm: str, run_id: str, what: str) -> int:
    """How many rows of a run went, each batch in a transaction of its own."""
    blocks, where = statements("retention"), {"realm": realm, "run_id": run_id, "batch": BATCH}
    if what in _BESIDES:
        connection.execute(blocks["undoable_no_more"], where)
    query = blocks["part"].format(done=blocks[what].format(needed=blocks["needed"]))
    gone, last = 0, ("", "", "")
    while row := connection.execute(query, where | _after(last)).fetchone():
        gone, last = gone + row[0], row[1:]
    for name in _BESIDES.get(what, ()):
        while connection.execute(blocks[name], where).rowcount:
            pass
    connection.execute(blocks["mark"].format(done=sql.Identifier(_STAGES[what])), where)
    return gone


def _after(last: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("module", "entity", "id"), last, strict=True))


def _count(connection: Connection[Any], what: str, where: dict[str, Any]) -> int:
    blocks = statements("retention")
    query = blocks[_COUNTED[what]].format(needed=blocks["needed"])
    row = connection.execute(query, where).fetchone()
    return row[0] if row else 0
