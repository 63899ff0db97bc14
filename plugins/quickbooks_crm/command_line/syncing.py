"""The command that runs a sync."""

import argparse
from functools import partial

from quickbooks_crm import pipeline
from quickbooks_crm.command_line.command import SEVERAL, YES, Command
from quickbooks_crm.command_line.starting import start_each


def _sync(asked: argparse.Namespace) -> int:
    return start_each(asked, partial(pipeline.sync, everything=asked.everything))


COMMANDS = {
    "sync": Command(
        _sync,
        "run a sync now, without Airflow's scheduler",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--everything": YES | {"help": "read QuickBooks wholly, not only what changed"},
        },
    ),
}
