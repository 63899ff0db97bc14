"""Whether a mapping suits its table: required columns without a source, constants that do not fit,
kinds of QuickBooks' fields that never can, and texts that may be too long. Pure; knows Intuit's
reference, not the records."""

from collections.abc import Iterable, Iterator
from itertools import chain

from quickbooks_crm import lacking
from quickbooks_crm.catalog import Column, Table
from quickbooks_crm.mapping import AsItIs, Condition, Field, Join, Mapping, Shown, Source
from quickbooks_crm.mapping.paths import Path, is_plain, picks_of, written
from quickbooks_crm.mapping.problems import nearest
from quickbooks_crm.mapping.quickbooks_fields import (
    LINE,
    Kind,
    KnownField,
    can_become,
    fields_of,
    known_field,
)

_CALLED: dict[Kind, str] = {
    "number": "a number",
    "money": "a number",
    "yes_no": "true or false",
    "day": "a day",
    "moment": "a moment",
}


FLOATING = {"float4": 6, "float8": 15}
"""How many digits the types hold that are made for measuring, not for money."""


def missing_fields(mapping: Mapping, table: Table) -> list[str]:
    """The labels of required CRM fields that the mapping gives neither a source nor a default."""
    return [
        f"{column.label} of {own.name}" if part.at else column.label
        for part, own, column in _missing(mapping, table)
    ]


def missing_lines(mapping: Mapping, table: Table) -> Iterator[str]:
    """The same columns, each with the place of its line in the mapping and what to write there."""
    for part, own, column in _missing(mapping, table):
        yield (
            f"{part.file} line {part.line('fields')}: {part.at}fields: nothing fills "
            f"{own.name}.{column.name} ({column.label}). Write {column.name}: {{from: …}} with the "
            f"path of a field, or {column.name}: {{value: …}} with a constant."
        )


def _missing(mapping: Mapping, table: Table) -> Iterator[tuple[Mapping, Table, Column]]:
    """The required columns that nothing fills."""
    lines = mapping.lines
    for part, own in _parts(mapping, table):
        filled = {part.company, *part.fields}
        if lines and part.at:
            filled |= {lines.parent, lines.position}
        yield from ((part, own, column) for column in own.required if column.name not in filled)


def misnamed_fields(mapping: Mapping, table: Table) -> Iterator[str]:
    """The fields that name no column, and nearly a required one that nothing fills, each with its
    line."""
    for part, own in _parts(mapping, table):
        missing = {column.name for column in own.required} - part.fields.keys()
        for name in part.fields:
            if name not in own.columns and lacking.meant(name, own) in missing:
                yield lacking.absent(own, part, f"fields.{name}", name)


def unfit_constants(mapping: Mapping, table: Table) -> Iterator[str]:
    """The constants and defaults of the mapping that their columns cannot take, by the same rules
    as values of rows, each with its line."""
    for part, own in zip(mapping.parts, (table, table.lines), strict=False):
        if own:
            yield from _unfit_constants(part, own)


def _unfit_constants(mapping: Mapping, table: Table) -> Iterator[str]:
    for place, name, constant in mapping.constants:
        column = table.columns.get(name)
        if column and column.writable and (said := _unfit(constant, column, mapping.fields[name])):
            yield (
                f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place} {said}. "
                f"{table.name}.{name} takes {column.type}."
            )


def _unfit(constant: str, column: Column, field: Field) -> str:
    if _plainly_fits(constant, column, field):
        return ""
    from quickbooks_crm.check import shortened, unfit  # and with it pandas

    rules = unfit(constant, column, field)
    return f"'{shortened(constant)}' {rules}" if rules else ""


def _plainly_fits(constant: str, column: Column, field: Field) -> bool:
    """Whether no rule of any kind keeps it out: most are like that, and all that judges values
    takes longer to import than everything else does that proves files."""
    if column.kind == "boolean":
        return constant in ("true", "false")
    short = column.length is None or len(constant) <= column.length
    in_bytes = column.base in ("name", "char")
    plain = field.kind is None and constant[:1].isalpha()
    return column.kind == "text" and plain and short and not in_bytes


def never_fits(mapping: Mapping, table: Table) -> Iterator[str]:
    """The fields of which no value can ever become their column's type, each with its line."""
    for part, own, field, column in _filled(mapping, table):
        kinds = [_kind(*source) for source in _sources(part, field)]
        if kinds and not any(can_become(kind, column.kind) for kind in kinds):
            held = " or ".join(dict.fromkeys(_CALLED[kind] for kind in kinds))
            yield (
                f"{_place(part, field)} is {held} in QuickBooks, and {own.name}.{column.name} "
                f"takes {column.type}. Map another field, or to another column."
            )


def may_be_too_long(mapping: Mapping, table: Table) -> Iterator[str]:
    """The fields of which QuickBooks allows values longer than their column, each with its line;
    keywords are as long as those on their list."""
    for part, own, field, column in _filled(mapping, table):
        lengths = [_length(*source) for source in _sources(part, field)]
        longest = max((length for length in lengths if length), default=0)
        text = column.kind == "text" and not column.keywords
        if text and column.length and longest > column.length:
            yield (
                f"{_place(part, field)} may have {longest} characters in QuickBooks, and "
                f"{own.name}.{column.name} takes {column.length}: a record with a longer one is "
                "not added. Make the column longer."
            )


def may_not_hold(mapping: Mapping, table: Table) -> Iterator[str]:
    """The numbers of QuickBooks that fill a column which holds most of them only nearly, each with
    its line."""
    for part, own, field, column in _filled(mapping, table):
        numbers = any(_kind(*source) in ("number", "money") for source in _sources(part, field))
        if numbers and column.base in FLOATING:
            yield (
                f"{_place(part, field)} is a number in QuickBooks, and {own.name}.{column.name} "
                f"takes {column.type}, which holds about {FLOATING[column.base]} digits: a record "
                "with more is not added. Make the column numeric."
            )


def called_alike(mapping: Mapping, table: Table) -> Iterator[str]:
    """Mapped columns that have the same label: a person cannot tell them apart in a form."""
    for part, own in _parts(mapping, table):
        yield from _called_alike(part, own)


def misspelt(mapping: Mapping, table: Table) -> Iterator[str]:
    """The paths that Intuit's reference does not know, of no entity, though it knows one that is
    written nearly so, each with its line: such a path is no mistake in itself, it finds nothing."""
    for part, _ in _parts(mapping, table):
        for at, exclusion in enumerate(part.exclude, 1):
            place = f"exclude.{at}.where"
            where = f"{mapping.file} line {part.line(place)}: {part.at}{place}"
            for path, near in _misspelt(_compared(part, exclusion.where)):
                yield f"{where}: '{path}' is not known in QuickBooks. Did you mean '{near}'?"
        for field in part.fields.values():
            for path, near in _misspelt(list(_sources(part, field))):
                yield (
                    f"{_place(part, field)}: '{path}' is not known in QuickBooks, and a field that "
                    f"is not there leaves {field.column} blank. Did you mean '{near}'?"
                )
            for path, near in _misspelt(_compared(part, field.negate or ())):
                yield (
                    f"{_place(part, field, '.negate')}: '{path}' is not known in QuickBooks. Did "
                    f"you mean '{near}'?"
                )


def _misspelt(sources: list[tuple[str, Source]]) -> Iterator[tuple[str, str]]:
    """Each path that no entity is known to have, with the known one that is nearest to it."""
    entities: dict[str, list[str]] = {}
    for entity, path in chain.from_iterable(_paths(*source) for source in sources):
        if is_plain(path):
            entities.setdefault(written(path), []).append(entity)
    for said, those in entities.items():
        names = {written(field): _thing(field) for each in those for field in fields_of(each)}
        near = nearest(said, names, cutoff=0.7)
        if near and _thing(tuple(said.split("."))) not in names.values():
            yield said, near


def _paths(entity: str, source: Source) -> Iterator[tuple[str, Path]]:
    """The paths of a source, each with the entity that it is looked for in."""
    for pick in picks_of(source):
        value = pick.value if isinstance(pick, AsItIs) else pick
        if isinstance(value, Shown):
            yield from ((entity, value.path), (value.entity, value.show))
        else:
            yield entity, value


def _thing(path: Path) -> Path:
    """What a path leads to: a reference has an id and a name."""
    return path[:-1] if path[-1] in ("value", "name") else path


def _called_alike(mapping: Mapping, table: Table) -> Iterator[str]:
    first: dict[str, str] = {}
    for name in mapping.fields:
        column = table.columns.get(name)
        if column:
            other = first.setdefault(column.label.strip().casefold(), name)
            if other != name:
                yield (
                    f"{_place(mapping, mapping.fields[name], '')}: {name} and {other} are both "
                    f"called '{column.label}'. Give one of them another label, or map only one."
                )


def _parts(mapping: Mapping, table: Table) -> Iterator[tuple[Mapping, Table]]:
    """The mapping with its table, and that of a document's lines with theirs."""
    for part, own in zip(mapping.parts, (table, table.lines), strict=False):
        if own:
            yield part, own


def _filled(mapping: Mapping, table: Table) -> Iterator[tuple[Mapping, Table, Field, Column]]:
    for part, own in _parts(mapping, table):
        for name, field in part.fields.items():
            column = own.columns.get(name)
            if column and not field.refers:
                yield part, own, field, column


def _sources(mapping: Mapping, field: Field) -> Iterator[tuple[str, Source]]:
    """Each source, with what it is looked for in: an entity, or a line."""
    for entity in mapping.entities:
        for source in field.of(entity).sources:
            yield (LINE if mapping.at else entity), source


def _compared(mapping: Mapping, conditions: Iterable[Condition]) -> list[tuple[str, Source]]:
    """Each path that is compared, with what it is looked for in."""
    within = [LINE] if mapping.at else mapping.entities
    return [(entity, condition.path) for entity in within for condition in conditions]


def _kind(entity: str, source: Source) -> Kind:
    """What a source holds; a text may be anything, and so may what is not known."""
    field = known(entity, source)
    return field.kind if field else "text"


def _length(entity: str, source: Source) -> int | None:
    if isinstance(source, Join):
        lengths = [_length(entity, path) for path in source.paths]
        between = len(source.between) * (len(lengths) - 1)
        return sum(length for length in lengths if length) + between if any(lengths) else None
    field = known(entity, source)
    return field.length if field else None


def known(entity: str, source: Source) -> KnownField | None:
    """What is known of the QuickBooks field that a source is; None also of several together."""
    if isinstance(source, AsItIs):
        return known(entity, source.value)
    if isinstance(source, Shown):
        return known_field(source.entity, source.show)
    return None if isinstance(source, Join) else known_field(entity, source)


def _place(mapping: Mapping, field: Field, word: str = ".from") -> str:
    place = f"fields.{field.column}{word}"
    return f"{mapping.file} line {mapping.line(place)}: {mapping.at}{place}"
