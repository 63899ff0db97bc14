"""How each incoming row ends or goes on: known by its link, found by a key, equal on the check
fields, or new.

Works on the temporary table `incoming` of the load's transaction, set-wise. Rows that go on have an
action, `update` or `add`; rows that end here have an outcome. The rules are section 2 of the import
semantics: the link first, then a typed QuickBooks id, the key, and the check fields.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm.by_place import by_place
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.images import LINES, as_kept
from quickbooks_crm.mapping import Field, Mapping
from quickbooks_crm.sql import statements

OF_ANOTHER_COMPANY = {
    False: " It is one of another company: give the table a column for the company, and name it "
    "in the mapping (company), so that each has records of its own.",
    True: " It is one of another company, which took it while it belonged to none.",
}
"""What else to say of a record that is taken, by whether the mapping tells companies apart."""

RECEIVING = (
    "incoming",
    "incoming_apart",
    "receive",
    "incoming_index",
    "incoming_held",
    "incoming_open",
    "incoming_noted",
    "incoming_losers",
)
"""The statements that take the staged rows in, in their order."""

NORMAL = {"email": "normal_email", "phone": "normal_phone"}
"""The forms in which fields of a kind are compared."""

PLAIN = (("Id",),)
"""The sources of a field that holds the QuickBooks id."""

APART_FROM = {True: 128, False: 8160}
"""From how many bytes on the values of a row of more than two kilobytes lie apart, by whether it is
of a document with lines."""


@dataclass(frozen=True)
class Target:
    """A mapping with the table it loads and whose records these are; `columns` are those that the
    mapping writes."""

    mapping: Mapping
    table: Table
    company: str
    columns: tuple[str, ...]

    @property
    def unmapped(self) -> list[str]:
        """The columns of the table that the mapping leaves alone: they are in no image."""
        return [name for name in self.table.columns if name not in self.columns]

    def image(self, row: str) -> sql.Composed:
        """What is remembered of a row: the columns that the mapping writes, as JSON."""
        return image(row, [name for name in self.table.columns if name in self.columns])

    @property
    def record(self) -> sql.Composable:
        """The columns of a row that is made of what QuickBooks says."""
        return self.table.record(self.columns)

    @property
    def names(self) -> dict[str, sql.Composable]:
        """What statements call the table, its primary key, and the columns of such a row."""
        return {
            "table": self.table.identifier,
            "key": sql.Identifier(self.table.key),
            "key_type": self.table.key_type,
            "record": self.record,
        }

    @property
    def refers(self) -> list[str]:
        """The fields that refer to other records; those of lines as `@lines.product_id`, say."""
        parts = zip(self.mapping.parts, ("", f"{LINES}."), strict=False)
        return [
            prefix + name
            for part, prefix in parts
            for name, field in part.fields.items()
            if field.refers
        ]

    @property
    def identity(self) -> str | None:
        """The column in which the CRM keeps the QuickBooks id, by which a record made by hand can
        be found. None where several entities share the table's: their ids are not unique
        together."""
        if len(self.mapping.entities) > 1:
            return None
        fields = self.mapping.fields.values()
        column = next((f.column for f in fields if f.sources == PLAIN and not f.refers), None)
        return None if self.mapping.within and column == self.mapping.key else column

    @property
    def typed_id(self) -> str | None:
        """The column in which a person may have typed a QuickBooks id: the identity, or the key
        where `kinds` tell which entity's it is."""
        return self.identity or (self.mapping.key if self.kinds else None)

    @property
    def kinds(self) -> dict[str, str]:
        """What the column `within` holds for each entity, by which records with the same id are
        told apart; empty where no constants tell."""
        fields, key, within = self.mapping.fields, self.mapping.key, self.mapping.within
        ids = [field.column for field in fields.values() if field.sources == PLAIN]
        if key not in ids or not within:
            return {}
        held = {entity: fields[within].of(entity).value for entity in self.mapping.entities}
        told = {entity: value for entity, value in held.items() if value is not None}
        return told if len(set(told.values())) == len(held) else {}


def image(row: str, columns: Iterable[str]) -> sql.Composed:
    """These columns of a row as JSON."""
    listed = sql.SQL(", ").join(sql.Identifier(row, column) for column in as_kept(columns))
    return statements("dedupe")["image"].format(columns=listed)


def receive(
    connection: Connection[Any],
    target: Target,
    referred: Iterable[Target],
    where: dict[str, Any],
) -> None:
    """Take the staged rows into the transaction, close their references to records of the
    `referred` targets, and tell those that are linked."""
    blocks = statements("dedupe")
    with by_place(connection):
        for name in ("forget_places", "places", "forget_meanings", "meant"):
            connection.execute(blocks[name], where)
    _take_references(connection, referred, where)
    apart_from = sql.Literal(APART_FROM[target.table.lines is not None])
    for name in RECEIVING:
        connection.execute(blocks[name].format(**target.names, apart_from=apart_from), where)
    for name in ("flag_linked", "count_again", "leave_known", "never_here"):
        connection.execute(blocks[name], where)


def _take_references(
    connection: Connection[Any], referred: Iterable[Target], where: dict[str, Any]
) -> None:
    """Note which CRM records the references of the staged rows mean, of those that are there; also
    those that people made and gave the id."""
    blocks = statements("dedupe")
    for name in ("meaning", "meaning_index", "meaning_statistics"):
        connection.execute(blocks[name], where)
    for other in referred:
        for name in ("bury_links", "bury_collisions"):
            statement = blocks[name].format(**other.names)
            connection.execute(statement, where | {"referred": other.mapping.module})
        _link_typed(connection, other, "meant_by_rows", where)
    connection.execute(blocks["meaning_of_others"], where)


def link_typed(connection: Connection[Any], realm: str, target: Target) -> None:
    """Link the records of a target that people made and gave the id that a parked reference waits
    for: QuickBooks' own record may never come in."""
    _link_typed(connection, target, "meant_by_parked", {"realm": realm})


def waited_for(connection: Connection[Any], realm: str, modules: Iterable[str]) -> list[str]:
    """Those of these modules to whose records parked references wait."""
    where = {"realm": realm, "modules": list(modules)}
    return [m for (m,) in connection.execute(statements("dedupe")["waited_for"], where).fetchall()]


def _link_typed(
    connection: Connection[Any], target: Target, meant: str, where: dict[str, Any]
) -> None:
    if target.typed_id is None:
        return
    blocks = statements("dedupe")
    names = target.names | {"typed_id": typed_id(target), "scope": _own(target)}
    names["kind"] = of_kind(target, sql.Identifier("meant", "entity"))
    typed = blocks["typed"].format(**names, meant=blocks[meant])
    own: dict[str, Any] = {"referred": target.mapping.module, "company": target.company}
    own |= {"entities": list(target.mapping.entities), "table": target.table.name}
    own["kinds"] = Jsonb(target.kinds)
    if connection.execute(typed, where | own).rowcount:
        with connection.transaction():
            connection.execute(blocks["link_alone"], own)
            connection.execute(blocks["link_typed"].format(typed=typed), where | own)


def flag_known(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Let the records that another mode than merge leaves alone, and that people made and gave the
    id, tell that QuickBooks' own is not active."""
    if known := _known(target):
        own = where | {"kinds": Jsonb(target.kinds)}
        connection.execute(statements("dedupe")["flag_known"].format(known=known), own)


def link_known(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Link the rows that another mode than merge leaves alone to the records that people made and
    gave their ids."""
    blocks, own = statements("dedupe"), where | {"kinds": Jsonb(target.kinds)}
    if (known := _known(target)) and connection.execute(known, own).rowcount:
        connection.execute(blocks["link_alone"], own)
        connection.execute(blocks["link_known"].format(known=known), own)


def _known(target: Target) -> sql.Composed | None:
    """The query of these rows; none where there are no such."""
    if target.mapping.mode == "merge" or target.typed_id is None:
        return None
    names = target.names | {"typed_id": typed_id(target)}
    kind = of_kind(target, sql.Identifier("i", "entity"))
    return statements("dedupe")["known"].format(**names, kind=kind)


def of_kind(target: Target, entity: sql.Composable) -> sql.Composable:
    """That a CRM record is of an entity's kind, where kinds tell records with the same id apart;
    they are the parameter `kinds`."""
    blocks, within = statements("dedupe"), target.mapping.within
    if not (within and target.kinds):
        return blocks["everywhere"]
    return blocks["of_kind"].format(within=sql.Identifier(within), entity=entity)


def typed_id(target: Target) -> sql.Composable:
    """The form in which the QuickBooks id that a person typed into a CRM record is compared."""
    return _normal(target, "current", target.typed_id)


def take_values(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Note the values by which rows without a link are compared."""
    blocks = statements("dedupe")
    values = blocks["values"].format(
        **target.names,
        identity_value=_normal(target, "new", target.identity),
        key_value=_key_value(target),
        check_values=_combined([_or_open(target, "new", c) for c in target.mapping.check]),
    )
    for statement in (blocks["forget_values"], values, blocks["values_statistics"]):
        connection.execute(statement, where)


def find_by_identity(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Find rows without a link in the CRM by a typed QuickBooks id."""
    if target.identity:
        _find(connection, target, where, (target.identity,), "identity_value")


def find_by_key(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Find those that are left by the key."""
    if both := _key(target):
        _find(connection, target, where, both, "key_value")


def take_turns(connection: Connection[Any], where: dict[str, Any]) -> None:
    """End rows whose record another company has taken before it could be locked. Comes after what
    locks them."""
    for name in ("link_with_others", "taken_meanwhile"):
        connection.execute(statements("dedupe")[name], where)


def find_by_check(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """End rows that a CRM record, or a row before them, is equal to on all check fields. References
    that are open are equal where they mean the same record of QuickBooks."""
    blocks, check = statements("dedupe"), target.mapping.check
    names = target.names | {"scope": _scope(target)}
    named = where | {"label": _labels(target, check)}
    if check:
        equal = _equal(target, check, "check_values", "equal")
        query = blocks["same_check"].format(**names, join=blocks["any_record"], equal=equal)
        connection.execute(query, named)
    if opens := may_be_open(target):
        join = blocks["same_open"].format(opens=sql.Literal(opens))
        equal = blocks["linked_so"].format(**names, equal=_equal_or_open(target))
        query = blocks["same_check"].format(**names, join=join, equal=equal)
        connection.execute(query, named)
    connection.execute(blocks["same_in_batch"])


def may_be_open(target: Target) -> list[str]:
    """The check fields that refer to other records."""
    return [name for name in target.mapping.check if target.mapping.fields[name].refers]


def open_in_record(target: Target, column: str) -> sql.Composable:
    """Which record of QuickBooks the `current` one waits for in a column."""
    block, key = statements("dedupe")["open_in_record"], sql.Identifier(target.table.key)
    return block.format(key=key, name=sql.Literal(column))


def count_again(connection: Connection[Any]) -> None:
    """Let Postgres plan with how many rows have come how far; be called where that has changed."""
    connection.execute(statements("dedupe")["count_again"])


def compared(target: Target) -> list[tuple[str, ...]]:
    """The columns by which a row without a link is compared with the CRM's records, as far as the
    table has them: the typed id, the key, the check fields."""
    ways = ((target.identity,) if target.identity else (), _key(target), target.mapping.check)
    also = {target.mapping.company} - {None}
    return [way for way in ways if way and {*way, *also} <= target.table.columns.keys()]


def alike(target: Target, columns: tuple[str, ...]) -> dict[str, sql.Composable]:
    """The texts of statements that find the CRM records, `current`, which are the same on these
    columns as a `new` one of the row `i`. Two blanks are never the same."""
    block = statements("dedupe")["alike"]
    equal = (
        block.format(current=_normal(target, "current", c), new=_normal(target, "new", c))
        for c in columns
    )
    return {
        "equal": sql.SQL(" AND ").join(equal),
        "scope": _scope(target),
        "label": sql.Literal(_labels(target, columns)),
        "compared": sql.Literal(list(columns)),
    }


def free_losers(connection: Connection[Any]) -> bool:
    """Give the duplicates of rows that the table refused their chance; whether there are any."""
    return connection.execute(statements("dedupe")["losers_of_refused"]).rowcount > 0


def name_collisions(connection: Connection[Any]) -> None:
    """Tell duplicates of rows of the same batch which CRM record these have become."""
    connection.execute(statements("dedupe")["collisions"])


def _find(
    connection: Connection[Any],
    target: Target,
    where: dict[str, Any],
    columns: tuple[str, ...],
    value: str,
) -> None:
    query = statements("dedupe")["same_value"].format(
        **target.names,
        equal=_equal(target, columns, value, "equal_part" if len(columns) > 1 else "equal_value"),
        scope=_scope(target),
    )
    told = {
        "label": _labels(target, columns),
        "mode": target.mapping.mode,
        "of_another_company": OF_ANOTHER_COMPANY[target.mapping.company is not None],
    }
    connection.execute(query, where | told)


def _normal(target: Target, row: str, column: str | None) -> sql.Composable:
    """The form in which a column's values are compared."""
    blocks = statements("dedupe")
    if column is None:
        return blocks["absent"]
    block = blocks[_form(target.mapping.fields[column], target.table.columns[column])]
    return block.format(row=sql.Identifier(row), column=sql.Identifier(column))


def _form(field: Field, column: Column) -> str:
    if field.kind:
        return NORMAL[field.kind]
    unscaled = column.base == "numeric" and column.scale is None and not column.array
    return "normal_number" if unscaled else "normal"


def _key(target: Target) -> tuple[str, ...]:
    """The key, and the column within which it counts; none where the typed id is the key, which has
    been looked for already."""
    mapping = target.mapping
    if mapping.key is None or mapping.key == target.identity:
        return ()
    return (mapping.key, mapping.within) if mapping.within else (mapping.key,)


def _key_value(target: Target) -> sql.Composable:
    """The values of these."""
    blocks, columns = statements("dedupe"), _key(target)
    if len(columns) == 2:
        return blocks["in_one"].format(values=_combination(target, columns))
    return _normal(target, "new", columns[0]) if columns else blocks["absent"]


def _equal(target: Target, columns: tuple[str, ...], value: str, block: str) -> sql.Composable:
    """That a CRM record holds what is compared, in each of these columns."""
    return sql.SQL(" AND ").join(
        statements("dedupe")[block].format(
            current_value=_normal(target, "current", column),
            value=sql.Identifier("comparing", value),
            position=sql.Literal(position),
        )
        for position, column in enumerate(columns, 1)
    )


def _equal_or_open(target: Target) -> sql.Composable:
    """The same of the check fields, and of references that are open on both sides."""
    block = statements("dedupe")["equal"]
    return sql.SQL(" AND ").join(
        block.format(
            current_value=_or_open(target, "current", column),
            value=sql.Identifier("comparing", "check_values"),
            position=sql.Literal(position),
        )
        for position, column in enumerate(target.mapping.check, 1)
    )


def _or_open(target: Target, row: str, column: str) -> sql.Composable:
    """The form of a check field; of a reference that is open, which record it waits for."""
    blocks, value = statements("dedupe"), _normal(target, row, column)
    if column not in may_be_open(target):
        return value
    named = {"name": sql.Literal(column)}
    waits = open_in_record(target, column) if row == "current" else None
    return blocks["or_open"].format(
        value=value, open=waits or blocks["open_in_row"].format(**named)
    )


def _combination(target: Target, columns: tuple[str, ...]) -> sql.Composable:
    return _combined([_normal(target, "new", column) for column in columns])


def _combined(values: list[sql.Composable]) -> sql.Composable:
    blocks = statements("dedupe")
    if not values:
        return blocks["no_combination"]
    return blocks["combination"].format(values=sql.SQL(", ").join(values))


def _scope(target: Target) -> sql.Composable:
    """Which CRM records count: those of the same company and those of none, but for those that
    a person has told apart from a row."""
    return statements("dedupe")["not_told_apart"].format(**target.names, scope=_own(target))


def _own(target: Target) -> sql.Composable:
    blocks = statements("dedupe")
    if target.mapping.company is None:
        return blocks["everywhere"]
    return blocks["in_scope"].format(company=sql.Identifier(target.mapping.company))


def _labels(target: Target, columns: tuple[str, ...]) -> str:
    return " and ".join(target.table.columns[column].label for column in columns)
