"""What only a person can settle, module by module: records held back with the CRM records in their
way, CRM records that no QuickBooks record is, and CRM records that look alike."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from quickbooks_crm.dedupe import Target
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Held:
    """A QuickBooks record that is held back, and the CRM records in its way. `name` is the
    customer's: show it only where that is asked for."""

    entity: str
    id: str
    outcome: str
    reason: str
    run_id: str
    held_since: datetime
    candidates: list[str]
    name: str | None = field(repr=False)


@dataclass(frozen=True)
class Alike:
    """CRM records that may be the same thing: `size` of them, the first 20 by their keys; `by` are
    the columns that look the same."""

    by: tuple[str, ...]
    keys: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Review:
    """What a module leaves to a person. `held` and `unmatched` are the first of as many as
    `held_by_reason` and `unmatched_count` say; `values` what the CRM records named here hold."""

    module: str
    table: str
    held: tuple[Held, ...]
    held_by_reason: dict[str, int]
    unmatched: tuple[str, ...]
    unmatched_count: int
    alike: tuple[Alike, ...]
    alike_count: int
    values: dict[str, dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Reviewed:
    """Which module to review: `sharing` are the modules that load the same table, this one
    included; at most `limit` of each sort are listed, of what is held back of each reason."""

    realm: str
    target: Target
    sharing: tuple[str, ...]
    limit: int

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that the statements share."""
        return {
            "realm": self.realm,
            "module": self.target.mapping.module,
            "company": self.target.company,
            "sharing": list(self.sharing),
            "limit": self.limit,
        }

    @property
    def names(self) -> dict[str, sql.Composable]:
        """The names that the statements share."""
        table, blocks = self.target.table, statements("review")
        company = self.target.mapping.company
        scope: sql.Composable = blocks["everywhere"]
        if company:
            scope = blocks["in_scope"].format(company=sql.Identifier(company))
        return {
            "table": table.identifier,
            "key": sql.Identifier(table.key),
            "key_type": table.key_type,
            "scope": scope,
        }


def review(connection: Connection[Any], asked: Reviewed, values: bool = False) -> Review:
    """What a module leaves to a person; with `values`, what the CRM records named there hold."""
    blocks, where = statements("review"), asked.where
    connection.execute(statements("load")["settings"])
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        held = tuple(cursor.execute(blocks["held"], where).fetchall())
    by_reason = dict(connection.execute(blocks["held_count"], where).fetchall())
    unmatched = connection.execute(blocks["unmatched"].format(**asked.names), where).fetchall()
    count = connection.execute(blocks["unmatched_count"].format(**asked.names), where).fetchone()
    groups = tuple(alike(connection, asked))
    found = Review(
        asked.target.mapping.module,
        asked.target.table.name,
        held,
        by_reason,
        tuple(key for (key,) in unmatched),
        int(count[0]) if count else 0,
        groups[: asked.limit],
        len(groups),
        {},
    )
    if values:
        found.values.update(_values(connection, asked, found))
    return found


def alike(
    connection: Connection[Any],
    asked: Reviewed,
    within: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Alike]:
    """The CRM records that look alike: it reads the whole table, once for each way in which they
    may, and each time `within` what it is given."""
    known: set[tuple[str, ...]] = set()
    for columns, form in _forms(asked.target):
        query = statements("review")["alike"].format(**asked.names, form=form)
        with within():
            found = connection.execute(query, asked.where).fetchall()
        for keys, size in found:
            if tuple(keys) not in known:
                known.add(tuple(keys))
                yield Alike(columns, tuple(keys), size)


def _forms(target: Target) -> Iterator[tuple[tuple[str, ...], sql.Composable]]:
    """By what records look alike: all check fields together, and each e-mail address."""
    blocks, mapping = statements("review"), target.mapping
    check = [name for name in mapping.check if name in target.table.columns]
    if check:
        forms = [_form(target, name) for name in check]
        complete = sql.SQL(" AND ").join(blocks["present"].format(form=form) for form in forms)
        all_of = blocks["all_of"].format(complete=complete, forms=sql.SQL(", ").join(forms))
        yield tuple(check), all_of
    for name, words in mapping.fields.items():
        if words.kind == "email" and name in target.table.columns:
            yield (name,), blocks["e_mail"].format(column=sql.Identifier(name))


def _form(target: Target, name: str) -> sql.Composable:
    text = target.table.columns[name].kind == "text" and not target.mapping.fields[name].kind
    block = statements("review")["skeleton" if text else "as_it_is"]
    return block.format(column=sql.Identifier(name))


def _values(
    connection: Connection[Any], asked: Reviewed, found: Review
) -> Iterable[tuple[str, dict[str, Any]]]:
    mapping = asked.target.mapping
    named = [mapping.key, *mapping.check, *(f.column for f in mapping.fields.values() if f.kind)]
    columns = [n for n in dict.fromkeys(named) if n in asked.target.table.columns]
    shown = (
        statements("review")["shown"].format(name=sql.Literal(n), column=sql.Identifier(n))
        for n in columns
        if n
    )
    query = statements("review")["names_of"].format(**asked.names, shown=sql.SQL(", ").join(shown))
    keys = [key for held in found.held for key in held.candidates]
    keys += [*found.unmatched, *(key for group in found.alike for key in group.keys)]
    return connection.execute(query, {"keys": list(dict.fromkeys(keys))}).fetchall()
