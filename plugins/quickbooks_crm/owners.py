"""Owners: which CRM user a record belongs to. The rules are section 4 of the import semantics.

A record whose source names nobody keeps the owner it has; one without any gets the user who runs
the import, or the company's default owner.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm import catalog
from quickbooks_crm.catalog import Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Field, Mapping, Owner
from quickbooks_crm.sql import statements

EXTERNAL_ID = "external_user_id"
LABEL = "external user id"


@dataclass(frozen=True)
class Users:
    """Where the users are that own records: the column of their table that the owner column holds,
    that of the External User Id, and those that tell who is active and their e-mail address."""

    schema: str
    table: str
    key: str
    external_id: str
    active: str | None
    email: str | None


def owner_fields(mapping: Mapping) -> list[Field]:
    """The fields that hold the owner of the record."""
    return [field for field in mapping.fields.values() if field.owner]


def users_of(connection: Connection[Any], table: Table, column: str, owner: Owner) -> Users:
    """Where the users of an owner column are. Raises `SettingsError` when neither the CRM nor the
    mapping tells."""
    if owner.users:
        users = catalog.read(connection, owner.users)
        key = users.key
    else:
        target = table.columns[column].points_to
        if target is None:
            raise SettingsError(
                f"{table.name}.{column} points to no table of users. Give it a foreign key, or "
                "write the table: owner: {users: crm.users}."
            )
        users, key = catalog.read(connection, ".".join(target[:2])), target[2]
    return Users(
        users.schema,
        users.table,
        key,
        _external_id(users, owner),
        _active(users, owner),
        "email" if "email" in users.columns else None,
    )


def _external_id(users: Table, owner: Owner) -> str:
    named = owner.external_id or EXTERNAL_ID
    if named in users.columns:
        return named
    labelled = [c.name for c in users.columns.values() if c.label.casefold().startswith(LABEL)]
    if owner.external_id or not labelled:
        raise SettingsError(
            f"{users.name} has no column {named}, by which owners are found. Write which one it "
            "is: owner: {external_id: column}."
        )
    return labelled[0]


def _active(users: Table, owner: Owner) -> str | None:
    column = users.columns.get(owner.active or "active")
    if column and column.kind == "boolean":
        return column.name
    if owner.active:
        raise SettingsError(
            f"{users.name}.{owner.active} does not tell who is active: it is no column of true "
            "and false. Write another one, or remove active."
        )
    return None


def misfits(
    connection: Connection[Any], mapping: Mapping, table: Table, default_owner: str | None
) -> Iterator[str]:
    """What owner fields ask of the CRM that it has not, each with its line."""
    for field in owner_fields(mapping):
        if field.owner is None or field.owner.same_as or field.column not in table.columns:
            continue
        place = f"fields.{field.column}.owner"
        where = f"{mapping.file} line {mapping.line(place)}: {place}"
        try:
            users = users_of(connection, table, field.column, field.owner)
        except SettingsError as error:
            yield f"{where}: {error}"
            continue
        if mapping.default_owner:
            at = "import.default_owner"
            place, whose, there = f"{mapping.file} line {mapping.line(at)}: {at}", "", "here"
        else:
            place, whose, there = where, "the company's default_owner ", "in the company's file"
        said = mapping.default_owner or default_owner
        if said and not _is_known(connection, users, said):
            yield (
                f"{place}: {whose}'{said}' is the External User Id of no active user in "
                f"{users.schema}.{users.table}, or of several. Give it to one, or write another "
                f"{there}."
            )


def _is_known(connection: Connection[Any], users: Users, external_id: str) -> bool:
    query = statements("owners")["one_user"].format(**_names(users))
    return connection.execute(query, {"external_id": external_id}).fetchone() == (1,)


def decide(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Put the users whom QuickBooks names into the incoming rows, and settle whom those get that
    have no owner. What is missing is told last, when it is known of every field."""
    blocks = statements("owners")
    connection.execute(blocks["begin"])
    fields = [
        (field, users_of(connection, target.table, field.column, field.owner))
        for field in owner_fields(target.mapping)
        if field.owner and not field.owner.same_as
    ]
    for field, users in fields:
        _give(connection, field, users, where | _asked(target, field))
    missing = blocks["missing"].format(looked_at=blocks["looked_at"])
    for field, _ in fields:
        connection.execute(missing, _asked(target, field))


def _give(connection: Connection[Any], field: Field, users: Users, asked: dict[str, Any]) -> None:
    named = any(own.sources or own.value is not None for own in field.variants)
    giving = ("next", "meant", "statistics", "give") if named else ()
    blocks = statements("owners")
    names = _names(users) | {"looked_at": blocks["looked_at"]}
    for block in ("users", "fallback", *giving):
        connection.execute(blocks[block].format(**names), asked)


def _asked(target: Target, field: Field) -> dict[str, Any]:
    column = target.table.columns[field.column]
    return {
        "field": field.column,
        "label": column.label,
        "default_owner": target.mapping.default_owner,
        "rejects": target.mapping.unknown_owner == "reject",
        "required": field.required or column.required,
    }


def who_there_is(connection: Connection[Any], target: Target) -> list[sql.Composable]:
    """For each owner field, an expression of the users that can be found for it now."""
    return [
        statements("owners")["who_there_is"].format(
            **_names(users_of(connection, target.table, field.column, field.owner))
        )
        for field in owner_fields(target.mapping)
        if field.owner and not field.owner.same_as
    ]


def inherited(target: Target) -> list[str]:
    """The owner columns that follow another record's."""
    return [f.column for f in owner_fields(target.mapping) if f.owner and f.owner.same_as]


def same(target: Target, referred: Iterable[Target]) -> sql.Composable:
    """That linked rows which are as they were also have the owner of the record they belong to."""
    parts: list[sql.Composable] = []
    for field in owner_fields(target.mapping):
        if field.owner and field.owner.same_as:
            above = _above(target, referred, field.owner.same_as, field.column)
            names = {"field": field.column, "same_as": field.owner.same_as}
            literals = {name: sql.Literal(text) for name, text in names.items()}
            if above:
                parts.append(statements("owners")["same"].format(**above, **literals))
    return sql.SQL("").join(parts)


def keep(
    connection: Connection[Any],
    target: Target,
    referred: Iterable[Target],
    where: dict[str, Any],
) -> None:
    """Let records that are to be updated keep their owner where QuickBooks names none, and have
    that of the record they belong to where the mapping says so. Comes after `compare`."""
    blocks = statements("owners")
    for field in owner_fields(target.mapping):
        asked = where | {"field": field.column}
        type_ = target.table.columns[field.column].uncut_type
        if field.owner and field.owner.same_as:
            names = _above(target, referred, field.owner.same_as, field.column)
            asked |= {"same_as": field.owner.same_as}
            if names:
                connection.execute(blocks["inherit"].format(**names), asked)
        else:
            connection.execute(blocks["keep"].format(type=type_), asked)


def new_value(target: Target, referred: Iterable[Target], field: Field) -> sql.Composable:
    """What a new record gets in an owner column."""
    blocks = statements("owners")
    column = target.table.columns[field.column]
    names: dict[str, sql.Composable] = {
        "column": sql.Identifier(column.name),
        "field": sql.Literal(column.name),
        "type": column.uncut_type,
    }
    if field.owner and field.owner.same_as:
        above = _above(target, referred, field.owner.same_as, column.name)
        names["same_as"] = sql.Identifier(field.owner.same_as)
        return blocks["new_inherited"].format(**names, **above) if above else sql.SQL("NULL")
    return blocks["new_owner"].format(**names)


def closing(target: Target, referred: Target, column: str) -> sql.Composable:
    """What is set beside a reference that closes: the owners that come with it."""
    parts = [
        statements("owners")["closing"].format(
            column=sql.Identifier(field.column), **_above(target, [referred], column, field.column)
        )
        for field in owner_fields(target.mapping)
        if field.owner and field.owner.same_as == column
    ]
    return sql.SQL("").join(parts)


def _above(
    target: Target, referred: Iterable[Target], same_as: str, column: str
) -> dict[str, sql.Composable]:
    """The table of the record whose owner is inherited, and its owner column; nothing when that
    table is gone."""
    refers = target.mapping.fields[same_as].refers
    for other in referred:
        if refers and other.mapping.module == refers.module:
            own = [field.column for field in owner_fields(other.mapping)]
            return {
                "above": other.table.identifier,
                "above_key": sql.Identifier(other.table.key),
                "above_key_type": other.table.key_type,
                "above_owner": sql.Identifier(own[0] if own else column),
            }
    return {}


def _names(users: Users) -> dict[str, sql.Composable]:
    blocks = statements("owners")
    active, email = users.active, users.email
    return {
        "users": sql.Identifier(users.schema, users.table),
        "key": sql.Identifier(users.key),
        "external_id": sql.Identifier(users.external_id),
        "is_active": blocks["flagged"].format(active=sql.Identifier(active))
        if active
        else blocks["everybody"],
        "email": sql.Identifier("person", email) if email else blocks["nothing"],
    }
