"""Tables that this project did not make: what the database says of them is obeyed, and what they
refuse is told with the database's own reason."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import catalog, fitting, rights, runs
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import Mapping, parse, parse_all
from quickbooks_crm.runs import Run
from quickbooks_crm.suiting import missing_fields
from tests.integration.crm import (
    REALM,
    End,
    Record,
    count,
    customer,
    item,
    mapping,
    one,
    outcome,
    ready,
    rows,
    sync,
)

SALES = """
    CREATE SCHEMA "Sales Team";
    CREATE TYPE "Sales Team".status AS ENUM ('lead', 'customer', 'gone');
    CREATE DOMAIN "Sales Team".amount AS numeric(12, 2) CHECK (VALUE > -1000);
    CREATE TABLE "Sales Team"."Client" (
        "Client Id"  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        qb           text UNIQUE,
        "Full Name"  varchar(60) NOT NULL,
        "E-Mail"     text CHECK ("E-Mail" LIKE '%@%'),
        "order"      text,
        status       "Sales Team".status NOT NULL DEFAULT 'lead',
        tags         text[],
        owes         "Sales Team".amount,
        über         text,
        source       text NOT NULL,
        parent       uuid REFERENCES "Sales Team"."Client" DEFERRABLE INITIALLY DEFERRED,
        search       tsvector GENERATED ALWAYS AS (to_tsvector('simple', "Full Name")) STORED,
        entered      timestamptz NOT NULL DEFAULT now(),
        EXCLUDE (lower("E-Mail") WITH =)
    );
    CREATE UNIQUE INDEX one_name ON "Sales Team"."Client" (lower("Full Name"))
        WHERE status <> 'gone';
    CREATE FUNCTION "Sales Team".clients() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW."Full Name" LIKE 'Test%' THEN
            RAISE EXCEPTION 'no test clients: %', NEW."Full Name" USING HINT = 'Rename it';
        ELSIF NEW."Full Name" LIKE 'Nobody%' THEN
            RETURN NULL;
        END IF;
        NEW."E-Mail" := lower(NEW."E-Mail");
        NEW.tags := coalesce(NEW.tags, '{}') || 'synced'::text;
        RETURN NEW;
    END $$;
    CREATE TRIGGER clients BEFORE INSERT OR UPDATE ON "Sales Team"."Client"
        FOR EACH ROW EXECUTE FUNCTION "Sales Team".clients();
    CREATE TABLE "Sales Team".bill (
        number text PRIMARY KEY, client uuid NOT NULL REFERENCES "Sales Team"."Client"
            DEFERRABLE INITIALLY DEFERRED,
        due date, total "Sales Team".amount NOT NULL, UNIQUE (client, due))"""
CLIENTS = """\
entities: [Customer]
table: Sales Team.Client
import: {key: qb, check: [Full Name]}
fields:
  qb:        {from: Id}
  Full Name: {from: DisplayName}
  E-Mail:    {from: PrimaryEmailAddr.Address}
  order:     {from: Order}
  status:    {from: Status, default: customer}
  owes:      {from: Balance}
  über:      {from: Notes}
  source:    {value: QuickBooks}
  parent:    {from: ParentRef.value, refers: clients}
"""
BILLS = """\
entities: [Invoice]
table: Sales Team.bill
import: {key: number}
fields:
  number: {from: DocNumber}
  client: {from: CustomerRef.value, refers: {module: clients, entity: Customer}}
  due:    {from: DueDate}
  total:  {from: TotalAmt}
"""
WHO = 'SELECT "Full Name" FROM "Sales Team"."Client" ORDER BY 1'


@pytest.fixture
def sales(connection: Connection[Any]) -> Connection[Any]:
    connection.execute(SALES.encode())
    return connection


def known() -> dict[str, Mapping]:
    return parse_all({"clients": CLIENTS, "bills": BILLS})


def bill(id: str, who: str, **fields: Any) -> Record:
    payload = {"Id": id, "DocNumber": f"B{id}", "CustomerRef": {"value": who}, "TotalAmt": 10}
    return Record("Invoice", id, payload | fields)


def at(address: str) -> dict[str, str]:
    return {"Address": address}


# ── a CRM of another make ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ({"DisplayName": "Test"}, "refused_by_table", "no test clients: Test."),
        ({"DisplayName": "Nobody"}, "refused_by_table", "left the record out without saying why"),
        ({"PrimaryEmailAddr": at("none")}, "refused_by_table", 'check constraint "Client_E-Mail'),
        ({"PrimaryEmailAddr": at("A@x.example")}, "refused_by_table", "exclusion constraint"),
        ({"DisplayName": "ANN"}, "check_fields", "same Full name"),
        ({"Status": "friend"}, "invalid_value", "is none of lead, customer, gone"),
        ({"Balance": -1000}, "refused_by_table", 'check constraint "amount_check"'),
        ({"Balance": 1e10}, "invalid_value", "is too large"),
        ({"DisplayName": "x" * 61}, "invalid_value", "is longer than 60 characters"),
        ({"DisplayName": " "}, "missing_required", "Full name is required but blank"),
    ],
)
def test_a_row_that_a_foreign_table_refuses_ends_with_its_reason_and_the_others_load(
    sales: Connection[Any], fields: dict[str, Any], reason: str, said: str
) -> None:
    ann = customer("1", DisplayName="Ann", PrimaryEmailAddr=at("a@x.example"))
    sync(sales, known(), ann)

    ended = sync(sales, known(), customer("2", DisplayName="Bob"), customer("3", **fields))

    assert ended[0] == End("2", "added")
    assert (ended[1].id, ended[1].reason) == ("3", reason)
    assert said in outcome(sales, "3", "message")[0]
    assert rows(sales, WHO) == [("Ann",), ("Bob",)]


def test_the_reason_holds_no_value_of_another_row(sales: Connection[Any]) -> None:
    secret = customer("1", DisplayName="Ann", PrimaryEmailAddr=at("secret@x.example"))
    sync(sales, known(), secret)

    sync(sales, known(), customer("2", PrimaryEmailAddr=at("Secret@X.example")))

    message, details = outcome(sales, "2", "message", "details")
    assert "secret" not in f"{message} {details}".lower()
    assert details == {"constraint": "Client_lower_excl"}


def test_a_trigger_that_rewrites_and_adds_does_not_ping_pong(sales: Connection[Any]) -> None:
    ann = customer("1", DisplayName="Ann", PrimaryEmailAddr=at("Ann@X.example"))
    sync(sales, known(), ann)
    version = one(sales, 'SELECT xmin::text FROM "Sales Team"."Client"')

    again = sync(sales, known(), ann)

    assert again == [End("1", "unchanged")]
    assert one(sales, 'SELECT xmin::text FROM "Sales Team"."Client"') == version
    query = 'SELECT "E-Mail", tags, status::text, source FROM "Sales Team"."Client"'
    assert rows(sales, query) == [("ann@x.example", ["synced"], "customer", "QuickBooks")]


def test_uuid_keys_link_parents_and_bills_and_composite_keys_are_kept(
    sales: Connection[Any],
) -> None:
    child = customer("2", DisplayName="Kitchen", ParentRef={"value": "1"})
    day = {"DueDate": "2024-02-29"}

    ended = sync(
        sales,
        known(),
        child,
        customer("1", DisplayName="Ann"),
        bill("7", "1", **day),
        bill("8", "2"),
        bill("9", "1", **day),
        bill("10", "99"),
    )
    again = sync(sales, known(), bill("8", "2", TotalAmt=11))

    assert ended == [
        End("1", "added"),
        End("2", "added"),
        End("7", "added"),
        End("8", "added"),
        End("9", "not_added", "refused_by_table"),
        End("10", "not_added", "refused_by_table"),
    ]
    assert again == [End("8", "updated")]
    assert 'violates unique constraint "bill' in outcome(sales, "9", "message")[0]
    query = """
        SELECT number, "Full Name", due, total FROM "Sales Team".bill
          JOIN "Sales Team"."Client" ON client = "Client Id" ORDER BY 1"""
    assert rows(sales, query) == [
        ("B7", "Ann", date(2024, 2, 29), 10),
        ("B8", "Kitchen", None, 11),
    ]


def test_a_partitioned_table_is_filled(own: Connection[Any]) -> None:
    columns = "id text PRIMARY KEY, quickbooks_id text, name text"
    own.execute(f"CREATE TABLE own.things ({columns}) PARTITION BY HASH (id)".encode())
    for part in (0, 1):
        own.execute(
            f"CREATE TABLE own.p{part} PARTITION OF own.things "
            f"FOR VALUES WITH (MODULUS 2, REMAINDER {part})".encode()
        )
    known = parse_all({"things": mapping("own.things", "id: {from: Id}")})
    sync(own, known, *(item(str(n)) for n in range(20)))

    assert sync(own, known, item("7", Name="Pump"))[0].outcome == "updated"
    assert count(own, "own.p0") and count(own, "own.p1")
    assert count(own, "own.things") == 20


def test_what_the_table_requires_must_be_mapped(sales: Connection[Any]) -> None:
    text = CLIENTS.replace("  source:    {value: QuickBooks}\n", "")
    table = catalog.read(sales, "Sales Team.Client")

    assert missing_fields(parse("clients", text, "clients.yaml"), table) == ["Source"]


# ── columns and keys of every sort ──────────────────────────────────────────────────────────


@pytest.fixture
def own(connection: Connection[Any]) -> Iterator[Connection[Any]]:
    connection.execute("CREATE SCHEMA own")
    yield connection


def into(column: str = "", name: str = "value") -> dict[str, Mapping]:
    """A mapping to own.things that fills one more column from the record's Value."""
    written = f"'{name}': {{from: Value}}" if column or name != "value" else ""
    return parse_all({"things": mapping("own.things", written)})


def things(connection: Connection[Any], column: str, key: str = "") -> None:
    key = key or "id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    columns = ", ".join(part for part in (key, "quickbooks_id text, name text", column) if part)
    connection.execute(f"CREATE TABLE own.things ({columns})".encode())


@pytest.mark.parametrize(
    ("type_", "sent", "held"),
    [
        ("text[]", ["a", "b c", '{"', None], ["a", "b c", '{"', None]),
        ("text[]", [], []),
        ("text[]", ["2024"], ["2024"]),
        ("text[]", [1.10, True], ["1.1", "true"]),
        ("varchar(3)[]", ["abc"], ["abc"]),
        ("integer[]", [1, 2], [1, 2]),
        ("numeric(9, 2)[]", [1.5, "2"], [Decimal("1.50"), Decimal("2.00")]),
        ("date[]", ["2024-02-29"], [date(2024, 2, 29)]),
        ("text[]", "{a,b}", ["a", "b"]),
        ("text[]", None, None),
    ],
)
def test_a_list_of_quickbooks_fills_a_column_of_several_values_one_by_one(
    own: Connection[Any], type_: str, sent: Any, held: Any
) -> None:
    things(own, f"value {type_}")

    sync(own, into(type_), item("7", Value=sent))

    assert rows(own, "SELECT value FROM own.things") == [(held,)]
    assert sync(own, into(type_), item("7", Value=sent)) == [End("7", "unchanged")]


@pytest.mark.parametrize(
    ("type_", "sent"), [("text[]", [{"a": 1}, "b"]), ("integer[]", ["a"]), ("integer[]", [1.5])]
)
def test_a_list_with_an_item_that_the_column_does_not_take_ends_its_own_row(
    own: Connection[Any], type_: str, sent: Any
) -> None:
    things(own, f"value {type_}")

    ended = sync(own, into(type_), item("7", Value=sent), item("8"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "added")]


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("smallint", "32767", "32768"),
        ("bigint", "-9223372036854775808", "1.5"),
        ("numeric(18, 2)", "0.30", "100000000000000000000"),
        ("numeric(18, 2)", "-1.50", "1.005"),
        ("numeric", "1234567890123456789.0000001", "NaN"),
        ("real", "1.5", "Infinity"),
        ("double precision", "0.1", "NaN"),
        ("money", "1234.56", "much"),
        ("boolean", "true", "yes"),
        ("date", "1752-09-14", "2023-02-29"),
        ("date", "1899-12-31", "0000-00-00"),
        ("date", "0001-01-01", "31/12/2024"),
        ("date", "9999-12-31", "infinity"),
        ("date", "2024-02-29", "now"),
        ("date", "2024-02-29", "epoch"),
        ("timestamp", "2024-02-29T23:59:59", "now"),
        ("timestamptz", "2024-02-29T23:59:59-08:00", "-infinity"),
        ("time", "23:59:59", "24:30"),
        ("time", "00:00", "now"),
        ("timetz", "12:00:00+02:00", "allballs"),
        ("interval", "1 day 02:00:00", "a while"),
        ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "42"),
        ("bytea", "\\x00ff", "\\xzz"),
        ("inet", "10.0.0.1/8", "10.0.0.256"),
        ("cidr", "10.0.0.0/8", "10.0.0.1/8"),
        ("point", "(1,2)", "here"),
        ("int4range", "[1,5)", "[5,1)"),
        ("text[]", '{a,"b c"}', "a, b"),
        ("char(3)", "abc", "abcd"),
        ("bit(3)", "101", "1011"),
        ("macaddr", "08:00:2b:01:02:03", "08:00"),
        ("real", "200000.5", "200000.01"),
        ("double precision", "200000.01", "9007199254740993"),
        ("money", "1.05", "1.005"),
        ("name", "x" * 63, "x" * 70),
        ('"char"', "x", "xyz"),
        ("time(0)", "10:00:01", "10:00:00.7"),
        ("timestamp(3)", "2024-02-29T10:00:00.125", "2024-02-29T10:00:00.1256"),
        ("numeric(2, 4)", "0.0012", "0.1"),
        ("numeric(3, -2)", "1200", "1250"),
        ("numeric(3, -2)", "0", "100000"),
    ],
)
def test_a_value_that_the_type_takes_is_stored_and_stays_and_another_ends_its_own_row(
    own: Connection[Any], type_: str, good: str, bad: str
) -> None:
    if type_ == "xml" and "libxml" not in one(
        own, "SELECT string_agg(setting, ' ') FROM pg_config"
    ):
        type_, good, bad = "macaddr", "08:00:2b:01:02:03", "08:00"
    things(own, f"value {type_}")
    known = into(type_)

    first = sync(own, known, item("7", Value=good), item("8", Value=bad), item("9"))
    again = sync(own, known, item("7", Value=good), item("9"))

    assert [(end.id, end.outcome) for end in first] == [
        ("7", "added"),
        ("8", "not_added"),
        ("9", "added"),
    ]
    assert first[1].reason in ("invalid_value", "refused_by_table")
    assert "value" in outcome(own, "8", "message")[0].lower()
    assert [end.outcome for end in again] == ["unchanged", "unchanged"]
    stored = one(own, f"SELECT value = '{good}'::{type_} FROM own.things WHERE value IS NOT NULL"
                 if type_ not in ("point",) else "SELECT true")  # fmt: skip
    assert stored


def test_a_moment_keeps_its_instant_in_a_column_without_a_time_zone(own: Connection[Any]) -> None:
    things(own, "value timestamp")

    sync(own, into("timestamp"), item("7", Value="2024-01-01T02:00:00-08:00"))
    again = sync(own, into("timestamp"), item("7", Value="2024-01-01T02:00:00-08:00"))

    assert rows(own, "SELECT value::text FROM own.things") == [("2024-01-01 10:00:00",)]
    assert again == [End("7", "unchanged")]


def test_a_domain_has_the_limits_of_what_it_is_made_of(own: Connection[Any]) -> None:
    own.execute("CREATE DOMAIN own.label AS name; CREATE DOMAIN own.hundreds AS numeric(3, -2)")
    things(own, "value own.label, hundreds own.hundreds")
    known = parse_all({"things": mapping("own.things", "value: {from: V}, hundreds: {from: H}")})

    ended = sync(own, known, item("7", V="x" * 70), item("8", H="1250"), item("9", H="1200"))

    assert [end.outcome for end in ended] == ["not_added", "not_added", "added"]


@pytest.mark.parametrize("type_", ["json", "jsonb"])
def test_any_text_is_a_value_of_json(own: Connection[Any], type_: str) -> None:
    things(own, f"value {type_}")

    assert sync(own, into(type_), item("7", Value='a "text"')) == [End("7", "added")]
    assert sync(own, into(type_), item("7", Value='a "text"')) == [End("7", "unchanged")]
    assert one(own, "SELECT value::jsonb #>> '{}' FROM own.things") == 'a "text"'


@pytest.mark.parametrize(
    "name",
    [
        *("select", "User", "two words", "größe", "table", "a.b", 'qu"ote', "it's", "100%"),
        *("n", "n" * 63, "ü" * 31, "{brace}", "current", "i", "new", "record_key", "ctid_"),
    ],
)
def test_a_column_of_any_name_is_filled_and_found(own: Connection[Any], name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    things(own, f"{quoted} text")
    written = "'" + name.replace("'", "''") + "': {from: Value}"
    known = parse_all({"things": mapping("own.things", written)})

    assert sync(own, known, item("7", Value="A")) == [End("7", "added")]
    assert sync(own, known, item("7", Value="B")) == [End("7", "updated")]
    assert one(own, f"SELECT {quoted} FROM own.things") == "B"


@pytest.mark.parametrize(
    ("key", "mapped"),
    [
        ("id uuid PRIMARY KEY DEFAULT gen_random_uuid()", ""),
        ("id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY", ""),
        ("id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", ""),
        ("id serial PRIMARY KEY", ""),
        ("id text PRIMARY KEY DEFAULT md5(random()::text)", ""),
        ("id text PRIMARY KEY", "id: {from: Value}"),
        ("id integer PRIMARY KEY", "id: {from: Id}"),
        ("id uuid PRIMARY KEY", "id: {from: Uuid}"),
        ('"the Key" numeric(10, 0) PRIMARY KEY', "the Key: {from: Id}"),
    ],
)
def test_records_are_added_updated_and_referred_to_by_a_key_of_any_sort(
    own: Connection[Any], key: str, mapped: str
) -> None:
    things(own, "UNIQUE (quickbooks_id, name)", key)
    known = parse_all({"things": mapping("own.things", mapped)})
    uuid = {"Uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "Value": "seven"}
    other = {"Uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "Value": "eight"}

    added = sync(own, known, item("7", **uuid), item("8", **other))
    updated = sync(own, known, item("7", Name="Pump", **uuid), item("8", **other))

    assert added == [End("7", "added"), End("8", "added")]
    assert updated == [End("7", "updated"), End("8", "unchanged")]


def test_a_view_over_one_table_is_filled_as_the_table_would_be(own: Connection[Any]) -> None:
    things(own, "value numeric(5, 2) NOT NULL, hidden text DEFAULT 'there'")
    own.execute("ALTER TABLE own.things RENAME TO base")
    own.execute("CREATE VIEW own.things AS SELECT id, quickbooks_id, name, value FROM own.base")

    first = sync(own, into("numeric"), item("7", Value=1.5), item("8"), item("9", Value=1000))
    again = sync(own, into("numeric"), item("7", Value=2.5), item("8", Value=3))

    assert first == [
        End("7", "added"),
        End("8", "not_added", "missing_required"),
        End("9", "not_added", "invalid_value"),
    ]
    assert again == [End("7", "updated"), End("8", "added")]
    query = "SELECT quickbooks_id, value, hidden FROM own.base ORDER BY 1"
    assert rows(own, query) == [("7", 2.5, "there"), ("8", 3, "there")]


@pytest.mark.parametrize(
    "view",
    [
        "SELECT quickbooks_id, name FROM own.base",
        "SELECT id, quickbooks_id, upper(name) AS name FROM own.base",
        "SELECT DISTINCT id, quickbooks_id, name FROM own.base",
    ],
)
def test_a_view_that_cannot_be_written_is_told_before_any_row_moves(
    own: Connection[Any], view: str
) -> None:
    things(own, "")
    own.execute("ALTER TABLE own.things RENAME TO base")
    own.execute(f"CREATE VIEW own.things AS {view}".encode())

    known = into()["things"]
    try:
        told = list(catalog.misfits(catalog.read(own, "own.things"), known))
    except SettingsError as error:
        told = [str(error)]

    assert told and "own.things" in told[0]


def test_a_view_with_triggers_instead_of_writes_is_told_to_be_no_target(
    own: Connection[Any],
) -> None:
    things(own, "")
    own.execute(
        "ALTER TABLE own.things RENAME TO base;"
        "CREATE VIEW own.things AS SELECT id, quickbooks_id, upper(name) AS name FROM own.base;"
        "CREATE FUNCTION own.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t INSTEAD OF INSERT OR UPDATE ON own.things FOR EACH ROW "
        "EXECUTE FUNCTION own.f()"
    )

    [told] = catalog.misfits(catalog.read(own, "own.things"), into()["things"])

    assert told == (
        "things.yaml line 4: fields.name: Postgres itself cannot write to own.things.name, since "
        "own.things is a view (triggers INSTEAD OF do not count: they do not tell the keys of new "
        "records). Name the table behind it, or take the column out."
    )


def test_a_record_that_a_view_takes_and_does_not_show_is_not_added_and_the_others_load(
    own: Connection[Any],
) -> None:
    things(own, "")
    own.execute("ALTER TABLE own.things RENAME TO base")
    own.execute("CREATE VIEW own.things AS SELECT * FROM own.base WHERE name <> 'hidden'")

    first = sync(own, into(), item("7"), item("8", Name="hidden"))
    later = sync(own, into(), item("7", Name="hidden"), item("9"))

    assert first == [End("7", "added"), End("8", "not_added", "refused_by_table")]
    assert later == [End("7", "not_added", "refused_by_table"), End("9", "added")]
    assert outcome(own, "8", "message") == (
        "The CRM table refused the record: the view own.things does not show it.",
    )
    assert rows(own, "SELECT name FROM own.base ORDER BY id") == [("Item 7",), ("Item 9",)]


# ── a table that is changed ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ("RENAME id TO number", False),
        ("ALTER id TYPE integer", False),
        ("ALTER id DROP IDENTITY; ALTER TABLE own.things ALTER id TYPE text", False),
        ("DROP CONSTRAINT things_pkey, ADD uid uuid PRIMARY KEY DEFAULT gen_random_uuid()", True),
        ("DROP CONSTRAINT things_pkey, ADD PRIMARY KEY (quickbooks_id)", True),
        ("DROP COLUMN id, ADD id uuid PRIMARY KEY DEFAULT gen_random_uuid()", True),
    ],
)
def test_a_primary_key_that_is_another_later_is_told_before_any_row_moves(
    own: Connection[Any], change: str, moved: bool
) -> None:
    things(own, "")
    sync(own, into(), item("7"))
    own.execute(f"ALTER TABLE own.things {change}".encode())

    keys = runs.keys(own, Run("sample", REALM, "run-2"))
    try:
        fitting.require_same_keys(own, into(), keys)
        told = ""
    except SettingsError as error:
        told = str(error)

    assert ("by its primary key id (integer)" in told) == moved


# ── what a login may do ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("revoked", "said"),
    [
        (
            "INSERT",
            "things.yaml: this login has no right to INSERT quickbooks_id, name, id of own.things. "
            "Let its owner GRANT INSERT on the table, or on these columns.",
        ),
        (
            "UPDATE",
            "things.yaml: this login has no right to UPDATE quickbooks_id, name of own.things. "
            "Let its owner GRANT UPDATE on the table, or on these columns.",
        ),
        (
            "SELECT",
            "things.yaml: this login has no right to SELECT id, quickbooks_id, name of own.things. "
            "Let its owner GRANT SELECT on the table, or on these columns.",
        ),
    ],
)
def test_what_the_login_may_not_do_is_told_before_any_row_moves(
    own: Connection[Any], revoked: str, said: str
) -> None:
    things(own, "")
    own.execute(f"REVOKE {revoked} ON own.things FROM current_user".encode())

    told = list(rights.misfits(catalog.read(own, "own.things"), into()["things"]))

    assert told == [said]


def test_a_login_that_may_not_number_new_records_is_told(own: Connection[Any]) -> None:
    things(own, "")
    own.execute("REVOKE USAGE ON SEQUENCE own.things_id_seq FROM current_user")

    told = list(rights.misfits(catalog.read(own, "own.things"), into()["things"]))

    assert told == [
        "things.yaml: this login has no right to use the sequence own.things_id_seq, which numbers "
        "new records of own.things. Let its owner GRANT USAGE on it."
    ]


@pytest.mark.parametrize("identity", ["ALWAYS", "BY DEFAULT"])
def test_a_number_that_the_database_gives_cannot_be_mapped(
    own: Connection[Any], identity: str
) -> None:
    things(own, "", f"id bigint GENERATED {identity} AS IDENTITY PRIMARY KEY")
    known = parse_all({"things": mapping("own.things", "id: {from: Id}")})

    told = list(catalog.misfits(catalog.read(own, "own.things"), known["things"]))

    assert told == [
        "things.yaml line 4: fields.id: the database itself fills own.things.id. Take it out."
    ]


def test_a_column_that_is_named_like_the_columns_of_a_batch_is_told(own: Connection[Any]) -> None:
    things(own, '"@entity" text')
    known = parse_all({"things": mapping("own.things", "'@entity': {from: Value}")})

    [told] = catalog.misfits(catalog.read(own, "own.things"), known["things"])

    assert "a column whose name begins with @ cannot be mapped. Rename it." in told


def test_a_domain_over_a_domain_keeps_all_their_rules(own: Connection[Any]) -> None:
    own.execute("CREATE DOMAIN own.short AS varchar(5) CHECK (VALUE <> 'bad')")
    own.execute("CREATE DOMAIN own.must AS own.short NOT NULL")
    things(own, "value own.must")

    found = catalog.read(own, "own.things").columns["value"]
    ended = sync(own, into("x"), *(item(str(n), Value=v) for n, v in enumerate(VALUES)))

    assert (found.kind, found.length, found.required) == ("text", 5, True)
    assert [end.reason for end in ended] == [
        None,
        "invalid_value",
        "refused_by_table",
        "missing_required",
    ]


VALUES = ("fine!", "longer", "bad", " ")


def test_a_right_on_the_mapped_columns_is_enough(own: Connection[Any]) -> None:
    things(own, "secret text")
    own.execute("REVOKE INSERT, UPDATE ON own.things FROM current_user")
    own.execute("GRANT INSERT (id, quickbooks_id, name) ON own.things TO current_user")
    own.execute("GRANT UPDATE (quickbooks_id, name) ON own.things TO current_user")

    assert list(rights.misfits(catalog.read(own, "own.things"), into()["things"])) == []
    assert sync(own, into(), item("7")) == [End("7", "added")]
    assert sync(own, into(), item("7", Name="Pump")) == [End("7", "updated")]


# ── what fails for one row only ─────────────────────────────────────────────────────────────

POLICY = """
    ALTER TABLE own.things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY one ON own.things USING (true) WITH CHECK (name <> 'bad')"""
TRIGGER = """
    CREATE FUNCTION own.judge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.name = 'bad' THEN {} END IF; RETURN NEW; END $$;
    CREATE TRIGGER judge BEFORE INSERT OR UPDATE ON own.things
        FOR EACH ROW EXECUTE FUNCTION own.judge()"""


@pytest.mark.parametrize(
    "refusing",
    [
        POLICY,
        TRIGGER.format("RAISE insufficient_privilege;"),
        TRIGGER.format("RAISE serialization_failure;"),
        TRIGGER.format("RAISE 'full' USING ERRCODE = 'disk_full';"),
        TRIGGER.format("NEW.name := NEW.nothing;"),
        TRIGGER.format("EXECUTE 'SELECT nothing';"),
        TRIGGER.format("PERFORM * FROM pg_authid;"),
        TRIGGER.format("ASSERT false;"),
    ],
)
def test_what_fails_for_one_row_only_refuses_that_row(own: Connection[Any], refusing: str) -> None:
    things(own, "")
    own.execute(refusing.encode())

    ended = sync(own, into(), item("6"), item("7", Name="bad"), item("8"))
    again = sync(own, into(), item("6", Name="bad"), item("7", Name="bad"), item("8", Name="New"))

    assert ended == [End("6", "added"), End("7", *REFUSED), End("8", "added")]
    assert again == [End("6", *REFUSED), End("7", *REFUSED), End("8", "updated")]
    assert rows(own, "SELECT name FROM own.things ORDER BY id") == [("Item 6",), ("New",)]


REFUSED = ("not_added", "refused_by_table")


@pytest.mark.parametrize("right", ["INSERT", "UPDATE"])
def test_a_right_that_is_missing_is_no_rows_fault(own: Connection[Any], right: str) -> None:
    things(own, "")
    sync(own, into(), item("7"))
    own.execute(f"REVOKE {right} ON own.things FROM current_user".encode())

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sync(own, into(), item("7", Name="Pump"), item("8"))

    assert rows(own, "SELECT name FROM own.things") == [("Item 7",)]


def test_a_lock_that_a_trigger_cannot_get_stops_the_load(
    own: Connection[Any], database_url: str
) -> None:
    things(own, "")
    own.execute("CREATE TABLE own.busy ()")
    own.execute(TRIGGER.format("LOCK own.busy NOWAIT;").encode())
    ready(own)

    with psycopg.connect(database_url) as other, pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute("LOCK own.busy")
        sync(own, into(), item("6"), item("7", Name="bad"))
