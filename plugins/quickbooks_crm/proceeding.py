"""How Airflow asks a person for a Yes: the task that the DAGs which ask first have in common."""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLBranchOperator

PROCEED = "proceed"
"""The task's name: the pages look for its question."""


def ask(subject: str, shown_by: str, then: str) -> HITLBranchOperator:
    """The task that waits for a person's Yes to what the task `shown_by` returned, and goes on with
    the task `then`; with a No, or without an answer, `cancelled` is next."""
    shown = f"{{{{ ti.xcom_pull(task_ids='{shown_by}') }}}}"
    return HITLBranchOperator(
        task_id=PROCEED,
        subject=subject,
        body=f"```\n{shown}\n```\nNothing has been changed yet.",
        options=["Yes", "No"],
        options_mapping={"Yes": then, "No": "cancelled"},
        defaults="No",
        response_timeout=timedelta(hours=24),
        doc_md="Waits up to a day for a Yes; it holds neither a worker nor the company.",
    )
