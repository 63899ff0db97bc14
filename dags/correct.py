"""One DAG for each company in include/companies/ that puts its CRM right, and asks a person first:
schedule and task order, nothing else."""

from datetime import datetime

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, dag, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from quickbooks_crm import correcting, forms
from quickbooks_crm.plans import Plan, plans
from quickbooks_crm.proceeding import PROCEED, agreed, ask, cancelled
from quickbooks_crm.trying_again import EVERY_TASK


@task.branch(doc_md="Whether a person is asked first.")
def begin() -> str:
    return "rehearse" if get_current_context()["params"]["ask_first"] else "carry_out"


@task(doc_md="What would be done; nothing of it stays. If that is nothing, nobody is asked.")
def rehearse(company: str) -> None:
    context = get_current_context()
    question = correcting.rehearse(company, context["run_id"], forms.correction(context))
    context["ti"].xcom_push("return_value", question)
    if not question:
        raise DownstreamTasksSkipped(tasks=[PROCEED])


@task(max_active_tis_per_dag=1, doc_md="Does it, in transactions of one module each.")
def carry_out(company: str) -> None:
    context = get_current_context()
    correcting.carry_out(company, context["run_id"], forms.correction(context))


def order(company: str, plan: Plan) -> None:
    """The tasks of a company in their order."""
    start = TriggerDagRunOperator(
        task_id="start",
        trigger_dag_id=f"correct_{company}",
        conf={"ask_first": False, "previewed": "{{ run_id }}"},
        doc_md="Begins the run that does what was shown.",
    )
    tables = sorted({table for table in plan.tables.values() if table})
    outlets = [Asset(name=table, uri=f"crm://{table}") for table in tables]
    do = carry_out.override(outlets=outlets)(company)
    rehearsed = rehearse(company)
    begin() >> [rehearsed, do]
    asked = ask(f"Click Yes to do this in the CRM of {plan.title}", "rehearse")
    yes, no = agreed(company), cancelled(company)
    rehearsed >> asked >> [yes, no]
    yes >> start


def build(name: str, plan: Plan) -> None:
    """The DAG of one company."""

    @dag(
        dag_id=f"correct_{name}",
        dag_display_name=f"Retry, replay or undo: {plan.title}",
        description="Tries records again, replays a mapping or undoes a run, after a Yes.",
        schedule=None,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        is_paused_upon_creation=False,  # it runs only when somebody asks for it
        default_args=EVERY_TASK,
        tags=["quickbooks", "crm", name],
        doc_md=correcting.__doc__,
        params=forms.correct(list(plan.tables)),
    )
    def correct() -> None:
        order(name, plan)

    correct()


wanted = (get_parsing_context().dag_id or "").removeprefix("correct_")
for company, company_plan in plans(wanted).items():
    build(company, company_plan)
