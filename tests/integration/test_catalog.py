"""A CRM's tables as they are, and what does not fit them."""

from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import parse
from tests.integration.crm import mapping

TABLE = """
    CREATE TYPE own.mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN own.short AS varchar(5) NOT NULL;
    CREATE DOMAIN own.money AS numeric(9, 2) CHECK (VALUE >= 0);
    CREATE DOMAIN own.feeling AS own.mood;
    CREATE TABLE own."Order" (
        id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name        varchar(20) NOT NULL,
        code        char(3),
        note        text DEFAULT 'none',
        amount      numeric(7, 3),
        anything    numeric,
        small       smallint,
        so          boolean NOT NULL DEFAULT true,
        day         date,
        at          timestamptz,
        which       uuid,
        mood        own.mood,
        short       own.short,
        money       own.money,
        feeling     own.feeling,
        tags        text[],
        "Twice"     text GENERATED ALWAYS AS (name || name) STORED
    )"""


@pytest.fixture
def own(connection: Connection[Any]) -> None:
    connection.execute("CREATE SCHEMA own")
    connection.execute(TABLE.encode())


def misfits(connection: Connection[Any], fields: str, **words: str) -> list[str]:
    known = parse("orders", mapping("own.Order", fields, **words), "orders.yaml")
    return list(catalog.misfits(catalog.read(connection, "own.Order"), known))


@pytest.mark.usefixtures("own")
def test_columns_are_read_with_their_types_lengths_and_rules(connection: Connection[Any]) -> None:
    found = catalog.read(connection, "own.Order").columns

    assert {name: (c.kind, c.length, c.precision, c.scale) for name, c in found.items()} == {
        "id": ("integer", None, None, None),
        "name": ("text", 20, None, None),
        "code": ("text", 3, None, None),
        "note": ("text", None, None, None),
        "amount": ("numeric", None, 7, 3),
        "anything": ("numeric", None, None, None),
        "small": ("integer", None, None, None),
        "so": ("boolean", None, None, None),
        "day": ("date", None, None, None),
        "at": ("timestamp", None, None, None),
        "which": ("uuid", None, None, None),
        "mood": ("choice", None, None, None),
        "short": ("text", 5, None, None),
        "money": ("numeric", None, 9, 2),
        "feeling": ("choice", None, None, None),
        "tags": ("other", None, None, None),
        "Twice": ("text", None, None, None),
    }
    assert found["feeling"].choices == found["mood"].choices == ("happy", "sad")
    assert [name for name, c in found.items() if c.required] == ["id", "name", "so", "short"]
    assert [name for name, c in found.items() if not c.writable] == ["id", "Twice"]


@pytest.mark.usefixtures("own")
def test_a_new_record_needs_what_is_required_and_has_no_default(
    connection: Connection[Any],
) -> None:
    table = catalog.read(connection, "own.Order")

    assert [column.name for column in table.required] == ["name", "short"]
    assert table.columns["id"].sequence == 'own."Order_id_seq"'


def test_labels_and_required_marks_come_from_the_crms_forms(connection: Connection[Any]) -> None:
    connection.execute("UPDATE crm.form_field SET required = true WHERE column_name = 'code'")

    found = catalog.read(connection, "crm.products").columns

    assert (found["code"].label, found["code"].required) == ("Product code", True)
    assert found["quickbooks_product_id"].label == "QuickBooks product id"


@pytest.mark.usefixtures("own")
def test_without_a_form_a_label_is_made_of_the_name(connection: Connection[Any]) -> None:
    assert catalog.read(connection, "own.Order").columns["so"].label == "So"


def test_a_table_that_is_not_there_is_named_with_what_to_do(connection: Connection[Any]) -> None:
    with pytest.raises(SettingsError) as told:
        catalog.read(connection, "crm.productz")

    assert str(told.value) == (
        "The CRM database has no table crm.productz, or this login may not see it. Create it (the "
        "reference CRM: python -m quickbooks_crm install-crm), or name another one in the mapping."
    )


@pytest.mark.parametrize(
    ("key", "many"), [("", "no"), (", PRIMARY KEY (name, quickbooks_id)", "2")]
)
def test_a_table_needs_a_primary_key_of_one_column(
    connection: Connection[Any], key: str, many: str
) -> None:
    connection.execute(f"CREATE TABLE crm.keyless (quickbooks_id text, name text{key})".encode())

    with pytest.raises(SettingsError) as told:
        catalog.read(connection, "crm.keyless")

    assert str(told.value) == (
        f"The table crm.keyless has {many} primary key columns. A mapped table needs exactly one, "
        "so that a QuickBooks record can be linked to it."
    )


@pytest.mark.usefixtures("own")
def test_all_that_does_not_fit_is_told_with_its_line(connection: Connection[Any]) -> None:
    found = misfits(
        connection,
        "nmae: {from: Name}, Twice: {from: Name}, so: {from: Active}, zzz: {from: X}",
        company="company_id",
        when_deleted="{so: false}",
    )

    columns = "id, name, code, note, amount, anything, small, so, day, at, which, mood, short, "
    columns += "money, feeling, tags, Twice"
    assert found == [
        "orders.yaml line 4: fields.quickbooks_id: own.Order has no column 'quickbooks_id'. "
        f"It has: {columns}.",
        "orders.yaml line 4: fields.nmae: own.Order has no column 'nmae'. Did you mean 'name'?",
        "orders.yaml line 4: fields.Twice: the database itself fills own.Order.Twice. Take it out.",
        f"orders.yaml line 4: fields.zzz: own.Order has no column 'zzz'. It has: {columns}.",
        f"orders.yaml line 5: company: own.Order has no column 'company_id'. It has: {columns}.",
    ]


@pytest.mark.usefixtures("own")
def test_a_table_whose_key_nothing_fills_is_told(connection: Connection[Any]) -> None:
    table = catalog.read(connection, "own.Order")
    bare = replace(table.columns["id"], sequence=None)
    known = parse("orders", mapping("own.Order"), "orders.yaml")

    found = list(catalog.misfits(replace(table, columns=table.columns | {"id": bare}), known))

    assert found[-1] == (
        "orders.yaml: new records of own.Order get no id. Give the column a default, or map it."
    )


def test_a_company_is_known_when_its_record_exists_or_the_column_points_nowhere(
    connection: Connection[Any],
) -> None:
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('sample', 'Sample')")
    table = catalog.read(connection, "crm.products")

    assert catalog.company_is_known(connection, table, "company_id", "sample")
    assert not catalog.company_is_known(connection, table, "company_id", "other")
    assert catalog.company_is_known(connection, table, "code", "other")
