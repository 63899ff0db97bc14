"""Airflow's way in: a connection of type QuickBooks becomes a client, and the Test button works."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from airflow.exceptions import AirflowNotFoundException
from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.crypto import get_fernet
from airflow.sdk.log import mask_secret
from cryptography.fernet import InvalidToken

from quickbooks_crm import database
from quickbooks_crm.errors import (
    QuickBooksCrmError,
    QuickBooksLoginExpired,
    QuickBooksUnavailable,
    SettingsError,
)
from quickbooks_crm.quickbooks import periods, reading
from quickbooks_crm.quickbooks.client import QuickBooksClient, Tokens
from quickbooks_crm.quickbooks.first_token import remembered
from quickbooks_crm.quickbooks.identity import Identity, identity_of
from quickbooks_crm.quickbooks.limiter import Limits, SharedLimits
from quickbooks_crm.quickbooks.login import consent_page
from quickbooks_crm.quickbooks.periods import Period
from quickbooks_crm.quickbooks.records import Changes, Page, Span
from quickbooks_crm.quickbooks.settings import Connection, Settings, settings_of
from quickbooks_crm.quickbooks.tokens import TokenStore
from quickbooks_crm.quickbooks.transport import BoundedSession
from quickbooks_crm.quickbooks.vault import Vault


class QuickBooksHook(BaseHook):
    """QuickBooks Online as one Airflow connection describes it; calls are on the account of
    `run_id`, empty for what is done by hand."""

    conn_name_attr = "quickbooks_conn_id"
    default_conn_name = "quickbooks_default"
    conn_type = "quickbooks"
    hook_name = "QuickBooks Online"

    def __init__(self, quickbooks_conn_id: str = default_conn_name, run_id: str = "") -> None:
        super().__init__()
        self.quickbooks_conn_id = quickbooks_conn_id
        self.run_id = run_id

    def everything(self, entity: str, done: Sequence[Span] = ()) -> Iterator[Page]:
        """Every record of an entity, inactive ones too, in pages of any order, but those done."""
        return reading.everything(self.get_conn(), entity, done=done)

    def updated(self, entity: str, since: datetime) -> Iterator[Page]:
        """The records that were added or changed since then, however many; no deletes."""
        return reading.updated(self.get_conn(), entity, since)

    def count(self, entity: str, created_until: datetime) -> int:
        """How many records there are of those created until then, inactive ones too."""
        return reading.count(self.get_conn(), entity, created_until)

    def changes(self, entities: Sequence[str], since: datetime) -> Changes:
        """What changed in these entities since then, deletes too; not all, of 29 days on."""
        return reading.changes(self.get_conn(), entities, since)

    def named(self, entity: str, ids: Sequence[str]) -> Iterator[Page]:
        """The records with these ids, as far as QuickBooks has them."""
        return reading.named(self.get_conn(), entity, ids)

    def counted(self, entity: str, period: Period) -> int:
        """How many records, inactive ones too, last changed in a period."""
        return periods.counted(self.get_conn(), entity, period)

    def changed_within(self, entity: str, period: Period) -> Page:
        """The records that last changed in a period; a page of 1,000 may leave some out."""
        return periods.changed_within(self.get_conn(), entity, period)

    def company(self) -> Identity:
        """The company that the connection leads to, as QuickBooks tells it: one call, unless it was
        asked just now to connect the company."""
        client = self.get_conn()
        self._tokens.access_token()
        return self._tokens.proven or identity_of(self.connection_settings(), client.company_info())

    def consent_page(self, redirect_uri: str, state: str) -> str:
        """Where a person at Intuit lets the app read the company; nothing has changed by asking."""
        return consent_page(self.connection_settings(), redirect_uri, state)

    def connect(self, redirect_uri: str, code: str, proof: str) -> Identity | None:
        """As `TokenStore.connect`, for a person who waits: whoever does not answer at once is not
        waited for."""
        return self._token_store(_Prompt).connect(redirect_uri, code, proof)

    def refused_first_token(self, connection: psycopg.Connection[Any]) -> str | None:
        """What is wrong with the connection's first token, if it was refused; nobody is asked."""
        return remembered(connection, self.connection_settings())

    def disconnect(self) -> bool:
        """End our login to the company, at Intuit too, and forget its tokens; False when that was
        done before."""
        return self._tokens.disconnect()

    def get_conn(self) -> QuickBooksClient:
        """The client. Nothing is sent before something is asked of it."""
        return self._client

    def close(self) -> None:
        """Let go of the database; a later call connects again."""
        self._limits.close()

    def connection_settings(self) -> Settings:
        """What the connection says. Raises `SettingsError` when it is not there or not complete."""
        try:
            found = self.get_connection(self.quickbooks_conn_id)
        except AirflowNotFoundException:
            raise SettingsError(
                f"Airflow has no connection '{self.quickbooks_conn_id}'. Add one of type "
                "QuickBooks Online under Admin > Connections."
            ) from None
        return settings_of(
            Connection(self.quickbooks_conn_id, found.login, found.password, found.extra_dejson)
        )

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read the company's name, for Airflow's Test button."""
        try:
            self._tokens.prove_connection()
            company = self.company()
        except QuickBooksCrmError as error:
            return False, str(error)
        except psycopg.Error as error:
            return (
                False,
                "QuickBooks tokens are kept in the CRM database (connection crm), which failed: "
                f"{type(error).__name__}.",
            )
        name = company.name or "a company without a name"
        return True, f"Connected to {name} ({company.environment}, company id {company.realm})."

    @cached_property
    def _client(self) -> QuickBooksClient:
        settings = self.connection_settings()
        for secret in (settings.client_secret, settings.first_refresh_token):
            mask_secret(secret)
        return QuickBooksClient(settings, self._tokens, self._limits)

    @cached_property
    def _limits(self) -> SharedLimits:
        return SharedLimits(database.connect, self.connection_settings(), self.run_id)

    @cached_property
    def _tokens(self) -> TokenStore:
        return self._token_store(QuickBooksClient)

    def _token_store(self, kind: type[QuickBooksClient]) -> TokenStore:
        """The tokens; a client of this kind asks which company one of them opens."""
        settings = self.connection_settings()

        def opened(access_token: str) -> Identity:
            client = kind(settings, _Given(access_token), self._limits)
            return identity_of(settings, client.company_info())

        vault = Vault(database.connect, AirflowCipher(), _token_directory())
        return TokenStore(vault, settings, opened)


class _PromptSession(BoundedSession):
    """For a person who waits."""

    connect_timeout = 5.0
    read_timeout = 10.0
    deadline = 15.0


class _Prompt(QuickBooksClient):
    """A client that gives up where the other would send a request again."""

    session_type = _PromptSession

    def __init__(self, settings: Settings, tokens: Tokens, limits: Limits) -> None:
        super().__init__(settings, tokens, limits, pause=_do_not_wait)


def _do_not_wait(seconds: float) -> None:
    raise QuickBooksUnavailable(
        "QuickBooks does not say at the moment which company this is. Nothing was changed; try "
        "again in a minute."
    )


@dataclass(frozen=True)
class _Given:
    """An access token on trial, which nobody renews."""

    token: str = field(repr=False)

    def access_token(self) -> str:
        return self.token

    def renewed(self, rejected: str) -> str:
        raise QuickBooksLoginExpired("QuickBooks does not accept a token that Intuit just gave.")

    def refused(self) -> None:
        """Not reached: no other token is had."""

    def accepted(self) -> None:
        """Nothing was counted."""


def _token_directory() -> Path:
    """Where tokens are kept that the database does not have yet. Intuit's answer is lost with the
    directory, so it should be one that survives the process and its container."""
    home = os.environ.get("AIRFLOW_HOME") or "~/airflow"
    default = f"{home}/quickbooks_crm_tokens"
    return Path(conf.get("quickbooks_crm", "token_directory", fallback=default)).expanduser()


class AirflowCipher:
    """Airflow's Fernet key around every token; one seen in the clear is masked in all logs."""

    def __init__(self) -> None:
        self._fernet = get_fernet()
        if not self._fernet.is_encrypted:
            raise SettingsError(
                "Airflow has no Fernet key, so QuickBooks tokens cannot be stored. Set "
                "AIRFLOW__CORE__FERNET_KEY."
            )

    def lock(self, token: str) -> str:
        """The stored form of a token that has just arrived."""
        mask_secret(token)
        return self._fernet.encrypt(token.encode()).decode()

    def unlock(self, stored: str) -> str:
        """The token in a stored form.

        Raises `SettingsError` when it was locked with a key Airflow no longer has.
        """
        try:
            token = self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise SettingsError(
                "The stored QuickBooks tokens cannot be read with Airflow's present Fernet key. "
                "Put the former key behind the "
                "new one in AIRFLOW__CORE__FERNET_KEY (new,former), or connect the company again "
                "(QuickBooks > Connections > Reconnect in Airflow)."
            ) from None
        mask_secret(token)
        return token
