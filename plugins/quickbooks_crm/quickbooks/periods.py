"""Questions about one period of time: how many records last changed in it, and which."""

from dataclasses import dataclass
from datetime import UTC, datetime

from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.entities import known
from quickbooks_crm.quickbooks.records import Page

BEGINNING = datetime.min.replace(tzinfo=UTC)
PAGE_SIZE = 1000


@dataclass(frozen=True)
class Period:
    """From `since`, itself included, to `until`, itself not, on QuickBooks' clock. One that begins
    at the BEGINNING has no lower end."""

    since: datetime
    until: datetime


def counted(client: QuickBooksClient, entity: str, period: Period) -> int:
    """How many records of an entity, inactive ones too, last changed in the period: one call."""
    return client.count(entity, _where(entity, period))


def changed_within(client: QuickBooksClient, entity: str, period: Period) -> Page:
    """The records of an entity that last changed in the period: one call. A page of 1,000 may leave
    some out."""
    paging = f"ORDERBY Id MAXRESULTS {PAGE_SIZE}"
    words = ("SELECT * FROM", known(entity).name, "WHERE", _where(entity, period), paging)
    return client.query(" ".join(words))


def _where(entity: str, period: Period) -> str:
    conditions = [f"MetaData.LastUpdatedTime < '{_written(period.until)}'"]
    if period.since > BEGINNING:
        conditions.insert(0, f"MetaData.LastUpdatedTime >= '{_written(period.since)}'")
    return " AND ".join(filter(None, (*conditions, known(entity).condition)))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
