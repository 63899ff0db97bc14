"""One DAG for each company in include/companies/ that compares QuickBooks, the mirror and the CRM:
schedule and task order, nothing else."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    Param,
    RetryAction,
    RetryRule,
    dag,
    get_current_context,
    get_parsing_context,
    task,
)
from airflow.sdk.exceptions import DownstreamTasksSkipped

from quickbooks_crm import errors, pipeline
from quickbooks_crm.trying_again import WhenItMayHelp

A_PERSON_IS_NEEDED = WhenItMayHelp(
    [
        RetryRule(exception=error, action=RetryAction.FAIL, reason="trying again does not help")
        for error in errors.A_PERSON_IS_NEEDED
    ]
)
EVERY_TASK: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": A_PERSON_IS_NEEDED,
    "execution_timeout": timedelta(hours=3),
}

FORM = {
    "everything": Param(
        False,
        type="boolean",
        title="Compare every record",
        description="Reads QuickBooks wholly instead of only where counts differ. Costs about one "
        "call for every 1,000 records, and finds fields that QuickBooks changes without saying so.",
    ),
    "repair": Param(
        False,
        type="boolean",
        title="Repair what differs",
        description="Makes the mirror right, and starts a sync that brings the CRM in step. It "
        "overwrites what people have changed in columns that QuickBooks fills.",
    ),
}


def build(name: str, plan: pipeline.Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"reconcile_{name}",
        dag_display_name=f"Reconcile: {plan.title}",
        description="Compares QuickBooks, the mirror and the CRM, and fails when they differ.",
        schedule=plan.reconcile,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=pipeline.__doc__,
        params=FORM,
    )
    def reconcile() -> None:
        @task(doc_md="Connections, mappings and mandatory fields, before anything is read.")
        def check_settings() -> list[str]:
            run = get_current_context()["dag_run"]
            request = pipeline.Request(str(run.run_type.value), run.triggering_user_name)
            return pipeline.check_reconcile(name, run.run_id, request)

        @task(doc_md="What changed in QuickBooks to the mirror: what is merely new is no drift.")
        def extract() -> None:
            pipeline.extract(name, get_current_context()["run_id"])

        @task(doc_md="QuickBooks beside the mirror, and the mirror beside the CRM.")
        def compare() -> None:
            context = get_current_context()
            asked = context["params"]
            wish = pipeline.Wish(asked["everything"], asked["repair"])
            pipeline.compare(name, context["run_id"], wish)

        @task(trigger_rule="all_done", doc_md="What was found; fails when something differs.")
        def record_activity() -> None:
            if not pipeline.record_reconcile(name, get_current_context()["run_id"]):
                raise DownstreamTasksSkipped(tasks=["load"])

        load = TriggerDagRunOperator(
            task_id="load",
            trigger_dag_id=f"quickbooks_to_crm_{name}",
            doc_md="Starts the sync that loads what the repair left to it.",
        )
        check_settings() >> extract() >> compare() >> record_activity() >> load

    reconcile()


wanted = (get_parsing_context().dag_id or "").removeprefix("reconcile_")
for company, company_plan in pipeline.plans(wanted).items():
    build(company, company_plan)
