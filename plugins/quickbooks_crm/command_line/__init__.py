"""The command line: `python -m quickbooks_crm COMMAND`. Exit code 0: fine, 1: the run failed, 2:
settings or usage wrong."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import psycopg

from quickbooks_crm import database, environment
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, say
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError

_MODULES = (
    "mapping_files",
    "choosing_mappings",
    "setting_up",
    "connecting",
    "syncing",
    "showing",
    "previewing",
    "repeating",
    "taking_back",
    "taking_over",
    "reconciling",
    "breaking",
    "watching",
    "receiving",
    "merging",
    "new_field",
    "leaving",
)
_QUICK = {"check": "mapping_files", "suggest": "mapping_files"}
"""Commands that need nothing of Airflow, which takes seconds to import."""

_FOR_ALL: dict[str, dict[str, Any]] = {
    "--json": YES | {"help": "print JSON, one object a line"},
    "--company": SEVERAL | {"help": "a file in include/companies/; may be repeated; default: all"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    asked = _parser(commands(words)).parse_args(words)
    logging.getLogger("quickbooks_crm").setLevel(logging.INFO)
    try:
        _require_text(words)
        return _run(asked.command, asked)
    except SettingsError as error:
        say(asked, error)
        return 2
    except QuickBooksCrmError as error:
        say(asked, error)
        return 1
    except psycopg.Error as error:
        say(asked, database.failure(error))
        return 1


def _require_text(words: Sequence[str]) -> None:
    """Raise `SettingsError` for bytes that are no text: no database would take them."""
    for word in words:
        if not word.isascii() and any("\ud800" <= character <= "\udfff" for character in word):
            raise SettingsError(
                f"{word!a} is not UTF-8. Type it where what is typed is UTF-8. Nothing was done."
            )


def _run(command: Command, asked: argparse.Namespace) -> int:
    if command.of_one_company and len(asked.company) != 1:
        raise SettingsError("Say which company: --company NAME, once.")
    if command.migrated:
        with database.connect() as connection:
            database.require_current(connection)
    return int(command.run(asked) or 0)


def commands(words: Sequence[str]) -> dict[str, Command]:
    """The commands that these words may ask for: all, or one that is quick when it is loaded
    alone."""
    alone = _QUICK.get(words[0]) if words else None
    names = [alone] if alone and environment.connection("crm") else _MODULES
    found: dict[str, Command] = {}
    for name in names:
        found |= import_module(f"quickbooks_crm.command_line.{name}").COMMANDS
    return found


def _parser(known: dict[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quickbooks_crm",
        description="Keep a CRM in Postgres true to QuickBooks Online.",
    )
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about in known.items():
        command = parsers.add_parser(name, help=about.words, description=about.words)
        command.set_defaults(command=about)
        for flag, settings in (_FOR_ALL | about.options).items():
            command.add_argument(flag, **settings)
    return parser
