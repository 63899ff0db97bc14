"""The command that shows what a sync would do, and does nothing."""

import argparse
from collections.abc import Collection
from functools import partial

from quickbooks_crm import previewing
from quickbooks_crm.command_line import rows
from quickbooks_crm.command_line.command import SEVERAL, YES, Command
from quickbooks_crm.command_line.showing import show_run
from quickbooks_crm.command_line.starting import start_each

TOLD = ("added", "updated", "duplicate", "not_added", "excluded")
"""The outcomes whose rows are shown; the others would stay as they are."""


def _preview(asked: argparse.Namespace) -> int:
    rows.heading(asked)
    return start_each(asked, partial(previewing.sync, read=asked.read), show)


def show(asked: argparse.Namespace, name: str, run_id: str, said: Collection[str] = ()) -> None:
    """Print what a preview found, as it was asked for."""
    show_run(asked, name, run_id, said, TOLD if asked.rows or rows.form(asked) == "csv" else ())


COMMANDS = {
    "preview": Command(
        _preview,
        "show what a sync would do to the CRM, record by record, and change nothing",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--read": YES
            | {"help": "read first what changed in QuickBooks; else no call is made to it"},
            **rows.PLANNED,
        },
    ),
}
