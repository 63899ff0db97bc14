"""Registers the pages and a timetable with Airflow, and imports what tasks need before they are
forked; nothing else."""

import logging
from contextlib import suppress
from importlib import import_module
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from quickbooks_crm.timetable import ReconcileTimetable

log = logging.getLogger(__name__)

ICON = "quickbooks-crm/assets/icon.svg"
NEEDED = (
    "airflow.providers.postgres.hooks.postgres",
    "quickbooks_crm.asking",
    "quickbooks_crm.correcting",
    "quickbooks_crm.forms",
    "quickbooks_crm.notifying",
    "quickbooks_crm.pipeline",
    "quickbooks_crm.plans",
    "quickbooks_crm.previewing",
    "quickbooks_crm.proceeding",
    "quickbooks_crm.purging",
    "quickbooks_crm.reconciling",
    "quickbooks_crm.trying_again",
    "quickbooks_crm.webhooks.hint",
)
"""What the DAGs and their tasks import: with pandas, half a second's work."""


class _WhenAsked:
    """The web application, imported only by the process that serves it: tasks load plugins too."""

    def __get__(self, plugin: object, owner: type) -> list[dict[str, Any]]:
        try:
            from quickbooks_crm.pages.app import app
        except ImportError:  # Airflow has to start all the same
            log.exception("The QuickBooks pages cannot be shown: its pages cannot be imported.")
            return []
        return [{"app": app, "url_prefix": "/quickbooks-crm", "name": "QuickBooks"}]


class QuickBooksCrmPlugin(AirflowPlugin):
    """The QuickBooks pages, in Airflow's navigation."""

    name = "quickbooks_crm"
    fastapi_apps = _WhenAsked()
    timetables = [ReconcileTimetable]  # noqa: RUF012 - Airflow's own form
    external_views = [  # noqa: RUF012 - Airflow's own form
        {
            "name": "QuickBooks",  # Airflow cuts longer names off
            "href": "quickbooks-crm/",  # relative: it also holds where Airflow is not at the root
            "url_route": "quickbooks-activity",
            "destination": "nav",
            "nav_top_level": True,
            "icon": ICON,
        },
        *(
            {
                "name": "QuickBooks",
                "href": "quickbooks-crm/airflow/{DAG_ID}/{RUN_ID}",
                "url_route": f"quickbooks-{destination}",
                "destination": destination,
                "icon": ICON,
            }
            for destination in ("dag_run", "task_instance")
        ),
    ]

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """The scheduler and the DAG processor load plugins, and then fork a process for each task
        and each look at a file. What they have imported none of these has to import again."""
        for name in NEEDED:
            with suppress(Exception):  # Airflow starts all the same, and tells it of the DAG
                import_module(name)
