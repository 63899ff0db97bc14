"""What the data itself may be like, and what becomes of it: each the row of its number in
test_rows.py."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import activity, catalog, lacking
from quickbooks_crm.mapping import parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    CONTACTS,
    REALM,
    End,
    Record,
    accounts,
    by_hand,
    count,
    customer,
    ends,
    item,
    load_rows,
    mirror,
    one,
    products,
    ready,
    rows,
    stage_rows,
    sync,
)

NOTED = "description: {from: Description}"
INVOICES = """\
entities: [Invoice]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id}
fields:
  quickbooks_invoice_id: {from: Id}
  kind:     {value: invoice}
  total:    {from: TotalAmt}
  currency: {from: CurrencyRef.value}
lines:
  from: Line
  table: crm.invoice_lines
  parent: invoice_id
  position: position
  fields:
    description: {from: Description}
    amount:      {from: Amount}
"""
FAMILY = """
    SELECT child.name, parent.name FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id ORDER BY child.name"""


def test_a_text_of_ten_megabytes_is_stored_whole_and_stops_no_other_row(
    connection: Connection[Any],
) -> None:
    """D03. One that an index cannot hold is refused: see test_forty_ways.py."""
    long = "0123456789" * 2**20

    ended = sync(connection, products(fields=NOTED), item("7", Description=long), item("8"))

    assert ended == [End("7", "added"), End("8", "added")]
    assert one(connection, "SELECT max(length(description)) FROM crm.products") == len(long)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467", id="emoji (D13)"),
        pytest.param("\u202eabc\u202c", id="written from the right (D13)"),
        pytest.param("e\u0301\u0323 \U00020000", id="marks, four bytes (D13)"),
        pytest.param("'; DROP TABLE crm.products; --", id="SQL (D18)"),
        pytest.param("%s %(x)s {0} $1 \\copy \\N \t\r\n", id="places and escapes (D18)"),
        pytest.param('=HYPERLINK("http://example.com")', id="a formula (D21)"),
        pytest.param("<script>alert(1)</script>{{ 7 * 7 }}", id="markup (D22)"),
        pytest.param("In every case\\", id="a backslash (D20)"),
        pytest.param("Chargeable once", id="a kind that nobody knows (D33)"),
    ],
)
def test_a_text_is_stored_as_it_was_sent(connection: Connection[Any], text: str) -> None:
    known = products(fields=NOTED)

    first = sync(connection, known, item("7", Description=text))
    again = sync(connection, known, item("7", Description=text))

    assert (first, again) == ([End("7", "added")], [End("7", "unchanged")])
    assert one(connection, "SELECT description FROM crm.products") == text


def test_customers_with_the_same_address_stay_two(connection: Connection[Any]) -> None:
    """D17. Unless a mapping names the address as the key."""
    known = parse_all({"accounts": accounts("email: {from: Email, kind: email}")})

    ended = sync(
        connection,
        known,
        customer("7", Email="a@example.com"),
        customer("8", Email="A@EXAMPLE.COM"),
    )

    assert ended == [End("7", "added"), End("8", "added")]


def test_a_record_that_a_person_made_with_the_same_address_is_linked_and_keeps_what_is_theirs(
    connection: Connection[Any],
) -> None:
    """D42."""
    text = CONTACTS.replace("key: quickbooks_customer_id", "key: email")
    known = parse_all(
        {
            "accounts": accounts(),
            "contacts": text + "  email: {from: Email, kind: email}\n  phone: {from: Phone}\n",
        }
    )
    by_hand(connection, "crm.contacts", last_name="Le", email="LEE@example.com", phone="by hand")

    ended = sync(connection, known, customer("7", FamilyName="Lee", Email="lee@example.com"))

    assert ended == [End("7", "added"), End("7", "updated")]
    assert rows(connection, "SELECT last_name, phone FROM crm.contacts") == [("Lee", "by hand")]


@pytest.mark.parametrize(
    "name", ['name"; DROP TABLE crm.products; --', "name) = ROW (1); --", "NAME", "%(run_id)s"]
)
def test_a_column_that_the_table_has_not_is_told_and_never_written_into_a_statement(
    connection: Connection[Any], name: str
) -> None:
    """D19."""
    quoted = name.replace("'", "''")
    known = products(fields=f"'{quoted}': {{from: Name}}")["products"]

    told = list(lacking.misfits(catalog.read(connection, "crm.products"), known))

    assert len(told) == 1
    assert f"crm.products has no column '{name}'" in told[0]


def test_parents_fifty_deep_are_found_whatever_comes_first(connection: Connection[Any]) -> None:
    """D23. Cycles: see test_import_semantics.py."""
    chain = [customer(str(n), ParentRef={"value": str(n + 1)}) for n in range(1, 51)]

    sync(connection, parse_all({"accounts": accounts()}), *chain, customer("51"))

    assert dict(rows(connection, FAMILY)) == {
        f"Customer {n}": f"Customer {n + 1}" if n < 51 else None for n in range(1, 52)
    }


def test_a_reference_stays_open_until_what_it_means_is_there(connection: Connection[Any]) -> None:
    """D25. Missing first, then not added, then mended."""
    known = parse_all({"accounts": accounts("balance: {from: Balance}")})
    sync(connection, known, customer("7", ParentRef={"value": "9"}))
    sync(connection, known, customer("9", Balance="much"))
    assert rows(connection, FAMILY) == [("Customer 7", None)]

    sync(connection, known, customer("9", Balance=1))

    assert rows(connection, FAMILY) == [("Customer 7", "Customer 9"), ("Customer 9", None)]
    assert count(connection, "sync.parked") == 0


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "UTC"])
@pytest.mark.parametrize("day", ["0001-01-01", "1752-09-14", "1899-12-31", "9999-12-31"])
def test_a_day_stays_that_day_wherever_the_database_is(
    connection: Connection[Any], zone: str, day: str
) -> None:
    """D28 and D31."""
    connection.execute("ALTER TABLE crm.products ADD COLUMN since date")
    connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])

    sync(connection, products(fields="since: {from: Since}"), item("7", Since=day))

    assert one(connection, "SELECT since FROM crm.products") == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2024-11-03T01:30:00-07:00", datetime(2024, 11, 3, 8, 30, tzinfo=UTC)),
        ("2024-11-03T01:30:00-08:00", datetime(2024, 11, 3, 9, 30, tzinfo=UTC)),
        ("2024-03-10T02:30:00-08:00", datetime(2024, 3, 10, 10, 30, tzinfo=UTC)),
        ("2024-01-01T00:00:00.123Z", datetime(2024, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)),
        ("2024-01-01T00:00:00.123456Z", datetime(2024, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-01-01T00:00:00.123456789Z", datetime(2024, 1, 1, 0, 0, 0, 123_457, tzinfo=UTC)),
    ],
)
def test_a_moment_is_that_moment_whatever_its_offset_and_digits(
    connection: Connection[Any], said: str, meant: datetime
) -> None:
    """D30 and D32."""
    connection.execute("ALTER TABLE crm.products ADD COLUMN at timestamptz")

    sync(connection, products(fields="at: {from: At}"), item("7", At=said))

    assert one(connection, "SELECT at FROM crm.products") == meant


def test_an_id_is_a_text_of_any_length(connection: Connection[Any]) -> None:
    """D35."""
    ids = ["007", "7", str(2**63), "9" * 60, "12sync"]

    ended = sync(connection, products(), *map(item, ids))
    again = sync(connection, products(), *map(item, ids))

    assert sorted(ended) == sorted(End(id, "added") for id in ids)
    assert {end.outcome for end in again} == {"unchanged"}


def test_a_record_of_five_hundred_fields_of_its_own_loads(connection: Connection[Any]) -> None:
    """D39."""
    many = [{"Name": f"Field {n}", "StringValue": f"Value {n}"} for n in range(500)]
    known = products(fields="description: {from: 'CustomField[Name=Field 499].StringValue'}")

    sync(connection, known, item("7", CustomField=many))

    assert one(connection, "SELECT description FROM crm.products") == "Value 499"


def test_what_a_person_writes_between_staging_and_loading_is_seen(
    connection: Connection[Any],
) -> None:
    """D40."""
    run = Run("sample", REALM, "run-2")
    sync(connection, products(), item("7", Sku="A"), run_id="run-1")
    mirror(connection, run, item("7", Name="Pump"))
    stage_rows(connection, run, products()["products"])
    connection.execute("UPDATE crm.products SET code = 'by hand'")

    load_rows(connection, run, products(), "products")

    assert ends(connection, run, "products") == [End("7", "updated")]
    assert rows(connection, "SELECT name, code FROM crm.products") == [("Pump", "by hand")]


def test_negative_and_zero_amounts_keep_their_sign_and_every_digit(
    connection: Connection[Any],
) -> None:
    """D09 and D10."""
    ready(connection)
    sent = {"7": "-19.99", "8": "0", "9": "1234567890123.4567891"}
    records = [item(id, UnitPrice=amount) for id, amount in sent.items()]

    sync(connection, products(), *records)

    found = rows(connection, "SELECT price::text FROM crm.products ORDER BY id")
    assert [text for (text,) in found] == ["-19.9900000", "0.0000000", "1234567890123.4567891"]


def invoice(id: str, *amounts: str, **fields: Any) -> Record:
    lines = [{"Description": f"Line {n}", "Amount": amount} for n, amount in enumerate(amounts)]
    return Record("Invoice", id, {"Id": id, "Line": lines} | fields)


def test_an_odd_document_is_loaded_as_it_was_sent_and_told(connection: Connection[Any]) -> None:
    """D27, and D26 without a currency and with a rate of 0. Nothing is converted."""
    euros, dollars = {"CurrencyRef": {"value": "EUR"}}, {"CurrencyRef": {"value": "USD"}}
    whose = {"CustomerRef": {"value": "57"}}
    sent = [
        invoice("7", "1.10", "2.20", TotalAmt="3.31"),
        invoice("8", "1.10", TotalAmt="1.10", **whose),
        invoice("9", "1.10", TotalAmt="1.10", ExchangeRate=0, **euros),
        invoice("10", "1.10", TotalAmt="1.10", ExchangeRate="1.2345", **euros),
    ]
    customers = [customer("57", **euros), customer("58", **dollars)]

    ended = sync(connection, parse_all({"invoices": INVOICES}), *customers, *sent)

    assert ended == [End(id, "added") for id in ("7", "8", "9", "10")]
    assert rows(connection, "SELECT total::text, currency FROM crm.invoices ORDER BY id") == [
        *(("3.31", None), ("1.10", None), ("1.10", "EUR"), ("1.10", "EUR"))
    ]
    assert one(connection, "SELECT sum(amount)::text FROM crm.invoice_lines") == "6.60000"
    assert [row.told for row in activity.rows(connection, REALM, "run-1", "invoices", "added")] == [
        (),
        ("Total '3.31' is not what the lines and the tax add up to, 3.30.",),
        ("Currency is missing, and the customer has EUR.",),
        ("Exchange rate '0' is no rate at which anything can be exchanged.",),
    ]


def test_an_invoice_of_twelve_hundred_lines_loads_in_their_order(
    connection: Connection[Any],
) -> None:
    """D39."""
    amounts = [str(n) for n in range(1_200)]

    ended = sync(connection, parse_all({"invoices": INVOICES}), invoice("7", *amounts))

    found = rows(connection, "SELECT amount::int FROM crm.invoice_lines ORDER BY position")
    assert ended == [End("7", "added")]
    assert [amount for (amount,) in found] == list(range(1_200))


@pytest.mark.parametrize("name", ["N/A", "none", "-", "null", "?"])
def test_a_name_that_says_there_is_none_is_a_name(connection: Connection[Any], name: str) -> None:
    """A7: blank is only what shows nothing."""
    assert sync(connection, products(), item("7", Name=name)) == [End("7", "added")]
    assert rows(connection, "SELECT name FROM crm.products") == [(name,)]
