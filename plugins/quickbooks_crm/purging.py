"""Throws away what is older than a company's settings keep it."""

import logging
from dataclasses import asdict

from quickbooks_crm import companies, database, leaving, retention
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.retention import Purged

log = logging.getLogger(__name__)


def purge(company: str, by: str, plan: bool = False) -> Purged:
    """Throw away what is older than the company's settings keep it; with `plan`, only count it."""
    settings = companies.load_one(companies.INCLUDE / "companies", company)
    with database.connect() as connection:
        database.require_current(connection)
        try:
            realm = leaving.realm_of(connection, company)
        except SettingsError:
            return Purged(company)
        if plan:
            return retention.plan(connection, company, realm, settings.retention)
        purged = retention.purge(connection, company, realm, settings.retention, by)
    log.info("%s: %s", company, asdict(purged))
    return purged


def purge_all() -> None:
    """The same for every company, as Airflow does it daily. One whose file is wrong stops no
    other."""
    for name in companies.names(companies.INCLUDE / "companies"):
        try:
            purge(name, "airflow")
        except SettingsError as error:
            log.warning("%s: nothing was thrown away: %s", name, error)
