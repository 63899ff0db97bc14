"""What the model of an import is made of: settings, customers, links, rows and their ends."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = int
Who = tuple[str, str]  # module and QuickBooks id
Place = tuple[str, str, str]  # and a field that refers to an account
Cause = tuple[tuple[Key, ...], Any]  # the records in the way of one held back, and how they were
COLUMNS = ("quickbooks_id", "name", "code", "note", "tags", "owner_id", "active", "deleted")
REFERS = {"accounts": "parent_id", "contacts": "account_id"}  # both to accounts
MODULES = (*REFERS, "documents")
DOCUMENT = ("quickbooks_id", "number", "account_id", "deleted")
FLAGS = ("active", "deleted")  # how a record stands in QuickBooks
SOURCES = {"accounts": ("DisplayName", "ParentRef"), "contacts": ("FamilyName", "Id")}
REFUSED = "Refused"  # a name that the tables do not take


@dataclass(frozen=True)
class Settings:
    """What the mapping of a module says."""

    mode: str
    key: str | None
    check: tuple[str, ...]
    typed_ids: bool = True
    blank_overwrites: bool = False
    exclude: bool = False
    notes_are_theirs: bool = False  # edits: crm
    new_tags: bool = False  # unknown_keywords: insert
    rejects: bool = False  # unknown_owner: reject
    children: str | None = None  # child_accounts, of accounts only
    of_company: str | None = None  # what counts of sub-customers where the mapping says nothing


@dataclass(frozen=True)
class Customer:
    """What QuickBooks says of a customer."""

    id: str
    said: Mapping[str, str | None]
    active: bool = True
    deleted: bool = False

    @property
    def state(self) -> str:
        """How the activity calls it."""
        return "deleted" if self.deleted else "active" if self.active else "inactive"


@dataclass(frozen=True)
class Line:
    """A line of an invoice, and which customer it is for."""

    text: str | None
    of: str | None


@dataclass(frozen=True)
class Invoice:
    """What QuickBooks says of an invoice, and of which customer it is."""

    id: str
    number: str | None
    of: str | None
    lines: tuple[Line, ...]
    deleted: bool = False


@dataclass
class Link:
    """Which CRM record a customer has become, what it held when the sync had seen to it last, of
    which columns the sync had put that there itself, and what QuickBooks said then; nothing if a
    person made the record and QuickBooks' own was never loaded."""

    key: Key
    wrote: dict[str, Any]
    state: str
    said: Any = None
    own: set[str] = field(default_factory=set)

    def still_own(self, record: Mapping[str, Any]) -> set[str]:
        """The columns of a record that hold what the sync put there, as nobody has changed it."""
        return {column for column in self.own if self.wrote[column] == record[column]}


@dataclass
class User:
    """Somebody who may own records."""

    external_id: str
    active: bool


@dataclass(frozen=True)
class Conflict:
    """What a person wrote, and what QuickBooks says since."""

    crm: Any
    quickbooks: Any


@dataclass(frozen=True)
class End:
    """How a row ended; for a duplicate also the record that it collides with."""

    outcome: str
    reason: str | None = None
    collides: Key | None = None


@dataclass
class Row:
    """A row of a load: its place in the order in which rows win, and its values by column."""

    place: int
    customer: Customer
    state: str
    values: dict[str, Any] = field(default_factory=dict)
    waits_for: str | None = None
    only_flags: bool = False
    was_closed: bool = False
    end: End | None = None
    lost_to: "Row | None" = None
    found: Key | None = None
    in_the_way: tuple[Key, ...] = ()
    kept: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    base: dict[str, Any] = field(default_factory=dict)
    conflict: Conflict | None = None

    @property
    def said(self) -> Any:
        """What makes a row the same as the last time."""
        return self.state, dict(self.values), self.waits_for

    def finish(self, outcome: str, reason: str | None = None, collides: Key | None = None) -> None:
        self.end = End(outcome, reason, collides)


def normal(value: Any) -> str | None:
    """The form in which two values are compared; nothing for a blank, which equals nothing."""
    if value is None:
        return None
    text = unicodedata.normalize("NFKC", str(value)).casefold()
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return re.sub(r"\s+", " ", text).strip() or None


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The columns that hold something else now."""
    return {column for column in after if after[column] != before[column]}


def wins(id: str) -> tuple[bool, int, str]:
    """Numeric ids in the order of numbers, then the others."""
    return (False, int(id), "") if id.isdigit() else (True, 0, id)


def filled(module: str, says: Settings) -> set[str]:
    """What the mapping fills."""
    own = {*COLUMNS, REFERS[module]}
    return own if says.typed_ids else own - {"quickbooks_id"}
