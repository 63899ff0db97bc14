"""One valid access token of a company for all processes: `sync.token` is lock and memory in one.

Intuit's refresh tokens change about daily, and the one before may be dead at once. So a refresh
happens under the row's lock, is announced there before Intuit is asked, and its result is
committed before it is used.

A connection brings a first refresh token, the seed. One that the row does not know is proven:
Intuit is asked, and only a seed it accepts replaces what is stored. Each seed gets one turn:

- refused: noted, not tried again, and the stored login stays as it was and in use;
- accepted: the row begins with it anew, and the seed before it becomes a former one;
- former: never tried again, since its refresh token has rotated long ago and using it could end the
  login. So of two connections to one company, the seed accepted last serves both.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg import Connection, errors
from psycopg.rows import dict_row

from quickbooks_crm.errors import QuickBooksLoginExpired, QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks.login import Grant, InvalidGrant, log_in
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

_CONNECT_AGAIN = (
    "is asked of it until someone connects it again: sign in to Intuit, get a new refresh token, "
    "and put it into the company's connection (Admin > Connections). Nothing is lost meanwhile."
)


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
        self._warned = False
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

    def prove_first_token(self) -> None:
        """Have the connection's own first token judged, as a person who presses Test wants it.

        Raises `QuickBooksLoginExpired` when Intuit refuses it, even if the stored login is good;
        otherwise as `access_token` does.
        """
        with self._one_at_a_time, self._patient_connection() as connection:
            self._held = None
            if self._first_token_is_refused(connection):
                with connection.transaction():
                    state = self._locked_row(connection)["state"]
                raise self._refused(kept=state == "connected")

    def _from_row(self, rejected: str | None) -> _Held:
        with self._patient_connection() as connection:
            refused = self._first_token_is_refused(connection)
            with connection.transaction():
                held = self._under_lock(connection, rejected)
        # The transaction above has committed: only now may a token be used, or its loss be told.
        if held is None:
            raise self._refused(kept=False) if refused else self._ended()
        if refused and not self._warned:
            log.warning(
                "Intuit refused the first refresh token in the connection of QuickBooks company "
                "%s; the run goes on with the stored login",
                self._settings.realm,
            )
            self._warned = True
        return held

    @contextmanager
    def _patient_connection(self) -> Iterator[Connection[Any]]:
        try:
            with self._connect() as connection:
                yield connection
        except errors.LockNotAvailable:
            raise QuickBooksUnavailable(
                f"Another process has been logging in to company {self._settings.realm} for two "
                "minutes. Try again later."
            ) from None

    def _first_token_is_refused(self, connection: Connection[Any]) -> bool:
        """Whether Intuit refuses the connection's first token; one never seen is tried now.

        In a transaction of its own: what Intuit said is kept, whatever the stored login does next.
        """
        seed = _Seed.of(self._settings)
        if seed is None:
            return False
        with connection.transaction():
            self._execute(connection, "patience")
            self._execute(connection, "begin")
            row = self._row(connection) or {}
            if seed.hash in (row["seed_hash"], *row["former_seed_hashes"]):
                return False
            if seed.refusal in row["refused_seed_hashes"]:
                return True
            return not self._connected_anew(connection, seed)

    def _connected_anew(self, connection: Connection[Any], seed: "_Seed") -> bool:
        """Let a first token replace what is stored, if Intuit accepts it; else it is only noted.

        The note is written before Intuit is asked, so that a database that cannot write does not
        cost the token.
        """
        self._execute(connection, "refuse", refusal=seed.refusal)
        try:
            grant = _log_in_patiently(self._settings, seed.token)
        except InvalidGrant:
            return False
        self._execute(connection, "reseed", seed_hash=seed.hash, refusal=seed.refusal)
        self._save(connection, grant, seed.token)
        log.info("QuickBooks company %s was connected anew", self._settings.realm)
        return True

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
        self._execute(connection, "patience")
        row = self._row(connection)
        never = row is None or row["seed_hash"] is None
        if row is None or (never and not self._settings.first_refresh_token):
            raise SettingsError(
                f"Company {self._settings.realm} was never connected: put its first refresh token "
                "into its connection (Admin > Connections)."
            )
        return row

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

    def _ended(self) -> QuickBooksLoginExpired:
        return QuickBooksLoginExpired(
            f"QuickBooks has ended our login to company {self._settings.realm}, and nothing "
            f"{_CONNECT_AGAIN}"
        )

    def _refused(self, kept: bool) -> QuickBooksLoginExpired:
        refused = (
            "Intuit refused the first refresh token in the connection of company "
            f"{self._settings.realm}"
        )
        if not kept:
            return QuickBooksLoginExpired(
                f"{refused}, no stored login works, and nothing {_CONNECT_AGAIN}"
            )
        return QuickBooksLoginExpired(
            f"{refused}. The stored login was kept, and runs go on with it. To connect the company "
            "anew, get a new refresh token from Intuit and put it into the connection (Admin > "
            "Connections); to stay with the stored login, leave that field empty."
        )

    def _row(self, connection: Connection[Any]) -> dict[str, Any] | None:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                statements("token")["lock"], {"realm": self._settings.realm}
            ).fetchone()

    def _execute(self, connection: Connection[Any], name: str, **values: Any) -> None:
        connection.execute(statements("token")[name], {"realm": self._settings.realm, **values})


@dataclass(frozen=True)
class _Seed:
    """A connection's first refresh token, and how a row remembers it.

    A refusal is of token and app together: a good token that comes with the keys of another app is
    refused, and has to be tried again when the keys are corrected.
    """

    token: str = field(repr=False)
    hash: str
    refusal: str

    @classmethod
    def of(cls, settings: Settings) -> "_Seed | None":
        """Nothing when the connection brings none."""
        token = settings.first_refresh_token
        if not token:
            return None
        return cls(token, _hash(token), _hash(f"{settings.client_id} {token}"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _log_in_patiently(settings: Settings, refresh_token: str) -> Grant:
    """Ask once more with the same token when nobody knows whether Intuit took the first request."""
    try:
        return log_in(settings, refresh_token)
    except QuickBooksUnavailable:
        return log_in(settings, refresh_token)
