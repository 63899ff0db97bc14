"""Answers a statement from a company's rows, as QuickBooks filters, sorts and pages them."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from simulator.clock import envelope_time, parse_time
from simulator.company import Company
from simulator.entities import Entity, Property, entity
from simulator.errors import invalid_query
from simulator.query import Condition, Statement, parse
from simulator.rows import Row, encode, id_order

LARGEST_PAGE = 1000

Test = Callable[[Row], bool]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


def answer(company: Company, text: str, trick: str = "") -> bytes:
    """The JSON body of a query's answer; raises `Refused`. A trick is one of `TRICKS`."""
    with company.lock:
        inside, _ = group(company, text, trick)
        time = envelope_time(company.clock.now())
    return b'{"QueryResponse":{%s},"time":"%s"}' % (inside, time.encode())


def group(company: Company, text: str, trick: str = "") -> tuple[bytes, int]:
    """The inside of a query's answer, and how many rows it has; raises `Refused`."""
    statement = parse(text)
    about = _known(statement)
    with company.lock:
        rows = _selected(company, statement, about)
    if statement.count:
        return b'"totalCount":%d' % len(rows), 0
    start, size = TRICKS[trick](statement.start, statement.size)
    page = rows[start - 1 : start - 1 + size]
    if not page:
        return b"", 0
    return rows_group(about, _projected(page, statement, about), statement.start), len(page)


TRICKS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "": lambda start, size: (start, size),
    "short": lambda start, size: (start, max(1, size // 2)),
    "long": lambda start, size: (start, size + 1),
    "again": lambda start, size: (max(1, start - size), size),
}
"""How a page may differ from the one asked for: where it begins, and how many rows it has."""


def rows_group(about: Entity, rows: list[bytes], start: int) -> bytes:
    """The inside of a QueryResponse; for some entities it says the page's length twice."""
    total = b',"totalCount":%d' % len(rows) if about.counts_its_pages else b""
    return b'"%s":[%s],"startPosition":%d,"maxResults":%d%s' % (
        about.name.encode(),
        b",".join(rows),
        start,
        len(rows),
        total,
    )


def _known(statement: Statement) -> Entity:
    """The entity, once everything that can be wrong with the statement is ruled out."""
    about = entity(statement.entity)
    if about is None:
        raise invalid_query(f"invalid context declaration: {statement.entity}")
    if statement.start < 1:
        raise invalid_query(f"value {statement.start} is too small. Min allowed value is 1")
    if statement.size < 1:
        raise invalid_query(f"value {statement.size} is too small. Min allowed value is 1")
    if statement.size > LARGEST_PAGE:
        raise invalid_query(
            f"value {statement.size} is too large. Max allowed value is {LARGEST_PAGE}"
        )
    for name in statement.projection:
        if _property(about, name).kind == "complex":
            raise _no_property(about, name)
    for condition in statement.conditions:
        if not _property(about, condition.property).filterable:
            raise invalid_query(f"property '{condition.property}' is not queryable")
    if statement.order and not _property(about, statement.order).sortable:
        raise invalid_query(f"property '{statement.order}' is not sortable")
    return about


def _property(about: Entity, name: str) -> Property:
    found = about.property(name)
    if found is None:
        raise _no_property(about, name)
    return found


def _no_property(about: Entity, name: str) -> Exception:
    return invalid_query(f"Property {name} not found for Entity {about.name}")


def _selected(company: Company, statement: Statement, about: Entity) -> list[Row]:
    key = (statement.conditions, statement.order, statement.descending, statement.count)

    def select(rows: Iterable[Row]) -> list[Row]:
        for test in _tests(statement.conditions, about):
            rows = filter(test, rows)
        return list(rows) if statement.count else _sorted(rows, statement, about)

    return company.table(about.name).selected(key, select)


def _tests(conditions: tuple[Condition, ...], about: Entity) -> list[Test]:
    """One test per condition, those that need not decode the row first."""
    named = {condition.property.lower() for condition in conditions}
    quick: list[Test] = []
    if about.hides_inactive and "active" not in named:
        quick.append(lambda row: row.active)
    slow: list[Test] = []
    for condition in conditions:
        described = _property(about, condition.property)
        kept = quick if described.name in _KEPT else slow
        kept.append(_test(condition, described))
    return quick + slow


def _test(condition: Condition, described: Property) -> Test:
    get = _reader(described)
    if condition.operator == "LIKE":
        parts = [re.escape(part) for part in condition.values[0].split("%")]
        like = re.compile(".*".join(parts), re.DOTALL)
        return lambda row: isinstance(text := get(row), str) and like.fullmatch(text) is not None
    values = [_value(text, described) for text in condition.values]
    if condition.operator in ("=", "IN"):
        wanted = frozenset(values)
        return lambda row: get(row) in wanted
    if described.kind in ("id", "bool", "ref"):
        raise invalid_query(
            f"operator '{condition.operator}' is not supported for '{described.name}'"
        )
    compare = _COMPARE[condition.operator]
    return lambda row: (found := get(row)) is not None and compare(found, values[0])


def _value(text: str, described: Property) -> Any:
    """A literal as the kind of value it is compared with."""
    try:
        if described.kind == "bool":
            return {"true": True, "false": False}[text.lower()]
        if described.kind == "number":
            return Decimal(text)
        if described.kind == "time":
            return parse_time(text)
    except (KeyError, ValueError, InvalidOperation):
        raise invalid_query(f"invalid value '{text}' for property '{described.name}'") from None
    return text[:10] if described.kind == "date" else text


_KEPT: dict[str, Callable[[Row], Any]] = {
    "Id": lambda row: row.id,
    "Active": lambda row: row.active,
    "FullyQualifiedName": lambda row: row.name,
    "MetaData.CreateTime": lambda row: row.created or None,
    "MetaData.LastUpdatedTime": lambda row: row.updated or None,
}


def _reader(described: Property) -> Callable[[Row], Any]:
    """How a property's value is read from a row: None where it is absent."""
    if described.name in _KEPT:
        return _KEPT[described.name]
    path = described.name.split(".")
    path += {"ref": ["value"], "email": ["Address"]}.get(described.kind, [])

    def read(row: Row) -> Any:
        value: Any = row.data
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return parse_time(value) if value and described.kind == "time" else value

    return read


def _sorted(rows: Iterable[Row], statement: Statement, about: Entity) -> list[Row]:
    """In the order asked for, or else in the order QuickBooks has for this kind of entity."""
    if statement.order is None:
        if about.name_list:
            return sorted(rows, key=lambda row: row.name.encode())
        return sorted(rows, key=lambda row: row.updated, reverse=True)
    described = _property(about, statement.order)
    if described.kind == "id":
        return sorted(rows, key=lambda row: id_order(row.id), reverse=statement.descending)
    get = _reader(described)
    present: list[tuple[Any, Row]] = []
    absent: list[tuple[Any, Row]] = []
    for row in rows:
        value = get(row)
        (absent if value is None else present).append((value, row))
    present.sort(key=lambda pair: pair[0], reverse=statement.descending)
    ordered = present + absent if statement.descending else absent + present
    return [row for _, row in ordered]


def _projected(page: list[Row], statement: Statement, about: Entity) -> list[bytes]:
    """The rows' own bytes, or for a projection new, sparse rows."""
    if not statement.projection:
        return [row.raw for row in page]
    names = [_property(about, name).name for name in statement.projection]
    return [encode(_sparse(row.data, names)) for row in page]


def _sparse(data: dict[str, Any], names: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        outer, _, inner = name.partition(".")
        value = data.get(outer)
        if inner and isinstance(value, dict) and inner in value:
            chosen.setdefault(outer, {})[inner] = value[inner]
        elif not inner and value is not None:
            chosen[outer] = value
    return {**chosen, "domain": data.get("domain", "QBO"), "sparse": True}
