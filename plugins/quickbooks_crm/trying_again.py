"""When Airflow tries a task again."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Context, ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from quickbooks_crm.errors import A_PERSON_IS_NEEDED, QuickBooksAsksToWait


class WhenItMayHelp(ExceptionRetryPolicy):
    """The rules it is given; and no sooner than QuickBooks asks for, when it asks to wait."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """As `RetryPolicy` says."""
        if isinstance(exception, QuickBooksAsksToWait):
            delay = timedelta(seconds=exception.seconds)
            return RetryDecision.retry(delay, "QuickBooks asks not to be called before")
        return super().evaluate(exception, try_number, max_tries, context)


EVERY_TASK: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": WhenItMayHelp(
        [
            RetryRule(exception=error, action=RetryAction.FAIL, reason="trying again does not help")
            for error in A_PERSON_IS_NEEDED
        ]
    ),
    "execution_timeout": timedelta(hours=3),
}
"""What every task that moves a company's records is given, as a DAG's `default_args`."""
