"""Add New Field: a column of its own for a field that a CRM table lacks, and what its form says of
it, in one transaction and without touching a row."""

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import psycopg
from psycopg import Connection, errors, sql
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quickbooks_crm import acts, catalog
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.catalog_rows import look
from quickbooks_crm.check import unfit
from quickbooks_crm.errors import SettingsError, TableBusy
from quickbooks_crm.mapping.shape import is_the_crms
from quickbooks_crm.mapping.suggest import normal
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

Type = Literal["text", "multi_line", "numeric", "date", "time", "date_time", "keyword"]
TYPES: tuple[Type, ...] = get_args(Type)
KINDS = {"multi_line": "text", "keyword": "text", "date_time": "timestamp"}
"""By whose rules a default of a type is judged, where they are not called the same."""
LONGEST_NAME = 63
LONGEST_TEXT = 10_485_760
"""What Postgres takes as the length of a column."""
PATIENCE_MS = 2_000
"""How long a try waits for the table: everybody who wants it waits behind it."""

_VIEW = (
    "no table but a view or a table of another database. Add the field to the table behind it, and "
    "then to the view."
)
_OF_ANOTHER = {
    "part": "a part of another table. Add the field to that table.",
    "typed": "a table made of a type. Add the field to that type, in the database itself.",
}
_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class NewField:
    """A field as a person describes it: of which table (`schema.table`), what people call it, and
    of what type. `length` is a text's, `decimals` a number's; a keyword has a list."""

    table: str
    label: str
    type: Type
    length: int | None = None
    decimals: int | None = None
    currency: bool = False
    list: str | None = None
    multi_value: bool = False
    default: str | None = None
    required: bool = False
    read_only: bool = False

    @property
    def defaults(self) -> tuple[str, ...]:
        """What new records get: several values only where the field takes several, none twice."""
        if self.default is None:
            return ()
        if not self.multi_value:
            return (self.default,)
        first: dict[str, str] = {}
        for part in re.split(r"[|;]", self.default):
            if part.strip():
                first.setdefault(normal(part), part.strip())
        return tuple(first.values())


@dataclass(frozen=True)
class Added:
    """A field that was added, or would be: its column, the statements, and what to know of it."""

    table: str
    column: str
    label: str
    statements: tuple[str, ...]
    notes: tuple[str, ...]


class _Plan:
    """The statements of one new field, done and kept to be shown."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.said: list[str] = []
        self.notes: list[str] = []

    def do(self, statement: sql.Composable) -> psycopg.Cursor[Any]:
        self.said.append(statement.as_string(self.connection))
        return self.connection.execute(sql.SQL("{}").format(statement))


@retry(
    retry=retry_if_exception_type(TableBusy),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(max=4),
    reraise=True,
)
def add_field(connection: Connection[Any], wanted: NewField, by: str, plan: bool = False) -> Added:
    """Add a field; with `plan` everything is tried and taken back.

    Raises `SettingsError` when there is such a field or the table cannot have it, `TableBusy` when
    others hold the table for longer than one may wait.
    """
    _require_sense(wanted)
    _require_the_crms(wanted)
    try:
        with connection.transaction() as whole:
            added = _add(connection, wanted, by)
            if plan:
                raise psycopg.Rollback(whole)
    except psycopg.Error as error:
        raise _refusal(error, wanted) from error
    return added


def _refusal(error: psycopg.Error, wanted: NewField) -> SettingsError | TableBusy:
    """What to tell of an error that the database raised. Raises it again when neither the field nor
    the table is at fault."""
    match error:
        case errors.LockNotAvailable() | errors.DeadlockDetected():
            return TableBusy(
                f"{wanted.table} is in use, and was not free for {PATIENCE_MS // 1000} seconds, "
                "five times. Nothing was changed. Try again when no import or long report runs."
            )
        case errors.InsufficientPrivilege():
            return SettingsError(
                f"The login of the Airflow connection crm may not change {wanted.table}: only the "
                "owner of a table can add a column to it. Nothing was changed. Let whoever looks "
                "after the CRM's database make that login a member of the owner's role, or add the "
                "column."
            )
        case errors.TooManyColumns():
            return SettingsError(
                f"{wanted.table} has as many columns as Postgres allows, 1,600 with those that "
                "were dropped. Nothing was changed. Map a column that it has."
            )
        case psycopg.DataError() | psycopg.IntegrityError():
            return SettingsError(
                f"The CRM's form does not take '{wanted.label}': {_rule(error)}. Nothing was "
                "changed. Write another label or default, or let whoever looks after the CRM "
                "change the form."
            )
    let_faults_through(error)
    return SettingsError(
        f"The CRM's database takes no new column in {wanted.table}: {error.diag.message_primary} "
        f"({error.sqlstate}). Nothing was changed. Let whoever looks after it allow that, or add "
        "the column."
    )


def _rule(error: psycopg.Error) -> str:
    """What a value broke, without the database's own words: they are for who knows it."""
    if rule := error.diag.constraint_name:
        return f"its rule {rule} forbids it"
    if isinstance(error, errors.StringDataRightTruncation):
        return "something of it is too long"
    return f"something of it is of another kind than the form holds ({error.sqlstate})"


def _require_sense(wanted: NewField) -> None:
    """Raise `SettingsError` for properties that do not belong together."""
    wrong = {
        "a label is missing": not wanted.label.strip(),
        "a label is one line of printable characters": not wanted.label.replace(
            "\u00a0", " "
        ).isprintable(),
        "only a text has a length": wanted.length is not None and wanted.type != "text",
        f"a text has 1 to {LONGEST_TEXT:,} characters": not _within(wanted.length, 1, LONGEST_TEXT),
        "only a numeric has decimals": wanted.decimals is not None and wanted.type != "numeric",
        "a numeric has 0 to 10 decimals": not _within(wanted.decimals, 0, 10),
        "only a numeric is an amount of money": wanted.currency and wanted.type != "numeric",
        "a keyword needs its list": wanted.type == "keyword" and not (wanted.list or "").strip(),
        "only a keyword has a list": wanted.list is not None and wanted.type != "keyword",
        "only a keyword takes several values": wanted.multi_value and wanted.type != "keyword",
    }
    said = [rule for rule, broken in wrong.items() if broken]
    if said:
        raise SettingsError(f"This is no field: {'; '.join(said)}. Nothing was changed.")


def _require_the_crms(wanted: NewField) -> None:
    schema = wanted.table.partition(".")[0]
    if not is_the_crms(schema):
        raise SettingsError(
            f"{wanted.table} is no table of the CRM: the schema {schema} is not the CRM's. Nothing "
            "was changed. Name a table of the CRM."
        )


def _within(number: int | None, least: int, most: int) -> bool:
    return number is None or least <= number <= most


def _add(connection: Connection[Any], wanted: NewField, by: str) -> Added:
    blocks = statements("new_field")
    connection.execute(blocks["patience"], {"milliseconds": PATIENCE_MS})
    connection.execute(blocks["in_utc"])
    table = catalog.read(connection, wanted.table)
    _require_table(connection, table)
    form = _form(connection, table, wanted)
    if form:
        connection.execute(blocks["one_field_at_a_time"].format(form_field=_form_field(table)))
        table = catalog.read(connection, wanted.table)
    _require_new(connection, table, wanted.label)
    plan, name = _Plan(connection), _name(connection, table, wanted.label)
    _require_defaults(wanted, name)
    _add_column(plan, table, wanted, name, bool(form))
    if form:
        _describe(plan, table, wanted, name, form)
    details = asdict(wanted) | {"column": name, "statements": plan.said}
    acts.note(connection, "field_added", f"{table.name}.{name}", by, details)
    return Added(table.name, name, wanted.label, tuple(plan.said), tuple(plan.notes))


def _require_table(connection: Connection[Any], table: Table) -> None:
    row = connection.execute(statements("new_field")["kind"], _of(table)).fetchone()
    if row and row[0] not in ("r", "p"):
        raise SettingsError(f"{table.name} is {_OF_ANOTHER.get(row[0], _VIEW)}")


def _form(connection: Connection[Any], table: Table, wanted: NewField) -> set[str]:
    """The columns of the form's table, none when the schema has no form. Raises `SettingsError`
    when that cannot keep what is wanted."""
    schema = look(connection, [table.name])[table.name].schema
    columns = connection.execute(statements("new_field")["form_columns"], _of(table))
    found = {name for (name,) in columns if schema["forms"]}
    lists = schema["lists"] and schema["named_lists"]
    if found and wanted.list and not (lists and "keyword_list_id" in found):
        raise SettingsError(
            f"The schema {table.schema} keeps no keyword lists (tables keyword_lists and "
            "keyword_values, and form_field.keyword_list_id). Add the field as a text instead."
        )
    if not found and (wanted.list or wanted.read_only):
        raise SettingsError(
            f"The schema {table.schema} has no table form_field like the reference CRM's, so "
            f"nothing can keep that '{wanted.label}' has a keyword list or is read-only. Add the "
            f"field without, or make {table.schema}.form_field as include/crm/001_tables.sql does."
        )
    return found


def _require_new(connection: Connection[Any], table: Table, label: str) -> None:
    known = table.columns.values()
    values = {
        "names": [column.name for column in known],
        "labels": [column.label for column in known],
        "label": label,
    }
    found = connection.execute(statements("new_field")["same_label"], values).fetchone()
    if found:
        raise SettingsError(
            f"{table.name} has a field '{table.columns[found[0]].label}' already: its column is "
            f"{found[0]}. Map that one, or write another label."
        )


def _name(connection: Connection[Any], table: Table, label: str) -> str:
    """A name for the column, made of the label once; the label may change later."""
    taken = {
        row[0]
        for row in connection.execute(statements("new_field")["cannot_name_a_column"], _of(table))
    }
    stem = internal_name(label)
    numbered = (f"{stem[: LONGEST_NAME - 1 - len(str(n))]}_{n}" for n in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if name not in taken)


def internal_name(label: str) -> str:
    """A label as a plain name: small ASCII letters, digits and underscores, 63 bytes at most."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    stem = _WORDS.sub("_", plain).strip("_")[:LONGEST_NAME].strip("_") or "field"
    return f"field_{stem}"[:LONGEST_NAME] if stem[0].isdigit() else stem


def _add_column(plan: _Plan, table: Table, wanted: NewField, name: str, form: bool) -> None:
    blocks = statements("new_field")
    type_ = _type(wanted)
    parts: list[sql.Composable] = [blocks["column"].format(column=sql.Identifier(name), type=type_)]
    if wanted.defaults:
        parts.append(blocks["with_default"].format(value=_default(wanted, type_)))
    if _not_null(plan, table, wanted, form):
        parts.append(blocks["not_null"])
    column = sql.SQL(" ").join(parts)
    plan.do(blocks["add_column"].format(table=table.identifier, column=column))
    if not form:
        plan.notes.append(
            f"The schema {table.schema} has no table form_field like the reference CRM's: the "
            f"label is not kept. Messages call the field {name.replace('_', ' ').capitalize()}."
        )


def _type(wanted: NewField) -> sql.Composable:
    blocks = statements("new_field")
    size = wanted.length or 200 if wanted.type == "text" else wanted.decimals
    size = 2 if size is None else size
    kind = "keywords" if wanted.multi_value else wanted.type
    return blocks[kind].format(size=sql.Literal(size))


def _default(wanted: NewField, type_: sql.Composable) -> sql.Composable:
    """A constant: Postgres then need not write it into every row."""
    blocks = statements("new_field")
    if wanted.multi_value:
        values = sql.SQL(", ").join(map(sql.Literal, wanted.defaults))
        return blocks["several_values"].format(values=values, type=type_)
    return blocks["one_value"].format(value=sql.Literal(wanted.defaults[0]), type=type_)


def _not_null(plan: _Plan, table: Table, wanted: NewField, form: bool) -> bool:
    """Whether the table itself can require the value: not while it has records without one, or may
    have some that this login does not see."""
    if not wanted.required or wanted.defaults:
        return wanted.required
    query = statements("new_field")["has_rows"].format(table=table.identifier)
    if not table.guarded and plan.connection.execute(query).fetchone() == (False,):
        return True
    if not form:
        raise SettingsError(
            f"{table.name} has records, which have no '{wanted.label}': the table cannot require "
            f"it, and {table.schema} has no form_field to say so. Give it a default, or do not "
            "require it."
        )
    plan.notes.append(
        f"{table.name} has records, which have no '{wanted.label}': the form and every import "
        "require it from now on, the table itself does not."
    )
    return False


def _require_defaults(wanted: NewField, name: str) -> None:
    """Raise `SettingsError` for a default that the field does not take. Postgres itself takes more:
    now, infinity, and dates the other way round."""
    kind = KINDS.get(wanted.type, wanted.type)
    length = {"text": wanted.length or 200, "keyword": 200}.get(wanted.type)
    places = 2 if wanted.decimals is None else wanted.decimals
    scale = places if wanted.type == "numeric" else 6  # of a second
    column = Column(
        name, wanted.label, kind, kind, length, 20, scale, False, None, True, None, choices=()
    )
    for constant in wanted.defaults:
        if said := unfit(constant, column):
            raise SettingsError(
                f"The default of '{wanted.label}' does not fit: '{constant}' {said}. "
                "Nothing was changed."
            )


def _describe(plan: _Plan, table: Table, wanted: NewField, name: str, form: set[str]) -> None:
    """What the form says of the field, as far as this form knows such things."""
    blocks = statements("new_field")
    form_field = _form_field(table)
    values: dict[str, Any] = {
        "table_name": table.name,
        "column_name": name,
        "label": wanted.label.strip(),
        "type": wanted.type,
        "required": wanted.required,
        "read_only": wanted.read_only,
        "default_value": wanted.default,
        "multi_value": wanted.multi_value,
        "currency": wanted.currency,
    }
    if wanted.list:
        values["keyword_list_id"] = _list(plan, table, wanted)
    if "position" in form:
        query = blocks["next_position"].format(form_field=form_field)
        row = plan.connection.execute(query, {"table_name": table.name}).fetchone()
        values["position"] = row[0] if row else 0
    known = {column: value for column, value in values.items() if column in form}
    plan.do(
        blocks["new_form_field"].format(
            form_field=form_field,
            columns=sql.SQL(", ").join(map(sql.Identifier, known)),
            values=sql.SQL(", ").join(map(sql.Literal, known.values())),
        )
    )


def _list(plan: _Plan, table: Table, wanted: NewField) -> Any:
    """The keyword list, a new one when there is none of that name; defaults stand on it."""
    blocks = statements("new_field")
    lists = sql.Identifier(table.schema, "keyword_lists")
    asked = {"list": wanted.list}
    row = plan.connection.execute(blocks["list_named"].format(lists=lists), asked).fetchone()
    if row is None:
        row = plan.connection.execute(blocks["new_list"].format(lists=lists), asked).fetchone()
        plan.notes.append(f"The keyword list '{wanted.list}' is new and empty.")
    list_id = row[0] if row else None
    values = sql.Identifier(table.schema, "keyword_values")
    plan.connection.execute(
        blocks["on_the_list"].format(values=values),
        {"list_id": list_id, "wanted": list(wanted.defaults)},
    )
    return list_id


def _form_field(table: Table) -> sql.Identifier:
    return sql.Identifier(table.schema, "form_field")


def _of(table: Table) -> dict[str, str]:
    return {"schema": table.schema, "table": table.table}
