"""The pages that people see in Airflow: FastAPI routes, templates and assets."""
