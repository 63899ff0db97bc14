"""The DAG that tells people what needs them, by the notifiers that the companies' files name; there
is none while no file does."""

from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, get_parsing_context, task

from quickbooks_crm import notifying

NAME = "watch_quickbooks_crm"


@task(
    retries=3,
    retry_delay=timedelta(minutes=2),
    execution_timeout=timedelta(minutes=10),
    doc_md="Looks at the company, and tells what is new or settled since it told last.",
)
def tell(company: str) -> None:
    notifying.tell(company, get_current_context())


def build(companies: list[str]) -> None:
    """The DAG, with a task for each company."""

    @dag(
        dag_id=NAME,
        dag_display_name="Tell what needs a person",
        description="Looks every quarter of an hour, calls nobody, and tells each thing once.",
        schedule="*/15 * * * *",
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        tags=["quickbooks", "crm"],
        doc_md=notifying.__doc__,
    )
    def watch() -> None:
        for company in companies:
            tell.override(task_id=f"tell_{company}")(company)

    watch()


if get_parsing_context().dag_id in (None, NAME) and (wanted := notifying.wanted()):
    build(wanted)
