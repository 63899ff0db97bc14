"""What a QuickBooks connection says, checked before anything is sent anywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from quickbooks_crm.errors import SettingsError

API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
DISCOVERY_URLS = {
    "production": "https://developer.api.intuit.com/.well-known/openid_configuration",
    "sandbox": "https://developer.api.intuit.com/.well-known/openid_sandbox_configuration",
}
SIMULATOR = "simulator"
ENVIRONMENTS = (*API_URLS, SIMULATOR)
MONTHLY_CALLS = 500_000
"""What Intuit bills nothing for, and after which it blocks an app that pays nothing."""


@dataclass(frozen=True)
class Settings:
    """One company's place in QuickBooks, and the keys of the app that may read it."""

    environment: str
    realm: str
    client_id: str
    client_secret: str = field(repr=False)
    first_refresh_token: str = field(repr=False)
    api_url: str
    discovery_url: str
    monthly_calls: int = MONTHLY_CALLS

    @property
    def budget(self) -> int | None:
        """How many calls a month may be billed to the app; of a sandbox Intuit bills none."""
        return None if self.environment == "sandbox" else self.monthly_calls


@dataclass(frozen=True)
class Connection:
    """The parts of an Airflow connection of type QuickBooks, as a person typed them."""

    name: str
    login: str | None
    password: str | None = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)

    def text(self, key: str) -> str:
        """A field of the form without the spaces around it; empty when it is not filled in."""
        return str(self.extra.get(key) or "").strip()


def settings_of(connection: Connection) -> Settings:
    """The settings in a connection.

    Raises `SettingsError` that names everything that is wrong with it at once.
    """
    problems = [
        *_identity_problems(connection),
        *_address_problems(connection),
        *_budget_problems(connection),
    ]
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise SettingsError(
            f"The connection {connection.name} is not complete:{listed}\nChange it under Admin > "
            "Connections."
        )
    environment = connection.text("environment")
    return Settings(
        environment=environment,
        realm=connection.text("realm_id"),
        client_id=(connection.login or "").strip(),
        client_secret=(connection.password or "").strip(),
        first_refresh_token=connection.text("refresh_token"),
        api_url=(API_URLS.get(environment) or connection.text("api_url")).rstrip("/"),
        discovery_url=DISCOVERY_URLS.get(environment) or connection.text("discovery_url"),
        monthly_calls=int(connection.text("monthly_calls") or MONTHLY_CALLS),
    )


def _identity_problems(connection: Connection) -> list[str]:
    problems = []
    if connection.text("environment") not in ENVIRONMENTS:
        problems.append(
            f"Environment cannot be '{connection.text('environment')}': choose production, "
            "sandbox or simulator."
        )
    realm = connection.text("realm_id")
    if not (realm.isascii() and realm.isdigit()):
        problems.append(
            "Company id (realm) must be digits only, as QuickBooks shows it under Settings > "
            "Billing."
        )
    if not (connection.login or "").strip():
        problems.append("Client id is empty: copy it from your app's keys at developer.intuit.com.")
    if not (connection.password or "").strip():
        problems.append(
            "Client secret is empty: copy it from your app's keys at developer.intuit.com."
        )
    return problems


def _address_problems(connection: Connection) -> list[str]:
    given = {key: connection.text(key) for key in ("api_url", "discovery_url")}
    if connection.text("environment") != SIMULATOR:
        return [
            f"{key} is for the simulator only: leave it empty." for key, url in given.items() if url
        ]
    return [
        f"{key} must be the simulator's address, as in http://127.0.0.1:8765."
        for key, url in given.items()
        if not _is_address(url)
    ]


def _budget_problems(connection: Connection) -> list[str]:
    typed = connection.text("monthly_calls")
    if not typed or re.fullmatch("[1-9][0-9]{0,11}", typed):
        return []
    return [
        f"Calls a month cannot be '{typed[:40]}': write a whole number of 1 or more in digits "
        f"only, or leave it empty for {MONTHLY_CALLS:,}."
    ]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        return False
