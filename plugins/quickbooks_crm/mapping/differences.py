"""What two mappings say differently: word by word, and line by line."""

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from difflib import unified_diff
from functools import lru_cache
from typing import Any, Literal

from quickbooks_crm.mapping.document import Document, Place, dotted, read

_PARTED: tuple[Place, ...] = ((), ("import",), ("fields",), ("lines",), ("lines", "fields"))
"""Where words are told one by one; below these, a word is told with all that it holds."""


@dataclass(frozen=True)
class Difference:
    """One word that is not the same: its place, and what is written there before and after, as
    YAML; None where it is not written."""

    place: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What became of the word."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def words(self) -> str:
        """It for a person."""
        shown = " → ".join(text for text in (self.before, self.after) if text is not None)
        return f"{self.place} {self.kind}: {shown}"


def differences(before: str, after: str) -> list[Difference]:
    """What the text after says differently than the one before, in its order, then what is gone. Of
    a text that is no YAML nothing is known."""
    old, new = _read(before), _read(after)
    return list(_between(old.tree, new.tree)) if old.readable and new.readable else []


def lines(before: str, after: str, names: tuple[str, str]) -> list[str]:
    """The same line by line, as `diff -u` shows it."""
    texts = (before.splitlines(), after.splitlines())
    return list(unified_diff(*texts, *names, lineterm=""))


def told(before: str, after: str) -> list[str]:
    """What differs, for a person."""
    if before == after:
        return ["Both say the same."]
    found = [difference.words for difference in differences(before, after)]
    return found or ["Only comments, spaces or the order of words differ."]


@lru_cache(maxsize=4)
def _read(text: str) -> Document:
    """In a list of versions each is compared with the one before and the one after."""
    return read(text)


def _between(
    old: ReadOnly[str, Any], new: ReadOnly[str, Any], above: Place = ()
) -> Iterator[Difference]:
    for word in [*new, *(word for word in old if word not in new)]:
        place = (*above, word)
        before, after = old.get(word), new.get(word)
        if place in _PARTED and isinstance(before or {}, dict) and isinstance(after or {}, dict):
            yield from _between(before or {}, after or {}, place)
        elif before != after:
            yield Difference(dotted(place), _flow(before), _flow(after))


def _flow(written: Any) -> str | None:
    """A value on one line, as YAML has it; None for none."""
    if written is None:
        return None
    if isinstance(written, dict):
        return "{" + ", ".join(f"{word}: {_flow(value)}" for word, value in written.items()) + "}"
    if isinstance(written, list):
        return "[" + ", ".join(str(_flow(item)) for item in written) + "]"
    return str(written).lower() if isinstance(written, bool) else _quoted(str(written))


def _quoted(text: str) -> str:
    """A text, in quotes where it would not be seen or be taken for something else."""
    plain = text.strip() == text != "" and text.lower() not in ("true", "false", "null", "~")
    return text if plain and not set(text) & set(",{}[]#:") else repr(text)
