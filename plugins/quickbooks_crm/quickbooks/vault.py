"""Where tokens rest, and how they look there: never in the clear."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from psycopg import Connection

from quickbooks_crm.quickbooks.login import Grant
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.spool import hash_of


class Cipher(Protocol):
    """Turns a token into what may be stored, and back."""

    def lock(self, token: str) -> str:
        """The stored form."""

    def unlock(self, stored: str) -> str:
        """The token. Raises `SettingsError` when it was locked with another key."""


@dataclass(frozen=True)
class Vault:
    """The CRM database, what encrypts tokens, and a directory for tokens that are not in the
    database yet."""

    connect: Callable[[], AbstractContextManager[Connection[Any]]]
    cipher: Cipher
    directory: Path

    def stored(self, grant: Grant, used: str, settings: Settings) -> dict[str, Any]:
        """What Intuit gave for a refresh token, as the statements of token.sql take it."""
        rotated = grant.refresh_token not in (None, used)
        return {
            "refresh_token": self.cipher.lock(grant.refresh_token or used),
            "previous_refresh_token": self.cipher.lock(used) if rotated else None,
            "access_token": self.cipher.lock(grant.access_token),
            "expires_in": grant.expires_in,
            "refresh_expires_in": grant.refresh_expires_in,
            "hard_expires_in": grant.hard_expires_in,
            "client_id": settings.client_id,
            "keys_hash": keys_hash(settings),
        }


def keys_hash(settings: Settings) -> str:
    """How the app's keys are remembered."""
    return hash_of(f"{settings.client_id} {settings.client_secret}")
