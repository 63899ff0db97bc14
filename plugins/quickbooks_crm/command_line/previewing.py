"""The command that shows what a sync would do, and does nothing."""

import argparse
from collections.abc import Collection
from dataclasses import replace

from quickbooks_crm import companies, database, in_force, previewing
from quickbooks_crm.command_line import rows
from quickbooks_crm.command_line.command import SEVERAL, YES, Command
from quickbooks_crm.command_line.showing import show_run
from quickbooks_crm.command_line.starting import start_each
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.running import Request

TOLD = ("added", "updated", "duplicate", "not_added", "excluded")
"""The outcomes whose rows are shown; the others would stay as they are."""


def _preview(asked: argparse.Namespace) -> int:
    versions = _one_each(asked.version)

    def begin(company: str, run_id: str, request: Request) -> None:
        shown = replace(request, versions=versions)
        if shown.versions:
            _offer(company, shown)
        previewing.sync(company, run_id, shown, asked.read)

    rows.heading(asked)
    return start_each(asked, begin, show)


def _one_each(asked: list[tuple[str, int]]) -> dict[str, int]:
    """The version of each module. Raises `SettingsError` where two of one are asked for."""
    versions = dict(asked)
    for module, number in asked:
        if versions[module] != number:
            raise SettingsError(
                f"Versions {number} and {versions[module]} of {module} cannot be previewed at "
                "once. Preview them one after the other."
            )
    return versions


def _offer(company: str, request: Request) -> None:
    """Who has the command line may put mappings in force."""
    found = companies.load_one(companies.INCLUDE / "companies", company)
    with database.connect() as connection:
        in_force.offer(connection, found, request.versions, str(request.started_by))


def show(asked: argparse.Namespace, name: str, run_id: str, said: Collection[str] = ()) -> None:
    """Print what a preview found, as it was asked for."""
    show_run(asked, name, run_id, said, TOLD if asked.rows or rows.form(asked) == "csv" else ())


def _version(text: str) -> tuple[str, int]:
    """A module and the number of a version, for `argparse`."""
    module, equals, number = text.partition("=")
    if not (module and equals and number.isascii() and number.isdigit()):
        raise argparse.ArgumentTypeError("must be such as accounts=3")
    return module, int(number)


COMMANDS = {
    "preview": Command(
        _preview,
        "show what a sync would do to the CRM, record by record, and change nothing",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--version": {
                "action": "append",
                "type": _version,
                "default": [],
                "metavar": "MODULE=N",
                "help": "with this stored version of a mapping instead; may be repeated",
            },
            "--read": YES
            | {"help": "read first what changed in QuickBooks; else no call is made to it"},
            **rows.PLANNED,
        },
    ),
}
