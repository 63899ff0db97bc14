"""How a record is written down as it is before and after a run: its columns by their names."""

from collections.abc import Iterable

LINES = "@lines"
"""The key of an image, and the column of a batch, that holds a document's lines in their order."""


def as_kept(names: Iterable[str]) -> list[str]:
    """The names in the order in which Postgres keeps them in jsonb, so that it has nothing to
    sort."""
    return sorted(names, key=lambda name: (len(name.encode()), name.encode()))
