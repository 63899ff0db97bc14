"""What was told, kept in the database until a sync has seen to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import UndefinedObject

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.quantity import be, many
from quickbooks_crm.sql import statements
from quickbooks_crm.webhooks.notification import Event

CONNECTION_ID = "quickbooks_webhooks"
"""The Airflow connection whose password is the app's verifier token, or several, with spaces."""

ACCEPTED, REFUSED, UNSIGNED = "accepted", "refused", "unsigned"
UNREAD, TOO_LARGE, TURNED_AWAY = "unread", "too large", "turned away"
STORED, REPEATED, UNKNOWN_COMPANY, IGNORED = "stored", "repeated", "unknown company", "ignored"


@dataclass(frozen=True)
class Waiting:
    """What a company was told of since the last sync began that has not failed; when its last one
    began, whatever became of it; and how many have failed since one went well."""

    events: int
    last_sync: datetime
    failed: int = 0


def store(connection: Connection[Any], events: Iterable[Event]) -> dict[str, int]:
    """Keep events, each once, however often it comes; how they ended, counted."""
    plain = json.dumps([asdict(event) for event in events], default=str)
    row = connection.execute(statements("webhooks")["store"], {"events": plain}).fetchone()
    told, ours, new = row or (0, 0, 0)
    return {STORED: new, REPEATED: ours - new, UNKNOWN_COMPANY: told - ours}


def store_unread(connection: Connection[Any], sha256: str, size: int, reason: str) -> None:
    """Keep that a delivery could not be read: it may have told of any company."""
    told = {"sha256": sha256, "bytes": size, "reason": reason}
    connection.execute(statements("webhooks")["store_unread"], told)


def count(connection: Connection[Any], counted: Mapping[str, int]) -> None:
    """Add to the counts of the day."""
    with connection.transaction(), connection.cursor() as cursor:
        rows = [{"what": what, "count": number} for what, number in sorted(counted.items())]
        cursor.executemany(statements("webhooks")["count"], rows)


def forget(connection: Connection[Any]) -> None:
    """Remove some of what is older than it is kept."""
    for what in ("forget_events", "forget_unread", "forget_counts"):
        connection.execute(statements("webhooks")[what])


def waiting(connection: Connection[Any]) -> dict[str, Waiting]:
    """The companies that were told of changes which no sync has seen to, by name."""
    rows = connection.execute(statements("webhooks")["waiting"]).fetchall()
    return {company: Waiting(*told) for company, *told in rows}


def warning(connection: Connection[Any]) -> str | None:
    """What a person should see to about webhooks, in a sentence; None when there is nothing."""
    rows = connection.execute(statements("webhooks")["answered"]).fetchall()
    lately = {what: (last_at, number) for what, last_at, number, recent in rows if recent}
    accepted = next((last_at for what, last_at, *_ in rows if what == ACCEPTED), None)
    if REFUSED in lately and (accepted is None or lately[REFUSED][0] > accepted):
        since = f" since {accepted.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if accepted else ""
        return (
            f"Webhooks are refused{since}, {lately[REFUSED][1]} in the last day or two: their "
            "signature fits no verifier token. Copy the app's verifier token from "
            f"developer.intuit.com into the connection {CONNECTION_ID} and start the receiver "
            "again. Until then changes come with the schedule only."
        )
    if TOO_LARGE in lately:
        count = lately[TOO_LARGE][1]
        return (
            f"{many(count, 'webhook')} of more than 64 MB {be(count, 'was', 'were')} refused in "
            "the last day or two. Intuit sends none of that size: see who calls the receiver."
        )
    return None


def allow(connection: Connection[Any], role: str) -> None:
    """Let a database role keep what a receiver is told, and nothing else: it reads no record, no
    token and no CRM table. Raises `SettingsError` when there is no such role."""
    try:
        with connection.transaction():
            for right in ("let_see_schema", "let_keep", "let_know_companies"):
                statement = statements("webhooks")[right].format(role=sql.Identifier(role))
                connection.execute(statement)
    except UndefinedObject:
        raise SettingsError(
            f"There is no database role {role}. Have Postgres' administrator make it, CREATE ROLE "
            f"{role} LOGIN PASSWORD '...', and let it connect to the CRM's database."
        ) from None
