"""The command line: `python -m quickbooks_crm COMMAND`. Exit code 0: fine, 1: the run failed, 2:
settings or usage wrong."""

import argparse
import logging
from collections.abc import Sequence
from typing import Any

from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedTable

from quickbooks_crm.command_line import (
    breaking,
    connecting,
    leaving,
    new_field,
    previewing,
    receiving,
    reconciling,
    setting_up,
    syncing,
    taking_back,
)
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, say
from quickbooks_crm.errors import QuickBooksCrmError, SchemaOutdated, SettingsError

NOT_MIGRATED = "The CRM database is not ready. Run: python -m quickbooks_crm migrate"
COMMANDS: dict[str, Command] = (
    setting_up.COMMANDS
    | connecting.COMMANDS
    | syncing.COMMANDS
    | previewing.COMMANDS
    | taking_back.COMMANDS
    | reconciling.COMMANDS
    | breaking.COMMANDS
    | receiving.COMMANDS
    | new_field.COMMANDS
    | leaving.COMMANDS
)

_FOR_ALL: dict[str, dict[str, Any]] = {
    "--json": YES | {"help": "print JSON, one object a line"},
    "--company": SEVERAL | {"help": "a file in include/companies/; may be repeated; default: all"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    asked = _parser().parse_args(arguments)
    logging.getLogger("quickbooks_crm").setLevel(logging.INFO)
    try:
        return int(asked.run(asked) or 0)
    except SettingsError as error:
        say(asked, error)
        return 2
    except QuickBooksCrmError as error:
        say(asked, error)
        return 1
    except (UndefinedTable, UndefinedColumn, InvalidSchemaName):
        say(asked, SchemaOutdated(NOT_MIGRATED))
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quickbooks_crm",
        description="Keep a CRM in Postgres true to QuickBooks Online.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about in COMMANDS.items():
        command = commands.add_parser(name, help=about.words, description=about.words)
        command.set_defaults(run=about.run)
        for flag, settings in (_FOR_ALL | about.options).items():
            command.add_argument(flag, **settings)
    return parser
