"""A QuickBooks company in memory: its rows, what was deleted, and the changes made to them."""

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from simulator.clock import Clock, pacific
from simulator.entities import ENTITIES
from simulator.rows import Data, Row, id_order, row

DELETED_SUFFIX = " (deleted)"
_KEPT_SELECTIONS = 8


class Table:
    """The rows of one entity, when the latest of them changed, and when others were deleted."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.deleted: dict[str, int] = {}
        self.latest = 0
        self._selections: dict[Hashable, list[Row]] = {}

    def put(self, new: Row) -> None:
        """Add the row, or replace the one with its id."""
        self.rows[new.id] = new
        self.latest = max(self.latest, new.updated)
        self.deleted.pop(new.id, None)
        self._selections.clear()

    def remove(self, id: str, when: float) -> None:
        """Delete the row for good; change data capture will tell of it."""
        del self.rows[id]
        self.deleted[id] = int(when)
        self._selections.clear()

    def selected(self, key: Hashable, select: Callable[[Iterable[Row]], list[Row]]) -> list[Row]:
        """What `select` makes of the rows, computed once until a row changes: pages share it."""
        if key not in self._selections:
            while len(self._selections) >= _KEPT_SELECTIONS:
                self._selections.pop(next(iter(self._selections)))
            self._selections[key] = select(self.rows.values())
        return self._selections[key]

    def next_id(self) -> str:
        """The number after the highest one ever given."""
        used = [int(id) for id in (*self.rows, *self.deleted) if id_order(id)[0] == 0]
        return str(max(used, default=0) + 1)


class Company:
    """All tables of one realm. Every change takes `lock`, as every answer does."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.tables: dict[str, Table] = {name: Table() for name in ENTITIES}

    def table(self, entity: str) -> Table:
        """The table of an entity by its exact name; raises KeyError."""
        return self.tables[entity]

    def load(self, entity: str, records: Iterable[Data]) -> None:
        """Put records as they are; of two with one id the newer SyncToken stays."""
        table = self.tables[entity]
        for data in records:
            known = table.rows.get(str(data["Id"]))
            if known is None or _version(data) >= _version(known.data):
                table.put(row(data))

    def rows(self, entity: str) -> list[Data]:
        """Every row, inactive ones too, in order of id."""
        with self.lock:
            rows = self.tables[entity].rows
            return [rows[id].data for id in sorted(rows, key=id_order)]

    def row(self, entity: str, id: str) -> Data:
        """One row; raises KeyError."""
        with self.lock:
            return self.tables[entity].rows[id].data

    def add(self, entity: str, data: Data) -> str:
        """Add a record, first version, as of now; returns its id."""
        with self.lock:
            table = self.tables[entity]
            id = str(data.get("Id") or table.next_id())
            now = pacific(self.clock.now())
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
            return id

    def change(self, entity: str, id: str, fields: Data) -> Data:
        """Set fields, None takes one away; the version goes up by one, as of now."""
        with self.lock:
            data = {**self.row(entity, id), **fields}
            self._name_fully(entity, data, fields)
            data["SyncToken"] = str(int(data.get("SyncToken", "0")) + 1)
            now = pacific(self.clock.now())
            data["MetaData"] = {**data.get("MetaData", {"CreateTime": now}), "LastUpdatedTime": now}
            data = {name: value for name, value in data.items() if value is not None}
            self.tables[entity].put(row(data))
            return data

    def inactivate(self, entity: str, id: str) -> Data:
        """What "delete" means for a name list: inactive, and the name says so."""
        data = self.row(entity, id)
        field = _name_field(data)
        name = str(data[field])
        marked = name if name.lower().endswith(DELETED_SUFFIX) else name + DELETED_SUFFIX
        return self.change(entity, id, {"Active": False, field: marked})

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
            self.tables[entity].remove(id, self.clock.now())

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


def _version(data: dict[str, Any]) -> int:
    token = str(data.get("SyncToken", "0"))
    return int(token) if token.isdigit() else 0
