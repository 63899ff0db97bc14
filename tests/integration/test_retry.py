"""A row that is held back comes back by itself when what kept it out has changed, and only then."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import (
    REALM,
    End,
    accounts,
    by_hand,
    count,
    customer,
    item,
    mapping,
    one,
    outcome,
    products,
    rows,
    sync,
)
from tests.integration.keyword_lists import (
    RAISES,
    REQUIRED_TERMS,
    TERMS,
    guard,
    listed,
    mapped,
    values,
)
from tests.integration.own_tables import into, own

__all__ = ["own"]


def held(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    return rows(connection, "SELECT id, reason FROM sync.held ORDER BY id")


def twins(connection: Connection[Any]) -> int:
    """A record made by hand, and one of QuickBooks' that is held back as its duplicate."""
    key = by_hand(connection, "crm.products", company_id="sample", name="Hose")
    assert sync(connection, products(), item("7", Name="hose")) == [
        End("7", "duplicate", "check_fields")
    ]
    return key


@pytest.fixture
def crm(connection: Connection[Any]) -> Connection[Any]:
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('sample', 'A company')")
    return connection


def test_nothing_is_tried_again_as_long_as_nothing_changed(crm: Connection[Any]) -> None:
    twins(crm)
    one(crm, "UPDATE crm.products SET price = 5 RETURNING id")

    assert sync(crm, products()) == []


def test_a_duplicate_is_added_once_the_record_in_its_way_is_renamed(crm: Connection[Any]) -> None:
    key = twins(crm)
    one(crm, "UPDATE crm.products SET name = 'Garden hose' WHERE id = %s RETURNING id", [key])

    assert sync(crm, products()) == [End("7", "added")]
    assert held(crm) == []


def test_a_duplicate_is_added_once_the_record_in_its_way_is_deleted(crm: Connection[Any]) -> None:
    twins(crm)
    one(crm, "DELETE FROM crm.products RETURNING id")

    assert sync(crm, products()) == [End("7", "added")]


def test_an_ambiguous_key_is_tried_again_when_one_of_the_candidates_changed(
    crm: Connection[Any],
) -> None:
    known = products("{key: code}")
    keys = [
        by_hand(crm, "crm.products", company_id="sample", name=name, code="A1")
        for name in ("One", "Two")
    ]
    ambiguous = End("7", "not_added", "ambiguous_key")
    assert sync(crm, known, item("7", Sku="A1")) == [ambiguous]
    assert sync(crm, known) == []

    one(crm, "UPDATE crm.products SET code = 'B2' WHERE id = %s RETURNING id", [keys[1]])

    assert sync(crm, known) == [End("7", "updated")]
    assert outcome(crm, "7", "record_key") == (str(keys[0]),)


def test_a_taken_key_is_tried_again_when_the_other_record_gave_it_up(
    crm: Connection[Any],
) -> None:
    known = products("{key: code}")
    sync(crm, known, item("6", Sku="A1"))
    assert sync(crm, known, item("7", Sku="A1")) == [End("7", "duplicate", "key_taken")]

    sync(crm, known, item("6", Sku="B2"))

    assert sync(crm, known) == [End("7", "added")]


def test_a_name_is_tried_again_when_its_first_owner_changes_its_state(
    crm: Connection[Any],
) -> None:
    """It is still the same name, so it stays a duplicate; but it was looked at again."""
    sync(crm, products(), item("6", Name="Hose"))
    sync(crm, products(), item("7", Name="Hose"))
    sync(crm, products(), item("6", Name="Hose (deleted)", Active=False))

    assert sync(crm, products()) == [End("7", "duplicate", "check_fields")]
    assert sync(crm, products()) == []


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("CREATE TABLE t (id serial PRIMARY KEY, quickbooks_id text, name varchar(5))",
         "ALTER TABLE t ALTER name TYPE varchar(50)"),
        ("CREATE TABLE t (id serial PRIMARY KEY, quickbooks_id text, name text CHECK (name = 'x'))",
         "ALTER TABLE t DROP CONSTRAINT t_name_check"),
        ("CREATE TABLE t (id serial PRIMARY KEY, quickbooks_id text, name text, code int NOT NULL)",
         "ALTER TABLE t ALTER code DROP NOT NULL"),
    ],
)  # fmt: skip
def test_a_refused_row_is_tried_again_when_the_table_has_other_rules(
    crm: Connection[Any], table: str, change: str
) -> None:
    crm.execute(table.replace("TABLE t", "TABLE crm.t").encode())
    fields = "code: {from: Sku}" if "code" in table else ""
    known = parse_all({"things": mapping("crm.t", fields)})
    [(_, ended, _)] = sync(crm, known, item("7", Name="A long name"))
    assert ended == "not_added"
    assert sync(crm, known) == []

    crm.execute(change.replace("TABLE t", "TABLE crm.t").encode())

    assert sync(crm, known) == [End("7", "added")]
    assert held(crm) == []


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("TABLE own.base (id serial PRIMARY KEY, quickbooks_id text, name text CONSTRAINT rule "
         "CHECK (name <> 'Hose')); CREATE VIEW own.things AS SELECT * FROM own.base",
         "ALTER TABLE own.base DROP CONSTRAINT rule"),
        ("TABLE own.base (id serial PRIMARY KEY, quickbooks_id text, name text); CREATE VIEW "
         "own.things AS SELECT * FROM own.base WHERE name <> 'Hose' WITH CHECK OPTION",
         "CREATE OR REPLACE VIEW own.things AS SELECT * FROM own.base"),
        ("TABLE own.things (id serial, quickbooks_id text, name text, PRIMARY KEY (id)) "
         "PARTITION BY RANGE (id)",
         "CREATE TABLE own.part PARTITION OF own.things DEFAULT"),
        ("TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text) PARTITION BY "
         "RANGE (id); CREATE TABLE own.part PARTITION OF own.things (CONSTRAINT rule CHECK "
         "(name <> 'Hose')) DEFAULT",
         "ALTER TABLE own.part DROP CONSTRAINT rule"),
        ("DOMAIN own.inner AS text CONSTRAINT rule CHECK (VALUE <> 'Hose'); CREATE DOMAIN "
         "own.outer AS own.inner; CREATE TABLE own.things (id serial PRIMARY KEY, "
         "quickbooks_id text, name own.outer)",
         "ALTER DOMAIN own.inner DROP CONSTRAINT rule"),
        ("TYPE own.word AS ENUM ('Pump'); CREATE DOMAIN own.outer AS own.word; CREATE TABLE "
         "own.things (id serial PRIMARY KEY, quickbooks_id text, name own.outer)",
         "ALTER TYPE own.word ADD VALUE 'Hose'"),
        ("TYPE own.word AS ENUM ('Pump'); CREATE TABLE own.things (id serial PRIMARY KEY, "
         "quickbooks_id text, name own.word[])",
         "ALTER TYPE own.word ADD VALUE 'Hose'"),
        ("TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text); ALTER TABLE "
         "own.things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY rule ON "
         "own.things USING (true) WITH CHECK (name <> 'Hose')",
         "ALTER POLICY rule ON own.things WITH CHECK (true)"),
    ],
    ids=["table_of_view", "view", "new_partition", "partition", "domain_of_domain",
         "enum_of_domain", "enum_of_array", "policy"],
)  # fmt: skip
def test_a_refused_row_is_tried_again_when_a_rule_changed_that_its_columns_do_not_show(
    own: Connection[Any], table: str, change: str
) -> None:
    own.execute(f"CREATE {table}".encode())
    name = ["Hose"] if "[]" in table else "Hose"
    [(_, ended, _)] = sync(own, into(), item("7", Name=name))
    assert ended == "not_added"
    assert sync(own, into()) == []

    own.execute(change.encode())

    assert sync(own, into()) == [End("7", "added")]


def test_a_row_that_lacks_what_the_form_requires_is_tried_again_when_it_requires_less(
    crm: Connection[Any],
) -> None:
    require = (
        "UPDATE crm.form_field SET required = %s "
        "WHERE (table_name, column_name) = ('crm.products', 'code')"
    )
    crm.execute(require, [True])
    assert sync(crm, products(), item("7")) == [End("7", "not_added", "missing_required")]
    assert sync(crm, products()) == []

    crm.execute(require, [False])

    assert sync(crm, products()) == [End("7", "added")]


def test_a_row_refused_by_a_unique_index_is_tried_again_when_the_value_is_free(
    crm: Connection[Any],
) -> None:
    crm.execute("CREATE TABLE crm.t (id serial PRIMARY KEY, quickbooks_id text, name text UNIQUE)")
    known = parse_all({"things": mapping("crm.t")})
    by_hand(crm, "crm.t", name="Hose")
    assert sync(crm, known, item("7", Name="Hose")) == [End("7", "not_added", "refused_by_table")]
    assert sync(crm, known) == []

    crm.execute("UPDATE crm.t SET name = 'Garden hose'")

    assert sync(crm, known) == [End("7", "added")]


@pytest.mark.parametrize(
    "table",
    [
        "TABLE own.base (id serial PRIMARY KEY, quickbooks_id text, name text UNIQUE, hidden text "
        "UNIQUE); CREATE VIEW own.things AS SELECT id, quickbooks_id, name FROM own.base",
        "TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text) PARTITION BY "
        "RANGE (id); CREATE TABLE own.part PARTITION OF own.things (UNIQUE (name)) DEFAULT",
        "TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text, value json, "
        "UNIQUE (name) INCLUDE (value))",
        "TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text, value text, "
        "UNIQUE NULLS NOT DISTINCT (name, value))",
        "TABLE own.things (id serial PRIMARY KEY, quickbooks_id text, name text, "
        "EXCLUDE (name WITH =))",
    ],
    ids=["table_of_view", "partition", "columns_only_included", "one_blank", "exclusion"],
)
def test_a_row_is_tried_again_when_the_value_is_free_whatever_the_unique_index_is_like(
    own: Connection[Any], table: str
) -> None:
    own.execute(f"CREATE {table}".encode())
    known = into("value" if "value" in table else "")
    by_hand(own, "own.things", name="Hose")
    refused = End("7", "not_added", "refused_by_table")
    assert sync(own, known, item("7", Name="Hose")) == [refused]
    assert sync(own, known) == []

    own.execute("UPDATE own.things SET name = 'Garden hose'")

    assert sync(own, known) == [End("7", "added")]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'Net 45')",
        "INSERT INTO crm.keyword_aliases (list_id, value_id, alias) VALUES (7, 72, 'net 45')",
        "UPDATE crm.keyword_values SET value = 'Net 45' WHERE id = 72",
    ],
)
def test_a_row_without_a_required_keyword_is_tried_again_when_it_is_on_the_list(
    crm: Connection[Any], change: str
) -> None:
    listed(crm, "terms")
    known = mapped(REQUIRED_TERMS)
    refused = End("7", "not_added", "missing_required")
    assert sync(crm, known, item("7", Terms="Net 45")) == [refused]
    assert sync(crm, known) == []

    crm.execute(change.encode())

    assert sync(crm, known) == [End("7", "added")]
    assert held(crm) == []


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER guards ON crm.keyword_values",
        "ALTER TABLE crm.keyword_values DISABLE TRIGGER guards; "
        "INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'Net 45')",
    ],
)
def test_a_row_with_a_refused_keyword_is_tried_again_when_its_list_may_take_it(
    crm: Connection[Any], change: str
) -> None:
    listed(crm, "terms")
    guard(crm, RAISES)
    known = mapped(TERMS, unknown_keywords="insert")
    refused = End("7", "not_added", "refused_by_table")
    assert sync(crm, known, item("7", Terms="Net 45")) == [refused]
    assert sync(crm, known) == []

    crm.execute(change.encode())

    assert sync(crm, known) == [End("7", "added")]


def test_a_row_with_a_refused_keyword_is_tried_once_when_its_own_load_has_added_others(
    crm: Connection[Any],
) -> None:
    """The list may take it beside them."""
    listed(crm, "terms")
    guard(crm, RAISES)
    known = mapped(TERMS, unknown_keywords="insert")
    refused = End("7", "not_added", "refused_by_table")

    sync(crm, known, item("7", Terms="Net 45"), item("8", Terms="Net 90"))

    assert sync(crm, known) == [refused]
    assert sync(crm, known) == []


def test_a_row_held_back_is_not_tried_again_for_a_keyword_that_its_own_load_has_added(
    crm: Connection[Any],
) -> None:
    """It could have had that one in the load."""
    listed(crm, "terms")
    listed(crm, "tags", several=True)
    known = mapped(f"{REQUIRED_TERMS}, tags: {{from: Tags, keywords: insert}}")
    without, with_new = item("7", Terms="Net 45"), item("8", Terms="Net 60", Tags="Net 90")
    refused = End("7", "not_added", "missing_required")
    assert sync(crm, known, without, with_new) == [refused, End("8", "added")]
    assert values(crm) == ["Net 30", "Net 60", "Net 90"]

    assert sync(crm, known) == []

    crm.execute("INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'Net 45')")
    assert sync(crm, known) == [End("7", "added")]


def test_a_row_without_a_required_keyword_is_tried_again_when_another_module_has_added_it(
    crm: Connection[Any],
) -> None:
    listed(crm, "terms")
    crm.execute("ALTER TABLE crm.accounts ADD COLUMN payment text")
    crm.execute(
        "INSERT INTO crm.form_field (table_name, column_name, label, type, keyword_list_id, "
        "multi_value) VALUES ('crm.accounts', 'payment', 'Payment', 'keyword', 7, false)"
    )
    inserts = parse_all({"accounts": accounts("payment: {from: Terms, keywords: insert}")})
    known = mapped(REQUIRED_TERMS) | inserts
    refused = End("7", "not_added", "missing_required")
    ends = sync(crm, known, item("7", Terms="Net 45"), customer("1", Terms="Net 45"))
    assert ends == [refused, End("1", "added")]

    assert sync(crm, known) == [End("7", "added")]
    assert sync(crm, known) == []


def test_what_the_mapping_excludes_waits_for_the_record_or_the_mapping(
    crm: Connection[Any],
) -> None:
    known = products(exclude="[{where: {Type: Category}, because: it is a folder}]")
    sync(crm, known, item("7", Type="Category"))
    crm.execute("ALTER TABLE crm.products ALTER name TYPE varchar(300)")

    assert sync(crm, known) == []


def test_what_was_undone_waits_for_a_person(crm: Connection[Any]) -> None:
    twins(crm)
    crm.execute("UPDATE sync.held SET reason = 'undone', cause = NULL")
    one(crm, "DELETE FROM crm.products RETURNING id")

    assert sync(crm, products()) == []


def test_rows_held_before_causes_were_kept_are_tried_once(crm: Connection[Any]) -> None:
    twins(crm)
    crm.execute("UPDATE sync.held SET cause = NULL, due = true")

    assert sync(crm, products()) == [End("7", "duplicate", "check_fields")]
    assert sync(crm, products()) == []
    assert count(crm, "sync.held") == 1
    assert one(crm, "SELECT realm FROM sync.held") == REALM
