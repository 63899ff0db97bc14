"""The fields that a record of QuickBooks has."""

import json
from typing import Any

import msgspec

_record = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()
_ENDS_A_NAME = b'":'


class NamedTwice(ValueError):
    """A record says two things of one field, and nobody can tell which is meant."""


def fields(raw: bytes) -> tuple[str, ...]:
    """The names of a record's own fields, without a hold on its values. Raises `NamedTwice` where
    one of its objects names a field twice, of which all readers of JSON but a strict one take the
    last."""
    try:
        found = _record.decode(raw)
    except msgspec.DecodeError:  # a number beyond all floats, such as 1e400
        return _strictly_read(raw)
    if raw.count(_ENDS_A_NAME) != _encoder.encode(found).count(_ENDS_A_NAME):
        return _strictly_read(raw)
    return tuple(found)


def _strictly_read(raw: bytes) -> tuple[str, ...]:
    found: dict[str, Any] = json.loads(
        raw, parse_int=str, parse_float=str, object_pairs_hook=_each_once
    )
    return tuple(found)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NamedTwice
    return found
