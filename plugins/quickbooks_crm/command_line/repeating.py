"""Commands that bring records in again from the mirror, without a call to QuickBooks."""

import argparse
from functools import partial

from quickbooks_crm import previewing, reasons, repeating
from quickbooks_crm.command_line import rows
from quickbooks_crm.command_line.command import SEVERAL, YES, Command
from quickbooks_crm.command_line.previewing import show
from quickbooks_crm.command_line.starting import start_each
from quickbooks_crm.errors import SettingsError

MODULE = SEVERAL | {"help": "only this module; may be repeated"}


def _replay(asked: argparse.Namespace) -> int:
    if asked.plan:
        rows.heading(asked)
        return start_each(asked, previewing.replays, show)
    _require_no_rows(asked, "replayed", "a replay")
    return start_each(asked, repeating.replay_all)


def _retry(asked: argparse.Namespace) -> int:
    if asked.plan:
        rows.heading(asked)
        return start_each(asked, partial(previewing.retries, reasons=asked.reason), show)
    _require_no_rows(asked, "tried again", "a retry")
    return start_each(asked, partial(repeating.retry_held, reasons=asked.reason))


def _require_no_rows(asked: argparse.Namespace, done: str, what: str) -> None:
    if asked.rows or asked.format != rows.FORM["default"]:
        raise SettingsError(
            f"--rows and --format are about a plan: add --plan. Nothing was {done}. What {what} "
            "did not bring in, activity --rows shows."
        )


COMMANDS = {
    "replay": Command(
        _replay,
        "bring all records to the mappings as they are now, from the mirror; goes on where it was",
        {
            "--module": MODULE,
            "--plan": YES | {"help": "only show how many records would change; changes nothing"},
            **rows.PLANNED,
        },
    ),
    "retry": Command(
        _retry,
        "try again the records that were not added or are duplicates, and no others",
        {
            "--module": MODULE,
            "--plan": YES
            | {"help": "only show how many would be tried, and what would come of it"},
            **rows.PLANNED,
            "--reason": SEVERAL
            | {
                "choices": sorted(reasons.HELD),
                "metavar": "REASON",
                "help": "only those held back for this reason, such as key_taken; may be repeated",
            },
        },
    ),
}
