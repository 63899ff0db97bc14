"""Add New Field: a column and what its form says of it, at once and without touching a row."""

import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from demo.postgres import ADMINISTRATOR
from quickbooks_crm import acts, catalog, new_field
from quickbooks_crm.errors import SettingsError, TableBusy
from quickbooks_crm.new_field import NewField, add_field
from tests.integration.crm import End, by_hand, item, one, products, rows, sync

REGION = NewField("crm.products", "Sales region", "text")
FORM = """
    SELECT label, type, required, read_only, default_value, multi_value, currency
      FROM crm.form_field WHERE column_name = '{}'"""


def add(connection: Connection[Any], label: str = "Sales region", **words: Any) -> str:
    """The name of the column that a new field of products gets."""
    return add_field(connection, replace(REGION, label=label, **words), "ann").column


def column(connection: Connection[Any], name: str) -> catalog.Column:
    return catalog.read(connection, "crm.products").columns[name]


def refusal(connection: Connection[Any], **words: Any) -> str:
    with pytest.raises(SettingsError) as told:
        add(connection, **words)
    return str(told.value)


@pytest.mark.parametrize(
    ("words", "type_", "form"),
    [
        ({}, "character varying(200)", ("text", False, False, None, False, False)),
        ({"length": 30}, "character varying(30)", ("text", False, False, None, False, False)),
        ({"type": "multi_line"}, "text", ("multi_line", False, False, None, False, False)),
        ({"type": "numeric"}, "numeric(20,2)", ("numeric", False, False, None, False, False)),
        (
            {"type": "numeric", "decimals": 0, "currency": True},
            "numeric(20,0)",
            ("numeric", False, False, None, False, True),
        ),
        (
            {"type": "date", "default": "2026-01-31", "read_only": True},
            "date",
            ("date", False, True, "2026-01-31", False, False),
        ),
        ({"type": "time"}, "time without time zone", ("time", False, False, None, False, False)),
        (
            {"type": "date_time"},
            "timestamp with time zone",
            ("date_time", False, False, None, False, False),
        ),
        (
            {"type": "keyword", "list": "Regions", "required": True},
            "character varying(200)",
            ("keyword", True, False, None, False, False),
        ),
        (
            {"type": "keyword", "list": "Regions", "multi_value": True, "default": "North; South"},
            "text[]",
            ("keyword", False, False, "North; South", True, False),
        ),
    ],
)
def test_a_field_of_every_type_is_a_column_and_a_line_of_the_form(
    connection: Connection[Any], words: dict[str, Any], type_: str, form: tuple[Any, ...]
) -> None:
    assert add(connection, **words) == "sales_region"

    assert column(connection, "sales_region").type == type_
    assert column(connection, "sales_region").label == "Sales region"
    assert rows(connection, FORM.format("sales_region")) == [("Sales region", *form)]


def test_a_default_moment_without_a_zone_is_utc(connection: Connection[Any]) -> None:
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")
    by_hand(connection, "crm.products", name="Pump")
    asked = "SELECT {} AT TIME ZONE 'UTC' = '2026-01-31 09:30' FROM crm.products"

    plain = add(connection, type="date_time", default="2026-01-31 09:30")
    zoned = add(connection, "Sold", type="date_time", default="2026-01-31T18:30:00+09:00")

    assert rows(connection, asked.format(plain)) == [(True,)]
    assert rows(connection, asked.format(zoned)) == [(True,)]


def test_a_new_field_is_mapped_and_filled_at_once(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"))
    name = add(connection)

    known = products(fields=f"{name}: {{from: Region}}")
    assert sync(connection, known, item("7", Region="North")) == [End("7", "updated")]

    assert rows(connection, "SELECT sales_region FROM crm.products") == [("North",)]


def test_a_new_keyword_field_takes_several_keywords_of_its_list(
    connection: Connection[Any],
) -> None:
    add(connection, type="keyword", list="Regions", multi_value=True)
    known = products(
        "{key: quickbooks_product_id, separator: '|'}",
        fields="sales_region: {from: Region, keywords: insert}",
    )

    ended = sync(connection, known, item("7", Region="North|South"))

    assert ended == [End("7", "added")]
    assert one(connection, "SELECT sales_region FROM crm.products") == ["North", "South"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Größe (cm)", "groe_cm"),
        ("Order", "order_2"),
        ("Name", "name_2"),
        ("2nd price", "field_2nd_price"),
        ("売上地域", "field"),
        ("ctid", "ctid_2"),
        ("a" * 80, "a" * 63),
        ("É'); DROP TABLE crm.products; --", "e_drop_table_crm_products"),
    ],
)
def test_the_name_of_the_column_is_safe_whatever_the_label(
    connection: Connection[Any], label: str, name: str
) -> None:
    connection.execute("ALTER TABLE crm.products ALTER name DROP NOT NULL")

    assert add(connection, label) == name
    assert column(connection, name).label == label


def test_labels_that_make_the_same_name_get_columns_of_their_own(
    connection: Connection[Any],
) -> None:
    long = "a" * 70

    names = [add(connection, label) for label in ("A-B", "A/B", "A B", long, f"{long}b")]

    assert names == ["a_b", "a_b_2", "a_b_3", "a" * 63, "a" * 61 + "_2"]


def test_a_label_may_change_and_the_column_stays(connection: Connection[Any]) -> None:
    known = products(fields=f"{add(connection)}: {{from: Region}}")
    sync(connection, known, item("7", Region="North"))

    connection.execute("UPDATE crm.form_field SET label = 'Area' WHERE label = 'Sales region'")

    assert sync(connection, known, item("7", Region="South")) == [End("7", "updated")]
    assert column(connection, "sales_region").label == "Area"
    assert add(connection) == "sales_region_2"


@pytest.mark.parametrize("label", ["Sales region", "SALES  REGION ", "Sales\u00a0region"])
def test_the_same_label_twice_is_refused(connection: Connection[Any], label: str) -> None:
    add(connection)

    assert refusal(connection, label=label) == (
        "crm.products has a field 'Sales region' already: its column is sales_region. "
        "Map that one, or write another label."
    )
    assert len(rows(connection, FORM.format("sales_region"))) == 1


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"default": "North"},
        {"default": "North", "required": True},
        {"type": "numeric", "default": "1.50"},
        {"type": "keyword", "list": "Regions", "multi_value": True, "default": "North|South"},
    ],
)
def test_no_row_is_rewritten(connection: Connection[Any], words: dict[str, Any]) -> None:
    by_hand(connection, "crm.products", name="Pump")
    kept = "SELECT pg_relation_filenode('crm.products'), min(xmin::text) FROM crm.products"
    before = rows(connection, kept)

    add(connection, **words)

    assert rows(connection, kept) == before
    assert one(connection, "SELECT name FROM crm.products") == "Pump"


def test_records_that_are_there_get_the_default(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="Pump")

    add(connection, type="keyword", list="Regions", default="North", required=True)

    assert one(connection, "SELECT sales_region FROM crm.products") == "North"
    query = """
        SELECT value FROM crm.keyword_values AS v JOIN crm.keyword_lists AS l ON l.id = list_id
         WHERE l.name = 'Regions'"""
    assert rows(connection, query) == [("North",)]


@pytest.mark.parametrize("records", [0, 1])
def test_a_required_field_is_required_by_the_table_only_where_no_record_lacks_it(
    connection: Connection[Any], records: int
) -> None:
    for _ in range(records):
        by_hand(connection, "crm.products", name="Pump")

    added = add_field(connection, replace(REGION, required=True), "ann")

    not_null = "SELECT attnotnull FROM pg_attribute WHERE attname = 'sales_region'"
    assert one(connection, not_null) == (records == 0)
    assert column(connection, added.column).required
    assert len(added.notes) == records


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"label": " "}, "a label is missing"),
        ({"label": "a\nb"}, "a label is one line of printable characters"),
        ({"type": "date", "length": 5}, "only a text has a length"),
        ({"decimals": 2}, "only a numeric has decimals"),
        ({"length": 0}, "a text has 1 to 10,485,760 characters"),
        ({"length": -1}, "a text has 1 to 10,485,760 characters"),
        ({"length": 10_485_761}, "a text has 1 to 10,485,760 characters"),
        ({"type": "numeric", "decimals": 11}, "a numeric has 0 to 10 decimals"),
        ({"type": "numeric", "decimals": -5}, "a numeric has 0 to 10 decimals"),
        ({"currency": True}, "only a numeric is an amount of money"),
        ({"type": "keyword"}, "a keyword needs its list"),
        ({"list": "Regions"}, "only a keyword has a list"),
        ({"multi_value": True}, "only a keyword takes several values"),
        ({"type": "date", "default": "31/12/2024"}, "'31/12/2024' is not a date"),
        ({"type": "date", "default": "infinity"}, "'infinity' is not a date"),
        ({"type": "time", "default": "now"}, "'now' is not a time"),
        ({"type": "date_time", "default": "2026-01-31"}, "'2026-01-31' is not a moment (date and"),
        ({"type": "numeric", "default": "1.005"}, "'1.005' has more than 2 decimal places"),
        ({"type": "numeric", "default": "NaN"}, "'NaN' is not a number"),
        ({"length": 3, "default": "North"}, "'North' is longer than 3 characters"),
        ({"table": "crm.nothing"}, "The CRM database has no table crm.nothing"),
        ({"label": "a" * 201}, "too long"),
    ],
)
def test_what_makes_no_field_is_told_and_changes_nothing(
    connection: Connection[Any], words: dict[str, Any], said: str
) -> None:
    form = "SELECT * FROM crm.form_field ORDER BY 1, 2"
    before = rows(connection, form), catalog.read(connection, "crm.products")

    assert said in refusal(connection, **words)

    assert (rows(connection, form), catalog.read(connection, "crm.products")) == before


def test_a_plan_shows_the_statements_and_changes_nothing(connection: Connection[Any]) -> None:
    wanted = replace(REGION, label='O"Brien', default="it's", required=True)

    planned = add_field(connection, wanted, "ann", plan=True)

    assert planned.statements[0] == (
        'ALTER TABLE "crm"."products" ADD COLUMN "o_brien" varchar(200) '
        "DEFAULT 'it''s'::varchar(200) NOT NULL;"
    )
    assert "o_brien" not in catalog.read(connection, "crm.products").columns
    assert acts.listed(connection, None, 5) == []
    assert add_field(connection, wanted, "ann").statements == planned.statements


def test_who_added_what_is_written_down(connection: Connection[Any]) -> None:
    add(connection, read_only=True)

    [act] = acts.listed(connection, None, 5)

    assert (act.kind, act.subject, act.by_whom) == (
        "field_added",
        "crm.products.sales_region",
        "ann",
    )
    assert act.details["label"] == "Sales region"


# ── other CRMs ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def other(connection: Connection[Any]) -> Connection[Any]:
    connection.execute('CREATE SCHEMA "My CRM"')
    connection.execute('CREATE TABLE "My CRM"."Firms" (id int PRIMARY KEY, "Name" text)')
    return connection


FIRMS = replace(REGION, table="My CRM.Firms")


def test_a_form_that_knows_less_is_told_what_it_knows(other: Connection[Any]) -> None:
    other.execute(
        'CREATE TABLE "My CRM".form_field (table_name text, column_name text, label text, '
        "required boolean)"
    )

    add_field(other, replace(FIRMS, required=True), "ann")

    found = catalog.read(other, "My CRM.Firms").columns["sales_region"]
    assert (found.label, found.required) == ("Sales region", True)
    with pytest.raises(SettingsError, match="keeps no keyword lists"):
        add_field(other, replace(FIRMS, label="X", type="keyword", list="Regions"), "ann")


def test_without_a_form_the_column_is_added_and_what_nothing_can_keep_is_refused(
    other: Connection[Any],
) -> None:
    added = add_field(other, FIRMS, "ann")

    assert added.notes == (
        "The schema My CRM has no table form_field like the reference CRM's: the label is not "
        "kept. Messages call the field Sales region.",
    )
    for words in ({"read_only": True}, {"type": "keyword", "list": "Regions"}):
        with pytest.raises(SettingsError, match="The schema My CRM has no table form_field"):
            add_field(other, replace(FIRMS, label="X", **words), "ann")
    with pytest.raises(SettingsError, match="has a field 'Sales region' already"):
        add_field(other, FIRMS, "ann")


def test_a_table_form_field_of_another_make_is_left_alone(other: Connection[Any]) -> None:
    other.execute('CREATE TABLE "My CRM".form_field (table_name text, label text)')

    added = add_field(other, FIRMS, "ann")

    assert added.notes == (
        "The schema My CRM has no table form_field like the reference CRM's: the label is not "
        "kept. Messages call the field Sales region.",
    )
    assert rows(other, 'SELECT * FROM "My CRM".form_field') == []


@pytest.mark.parametrize(
    "columns", ["id integer, list_id integer, word text", "list_id integer, value text"]
)
def test_keyword_tables_of_another_make_are_left_alone(
    other: Connection[Any], columns: str
) -> None:
    other.execute(
        'CREATE TABLE "My CRM".form_field (table_name text, column_name text, label text, '
        "required boolean, keyword_list_id integer)"
    )
    other.execute('CREATE TABLE "My CRM".keyword_lists (id serial PRIMARY KEY, name text)')
    other.execute(f'CREATE TABLE "My CRM".keyword_values ({columns})'.encode())

    with pytest.raises(SettingsError, match="keeps no keyword lists"):
        add_field(other, replace(FIRMS, type="keyword", list="Regions"), "ann")


def test_a_table_with_records_and_no_form_cannot_require_a_field_without_default(
    other: Connection[Any],
) -> None:
    other.execute('INSERT INTO "My CRM"."Firms" VALUES (1)')

    with pytest.raises(SettingsError, match=r"has records, which have no 'Sales region'"):
        add_field(other, replace(FIRMS, required=True), "ann")


def test_a_partitioned_table_gets_a_field_and_a_view_is_refused(other: Connection[Any]) -> None:
    other.execute('CREATE TABLE "My CRM".p (id int PRIMARY KEY) PARTITION BY RANGE (id)')
    other.execute('CREATE TABLE "My CRM".p1 PARTITION OF "My CRM".p FOR VALUES FROM (0) TO (9)')

    added = add_field(other, replace(FIRMS, table="My CRM.p", default="North"), "ann")

    assert added.column in catalog.read(other, "My CRM.p1").columns


@pytest.mark.parametrize("table", ["sync.lease", "sync.migration", "quickbooks.record"])
def test_a_table_of_the_projects_own_gets_no_field(connection: Connection[Any], table: str) -> None:
    with pytest.raises(SettingsError) as told:
        add_field(connection, replace(REGION, table=table), "ann")

    assert str(told.value) == (
        f"{table} is no table of the CRM: the schema {table.partition('.')[0]} is not the CRM's. "
        "Nothing was changed. Name a table of the CRM."
    )


KINDS = """
    SELECT value FROM crm.keyword_values AS own JOIN crm.keyword_lists AS list ON list.id = list_id
     WHERE name = 'Kinds'"""


@pytest.mark.parametrize("default", ["Retail|retail", "Retail; Retail ;RETAIL"])
def test_a_keyword_that_the_default_names_twice_is_one(
    connection: Connection[Any], default: str
) -> None:
    by_hand(connection, "crm.products", name="Pump")

    add(connection, type="keyword", list="Kinds", multi_value=True, default=default)

    assert one(connection, "SELECT sales_region FROM crm.products") == ["Retail"]
    assert rows(connection, KINDS) == [("Retail",)]


def test_only_a_label_that_the_form_has_is_told_as_such(connection: Connection[Any]) -> None:
    connection.execute(
        "CREATE UNIQUE INDEX one_value ON crm.keyword_values (list_id) WHERE value IN ('A', 'B')"
    )

    said = refusal(connection, type="keyword", list="Kinds", multi_value=True, default="A|B")

    assert "its rule one_value forbids it" in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("part", "is a part of another table. Add the field to that table."),
        ("typed", "is a table made of a type. Add the field to that type, in the database itself."),
        (
            "wide",
            "has as many columns as Postgres allows, 1,600 with those that were dropped. Nothing "
            "was changed. Map a column that it has.",
        ),
    ],
)
def test_a_table_that_takes_no_column_is_told_with_what_to_do(
    connection: Connection[Any], table: str, said: str
) -> None:
    connection.execute(TAKING_NO_COLUMN.encode())

    with pytest.raises(SettingsError) as told:
        add_field(connection, replace(REGION, table=f"own.{table}"), "ann")

    assert str(told.value) == f"own.{table} {said}"


TAKING_NO_COLUMN = f"""
    CREATE SCHEMA own;
    CREATE TABLE own.whole (id int PRIMARY KEY) PARTITION BY LIST (id);
    CREATE TABLE own.part PARTITION OF own.whole DEFAULT;
    CREATE TYPE own.form AS (id int);
    CREATE TABLE own.typed OF own.form (PRIMARY KEY (id));
    CREATE TABLE own.wide (id int PRIMARY KEY, {", ".join(f"c{n} int" for n in range(1599))})"""


def test_what_the_database_itself_forbids_is_told_in_its_words(other: Connection[Any]) -> None:
    other.execute('CREATE TABLE "My CRM".copies (firm "My CRM"."Firms")')

    with pytest.raises(SettingsError) as told:
        add_field(other, replace(FIRMS, default="North"), "ann")

    assert str(told.value) == (
        'The CRM\'s database takes no new column in My CRM.Firms: cannot alter table "Firms" '
        'because column "copies.firm" uses its row type (0A000). Nothing was changed. Let whoever '
        "looks after it allow that, or add the column."
    )


@pytest.mark.parametrize("type_", ["varchar(200)", "integer"])
def test_a_column_of_a_table_that_inherits_is_no_new_field(
    other: Connection[Any], type_: str
) -> None:
    """Postgres would make both one column, or refuse it, by their types."""
    made = f'CREATE TABLE "My CRM".big (sales_region {type_}) INHERITS ("My CRM"."Firms")'
    other.execute(made.encode())

    assert add_field(other, FIRMS, "ann").column == "sales_region_2"


def test_records_that_the_login_does_not_see_are_records_without_the_field(
    other: Connection[Any],
) -> None:
    other.execute(
        """INSERT INTO "My CRM"."Firms" VALUES (1, 'hidden');
           ALTER TABLE "My CRM"."Firms" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
           CREATE POLICY seen ON "My CRM"."Firms" USING ("Name" <> 'hidden')"""
    )

    with pytest.raises(SettingsError, match="Give it a default, or do not require it"):
        add_field(other, replace(FIRMS, required=True, default=None), "ann")


def test_a_login_that_does_not_own_the_table_is_told_so(
    other: Connection[Any], database_url: str
) -> None:
    other.commit()
    administrator = make_conninfo(database_url, user=ADMINISTRATOR)
    with psycopg.connect(administrator) as owner:
        owner.execute(f'ALTER TABLE "My CRM"."Firms" OWNER TO {ADMINISTRATOR}'.encode())
        owner.execute('GRANT ALL ON "My CRM"."Firms" TO public')

    with pytest.raises(SettingsError, match=r"can add a column to it\. Nothing"):
        add_field(other, FIRMS, "ann")


# ── at the same time ────────────────────────────────────────────────────────────────────────


def test_a_table_that_stays_in_use_is_not_waited_for_long(
    connection: Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_field, "PATIENCE_MS", 50)
    monkeypatch.setattr(add_field.retry, "wait", lambda _: 0)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM crm.products")
        with pytest.raises(TableBusy) as told:
            add(connection)

    assert str(told.value).startswith("crm.products is in use, and was not free for 0 seconds")
    assert add(connection) == "sales_region"


def test_of_two_at_once_one_is_refused(connection: Connection[Any], database_url: str) -> None:
    ended: list[str] = []

    def try_to_add() -> None:
        with psycopg.connect(database_url) as own:
            try:
                ended.append(add(own))
            except SettingsError:
                ended.append("refused")

    tries = [threading.Thread(target=try_to_add) for _ in range(2)]
    for thread in tries:
        thread.start()
    for thread in tries:
        thread.join()

    assert sorted(ended) == ["refused", "sales_region"]


def test_what_the_form_itself_refuses_is_told_without_the_databases_own_words(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "ALTER TABLE crm.form_field ADD CONSTRAINT short CHECK (length(label) < 9) NOT VALID"
    )

    assert refusal(connection, label="Much longer") == (
        "The CRM's form does not take 'Much longer': its rule short forbids it. Nothing was "
        "changed. Write another label or default, or let whoever looks after the CRM change the "
        "form."
    )
