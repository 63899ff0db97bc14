"""A document's lines: in its row as a list, or as rows of a batch of their own. Pure."""

from itertools import accumulate, chain

import msgspec
import numpy as np
from pandas import DataFrame, Series

from quickbooks_crm.images import LINES

OF = "@of"
"""The column of a batch of lines that tells which row of the documents' batch a line is of."""


def decoded(values: Series) -> Series:
    """The lines of each document from the JSON that Postgres made of them; none where it has no
    list."""
    decode = msgspec.json.Decoder(list[list[str | None]]).decode
    return values.map(decode, na_action="ignore")


def unfolded(batch: DataFrame, names: list[str], along: list[str]) -> DataFrame:
    """A batch of the lines of all documents, in order: their own values by these names, those of
    the document named in `along`, and OF."""
    lists = [found if isinstance(found, list) else [] for found in batch[LINES]]
    owners = np.repeat(np.arange(len(batch)), [len(found) for found in lists])
    lines = DataFrame(list(chain.from_iterable(lists)), columns=names, dtype="str")
    of_document = {name: batch[name].take(owners).to_numpy() for name in along}
    return lines.assign(**of_document, **{OF: batch.index.to_numpy()[owners]})


def folded(lines: DataFrame, names: list[str], batch: DataFrame) -> Series:
    """The lines of each document of a batch as a list, each line a tuple of the values by these
    names; missing where QuickBooks does not speak of them."""
    each = [lines[name].to_numpy(object, na_value=None).tolist() for name in names]  # type: ignore[call-overload]  # no None
    values = list(zip(*each, strict=True))
    counts = lines[OF].value_counts().reindex(batch.index, fill_value=0).tolist()
    ends = accumulate(counts)
    told = batch[LINES].notna()
    lists = [
        values[end - count : end] if tells else None
        for end, count, tells in zip(ends, counts, told, strict=True)
    ]
    return Series(lists, index=batch.index, dtype=object)


def at_position(lines: DataFrame) -> Series:
    """The place of each line in its document, from 1."""
    return lines.groupby(OF).cumcount() + 1
