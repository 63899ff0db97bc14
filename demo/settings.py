"""What this demo has settled on: ports, passwords and keys, and the company its simulator plays."""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from demo import ports, postgres
from demo.home import Home

FILE = "settings.json"
SIMULATOR_PORT = 8765
AIRFLOW_PORT = 8080

# What may be said about the company: the name in the environment, and the simulator's flag.
COMPANY = {
    "LOAD": "--load",
    "CUSTOMERS": "--customers",
    "ITEMS": "--items",
    "INVOICES": "--invoices",
    "SEED": "--seed",
    "LATENCY_MS": "--latency-ms",
}
_NUMBERS = {
    **dict.fromkeys(("CUSTOMERS", "ITEMS", "INVOICES", "SEED"), r"\d{1,7}"),
    "LATENCY_MS": r"\d{1,5}(\.\d+)?",
}


class NotACompany(Exception):
    """What was said about the company cannot be; the message says what to write."""


class OtherCompany(Exception):
    """The demo holds the rows of another company than the one asked for."""


@dataclass(frozen=True)
class Settings:
    """Made once and kept, so that a second start finds the same demo."""

    postgres_port: int
    simulator_port: int
    airflow_port: int
    postgres_password: str = field(default_factory=lambda: secrets.token_hex(16))
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    fernet_key: str = field(
        default_factory=lambda: base64.urlsafe_b64encode(os.urandom(32)).decode()
    )
    secret_key: str = field(default_factory=lambda: secrets.token_hex(32))
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(64))
    refresh_token: str = "simulator-refresh-token"  # noqa: S105 - replaced at every start
    company: dict[str, str] = field(default_factory=dict)

    def database(self, name: str) -> str:
        """The address of a database of the demo's Postgres."""
        login = f"{postgres.ROLE}:{self.postgres_password}"
        return f"{login}@{ports.HOST}:{self.postgres_port}/{name}"

    @property
    def quickbooks(self) -> str:
        """The simulator's address."""
        return f"http://{ports.HOST}:{self.simulator_port}"

    @property
    def airflow(self) -> str:
        """The address of Airflow's pages."""
        return f"http://{ports.HOST}:{self.airflow_port}"


def load(home: Home) -> Settings | None:
    """The settings of the demo that was set up here, if one was."""
    stored = home.read(FILE)
    return Settings(**stored) if stored else None


def load_or_make(home: Home, wishes: Mapping[str, str]) -> Settings:
    """The settings of this demo; a new one plays the company wished for.

    Raises `OtherCompany` when there is a demo of another company: rows of two companies do not mix.
    """
    company = wished(wishes)
    known = load(home)
    if known is None:
        known = Settings(postgres.PORT, SIMULATOR_PORT, AIRFLOW_PORT, company=company)
        save(home, known)
    if company and company != known.company:
        raise OtherCompany(
            f"This demo holds {_in_words(known.company)}, not {_in_words(company)}: "
            "the rows of two companies would mix.\n"
            "To throw it away and start with the other one: "
            "make down RESET=1, then the same command again."
        )
    return known


def save(home: Home, settings: Settings) -> None:
    """Keep the settings for the next start."""
    home.write(FILE, asdict(settings))


def wished(wishes: Mapping[str, str]) -> dict[str, str]:
    """The company asked for; raises `NotACompany` when the simulator could not play it."""
    company = {name: wishes[name].strip() for name in COMPANY if wishes.get(name, "").strip()}
    for name, value in company.items():
        if name != "LOAD" and not re.fullmatch(_NUMBERS[name], value, re.ASCII):
            kind = "milliseconds" if name == "LATENCY_MS" else "a whole number"
            raise NotACompany(f"{name}={value} cannot be: write {kind}, such as {name}=20.")
    if "LOAD" in company:
        company["LOAD"] = str(Path(company["LOAD"]).expanduser().resolve())
        _prove(company["LOAD"])
    return company


def _prove(directory: str) -> None:
    """Read the rows now: a demo that was made for rows nobody can read would hold on to them."""
    from simulator.load import loaded  # only here, for it brings half the simulator along

    remedy = "Name a folder with JSON files of QuickBooks records: docs/simulator.md."
    if not Path(directory).is_dir():
        raise NotACompany(f"LOAD={directory}: there is no such folder.\n{remedy}")
    try:
        loaded(directory)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise NotACompany(f"LOAD={directory} cannot be read: {error}.\n{remedy}") from error


def _in_words(company: Mapping[str, str]) -> str:
    if not company:
        return "the sample company"
    return "a company with " + " ".join(f"{name}={value}" for name, value in company.items())
