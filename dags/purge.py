"""The DAG that throws away, every day and for every company, what its settings no longer keep."""

from datetime import datetime, timedelta

from airflow.sdk import dag, get_parsing_context, task

from quickbooks_crm import purging

NAME = "purge_quickbooks_crm"


@dag(
    dag_id=NAME,
    dag_display_name="Throw away what is old",
    description="Forgets how records ended, and calls, after the time each company's file says.",
    schedule="23 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["quickbooks", "crm"],
    doc_md=__doc__,
)
def purge() -> None:
    @task(
        retries=3,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=3),
        doc_md="Company by company, some rows in each transaction. Counts are kept for ever.",
    )
    def throw_away() -> None:
        purging.purge_all()

    throw_away()


if get_parsing_context().dag_id in (None, NAME):
    purge()
