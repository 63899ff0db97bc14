"""What a person can choose from when they map a module: QuickBooks' fields, by what people call
them, each as the words of a mapping. Pure."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from quickbooks_crm.mapping.paths import Item, Path, parse_path, written
from quickbooks_crm.mapping.quickbooks_fields import Kind, can_become, fields_of
from quickbooks_crm.mapping.suggest import source_words

OF_SOURCE = ("from", "value", "lookup", "refers", "owner", "for_entity", "negate")
"""The words of a field that say where its value comes from."""

CALLED: dict[Kind, str] = {
    "text": "text",
    "number": "number",
    "money": "amount",
    "yes_no": "yes or no",
    "day": "date",
    "moment": "date and time",
}


@dataclass(frozen=True)
class Choice:
    """Something that can fill a column: a field of QuickBooks, or what it refers to. `key` tells it
    from all others, `entities` which records have it, when not all do."""

    key: str
    label: str
    kind: Kind
    length: int | None
    words: ReadOnly[str, Any]
    entities: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()

    @property
    def holds(self) -> str:
        """What it holds, in words."""
        longest = f", up to {self.length:,} characters" if self.length else ""
        return CALLED[self.kind] + longest

    def suits(self, column: str) -> bool:
        """Whether it can ever fill a column of that kind, as the catalog calls kinds."""
        return can_become(self.kind, column)


def fields(entities: Sequence[str]) -> dict[str, Choice]:
    """The known fields of these entities, the most usual ones first."""
    return dict(_known(tuple(entities)))


@cache
def _known(entities: tuple[str, ...]) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    for entity in entities:
        for path, field in fields_of(entity).items():
            key = written(path)
            known = found.get(key)
            of = (*(known.entities if known else ()), entity)
            found[key] = Choice(
                key,
                known.label if known else field.labels[0],
                field.kind,
                field.length,
                source_words(entity, field),
                of,
            )
    return {key: _of_all(choice, entities) for key, choice in found.items()}


def _of_all(choice: Choice, entities: Sequence[str]) -> Choice:
    return replace(choice, entities=()) if len(choice.entities) == len(entities) else choice


def with_seen(
    choices: ReadOnly[str, Choice], seen: Iterable[tuple[Path, Kind, Sequence[str]]]
) -> dict[str, Choice]:
    """The same with values that records have, and with the fields that only records tell of."""
    found = dict(choices)
    for path, kind, values in seen:
        key = written(path)
        known = found.get(key) or Choice(key, _label(path), kind, None, {"from": key})
        samples = tuple(dict.fromkeys((*known.samples, *values)))
        found[key] = replace(known, samples=samples[:3])
    return found


def _label(path: Path) -> str:
    """What people may call a field that only records tell of."""
    named = next((step for step in path if isinstance(step, Item)), None)
    if named is None:
        return written(path)
    return f"{named.value} (custom field)" if named.name == "CustomField" else named.value


def chosen(words: ReadOnly[str, Any], choices: ReadOnly[str, Choice]) -> str | None:
    """The choice that a field's words are, or None where they are something else."""
    source = {word: _spelled(words[word]) for word in OF_SOURCE if word in words}
    return next((key for key, choice in choices.items() if choice.words == source), None)


def in_words(words: ReadOnly[str, Any], choices: ReadOnly[str, Choice]) -> str:
    """Where a field's value comes from, for a person."""
    said = [_source(words["from"], choices)] if "from" in words else []
    said += [f"“{words['value']}”"] if "value" in words else []
    if "owner" in words:
        said = [_owner(words["owner"]) + (f", by {said[0]}" if said else "")]
    if "refers" in words:
        to = words["refers"]
        said.append(f"the record of {to if isinstance(to, str) else to.get('module')} it means")
    if "negate" in words:
        opposite = "with the opposite sign"
        said.append(opposite if words["negate"] is True else f"{opposite} for some records")
    for entity, own in words.get("for_entity", {}).items():
        said.append(f"of {entity}: {in_words(own, choices)}")
    return "; ".join(said)


def _source(source: Any, choices: ReadOnly[str, Choice]) -> str:
    if isinstance(source, list):
        return ", or else ".join(_source(one, choices) for one in source)
    if isinstance(source, dict):
        return " + ".join(_source(one, choices) for one in source.get("join", ()))
    key = _spelled(source)
    named = f"{key.removesuffix('.value')}.name"
    found = choices.get(key) or choices.get(named)
    return found.label if found else key


def _owner(owner: Any) -> str:
    same = owner.get("same_as") if isinstance(owner, dict) else owner
    return f"the owner of {same}" if isinstance(same, str) else "the owner in the CRM"


def _spelled(source: Any) -> Any:
    """A path in the one way in which choices have it."""
    path = parse_path(source) if isinstance(source, str) else None
    return written(path) if path else source
