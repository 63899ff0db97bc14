"""What a mapping asks of its table that the table has not, each with its line and what to write.
Pure."""

from collections.abc import Iterator

from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.mapping import Lines, Mapping
from quickbooks_crm.mapping.problems import nearest


def misfits(table: Table, mapping: Mapping) -> Iterator[str]:
    """What a mapping asks of its table that the table has not, each with its line."""
    places = {f"fields.{name}": name for name in mapping.fields}
    places |= {f"when_inactive.{name}": name for name in mapping.when_inactive}
    places |= {f"when_deleted.{name}": name for name in mapping.when_deleted}
    places |= {f"when_merged.{name}": name for name in mapping.when_merged}
    places |= {"company": mapping.company} if mapping.company else {}
    if mapping.lines and table.lines:
        yield from _misfits_of_lines(table.lines, mapping.lines)
    yield from _unfit(table, mapping, places)
    yield from unfilled(table, mapping)


def unfound(table: Table, mapping: Mapping) -> Iterator[str]:
    """The columns that the table has no more by which records, and lines of documents, are told
    apart, each with its line."""
    places = {"company": mapping.company} if mapping.company else {}
    yield from _absent_of(table, mapping, places)
    if mapping.lines and table.lines:
        yield from _absent_of(table.lines, mapping.lines.rows, _places_of(mapping.lines))


def _absent_of(table: Table, mapping: Mapping, places: dict[str, str]) -> Iterator[str]:
    for place, name in places.items():
        if name not in table.columns:
            yield absent(table, mapping, place, name)


def _places_of(lines: Lines) -> dict[str, str]:
    places = {"parent": lines.parent, "position": lines.position}
    return places | ({"company": lines.rows.company} if lines.rows.company else {})


def _misfits_of_lines(table: Table, lines: Lines) -> Iterator[str]:
    places = _places_of(lines) | {f"fields.{name}": name for name in lines.rows.fields}
    yield from _unfit(table, lines.rows, places)


def _unfit(table: Table, mapping: Mapping, places: dict[str, str]) -> Iterator[str]:
    if table.rules:
        yield (
            f"{mapping.file} line {mapping.line('table')}: {mapping.at}table: {table.name} has "
            f"rules: {', '.join(table.rules)}. Postgres does not tell which records such a table "
            "has taken. Make triggers of them."
        )
    for place, name in places.items():
        where = f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place}"
        if name not in table.columns:
            yield absent(table, mapping, place, name)
        elif name.startswith("@"):
            yield f"{where}: a column whose name begins with @ cannot be mapped. Rename it."
        elif not table.columns[name].writable or _filled_by(table, table.columns[name]):
            yield f"{where}: {_not_writable(table, name)}"
        elif why := table.columns[name].unfillable:
            yield f"{where}: {table.name}.{name} takes {table.columns[name].type}, {why}"
    key = table.columns[table.key]
    if not (key.sequence or key.default or key.name in places.values()):
        yield (
            f"{mapping.file}: new records of {table.name} get no {key.name}. "
            "Give the column a default, or map it."
        )


def absent(table: Table, mapping: Mapping, place: str, name: str) -> str:
    """What is said of a column that a place of the mapping names and the table has not."""
    where = f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place}"
    near = meant(name, table)
    hint = f"Did you mean '{near}'?" if near else f"It has: {', '.join(table.columns)}."
    return f"{where}: {table.name} has no column '{name}'. {hint}"


def meant(name: str, table: Table) -> str | None:
    """The column that was probably meant, by its name or by what forms call it."""
    called = name.strip().casefold()
    labelled = [c.name for c in table.columns.values() if c.label.strip().casefold() == called]
    return labelled[0] if labelled else nearest(name, table.columns)


def _not_writable(table: Table, name: str) -> str:
    if table.view and not table.columns[name].default:
        return (
            f"Postgres itself cannot write to {table.name}.{name}, since {table.name} is a view "
            "(triggers INSTEAD OF do not count: they do not tell the keys of new records). Name "
            "the table behind it, or take the column out."
        )
    return f"the database itself fills {table.name}.{name}. Take it out."


def _filled_by(table: Table, column: Column) -> bool:
    """Whether it is for the table alone to say what the column holds: the number of a record, or
    when it was made or changed, which the CRM's forms let nobody change."""
    numbered = column.name == table.key and (column.sequence is not None or column.moving)
    return numbered or (column.read_only and column.moving)


def unfilled(table: Table, mapping: Mapping) -> Iterator[str]:
    """Key and check fields that no line of the mapping's fields fills: no record could be compared
    by them."""
    named = [("import.key", mapping.line("import.key"), mapping.key, "name another column")]
    named += [("import.within", mapping.line("import.within"), mapping.within, "take it out")]
    named += [
        ("import.check", mapping.line(f"import.check.{position}"), name, "take it out")
        for position, name in enumerate(mapping.check, 1)
    ]
    for word, line, name, remedy in named:
        if name is None or name in mapping.fields:
            continue
        where = f"{mapping.file} line {line}: {word} names '{name}'"
        if name == mapping.company:
            yield (
                f"{where}, which the sync itself fills. {remedy.capitalize()}: "
                "records of other companies are never compared."
            )
        else:
            hint = _meant_field(name, table, mapping)
            yield f"{where}, which no line of fields fills. {hint}Map it, or {remedy}."


def _meant_field(name: str, table: Table, mapping: Mapping) -> str:
    """The field that a name was probably meant to be, unless it is a column in its own right."""
    others = [column for column in mapping.fields if column not in mapping.check]
    near = None if name in table.columns else nearest(name, others)
    return f"Did you mean '{near}'? " if near else ""
