"""How Airflow asks a person for a Yes: the tasks that the DAGs which ask first have in common."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import Context, get_current_context, task

from quickbooks_crm import asking

PROCEED = "proceed"
"""The task's name: the pages look for its question."""

_ANSWER = "answer"
"""What the task leaves of who answered what."""


class Question(HITLBranchOperator):
    """Airflow's own question, which also tells the tasks after it who answered what."""

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """As Airflow's does."""
        by = (event.get("responded_by_user") or {}).get("name")
        said = {"said": event["chosen_options"][0], "by": by}
        context["ti"].xcom_push(_ANSWER, said)
        return super().execute_complete(context, event)


def ask(subject: str, shown_by: str) -> Question:
    """The task that waits for a person's Yes to what the task `shown_by` returned. Then comes
    `agreed`; with a No, or without an answer, `cancelled`."""
    shown = f"{{{{ ti.xcom_pull(task_ids='{shown_by}') }}}}"
    return Question(
        task_id=PROCEED,
        subject=subject,
        body=f"```\n{shown}\n```\nNothing has been changed yet.",
        options=["Yes", "No"],
        options_mapping={"Yes": "agreed", "No": "cancelled"},
        defaults="No",
        response_timeout=timedelta(hours=24),
        doc_md="Waits up to a day for a Yes; it holds neither a worker nor the company.",
    )


@task(doc_md="Writes down who said Yes: without that no run does what was shown.")
def agreed(company: str) -> None:
    _write_down(company, "Yes")


@task(doc_md="Writes the No down. Nothing was changed, and nothing will be.")
def cancelled(company: str) -> None:
    _write_down(company, "No")


def _write_down(company: str, expected: str) -> None:
    context = get_current_context()
    answer = context["ti"].xcom_pull(task_ids=PROCEED, key=_ANSWER) or {}
    asking.answered(company, context["run_id"], expected, answer)
