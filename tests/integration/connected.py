"""A simulated company, and what this project needs to talk to it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from quickbooks_crm.errors import QuickBooksLoginExpired, SettingsError
from quickbooks_crm.quickbooks.client import QuickBooksClient
from quickbooks_crm.quickbooks.identity import Identity, identity_of
from quickbooks_crm.quickbooks.limiter import Limits, Outcome, Turn
from quickbooks_crm.quickbooks.login import log_in
from quickbooks_crm.quickbooks.settings import Connection, Settings, settings_of
from quickbooks_crm.quickbooks.tokens import TokenStore
from quickbooks_crm.quickbooks.vault import Vault
from simulator import Simulator

FIRST = "simulator-refresh-token"


def typed(quickbooks: Simulator, **changed: Any) -> dict[str, Any]:
    """The company's connection as Airflow stores it."""
    extra = {
        "environment": "simulator",
        "realm_id": quickbooks.realm,
        "refresh_token": FIRST,
        "api_url": quickbooks.url,
        "discovery_url": quickbooks.discovery_url,
    }
    return {
        "conn_type": "quickbooks",
        "login": changed.pop("login", quickbooks.client_id),
        "password": changed.pop("password", quickbooks.client_secret),
        "extra": extra | changed,
    }


def typed_as_json(quickbooks: Simulator, **changed: Any) -> str:
    """The same in the form of an AIRFLOW_CONN_ variable."""
    return json.dumps(typed(quickbooks, **changed))


def settings(quickbooks: Simulator, **changed: Any) -> Settings:
    """What the connection means."""
    known = typed(quickbooks, **changed)
    return settings_of(
        Connection("quickbooks_sample", known["login"], known["password"], known["extra"])
    )


@dataclass
class Login:
    """An access token without a database; counts how often another was asked for."""

    settings: Settings
    token: str = field(default="", repr=False)
    renewals: int = 0

    def access_token(self) -> str:
        self.token = self.token or log_in(self.settings, FIRST).access_token
        return self.token

    def renewed(self, rejected: str) -> str:
        assert rejected == self.token
        self.renewals += 1
        self.token = log_in(self.settings, FIRST).access_token
        return self.token

    def refused(self) -> None:
        """Nothing is counted."""

    def accepted(self) -> None:
        """Nothing was counted."""


@dataclass
class NoLimits:
    """A turn at once for whoever asks, without a database; what the requests were for, and what
    they cost."""

    purposes: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    @contextmanager
    def turn(self, purpose: str) -> Iterator[Turn]:
        self.purposes.append(purpose)
        self.turns.append(Turn())
        yield self.turns[-1]

    @property
    def outcomes(self) -> list[Outcome]:
        return [turn.outcome for turn in self.turns]


def client_of(
    quickbooks: Simulator,
    pause: Callable[[float], None] = lambda _: None,
    limits: Limits | None = None,
    **changed: Any,
) -> QuickBooksClient:
    """A client that does not sleep between its tries, nor before them unless its limits do."""
    known = settings(quickbooks, **changed)
    return QuickBooksClient(known, Login(known), limits or NoLimits(), pause)


@dataclass(frozen=True)
class Key:
    """A Fernet key, as Airflow has one."""

    fernet: Fernet | MultiFernet = field(default_factory=lambda: Fernet(Fernet.generate_key()))

    def lock(self, token: str) -> str:
        return self.fernet.encrypt(token.encode()).decode()

    def unlock(self, stored: str) -> str:
        try:
            return self.fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise SettingsError("locked with another key") from None


@dataclass(frozen=True)
class Given:
    """An access token as it is."""

    token: str = field(repr=False)

    def access_token(self) -> str:
        return self.token

    def renewed(self, rejected: str) -> str:
        raise QuickBooksLoginExpired("not renewed here")

    def refused(self) -> None:
        """Nothing is counted."""

    def accepted(self) -> None:
        """Nothing was counted."""


@dataclass(frozen=True)
class Door:
    """Asks which company an access token opens."""

    settings: Settings

    def __call__(self, access_token: str) -> Identity:
        client = QuickBooksClient(self.settings, Given(access_token), NoLimits(), lambda _: None)
        return identity_of(self.settings, client.company_info())


def vault_in(database_url: str, key: Key) -> Vault:
    """A database, a key, and a directory of this database's own for tokens on their way there."""
    name = database_url.rpartition("/")[2].partition("?")[0]
    directory = Path(os.environ["AIRFLOW_HOME"], "tokens", name)
    return Vault(lambda: psycopg.connect(database_url, autocommit=True), key, directory)


def store_for(database_url: str, known: Settings, key: Key) -> TokenStore:
    """The tokens of the company that these settings lead to, as one process sees them."""
    return TokenStore(vault_in(database_url, key), known, Door(known))


def store_of(database_url: str, quickbooks: Simulator, key: Key, **changed: Any) -> TokenStore:
    """The company's tokens in this database, as one process sees them."""
    return store_for(database_url, settings(quickbooks, **changed), key)


@contextmanager
def company(**settings: Any) -> Iterator[Simulator]:
    """A small company."""
    with Simulator(**({"customers": 20, "items": 5, "invoices": 0} | settings)) as quickbooks:
        yield quickbooks
