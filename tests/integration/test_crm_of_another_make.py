"""A CRM that this project did not make: what its tables say is obeyed, and what they refuse is told
with the database's own reason."""

from datetime import date
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog
from quickbooks_crm.mapping import Mapping, parse, parse_all
from quickbooks_crm.suiting import missing_fields
from tests.integration.crm import End, Record, customer, one, outcome, rows, sync

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


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ({"DisplayName": "Test"}, "refused_by_table", "no test clients: Test."),
        ({"DisplayName": "Nobody"}, "refused_by_table", "left the record out without saying why"),
        ({"PrimaryEmailAddr": at("none")}, "refused_by_table", 'check constraint "Client_E-Mail'),
        ({"PrimaryEmailAddr": at("A@x.example")}, "refused_by_table", "exclusion constraint"),
        ({"DisplayName": "ANN"}, "check_fields", "same Full Name"),
        ({"Status": "friend"}, "invalid_value", "is none of lead, customer, gone"),
        ({"Balance": -1000}, "refused_by_table", 'check constraint "amount_check"'),
        ({"Balance": 1e10}, "invalid_value", "is too large"),
        ({"DisplayName": "x" * 61}, "invalid_value", "is longer than 60 characters"),
        ({"DisplayName": " "}, "missing_required", "Full Name is required but blank"),
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


def test_what_the_table_requires_must_be_mapped(sales: Connection[Any]) -> None:
    text = CLIENTS.replace("  source:    {value: QuickBooks}\n", "")
    table = catalog.read(sales, "Sales Team.Client")

    assert missing_fields(parse("clients", text, "clients.yaml"), table) == ["Source"]
