"""The mapping of a module as a form: what can be chosen, what is chosen, and what comes of it."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import catalog, in_force, mapping, owners, proposing, sampling, versions
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingOutdated, SettingsError
from quickbooks_crm.mapping import Mapping, Owner, choices, editing
from quickbooks_crm.mapping.choices import Choice, in_words
from quickbooks_crm.mapping.document import Place, dotted, read
from quickbooks_crm.mapping.editing import KEPT, Filling
from quickbooks_crm.mapping.rewriting import on_one_line, rewritten
from quickbooks_crm.mapping.suggest import Candidate, proposals, ways_to_refer

Which = Literal["newest", "in_force"]
"""Which text a form is made of: the newest version, also one that is not in force; or what is."""


class Sent(BaseModel):
    """What a person has filled in: which text the form was made of, with its hash and the number of
    the newest version there was, and of each column what fills it."""

    model_config = ConfigDict(extra="forbid")
    which: Which = "newest"
    base: str
    based_on: int
    source: dict[str, str] = {}
    constant: dict[str, str] = {}
    required: dict[str, bool] = {}
    edits: dict[str, str] = {}
    kind: dict[str, str] = {}
    keywords: dict[str, str] = {}
    blanks: dict[str, str] = {}
    settings: dict[str, str] = {}
    check: list[str] = []
    remove: list[str] = []

    def filling(self, column: str, now: Filling) -> Filling:
        """What is wanted of a column; what the form does not have stays."""
        given = {
            "source": self.source.get(column),
            "constant": self.constant.get(column),
            "edits": self.edits.get(column),
            "kind": self.kind.get(column),
            "keywords": self.keywords.get(column),
            "blank_overwrites": self.blanks.get(column),
        }
        if column in self.required:
            given["required"] = "true" if self.required[column] else ""
        return replace(now, **{word: text for word, text in given.items() if text is not None})


@dataclass(frozen=True)
class Base:
    """The text that a form is made of: a stored `version`, or what is in force; `newest` is the
    number of the newest version, 0 when there is none."""

    text: str
    newest: int
    words: str
    version: int | None = None
    made_by: str = ""
    made_at: datetime | None = None

    @property
    def hash(self) -> str:
        return mapping.hashed(self.text)

    @property
    def draft(self) -> bool:
        """Whether it is not in force."""
        return self.version is not None


@dataclass(frozen=True)
class Row:
    """One column of the CRM, what fills it, and, where nothing does, what may be meant. `own` are
    the choices of a column that takes records of another table."""

    column: Column
    filling: Filling
    kept: str
    own: tuple[Choice, ...]
    proposed: Choice | None = None
    exact: bool = False

    @property
    def mapped(self) -> bool:
        return bool(self.filling.source or self.filling.constant)

    @property
    def holds(self) -> str:
        """What the column takes, in words."""
        longest = f", up to {self.column.length:,} characters" if self.column.length else ""
        return ("keyword" if self.column.keywords else KINDS[self.column.kind]) + longest


KINDS = {
    "text": "text",
    "integer": "whole number",
    "numeric": "number",
    "boolean": "yes or no",
    "date": "date",
    "time": "time",
    "timestamp": "date and time",
    "uuid": "UUID",
    "choice": "one of a few values",
    "other": "anything",
}


@dataclass(frozen=True)
class Part:
    """Something else that a mapping has, shown as it is."""

    key: str
    name: str
    text: str


@dataclass(frozen=True)
class Form:
    """A module's mapping, ready to be shown or changed. `owners` are the columns that point to the
    CRM's users."""

    company: Company
    module: str
    base: Base
    known: ReadOnly[str, Mapping]
    table: Table
    candidates: tuple[Candidate, ...]
    fields: ReadOnly[str, Choice]
    owners: frozenset[str] = frozenset()

    @cached_property
    def tree(self) -> dict[str, Any]:
        return read(self.base.text).tree

    @property
    def entities(self) -> list[str]:
        return [str(entity) for entity in self.tree["entities"]]

    @property
    def has_children(self) -> bool:
        """Whether sub-customers are among its records."""
        return self.known[self.module].has_children

    @property
    def has_owners(self) -> bool:
        """Whether its records get an owner of their own."""
        fields = owners.owner_fields(self.known[self.module])
        return any(field.owner and not field.owner.same_as for field in fields)

    def rows(self) -> list[Row]:
        """The columns: those that must be filled and are not, then the mapped ones, then others."""
        free = [c for c in self._columns if c.name not in self._mapped]
        proposed = proposals(self.table.name, free, self.entities, self._filled)
        rows = [self._row(candidate, proposed) for candidate in self._columns]
        order = {column: place for place, column in enumerate(self._mapped)}
        return sorted(rows, key=lambda row: _rank(row, order))

    def changed(self, sent: Sent) -> str:
        """The text with what a person wants. Raises `KeyError` for what cannot be chosen."""
        now = {c.name: editing.filling(self._words(c.name), self._of(c)) for c in self._columns}
        wanted = {column: sent.filling(column, filling) for column, filling in now.items()}
        of = {candidate.name: self._of(candidate) for candidate in self._columns}
        removed = [_place(key) for key in sent.remove]
        text = rewritten(self.base.text, editing.fields_changed(self.tree, wanted, of))
        settings = editing.settings_changed(self.tree, sent.settings, sent.check)
        return rewritten(rewritten(text, settings), editing.parts_removed(self.tree, removed))

    def parts(self) -> Iterator[Part]:
        """What else the mapping has."""
        for place in editing.parts_of(self.tree):
            found: Any = self.tree
            for step in place:
                found = found[step]
            key = "/".join(map(str, place))
            yield Part(key, _called(place, found), on_one_line(found))

    def unused(self, rows: list[Row]) -> list[Choice]:
        """QuickBooks' fields that fill nothing, those with values first."""
        used = {row.filling.source for row in rows}
        text = str([words for words in self.tree["fields"].values() if isinstance(words, dict)])
        left = [c for c in self.fields.values() if c.key not in used and f"'{c.key}'" not in text]
        return sorted(left, key=lambda choice: not choice.samples)

    @property
    def _columns(self) -> list[Candidate]:
        return [c for c in self.candidates if c.name != self.tree.get("company")]

    @property
    def _mapped(self) -> dict[str, Any]:
        return dict(self.tree["fields"])

    @property
    def _filled(self) -> list[Any]:
        return proposing.filled(self.known.values())

    def _words(self, column: str) -> dict[str, Any]:
        words = self._mapped.get(column)
        return words if isinstance(words, dict) else {}

    def _row(self, candidate: Candidate, proposed: ReadOnly[str, Any]) -> Row:
        of, words = self._of(candidate), self._words(candidate.name)
        filling = editing.filling(words, of)
        kept = in_words(words, self.fields) if filling.source == KEPT else ""
        own = () if of == self.fields else tuple(of.values())
        column = self.table.columns[candidate.name]
        proposal = proposed.get(candidate.name)
        if proposal is None or words:
            return Row(column, filling, kept, own)
        meant = of.get(choices.chosen(proposal.words, of) or "")
        return Row(column, filling, kept, own, meant, proposal.exact)

    def _of(self, candidate: Candidate) -> dict[str, Choice]:
        """What can fill a column: fields, or, where it points to a table, records of that."""
        found = list(self._records(candidate)) if candidate.points_to else []
        if not found:
            return dict(self.fields)
        keys = [on_one_line(words) for words in found]
        return {
            key: Choice(key, self._record(words), "text", None, words)
            for key, words in zip(keys, found, strict=True)
        }

    def _records(self, candidate: Candidate) -> Iterator[dict[str, Any]]:
        """The records of another table, or users, that a column may point to."""
        yield from ways_to_refer(candidate, self.table.name, self.entities, self._filled)
        if candidate.name in self.owners:
            yield {"owner": True}
            for column, words in self._mapped.items():
                if isinstance(words, dict) and "refers" in words:
                    yield {"owner": column}

    def _record(self, words: dict[str, Any]) -> str:
        if words.get("owner") is True:
            return "Who runs the import, or the company's default owner"
        if "owner" in words:
            column = self.table.columns.get(words["owner"])
            return f"Whoever owns its {column.label if column else words['owner']}"
        return in_words(words, self.fields)


def form(
    connection: Connection[Any], company: Company, realm: str, module: str, which: Which
) -> Form | None:
    """The form of a module's mapping, or None when the company does not take it."""
    found = in_force.of(connection, company)
    known = found.mappings
    if module not in known or not company.takes(module, known[module].by_name):
        return None
    base = _base(connection, company, found, module, which)
    tree = read(base.text).tree
    table = catalog.read(connection, str(tree["table"]))
    fields = choices.fields([str(entity) for entity in tree["entities"]])
    for entity in tree["entities"]:
        seen = sampling.seen(connection, realm, str(entity)).values()
        fields = choices.with_seen(fields, [(s.path, s.kind, s.values) for s in seen])
    candidates = tuple(proposing.candidates(table))
    users = frozenset(c.name for c in candidates if _leads_to_users(connection, table, c))
    return Form(company, module, base, known, table, candidates, fields, users)


def require_base(shown: Form, sent: Sent) -> None:
    """Raise `MappingOutdated` when the form was made of another text than it would be now."""
    if (sent.base, sent.based_on) != (shown.base.hash, shown.base.newest):
        base = shown.base
        who = f"{base.made_by} has stored version {base.newest}" if base.draft else "It was changed"
        raise MappingOutdated(
            f"Somebody else has changed the mapping of {shown.module} while you were at work on "
            f"it: {who}. Nothing of yours was stored, and nothing is lost: load this page again, "
            "and what you had filled in is put on top of theirs."
        )


def _base(
    connection: Connection[Any],
    company: Company,
    found: in_force.InForce,
    module: str,
    which: Which,
) -> Base:
    """The newest version, where it is wanted and nothing was put in force since; else what is in
    force."""
    origin = found.origins[module]
    newest = versions.newest(connection, company.name).get(module)
    number = newest.version if newest else 0
    used = origin.version.version if origin.version else 0
    chosen_at = origin.choice.chosen_at if origin.choice else None
    later = newest and number > used and (chosen_at is None or newest.made_at > chosen_at)
    if newest and later and which == "newest":
        words = f"version {number}, not in force yet"
        return Base(newest.content, number, words, number, newest.made_by, newest.made_at)
    return Base(found.mappings[module].text, number, origin.words)


def _leads_to_users(connection: Connection[Any], table: Table, candidate: Candidate) -> bool:
    if candidate.points_to is None:
        return False
    try:
        owners.users_of(connection, table, candidate.name, Owner())
    except SettingsError:
        return False
    return True


def _rank(row: Row, order: ReadOnly[str, int]) -> tuple[int, int]:
    if row.column.name in order:
        return 1, order[row.column.name]
    return (0 if row.column.required and row.column.default is None else 2), 0


def _place(key: str) -> Place:
    return tuple(int(step) if re.fullmatch(r"\d{1,4}", step) else step for step in key.split("/"))


def _called(place: Place, found: Any) -> str:
    """What people call a part of a mapping."""
    named = {
        "when_inactive": "When it becomes inactive in QuickBooks",
        "when_deleted": "When it is deleted in QuickBooks",
        "when_merged": "When it is merged away in QuickBooks",
        "lines": "Its lines, in a table of their own",
    }
    if place[0] == "exclude":
        because = found.get("because") if isinstance(found, dict) else ""
        return f"Left out: {because or dotted(place)}"
    return named[str(place[0])]


def settings(shown: Form) -> dict[str, Any]:
    """The settings of the import as the form has them, with the check fields."""
    written = shown.tree.get("import")
    group: dict[str, Any] = written if isinstance(written, dict) else {}
    told: dict[str, Any] = dict(editing.settings_of(shown.tree))
    return told | {"check": list(group.get("check", ())), "within": group.get("within")}
