"""Registers the pages with Airflow; nothing else."""

import logging
from typing import Any

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

ICON = "quickbooks-crm/assets/icon.svg"


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
