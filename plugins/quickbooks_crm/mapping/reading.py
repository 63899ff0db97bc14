"""From the text of a mapping to the mapping, or to everything that is wrong with it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.document import Document, dotted, read
from quickbooks_crm.mapping.model import (
    ChildAccounts,
    Comparison,
    Condition,
    Edits,
    Exclusion,
    Field,
    Keywords,
    Kind,
    Lines,
    Mapping,
    Mode,
    Owner,
    Policy,
    Reference,
    UnknownOwner,
)
from quickbooks_crm.mapping.paths import Join, Path, Shown, Source
from quickbooks_crm.mapping.problems import Problem, report
from quickbooks_crm.mapping.relations import relations
from quickbooks_crm.mapping.shape import (
    Comparisons,
    ExclusionShape,
    FieldShape,
    JoinShape,
    LineFieldShape,
    LinesShape,
    LookupShape,
    MappingShape,
    Name,
    OwnerShape,
    VariantShape,
    problems_of,
)
from quickbooks_crm.mapping.words import ENTITIES

_FIELDS = TypeAdapter(dict[Name, LineFieldShape])


def parse(module: str, text: str, file: str) -> Mapping:
    """The mapping in the text of one file; MappingError names every problem in it.

    What it says of other modules is not looked at: that takes all of them, see `parse_all`.
    """
    mapping, problems = attempt(module, text, file)
    if mapping is None:
        raise MappingError(report({file: problems}))
    return mapping


@lru_cache(maxsize=128)
def attempt(module: str, text: str, file: str) -> tuple[Mapping | None, tuple[Problem, ...]]:
    """The mapping, or None and its problems. A run asks for the same mappings in each of its steps,
    and every page does."""
    document = read(text)
    problems = document.problems
    if document.readable:
        problems += problems_of(MappingShape, document)
        taken = {(problem.line, problem.said.partition(" ")[0]) for problem in problems}
        problems += [
            problem
            for problem in relations(document)
            if (problem.line, problem.said.partition(" ")[0]) not in taken
        ]
    return (None, tuple(problems)) if problems else (_mapping(module, text, file, document), ())


def outline(module: str, text: str, file: str) -> Mapping:
    """Of a mapping with mistakes what others ask of it, as far as that is right: what it refers to,
    and its entities; none when one of these is not right."""
    document = read(text)
    tree, lines = document.tree, document.tree.get("lines")
    entities = tree.get("entities")
    right = isinstance(entities, list) and all(one in ENTITIES for one in entities)
    words = {
        "entities": entities if right and entities else ENTITIES[:1],
        "table": "its.own",
        "import": {"mode": "create"},
        "fields": _referring(tree.get("fields")),
    }
    if isinstance(lines, dict):
        rest = {"from": "Line", "table": "its.lines", "parent": "of", "position": "at"}
        words["lines"] = rest | {"fields": _referring(lines.get("fields"))}
    found = _mapping(module, "", file, replace(document, tree=words))  # it may be no text at all
    return found if right else replace(found, entities=())


def _referring(fields: Any) -> dict[str, Any]:
    """The fields that refer to a module, with nothing else of theirs."""
    found = {}
    for column, words in fields.items() if isinstance(fields, dict) else ():
        refers = words.get("refers") if isinstance(words, dict) else None
        with suppress(ValidationError):
            if refers and _FIELDS.validate_python({column: {"refers": refers}}):
                found[column] = {"from": "Id", "refers": refers}
    return found


def hashed(text: str) -> str:
    """What the text of a mapping is known by."""
    return sha256(text.encode()).hexdigest()


def _mapping(module: str, text: str, file: str, document: Document) -> Mapping:
    shape = MappingShape.model_validate(document.tree)
    own_entity = shape.entities[0] if len(shape.entities) == 1 else ""
    mapping = Mapping(
        module=module,
        text=text,
        hash=hashed(text),
        entities=tuple(shape.entities),
        table=shape.table,
        company=shape.company,
        exclude=tuple(_exclusion(exclusion) for exclusion in shape.exclude),
        mode=cast(Mode, shape.import_.mode),
        key=shape.import_.key,
        check=tuple(shape.import_.check),
        blank_overwrites=shape.import_.blank_overwrites,
        fields={
            column: _field(column, words, module, own_entity)
            for column, words in shape.fields.items()
        },
        when_inactive=shape.when_inactive,
        when_deleted=shape.when_deleted,
        when_merged=shape.when_merged,
        separator=shape.import_.separator,
        unknown_keywords=cast(Policy, shape.import_.unknown_keywords),
        unknown_owner=cast(UnknownOwner, shape.import_.unknown_owner),
        default_owner=shape.import_.default_owner,
        child_accounts=cast(ChildAccounts | None, shape.import_.child_accounts),
        where_is={dotted(place): line for place, line in document.lines.items()},
        within=shape.import_.within,
        by_name=shape.by_name,
        named="" if file == f"{module}.yaml" else file,
    )
    return replace(mapping, lines=_lines(shape.lines, mapping)) if shape.lines else mapping


def _lines(shape: LinesShape, of: Mapping) -> Lines:
    rows = replace(
        of,
        at="lines.",
        table=shape.table,
        company=shape.company,
        exclude=tuple(_exclusion(exclusion) for exclusion in shape.exclude),
        key=None,
        within=None,
        check=(),
        fields={
            column: _field(column, words, of.module, "") for column, words in shape.fields.items()
        },
        when_inactive={},
        when_deleted={},
        when_merged={},
    )
    return Lines(shape.from_, shape.parent, shape.position, rows)


def _exclusion(shape: ExclusionShape) -> Exclusion:
    return Exclusion(_where(shape.where), shape.because)


def _where(written: Comparisons) -> tuple[Condition, ...]:
    return tuple(
        condition
        for path, comparison in written.items()
        for condition in _conditions(path, comparison.model_dump(by_alias=True, exclude_none=True))
    )


def _conditions(path: Path, comparison: dict[str, object]) -> Iterator[Condition]:
    for op, written in comparison.items():
        values = written if isinstance(written, list) else [str(written)]
        if op == "blank":
            values = [str(written).lower()]
        yield Condition(path, cast(Comparison, op), tuple(values))


def _field(column: str, words: LineFieldShape, module: str, own_entity: str) -> Field:
    reference = None
    if words.refers:
        known = own_entity if words.refers.module == module else ""
        reference = Reference(words.refers.module, words.refers.entity or known)
    own = words if isinstance(words, FieldShape) else None
    field = Field(
        column=column,
        sources=tuple(_sources(words, words.lookup)),
        value=words.value,
        default=words.default,
        required=words.required,
        kind=cast(Kind | None, own.kind if own else None),
        refers=reference,
        blank_overwrites=own.blank_overwrites if own else None,
        negate=_negation(words),
        keywords=_keywords(words.keywords),
        owner=_owner(own.owner) if own else None,
        edits=cast(Edits, own.edits if own else "quickbooks"),
    )
    variants = {
        entity: _variant(field, other, words.lookup) for entity, other in words.for_entity.items()
    }
    return replace(field, for_entity=variants)


def _variant(field: Field, words: VariantShape, lookup: LookupShape | None) -> Field:
    """The field with what is said of one entity: a source takes the place of any other."""
    if words.from_ is not None or words.value is not None:
        field = replace(field, sources=tuple(_sources(words, lookup)), value=words.value)
    if words.value is not None or words.default is not None:
        field = replace(field, default=words.default)
    return field if words.negate is None else replace(field, negate=_negation(words))


def _negation(words: VariantShape) -> tuple[Condition, ...] | None:
    if isinstance(words.negate, dict):
        return _where(words.negate)
    return () if words.negate else None


def _sources(words: VariantShape, lookup: LookupShape | None) -> Iterator[Source]:
    written = words.from_ if isinstance(words.from_, list) else [words.from_]
    for source in written:
        if isinstance(source, JoinShape):
            yield Join(tuple(source.join), source.with_)
        elif source is not None:
            yield Shown(source, lookup.entity, lookup.show) if lookup else source


def _keywords(written: str | list[str] | None) -> Keywords | None:
    if isinstance(written, list):
        return Keywords("ignore", tuple(written))
    return None if written is None else Keywords(cast(Policy, written))


def _owner(written: OwnerShape | None) -> Owner | None:
    return None if written is None else Owner(**written.model_dump())
