"""One valid access token of a company for all processes: `sync.token` is lock and memory in one.

Intuit's refresh tokens change about daily, and the one before may be dead at once. So a refresh
happens under the row's lock, is announced there before Intuit is asked, and its result is
committed before it is used; until it is committed, a file keeps it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import dict_row

from quickbooks_crm.errors import QuickBooksLoginExpired, QuickBooksUnavailable, SettingsError
from quickbooks_crm.quickbooks.exchange import Exchange
from quickbooks_crm.quickbooks.first_token import FirstToken, told
from quickbooks_crm.quickbooks.identity import Identity
from quickbooks_crm.quickbooks.login import InvalidGrant, exchange, revoke
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.vault import Vault, keys_hash
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

REFUSALS = 3
"""After so many tasks in a row whose new login QuickBooks refused, nothing is called any more."""

_CONNECT_AGAIN = (
    "is asked of it until someone connects it again: QuickBooks > Connections > Reconnect in "
    "Airflow, or a new refresh token in the company's connection (Admin > Connections). Nothing is "
    "lost meanwhile."
)


@dataclass(frozen=True)
class _Held:
    """An access token in memory, and until when it may be used by the monotonic clock."""

    token: str = field(repr=False)
    until: float = 0

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.until


class TokenStore:
    """The tokens of one company.

    Its connection brings the first refresh token; from then on they live in the vault. `identify`
    tells which company an access token opens.
    """

    def __init__(
        self, vault: Vault, settings: Settings, identify: Callable[[str], Identity]
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._first = FirstToken(vault, settings, identify)
        self._exchange = Exchange(vault, settings, "login")
        self._held: _Held | None = None
        self._rejected = _Held("")
        self._warned = False
        self._refusals = 0
        self._counted = False
        self._one_at_a_time = threading.Lock()

    @property
    def proven(self) -> Identity | None:
        """The company behind the login, when it was connected just now: nobody need ask again."""
        return self._first.proven

    def access_token(self) -> str:
        """A token good for some minutes.

        Raises `QuickBooksLoginExpired` when a person must connect the company again,
        `QuickBooksUnavailable`, `QuickBooksClosed` when the app's keys are wrong, `SettingsError`
        when they are another app's, or something else here has to be put right.
        """
        with self._one_at_a_time:
            return self._accepted()

    def renewed(self, rejected: str) -> str:
        """Another token than this one, which QuickBooks rejects; raises as `access_token` does."""
        with self._one_at_a_time:
            self._rejected = _Held(rejected)
            return self._accepted()

    def refused(self) -> None:
        """QuickBooks has rejected a token that Intuit had just given; it counts once, however many
        requests meet it. Raises `QuickBooksLoginExpired` when it has happened too often."""
        with self._one_at_a_time, self._patient_connection() as connection:
            if not self._counted:
                self._execute(connection, "refused_again", most=REFUSALS)
                self._counted, self._refusals = True, self._refusals + 1
            row = self._row(connection) or {}
            if row.get("state") != "connected":
                self._held = None
                raise self._ended(connection)

    def accepted(self) -> None:
        """QuickBooks has let us in: earlier refusals are forgotten."""
        if self._refusals:
            with self._one_at_a_time, self._patient_connection() as connection:
                self._execute(connection, "let_in")
                self._counted, self._refusals = False, 0

    def prove_connection(self) -> None:
        """Have the connection's own keys and first token judged, as a person who presses Test wants
        it, though the stored login may be good without them.

        Raises `QuickBooksLoginExpired` when its first token is refused; otherwise as `access_token`
        does.
        """
        with self._one_at_a_time, self._patient_connection() as connection:
            self._held = None
            why = self._first.refused(connection, by_hand=True)
            with connection.transaction():
                row = self._locked_row(connection)
                if why is None and row["state"] == "connected":
                    self._prove_keys(connection, row)
            self._exchange.clear()
            if why:
                raise self._refused(why, kept=row["state"] == "connected")

    def connect(self, redirect_uri: str, code: str, proof: str) -> Identity | None:
        """Let what Intuit gives for a consent's code be the login; the company it opens, or None
        when that is another one. Then, and with all that is raised, the stored login is as it was.

        Raises `InvalidGrant` when Intuit does not know the code, otherwise as `access_token` does;
        after `QuickBooksUnavailable` the same code and proof may be tried again.
        """
        take = partial(exchange, self._settings, redirect_uri, code)
        with self._one_at_a_time, self._patient_connection() as connection:
            found = self._first.consented(connection, proof, take)
            self._held = None
        return found

    def disconnect(self) -> bool:
        """End the login, at Intuit too, and forget its tokens; False when that was done before.
        Raises as `access_token` does; then nothing has changed."""
        with self._one_at_a_time, self._patient_connection() as connection:
            with connection.transaction():
                row = self._locked_row(connection)
                self._require_own_app(row)
                token = next(self._worth_trying(row), None)
                if token is None and row.get("state") == "disconnected":
                    return False
                if token:
                    revoke(self._settings, token)
                self._execute(connection, "disconnect", seed_hash=self._first.hash)
            self._held = None
            self._exchange.clear()
        return True

    def _accepted(self) -> str:
        """A token that QuickBooks has not rejected: one that it has is not even sent again when no
        other can be had."""
        if not (self._held and self._held.fresh and self._held.token != self._rejected.token):
            self._held = self._from_row()
        return self._held.token

    def _from_row(self) -> _Held:
        with self._patient_connection() as connection:
            why = self._first.refused(connection, by_hand=False)
            with connection.transaction():
                held = self._under_lock(connection)
            # It has committed: only now may a token be used, or its loss be told.
            self._exchange.clear()
            if held is None:
                raise self._refused(why, kept=False) if why else self._ended(connection)
        if why and not self._warned:
            log.warning("%s The run goes on with the stored login.", told(self._settings, why))
            self._warned = True
        return held

    @contextmanager
    def _patient_connection(self) -> Iterator[Connection[Any]]:
        try:
            with self._vault.connect() as connection:
                yield connection
        except errors.LockNotAvailable:
            raise QuickBooksUnavailable(
                f"Another process has been logging in to company {self._settings.realm} for two "
                "minutes. Try again later."
            ) from None

    def _under_lock(self, connection: Connection[Any]) -> _Held | None:
        """The row's access token, or a new one; nothing when a person has to connect again."""
        row = self._locked_row(connection)
        if row["state"] != "connected":
            return None
        self._refusals = row["refusals"]
        if row["access_token"] and row["seconds_left"] and row["seconds_left"] > 0:
            token = self._vault.cipher.unlock(row["access_token"])
            if token != self._rejected.token:
                return _Held(token, time.monotonic() + row["seconds_left"])
        return self._logged_in(connection, row)

    def _locked_row(self, connection: Connection[Any]) -> dict[str, Any]:
        self._execute(connection, "patience")
        row = self._row(connection)
        never = row is None or row["seed_hash"] is None
        if row is None or (never and not self._settings.first_refresh_token):
            raise SettingsError(
                f"Company {self._settings.realm} was never connected. Connect it: QuickBooks > "
                "Connections in Airflow; or put its first refresh token into its connection "
                "(Admin > Connections)."
            )
        return row

    def _prove_keys(self, connection: Connection[Any], row: dict[str, Any]) -> None:
        """Log in when Intuit has not accepted these keys yet."""
        self._require_own_app(row)
        if row["keys_hash"] != keys_hash(self._settings):
            self._logged_in(connection, row)

    def _logged_in(self, connection: Connection[Any], row: dict[str, Any]) -> _Held | None:
        """Log in with the newest refresh token; with older ones when nothing is left to lose.

        The row was read under its lock, so no other process can have written a newer one.
        """
        self._require_own_app(row)
        self._execute(connection, "attempt")
        for refresh_token in self._worth_trying(row):
            try:
                grant = self._exchange.log_in(refresh_token)
            except InvalidGrant:
                continue
            stored = self._vault.stored(grant, refresh_token, self._settings)
            self._execute(connection, "save", **stored)
            return _Held(grant.access_token, time.monotonic() + max(grant.expires_in - 600, 60))
        self._execute(connection, "reconnect_needed")
        log.error("QuickBooks company %s has to be connected again", self._settings.realm)
        return None

    def _worth_trying(self, row: dict[str, Any]) -> Iterator[str]:
        return self._exchange.worth_trying(row["refresh_token"], row["previous_refresh_token"])

    def _require_own_app(self, row: dict[str, Any]) -> None:
        """Intuit would say of another app's keys only that the token is not known, as it says of a
        login that has ended."""
        ours, theirs = self._settings.client_id, row["client_id"]
        if theirs not in (None, ours):
            raise SettingsError(
                f"The connection of company {self._settings.realm} brings the keys of another app "
                f"(client id ends in {ours[-4:]}) than those its stored login was made with "
                f"({theirs[-4:]}). Intuit was not asked, and the stored login was kept. Put the "
                "former client id and secret back; or, to change over to the new app, use "
                "QuickBooks > Connections > Reconnect in Airflow, or put a first refresh token "
                "into the connection that Intuit gave to the new app (Admin > Connections)."
            )

    def _ended(self, connection: Connection[Any]) -> QuickBooksLoginExpired:
        row = self._row(connection) or {}
        realm = self._settings.realm
        if row.get("state") == "disconnected":
            return QuickBooksLoginExpired(
                f"Company {realm} was disconnected, and nothing {_CONNECT_AGAIN}"
            )
        return QuickBooksLoginExpired(
            f"QuickBooks has ended our login to company {realm}, and nothing {_CONNECT_AGAIN}"
        )

    def _refused(self, why: str, kept: bool) -> QuickBooksLoginExpired:
        if not kept:
            return QuickBooksLoginExpired(
                f"{told(self._settings, why)} No stored login works, and nothing {_CONNECT_AGAIN}"
            )
        return QuickBooksLoginExpired(
            f"{told(self._settings, why)} The stored login was kept, and runs go on with it. To "
            "connect the company anew, use QuickBooks > Connections > Reconnect in Airflow, or put "
            "a new refresh token from Intuit into the connection (Admin > Connections); to stay "
            "with the stored login, leave that field empty."
        )

    def _row(self, connection: Connection[Any]) -> dict[str, Any] | None:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                statements("token")["lock"], {"realm": self._settings.realm}
            ).fetchone()

    def _execute(self, connection: Connection[Any], name: str, **values: Any) -> None:
        connection.execute(statements("token")[name], {"realm": self._settings.realm, **values})
