"""JSON nested deeper than anybody can read it, cut to a depth that everybody can."""

import re

DEEPEST = 200
"""Objects and lists in each other. QuickBooks' own records have some ten."""

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)


def without_depths(body: bytes) -> bytes:
    """The same JSON, with null for every value that lies too deep."""
    kept, depth, start = [], 0, 0
    for found in _STRING_OR_BRACKET.finditer(body):
        if found[0] in (b"[", b"{"):
            depth += 1
            if depth == DEEPEST + 1:
                kept += [body[start : found.start()], b"null"]
        elif found[0] in (b"]", b"}"):
            if depth == DEEPEST + 1:
                start = found.end()
            depth -= 1
    return b"".join(kept) + body[start:] if depth <= DEEPEST else b""
