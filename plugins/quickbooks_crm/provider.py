"""What Airflow shows of us: the connection type QuickBooks Online with a form of its own."""

from importlib.metadata import version
from typing import Any

PACKAGE = "quickbooks-crm"


def get_provider_info() -> dict[str, Any]:
    """Airflow's entry point for providers; it must import nothing of the hook."""
    return {
        "package-name": PACKAGE,
        "name": "QuickBooks CRM",
        "description": "Keeps a CRM in Postgres true to QuickBooks Online.",
        "versions": [version(PACKAGE)],
        "connection-types": [
            {
                "connection-type": "quickbooks",
                "hook-class-name": "quickbooks_crm.quickbooks.hook.QuickBooksHook",
                "hook-name": "QuickBooks Online",
                "ui-field-behaviour": _standard_fields(),
                "conn-fields": _own_fields(),
            }
        ],
    }


def _standard_fields() -> dict[str, Any]:
    return {
        "hidden-fields": ["host", "schema", "extra"],
        # Airflow 3.3.2 refuses to test a connection without a port (apache/airflow#73298).
        "relabeling": {
            "login": "Client id",
            "password": "Client secret",
            "port": "Port (write 0: Airflow's Test button asks for one)",
        },
        "placeholders": {
            "login": "from your app's keys at developer.intuit.com",
            "password": "from the same page",
            "port": "0",
        },
    }


def _own_fields() -> dict[str, Any]:
    return {
        "environment": {
            "label": "Environment",
            "description": "Keys, company and environment belong together: sandbox companies need "
            "development keys, real companies production keys.",
            "schema": {
                "type": "string",
                "enum": ["production", "sandbox", "simulator"],
                "default": "production",
            },
        },
        "realm_id": {
            "label": "Company id (realm)",
            "description": "Digits only; QuickBooks shows it under Settings > Billing.",
            "schema": {"type": "string", "pattern": "^[0-9]+$"},
        },
        "refresh_token": {
            "label": "First refresh token",
            "description": "Needed once, to connect or reconnect; from then on the tokens live "
            "encrypted in the CRM database.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "monthly_calls": {
            "label": "Calls a month",
            "description": "How many calls that Intuit bills the app may make in a calendar month "
            "(UTC); 500,000 when empty. All companies with the same client id share them: write "
            "the same number in each. When they are used up, runs stop until the next month.",
            "schema": {"type": ["string", "null"], "pattern": "^[0-9]*$"},
        },
        "api_url": {
            "label": "API address",
            "description": "Only for the simulator, for example http://127.0.0.1:8765.",
            "schema": {"type": ["string", "null"]},
        },
        "discovery_url": {
            "label": "Discovery address",
            "description": "Only for the simulator, for example "
            "http://127.0.0.1:8765/.well-known/openid_configuration.",
            "schema": {"type": ["string", "null"]},
        },
    }
