"""Airflow's UI gets a form for QuickBooks connections that it can render, secrets hidden."""

import json
from importlib.resources import files

import jsonschema

from quickbooks_crm.provider import get_provider_info


def test_the_provider_keeps_to_airflows_schema() -> None:
    schema = json.loads(files("airflow").joinpath("provider.yaml.schema.json").read_text())
    (connection_type,) = get_provider_info()["connection-types"]

    jsonschema.validate([connection_type], schema["properties"]["connection-types"])


def test_the_refresh_token_is_a_password() -> None:
    (connection_type,) = get_provider_info()["connection-types"]

    secret = [
        name
        for name, field in connection_type["conn-fields"].items()
        if field["schema"].get("format") == "password"
    ]

    assert secret == ["refresh_token"]


def test_the_form_offers_the_environments_there_are() -> None:
    from quickbooks_crm.quickbooks.settings import ENVIRONMENTS

    (connection_type,) = get_provider_info()["connection-types"]

    assert connection_type["conn-fields"]["environment"]["schema"]["enum"] == list(ENVIRONMENTS)
