"""Before any row moves, every field that the CRM requires must have a source or a default; only
then is it told what else does not fit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import checking, companies, database, pipeline
from quickbooks_crm.errors import MandatoryFieldsMissing, SettingsError
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import own_include
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

LOOKING: dict[str, Callable[[], object]] = {
    "a run": lambda: pipeline.check_settings("sample", "run-1", Request("manual", "admin")),
    "make mappings": lambda: checking.check(["sample"]),
}
before_a_run_and_by_hand = pytest.mark.parametrize("look", LOOKING.values(), ids=LOOKING.keys())


@pytest.fixture
def mappings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Mappings that a test may edit."""
    return own_include(tmp_path, monkeypatch) / "mappings"


def edit(file: Path, old: str, new: str) -> None:
    """Put other words in the place of those that are there once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def without(file: Path, column: str) -> None:
    """Leave the line of a column out, as a person would, and nothing else."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    left = [line for line in lines if not line.startswith(f"  {column}:")]
    assert len(left) == len(lines) - 1
    file.write_text("".join(left), encoding="utf-8")


@pytest.fixture
def company(crm: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection[Any]]:
    """A CRM that knows the company of include/companies/sample.yaml."""
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", QUICKBOOKS % REALM)
    include = Path(companies.INCLUDE)
    with psycopg.connect(crm, autocommit=True) as connection:
        database.add_companies(connection, include / "crm", {"sample": "Sample company"})
        yield connection


def told(table: str, *columns: str) -> list[str]:
    """What is said of columns that nothing fills, each written `name (label)`."""
    file = companies.INCLUDE / "mappings" / f"{table}.yaml"
    line = file.read_text(encoding="utf-8").splitlines().index("fields:") + 1
    return [
        f"  {table}.yaml line {line}: fields: nothing fills crm.{table}.{column}. Write "
        f"{column.split()[0]}: {{from: …}} with the path of a field, or {column.split()[0]}: "
        "{value: …} with a constant."
        for column in columns
    ]


def test_one_message_names_all_missing_fields_by_label_and_module_and_no_row_moves(
    company: Connection[Any],
) -> None:
    """K18."""
    company.execute(BUILT_IN.encode())
    company.execute(ADDED_BY_THE_CUSTOMER)

    with pytest.raises(MandatoryFieldsMissing) as stopped:
        pipeline.check_settings("sample", "run-1", Request("manual", "admin"))

    assert str(stopped.value).splitlines() == [
        "Required CRM fields have neither a source nor a default:",
        *told("products", "warehouse (Where it is kept)"),
        *told("contacts", "birthday (Birthday)", "greeting (How to greet)"),
        "Or give them a default in the table.",
    ]
    for table in ("crm.products", "sync.staged", "sync.generation", "sync.lease"):
        assert count(company, table) == 0
    assert rows(company, "SELECT errors -> 'check_settings' ->> 'code' FROM sync.run") == [
        ("mandatory_fields",)
    ]


def test_with_a_default_in_the_table_the_run_may_start(company: Connection[Any]) -> None:
    company.execute(BUILT_IN.encode())
    company.execute("ALTER TABLE crm.products ALTER warehouse SET DEFAULT 'main'")
    company.execute("ALTER TABLE crm.contacts ALTER birthday DROP NOT NULL")

    settled = pipeline.check_settings("sample", "run-1", Request("manual", "admin"))

    assert settled == [
        *("products", "vendors", "accounts", "contacts", "quotes", "invoices", "payments")
    ]


def test_a_default_that_only_the_form_states_is_none(company: Connection[Any]) -> None:
    """The form fills it in for a person who opens one; the table itself leaves the field empty."""
    company.execute("ALTER TABLE crm.products ADD COLUMN warehouse text")
    company.execute(
        "INSERT INTO crm.form_field (table_name, column_name, label, type, required, default_value)"
        " VALUES ('crm.products', 'warehouse', 'Where it is kept', 'text', true, 'main')"
    )
    company.execute("INSERT INTO crm.products (name) VALUES ('Pump')")
    assert rows(company, "SELECT warehouse FROM crm.products") == [(None,)]

    with pytest.raises(MandatoryFieldsMissing, match=r"\.warehouse \(Where it is kept\)"):
        pipeline.check_settings("sample", "run-1", Request("manual", "admin"))


def test_only_the_modules_that_were_asked_for_are_looked_at(company: Connection[Any]) -> None:
    company.execute(BUILT_IN.encode())

    settled = pipeline.check_settings("sample", "run-1", Request("manual", "admin", ("accounts",)))

    assert settled == ["accounts"]


@before_a_run_and_by_hand
def test_leaving_out_a_line_that_check_names_too_is_told_as_a_missing_field(
    company: Connection[Any], mappings: Path, look: Callable[[], object]
) -> None:
    without(mappings / "products.yaml", "name")
    without(mappings / "accounts.yaml", "name")
    without(mappings / "contacts.yaml", "last_name")

    with pytest.raises(MandatoryFieldsMissing) as stopped:
        look()

    assert str(stopped.value).splitlines() == [
        "Required CRM fields have neither a source nor a default:",
        *told("products", "name (Product name)"),
        *told("accounts", "name (Account name)"),
        *told("contacts", "last_name (Last name)"),
        "Or give them a default in the table.",
    ]
    assert count(company, "sync.lease") == 0


@before_a_run_and_by_hand
def test_leaving_out_a_mandatory_key_is_told_as_a_missing_field(
    company: Connection[Any], mappings: Path, look: Callable[[], object]
) -> None:
    company.execute("ALTER TABLE crm.products ALTER quickbooks_product_id SET NOT NULL")
    without(mappings / "products.yaml", "quickbooks_product_id")

    with pytest.raises(MandatoryFieldsMissing, match=r" \(QuickBooks product id\)"):
        look()


@before_a_run_and_by_hand
def test_missing_fields_are_told_before_all_else_that_does_not_fit(
    company: Connection[Any], mappings: Path, look: Callable[[], object]
) -> None:
    edit(mappings / "products.yaml", "  name:", "  nmae:")
    edit(mappings / "accounts.yaml", "check: [name]", "check: [nam]")
    edit(
        mappings / "accounts.yaml", "deleted:                {value: false}", "deleted: {value: x}"
    )
    edit(mappings / "contacts.yaml", "crm.contacts\n", "crm.contactz\n")

    with pytest.raises(MandatoryFieldsMissing) as stopped:
        look()

    assert str(stopped.value).splitlines()[1:-1] == [
        *told("products", "name (Product name)"),
        "    products.yaml line 16: fields.nmae: crm.products has no column 'nmae'. "
        "Did you mean 'name'?",
    ]


@before_a_run_and_by_hand
def test_a_required_column_in_other_letters_is_told_with_the_one_that_was_meant(
    company: Connection[Any], mappings: Path, look: Callable[[], object]
) -> None:
    company.execute("ALTER TABLE crm.products ADD COLUMN origin text NOT NULL")
    edit(mappings / "products.yaml", "  name:", "  ORIGIN: {value: QuickBooks}\n  name:")

    with pytest.raises(MandatoryFieldsMissing) as stopped:
        look()

    assert str(stopped.value).splitlines()[1:-1] == [
        *told("products", "origin (Origin)"),
        "    products.yaml line 16: fields.ORIGIN: crm.products has no column 'ORIGIN'. "
        "Did you mean 'origin'?",
    ]


@before_a_run_and_by_hand
def test_key_and_check_fields_that_nothing_fills_and_constants_that_do_not_fit_stop_a_run(
    company: Connection[Any], mappings: Path, look: Callable[[], object]
) -> None:
    edit(mappings / "products.yaml", "check: [name] ", "check: [nam] ")
    edit(
        mappings / "products.yaml", "deleted:               {value: false}", "deleted: {value: no}"
    )
    without(mappings / "contacts.yaml", "quickbooks_customer_id")
    without(mappings / "contacts.yaml", "first_name")
    edit(mappings / "contacts.yaml", "{deleted: true,", "{deleted: perhaps,")

    with pytest.raises(SettingsError) as told:
        look()

    assert str(told.value) == (
        "The mappings do not fit the CRM:\n"
        "  products.yaml line 12: import.check names 'nam', which no line of fields fills. "
        "Did you mean 'name'? Map it, or take it out.\n"
        "  products.yaml line 26: fields.deleted.value 'no' is neither true nor false. "
        "crm.products.deleted takes boolean.\n"
        "  contacts.yaml line 13: import.key names 'quickbooks_customer_id', which no line of "
        "fields fills. Map it, or name another column.\n"
        "  contacts.yaml line 14: import.check names 'first_name', which no line of fields fills. "
        "Map it, or take it out.\n"
        "  contacts.yaml line 31: when_deleted.deleted 'perhaps' is neither true nor false. "
        "crm.contacts.deleted takes boolean."
    )
    for table in ("crm.products", "sync.staged", "sync.generation", "sync.lease"):
        assert count(company, table) == 0
    assert rows(company, "SELECT 1 FROM sync.run WHERE mappings <> '{}'") == []


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            "company_id: {value: sample}",
            "crm.products.company_id says which company a record belongs to, and the sync itself "
            "fills it. Take it out, and write company: company_id.",
        ),
        (
            "created_at: {from: MetaData.CreateTime}",
            "the database itself fills crm.products.created_at. Take it out.",
        ),
        (
            "updated_at: {from: MetaData.LastUpdatedTime}",
            "the database itself fills crm.products.updated_at. Take it out.",
        ),
    ],
)
def test_a_field_cannot_fill_what_the_sync_or_the_table_itself_fills(
    company: Connection[Any], mappings: Path, field: str, said: str
) -> None:
    """K14."""
    file, name = mappings / "products.yaml", field.partition(":")[0]
    edit(file, "company: company_id ", "")
    edit(file, "fields:\n", f"fields:\n  {field}\n")
    line = file.read_text(encoding="utf-8").splitlines().index(f"  {field}") + 1

    with pytest.raises(SettingsError) as told:
        pipeline.check_settings("sample", "run-1", Request("manual", "admin", ("products",)))

    assert str(told.value) == (
        f"The mappings do not fit the CRM:\n  products.yaml line {line}: fields.{name}: {said}"
    )


def test_a_moment_that_people_may_write_can_be_mapped_whatever_its_default(
    company: Connection[Any], mappings: Path
) -> None:
    """In a CRM of another make it may be wanted: when QuickBooks says that it was made."""
    company.execute("UPDATE crm.form_field SET read_only = false WHERE column_name = 'created_at'")
    edit(
        mappings / "products.yaml",
        "fields:\n",
        "fields:\n  created_at: {from: MetaData.CreateTime}\n",
    )

    asked = Request("manual", "admin", ("products",))

    assert pipeline.check_settings("sample", "run-1", asked) == ["products"]
