"""One DAG for each company in include/companies/ that asks a person before it syncs: schedule and
task order, nothing else."""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import HITLBranchOperator
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
BODY = "```\n{{ ti.xcom_pull(task_ids='record_activity') }}\n```\nNothing has been changed yet."


def form(modules: list[str]) -> dict[str, Param]:
    """What a person who starts a preview is asked."""
    return {
        "modules": Param(
            modules,
            type="array",
            items={"type": "string", "enum": modules},
            examples=modules,
            title="Modules",
            description="What to preview, and to bring up to date after a Yes.",
        ),
        "read": Param(
            True,
            type="boolean",
            title="Read what changed in QuickBooks first",
            description="Costs what a sync's reading costs, usually one call. Without it the "
            "preview begins with what was read last.",
        ),
    }


def build(name: str, plan: pipeline.Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"preview_{name}",
        dag_display_name=f"Preview, then sync: {plan.title}",
        description="Shows what a sync would do, and does it when somebody says Yes.",
        schedule=None,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=pipeline.__doc__,
        params=form(list(plan.tables)),
    )
    def preview() -> None:
        @task(doc_md="Connections, mappings and mandatory fields, before anything is read.")
        def check_settings() -> list[str]:
            context = get_current_context()
            run, asked = context["dag_run"], context["params"]["modules"]
            who = run.triggering_user_name
            request = pipeline.Request(str(run.run_type.value), who, tuple(asked))
            return pipeline.check_preview(name, run.run_id, request)

        @task(doc_md="What a sync would do with every record; nothing of it stays.")
        def rehearse() -> list[str]:
            context = get_current_context()
            return pipeline.rehearse(name, context["run_id"], context["params"]["read"])

        @task(trigger_rule="all_done", doc_md="The counts. With nothing to do nobody is asked.")
        def record_activity() -> str:
            context = get_current_context()
            said = pipeline.record_activity(name, context["run_id"])
            if not context["ti"].xcom_pull(task_ids="rehearse"):
                raise DownstreamTasksSkipped(tasks=["proceed"])
            return said

        proceed = HITLBranchOperator(
            task_id="proceed",
            subject=f"Click Yes to bring the CRM of {plan.title} up to date",
            body=BODY,
            options=["Yes", "No"],
            options_mapping={"Yes": "sync", "No": "cancelled"},
            defaults="No",
            response_timeout=timedelta(hours=24),
            doc_md="Waits up to a day for a Yes; it holds neither a worker nor the company.",
        )
        sync = TriggerDagRunOperator(
            task_id="sync",
            trigger_dag_id=f"quickbooks_to_crm_{name}",
            conf={"previewed": "{{ run_id }}"},
            doc_md="Starts the sync, with the mappings and modules that were previewed.",
        )
        cancelled = EmptyOperator(task_id="cancelled", doc_md="Nothing was changed.")
        check_settings() >> rehearse() >> record_activity() >> proceed >> [sync, cancelled]

    preview()


wanted = (get_parsing_context().dag_id or "").removeprefix("preview_")
for company, company_plan in pipeline.plans(wanted).items():
    build(company, company_plan)
