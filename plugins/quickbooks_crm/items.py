"""The items of texts that fill columns of several values: lists of QuickBooks ([1, 2]), and lists
as Postgres writes them ({1,2})."""

import json
import re
from collections.abc import Iterable, Iterator

_BOUNDS = re.compile(r"(?a)\s*(?:(?:\[[-+]?\d+(?::[-+]?\d+)?\]\s*)+=\s*)?(?=\{)")
"""What Postgres allows before a list: white space, which is ASCII to it, and which items these
are."""

_PLAIN = r'(?:[^{},"\\\s]|\\.)'
_ITEM = re.compile(
    rf'(?as)"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_PLAIN}(?:(?:[^{{}},"\\]|\\.)*{_PLAIN})?)'
)
_ESCAPED = re.compile(r"(?s)\\(.)")
_SPECIAL = re.compile(r'["\\]')


def listed(text: str) -> list[str | None] | None:
    """The items of a list of QuickBooks, each as it is written there; None of what is no list of
    single values."""
    if not text.startswith("["):
        return None
    try:
        items = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if any(isinstance(item, dict | list) for item in items):
        return None
    return [str(item).lower() if isinstance(item, bool) else item for item in items]


def _refuse(word: str) -> None:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(word)


def items(text: str) -> list[str]:
    """Every single value in a list of either kind, none of what is no list."""
    if before := _BOUNDS.match(text):
        found = map(_item, _ITEM.finditer(text, before.end()))
        return [item for item in found if item is not None]
    return [item for item in listed(text) or () if item is not None]


def with_items(text: str, wanted: Iterable[str]) -> str:
    """The same list with these in place of its `items`."""
    each = iter(wanted)
    if before := _BOUNDS.match(text):
        return before[0] + _ITEM.sub(lambda found: _instead(found, each), text[before.end() :])
    return json.dumps([None if item is None else next(each) for item in listed(text) or ()])


def _item(found: re.Match[str]) -> str | None:
    """One as it is meant: NULL without quotation marks is none."""
    if found["quoted"] is not None:
        return _ESCAPED.sub(r"\1", found["quoted"])
    return None if found["plain"].upper() == "NULL" else _ESCAPED.sub(r"\1", found["plain"])


def _instead(found: re.Match[str], wanted: Iterator[str]) -> str:
    if _item(found) is None:
        return found[0]
    return '"' + _SPECIAL.sub(r"\\\g<0>", next(wanted)) + '"'
