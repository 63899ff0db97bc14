"""Records in the form in which Postgres' COPY takes them."""

import re
from hashlib import blake2b

from quickbooks_crm.quickbooks.records import Record

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def digest(record: Record) -> int:
    """What tells next time that a record has not changed: eight bytes made of all of its own."""
    made = blake2b(record.raw, digest_size=8).digest()
    return int.from_bytes(made, "big", signed=True)


def line(*columns: bytes) -> bytes:
    """A line of COPY's text format."""
    return b"\t".join(columns) + b"\n"


def columns(record: Record, digest: int) -> tuple[bytes, ...]:
    """A record's own columns: entity, id, sync_token, updated_at, deleted, digest, payload."""
    time = record.updated_at
    return (
        record.entity.encode(),
        escaped(record.id.encode()),
        b"%d" % record.sync_token,
        time.isoformat().encode() if time else b"\\N",
        b"t" if record.deleted else b"f",
        b"%d" % digest,
        escaped(storable(record.raw)),
    )


def escaped(text: bytes) -> bytes:
    """A text as a column of COPY's text format."""
    text = text.replace(b"\\", b"\\\\")
    if b"\n" in text or b"\t" in text or b"\r" in text:
        text = text.replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")
    return text


def storable(raw: bytes) -> bytes:
    """The record as it was sent, less what Postgres cannot store: NUL becomes U+FFFD."""
    return _NUL.sub(rb"\1\\ufffd", raw) if b"\\u0000" in raw else raw
