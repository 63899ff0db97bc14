"""Runs the project on one machine: Postgres, the QuickBooks simulator and Airflow, no Docker."""
