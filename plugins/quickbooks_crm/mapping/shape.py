"""The shape of a mapping file: which words go where, and what may be written after each."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from quickbooks_crm.mapping.document import Document, Place
from quickbooks_crm.mapping.problems import Problem, quoted, suggestion
from quickbooks_crm.mapping.words import (
    CRM_EDITS,
    ENTITIES,
    LIST_ITEM,
    MAPPING,
    Vocabulary,
)

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_MODULE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_OURS = {"quickbooks", "sync", "pg_catalog", "information_schema"}
_LONGEST_NAME = 63


def refuse(said: str) -> NoReturn:
    """Stop with a sentence that goes on after the name of the place."""
    raise PydanticCustomError("said", "{said}", {"said": said})


def text(written: Any) -> str:
    """A text as it was written."""
    if isinstance(written, bool):
        return str(written).lower()
    if not isinstance(written, str):
        refuse("must be a single text.")
    if not written.strip():
        refuse("is blank. Write a text, or remove it.")
    return written


def sentence(written: Any) -> str:
    """A text on one line."""
    return " ".join(text(written).split())


def truth(written: Any) -> bool:
    """True or false, and no other way to say so."""
    if not isinstance(written, bool):
        refuse(f"cannot be: {quoted(text(written))}. Write true or false.")
    return written


def name(written: Any) -> str:
    """The name of a column, or half of a table's: anything printable of up to 63 bytes."""
    word = text(written)
    if not word.isprintable():
        refuse(f"is not a name: {quoted(word)}. Write the column as the database has it.")
    if len(word.encode()) > _LONGEST_NAME:
        refuse(f"is longer than the {_LONGEST_NAME} bytes Postgres allows: {quoted(word)}.")
    return word


def is_module_name(word: str) -> bool:
    """Whether the word can name a module or a company: it becomes part of task ids."""
    return bool(_MODULE.fullmatch(word))


def module_name(written: Any) -> str:
    """The name of a module or a company."""
    word = text(written)
    if not is_module_name(word):
        refuse(f"is not a module: {quoted(word)}. Write small letters, digits and _ only.")
    return word


def _table(written: Any) -> str:
    word = text(written)
    parts = word.split(".")
    if len(parts) != 2:
        refuse(f"cannot be: {quoted(word)}. Write schema.table, such as crm.products.")
    if parts[0] in _OURS or parts[0].startswith("pg_"):
        refuse(
            f"cannot be in the schema {parts[0]!r}: it is not the CRM's. Write a table of the CRM."
        )
    return ".".join(name(part) for part in parts)


def _path(written: Any) -> tuple[str, ...]:
    word = text(written)
    if "[" in word:
        refuse(f"looks into a list, which is not available yet: {LIST_ITEM.instead}")
    if not _PATH.fullmatch(word) or len(word) > 200:
        refuse(f"is not a path: {quoted(word)}. Write names with dots, such as BillAddr.City.")
    return tuple(word.split("."))


def _number(written: Any) -> str:
    word = text(written)
    if not _NUMBER.fullmatch(word):
        refuse(f"is not a number: {quoted(word)}. Write digits, such as 100 or 0.5.")
    return word


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A check that the word is a whole number within these bounds."""

    def check(written: Any) -> int:
        word = text(written)
        if not (word.isascii() and word.isdigit() and low <= int(word[:19]) <= high):
            refuse(f"cannot be: {quoted(word)}. Write a whole number from {low} to {high:,}.")
        return int(word)

    return check


def one_of(*options: str) -> Callable[[Any], str]:
    """A check that the word is one of the options, with the nearest of them when it is not."""

    def check(written: Any) -> str:
        word = text(written)
        if word not in options:
            refuse(f"cannot be: {quoted(word)}. {suggestion(word, options)}")
        return word

    return check


def _edits(written: Any) -> str:
    return (
        refuse(f"cannot be 'crm' yet: {CRM_EDITS.instead}")
        if written == "crm"
        else one_of("quickbooks")(written)
    )


def listed(written: Any) -> Any:
    """A list with at least one item; a single word is told how to become one."""
    if isinstance(written, str):
        refuse(f"must be a list: {quoted(written)}. Write [{written[:40]}].")
    if written == []:
        refuse("is an empty list. Write at least one item.")
    return written


def _one_or_more(written: Any) -> Any:
    return [written] if isinstance(written, str | bool) else listed(written)


def _sources(written: Any) -> Any:
    if isinstance(written, dict):
        later = next((MAPPING.at(("fields", "*", "from", key)) for key in written), None)
        if later:
            refuse(f"uses {later.pattern[-1]}, which is not available yet: {later.instead}")
        refuse("must be a path, such as BillAddr.City, or a list of paths.")
    return _one_or_more(written)


def _comparison(written: Any) -> Any:
    if written == {}:
        refuse("compares with nothing. Write a value, or words such as {blank: true}.")
    return written if isinstance(written, dict) else {"equals": written}


def _conditions(written: Any) -> Any:
    return refuse("would exclude every record. Write a condition.") if written == {} else written


def _reference(written: Any) -> Any:
    return {"module": written} if isinstance(written, str) else written


Text = Annotated[str, BeforeValidator(text)]
Sentence = Annotated[str, BeforeValidator(sentence)]
Truth = Annotated[bool, BeforeValidator(truth)]
Name = Annotated[str, BeforeValidator(name)]
Module = Annotated[str, BeforeValidator(module_name)]
Table = Annotated[str, BeforeValidator(_table)]
Path = Annotated[tuple[str, ...], BeforeValidator(_path)]
Number = Annotated[str, BeforeValidator(_number)]
Entity = Annotated[str, BeforeValidator(one_of(*ENTITIES))]
Texts = Annotated[list[Text], BeforeValidator(_one_or_more)]
Constants = dict[Name, Text]


class Strict(BaseModel):
    """Words of a settings file; any other word is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: ClassVar[Vocabulary] = MAPPING


class ComparisonShape(Strict):
    equals: Texts | None = None
    not_: Texts | None = Field(None, alias="not")
    above: Number | None = None
    below: Number | None = None
    blank: Truth | None = None


class ExclusionShape(Strict):
    where: Annotated[
        dict[Path, Annotated[ComparisonShape, BeforeValidator(_comparison)]],
        BeforeValidator(_conditions),
    ]
    because: Sentence


class ImportShape(Strict):
    mode: Annotated[str, BeforeValidator(one_of("merge", "create", "ignore"))] = "merge"
    key: Name | None = None
    check: list[Name] = []
    blank_overwrites: Truth = False


class ReferenceShape(Strict):
    module: Module
    entity: Entity | None = None


class FieldShape(Strict):
    from_: Annotated[list[Path] | None, BeforeValidator(_sources)] = Field(None, alias="from")
    value: Text | None = None
    default: Text | None = None
    required: Truth = False
    kind: Annotated[str, BeforeValidator(one_of("email", "phone"))] | None = None
    refers: Annotated[ReferenceShape, BeforeValidator(_reference)] | None = None
    edits: Annotated[str, BeforeValidator(_edits)] = "quickbooks"
    blank_overwrites: Truth | None = None


class MappingShape(Strict):
    entities: Annotated[list[Entity], BeforeValidator(listed)]
    table: Table
    company: Name | None = None
    exclude: list[ExclusionShape] = []
    import_: ImportShape = Field(ImportShape(), alias="import")
    fields: dict[Name, FieldShape]
    when_inactive: Constants = {}
    when_deleted: Constants = {}


def problems_of(
    shape: type[Strict], document: Document, nothing_allowed: Iterable[Place] = ()
) -> list[Problem]:
    """All that is wrong with the words of a document, each said at its line."""
    empty = [place for place in _nothings(document.tree) if place not in set(nothing_allowed)]
    problems = [document.says(place, "has no value. Write one, or remove it.") for place in empty]
    try:
        shape.model_validate(document.tree)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            place = tuple(part for part in error["loc"] if part != "[key]")
            if document.known(place) not in empty:
                problems.append(_problem(document, place, error, shape.words))
    return problems


def _nothings(tree: Any, place: Place = ()) -> list[Place]:
    if tree is None:
        return [place]
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [found for key, value in items for found in _nothings(value, (*place, key))]


def _problem(document: Document, place: Place, error: ErrorDetails, words: Vocabulary) -> Problem:
    word = words.at(place)
    example = f"Write, for example, {word.example}." if word else "Write it in full."
    if error["type"] == "missing":
        return document.says(place, f"is missing. {example}")
    if error["type"] == "extra_forbidden":
        return document.says(place, _unknown(place, words))
    if error["type"] == "said":
        said = error.get("ctx", {})["said"]
    elif error["type"] in ("list_type", "tuple_type"):
        said = f"must be a list. {example}"
    else:
        said = f"must be a group of words. {example}"
    return document.says(document.known(place), said)


def _unknown(place: Place, words: Vocabulary) -> str:
    word = words.at(place)
    if word and word.instead:
        return f"is not available yet: {word.instead}"
    written = str(place[-1])
    return f"is not a key here: {quoted(written)}. {suggestion(written, words.below(place[:-1]))}"
