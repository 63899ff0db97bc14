"""A QuickBooks company in memory: its rows, what was deleted, and the changes made to them."""

import copy
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from simulator.clock import Clock, pacific
from simulator.entities import ENTITIES
from simulator.rows import Data, Row, id_order, row, version

DELETED_SUFFIX = " (deleted)"
_KEPT_SELECTIONS = 8


@dataclass(frozen=True)
class Event:
    """What happened to a row; `lost` is the id that a merge took away."""

    entity: str
    id: str
    operation: str
    when: float
    lost: str = ""


class Truth(NamedTuple):
    """What is so of one record: its SyncToken as a number, and whether it is active or deleted."""

    version: int
    active: bool = True
    deleted: bool = False


class Table:
    """The rows of one entity, when the latest of them changed, and when others were deleted."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.deleted: dict[str, int] = {}
        self.latest = 0
        self._highest = 0
        self._selections: dict[Hashable, list[Row]] = {}

    def put(self, new: Row) -> None:
        """Add the row, or replace the one with its id."""
        self.rows[new.id] = new
        self.latest = max(self.latest, new.updated)
        self._highest = max(self._highest, id_order(new.id)[1])
        self.deleted.pop(new.id, None)
        self._selections.clear()

    def remove(self, id: str, when: float) -> None:
        """Delete the row for good; change data capture will tell of it."""
        self.forget(id)
        self.deleted[id] = int(when)

    def forget(self, id: str) -> None:
        """Take the row away; nothing tells of it."""
        del self.rows[id]
        self._selections.clear()

    def selected(self, key: Hashable, select: Callable[[Iterable[Row]], list[Row]]) -> list[Row]:
        """What `select` makes of the rows, computed once until a row changes: pages share it."""
        if key not in self._selections:
            while len(self._selections) >= _KEPT_SELECTIONS:
                self._selections.pop(next(iter(self._selections)))
            self._selections[key] = select(self.rows.values())
        return self._selections[key]

    def copy(self) -> "Table":
        """The same rows, which go their own way from here on."""
        other = Table()
        other.rows, other.deleted = dict(self.rows), dict(self.deleted)
        other.latest, other._highest = self.latest, self._highest
        return other

    def next_id(self) -> str:
        """The number after the highest one ever given."""
        deleted = max((id_order(id)[1] for id in self.deleted), default=0)
        return str(max(self._highest, deleted) + 1)


class Company:
    """All tables of one realm. Every change takes `lock`, as every answer does.

    A change carries a time `late` seconds before it can be seen. `listeners` hear of every change.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.late = 0.0
        self.listeners: list[Callable[[Event], None]] = []
        self.tables: dict[str, Table] = {name: Table() for name in ENTITIES}

    def copy(self) -> "Company":
        """The same company, which goes its own way from here on; nobody listens to it yet."""
        with self.lock:
            other = Company(copy.copy(self.clock))
            other.late = self.late
            other.tables = {name: table.copy() for name, table in self.tables.items()}
        return other

    def table(self, entity: str) -> Table:
        """The table of an entity by its exact name; raises KeyError."""
        return self.tables[entity]

    def load(self, entity: str, records: Iterable[Data]) -> None:
        """Put records as they are; of two with one id the newer SyncToken stays."""
        table = self.tables[entity]
        for data in records:
            known = table.rows.get(str(data["Id"]))
            if known is None or version(data) >= known.version:
                table.put(row(data))

    def put(self, entity: str, data: Data, served: bytes | None = None) -> None:
        """Put a record as it is, in place of what has its id; `served` is sent in its stead."""
        new = row(data)
        with self.lock:
            self.tables[entity].put(new if served is None else replace(new, raw=served))

    def rows(self, entity: str) -> list[Data]:
        """Every row, inactive ones too, in order of id."""
        with self.lock:
            rows = self.tables[entity].rows
            return [rows[id].data for id in sorted(rows, key=id_order)]

    def truth(self, entity: str) -> dict[str, Truth]:
        """Every record there is, and those that were deleted, whose version nobody knows: -1."""
        with self.lock:
            table = self.tables[entity]
            gone = {id: Truth(-1, active=False, deleted=True) for id in table.deleted}
            here = {id: Truth(row.version, row.active) for id, row in table.rows.items()}
            return gone | here

    def row(self, entity: str, id: str) -> Data:
        """One row; raises KeyError."""
        with self.lock:
            return self.tables[entity].rows[id].data

    def add(self, entity: str, data: Data) -> str:
        """Add a record, first version, as of now; returns its id."""
        with self.lock:
            table = self.tables[entity]
            id = str(data.get("Id") or table.next_id())
            now = self._now()
            times = {"CreateTime": now, "LastUpdatedTime": now}
            table.put(
                row(
                    {
                        "domain": "QBO",
                        "sparse": False,
                        **data,
                        "Id": id,
                        "SyncToken": "0",
                        "MetaData": times,
                    }
                )
            )
            self.tell(entity, id, "Create")
            return id

    def change(self, entity: str, id: str, fields: Data, operation: str = "Update") -> Data:
        """Set fields, None takes one away; the version goes up by one, as of now.

        An empty `operation` is told to nobody.
        """
        with self.lock:
            data = {**self.row(entity, id), **fields}
            self._name_fully(entity, data, fields)
            data["SyncToken"] = str(int(data.get("SyncToken", "0")) + 1)
            now = self._now()
            data["MetaData"] = {**data.get("MetaData", {"CreateTime": now}), "LastUpdatedTime": now}
            data = _present(data)
            self.tables[entity].put(row(data))
            if operation:
                self.tell(entity, id, operation)
            return data

    def change_silently(self, entity: str, id: str, fields: Data) -> Data:
        """Set fields, but let neither version nor times tell: as a balance that was computed."""
        with self.lock:
            data = _present({**self.row(entity, id), **fields})
            self.tables[entity].put(row(data))
            return data

    def inactivate(self, entity: str, id: str, operation: str = "Delete") -> Data:
        """What "delete" means for a name list: inactive, and the name says so."""
        data = self.row(entity, id)
        field = _name_field(data)
        name = str(data[field])
        marked = name if name.lower().endswith(DELETED_SUFFIX) else name + DELETED_SUFFIX
        return self.change(entity, id, {"Active": False, field: marked}, operation)

    def reactivate(self, entity: str, id: str) -> Data:
        """Make the row active again, under its old name."""
        data = self.row(entity, id)
        field = _name_field(data)
        name = str(data[field])
        if name.lower().endswith(DELETED_SUFFIX):
            name = name[: -len(DELETED_SUFFIX)]
        return self.change(entity, id, {"Active": True, field: name})

    def delete(self, entity: str, id: str) -> None:
        """Delete for good, as QuickBooks does with transactions."""
        with self.lock:
            self.tables[entity].remove(id, self.clock.now() - self.late)
            self.tell(entity, id, "Delete")

    def vanish(self, entity: str, id: str) -> None:
        """Take a row away without a word, as a delete that change data capture forgot long ago."""
        with self.lock:
            self.tables[entity].forget(id)

    def tell(self, entity: str, id: str, operation: str, lost: str = "") -> None:
        """Let the listeners know."""
        for listen in self.listeners:
            listen(Event(entity, id, operation, self.clock.now(), lost))

    def _now(self) -> str:
        return pacific(self.clock.now() - self.late)

    def _name_fully(self, entity: str, data: Data, fields: Data) -> None:
        """Let the full name follow a new name or parent; children keep theirs until they change."""
        field = _name_field(data)
        if "FullyQualifiedName" in fields or not {field, "ParentRef"} & fields.keys():
            return
        parent = (data.get("ParentRef") or {}).get("value")
        above = self.tables[entity].rows.get(parent) if parent else None
        data["FullyQualifiedName"] = f"{above.name}:{data[field]}" if above else data[field]


def _name_field(data: Data) -> str:
    return "DisplayName" if "DisplayName" in data or "Name" not in data else "Name"


def _present(data: Data) -> Data:
    return {name: value for name, value in data.items() if value is not None}
