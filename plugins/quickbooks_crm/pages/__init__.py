"""The pages that people see in Airflow: FastAPI routes, templates and assets."""

FRAMED = "plugin/quickbooks-activity/quickbooks-crm"
"""The way from Airflow's first page to these pages, inside its frame."""
