"""What a delivery says changed, in Intuit's old form and in CloudEvents: ids, never contents.

Intuit: developer.intuit.com, Webhooks; the CloudEvents form came in 2025.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_REALM = re.compile(r"[0-9]{1,32}", re.ASCII)
_WORD = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9:_.-]{1,64}", re.ASCII)
_EVENT_ID = re.compile(r"[!-~]{1,200}", re.ASCII)
_TYPE = re.compile(r"qbo\.([a-z]{1,64})\.([a-z]{1,64})\.v[0-9]{1,3}", re.ASCII)


@dataclass(frozen=True)
class Event:
    """One record of one company that changed. `entity` and `operation` are in lower case,
    `merged_id` is the record that a merge did away with."""

    realm: str
    event_id: str
    entity: str
    id: str
    operation: str
    merged_id: str | None = None
    occurred_at: datetime | None = None


class Unreadable(ValueError):
    """The body has none of the forms that are known; the message says where it departs from
    them, without anything of its contents."""


def read(body: bytes) -> tuple[list[Event], int]:
    """The events in a body, and how many of its entries are of a kind that is not known.

    Raises `Unreadable` when it is not a notification at all.
    """
    try:
        found = json.loads(body)
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from None
    entries = found if isinstance(found, list) else [found]
    if isinstance(found, dict) and not {"eventNotifications", "specversion"} & found.keys():
        raise Unreadable("an object with neither eventNotifications nor specversion")
    if not isinstance(found, list | dict):
        raise Unreadable("neither an object nor a list")
    events = [event for entry in entries for event in _events(entry)]
    return [event for event in events if event], events.count(None)


def _events(entry: Any) -> Iterator[Event | None]:
    if isinstance(entry, dict) and "eventNotifications" in entry:
        for notification in _listed(entry["eventNotifications"]):
            yield from _old_form(notification)
    else:
        yield _cloud_event(entry)


def _old_form(notification: Any) -> Iterator[Event | None]:
    if not isinstance(notification, dict):
        yield None
        return
    told = notification.get("dataChangeEvent")
    realm = _matching(_REALM, notification.get("realmId"))
    for entity in _listed(told.get("entities") if isinstance(told, dict) else told):
        yield _old_event(realm, entity)


def _old_event(realm: str | None, entity: Any) -> Event | None:
    if not isinstance(entity, dict):
        return None
    name, operation = (_matching(_WORD, entity.get(key)) for key in ("name", "operation"))
    id = _matching(_ID, entity.get("id"))
    if not (realm and name and operation and id):
        return None
    # The old form has no event id: the same words about the same record are the same event.
    words = realm, name, id, operation, entity.get("lastUpdated"), entity.get("deletedId")
    return Event(
        realm=realm,
        event_id=hashlib.sha256(json.dumps(words).encode()).hexdigest(),
        entity=name.lower(),
        id=id,
        operation=operation.lower(),
        merged_id=_matching(_ID, entity.get("deletedId")),
        occurred_at=_moment(entity.get("lastUpdated")),
    )


def _cloud_event(entry: Any) -> Event | None:
    if not isinstance(entry, dict):
        return None
    kind = _TYPE.fullmatch(_matching(_EVENT_ID, entry.get("type")) or "")
    realm = _matching(_REALM, entry.get("intuitaccountid"))
    event_id = _matching(_EVENT_ID, entry.get("id"))
    id = _matching(_ID, entry.get("intuitentityid"))
    if not (kind and realm and event_id and id):
        return None
    data = entry.get("data")
    return Event(
        realm=realm,
        event_id=event_id,
        entity=kind[1],
        id=id,
        operation=kind[2],
        merged_id=_matching(_ID, data.get("deletedid")) if isinstance(data, dict) else None,
        occurred_at=_moment(entry.get("time")),
    )


def _listed(value: Any) -> list[Any]:
    """The entries of a list; what should be one and is not counts as one entry of no known kind."""
    return value if isinstance(value, list) else [None]


def _matching(form: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
