"""One DAG for each company in include/companies/: schedule and task order, nothing else."""

from datetime import datetime
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, dag, get_current_context, get_parsing_context, task, task_group
from airflow.sdk.exceptions import DownstreamTasksSkipped

from quickbooks_crm import forms, pipeline
from quickbooks_crm.plans import Plan, plans
from quickbooks_crm.trying_again import EVERY_TASK
from quickbooks_crm.webhooks import hint

STEPS = ("transform", "turn", "load")
TURN = "Order without dependence: the loads before have ended, however they did. Starts no process."


@task(doc_md="Connections, mappings and mandatory fields, before any row moves.")
def check_settings(company: str) -> list[str]:
    context = get_current_context()
    return pipeline.check_settings(company, context["run_id"], forms.answered(context))


@task(doc_md="QuickBooks to the mirror. Modules with nothing to load are skipped.")
def extract(company: str, modules: list[str]) -> None:
    context = get_current_context()
    done = pipeline.extract(company, context["run_id"], context["params"]["everything"])
    context["ti"].xcom_push("return_value", done)
    idle = [module for module in modules if module not in done["work"]]
    raise DownstreamTasksSkipped(tasks=[f"{module}.{step}" for module in idle for step in STEPS])


@task(multiple_outputs=False, doc_md="Mirror to staged rows, as the mapping says, and checked.")
def transform(company: str, module: str) -> dict[str, int]:
    return pipeline.transform(company, get_current_context()["run_id"], module)


@task(multiple_outputs=False, doc_md="Staged rows to the CRM with their ends, in one transaction.")
def load(company: str, module: str) -> dict[str, int]:
    return pipeline.load(company, get_current_context()["run_id"], module)


@task(trigger_rule="all_done", doc_md="What the run did; fails when a module did not load.")
def record_activity(company: str) -> None:
    pipeline.record_activity(company, get_current_context()["run_id"])


def bring_in(company: str, module: str, table: str | None) -> tuple[Any, Any, Any]:
    """The tasks of one module: to shape its rows, to await its turn, and to write them."""
    outlets = [Asset(name=table, uri=f"crm://{table}")] if table else []
    shape = transform(company, module)
    turn = EmptyOperator(task_id="turn", trigger_rule="all_done", doc_md=TURN)
    write = load.override(outlets=outlets)(company, module)
    [shape, turn] >> write
    return shape, turn, write


def order(company: str, plan: Plan) -> None:
    """The tasks of a company in their order."""
    read, recorded = extract(company, list(plan.tables)), record_activity(company)
    check_settings(company) >> read
    written: dict[str, Any] = {}
    for module, table in plan.tables.items():
        shape, turn, write = task_group(group_id=module)(bring_in)(company, module, table)
        read >> shape
        ([written[other] for other in plan.after.get(module, ())] or [read]) >> turn
        write >> recorded
        written[module] = write
    read >> recorded


def build(name: str, plan: Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"quickbooks_to_crm_{name}",
        dag_display_name=f"QuickBooks to CRM: {plan.title}",
        description="Brings the CRM up to date with what changed in QuickBooks.",
        schedule=hint.schedule(name, plan.schedule),
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=pipeline.__doc__,
        params=forms.sync(list(plan.tables)),
    )
    def quickbooks_to_crm() -> None:
        order(name, plan)

    quickbooks_to_crm()


wanted = (get_parsing_context().dag_id or "").removeprefix("quickbooks_to_crm_")
for company, company_plan in plans(wanted).items():
    build(company, company_plan)
