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
from typing import Any

from quickbooks_crm.mapping.document import read
from quickbooks_crm.mapping.paths import Path
from quickbooks_crm.mapping.quickbooks_fields import KnownField, can_become, fields_of
from quickbooks_crm.mapping.rewriting import on_one_line

SIMILAR = 0.8
"""From which likeness on a label is worth showing; 1 is the same."""

_INVISIBLE = re.compile("[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LOOKED_UP = {
    "SalesTermRef": "Term",
    "TermRef": "Term",
    "PaymentMethodRef": "PaymentMethod",
    "CustomerTypeRef": "CustomerType",
    "CustomerRef": "Customer",
    "VendorRef": "Vendor",
    "ItemRef": "Item",
}
_NAMED = (("Name",), ("DisplayName",))
_PEOPLE = ("Customer", "Vendor", "Employee")


@dataclass(frozen=True)
class Candidate:
    """A column that a mapping may fill; `kind` as the catalog calls it, `points_to` the table that
    a foreign key of it leads to."""

    name: str
    label: str
    kind: str
    required: bool
    points_to: str | None = None


@dataclass(frozen=True)
class Filled:
    """A module that there is, and the table that it fills from which entities."""

    module: str
    table: str
    entities: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """What may fill a column, as the words of a mapping; `exact` where it is called just so."""

    words: dict[str, Any]
    exact: bool


def normal(label: str) -> str:
    """The form in which labels are compared: that of `sync.normal`."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return " ".join(_INVISIBLE.sub("", folded).split())


def suggest(
    table: str,
    columns: Sequence[Candidate],
    entities: Sequence[str],
    modules: Sequence[Filled] = (),
) -> str:
    """The text of a mapping of the entities to the table; what a person has to see to is in
    comments. A column that leads to the table of one of the `modules`, or to this one, refers to
    its records."""
    known = [(entity, field) for entity in entities for field in fields_of(entity).values()]
    own = [column for column in columns if column.name != "company_id"]
    modules = [*modules, *_itself(table, entities, modules)]
    leading = {column.name: list(_references(column, table, known, modules)) for column in own}
    refers = {name: found[0] for name, found in leading.items() if len(found) == 1}
    company = [column.name for column in columns if column.name == "company_id"]
    taken = {
        column.name: found
        for column in own
        if not leading[column.name] and (found := _exact(column, known))
    }
    lines = [
        f"# Proposed for {table} from QuickBooks {', '.join(entities)}, by what fields are called.",
        f"entities: [{', '.join(entities)}]",
        f"table: {on_one_line(table)}",
        *(f"company: {name}" for name in company),
        "",
        *_import(taken),
        "",
        "fields:",
        *(f"  {on_one_line(name)}: {_source(*found)}" for name, found in taken.items()),
        *(f"  {on_one_line(name)}: {written}" for name, written in refers.items()),
        *_undecided(own, leading),
        *_left([column for column in own if not leading[column.name]], taken, known),
    ]
    return "\n".join(lines) + "\n"


def proposals(
    table: str,
    columns: Sequence[Candidate],
    entities: Sequence[str],
    modules: Sequence[Filled] = (),
) -> dict[str, Proposal]:
    """What `suggest` would take for columns, and what it would show as perhaps meant."""
    known = [(entity, field) for entity in entities for field in fields_of(entity).values()]
    found: dict[str, Proposal] = {}
    for column in columns:
        leading = list(_references(column, table, known, modules))
        if len(leading) == 1:
            found[column.name] = Proposal(_words(leading[0]), True)
        elif not leading and (taken := _exact(column, known)):
            found[column.name] = Proposal(source_words(*taken), True)
        elif not leading and (perhaps := _similar(column, known)):
            found[column.name] = Proposal(source_words(*perhaps), False)
    return found


def ways_to_refer(
    column: Candidate, table: str, entities: Sequence[str], modules: Sequence[Filled]
) -> list[dict[str, Any]]:
    """How a column may refer to records of a module, as the words of a mapping."""
    known = [(entity, field) for entity in entities for field in fields_of(entity).values()]
    return [_words(written) for written in _references(column, table, known, modules)]


def source_words(entity: str, field: KnownField) -> dict[str, Any]:
    """How a mapping takes a field: the name of another record is looked up, so that it follows when
    that is renamed."""
    *way, last = field.path
    other = _other(entity, field.path)
    if last == "name" and other:
        show = "DisplayName" if other in _PEOPLE else "Name"
        return {"from": f"{way[0]}.value", "lookup": {"entity": other, "show": show}}
    return {"from": ".".join(map(str, field.path))}


def _words(written: str) -> dict[str, Any]:
    words = read(f"words: {written}").tree["words"]
    return dict(words)


_Found = tuple[str, KnownField]


def _exact(column: Candidate, known: list[_Found]) -> _Found | None:
    """The field that is called like the column, by its label or else by its name."""
    for called in (normal(column.label), normal(column.name.replace("_", " "))):
        for entity, field in known:
            if called in map(normal, field.labels) and _suits(field, column):
                return entity, field
    return None


def _itself(table: str, entities: Sequence[str], modules: Sequence[Filled]) -> Iterator[Filled]:
    """The module that is proposed, called like its table, where there is none of the table yet."""
    if table not in {module.table for module in modules}:
        yield Filled(_module(table), table, tuple(entities))


def _module(table: str) -> str:
    """What the module of a table may be called: the table's name in what names of modules have."""
    called = re.sub("[^a-z0-9]+", "_", table.rpartition(".")[2].lower())
    return called.lstrip("_0123456789").rstrip("_") or "records"


def _references(
    column: Candidate, table: str, known: list[_Found], modules: Sequence[Filled]
) -> Iterator[str]:
    """How a column may refer to records of a module: by a reference of QuickBooks to such a record,
    or as another part of the very same record."""
    for module in modules:
        if module.table != column.points_to:
            continue
        found = [
            (way, other)
            for entity in dict.fromkeys(entity for entity, _ in known)
            for way, other in _ways(entity, known)
            if other in module.entities and (way != "Id" or module.table != table)
        ]
        for way, other in dict.fromkeys(_called(column, found, known) or found):
            to = module.module
            if len(module.entities) > 1:
                to = f"{{module: {module.module}, entity: {other}}}"
            yield f"{{from: {way}, refers: {to}}}"


def _ways(entity: str, known: list[_Found]) -> Iterator[tuple[str, str]]:
    """The references of an entity, each with the entity that it leads to; to itself by its id."""
    for own, field in known:
        other = _other(entity, field.path)
        if own == entity and other and field.path[-1] in ("value", "name"):
            yield f"{field.path[0]}.value", other
    yield "Id", entity


def _called(
    column: Candidate, found: list[tuple[str, str]], known: list[_Found]
) -> list[tuple[str, str]]:
    """Those that are called like the column, without the ending that keys have."""
    name = re.sub("_id$", "", column.name).replace("_", " ")
    called = {normal(column.label), normal(re.sub(" id$", "", column.label)), normal(name)}
    named = {
        str(field.path[0]) for _, field in known if called & {normal(text) for text in field.labels}
    }
    return [(way, other) for way, other in found if way.partition(".")[0] in named]


def _undecided(own: list[Candidate], leading: dict[str, list[str]]) -> Iterator[str]:
    """The columns that may refer in several ways, for a person to choose."""
    for column in own:
        if len(leading[column.name]) > 1:
            for written in leading[column.name]:
                yield f"  # perhaps: {on_one_line(column.name)}: {written}   # {column.label}"


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
        yield f"  key: {on_one_line(ids[0])}"
    else:
        yield "  mode: create   # with a column for QuickBooks' id: mode: merge, and key: that one"
    if names:
        yield f"  check: [{on_one_line(names[0])}]"


def _left(own: list[Candidate], taken: dict[str, _Found], known: list[_Found]) -> Iterator[str]:
    """The columns without a field: what they may perhaps be, and which need one."""
    for column in own:
        if column.name in taken:
            continue
        named = f"{on_one_line(column.name)} ({column.label})"
        perhaps = _similar(column, known)
        if column.required:
            yield f"  # required, and nothing is called so: {named}"
        if perhaps:
            yield f"  # perhaps: {on_one_line(column.name)}: {_source(*perhaps)}   # {column.label}"


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
    return on_one_line(source_words(entity, field))


def _other(entity: str, path: Path) -> str | None:
    """The entity that a reference leads to."""
    return entity if path[0] == "ParentRef" else _LOOKED_UP.get(str(path[0]))
