"""A refresh token against its successor, at Intuit, so that no answer that came is ever lost."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from quickbooks_crm.errors import QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks.login import Grant, log_in
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.spool import Kept, Spool, hash_of
from quickbooks_crm.quickbooks.vault import Vault

log = logging.getLogger(__name__)


class Exchange:
    """Exchanges of one company. Only whoever has its row locked may use this, but for `clear`."""

    def __init__(self, vault: Vault, settings: Settings, kind: str) -> None:
        self._vault = vault
        self._settings = settings
        self._spool = Spool(vault.directory, f"{kind}-{settings.realm}")

    def worth_trying(self, newest: str | None, previous: str | None) -> Iterator[str]:
        """The tokens that may still work, the likeliest first, given those that the database holds.

        What came of the newest one and never reached the database is newer than it. What else was
        kept, and the token before, are for when nothing is left to lose: a token that comes back
        may end the login.
        """
        kept = self._spool.kept()
        tried = set()
        for token in self._in_order(kept, newest, previous):
            if token not in tried:
                tried.add(token)
                yield token

    def _in_order(
        self, kept: Sequence[Kept], newest: str | None, previous: str | None
    ) -> Iterator[str]:
        if newest:
            yield from self._successors(kept, self._vault.cipher.unlock(newest))
        for stored in [*(known.stored for known in kept), previous]:
            with suppress(SettingsError):  # locked with a key that nobody needs any more
                if stored:
                    yield self._vault.cipher.unlock(stored)

    def come_of(self, token: str) -> str:
        """The newest token that is known to have come of this one, itself if none has."""
        return self._successors(self._spool.kept(), token)[0]

    def _successors(self, kept: Sequence[Kept], token: str) -> list[str]:
        """The newest first; the token itself is the last."""
        after = {known.follows: known.stored for known in kept}
        chain = [token]
        while stored := after.pop(hash_of(chain[-1]), None):
            chain.append(self._vault.cipher.unlock(stored))
        return chain[::-1]

    def log_in(self, refresh_token: str) -> Grant:
        """What Intuit gives for the token, kept until `clear`. Raises as `login.log_in` does, and
        `SettingsError` when it could not be kept: then Intuit is not asked."""
        self._spool.prepare(refresh_token)
        grant = _patiently(self._settings, refresh_token)
        if grant.refresh_token is None:
            log.warning("Intuit answered without a refresh token; the present one is kept")
        elif grant.refresh_token != refresh_token:
            self._spool.keep(refresh_token, self._vault.cipher.lock(grant.refresh_token))
        return grant

    def clear(self) -> None:
        """What was kept is in the database now."""
        self._spool.clear()


def _patiently(settings: Settings, refresh_token: str) -> Grant:
    """Ask once more with the same token when nobody knows whether Intuit took the first request."""
    try:
        return log_in(settings, refresh_token)
    except QuickBooksUnavailable:
        return log_in(settings, refresh_token)
