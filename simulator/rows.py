"""One row as the simulator keeps it: its JSON, and the few values that pages are chosen by."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from simulator.clock import parse_time

Data = dict[str, Any]

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

encode = _encoder.encode
decode = _decoder.decode


@dataclass(frozen=True, slots=True)
class Row:
    """A record; rows are many, so everything else is decoded from `raw` when it is asked for."""

    id: str
    raw: bytes
    created: int
    updated: int
    version: int
    active: bool
    name: str

    @property
    def data(self) -> Data:
        """The record as a fresh dict; numbers with a point are Decimals."""
        decoded: Data = decode(self.raw)
        return decoded


def row(data: Data) -> Row:
    """The row of a record that has an Id."""
    times = data.get("MetaData") or {}
    made, changed = times.get("CreateTime"), times.get("LastUpdatedTime")
    updated = int(parse_time(changed)) if changed else 0
    return Row(
        id=str(data["Id"]),
        raw=encode(data),
        created=updated if made == changed else int(parse_time(made)) if made else 0,
        updated=updated,
        version=version(data),
        active=data.get("Active", True) is not False,
        name=str(data.get("FullyQualifiedName") or data.get("DisplayName") or data.get("Name", "")),
    )


def version(data: Data) -> int:
    """The SyncToken as a number; 0 where it is none."""
    token = str(data.get("SyncToken", "0"))
    return int(token) if token.isascii() and token.isdigit() else 0


def id_order(text: str) -> tuple[int, int, str]:
    """Sort key of an id: numbers by value, then every other text."""
    return (0, int(text), "") if text.isascii() and text.isdigit() else (1, 0, text)
