"""One valid access token of a company for all processes: `sync.token` is lock and memory in one.

Intuit's refresh tokens change about daily, and the one before may be dead at once. So a refresh
happens under the row's lock, is announced there before Intuit is asked, and its result is
committed before it is used.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg import Connection, errors
from psycopg.rows import dict_row

from quickbooks_crm.errors import QuickBooksLoginExpired, QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks.login import Grant, InvalidGrant, log_in
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)


class Cipher(Protocol):
    """Turns a token into what may be stored, and back."""

    def lock(self, token: str) -> str:
        """The stored form."""

    def unlock(self, stored: str) -> str:
        """The token. Raises `SettingsError` when it was locked with another key."""


@dataclass(frozen=True)
class _Held:
    """An access token in memory, and until when it may be used by the monotonic clock."""

    token: str = field(repr=False)
    until: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.until


class TokenStore:
    """The tokens of one company.

    Its connection brings the first refresh token; from then on they live here.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection[Any]]],
        cipher: Cipher,
        settings: Settings,
    ) -> None:
        self._connect = connect
        self._cipher = cipher
        self._settings = settings
        self._held: _Held | None = None
        self._one_at_a_time = threading.Lock()

    def access_token(self) -> str:
        """A token good for some minutes.

        Raises `QuickBooksLoginExpired` when a person must connect the company again,
        `QuickBooksUnavailable`, `QuickBooksRefused` when the app's keys are wrong, `SettingsError`.
        """
        with self._one_at_a_time:
            if not (self._held and self._held.fresh):
                self._held = self._from_row(rejected=None)
            return self._held.token

    def renewed(self, rejected: str) -> str:
        """Another token than this one, which QuickBooks rejects; raises as `access_token` does."""
        with self._one_at_a_time:
            if not (self._held and self._held.fresh and self._held.token != rejected):
                self._held = self._from_row(rejected)
            return self._held.token

    def _from_row(self, rejected: str | None) -> _Held:
        try:
            with self._connect() as connection, connection.transaction():
                held = self._under_lock(connection, rejected)
        except errors.LockNotAvailable:
            raise QuickBooksUnavailable(
                f"Another process has been logging in to company {self._settings.realm} for two "
                "minutes. Try again later."
            ) from None
        # The transaction above has committed: only now may a token be used, or its loss be told.
        if held is None:
            raise QuickBooksLoginExpired(
                f"QuickBooks has ended our login to company {self._settings.realm}, and nothing "
                "is asked of it until someone connects it again: sign in to Intuit, get a new "
                "refresh token, and put it into the company's connection (Admin > Connections). "
                "Nothing is lost meanwhile."
            )
        return held

    def _under_lock(self, connection: Connection[Any], rejected: str | None) -> _Held | None:
        """The row's access token, or a new one; nothing when a person has to connect again."""
        row = self._locked_row(connection)
        if row["state"] == "reconnect_needed":
            return None
        if row["access_token"] and row["seconds_left"] and row["seconds_left"] > 0:
            token = self._cipher.unlock(row["access_token"])
            if token != rejected:
                return _Held(token, time.monotonic() + row["seconds_left"])
        return self._logged_in(connection, row)

    def _locked_row(self, connection: Connection[Any]) -> dict[str, Any]:
        seed = self._seed()
        self._execute(connection, "patience")
        if seed:
            self._execute(connection, "seed", **seed)
        row = self._row(connection)
        if row is None:
            raise SettingsError(
                f"Company {self._settings.realm} was never connected: put its first refresh token "
                "into its connection (Admin > Connections)."
            )
        if seed and row["seed_hash"] != seed["seed_hash"]:
            self._execute(connection, "reseed", **seed)
            log.info("QuickBooks company %s was connected anew", self._settings.realm)
            row = self._row(connection) or row
        return row

    def _seed(self) -> dict[str, str]:
        """The connection's own refresh token, ready to be stored; nothing when it brings none."""
        token = self._settings.first_refresh_token
        if not token:
            return {}
        return {
            "refresh_token": self._cipher.lock(token),
            "seed_hash": hashlib.sha256(token.encode()).hexdigest(),
        }

    def _logged_in(self, connection: Connection[Any], row: dict[str, Any]) -> _Held | None:
        """Log in with the newest refresh token; with the one before when nothing is left to lose.

        The row was read under its lock, so no other process can have written a newer one.
        """
        known = [
            self._cipher.unlock(stored)
            for stored in (row["refresh_token"], row["previous_refresh_token"])
            if stored
        ]
        self._execute(connection, "attempt")
        for refresh_token in known:
            try:
                grant = _log_in_patiently(self._settings, refresh_token)
            except InvalidGrant:
                continue
            self._save(connection, grant, refresh_token)
            return _Held(grant.access_token, time.monotonic() + max(grant.expires_in - 600, 60))
        self._execute(connection, "reconnect_needed")
        log.error("QuickBooks company %s has to be connected again", self._settings.realm)
        return None

    def _save(self, connection: Connection[Any], grant: Grant, used: str) -> None:
        rotated = grant.refresh_token not in (None, used)
        self._execute(
            connection,
            "save",
            refresh_token=self._cipher.lock(grant.refresh_token or used),
            previous_refresh_token=self._cipher.lock(used) if rotated else None,
            access_token=self._cipher.lock(grant.access_token),
            expires_in=grant.expires_in,
            refresh_expires_in=grant.refresh_expires_in,
            hard_expires_in=grant.hard_expires_in,
        )
        if grant.refresh_token is None:
            log.warning("Intuit answered without a refresh token; the present one is kept")

    def _row(self, connection: Connection[Any]) -> dict[str, Any] | None:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                statements("token")["lock"], {"realm": self._settings.realm}
            ).fetchone()

    def _execute(self, connection: Connection[Any], name: str, **values: Any) -> None:
        connection.execute(statements("token")[name], {"realm": self._settings.realm, **values})


def _log_in_patiently(settings: Settings, refresh_token: str) -> Grant:
    """Ask once more with the same token when nobody knows whether Intuit took the first request."""
    try:
        return log_in(settings, refresh_token)
    except QuickBooksUnavailable:
        return log_in(settings, refresh_token)
