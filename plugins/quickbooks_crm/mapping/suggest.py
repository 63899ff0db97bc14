"""A mapping proposed for any table, from what people call its columns.

A column is taken when its label, or else its name, is what a field of QuickBooks is called: the
same after trimming and case-folding. What is only similar stands in a comment, for a person to
judge. Pure: the columns come from whoever has read the catalog.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from quickbooks_crm.mapping.paths import Path
from quickbooks_crm.mapping.quickbooks_fields import KnownField, can_become, fields_of

SIMILAR = 0.8
"""From which likeness on a label is worth showing; 1 is the same."""

_INVISIBLE = re.compile("[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LOOKED_UP = {
    "SalesTermRef": "Term",
    "TermRef": "Term",
    "PaymentMethodRef": "PaymentMethod",
    "CustomerTypeRef": "CustomerType",
    "CustomerRef": "Customer",
    "VendorRef": "Vendor",
}
_NAMED = (("Name",), ("DisplayName",))
_PEOPLE = ("Customer", "Vendor", "Employee")


@dataclass(frozen=True)
class Candidate:
    """A column that a mapping may fill; `kind` as the catalog calls it."""

    name: str
    label: str
    kind: str
    required: bool


def normal(label: str) -> str:
    """The form in which labels are compared: that of `sync.normal`."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return " ".join(_INVISIBLE.sub("", folded).split())


def suggest(table: str, columns: Sequence[Candidate], entities: Sequence[str]) -> str:
    """The text of a mapping of the entities to the table; what a person has to see to is in
    comments."""
    known = [(entity, field) for entity in entities for field in fields_of(entity).values()]
    own = [column for column in columns if column.name != "company_id"]
    company = [column.name for column in columns if column.name == "company_id"]
    taken = {column.name: found for column in own if (found := _exact(column, known))}
    lines = [
        f"# Proposed for {table} from QuickBooks {', '.join(entities)}, by what fields are called.",
        f"entities: [{', '.join(entities)}]",
        f"table: {table}",
        *(f"company: {name}" for name in company),
        "",
        *_import(taken),
        "",
        "fields:",
        *(f"  {_key(name)}: {_source(*found)}" for name, found in taken.items()),
        *_left(own, taken, known),
    ]
    return "\n".join(lines) + "\n"


_Found = tuple[str, KnownField]


def _exact(column: Candidate, known: list[_Found]) -> _Found | None:
    """The field that is called like the column, by its label or else by its name."""
    for called in (normal(column.label), normal(column.name.replace("_", " "))):
        for entity, field in known:
            if called in map(normal, field.labels) and _suits(field, column):
                return entity, field
    return None


def _suits(field: KnownField, column: Candidate) -> bool:
    """Whether the values fit; a text is only proposed for a column that takes any."""
    if field.kind == "text":
        return column.kind in ("text", "choice", "other")
    return can_become(field.kind, column.kind)


def _import(taken: dict[str, _Found]) -> Iterator[str]:
    ids = [name for name, (_, field) in taken.items() if field.path == ("Id",)]
    names = [name for name, (_, field) in taken.items() if field.path in _NAMED]
    yield "import:"
    if ids:
        yield "  mode: merge"
        yield f"  key: {_key(ids[0])}"
    else:
        yield "  mode: create   # with a column for QuickBooks' id: mode: merge, and key: that one"
    if names:
        yield f"  check: [{_key(names[0])}]"


def _left(own: list[Candidate], taken: dict[str, _Found], known: list[_Found]) -> Iterator[str]:
    """The columns without a field: what they may perhaps be, and which need one."""
    for column in own:
        if column.name in taken:
            continue
        named = f"{_key(column.name)} ({column.label})"
        perhaps = _similar(column, known)
        if column.required:
            yield f"  # required, and nothing is called so: {named}"
        if perhaps:
            yield f"  # perhaps: {_key(column.name)}: {_source(*perhaps)}   # {column.label}"


def _similar(column: Candidate, known: list[_Found]) -> _Found | None:
    called = normal(column.label)
    rated = [
        (SequenceMatcher(None, called, normal(label)).ratio(), found)
        for found in known
        for label in found[1].labels
        if _suits(found[1], column)
    ]
    best = max(rated, key=lambda one: one[0], default=None)
    return best[1] if best and best[0] >= SIMILAR else None


def _source(entity: str, field: KnownField) -> str:
    *way, last = field.path
    other = _other(entity, field.path)
    if last == "name" and other:
        show = "DisplayName" if other in _PEOPLE else "Name"
        return f"{{from: {way[0]}.value, lookup: {{entity: {other}, show: {show}}}}}"
    return f"{{from: {'.'.join(map(str, field.path))}}}"


def _other(entity: str, path: Path) -> str | None:
    """The entity that a reference leads to."""
    return entity if path[0] == "ParentRef" else _LOOKED_UP.get(str(path[0]))


def _key(name: str) -> str:
    """A column's name as YAML reads it."""
    return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"
