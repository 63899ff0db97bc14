"""Other words at some places of a mapping's text, with everything else as a person wrote it: its
comments, its order, its columns.

Works on the marks that the parser leaves: what is not meant is not written again. Why no library
does it: decision 20.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import yaml

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.document import NOTHING, TRUTH, Loader, Place, dotted, read

Words = str | bool | list[Any] | dict[str, Any] | None
Entry = tuple[yaml.Node, yaml.Node]

_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_ ./+-]*[A-Za-z0-9_./+-])?")
_BREAKS = re.compile("[\x7f-\xa0\u2028\u2029\ufeff]")


def rewritten(text: str, changes: Iterable[tuple[Place, Words]]) -> str:
    """The text with these words at these places; None takes the place out, and with the last word
    of a group the group. Raises `MappingError` where the text is written too oddly for that."""
    tree = deepcopy(read(text).tree)
    for place, words in changes:
        _put(tree, place, words)
        text = _changed(text, place, words)
        found = read(text)
        if found.problems or found.tree != tree:
            raise MappingError(
                f"{dotted(place)} is written in a way that cannot be changed here. Change it in "
                "the text of the mapping, and load this page again."
            )
    return text


def on_one_line(words: Words) -> str:
    """Words as a mapping has them on one line."""
    if isinstance(words, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {on_one_line(v)}" for k, v in words.items()) + "}"
    if isinstance(words, list):
        return "[" + ", ".join(map(on_one_line, words)) + "]"
    if isinstance(words, bool):
        return "true" if words else "false"
    return _scalar(str(words))


def _put(tree: Any, place: Place, words: Words) -> None:
    """The same change to the words themselves."""
    head, *rest = place
    if words is None and not _has(tree, head):
        return
    if rest:
        if not _has(tree, head):
            tree[head] = {}
        _put(tree[head], tuple(rest), words)
    elif words is not None:
        tree[head] = words
    else:
        del tree[head]
    if words is None and rest and tree[head] in ({}, []):
        del tree[head]


def _has(tree: Any, head: str | int) -> bool:
    return head in tree if isinstance(tree, dict) else int(head) < len(tree)


def _changed(text: str, place: Place, words: Words) -> str:
    parents = [yaml.compose(text, Loader=Loader)]
    for depth, part in enumerate(place):
        entry = _entry(parents[-1], part)
        if entry is None:
            missing = place[depth:]
            return text if words is None else _added(text, parents[-1], missing, words)
        parents.append(entry[1])
    if words is None:
        return _without(text, parents, place)
    return _replaced(text, parents[-2], _entry(parents[-2], place[-1]), words)


def _entry(parent: Any, part: str | int) -> Entry | None:
    """What a part of a place leads to: its word and what is said of it."""
    return next((entry for entry, name in _entries(parent) if name == part), None)


def _entries(parent: Any) -> list[tuple[Entry, str | int]]:
    if isinstance(parent, yaml.SequenceNode):
        return [((item, item), at) for at, item in enumerate(parent.value)]
    return [((key, value), key.value) for key, value in parent.value]


def _replaced(text: str, parent: Any, entry: Entry | None, words: Words) -> str:
    key, value = entry or (parent, parent)
    if _is_block(value):
        colon = text.index(":", key.end_mark.index) + 1
        beside = text[colon:].partition("\n")[0].rstrip()
        return f"{text[:colon]} {on_one_line(words)}{beside}{text[_end(text, value) :]}"
    gap = " " if text[value.start_mark.index - 1] == ":" else ""
    return text[: value.start_mark.index] + gap + on_one_line(words) + text[_end(text, value) :]


def _added(text: str, parent: Any, place: Place, words: Words) -> str:
    first, *rest = place
    for part in reversed(rest):
        words = {str(part): words}
    name = _scalar(str(first))
    entries = [entry for entry, _ in _entries(parent)]
    if not entries:
        at = parent.start_mark.index + 1
        return f"{text[:at]}{name}: {on_one_line(words)}{text[at:]}"
    at = _end(text, entries[-1][1])
    if not _is_block(parent):
        return f"{text[:at]}, {name}: {on_one_line(words)}{text[at:]}"
    at = _line_end(text, at)
    indent = entries[0][0].start_mark.column
    written = f"{' ' * indent}{name}:".ljust(_column(entries) - 1) + f" {on_one_line(words)}"
    return f"{text[:at]}\n{written}{text[at:]}"


def _without(text: str, parents: list[Any], place: Place) -> str:
    parent, part = parents[-2], place[-1]
    entries = [entry for entry, _ in _entries(parent)]
    if len(entries) == 1 and len(place) > 1:
        return _without(text, parents[:-1], place[:-1])
    here = [name for _, name in _entries(parent)].index(part)
    key, value = entries[here]
    if _is_block(parent):
        begin = text.rfind("\n", 0, key.start_mark.index) + 1
        return text[:begin] + text[_line_end(text, _end(text, value)) + 1 :]
    if here:
        return text[: _end(text, entries[here - 1][1])] + text[_end(text, value) :]
    return text[: key.start_mark.index] + text[entries[1][0].start_mark.index :]


def _is_block(node: Any) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _end(text: str, node: Any) -> int:
    """Where a node's own words end: a block's mark is at whatever follows it."""
    if _is_block(node) and node.value:
        return _end(text, _entries(node)[-1][0][1])
    begin, end = node.start_mark.index, node.end_mark.index
    return begin + len(text[begin:end].rstrip())


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _column(entries: list[Entry]) -> int:
    """The column in which most values begin that stand beside their words; 0 when none do."""
    columns = Counter(
        value.start_mark.column
        for key, value in entries
        if key.start_mark.line == value.start_mark.line and value.value not in ("", None)
    )
    return columns.most_common(1)[0][0] if columns else 0


def _scalar(word: str) -> str:
    """A text, in quotes where it would mean something else without."""
    if _PLAIN.fullmatch(word) and word not in NOTHING and word not in TRUTH:
        return word
    quoted = json.dumps(word, ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)
