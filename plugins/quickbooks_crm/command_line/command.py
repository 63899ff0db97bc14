"""What a command of the command line is made of, for the modules that hold some."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quickbooks_crm import companies
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError

SEVERAL: dict[str, Any] = {"action": "append", "default": [], "metavar": "NAME"}
ONE = SEVERAL | {"help": "which company: the name of its file in include/companies/"}
YES: dict[str, Any] = {"action": "store_true"}
_MOST = 2**31 - 1


@dataclass(frozen=True)
class Command:
    """One command: what it does, as a function of what was asked and in words, and its own options
    as `argparse` takes them. The function gives the exit code, or None for 0. `migrated` says that
    it works with what a migration made, and so on a database that has them all."""

    run: Callable[[argparse.Namespace], int | None]
    words: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    migrated: bool = True

    @property
    def of_one_company(self) -> bool:
        """Whether it is about exactly one company."""
        return self.options.get("--company") is ONE


def say(asked: argparse.Namespace, error: QuickBooksCrmError) -> None:
    """Tell what went wrong: on standard error for a person, as JSON for a program that asked so."""
    if asked.json:
        print(json.dumps({"error": error.code, "message": str(error)}))
    else:
        print(error, file=sys.stderr)


def every_company(asked: argparse.Namespace) -> list[str]:
    """The companies that a command is about: those asked for, or all. Raises `SettingsError`, which
    says what to do, where there are none."""
    directory = companies.INCLUDE / "companies"
    return asked.company or companies.names(directory) or list(companies.load(directory))


def told_of(asked: argparse.Namespace, ran: list[str]) -> list[str]:
    """The companies that a command tells of: those asked for, or all that ever `ran`. Raises
    `SettingsError` for a name that no company has."""
    for name in asked.company:
        if name not in ran:
            companies.load_one(companies.INCLUDE / "companies", name)
    return asked.company or ran


def only_company(asked: argparse.Namespace) -> str:
    """The company that a command of one company is about."""
    return str(asked.company[0])


def person() -> str:
    """Who types: what they do is kept with their name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise SettingsError(
            f"This machine has no name for the user that this runs as (number {os.getuid()}), and "
            "what people do is kept with their name. Say yours before the command: "
            "LOGNAME=your-name python -m quickbooks_crm ..."
        ) from None


def positive(text: str) -> int:
    """A number of 1 or more that the database can count to, for `argparse`."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MOST:,}: {text!r}")
    return int(text)
