"""The shape of a mapping file: which words go where, and what may be written after each."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from quickbooks_crm.mapping.document import Document, Place
from quickbooks_crm.mapping.paths import Path, is_plain, parse_path
from quickbooks_crm.mapping.problems import Problem, nearest, quoted, suggestion
from quickbooks_crm.mapping.words import (
    ENTITIES,
    MAPPING,
    Vocabulary,
)

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


def is_the_crms(schema: str) -> bool:
    """Whether the CRM's tables may be in the schema: it is neither this project's nor Postgres'."""
    return schema not in _OURS and not schema.startswith("pg_")


def _table(written: Any) -> str:
    word = text(written)
    parts = word.split(".")
    if len(parts) != 2:
        refuse(f"cannot be: {quoted(word)}. Write schema.table, such as crm.products.")
    if not is_the_crms(parts[0]):
        refuse(
            f"cannot be in the schema {parts[0]!r}: it is not the CRM's. Write a table of the CRM."
        )
    return ".".join(name(part) for part in parts)


def _path(written: Any) -> Path:
    word = text(written)
    path = parse_path(word) if len(word) <= 200 else None
    if path is None:
        example = "CustomField[Name=Sales Rep].StringValue" if "[" in word else "BillAddr.City"
        refuse(f"is not a path: {quoted(word)}. Write names with dots, such as {example}.")
    return path


def _names(written: Any) -> tuple[str, ...]:
    path = _path(written)
    if not is_plain(path):
        refuse(f"cannot look into a list: {quoted(written)}. Write names with dots, such as Name.")
    return tuple(step for step in path if isinstance(step, str))


def _between(written: Any) -> str:
    """What stands between joined values: a text that may be nothing but a space, or nothing."""
    if not isinstance(written, str) or len(written) > 20:
        refuse(f"cannot be: {quoted(written)}. Write a short text, such as ' ' or ', '.")
    return written


def _bound(written: Any) -> str:
    word = text(written)
    if not (_NUMBER.fullmatch(word) or _is_day(word)):
        refuse(
            f"is neither a number nor a day: {quoted(word)}. Write digits, such as 100 or 0.5, or "
            "year-month-day, such as 2024-01-31."
        )
    return word


def _is_day(word: str) -> bool:
    try:
        return date.fromisoformat(word).isoformat() == word
    except ValueError:
        return False


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


def listed(written: Any) -> Any:
    """A list with at least one item; a single word is told how to become one."""
    if isinstance(written, str):
        refuse(f"must be a list: {quoted(written)}. Write [{written[:40]}].")
    if written == []:
        refuse("is an empty list. Write at least one item.")
    return written


def _one_or_more(written: Any) -> Any:
    return [written] if isinstance(written, str | bool) else listed(written)


def _form(written: Any) -> str:
    """Which form of source is written; in brackets, since it is no part of a place."""
    return "[list]" if isinstance(written, list) else _form_of_one(written)


def _form_of_one(written: Any) -> str:
    return "[join]" if isinstance(written, dict) else "[path]"


def _negation(written: Any) -> Any:
    if isinstance(written, bool | dict):
        return written
    refuse(f"cannot be: {quoted(text(written))}. Write true, or a condition as in where.")


def _comparison(written: Any) -> Any:
    if written == {}:
        refuse("compares with nothing. Write a value, or words such as {blank: true}.")
    return written if isinstance(written, dict) else {"equals": written}


def _conditions(written: Any) -> Any:
    return refuse("would exclude every record. Write a condition.") if written == {} else written


def _reference(written: Any) -> Any:
    return {"module": written} if isinstance(written, str) else written


def _keywords(written: Any) -> Any:
    if isinstance(written, str):
        return one_of("ignore", "insert")(written)
    if not isinstance(written, list):
        refuse("must be ignore, insert, or a list of keywords.")
    return [text(keyword) for keyword in listed(written)]


def _owner(written: Any) -> Any:
    if written is False:
        refuse("cannot be: 'false'. Write true, or remove it.")
    if written is True:
        return {}
    return {"same_as": written} if isinstance(written, str) else written


Text = Annotated[str, BeforeValidator(text)]
Sentence = Annotated[str, BeforeValidator(sentence)]
Truth = Annotated[bool, BeforeValidator(truth)]
Name = Annotated[str, BeforeValidator(name)]
Module = Annotated[str, BeforeValidator(module_name)]
Table = Annotated[str, BeforeValidator(_table)]
AnyPath = Annotated[Any, BeforeValidator(_path)]
Bound = Annotated[str, BeforeValidator(_bound)]
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
    above: Bound | None = None
    below: Bound | None = None
    blank: Truth | None = None


Comparisons = dict[AnyPath, Annotated[ComparisonShape, BeforeValidator(_comparison)]]


class ExclusionShape(Strict):
    where: Annotated[Comparisons, BeforeValidator(_conditions)]
    because: Sentence


class ImportShape(Strict):
    mode: Annotated[str, BeforeValidator(one_of("merge", "create", "ignore"))] = "merge"
    key: Name | None = None
    within: Name | None = None
    check: list[Name] = []
    blank_overwrites: Truth = False
    separator: Annotated[str, BeforeValidator(one_of("|", ";"))] = "|"
    unknown_keywords: Annotated[str, BeforeValidator(one_of("ignore", "insert"))] = "ignore"
    unknown_owner: Annotated[str, BeforeValidator(one_of("default_owner", "reject"))] = (
        "default_owner"
    )
    default_owner: Sentence | None = None
    child_accounts: (
        Annotated[str, BeforeValidator(one_of("child_account", "roll_up", "skip"))] | None
    ) = None


class ReferenceShape(Strict):
    module: Module
    entity: Entity | None = None


class LookupShape(Strict):
    entity: Entity
    show: Annotated[tuple[str, ...], BeforeValidator(_names)]


class JoinShape(Strict):
    join: Annotated[list[AnyPath], BeforeValidator(listed)]
    with_: Annotated[str, BeforeValidator(_between)] = Field(" ", alias="with")


_OneSource = Annotated[AnyPath, Tag("[path]")] | Annotated[JoinShape, Tag("[join]")]
_Sources = Annotated[
    list[Annotated[_OneSource, Discriminator(_form_of_one)]], BeforeValidator(listed), Tag("[list]")
]
From = Annotated[_OneSource | _Sources, Discriminator(_form)]


def _form_of_negation(written: Any) -> str:
    return "[where]" if isinstance(written, dict) else "[truth]"


Negate = Annotated[
    Annotated[Comparisons, Tag("[where]")]
    | Annotated[Annotated[Any, BeforeValidator(_negation)], Tag("[truth]")],
    Discriminator(_form_of_negation),
]


class OwnerShape(Strict):
    same_as: Name | None = None
    users: Table | None = None
    external_id: Name | None = None
    active: Name | None = None


class VariantShape(Strict):
    from_: From | None = Field(None, alias="from")
    value: Text | None = None
    default: Text | None = None
    negate: Negate | None = None


class LineFieldShape(VariantShape):
    for_entity: dict[Entity, VariantShape] = {}
    required: Truth = False
    refers: Annotated[ReferenceShape, BeforeValidator(_reference)] | None = None
    lookup: LookupShape | None = None
    keywords: Annotated[str | list[str] | None, BeforeValidator(_keywords)] = None


class FieldShape(LineFieldShape):
    kind: Annotated[str, BeforeValidator(one_of("email", "phone"))] | None = None
    edits: Annotated[str, BeforeValidator(one_of("quickbooks", "crm"))] = "quickbooks"
    blank_overwrites: Truth | None = None
    owner: Annotated[OwnerShape | None, BeforeValidator(_owner)] = None


class LinesShape(Strict):
    from_: AnyPath = Field(alias="from")
    table: Table
    parent: Name
    position: Name
    company: Name | None = None
    exclude: list[ExclusionShape] = []
    fields: dict[Name, LineFieldShape]


class MappingShape(Strict):
    entities: Annotated[list[Entity], BeforeValidator(listed)]
    table: Table
    company: Name | None = None
    exclude: list[ExclusionShape] = []
    import_: ImportShape = Field(ImportShape(), alias="import")
    fields: dict[Name, FieldShape]
    when_inactive: Constants = {}
    when_deleted: Constants = {}
    lines: LinesShape | None = None
    by_name: Truth = False
    when_merged: Constants = {}


_NO_PLACES = ("[key]", "[path]", "[join]", "[list]", "[where]", "[truth]")


def problems_of(
    shape: type[Strict], document: Document, nothing_allowed: Iterable[Place] = ()
) -> list[Problem]:
    """All that is wrong with the words of a document, each said at its line."""
    empty = [place for place in _nothings(document.tree) if place not in set(nothing_allowed)]
    problems = [document.says(place, "has no value. Write one, or remove it.") for place in empty]
    try:
        shape.model_validate(document.tree)
    except ValidationError as errors:
        found = [(_place(error), error) for error in errors.errors(include_url=False)]
        misspelt = {_meant(place, shape.words) for place, error in found if _is_unknown(error)}
        problems += [
            _problem(document, place, error, shape.words)
            for place, error in found
            if document.known(place) not in empty
            and not (error["type"] == "missing" and place in misspelt)
        ]
    return problems


def _place(error: ErrorDetails) -> Place:
    return tuple(part for part in error["loc"] if part not in _NO_PLACES)


def _is_unknown(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"


def _meant(place: Place, words: Vocabulary) -> Place:
    """The place of the word that was probably meant."""
    return (*place[:-1], nearest(str(place[-1]), words.below(place[:-1])) or "")


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
    if _is_unknown(error):
        return document.says(place, _unknown(place, words))
    if error["type"] == "said":
        said = error.get("ctx", {})["said"]
    elif error["type"] in ("list_type", "tuple_type"):
        said = f"must be a list. {example}"
    else:
        said = _no_group(place, error["input"], example)
    return document.says(document.known(place), said)


def _no_group(place: Place, written: Any, example: str) -> str:
    """A field is often given the name of what it is read from, and nothing else."""
    if isinstance(written, str) and place[-2:-1] == ("fields",):
        return f"must be a group of words, and is {quoted(written)}. Write {{from: {written}}}."
    return f"must be a group of words. {example}"


def _unknown(place: Place, words: Vocabulary) -> str:
    if place[:1] == ("lines",) and words.at(place[1:]):
        return (
            "is a word of documents only: their lines are QuickBooks' own, and written as it has "
            "them. Remove it."
        )
    written = str(place[-1])
    return f"is not a key here: {quoted(written)}. {suggestion(written, words.below(place[:-1]))}"
