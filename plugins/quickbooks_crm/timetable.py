"""When a company is compared, and what Airflow calls the runs that do it."""

from typing import Any

from airflow.timetables.trigger import CronTriggerTimetable


class ReconcileTimetable(CronTriggerTimetable):
    """As its cron expression says, with run ids that no sync of the same minute has: Airflow makes
    them of the time alone, and the activity log knows a company's runs by them."""

    def generate_run_id(self, **about: Any) -> str:
        """What Airflow calls a run, and that it compares."""
        return f"{super().generate_run_id(**about)}_reconcile"
