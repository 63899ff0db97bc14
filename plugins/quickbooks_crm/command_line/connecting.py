"""Commands about a company's login: how it stands, and its end."""

import argparse
import json
import logging
from contextlib import closing
from dataclasses import asdict

from quickbooks_crm import companies, database, in_force
from quickbooks_crm.command_line.command import ONE, Command, every_company, only_company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.status import CONNECT, Status, status, told

log = logging.getLogger(__name__)


def _status(asked: argparse.Namespace) -> None:
    for name in asked.company:
        companies.load_one(companies.INCLUDE / "companies", name)
    for name in every_company(asked):
        found = _found(name)
        print(json.dumps(_plain(found), default=str) if asked.json else "\n".join(told(found)))


def _found(name: str) -> Status:
    realm, modules, problems = None, list[Mapping](), []
    try:
        realm = _hook(name).connection_settings().realm
    except SettingsError as error:
        problems.append(str(error))
    with database.connect() as connection:
        try:
            company = companies.load_one(companies.INCLUDE / "companies", name)
            modules = list(in_force.taken(connection, company).values())
        except SettingsError as error:
            problems.append(str(error))
        return status(connection, name, realm, modules, "\n".join(problems) or None)


def _plain(found: Status) -> dict[str, object]:
    warning = found.login.warning if found.login else None
    plain = asdict(found) | {"warning": warning}
    for breaker in plain["breakers"]:
        del breaker["details"]  # customer data
    return plain


def _disconnect(asked: argparse.Namespace) -> None:
    name = only_company(asked)
    with closing(_hook(name)) as quickbooks:
        ended = quickbooks.disconnect()
    if ended:
        log.info("company %s was disconnected", name)
    said = (
        f"Disconnected {name}: Intuit has ended the login, and its tokens are forgotten. What was "
        f"read stays. {CONNECT}"
        if ended
        else f"{name} is disconnected already; `status` says since when. {CONNECT}"
    )
    print(json.dumps({"disconnected": name}) if asked.json else said)


def _hook(name: str) -> QuickBooksHook:
    return QuickBooksHook(companies.load_one(companies.INCLUDE / "companies", name).quickbooks)


COMMANDS = {
    "status": Command(
        _status, "show how each company stands: login, how fresh its records are, budget, breakers"
    ),
    "disconnect": Command(
        _disconnect,
        "end the login to one company, at Intuit too, and forget its tokens; what was read stays",
        {"--company": ONE},
    ),
}
