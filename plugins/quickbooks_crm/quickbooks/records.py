"""QuickBooks' answers taken apart, every record kept byte for byte as it was sent."""

import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from quickbooks_crm.errors import QuickBooksUnavailable
from quickbooks_crm.quickbooks.depth import DEEPEST, without_depths
from quickbooks_crm.quickbooks.private import without_private

log = logging.getLogger(__name__)

_LARGEST_SYNC_TOKEN = 2**63 - 1
_NOTHING = msgspec.Raw(b"")
_NULL = msgspec.Raw(b"null")
_NOT_ENTITIES = ("startPosition", "maxResults", "totalCount")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of QuickBooks: `raw` is what it sent, the rest what the mirror must know of it."""

    entity: str
    id: str
    sync_token: int
    updated_at: datetime | None
    deleted: bool
    raw: bytes

    def __repr__(self) -> str:
        """Without what QuickBooks sent: customer data belongs into tables."""
        return f"Record({self.entity} {self.id}, version {self.sync_token})"


@dataclass(frozen=True)
class Span:
    """Where a page lies in its entity: its positions, and the ids at its borders."""

    start: int = 1
    end: int = 0
    full: bool = False
    head: frozenset[str] = frozenset()
    tail: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    """The records of one answer, and QuickBooks' clock when it was given; of an entity read page by
    page also where it lies."""

    records: list[Record]
    time: datetime
    span: Span = Span()

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class Changes:
    """What changed by entity, up to `time` on QuickBooks' clock.

    Of an entity in `overflowed` QuickBooks did not tell all changes: it has to be queried.
    """

    records: dict[str, list[Record]]
    time: datetime
    overflowed: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """How many records there are in all."""
        return sum(map(len, self.records.values()))


class Envelope(msgspec.Struct):
    """What QuickBooks puts around an answer; the parts in it are not decoded yet."""

    QueryResponse: msgspec.Raw = _NOTHING
    CDCResponse: msgspec.Raw = _NOTHING
    CompanyInfo: msgspec.Raw = _NOTHING
    Fault: msgspec.Raw = _NOTHING
    fault: msgspec.Raw = _NOTHING
    time: Any = None
    intuit_tid: Any = "none"

    def answers(self, part: str) -> bool:
        """Whether it holds the part that was asked for, and no fault."""
        return _said(getattr(self, part)) and not (_said(self.Fault) or _said(self.fault))


class _Times(msgspec.Struct):
    LastUpdatedTime: str | None = None


class _Head(msgspec.Struct):
    Id: str | int
    SyncToken: str | int | None = None
    MetaData: _Times | None = None
    status: str | None = None


class _OddHead(msgspec.Struct):
    Id: Any = None
    SyncToken: Any = None
    MetaData: Any = None
    status: Any = None


_HALF_CHARACTER = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

_envelope = msgspec.json.Decoder(Envelope | None)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_number = msgspec.json.Decoder(int)
_head = msgspec.json.Decoder(_Head)
_odd_head = msgspec.json.Decoder(_OddHead)
_changes = msgspec.json.Decoder(list[dict[str, list[dict[str, msgspec.Raw]]]])


def envelope_of(body: bytes) -> Envelope | None:
    """The envelope of an answer; nothing for HTML, `null`, a body cut short or not UTF-8.

    Half a character, which a name cut by some program may end in, becomes U+FFFD: one such name
    must not make the whole answer unreadable. Nor must a value nested thousands deep: it becomes
    null.
    """
    if b"\\ud" in body or b"\\uD" in body:
        body = _HALF_CHARACTER.sub(_whole_character, body)
    try:
        body.decode()
        return _decoded(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _decoded(body: bytes) -> Envelope | None:
    try:
        return _envelope.decode(body)
    except RecursionError:
        log.error("QuickBooks sent values nested more than %d deep: they are left out", DEEPEST)
        return _envelope.decode(without_depths(body))


def _whole_character(match: re.Match[bytes]) -> bytes:
    return match[0] if len(match[2]) == 12 else match[1] + rb"\ufffd"


def page_of(envelope: Envelope) -> Page:
    """The records of a query's answer. An answer with no records has no entity in it either."""
    try:
        parts = _parts.decode(envelope.QueryResponse)
        records = [record for entity, rows in _entities(parts) for record in _records(entity, rows)]
    except msgspec.DecodeError as error:
        raise _misshapen("a query", envelope) from error
    return Page(records, time_of(envelope))


def count_of(envelope: Envelope) -> int:
    """The number that a `COUNT(*)` was answered with; an empty answer counts nothing."""
    try:
        parts = _parts.decode(envelope.QueryResponse)
        if parts:
            return _number.decode(parts["totalCount"])
    except (msgspec.DecodeError, KeyError) as error:
        raise _misshapen("a count", envelope) from error
    return 0


def changes_of(envelope: Envelope, asked: Collection[str]) -> Changes:
    """The records of a CDC answer: groups in any order, told apart by their key.

    QuickBooks answers with a group for each entity asked for, an empty one where nothing changed.
    Of an answer with fewer, nothing is believed about the entities that it does not name.
    """
    records: dict[str, list[Record]] = {}
    try:
        answered = _changes.decode(envelope.CDCResponse)
        groups = [parts for response in answered for parts in response["QueryResponse"]]
        for parts in groups:
            for entity, rows in _entities(parts):
                records.setdefault(entity, []).extend(_records(entity, rows))
    except (msgspec.DecodeError, KeyError) as error:
        raise _misshapen("what changed", envelope) from error
    untold = frozenset(asked) - records.keys() if len(groups) < len(asked) else frozenset[str]()
    return Changes(records, time_of(envelope), untold)


def company_of(envelope: Envelope) -> dict[str, Any]:
    """The company's own record."""
    try:
        company: dict[str, Any] = msgspec.json.decode(envelope.CompanyInfo, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise _misshapen("companyinfo", envelope) from error
    return company


def time_of(envelope: Envelope) -> datetime:
    """QuickBooks' clock; positions are made of it, so an answer without it is no answer."""
    time = _instant(envelope.time)
    if time is None:
        raise QuickBooksUnavailable(
            f"QuickBooks answered without saying its time (intuit_tid {envelope.intuit_tid})."
        )
    return time


def _said(part: msgspec.Raw) -> bool:
    return part not in (_NOTHING, _NULL)


def _entities(parts: dict[str, msgspec.Raw]) -> Iterator[tuple[str, list[msgspec.Raw]]]:
    for key, part in parts.items():
        if key not in _NOT_ENTITIES:
            yield key, _rows.decode(part)


def _records(entity: str, rows: list[msgspec.Raw]) -> Iterator[Record]:
    for row in rows:
        raw = without_private(entity, bytes(row))
        try:
            head = _head.decode(raw)
        except msgspec.ValidationError:
            head = _head_of_odd(entity, raw)
        if head.Id == "":
            raise _without_id(entity)
        yield Record(
            entity=entity,
            id=str(head.Id),
            sync_token=_version(head.SyncToken),
            updated_at=_instant(head.MetaData and head.MetaData.LastUpdatedTime),
            deleted=(head.status or "").lower() == "deleted",
            raw=raw,
        )


def _head_of_odd(entity: str, raw: bytes) -> _Head:
    """What can be known of a row unlike Intuit's documentation: only an Id it must have."""
    odd = _odd_head.decode(raw)
    if isinstance(odd.Id, bool) or not isinstance(odd.Id, str | int):
        raise _without_id(entity)
    times = odd.MetaData.get("LastUpdatedTime") if isinstance(odd.MetaData, dict) else None
    return _Head(
        Id=odd.Id,
        SyncToken=odd.SyncToken if isinstance(odd.SyncToken, str | int) else None,
        MetaData=_Times(times if isinstance(times, str) else None),
        status=odd.status if isinstance(odd.status, str) else None,
    )


def _without_id(entity: str) -> QuickBooksUnavailable:
    """Such a row could not be told from others, and leaving it out would be losing it."""
    return QuickBooksUnavailable(f"QuickBooks sent a record of {entity} without an Id.")


def _version(sync_token: str | int | None) -> int:
    text = str(sync_token).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if number <= _LARGEST_SYNC_TOKEN else 0


def _instant(text: Any) -> datetime | None:
    """A moment with its offset; a time without one could be anywhere, so it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _misshapen(what: str, envelope: Envelope) -> QuickBooksUnavailable:
    return QuickBooksUnavailable(
        f"QuickBooks' answer to {what} does not have its documented form "
        f"(intuit_tid {envelope.intuit_tid}). Try again later."
    )
