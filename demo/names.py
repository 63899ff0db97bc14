"""What the demo's services are called for people; in commands and logs they have short names."""

from __future__ import annotations

POSTGRES = "postgres"
_TITLES = {
    POSTGRES: "Postgres",
    "simulator": "QuickBooks simulator",
    "api-server": "Airflow's API server",
    "dag-processor": "Airflow's DAG processor",
    "scheduler": "Airflow's scheduler",
    "triggerer": "Airflow's triggerer",
    "airflow-db-migrate": "Airflow's migration of its own tables",
    "tables": "The making of the CRM's tables and ours",
}


def title(name: str) -> str:
    """The name of a service for people."""
    return _TITLES.get(name, name)


def count(number: int, one: str, many: str) -> str:
    """`1 service`, `6 services`."""
    return f"{number} {one if number == 1 else many}"
