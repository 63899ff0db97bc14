"""The records that a comparison has met, eight bytes for each: a company's million take eight
megabytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from quickbooks_crm.everything import hashes

Hashes = np.ndarray[Any, np.dtype[np.int64]]


class Seen:
    """Ids in sorted arrays, each more than twice as long as the next: few to look into, and few to
    merge."""

    def __init__(self) -> None:
        self._arrays: list[Hashes] = []

    def __len__(self) -> int:
        """How many different ids there are."""
        return sum(map(len, self._arrays))

    def add(self, ids: Sequence[str]) -> None:
        """Remember ids; those known already count once."""
        new = np.unique(_hashed(ids))
        self._arrays.append(new[~self._known(new)])
        while len(self._arrays) > 1 and len(self._arrays[-2]) <= 2 * len(self._arrays[-1]):
            self._arrays[-2:] = [np.sort(np.concatenate(self._arrays[-2:]))]

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of the ids that were not added."""
        known = self._known(_hashed(ids))
        return [id for id, there in zip(ids, known, strict=True) if not there]

    def _known(self, asked: Hashes) -> np.ndarray[Any, np.dtype[np.bool_]]:
        known = np.zeros(len(asked), np.bool_)
        for array in filter(len, self._arrays):
            places = np.minimum(np.searchsorted(array, asked), len(array) - 1)
            known |= array[places] == asked
        return known


def _hashed(ids: Sequence[str]) -> Hashes:
    return np.frombuffer(hashes(ids), np.int64)
