"""What extract needs of QuickBooks."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from quickbooks_crm.quickbooks.records import Changes, Page, Span


class Source(Protocol):
    """One company's QuickBooks."""

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        """What changed since a moment on QuickBooks' clock, deletes too, as far as QuickBooks tells
        of so many at once."""

    def updated(self, entity: str, since: datetime) -> Iterator[Page]:
        """The records that were added or changed since then, however many; no deletes."""

    def everything(self, entity: str, done: Sequence[Span] = ()) -> Iterator[Page]:
        """Every record of an entity, inactive ones too, in pages of any order, but those done."""

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        """The records with these ids, as far as QuickBooks has them."""

    def count(self, entity: str, created_until: datetime) -> int:
        """How many records there are of those created until then, inactive ones too."""
