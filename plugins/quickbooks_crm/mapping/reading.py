"""From the text of a mapping to the mapping, or to everything that is wrong with it."""

from collections.abc import Iterator
from hashlib import sha256
from typing import cast

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.document import Document, dotted, read
from quickbooks_crm.mapping.model import (
    Comparison,
    Condition,
    Exclusion,
    Field,
    Kind,
    Mapping,
    Mode,
    Reference,
)
from quickbooks_crm.mapping.paths import Join, Path, Source
from quickbooks_crm.mapping.problems import Problem, report
from quickbooks_crm.mapping.relations import relations
from quickbooks_crm.mapping.shape import (
    ExclusionShape,
    FieldShape,
    JoinShape,
    MappingShape,
    problems_of,
)


def parse(module: str, text: str, file: str) -> Mapping:
    """The mapping in the text of one file; MappingError names every problem in it.

    What it says of other modules is not looked at: that takes all of them, see `parse_all`.
    """
    mapping, problems = attempt(module, text)
    if mapping is None:
        raise MappingError(report({file: problems}))
    return mapping


def attempt(module: str, text: str) -> tuple[Mapping | None, list[Problem]]:
    """The mapping, or None and its problems."""
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
    return (None, problems) if problems else (_mapping(module, text, document), [])


def _mapping(module: str, text: str, document: Document) -> Mapping:
    shape = MappingShape.model_validate(document.tree)
    own_entity = shape.entities[0] if len(shape.entities) == 1 else ""
    return Mapping(
        module=module,
        text=text,
        hash=sha256(text.encode()).hexdigest(),
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
        where_is={dotted(place): line for place, line in document.lines.items()},
    )


def _exclusion(shape: ExclusionShape) -> Exclusion:
    conditions = [
        condition
        for path, comparison in shape.where.items()
        for condition in _conditions(path, comparison.model_dump(by_alias=True, exclude_none=True))
    ]
    return Exclusion(tuple(conditions), shape.because)


def _conditions(path: Path, comparison: dict[str, object]) -> Iterator[Condition]:
    for op, written in comparison.items():
        values = written if isinstance(written, list) else [str(written)]
        if op == "blank":
            values = [str(written).lower()]
        yield Condition(path, cast(Comparison, op), tuple(values))


def _field(column: str, words: FieldShape, module: str, own_entity: str) -> Field:
    reference = None
    if words.refers:
        known = own_entity if words.refers.module == module else ""
        reference = Reference(words.refers.module, words.refers.entity or known)
    return Field(
        column=column,
        sources=tuple(_sources(words)),
        value=words.value,
        default=words.default,
        required=words.required,
        kind=cast(Kind | None, words.kind),
        refers=reference,
        blank_overwrites=words.blank_overwrites,
    )


def _sources(words: FieldShape) -> Iterator[Source]:
    written = words.from_ if isinstance(words.from_, list) else [words.from_]
    for source in written:
        if isinstance(source, JoinShape):
            yield Join(tuple(source.join), source.with_)
        elif source is not None:
            yield source
