"""Runs the whole project on one machine: Postgres, the QuickBooks simulator and Airflow, without Docker."""
