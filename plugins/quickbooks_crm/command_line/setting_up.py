"""Commands that prepare the database."""

import argparse
import json

from quickbooks_crm import companies, database
from quickbooks_crm.command_line.command import Command


def _migrate(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        applied = database.migrate(connection)
    said = "Applied: " + ", ".join(applied) if applied else "The database is up to date."
    print(json.dumps({"applied": applied}) if asked.json else said)


def _install_crm(asked: argparse.Namespace) -> None:
    found = companies.load(companies.INCLUDE / "companies")
    with database.connect() as connection:
        database.install_crm(connection, companies.INCLUDE / "crm")
        names = {company.crm_company: company.title for company in found.values()}
        database.add_companies(connection, companies.INCLUDE / "crm", names)
    said = "The reference CRM is in place, with companies: " + ", ".join(sorted(found))
    print(json.dumps({"companies": sorted(found)}) if asked.json else said)


COMMANDS = {
    "migrate": Command(
        _migrate, "bring the schemas quickbooks and sync up to date", migrated=False
    ),
    "install-crm": Command(
        _install_crm, "create the reference CRM's tables and the companies in it", migrated=False
    ),
}
