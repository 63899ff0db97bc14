"""Keywords: what QuickBooks says becomes a value of the field's list, in the list's own spelling.

Works on the temporary table `incoming` of the load's transaction, by different values, not by
rows. The rules are section 2 of the import semantics.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.errors import SerializationFailure

from quickbooks_crm.catalog import Column, KeywordList, Table
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import RunError
from quickbooks_crm.mapping import Field, Mapping
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class KeywordField:
    """A field that holds keywords: of a list of the CRM, or of the values in the mapping;
    `of_lines` says whether it is one of a document's lines."""

    field: Field
    column: Column
    listed: KeywordList | None
    inserts: bool
    of_lines: bool

    @property
    def name(self) -> str:
        """What tells it from the other fields of its mapping."""
        return f"@lines.{self.column.name}" if self.of_lines else self.column.name

    @property
    def list(self) -> str:
        """What tells its list from the lists of other fields."""
        return self.listed.name if self.listed else f"mapping {self.name}"


def keyword_fields(mapping: Mapping, table: Table) -> list[KeywordField]:
    """The fields of a mapping, and of its documents' lines, that hold keywords."""
    return [field for part, own in _parts(mapping, table) for field in _keyword_fields(part, own)]


def _parts(mapping: Mapping, table: Table) -> Iterator[tuple[Mapping, Table]]:
    """The mapping with its table, and that of a document's lines with theirs."""
    for part, own in zip(mapping.parts, (table, table.lines), strict=False):
        if own:
            yield part, own


def _keyword_fields(mapping: Mapping, table: Table) -> Iterator[KeywordField]:
    of_lines = bool(mapping.at)
    for name, field in mapping.fields.items():
        column = table.columns.get(name)
        if column is None or field.refers or field.owner:
            continue
        if field.keywords and field.keywords.values:
            yield KeywordField(field, column, None, inserts=False, of_lines=of_lines)
        elif column.keywords:
            unknown = (field.keywords and field.keywords.unknown) or mapping.unknown_keywords
            yield KeywordField(field, column, column.keywords, unknown == "insert", of_lines)


def misfits(mapping: Mapping, table: Table) -> Iterator[str]:
    """What a mapping asks of its table's keyword columns that these have not, each with its
    line."""
    for part, own in _parts(mapping, table):
        yield from _misfits(part, own)


def _misfits(mapping: Mapping, table: Table) -> Iterator[str]:
    for name, field in mapping.fields.items():
        column = table.columns.get(name)
        if column is None:
            continue
        place = f"fields.{name}.keywords"
        where = f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place}"
        if field.keywords and not field.keywords.values and not column.keywords:
            yield (
                f"{where}: the CRM has no keyword list for {table.name}.{name}. Write the keywords "
                "themselves, such as [Net 15, Net 30], or give the field a list in the CRM."
            )
        elif column.keywords and column.keywords.several and not column.array:
            yield (
                f"{where}: {table.name}.{name} is to hold several keywords and is {column.type}. "
                "Make it a column of type text[], or the field one of a single keyword."
            )


def unlisted(connection: Connection[Any], mapping: Mapping, table: Table) -> Iterator[str]:
    """The constants of a mapping that are on no list, where none joins it, each with its line."""
    for part, own in _parts(mapping, table):
        yield from _unlisted_in(connection, part, own)


def _unlisted_in(connection: Connection[Any], mapping: Mapping, table: Table) -> Iterator[str]:
    closed = {f.column.name: f for f in _keyword_fields(mapping, table) if not f.inserts}
    for place, name, constant in mapping.constants:
        field = closed.get(name)
        if field and (unknown := _unlisted(connection, field, constant, mapping.separator)):
            yield (
                f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place} '{unknown[0]}' is "
                f"not on the list of keywords of {table.name}.{name}. Take one that is, or add it "
                "to the list."
            )


def _unlisted(
    connection: Connection[Any], field: KeywordField, constant: str, separator: str
) -> list[str]:
    said = constant.split(separator) if field.column.array else [constant]
    blocks = statements("keywords")
    with connection.transaction():
        connection.execute(blocks["begin"])
        _know(connection, field, {})
        found = connection.execute(blocks["unlisted"], {"said": said}).fetchall()
    return [keyword for (keyword,) in found]


def spell(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Put keywords as their lists spell them into the incoming rows. Those that are on no list are
    left out and noted, or are to join it; a row with one that is too long for that ends here."""
    fields = keyword_fields(target.mapping, target.table)
    if not fields:
        return
    blocks = statements("keywords")
    asked = where | {"separator": target.mapping.separator}
    described = json.dumps([_described(connection, field) for field in fields])
    connection.execute(blocks["begin"])
    connection.execute(blocks["fields"], asked | {"fields": described})
    for field in {field.list: field for field in fields}.values():
        _know(connection, field, asked)
    of_lines = any(field.of_lines for field in fields)
    spelling = ("spell", "spell_lines") if of_lines else ("spell",)
    for block in ("spelled", "statistics", *spelling, "unfit"):
        connection.execute(blocks[block].format(looked_at=blocks["looked_at"]), asked)


def refused(connection: Connection[Any], target: Target) -> bool:
    """Whether there are new keywords that their lists do not take; it is remembered which."""
    blocks, lists = statements("keywords"), _growing(target)
    for name, listed in lists.items():
        which = {"list": sql.Literal(name), "list_key": sql.Literal(listed.key)}
        connection.execute(blocks["try"].format(**_tables(listed), **which))
    return bool(lists) and connection.execute(blocks["any_refused"]).fetchone() == (True,)


def needing_refused(connection: Connection[Any]) -> list[int]:
    """The incoming rows that were written with a keyword that its list does not take."""
    row = connection.execute(statements("keywords")["needing_refused"]).fetchone()
    return list(row[0]) if row else []


def set_aside(connection: Connection[Any], rows: list[int]) -> None:
    """End these incoming rows as *not added*, each with the keyword and the database's reason."""
    connection.execute(statements("keywords")["set_aside"], {"rows": rows})


def find_used(connection: Connection[Any], target: Target) -> None:
    """Find the new keywords that records have got: these are to join their lists."""
    if _growing(target):
        connection.execute(statements("keywords")["used"])


def join_lists(connection: Connection[Any], target: Target, where: dict[str, Any]) -> None:
    """Add the new keywords that records have got to their lists, and note which. Comes last, list
    by list in a fixed order, so that two loads at a time neither wait for each other in a circle
    nor add the same keyword twice."""
    blocks = statements("keywords")
    for name, listed in sorted(_growing(target).items()):
        asked = where | {"list": name, "list_key": listed.key, "values": _values_table(listed)}
        try:
            with connection.transaction():
                connection.execute(blocks["one_writer"], asked)
                connection.execute(blocks["join"].format(**_tables(listed)), asked)
                same = connection.execute(blocks["same"].format(**_tables(listed)), asked)
                if same.fetchone() != (0,):
                    raise SerializationFailure("another load spelled a keyword differently")
        except psycopg.Error as refusal:
            let_faults_through(refusal)
            raise _refused(name, refusal) from None  # its own words hold the keyword


def _growing(target: Target) -> dict[str, KeywordList]:
    """The lists of the CRM that new keywords of a target join, by name."""
    fields = keyword_fields(target.mapping, target.table)
    return {field.list: field.listed for field in fields if field.listed and field.inserts}


def what_is_listed(target: Target) -> list[sql.Composable]:
    """For each list that keywords of a target are taken from, expressions of what is on it now."""
    return [one for listed in _lists(target) for one in _found(listed, "what_is_listed")]


def what_will_be_listed(target: Target) -> list[sql.Composable]:
    """The same of what will be on it when this load has added to it."""
    blocks = dict.fromkeys(_growing(target), "what_will_be_listed")
    return [
        one
        for listed in _lists(target)
        for one in _found(listed, blocks.get(listed.name, "what_is_listed"))
    ]


def _found(listed: KeywordList, block: str) -> Iterator[sql.Composable]:
    which = {"list": sql.Literal(listed.name), "list_key": sql.Literal(listed.key)}
    for name in (block, "what_aliases") if listed.aliases else (block,):
        yield statements("keywords")[name].format(**_tables(listed), **which)


def tables_of_lists(target: Target) -> list[str]:
    """The tables that hold what is on these lists."""
    return list(dict.fromkeys(map(_values_table, _lists(target))))


def _lists(target: Target) -> list[KeywordList]:
    fields = keyword_fields(target.mapping, target.table)
    return list(dict.fromkeys(field.listed for field in fields if field.listed))


def _refused(name: str, refusal: psycopg.Error) -> RunError:
    return RunError(
        f"The keyword list {name} does not take the new keywords of this load "
        f"({refusal.sqlstate}). Nothing was loaded. Let the list take them, or write "
        "unknown_keywords: ignore in the mapping."
    )


def _described(connection: Connection[Any], field: KeywordField) -> dict[str, Any]:
    return {
        "field": field.name,
        "column": field.column.name,
        "of_lines": field.of_lines,
        "label": field.column.label,
        "list": field.list,
        "several": field.column.array,
        "required": field.field.required or field.column.required,
        "inserts": field.inserts,
        "longest": _longest(connection, field),
    }


def _longest(connection: Connection[Any], field: KeywordField) -> int | None:
    """How long a new keyword may be for its list and its column; None: as long as it is."""
    limits = [(field.column.item or field.column).length]
    if field.listed:
        where = {"values": _values_table(field.listed)}
        row = connection.execute(statements("keywords")["longest"], where).fetchone()
        limits.append(row[0] if row else None)
    return min((limit for limit in limits if limit), default=None)


def _know(connection: Connection[Any], field: KeywordField, where: dict[str, Any]) -> None:
    """Note what is on a list, and what else its values are called."""
    blocks = statements("keywords")
    asked = where | {"list": field.list}
    if field.listed is None:
        values = field.field.keywords.values if field.field.keywords else ()
        connection.execute(blocks["written"], asked | {"keywords": list(values)})
    else:
        for block in ("listed", "aliases") if field.listed.aliases else ("listed",):
            statement = blocks[block].format(**_tables(field.listed))
            connection.execute(statement, asked | {"list_key": field.listed.key})


def _tables(listed: KeywordList) -> dict[str, sql.Composable]:
    return {
        "keyword_values": sql.Identifier(listed.schema, "keyword_values"),
        "keyword_aliases": sql.Identifier(listed.schema, "keyword_aliases"),
    }


def _values_table(listed: KeywordList) -> str:
    return f"{listed.schema}.keyword_values"
