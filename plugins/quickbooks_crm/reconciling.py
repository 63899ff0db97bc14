"""A whole reconcile: QuickBooks, the mirror and the CRM are compared.

    check_settings ▶ extract ▶ compare ▶ record

Each function may be called twice; the second time changes nothing but what it finds.
"""

from contextlib import closing
from dataclasses import replace

from quickbooks_crm import companies, company_check, database, one_module, pipeline, running, runs
from quickbooks_crm.alive import alive
from quickbooks_crm.errors import DriftFound
from quickbooks_crm.failures import noted
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.reconcile import comparing, report
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.reconcile.report import Report
from quickbooks_crm.running import Request, run_of
from quickbooks_crm.status import warn_of_replays_due


def check_settings(company: str, run_id: str, request: Request) -> list[str]:
    """The same as of a sync, for a run that compares."""
    run = run_of(company, run_id)
    modules = running.settle(run, request, "reconcile")
    with database.connect() as connection:
        comparing.begin(connection, run)
    return modules


def compare(company: str, run_id: str, wish: Wish) -> Report:
    """Compare QuickBooks with the mirror and the mirror with the CRM, after `extract`; what
    differs, and where that is wished, is repaired but for what the next sync has to load."""
    run = run_of(company, run_id)
    settings = companies.load_one(companies.INCLUDE / "companies", company)
    wish = replace(wish, limits=settings.breakers)
    with (
        closing(QuickBooksHook(settings.quickbooks, run_id)) as quickbooks,
        database.connect() as connection,
        noted(connection, run, "compare"),
    ):
        asked = runs.asked(connection, run)
        modules = [
            (
                one_module.target(connection, known, settings),
                runs.position(connection, run.realm, name),
            )
            for name, known in asked.items()
        ]
        warn_of_replays_due(connection, run, list(asked.values()))
        attempt = runs.attempt(connection, run, "compare")
        with alive(attempt):
            company_check.require_same_company(connection, run, quickbooks)
            return comparing.compare(connection, quickbooks, attempt, modules, wish)


def record(company: str, run_id: str) -> bool:
    """End the run, whatever happened; whether a repair left something for a sync to load. Raises
    `SyncFailed` when it could not compare everything, and `DriftFound` when somebody has to see to
    what it found."""
    pipeline.record_activity(company, run_id, "reconcile")
    run = run_of(company, run_id)
    with database.connect() as connection:
        found = report.read(connection, run.realm, run.run_id)
    if found and not found.in_step:
        raise DriftFound(
            f"QuickBooks, the mirror and the CRM of {company} do not agree: the activity of run "
            f"{run_id} says where. To repair it, start this DAG again with Repair what differs."
        )
    return bool(found and found.to_load)


def reconcile(company: str, run_id: str, request: Request, wish: Wish) -> Report:
    """A whole reconcile, one stage after the other. Raises what stopped it; that something differs
    does not."""
    with running.completed(company, run_id, "reconcile"):
        check_settings(company, run_id, request)
        pipeline.extract(company, run_id)
        return compare(company, run_id, wish)
