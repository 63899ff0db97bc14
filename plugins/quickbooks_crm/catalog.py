"""The CRM's tables as they are: columns, types, lengths, what is required, and what forms call
them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm.catalog_rows import Found, keeping, look
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Lines, Mapping
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

_KINDS = {
    "varchar": "text",
    "text": "text",
    "bpchar": "text",
    "name": "text",
    "char": "text",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "numeric",
    "float4": "numeric",
    "float8": "numeric",
    "money": "numeric",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "uuid": "uuid",
    "time": "time",
    "timetz": "time",
}
_MOVING = re.compile(r"\(|\b(CURRENT|LOCAL|SESSION|SYSTEM)_?[A-Z]+|\bUSER\b")
"""What tells a default that is another each time, apart from its texts: it calls a function, or
names one without parentheses, such as CURRENT_DATE."""
_OF_THE_MOMENT = ("now()", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_DATE")
"""Defaults that are the same for all that a transaction writes."""


@dataclass(frozen=True)
class KeywordList:
    """The list that a column takes its keywords from: one of those in `keyword_values` of the
    schema. `several` says whether a record may have more than one of them, `aliases` whether
    `keyword_aliases` tells what else they are called."""

    schema: str
    key: str
    several: bool
    aliases: bool

    @property
    def name(self) -> str:
        """What tells the list from all others of the database."""
        return f"{self.schema}.keyword_values {self.key}"


@dataclass(frozen=True)
class Column:
    """One column. `number` is the table's own for it, which stays when it is renamed. `kind` is
    text, integer, numeric, boolean, date, time, timestamp, uuid, choice, composite or other; `base`
    the type of Postgres itself that it is made of, `bare` the same as a statement names it, of any
    length. `scale` is how many decimal places it has, of times those of a second. `lacking` are the
    rights on it that this login has not, `locked` the sequences that its default takes numbers from
    and that the login may not use. `points_to` is the schema, table and column that a foreign key
    of its own leads to. `item` is what each value of a column that holds several must be.
    `read_only` is what the CRM's forms let nobody change."""

    name: str
    label: str
    type: str
    kind: str
    length: int | None
    precision: int | None
    scale: int | None
    required: bool
    default: str | None
    writable: bool
    sequence: str | None
    choices: tuple[str, ...]
    keywords: KeywordList | None = None
    lacking: tuple[str, ...] = ()
    base: str = ""
    bare: str = ""
    locked: tuple[str, ...] = ()
    number: int = 0
    points_to: tuple[str, str, str] | None = None
    item: "Column | None" = None
    read_only: bool = False

    @property
    def fills(self) -> bool:
        """Whether a blank is left to its own default, since it takes no blank."""
        return self.required and self.default is not None

    @property
    def own_default(self) -> sql.Composable:
        """What it holds of which nothing is said; what its default gives, as the column takes
        it."""
        block = statements("catalog")["default"]
        return block.format(default=sql.SQL(self.default or "NULL"), type=sql.SQL(self.bare))

    @property
    def uncut_type(self) -> sql.Composable:
        """What to cast a text to for the column: the type without its length, since such a cast
        cuts off what is too long. The column itself refuses that."""
        return sql.SQL(self.bare if self.kind == "text" else self.type)

    @property
    def array(self) -> bool:
        """Whether it holds several values."""
        return self.item is not None

    @property
    def unfillable(self) -> str:
        """Why no value of QuickBooks would be held as it is, of a type of which nobody but Postgres
        can tell; empty if that is not so."""
        each = self.item or self
        if each.base == "interval" and each.scale is not None and each.scale < 6:
            return (
                "which drops in silence what is finer. Make the column an interval without such a "
                "limit."
            )
        if each.base == "hstore":
            return (
                "which Postgres does not read again as it writes it to JSON. Make the column "
                "jsonb, or take it out."
            )
        if each.kind == "composite":
            return "which is made of several columns of its own. Take it out."
        return ""

    @property
    def steady(self) -> bool:
        """Whether it has no default, or one that is always the same."""
        return not self.moving

    @property
    def moving(self) -> bool:
        """Whether it has a default that is another each time, such as a number or the moment."""
        return bool(_MOVING.search(re.sub("'[^']*'", "", self.default or "")))

    @property
    def of_the_moment(self) -> bool:
        """Whether its default is the time at which the transaction began."""
        return self.default in _OF_THE_MOMENT

    @property
    def untouched(self) -> sql.Composable:
        """What it holds, as JSON, as long as nobody writes to it; NULL if that is not always the
        same."""
        return self._as_json(self.default if self.steady else None)

    @property
    def from_default(self) -> sql.Composable:
        """What its default gives now, as JSON."""
        return self._as_json(self.default)

    def _as_json(self, default: str | None) -> sql.Composable:
        type_ = sql.SQL(self.type if default else "text")
        block = statements("catalog")["untouched"]
        return block.format(default=sql.SQL(default or "NULL"), type=type_)


@dataclass(frozen=True)
class Table:
    """One table that a mapping loads. `name` is `schema.table`; `key` the column of its primary
    key; `lines` the table of its documents' lines, where the mapping has any. `deletable` says
    whether this login may delete from it, `guarded` whether row level security may hide records of
    it from this login; a `view` is not a table in earnest. `rules` rewrite what is written to
    it."""

    schema: str
    table: str
    key: str
    columns: dict[str, Column]
    lines: "Table | None" = None
    deletable: bool = True
    guarded: bool = False
    view: bool = False
    rules: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`schema.table`, as mappings write it."""
        return f"{self.schema}.{self.table}"

    @property
    def identifier(self) -> sql.Identifier:
        """The table's name, quoted for a statement."""
        return sql.Identifier(self.schema, self.table)

    @property
    def key_type(self) -> sql.Composable:
        """What to cast the text of a primary key to."""
        return self.columns[self.key].uncut_type

    def record(self, given: Iterable[str]) -> sql.Composable:
        """The table's columns for `jsonb_to_record`, which then makes of JSON what `given` columns
        hold in their own types. The others, and those that have a default to take in place of a
        blank, may be blank whatever their domains say: the table itself judges what they get."""
        strict = {name for name in given if name in self.columns and not self.columns[name].fills}
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(
                sql.Identifier(name), sql.SQL(column.type if name in strict else column.bare)
            )
            for name, column in self.columns.items()
        )

    @property
    def known_by(self) -> dict[str, Any]:
        """Its primary key, by which links know its records."""
        key = self.columns[self.key]
        return {"number": key.number, "name": key.name, "kind": key.kind}

    @property
    def form(self) -> str:
        """What tells whether rows that were checked for the table still suit it."""
        told = [
            (c.name, c.type, c.base, c.scale, c.required, c.default, c.writable, c.choices)
            for table in (self, self.lines)
            if table
            for column in table.columns.values()
            for c in (column, column.item)
            if c
        ]
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()

    @property
    def required(self) -> list[Column]:
        """The columns that a new record must have a value for."""
        return [c for c in self.columns.values() if c.required and c.default is None and c.writable]


@contextmanager
def once(connection: Connection[Any], mappings: Iterable[Mapping] = ()) -> Iterator[None]:
    """Read the tables of all these mappings at once, and no table a second time until the block
    ends: it takes the CRM's tables as they were at one moment."""
    with keeping(connection):
        look(connection, [part.table for each in mappings for part in each.parts])
        yield


def of(connection: Connection[Any], mapping: Mapping) -> Table:
    """The table that a mapping loads, with that of its lines. Raises as `read` does, with the
    mapping's line."""
    found = look(connection, [part.table for part in mapping.parts])
    with _named_by(mapping):
        table = _table(mapping.table, found[mapping.table])
    if lines := mapping.lines:
        with _named_by(lines.rows):
            name = lines.rows.table
            return replace(table, lines=_table(name, found[name], lines))
    return table


@contextmanager
def _named_by(mapping: Mapping) -> Iterator[None]:
    """What is wrong with a table is told with where the mapping names it."""
    try:
        yield
    except SettingsError as error:
        where = f"{mapping.file} line {mapping.line('table')}: {mapping.at}table"
        raise SettingsError(f"{where}: {error}") from None


def read(connection: Connection[Any], name: str) -> Table:
    """The table `schema.table` from the database's own catalog and, where there is one, its
    `form_field` table.

    Raises `SettingsError` when there is no such table or it has no primary key of one column.
    """
    return _table(name, look(connection, [name])[name])


def _table(name: str, found: Found, lines: Lines | None = None) -> Table:
    """The same; a line may be known by its document and its position, and then its position counts
    as the key."""
    schema, _, table = name.partition(".")
    _require_there(name, found)
    keys = [row["name"] for row in found.columns if row["in_primary_key"]]
    if lines and set(keys) == {lines.parent, lines.position}:
        keys = [lines.position]
    if len(keys) != 1:
        raise SettingsError(
            f"The table {name} has {len(keys) or 'no'} primary key columns. A mapped table needs "
            "exactly one, "
            "so that a QuickBooks record can be linked to it."
        )
    _require_forms(schema, found)
    columns = {row["name"]: _column(row, found) for row in found.columns}
    first = found.columns[0]
    return Table(
        schema,
        table,
        keys[0],
        columns,
        deletable=first["deletable"],
        guarded=first["guarded"],
        view=first["is_view"],
        rules=tuple(first["rules"]),
    )


def _require_there(name: str, found: Found) -> None:
    if found.schema and not found.schema["usable"]:
        schema = found.schema["name"]
        raise SettingsError(
            f"This login has no right to use the schema {schema}. Let its owner GRANT USAGE ON "
            f"SCHEMA {schema}."
        )
    if not found.columns:
        hint = f"Did you mean '{found.near}'? " if found.near else ""
        raise SettingsError(
            f"The CRM database has no table {name}, or this login may not see it. {hint}"
            "Create it (the reference CRM: python -m quickbooks_crm install-crm), or name "
            "another one."
        )


def _require_forms(schema: str, found: Found) -> None:
    if found.schema["forms"] and not found.schema["readable"]:
        raise SettingsError(
            f"This login has no right to SELECT from {schema}.form_field, which says what the "
            "CRM's forms require and list. Let its owner GRANT SELECT on it."
        )


def hold(connection: Connection[Any], mapping: Mapping) -> None:
    """Let nobody change the form of a mapping's tables until the transaction ends. A table that is
    gone, or may not be read, is for others to tell."""
    gone = psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName
    for part in mapping.parts:
        with suppress(*gone, psycopg.errors.InsufficientPrivilege), connection.transaction():
            table = sql.Identifier(*part.table.split(".", 1))
            connection.execute(statements("catalog")["hold"].format(table=table))


def moved_key(table: Table, known_by: dict[str, Any]) -> bool:
    """Whether the primary key is another than the one by which links know the table's records. It
    may have another name, or hold the same as text. A table that is restored numbers its columns
    anew, and none higher than before; a column that is dropped and made again is numbered
    higher."""
    now = table.known_by
    restored = now["name"] == known_by["name"] and now["number"] < known_by["number"]
    same = restored or now["number"] == known_by["number"]
    return not (same and now["kind"] in (known_by["kind"], "text"))


def company_kept(connection: Connection[Any], column: Column, company: str) -> str | None:
    """A company as its column would keep it, as text; None when the column's type does not take
    it."""
    query = statements("catalog")["company_kept"].format(type=sql.SQL(column.type))
    try:
        with connection.transaction():
            row = connection.execute(query, {"company": company}).fetchone()
    except psycopg.Error as refusal:
        let_faults_through(refusal)
        return None
    return str(row[0]) if row else None


def company_is_known(connection: Connection[Any], table: Table, column: str, company: str) -> bool:
    """Whether a record of this company can be written: its company column points to a record that
    exists, or nowhere."""
    target = table.columns[column].points_to
    if target is None:
        return True
    query = statements("catalog")["company_known"].format(
        table=sql.Identifier(*target[:2]), column=sql.Identifier(target[2])
    )
    row = connection.execute(query, {"company": company}).fetchone()
    return row is not None and bool(row[0])


def _keyword_list(form: dict[str, Any], schema: dict[str, Any]) -> KeywordList | None:
    """The list that a column takes its keywords from, where the schema has tables of them."""
    id = form.get("keyword_list_id")
    if id is None or not schema["lists"] or form.get("type", "keyword") != "keyword":
        return None
    several = bool(form.get("multi_value"))
    return KeywordList(schema["name"], str(id), several, schema["aliases"])


def _label(name: str) -> str:
    """What people are told a column is called that the CRM's forms say nothing of."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _column(row: dict[str, Any], found: Found) -> Column:
    form = found.forms.get(row["name"], {})
    own = Column(
        name=row["name"],
        label=form.get("label") or _label(row["name"]),
        type=row["type"],
        kind="other",
        length=None,
        precision=None,
        scale=None,
        required=row["not_null"] or bool(form.get("required")),
        default=row["default_expression"],
        writable=not (row["identity"] or row["generated"]),
        sequence=row["sequence"],
        choices=(),
        keywords=_keyword_list(form, found.schema),
        lacking=tuple(row["lacking"]),
        base=row["base_type"],
        bare=row["bare_type"],
        locked=tuple(row["locked"]),
        number=row["number"],
        points_to=tuple(row["points_to"]) if row["points_to"] else None,
        read_only=form.get("read_only") is True,
    )
    if not row["item_base_type"]:
        return _of_one_value(own, row)
    item = replace(own, type=row["item_type"], base=row["item_base_type"])
    return replace(own, item=_of_one_value(item, row))


def _of_one_value(column: Column, row: dict[str, Any]) -> Column:
    """The column with what is known of a value of its type."""
    return replace(
        column,
        kind=_kind(column, row),
        length=row["length"],
        precision=row["precision"],
        scale=row["scale"],
        choices=tuple(row["choices"] or ()),
    )


def _kind(column: Column, row: dict[str, Any]) -> str:
    if row["choices"]:
        return "choice"
    return "composite" if row["composite"] else _KINDS.get(column.base, "other")
