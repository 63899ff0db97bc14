"""What tests of extract share: a client as its source, and what the mirror then holds."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from quickbooks_crm.breakers import Thresholds
from quickbooks_crm.extract import Extracted, due
from quickbooks_crm.extract import extract as read_quickbooks
from quickbooks_crm.quickbooks import reading
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.records import Changes, Page, Record, Span, envelope_of, page_of
from quickbooks_crm.runs import Attempt, Run
from simulator import Simulator

REALM = "9341452000000001"
RUN = Run("sample", REALM, "run-1")
ALL = ["Customer", "Invoice", "Item"]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Books:
    """A client as extract's source, of small pages so that a small company has several."""

    client: QuickBooksClient
    size: int = 10

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        return reading.changes(self.client, entities, since)

    def updated(self, entity: str, since: datetime) -> Iterator[Page]:
        return reading.updated(self.client, entity, since, self.size)

    def everything(self, entity: str, done: Sequence[Span] = ()) -> Iterator[Page]:
        return reading.everything(self.client, entity, self.size, done)

    def count(self, entity: str, created_until: datetime) -> int:
        return reading.count(self.client, entity, created_until)

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        return reading.named(self.client, entity, ids)


@dataclass
class Told:
    """A QuickBooks that says what a test wants it to say."""

    pages: list[Page] = field(default_factory=list)
    changed: Changes = field(default_factory=lambda: Changes({}, NOON))
    there: list[Record] = field(default_factory=list)
    asked_since: datetime | None = None

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        self.asked_since = since
        return self.changed

    def updated(self, entity: str, since: datetime) -> Iterator[Page]:
        raise NotImplementedError

    def everything(self, entity: str, done: Sequence[Span] = ()) -> Iterator[Page]:
        yield from self.pages

    def count(self, entity: str, created_until: datetime) -> int:
        raise NotImplementedError

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        yield Page([record for record in self.there if record.id in ids], NOON)


def extract(
    connection: Connection[Any],
    quickbooks: Books | Told,
    attempt: Attempt,
    entities: list[str],
    everything: bool,
) -> Extracted:
    """As the pipeline does it, on one connection."""
    ask = due(connection, REALM, entities, everything)
    extracted = read_quickbooks([connection], quickbooks, attempt, ask, Thresholds())
    if extracted.stopped:
        raise extracted.stopped
    return extracted


def customer(id: Any, token: Any = 0, minute: int | None = 0, **fields: Any) -> dict[str, Any]:
    """A row as QuickBooks sends it; changed so many minutes after noon."""
    row = {"Id": id, "SyncToken": str(token), "DisplayName": f"Customer {id}", "Active": True}
    if minute is not None:
        moment = NOON + timedelta(minutes=minute)
        row["MetaData"] = {"LastUpdatedTime": moment.isoformat()}
    return {**row, **fields}


def stub(id: str, minute: int | None = 0) -> dict[str, Any]:
    """What change data capture sends of a deleted row."""
    row: dict[str, Any] = {"domain": "QBO", "status": "Deleted", "Id": id}
    if minute is not None:
        moment = NOON + timedelta(minutes=minute)
        row["MetaData"] = {"LastUpdatedTime": moment.isoformat()}
    return row


def read_rows(*rows: dict[str, Any], entity: str = "Customer") -> list[Record]:
    """Rows through the real reader of answers."""
    answer = {"QueryResponse": {entity: rows}, "time": NOON.isoformat()}
    envelope = envelope_of(json.dumps(answer).encode())
    assert envelope is not None
    return page_of(envelope).records


def changes_of(*rows: dict[str, Any]) -> Changes:
    return Changes({"Customer": read_rows(*rows)}, NOON)


def mirrored(connection: Connection[Any], entity: str = "Customer") -> dict[str, dict[str, Any]]:
    """The mirror's rows of an entity by id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT * FROM quickbooks.record WHERE entity = %s", [entity])
        return {row["id"]: row for row in cursor}


def names(connection: Connection[Any]) -> dict[str, str]:
    return {id: row["payload"].get("DisplayName") for id, row in mirrored(connection).items()}


def position(connection: Connection[Any], entity: str = "Customer") -> datetime:
    row = connection.execute(
        "SELECT changed_since FROM sync.entity_position WHERE entity = %s", [entity]
    ).fetchone()
    assert row is not None
    return row[0]


def read_before(connection: Connection[Any], when: datetime, entity: str = "Customer") -> None:
    """Let the entity have been read wholly at that time."""
    connection.execute(
        "INSERT INTO sync.entity_position VALUES (%s, %s, %s, %s)", [REALM, entity, when, when]
    )


def truth(quickbooks: Simulator, entity: str = "Customer") -> dict[str, Any]:
    return {row["Id"]: row["SyncToken"] for row in quickbooks.rows(entity)}


def versions(connection: Connection[Any], entity: str = "Customer") -> dict[str, str]:
    """What the mirror holds and believes to be in QuickBooks."""
    rows = mirrored(connection, entity).items()
    return {id: str(row["sync_token"]) for id, row in rows if not row["deleted"]}
