"""The items of texts that fill columns of several values: lists of QuickBooks ([1, 2]), and lists
as Postgres writes them ({1,2})."""

import json
import re

_ITEM = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>(?:[^",{}\\\s]|\\.)(?:[^",{}\\]|\\.)*)', re.S
)
_ESCAPED = re.compile(r"\\(.)", re.S)


def listed(text: str) -> list[str | None] | None:
    """The items of a list of QuickBooks, each as it is written there; None of what is no list of
    single values."""
    if not text.startswith("["):
        return None
    try:
        items = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return None
    if any(isinstance(item, dict | list) for item in items):
        return None
    return [str(item).lower() if isinstance(item, bool) else item for item in items]


def items(text: str) -> list[str]:
    """Every single value in a list of either kind, none of what is no list."""
    if text.startswith("{"):
        found = map(_item, _ITEM.finditer(text))
        return [item for item in found if item is not None]
    return [item for item in listed(text) or () if item is not None]


def _item(found: re.Match[str]) -> str | None:
    """One as it is meant: NULL without quotation marks is none."""
    if found["quoted"] is not None:
        return _ESCAPED.sub(r"\1", found["quoted"])
    plain = _ESCAPED.sub(r"\1", found["plain"].rstrip())
    return None if plain.upper() == "NULL" else plain
