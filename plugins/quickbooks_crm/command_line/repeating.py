"""Commands that bring records in again from the mirror, without a call to QuickBooks."""

import argparse
import getpass
import sys
from collections.abc import Callable
from functools import partial

from quickbooks_crm import companies, previewing, reasons, repeating
from quickbooks_crm.command_line.command import SEVERAL, YES, Command, say
from quickbooks_crm.command_line.previewing import FORM, heading, show
from quickbooks_crm.command_line.syncing import new_run_id, show_run
from quickbooks_crm.errors import QuickBooksCrmError, SettingsError
from quickbooks_crm.running import Request

MODULE = SEVERAL | {"help": "only this module; may be repeated"}


def _replay(asked: argparse.Namespace) -> int:
    if asked.plan:
        heading(asked)
        return _every(asked, previewing.replays, show)
    _require_no_rows(asked, "replayed", "a replay")
    return _every(asked, repeating.replay_all, show_run)


def _retry(asked: argparse.Namespace) -> int:
    if asked.plan:
        heading(asked)
        return _every(asked, partial(previewing.retries, reasons=asked.reason), show)
    _require_no_rows(asked, "tried again", "a retry")
    return _every(asked, partial(repeating.retry_held, reasons=asked.reason), show_run)


def _require_no_rows(asked: argparse.Namespace, done: str, what: str) -> None:
    if asked.rows or asked.format != FORM["--format"]["default"]:
        raise SettingsError(
            f"--rows and --format are about a plan: add --plan. Nothing was {done}. What {what} "
            "did not bring in, activity --rows shows."
        )


def _every(
    asked: argparse.Namespace,
    run: Callable[[str, str, Request], None],
    show: Callable[[argparse.Namespace, str, str], None],
) -> int:
    names = asked.company or companies.names(companies.INCLUDE / "companies")
    request = Request("command line", getpass.getuser(), tuple(asked.module))
    code = 0
    for name in names:
        run_id = new_run_id()
        try:
            run(name, run_id, request)
        except SettingsError as error:
            say(asked, error)
            code = 2
        except QuickBooksCrmError as error:
            print(f"{name}: {error}", file=sys.stderr)
            code = max(code, 1)
        show(asked, name, run_id)
    return code


COMMANDS = {
    "replay": Command(
        _replay,
        "bring all records to the mappings as they are now, from the mirror; goes on where it was",
        {
            "--module": MODULE,
            "--plan": YES | {"help": "only show how many records would change; changes nothing"},
            **FORM,
        },
    ),
    "retry": Command(
        _retry,
        "try again the records that were not added or are duplicates, and no others",
        {
            "--module": MODULE,
            "--plan": YES
            | {"help": "only show how many would be tried, and what would come of it"},
            **FORM,
            "--reason": SEVERAL
            | {
                "choices": sorted(reasons.REASONS),
                "metavar": "REASON",
                "help": "only those held back for this reason, such as key_taken; may be repeated",
            },
        },
    ),
}
