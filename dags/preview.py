"""One DAG for each company in include/companies/ that asks a person before it syncs: schedule and
task order, nothing else."""

from datetime import datetime

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from quickbooks_crm import asking, forms, pipeline, previewing
from quickbooks_crm.plans import Plan, plans
from quickbooks_crm.proceeding import PROCEED, agreed, ask, cancelled
from quickbooks_crm.trying_again import EVERY_TASK


@task(doc_md="Connections, mappings and mandatory fields, before anything is read.")
def check_settings(company: str) -> list[str]:
    context = get_current_context()
    return previewing.check_settings(company, context["run_id"], forms.answered(context))


@task(doc_md="What a sync would do with every record; nothing of it stays.")
def rehearse(company: str) -> list[str]:
    context = get_current_context()
    return previewing.rehearse(company, context["run_id"], context["params"]["read"])


@task(
    trigger_rule="all_done",
    doc_md="The counts and settings. Where a Yes would change nothing, nobody is asked.",
)
def record_activity(company: str) -> str:
    context = get_current_context()
    pipeline.record_activity(company, context["run_id"], "preview")
    work = context["ti"].xcom_pull(task_ids="rehearse")
    if not asking.worth_asking(company, context["run_id"], work):
        raise DownstreamTasksSkipped(tasks=[PROCEED])
    return asking.question(company, context["run_id"])


def order(company: str, title: str) -> None:
    """The tasks of a company in their order."""
    sync = TriggerDagRunOperator(
        task_id="sync",
        trigger_dag_id=f"quickbooks_to_crm_{company}",
        conf={"previewed": "{{ run_id }}"},
        doc_md="Starts the sync, with the mappings and modules that were previewed.",
    )
    rehearsed = check_settings(company) >> rehearse(company) >> record_activity(company)
    asked = ask(f"Click Yes to bring the CRM of {title} up to date", "record_activity")
    yes, no = agreed(company), cancelled(company)
    rehearsed >> asked >> [yes, no]
    yes >> sync


def build(name: str, plan: Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"preview_{name}",
        dag_display_name=f"Preview, then sync: {plan.title}",
        description="Shows what a sync would do, and does it when somebody says Yes.",
        schedule=None,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        is_paused_upon_creation=False,  # it runs only when somebody asks for it
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=previewing.__doc__,
        params=forms.preview(list(plan.tables)),
    )
    def preview() -> None:
        order(name, plan.title)

    preview()


wanted = (get_parsing_context().dag_id or "").removeprefix("preview_")
for company, company_plan in plans(wanted).items():
    build(company, company_plan)
