"""One DAG for each company in include/companies/ that compares QuickBooks, the mirror and the CRM:
schedule and task order, nothing else."""

from datetime import datetime

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from quickbooks_crm import forms, pipeline, reconciling
from quickbooks_crm.plans import Plan, plans
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.timetable import ReconcileTimetable
from quickbooks_crm.trying_again import EVERY_TASK


@task(doc_md="Connections, mappings and mandatory fields, before anything is read.")
def check_settings(company: str) -> list[str]:
    context = get_current_context()
    return reconciling.check_settings(company, context["run_id"], forms.answered(context))


@task(doc_md="What changed in QuickBooks to the mirror: what is merely new is no drift.")
def extract(company: str) -> None:
    pipeline.extract(company, get_current_context()["run_id"])


@task(doc_md="QuickBooks beside the mirror, and the mirror beside the CRM.")
def compare(company: str) -> None:
    context = get_current_context()
    asked = context["params"]
    reconciling.compare(company, context["run_id"], Wish(asked["everything"], asked["repair"]))


@task(trigger_rule="all_done", doc_md="What was found; fails when something differs.")
def record_activity(company: str) -> None:
    if not reconciling.record(company, get_current_context()["run_id"]):
        raise DownstreamTasksSkipped(tasks=["load"])


def order(company: str) -> None:
    """The tasks of a company in their order."""
    load = TriggerDagRunOperator(
        task_id="load",
        trigger_dag_id=f"quickbooks_to_crm_{company}",
        doc_md="Starts the sync that loads what the repair left to it.",
    )
    compared = check_settings(company) >> extract(company) >> compare(company)
    compared >> record_activity(company) >> load


def build(name: str, plan: Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"reconcile_{name}",
        dag_display_name=f"Reconcile: {plan.title}",
        description="Compares QuickBooks, the mirror and the CRM, and fails when they differ.",
        schedule=plan.reconcile and ReconcileTimetable(plan.reconcile, timezone="UTC"),
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=reconciling.__doc__,
        params=forms.reconcile(),
    )
    def reconcile() -> None:
        order(name)

    reconcile()


wanted = (get_parsing_context().dag_id or "").removeprefix("reconcile_")
for company, company_plan in plans(wanted).items():
    build(company, company_plan)
