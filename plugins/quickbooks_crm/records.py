"""The CRM records of a module as people look at them: a page at a time, each with the QuickBooks
record that it is. They hold customer data: never log them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm import exact
from quickbooks_crm.catalog import Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping.paths import NAMES
from quickbooks_crm.review import Reviewed
from quickbooks_crm.sql import statements

PAGE = 50
LOOKED = 10_000
"""How many records are looked at for one part of a page."""
PARTS = 2
"""How many parts are looked at before a person is asked to go on."""
LISTED_COLUMNS = 8
MOST = 10_000
"""Up to where records are counted."""

STATES = ("inactive", "merged", "deleted")
LISTED = {"waiting": ("sync", "parked"), "in_conflict": ("sync", "conflict")}
WANTED = ("any", "linked", "by_hand", *LISTED, *STATES)
"""What can be wanted of the records of a list."""

_NUMBERS = (("DocNumber",), *((name,) for name in NAMES))


@dataclass(frozen=True)
class Shelf:
    """The records of one module of a company. `sharing` are the modules that load the same table,
    this one included."""

    company: str
    realm: str
    target: Target
    sharing: tuple[str, ...]

    def place(self, entity: str = "", id: str = "") -> Place:
        """One QuickBooks record as the module takes it; without any, none of them."""
        return Place(self.company, self.realm, self.target, self.sharing, entity, id)

    def reviewed(self, limit: int) -> Reviewed:
        """The module as it is reviewed."""
        return Reviewed(self.realm, self.target, self.sharing, limit)

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that the statements share."""
        mapping = self.target.mapping
        return {
            "realm": self.realm,
            "module": mapping.module,
            "entities": list(mapping.entities),
            "sharing": list(self.sharing),
            "company": self.target.company,
            "table": self.target.table.name,
        }

    @property
    def names(self) -> dict[str, sql.Composable]:
        """The names that the statements share."""
        table, blocks = self.target.table, statements("records")
        company = self.target.mapping.company
        names: dict[str, sql.Composable] = {
            "table": table.identifier,
            "key": sql.Identifier(table.key),
            "key_type": table.key_type,
        }
        scope: sql.Composable = blocks["everywhere"]
        if company:
            scope = blocks["in_scope"].format(company=sql.Identifier(company))
        joined = {name: blocks[name].format(**names) for name in ("own", "whose")}
        return names | {"scope": scope} | joined

    @property
    def readable(self) -> list[str]:
        """The columns that this login may read, in the table's order."""
        columns = self.target.table.columns.values()
        return [column.name for column in columns if "SELECT" not in column.lacking]

    @property
    def filled(self) -> list[str]:
        """Those that the mapping fills, in its order."""
        return [name for name in self.target.columns if name in self.readable]

    @property
    def labels(self) -> list[str]:
        """The columns by which people know a record."""
        mapping = self.target.mapping
        checked = [n for n in mapping.check if not self._refers(n)]
        named = [
            n for n, field in mapping.fields.items() if any(s in _NUMBERS for s in field.sources)
        ]
        found = checked or named[:1] or [mapping.key or self.target.table.key]
        within = [mapping.within] if mapping.within else []
        readable = [n for n in dict.fromkeys([*found, *within]) if n in self.readable]
        return readable or [self.target.table.key]

    @property
    def sought_in(self) -> list[str]:
        """The columns in which records are searched."""
        mapping = self.target.mapping
        named = [*self.labels, *mapping.check, *([mapping.key] if mapping.key else [])]
        known = [n for n in dict.fromkeys(named) if n in self.readable and not self._refers(n)]
        found = {self.target.table.key, self.target.identity, mapping.within}
        return [name for name in known if name not in found]

    @property
    def listed(self) -> list[str]:
        """The columns of a list: by what records are known, then some of what the mapping fills.
        The record's QuickBooks id stands beside it anyhow, and of other records only an id is
        there."""
        mapping = self.target.mapping
        hidden = {mapping.company, self.target.identity}
        ids = {n for n, filled in mapping.fields.items() if filled.sources == (("Id",),)}
        own = [n for n in self.filled if n not in hidden | ids and not self._refers(n)]
        return list(dict.fromkeys([*self.labels, *own]))[:LISTED_COLUMNS]

    def _refers(self, name: str) -> bool:
        field = self.target.mapping.fields.get(name)
        return bool(field and (field.refers or field.owner))


@dataclass(frozen=True)
class Origin:
    """The QuickBooks record that a CRM record is, and what QuickBooks last said of it; `waits` is
    one that a person has linked and no sync has brought up to date yet."""

    entity: str
    id: str
    state: str
    linked_at: datetime
    waits: bool


@dataclass(frozen=True)
class Record:
    """One CRM record; without an origin it is in the CRM by hand only."""

    key: str
    origin: Origin | None
    values: dict[str, Any] = field(repr=False)

    def called(self, labels: Sequence[str]) -> str:
        """What people call it."""
        said = [str(self.values[name]) for name in labels if self.values.get(name)]
        return ", ".join(said) or f"No. {self.key}"


@dataclass(frozen=True)
class Part:
    """Some of the records that are wanted, and where to go on; `looked_at` is how many were looked
    at when that ended the search before enough were found."""

    records: tuple[Record, ...]
    next: str | None = None
    looked_at: int | None = None


def part(connection: Connection[Any], shelf: Shelf, wanted: str, after: str = "") -> Part:
    """A page of the records of which something is true, after a place that an earlier page told."""
    if wanted in STATES:
        return _told(connection, shelf, "in_state", {"state": wanted, "after": after})
    if wanted in LISTED:
        entity, _, id = after.partition("/")
        listing = sql.Identifier(*LISTED[wanted])
        where = {"after_entity": entity, "after_id": id}
        return _told(connection, shelf, "listed_in", where, listing=listing)
    return _in_order(connection, shelf, wanted, after)


def one(connection: Connection[Any], shelf: Shelf, key: str) -> Record | None:
    """The record with a key, with all its columns, if it is one of the company's."""
    return next(iter(these(connection, shelf, [key], shelf.readable)), None)


def these(
    connection: Connection[Any], shelf: Shelf, keys: Sequence[str], columns: Sequence[str]
) -> list[Record]:
    """The company's records with these keys, in this order, with some columns."""
    query = statements("records")["records"].format(**shelf.names, columns=_columns(columns))
    rows = exact.cursor(connection).execute(query, shelf.where | {"keys": list(keys)})
    return [_record(shelf, row) for row in rows]


def count(connection: Connection[Any], shelf: Shelf) -> int:
    """How many records the company has in the table, counted up to one more than `MOST`."""
    query = statements("records")["count"].format(**shelf.names)
    row = connection.execute(query, shelf.where | {"most": MOST + 1}).fetchone()
    return int(row[0]) if row else 0


def typed(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a row, with moments as such where JSON has texts."""
    moments = {name for name, column in table.columns.items() if column.kind == "timestamp"}
    return {n: _moment(v) if n in moments and v else v for n, v in values.items()}


def realm(connection: Connection[Any], company: str) -> str | None:
    """The company of QuickBooks that one of our companies is; None before its first run."""
    row = connection.execute(statements("records")["realm"], {"company": company}).fetchone()
    return row[0] if row else None


def in_order(shelf: Shelf, after: str, columns: Sequence[str] = ()) -> sql.Composed:
    """The records of a part of the table, in the order of their keys, with some columns."""
    blocks = statements("records")
    beyond = blocks["beyond"].format(**shelf.names) if after else blocks["any"]
    wanted = _columns(dict.fromkeys([shelf.target.table.key, *columns]))
    return blocks["part"].format(**shelf.names, beyond=beyond, columns=wanted)


def _in_order(connection: Connection[Any], shelf: Shelf, wanted: str, after: str) -> Part:
    """Part after part, until the page is full or many records were looked at."""
    keys: list[str] = []
    for _ in range(PARTS):
        asked = shelf.where | {"after": after, "looked": LOOKED, "limit": PAGE + 1}
        keys += _column(connection, "keys", shelf, wanted, asked)
        if len(keys) > PAGE:
            return _page(connection, shelf, keys[:PAGE], keys[PAGE - 1])
        end = _column(connection, "end_of_part", shelf, wanted, asked)
        if not end:
            return _page(connection, shelf, keys, None)
        after = end[0]
    found = _page(connection, shelf, keys, after)
    return Part(found.records, found.next, PARTS * LOOKED)


def _column(
    connection: Connection[Any], name: str, shelf: Shelf, wanted: str, asked: dict[str, Any]
) -> list[str]:
    blocks = statements("records")
    part = in_order(shelf, asked["after"])
    query = blocks[name].format(**shelf.names, part=part, wanted=blocks[wanted])
    return [key for (key,) in connection.execute(query, asked).fetchall()]


def _told(
    connection: Connection[Any],
    shelf: Shelf,
    name: str,
    where: dict[str, Any],
    **names: sql.Composable,
) -> Part:
    """A page of those that a table of the sync tells of."""
    query = statements("records")[name].format(**names)
    asked = shelf.where | where | {"limit": PAGE + 1}
    rows = connection.execute(query, asked).fetchall()
    keys = [key for key, _ in rows[:PAGE]]
    return _page(connection, shelf, keys, rows[PAGE - 1][1] if len(rows) > PAGE else None)


def _page(connection: Connection[Any], shelf: Shelf, keys: Sequence[str], next: str | None) -> Part:
    return Part(tuple(these(connection, shelf, keys, shelf.listed)), next)


def _record(shelf: Shelf, row: dict[str, Any]) -> Record:
    key, values = row.pop("key"), typed(shelf.target.table, row.pop("values"))
    return Record(key, Origin(**row) if row["entity"] is not None else None, values)


def _columns(names: Sequence[str] | dict[str, None]) -> sql.Composed:
    columns: Iterator[sql.Composable] = (sql.Identifier("current", name) for name in names)
    return sql.SQL(", ").join(columns)


def _moment(text: str) -> Any:
    """Postgres knows moments that Python does not, such as infinity."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
