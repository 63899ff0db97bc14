"""A mapping as a form has it, and what a person has changed there as changes of its text. Pure.

What a form cannot say stays in the mapping as it is, until it is taken out as a whole.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from typing import Any

from quickbooks_crm.mapping.choices import OF_SOURCE, Choice, chosen
from quickbooks_crm.mapping.document import Place
from quickbooks_crm.mapping.rewriting import Words

KEPT = "="
"""Stands for something that a form cannot say, and that stays as it is."""

SETTINGS = {
    "mode": "merge",
    "key": "",
    "separator": "|",
    "unknown_keywords": "ignore",
    "unknown_owner": "default_owner",
    "default_owner": "",
    "child_accounts": "",
    "blank_overwrites": "false",
}
"""The settings of an import that a form has, and what they are where nothing is said."""

PARTS = ("exclude", "when_inactive", "when_deleted", "when_merged", "lines")
"""What else a mapping may have that is taken out as a whole."""

Change = tuple[Place, Words]
Tree = ReadOnly[str, Any]


@dataclass(frozen=True)
class Filling:
    """What fills a column, as a form says it. `source` is the key of a choice, `KEPT` or nothing;
    `constant` what it gets where the source is blank, or without one always. The others are words
    of the mapping; nothing is what they are when nothing is said."""

    source: str = ""
    constant: str = ""
    required: str = ""
    edits: str = ""
    kind: str = ""
    keywords: str = ""
    blank_overwrites: str = ""


OWN = ("required", "edits", "kind", "keywords", "blank_overwrites")
_MEANT = {"required": "false", "edits": "quickbooks"}


def filling(words: Tree, choices: ReadOnly[str, Choice]) -> Filling:
    """A field's words as a form has them."""
    source = chosen(words, choices)
    constant = words.get("default")
    if source is None and words:
        plain = not (words.keys() & set(OF_SOURCE) - {"value"})
        source, constant = ("", words.get("value")) if plain else (KEPT, constant)
    own = {word: _own(word, words) for word in OWN}
    return Filling(source or "", "" if constant is None else _text(constant), **own)


def fields_changed(
    tree: Tree, wanted: ReadOnly[str, Filling], choices: ReadOnly[str, ReadOnly[str, Choice]]
) -> Iterator[Change]:
    """What is to be written of fields that a person wants otherwise; `choices` are those of each
    column."""
    for column, want in wanted.items():
        words = _group(tree, "fields").get(column)
        words = words if isinstance(words, dict) else {}
        if want != filling(words, choices[column]):
            yield from _field(("fields", column), words, want, choices[column])


def settings_of(tree: Tree) -> dict[str, str]:
    """The settings of the import as a form has them."""
    written = _group(tree, "import")
    return {word: _text(written.get(word, usual)) for word, usual in SETTINGS.items()}


def settings_changed(tree: Tree, wanted: ReadOnly[str, str], check: list[str]) -> Iterator[Change]:
    """What is to be written of settings that a person wants otherwise."""
    now = settings_of(tree)
    for word in SETTINGS:
        if word in wanted and wanted[word] != now[word]:
            yield ("import", word), _said(wanted[word])
    before = list(_group(tree, "import").get("check", ()))
    if set(check) != set(before):
        kept = [column for column in before if column in check]
        yield ("import", "check"), [*kept, *(c for c in check if c not in kept)] or None


def parts_of(tree: Tree) -> list[Place]:
    """What else the mapping has: each exclusion, and the groups that a form shows as they are."""
    places: list[Place] = []
    for part in PARTS:
        if part == "exclude" and isinstance(tree.get(part), list):
            places += [(part, at) for at in range(len(tree[part]))]
        elif part in tree:
            places.append((part,))
    return places


def parts_removed(tree: Tree, removed: Iterable[Place]) -> Iterator[Change]:
    """What is to be written when these parts go, the last of a list first."""
    there = parts_of(tree)
    for place in sorted(set(removed), key=str, reverse=True):
        if place in there:
            yield place, None


def _field(
    place: Place, words: Tree, want: Filling, choices: ReadOnly[str, Choice]
) -> Iterator[Change]:
    source = _source(words, want, choices)
    if not source:
        yield place, None
        return
    new: dict[str, Words] = dict(source)
    if want.source and want.constant:
        new["default"] = _kept(words, "default", want.constant)
    new |= {w: v for w in OWN if (v := _kept(words, w, getattr(want, w))) not in (None, "")}
    if not words:
        yield place, new
        return
    edited = (*OF_SOURCE, "default", *OWN)
    changed = [word for word in edited if new.get(word) != words.get(word)]
    for word in sorted(changed, key=lambda word: word not in new):  # what is new comes first
        yield (*place, word), new.get(word)


def _source(words: Tree, want: Filling, choices: ReadOnly[str, Choice]) -> dict[str, Words]:
    """The words that say where the value comes from."""
    if want.source == KEPT or (want.source and want.source == chosen(words, choices)):
        return {word: words[word] for word in OF_SOURCE if word in words}
    if want.source:
        return dict(choices[want.source].words)
    return {"value": _kept(words, "value", want.constant)} if want.constant else {}


def _kept(words: Tree, word: str, wanted: str) -> Words:
    """What is wanted, written as it is where it says the same already."""
    if wanted == KEPT or (word in words and _own(word, words) == wanted):
        return words.get(word)
    return _said(wanted)


def _own(word: str, words: Tree) -> str:
    """A word of a field as a form has it."""
    written = words.get(word)
    if written is None:
        return ""
    if isinstance(written, dict | list):
        return KEPT
    return "" if _text(written) == _MEANT.get(word) else _text(written)


def _said(text: str) -> Words:
    if text in ("true", "false"):
        return text == "true"
    return text or None


def _text(written: Any) -> str:
    return str(written).lower() if isinstance(written, bool) else str(written)


def _group(tree: Tree, word: str) -> Tree:
    found = tree.get(word)
    return found if isinstance(found, dict) else {}
