"""The command that compares QuickBooks, the mirror and the CRM."""

import argparse

from quickbooks_crm import pipeline, reconciling
from quickbooks_crm.command_line.command import YES, Command, every_company, person
from quickbooks_crm.command_line.showing import show_run
from quickbooks_crm.command_line.starting import new_run_id, tell_stop
from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.running import Request


def _reconcile(asked: argparse.Namespace) -> int:
    return max(_one(asked, name) for name in every_company(asked))


def _one(asked: argparse.Namespace, name: str) -> int:
    """Reconcile a company, and sync it when the repair left something to load."""
    request, run_id = Request("command line", person()), new_run_id()
    try:
        report = reconciling.reconcile(name, run_id, request, Wish(asked.everything, asked.repair))
        show_run(asked, name, run_id)
        if report.to_load and asked.repair:
            run_id = new_run_id()
            pipeline.sync(name, run_id, request)
            show_run(asked, name, run_id)
    except QuickBooksCrmError as error:
        return tell_stop(asked, name, run_id, error)
    return 0 if report.in_step else 1


COMMANDS = {
    "reconcile": Command(
        _reconcile,
        "compare QuickBooks, the mirror and the CRM; exit code 1 when they do not agree",
        {
            "--everything": YES
            | {
                "help": "read and compare every record, not only where counts differ: finds fields "
                "that QuickBooks changes without saying so; one call for every 1,000 records; done "
                "every four weeks without this"
            },
            "--repair": YES
            | {"help": "make the mirror right, then sync what is wrong or missing in the CRM"},
            "--rows": YES | {"help": "also every record that differs"},
        },
    ),
}
