"""When Airflow tries a task again."""

from datetime import timedelta

from airflow.sdk import Context, ExceptionRetryPolicy, RetryDecision

from quickbooks_crm.errors import QuickBooksAsksToWait


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
