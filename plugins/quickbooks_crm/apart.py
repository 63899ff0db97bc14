"""One entity that keeps failing stops no other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from quickbooks_crm.errors import (
    BreakerTripped,
    QuickBooksCrmError,
    QuickBooksRefused,
    QuickBooksUnavailable,
)

log = logging.getLogger(__name__)

OF_ONE_ENTITY = (QuickBooksUnavailable, QuickBooksRefused, BreakerTripped)
"""What may befall one entity alone. A lost login, a company that is closed to us, a spent budget or
a failing database befalls all."""

OUTAGE = 3
"""So many entities unavailable one after the other, and none read: that is QuickBooks itself."""


class Apart:
    """Keeps what befell each entity, so that the others go on."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.failed: dict[str, QuickBooksCrmError] = {}

    @contextmanager
    def of(self, entity: str) -> Iterator[None]:
        """Read one entity in here. Its failure ends here, unless QuickBooks itself seems to be
        down."""
        try:
            yield
        except OF_ONE_ENTITY as error:
            self.failed[entity] = error
            log.error("%s could not be read: %s", entity, error)
            if self._is_outage():
                raise
        else:
            self.read.add(entity)

    @property
    def stopped(self) -> QuickBooksCrmError | None:
        """The failure that stands for all when nothing could be read: one that may pass by itself,
        if there is one."""
        if self.read or not self.failed:
            return None
        return next(iter([*self._unavailable(), *self.failed.values()]))

    def _is_outage(self) -> bool:
        return not self.read and len(self._unavailable()) >= OUTAGE

    def _unavailable(self) -> list[QuickBooksUnavailable]:
        return [e for e in self.failed.values() if isinstance(e, QuickBooksUnavailable)]
