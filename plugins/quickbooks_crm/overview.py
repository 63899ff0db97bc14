"""The companies at a glance: whether each is connected, and what of it is in the CRM or waits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from quickbooks_crm import companies, runs, status
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.status import Status

MOST = 10_000
"""How many records are counted at most."""


@dataclass(frozen=True)
class ModuleNow:
    """What of a module is in the CRM since it was loaded, and what `waits` in the mirror; more than
    `MOST` are not counted. `pending` says whether anything waits at all, also a reference that can
    be closed."""

    module: str
    records: int
    last_load: datetime | None
    waits: int
    pending: bool

    @property
    def empty(self) -> bool:
        """Whether an import is what comes next."""
        return self.records == 0


@dataclass(frozen=True)
class CompanyNow:
    """A company at a glance. `problem` says why it cannot run, `connected` whether it has a login
    or the first token of one."""

    name: str
    title: str
    status: Status | None
    connected: bool
    modules: tuple[ModuleNow, ...]
    problem: str | None = None


def at_a_glance(
    connection: Connection[Any], company: Company, modules: Sequence[Mapping], problem: str = ""
) -> CompanyNow:
    """How a company with these modules stands; `problem` is what is known to be wrong with it."""
    connection.execute(statements("overview")["by_indexes"])
    realm, first_token, wrong = _own(connection, company)
    told = "\n".join(filter(None, (problem, wrong))) or None
    found = status.status(connection, company.name, realm, (), told)
    known = realm or (found.bound.realm if found.bound else "")
    connected = found.login.state == "connected" if found.login else first_token
    now = tuple(_module(connection, known, mapping, modules) for mapping in modules)
    return CompanyNow(company.name, company.title, found, connected, now, told)


def connected(connection: Connection[Any], company: Company) -> bool:
    """Whether a company has a login, or the first token of one."""
    return at_a_glance(connection, company, ()).connected


def realm_of(connection: Connection[Any], company: Company) -> str:
    """The realm of a company, as its connection says or a run has seen it; empty when neither
    does. Raises `SettingsError` when it is another company's, whose records are not to be shown."""
    realm, _, _ = _connection(company)
    if realm:
        require_own(connection, company.name, realm)
    bound = status.status(connection, company.name, realm).bound
    return realm or (bound.realm if bound else "")


def require_own(connection: Connection[Any], company: str, realm: str) -> None:
    """Raise `SettingsError` when a realm is another company's, of whose state nothing is shown."""
    named = companies.names(companies.INCLUDE / "companies")
    runs.require_own_realm(connection, Run(company, realm, ""), named)


def has_been_read(connection: Connection[Any], realm: str, mapping: Mapping) -> bool:
    """Whether the mirror has any record of a module's entities."""
    where = {"realm": realm, "entities": list(mapping.entities)}
    row = connection.execute(statements("overview")["in_mirror"], where).fetchone()
    return bool(row and row[0])


def has_been_loaded(connection: Connection[Any], realm: str, module: str) -> bool:
    """Whether a load of a module has ever ended."""
    where = {"realm": realm, "module": module}
    return connection.execute(statements("overview")["last_load"], where).fetchone() is not None


def _own(connection: Connection[Any], company: Company) -> tuple[str | None, bool, str]:
    """The same as `_connection`; a realm that is another company's is wrong."""
    realm, first_token, wrong = _connection(company)
    try:
        if realm:
            require_own(connection, company.name, realm)
    except SettingsError as error:
        return None, False, str(error)
    return realm, first_token, wrong


def _connection(company: Company) -> tuple[str | None, bool, str]:
    """What the Airflow connection of a company says: its realm, whether it brings a first token,
    and what is wrong with it."""
    try:
        settings = QuickBooksHook(company.quickbooks).connection_settings()
    except SettingsError as error:
        return None, False, str(error)
    return settings.realm, bool(settings.first_refresh_token), ""


def _module(
    connection: Connection[Any], realm: str, mapping: Mapping, known: Iterable[Mapping]
) -> ModuleNow:
    where = {
        "realm": realm,
        "module": mapping.module,
        "entities": list(mapping.entities),
        "most": MOST + 1,
    }
    row = connection.execute(statements("overview")["module"], where).fetchone()
    loaded, records, waits = row or (None, 0, 0)
    pending = bool(waits) or runs.has_work(
        connection, realm, mapping, known, [m.module for m in known]
    )
    return ModuleNow(mapping.module, records, loaded, waits, pending)
