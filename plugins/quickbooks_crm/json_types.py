"""Of which JSON type the values are that a mapping's paths lead through: an object or a list where
a path goes on, a single value where it ends.

Where QuickBooks sends another, a path finds nothing, or nothing that its field could hold. Neither
may be taken for a blank, which clears what the CRM has.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.mapping import AsItIs, Field, Join, Mapping, Source
from quickbooks_crm.mapping.paths import (
    MARK,
    NAMES,
    Path,
    Shown,
    bound,
    is_plain,
    json_path,
    picks_of,
)
from quickbooks_crm.picking import PAYLOAD
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import conditions

_IS_OBJECT = 'exists({at}.type() ? (@ != "object" && @ != "null"))'
_IS_LIST = 'exists({at}.type() ? (@ != "array" && @ != "null"))'
_IS_SINGLE = (
    '({at}.type() == "array" && {at}.size() > 0)'
    ' || ({at}.type() == "object" && exists({at}.keyvalue()))'
)
_UNLIKE = {
    "an object": sql.SQL("<> 'object'"),
    "a list": sql.SQL("<> 'array'"),
    "a single value": sql.SQL("IN ('object', 'array')"),
}
"""How `jsonb_typeof` says that a value is not what should be there, or null, or empty."""

_OPEN = {"json", "jsonb"}
"""The types of columns that take whatever stands in a record."""

_encode = msgspec.json.Encoder().encode
_numbers = msgspec.json.Decoder(list[int])


@dataclass(frozen=True)
class Place:
    """A place in a record, or in each item of the lists that `within` leads through; how `jsonpath`
    says that another type is there than should be, and what should be."""

    path: Path
    within: tuple[str, ...]
    otherwise: str
    wanted: str

    @property
    def named(self) -> str:
        """The place as messages call it."""
        names = [step if isinstance(step, str) else step.name for step in self.path]
        return ".".join([*self.within[-1:], *names])

    def condition(self, variables: list[str]) -> str:
        """That a record has another type there, for a filter of `jsonpath`."""
        items = "".join(f'."{name}"[*]' for name in self.within)
        return f"({self.otherwise.format(at=f'@{items}{json_path(self.path, variables)[1:]}')})"


def whole(mapping: Mapping, table: Table) -> Mapping:
    """The mapping with columns of JSON filled with objects and lists as they are."""
    fields = {name: _whole(field, table.columns[name]) for name, field in mapping.fields.items()}
    lines = mapping.lines
    if lines and table.lines:
        lines = replace(lines, rows=whole(lines.rows, table.lines))
    return replace(mapping, fields=fields, lines=lines)


def _whole(field: Field, column: Column) -> Field:
    if column.base not in _OPEN or column.array or field.refers or field.owner:
        return field
    return replace(
        field,
        sources=tuple(map(_as_it_is, field.sources)),
        for_entity={entity: _whole(own, column) for entity, own in field.for_entity.items()},
    )


def _as_it_is(source: Source) -> Source:
    """The name of a record is a text, whatever is sent."""
    if isinstance(source, Join | AsItIs):
        return source
    path = source.show if isinstance(source, Shown) else source
    return source if path[-1] in NAMES else AsItIs(source)


def as_taken(value: Any) -> Any:
    """What a column of JSON gets: an object or a list that a `whole` mapping has picked, or the
    value as it is."""
    return msgspec.Raw(value[1:].encode()) if _is_marked(value) else value


def plain(value: Any) -> Any:
    """The same as a text for people."""
    return value[1:] if _is_marked(value) else value


def _is_marked(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(MARK)


def as_jsonb(values: dict[str, Any]) -> Jsonb:
    """A row of a `whole` mapping as a parameter."""
    return Jsonb({name: as_taken(value) for name, value in values.items()}, dumps=_encode)


def places(mapping: Mapping, table: Table) -> list[Place]:
    """Every place that the mapping's fields look at, each once; those of lines also in bundles."""
    found = [*_places(mapping, table, ())]
    if mapping.lines and table.lines:
        own = str(mapping.lines.source[0])
        found.append(Place((own,), (), _IS_LIST, "a list"))
        for within in ((own,), (own, "GroupLineDetail", "Line")):
            found.append(Place((), within, _IS_OBJECT, "an object"))
            found += _places(mapping.lines.rows, table.lines, within)
    return list(dict.fromkeys(found))


def _places(mapping: Mapping, table: Table, within: tuple[str, ...]) -> Iterator[Place]:
    for name, field in mapping.fields.items():
        for path in _paths(field):
            yield from _on_the_way(path, within)
            if not _takes_all(table.columns[name]):
                yield Place(path, within, _IS_SINGLE, "a single value")
    for condition in conditions(mapping):
        yield from _on_the_way(condition.path, within)
        if condition.op != "blank":
            yield Place(condition.path, within, _IS_SINGLE, "a single value")


def _paths(field: Field) -> Iterator[Path]:
    for variant in field.variants:
        for source in variant.sources:
            for pick in picks_of(source):
                value = pick.value if isinstance(pick, AsItIs) else pick
                yield value.path if isinstance(value, Shown) else value


def _on_the_way(path: Path, within: tuple[str, ...]) -> Iterator[Place]:
    for number, step in enumerate(path):
        if not isinstance(step, str):
            yield Place((*path[:number], step.name), within, _IS_LIST, "a list")
        elif number + 1 < len(path):
            yield Place(path[: number + 1], within, _IS_OBJECT, "an object")


def _takes_all(column: Column) -> bool:
    return column.array or column.base in _OPEN


def misplaced(places: list[Place]) -> sql.Composed:
    """The expression for MISPLACED. Of most records one look tells that nothing is."""
    blocks = statements("json_types")
    each = (
        blocks["number"].format(exists=_exists([place]), number=sql.Literal(number))
        for number, place in enumerate(places)
    )
    return blocks["misplaced"].format(
        seems=_any(_seems(places)), any=_exists(places), each=sql.SQL(", ").join(each)
    )


def _exists(places: Iterable[Place]) -> sql.Composed:
    """That something at one of these places is misplaced."""
    variables: list[str] = []
    condition = " || ".join([place.condition(variables) for place in places])
    return statements("json_types")["exists"].format(
        record=PAYLOAD,
        path=sql.Literal(f"$ ? ({condition})"),
        variables=sql.Literal(bound(variables)),
    )


def _seems(places: list[Place]) -> Iterator[sql.Composed]:
    """What holds for every record in which something is misplaced and for hardly any other, and is
    seen in half the time."""
    plain = [place for place in places if is_plain(place.path)]
    yield from (_unlike(place.path, place.wanted) for place in plain if not place.within)
    if others := [place for place in places if not is_plain(place.path)]:
        yield _exists(others)
    if lines := [place for place in plain if place.within]:
        looks = (_unlike(*look) for look in dict.fromkeys((p.path, p.wanted) for p in lines))
        own = sql.Literal(lines[0].within[0])
        block = statements("json_types")["seems_in_lines"]
        yield block.format(record=PAYLOAD, list=own, unlike=_any(looks))


def _unlike(path: Path, wanted: str) -> sql.Composed:
    block = statements("json_types")["unlike"]
    return block.format(record=PAYLOAD, path=sql.Literal(list(path)), unlike=_UNLIKE[wanted])


def _any(conditions: Iterable[sql.Composed]) -> sql.Composed:
    return sql.SQL(" OR ").join(conditions)


def told(places: list[Place], numbers: str) -> list[dict[str, str]]:
    """What is wrong with a record, of which MISPLACED says this; of each place the first thing."""
    wrong: dict[str, str] = {}
    for number in _numbers.decode(numbers):
        wrong.setdefault(places[number].named, places[number].wanted)
    return [
        {"reason": "invalid_value", "field": name, "label": name, "rule": f"is not {wanted}"}
        for name, wanted in wrong.items()
    ]
