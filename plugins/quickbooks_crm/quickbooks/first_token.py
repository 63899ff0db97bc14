"""A connection brings a first refresh token, the seed; nothing depends on it until it is proven.

Intuit is asked whether it knows the seed, and QuickBooks whether what Intuit gives for it opens
this company. Only then does it replace what is stored. Each seed gets one turn:

- refused: noted with the reason, not tried again; the stored login stays as it was and in use;
- accepted: the row begins with it anew, and the seed before it becomes a former one;
- former: never tried again, since its refresh token has rotated long ago and using it could end the
  login. So of two connections to one company, the seed accepted last serves both.

What Intuit gives for a person's consent is a first token too, and is proven in the same way.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from quickbooks_crm.errors import QuickBooksForbidden, QuickBooksLoginExpired
from quickbooks_crm.quickbooks.exchange import Exchange
from quickbooks_crm.quickbooks.identity import Identity
from quickbooks_crm.quickbooks.login import Grant, InvalidGrant
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.spool import hash_of
from quickbooks_crm.quickbooks.vault import Vault
from quickbooks_crm.sql import statements

UNKNOWN = "unknown"
OTHER_COMPANY = "other_company"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seed:
    """A first refresh token, and how it is remembered.

    `proof` is of token and app together, `refusal` of the environment too: a good token that comes
    with the keys of another app, or for the other environment, has to be tried again when that is
    corrected.
    """

    token: str = field(repr=False)
    hash: str
    proof: str
    refusal: str

    @classmethod
    def of(cls, settings: Settings) -> "_Seed | None":
        """None when the connection brings none."""
        token = settings.first_refresh_token
        proof = f"{settings.client_id} {token}"
        refusal = f"{settings.environment} {proof}"
        return cls(token, hash_of(token), hash_of(proof), hash_of(refusal)) if token else None


def told(settings: Settings, why: str) -> str:
    """Why the connection's first token was refused, for whoever put it there."""
    token = f"the first refresh token in the connection of company {settings.realm}"
    if why == OTHER_COMPANY:
        return (
            f"QuickBooks does not open this company with {token}: it belongs to another "
            "company, or to one of another environment. Check that company id, environment and "
            "keys of the connection belong together, and that the right company was chosen "
            "when Intuit gave the token."
        )
    return (
        f"Intuit refused {token}: it is not, or no longer, a token of the app whose client id "
        f"ends in {settings.client_id[-4:]}. It may be mistyped, used up since it was "
        "given, or another app's."
    )


def remembered(connection: Connection[Any], settings: Settings) -> str | None:
    """Why the connection's first token was refused, when it was; nobody is asked now."""
    if seed := _Seed.of(settings):
        where = {"realm": settings.realm, "refusal": seed.refusal}
        row = connection.execute(statements("token")["refused"], where).fetchone()
        return told(settings, row[0]) if row and row[0] else None
    return None


class FirstToken:
    """What a connection's first token is worth. `identify` tells the company that an access token
    opens; `proven` is that company, once the first token was accepted here."""

    def __init__(
        self, vault: Vault, settings: Settings, identify: Callable[[str], Identity]
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._identify = identify
        self._exchange = Exchange(vault, settings, "first")
        self.proven: Identity | None = None

    @property
    def hash(self) -> str | None:
        """How a row remembers the first token."""
        seed = _Seed.of(self._settings)
        return seed.hash if seed else None

    def refused(self, connection: Connection[Any], by_hand: bool) -> str | None:
        """Why the first token is refused; None when it is not, has had its turn, or there is none.
        One never seen is tried now, in transactions of its own; a person who asks `by_hand` may
        have put right meanwhile why QuickBooks did not open the company.

        Raises `QuickBooksUnavailable`, `QuickBooksClosed`, `SettingsError`; then nobody has judged
        the token, and the next process goes on from here.
        """
        seed = _Seed.of(self._settings)
        if seed is None:
            return None
        with connection.transaction():
            row = self._row(connection)
            if seed.hash in (row["seed_hash"], *row["former_seed_hashes"]):
                return None
            why = row["refused_seeds"].get(seed.refusal)
            if why and not (by_hand and why == OTHER_COMPANY):
                return str(why)
            if self._one(connection, "elsewhere", seed_hash=seed.hash):
                return self._refuse(connection, seed, OTHER_COMPANY)
            access_token = self._exchanged(connection, seed)
        self._exchange.clear()
        if access_token is None:
            return UNKNOWN
        return self._judged(connection, seed, self._company_opened(access_token))

    def consented(
        self, connection: Connection[Any], proof: str, exchange: Callable[[], Grant]
    ) -> Identity | None:
        """The company, connected now with what Intuit gives for a person's consent; None when that
        opens another one, and then the stored login stays as it was. What `exchange` gave is kept
        under the proof until then, so that a second try does not ask Intuit again."""
        token, access_token = self._given(connection, proof, exchange)
        found = self._company_opened(access_token)
        with connection.transaction():
            row = self._row(connection)
            if found is None or self._is_strange(connection, row["state"], found):
                self._execute(connection, "tidy", proof=proof)
                return None
            self._accepted(connection, _Seed(token, hash_of(token), proof, refusal=""))
            if own := _Seed.of(self._settings):
                self._execute(connection, "supersede", own_hash=own.hash)
        return found

    def _given(
        self, connection: Connection[Any], proof: str, exchange: Callable[[], Grant]
    ) -> tuple[str, str]:
        """The refresh token and the access token that a consent gave."""
        known = self._one(connection, "given", proof=proof)
        if known is None:
            grant = exchange()
            stored = self._vault.stored(grant, str(grant.refresh_token), self._settings)
            self._execute(connection, "propose", proof=proof, **stored)
            known = stored
        unlock = self._vault.cipher.unlock
        return unlock(known["refresh_token"]), unlock(known["access_token"])

    def _exchanged(self, connection: Connection[Any], seed: _Seed) -> str | None:
        """An access token that came of the seed; None when Intuit does not know the seed.

        The refusal is written before Intuit is asked, so that a database that cannot write does not
        cost the token.
        """
        known = self._one(connection, "candidate", proof=seed.proof)
        if known and known["fresh"]:
            return self._vault.cipher.unlock(known["access_token"])
        self._refuse(connection, seed, UNKNOWN)
        token = self._vault.cipher.unlock(known["refresh_token"]) if known else seed.token
        token = self._exchange.come_of(token)
        try:
            grant = self._exchange.log_in(token)
        except InvalidGrant:
            return None
        self._execute(connection, "acquit", refusal=seed.refusal)
        stored = self._vault.stored(grant, token, self._settings)
        self._execute(connection, "propose", proof=seed.proof, **stored)
        return grant.access_token

    def _company_opened(self, access_token: str) -> Identity | None:
        """The company that the connection leads to, None when this token does not open it. The row
        is not locked meanwhile."""
        try:
            return self._identify(access_token)
        except (QuickBooksForbidden, QuickBooksLoginExpired):
            return None

    def _judged(
        self, connection: Connection[Any], seed: _Seed, found: Identity | None
    ) -> str | None:
        with connection.transaction():
            row = self._row(connection)
            if seed.hash != row["seed_hash"]:
                strange = found is None or self._is_strange(connection, row["state"], found)
                if strange or not self._accepted(connection, seed):
                    return self._refuse(connection, seed, OTHER_COMPANY)
        self.proven = found
        return None

    def _is_strange(self, connection: Connection[Any], state: str, found: Identity) -> bool:
        """Whether a login that works would go to one for another company with the same id. A new
        name alone is a matter for the next run, which asks a person."""
        with connection.cursor(row_factory=class_row(Identity)) as cursor:
            where = {"realm": self._settings.realm}
            bound = cursor.execute(statements("token")["bound"], where).fetchall()
        different = {what for known in bound for what in known.differences(found)}
        return state == "connected" and bool(different - {"name"})

    def _accepted(self, connection: Connection[Any], seed: _Seed) -> bool:
        """Begin the row anew; false when what came of the seed has become another company's."""
        of = {"proof": seed.proof, "seed_hash": seed.hash, "client_id": self._settings.client_id}
        if self._execute(connection, "accept", **of) == 0:
            return False
        self._execute(connection, "acquit", refusal=seed.refusal)
        self._execute(connection, "tidy", proof=seed.proof)
        log.info("QuickBooks company %s was connected", self._settings.realm)
        return True

    def _refuse(self, connection: Connection[Any], seed: _Seed, why: str) -> str:
        self._execute(connection, "refuse", refusal=seed.refusal, why=why)
        return why

    def _row(self, connection: Connection[Any]) -> dict[str, Any]:
        self._execute(connection, "patience")
        self._execute(connection, "begin")
        return self._one(connection, "lock") or {}

    def _one(self, connection: Connection[Any], name: str, **values: Any) -> dict[str, Any] | None:
        with connection.cursor(row_factory=dict_row) as cursor:
            values = {"realm": self._settings.realm, **values}
            return cursor.execute(statements("token")[name], values).fetchone()

    def _execute(self, connection: Connection[Any], name: str, **values: Any) -> int:
        """How many rows it touched."""
        values = {"realm": self._settings.realm, **values}
        return connection.execute(statements("token")[name], values).rowcount
