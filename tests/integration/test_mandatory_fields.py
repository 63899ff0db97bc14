"""Before any row moves, every field that the CRM requires must have a source or a default."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import database, pipeline
from quickbooks_crm.errors import MandatoryFieldsMissing
from quickbooks_crm.pipeline import Request
from tests.integration.crm import REALM, count, rows

BUILT_IN = """
    ALTER TABLE crm.products ADD COLUMN warehouse text NOT NULL;
    ALTER TABLE crm.contacts ADD COLUMN birthday date NOT NULL, ADD COLUMN greeting text;
    ALTER TABLE crm.accounts ADD COLUMN level integer NOT NULL DEFAULT 3"""
ADDED_BY_THE_CUSTOMER = """
    INSERT INTO crm.form_field (table_name, column_name, label, type, required) VALUES
        ('crm.contacts', 'greeting', 'How to greet', 'text', true),
        ('crm.products', 'warehouse', 'Where it is kept', 'text', false)"""
QUICKBOOKS = """{"conn_type": "quickbooks", "login": "simulator-client", "password": "secret",
    "extra": {"environment": "simulator", "realm_id": "%s", "refresh_token": "first",
              "api_url": "http://127.0.0.1:9", "discovery_url": "http://127.0.0.1:9/discovery"}}"""


@pytest.fixture
def company(crm: str, monkeypatch: pytest.MonkeyPatch) -> Connection[Any]:
    """A CRM that knows the company of include/companies/sample.yaml."""
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", QUICKBOOKS % REALM)
    connection = psycopg.connect(crm, autocommit=True)
    include = Path(pipeline.INCLUDE)
    database.add_companies(connection, include / "crm", {"sample": "Sample company"})
    return connection


def test_one_message_names_all_missing_fields_by_label_and_module_and_no_row_moves(
    company: Connection[Any],
) -> None:
    company.execute(BUILT_IN.encode())
    company.execute(ADDED_BY_THE_CUSTOMER)

    with pytest.raises(MandatoryFieldsMissing) as told:
        pipeline.check_settings("sample", "run-1", Request("manual", "admin"))

    assert str(told.value) == (
        "Required CRM fields have neither a source nor a default:\n"
        "  products: Where it is kept\n"
        "  contacts: Birthday, How to greet\n"
        "Map them, or give them a default, in include/mappings/. No row was moved."
    )
    for table in ("crm.products", "sync.staged", "sync.generation", "sync.lease"):
        assert count(company, table) == 0
    assert rows(company, "SELECT errors -> 'check_settings' ->> 'code' FROM sync.run") == [
        ("mandatory_fields",)
    ]
    company.close()


def test_with_a_default_in_the_table_the_run_may_start(company: Connection[Any]) -> None:
    company.execute(BUILT_IN.encode())
    company.execute("ALTER TABLE crm.products ALTER warehouse SET DEFAULT 'main'")
    company.execute("ALTER TABLE crm.contacts ALTER birthday DROP NOT NULL")

    settled = pipeline.check_settings("sample", "run-1", Request("manual", "admin"))

    assert settled == ["products", "accounts", "contacts"]
    company.close()


def test_only_the_modules_that_were_asked_for_are_looked_at(company: Connection[Any]) -> None:
    company.execute(BUILT_IN.encode())

    settled = pipeline.check_settings("sample", "run-1", Request("manual", "admin", ("accounts",)))

    assert settled == ["accounts"]
    company.close()
