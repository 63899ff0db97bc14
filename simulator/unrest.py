"""A company that changes while it is being read: acts between two pages, also at random."""

import re
import threading
from collections.abc import Callable
from random import Random

from simulator.company import Company
from simulator.entities import ENTITIES
from simulator.merging import merge
from simulator.plausible import filled_in
from simulator.voiding import void

Act = Callable[[], object]

_ENTITY = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
_COUNT = re.compile(r"\s*select\s+count\b", re.IGNORECASE)


class Unrest:
    """What is to be done after each page of rows, before the next one is asked for."""

    def __init__(self) -> None:
        self._acts: list[tuple[Act, str]] = []
        self._lock = threading.Lock()

    def between_pages(self, act: Act, entity: str = "") -> None:
        """Do this after every page of the entity, or of any."""
        with self._lock:
            self._acts.append((act, entity.lower()))

    def calm(self) -> None:
        """Do nothing any more."""
        with self._lock:
            self._acts.clear()

    def after(self, statement: str) -> list[Act]:
        """The acts due once this statement is answered."""
        if not self._acts or _COUNT.match(statement):
            return []
        found = _ENTITY.search(statement)
        entity = found[1].lower() if found else ""
        with self._lock:
            return [act for act, wanted in self._acts if wanted in ("", entity)]


def random_changes(company: Company, entity: str, seed: int = 1, **counts: int) -> Act:
    """Something to do again and again: so many `edits`, `adds`, … of rows taken at random.

    The same seed takes the same rows of the same company. Raises ValueError for an unknown word.
    """
    for word in counts:
        if word not in CHANGES:
            raise ValueError(f"a change cannot be {word!r}. It is one of: {', '.join(CHANGES)}")
    random = Random(f"{seed} changes {entity}")

    def act() -> None:
        for word, count in counts.items():
            for _ in range(count):
                with company.lock:
                    CHANGES[word](company, entity, random)

    return act


def _edit(company: Company, entity: str, random: Random) -> None:
    id = _chosen(company, entity, random)
    note = _NOTES.get(entity, "" if ENTITIES[entity].name_list else "PrivateNote")
    if id:
        company.change(entity, id, {note: f"Note {random.randrange(10**9)}"} if note else {})


_NOTES = {"Customer": "Notes", "Vendor": "Notes", "Item": "Description"}


def _add(company: Company, entity: str, random: Random) -> None:
    company.add(entity, filled_in(company, entity, {}))


def _delete(company: Company, entity: str, random: Random) -> None:
    """As a person would: a name becomes inactive, a transaction is gone."""
    if ENTITIES[entity].name_list:
        id = _chosen(company, entity, random, active=True)
        if id:
            company.inactivate(entity, id)
        return
    id = _chosen(company, entity, random)
    if id:
        company.delete(entity, id)


def _reactivate(company: Company, entity: str, random: Random) -> None:
    id = _chosen(company, entity, random, active=False)
    if id:
        company.reactivate(entity, id)


def _void(company: Company, entity: str, random: Random) -> None:
    id = _chosen(company, entity, random)
    if id:
        void(company, entity, id)


def _merge(company: Company, entity: str, random: Random) -> None:
    """Two that stand on their own, so that none is below the other."""
    rows = company.table(entity).rows.items()
    alone = [id for id, row in rows if row.active and ":" not in row.name]
    if len(alone) >= 2:
        merge(company, entity, *random.sample(alone, 2))


def _chosen(
    company: Company, entity: str, random: Random, active: bool | None = None
) -> str | None:
    """An id, or None where no row is so."""
    rows = company.table(entity).rows
    ids = (
        [id for id, row in rows.items() if row.active == active] if active is not None else [*rows]
    )
    return random.choice(ids) if ids else None


CHANGES: dict[str, Callable[[Company, str, Random], None]] = {
    "edits": _edit,
    "adds": _add,
    "deletes": _delete,
    "reactivations": _reactivate,
    "voids": _void,
    "merges": _merge,
}
