"""A company leaves: nothing of it is left here, and its CRM records are what was asked for."""

import traceback
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import acts, leaving, runs
from quickbooks_crm.errors import CompanyBusy, RunError, SettingsError
from quickbooks_crm.leaving import Left, What, remove_company
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    CONTACTS,
    REALM,
    Record,
    accounts,
    by_hand,
    count,
    customer,
    item,
    one,
    products,
    rows,
    sync,
)
from tests.integration.undo import undo

FLAGS = "when_deleted: {deleted: true, active: false}\n"
OTHER = "9341452000000002"
HELD_BY_REALM = """
    SELECT c.oid::regclass::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
     WHERE c.relnamespace::regnamespace::text IN ('sync', 'quickbooks') AND c.relkind = 'r'
       AND a.attname = 'realm' ORDER BY 1"""


def known() -> dict[str, Mapping]:
    """Products, and accounts with contacts."""
    flagged = accounts("active: {value: true}, deleted: {value: false}") + FLAGS
    return products() | parse_all({"accounts": flagged, "contacts": CONTACTS})


def settle(connection: Connection[Any], realm: str = REALM, company: str = "sample") -> None:
    """Keep which company of QuickBooks ours is, as a run does."""
    connection.execute(
        "INSERT INTO sync.company (company, realm, environment, name) VALUES (%s, %s, 'x', 'A')",
        [company, realm],
    )


@pytest.fixture
def loaded(connection: Connection[Any]) -> Connection[Any]:
    """Two companies with a product each, and an account with a contact of the first."""
    sync(connection, known(), item("7"), customer("1", FamilyName="Lee"), item("8", Name=None))
    sync(connection, known(), item("7"), realm=OTHER, company="other")
    settle(connection)
    settle(connection, OTHER, "other")
    return connection


def left_of(connection: Connection[Any], realm: str) -> dict[str, int]:
    """How many rows each table still has of a company."""
    tables = [table for (table,) in rows(connection, HELD_BY_REALM)]
    counts = {
        table: one(connection, f"SELECT count(*) FROM {table} WHERE realm = '{realm}'".encode())
        for table in tables
    }
    return {table: n for table, n in counts.items() if n}


COLUMNS = """
    SELECT quote_ident(attname), atttypid::regtype::text FROM pg_attribute
     WHERE attrelid = %s::text::regclass AND attnum > 0 AND attnotnull AND NOT atthasdef
       AND attidentity = '' AND attgenerated = ''"""
CHECKS = """
    SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint
     WHERE contype = 'c' AND connamespace IN ('sync'::regnamespace, 'quickbooks'::regnamespace)"""
SOMETHING = {
    "jsonb": "{}",
    "bigint": 1,
    "integer": 1,
    "numeric": 1,
    "boolean": True,
    "date": "2026-01-01",
    "timestamp with time zone": "2026-01-01",
    "text[]": "{}",
}
KNOWN = {"run_id": "run-1"}


def fill_every_table(connection: Connection[Any]) -> None:
    """Give each table that holds anything by company a row of this one, if it has none."""
    for table, rule in rows(connection, CHECKS):
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {rule}".encode())
    for (table,) in rows(connection, HELD_BY_REALM):
        if table in left_of(connection, REALM):
            continue
        values = {"realm": REALM}
        for name, type_ in connection.execute(COLUMNS, [table]).fetchall():
            values.setdefault(name, KNOWN.get(name, SOMETHING.get(type_, "x")))
        columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
        connection.execute(statement.encode(), list(values.values()))


def test_no_table_keeps_a_row_of_the_company_but_those_that_are_said_to(
    loaded: Connection[Any],
) -> None:
    fill_every_table(loaded)
    filled = left_of(loaded, REALM)
    assert set(filled) == {table for (table,) in rows(loaded, HELD_BY_REALM)}

    left = remove_company(loaded, "sample", "keep", "ann")

    assert left_of(loaded, REALM) == {f"sync.{table}": 1 for table in leaving.STAYS}
    assert {"sync.former", "sync.conflict", "sync.stand_in", "sync.token"} <= set(left.forgotten)


@pytest.mark.parametrize("what", leaving.WHATS)
def test_nothing_of_the_company_is_left_and_all_of_the_others(
    loaded: Connection[Any], what: What
) -> None:
    others = left_of(loaded, OTHER)

    left = remove_company(loaded, "sample", what, "ann")

    assert left_of(loaded, REALM) == {}
    assert left_of(loaded, OTHER) == others
    assert left.forgotten["quickbooks.record"] == 3


@pytest.mark.parametrize(
    ("what", "products_", "accounts_"),
    [
        ("keep", [("sample", True), ("other", True)], [(True, False)]),
        ("flag", [("sample", False), ("other", True)], [(False, True)]),
        ("remove", [("other", True)], []),
    ],
)
def test_its_crm_records_are_kept_flagged_or_removed(
    loaded: Connection[Any], what: What, products_: list[Any], accounts_: list[Any]
) -> None:
    left = remove_company(loaded, "sample", what, "ann")

    query = "SELECT company_id, active FROM crm.products ORDER BY company_id DESC"
    assert rows(loaded, query) == products_
    assert rows(loaded, "SELECT active, deleted FROM crm.accounts") == accounts_
    done = {"keep": "kept", "flag": "flagged", "remove": "removed"}[what]
    assert left.crm["crm.products"][done] == 1


def test_modules_that_an_undone_run_did_not_know_leave_too(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), run_id="first")
    sync(connection, known(), customer("1", FamilyName="Lee"), run_id="second")
    undo(connection, products(), "first")
    settle(connection)

    removed(connection)

    assert (count(connection, "crm.accounts"), count(connection, "crm.contacts")) == (0, 0)


def test_modules_that_refer_to_each_other_by_mappings_of_different_times_leave(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.accounts ADD likes bigint")
    connection.execute("ALTER TABLE crm.products ADD maker bigint")
    plain, likes = products()["products"].text, "likes: {from: Of, refers: products}"
    maker = plain.replace("price:", "maker: {from: Of, refers: accounts}, price:")
    before = parse_all({"products": plain, "accounts": accounts(likes)})
    sync(connection, before, item("7"), customer("1", Of="7"))
    sync(connection, parse_all({"products": maker, "accounts": accounts()}), item("7", Of="1"))
    settle(connection)

    removed(connection)

    assert (count(connection, "crm.accounts"), count(connection, "crm.products")) == (0, 0)


def test_flags_are_those_of_the_last_load_not_of_a_preview(loaded: Connection[Any]) -> None:
    draft = {"accounts": known()["accounts"].text.replace(FLAGS, ""), "contacts": CONTACTS}
    previewed = Run("sample", REALM, "previewed")
    runs.start(loaded, previewed, "manual", "ann", "preview")
    runs.settle(loaded, previewed, parse_all(draft).values(), list(draft))

    left = remove_company(loaded, "sample", "flag", "ann")

    assert rows(loaded, "SELECT active, deleted FROM crm.accounts") == [(False, True)]
    assert left.notes == [
        "The mapping of contacts has no when_deleted: its records stay as they are."
    ]


def test_a_plan_tells_what_would_happen_and_changes_nothing(loaded: Connection[Any]) -> None:
    before = left_of(loaded, REALM), count(loaded, "crm.products")

    planned = remove_company(loaded, "sample", "remove", "ann", plan=True)

    assert (left_of(loaded, REALM), count(loaded, "crm.products")) == before
    assert acts.listed(loaded, None, 9) == []
    assert remove_company(loaded, "sample", "remove", "ann") == planned


def test_what_was_done_is_written_down_and_stays(loaded: Connection[Any]) -> None:
    left = remove_company(loaded, "sample", "remove", "ann")

    [act] = acts.listed(loaded, "sample", 9)
    assert (act.kind, act.by_whom, act.subject) == (
        "company_removed",
        "ann",
        f"sample ({REALM})",
    )
    assert act.details["crm"] == left.crm


def test_a_company_is_not_removed_while_a_run_is_at_work(loaded: Connection[Any]) -> None:
    run = Run("sample", REALM, "at-work")
    runs.start(loaded, run, "manual", "ann")
    runs.take_lease(loaded, run)

    with pytest.raises(CompanyBusy, match="Run at-work is at work on company sample"):
        remove_company(loaded, "sample", "keep", "ann")


def test_a_company_that_nobody_knows_is_told(connection: Connection[Any]) -> None:
    with pytest.raises(SettingsError, match="Nothing was ever read of a company 'nobody'"):
        remove_company(connection, "nobody", "keep", "ann")


# ── what must not be removed ────────────────────────────────────────────────────────────────


def removed(connection: Connection[Any]) -> Left:
    return remove_company(connection, "sample", "remove", "ann")


def test_a_record_that_is_another_companys_too_stays(loaded: Connection[Any]) -> None:
    loaded.execute(
        "UPDATE sync.link SET record_key = (SELECT record_key FROM sync.link WHERE realm = %s AND "
        "module = 'products') WHERE realm = %s",
        [REALM, OTHER],
    )

    removed(loaded)

    assert rows(loaded, "SELECT company_id FROM crm.products ORDER BY 1") == [
        ("other",),
        ("sample",),
    ]


@pytest.mark.parametrize("ends", ["SET NULL", "CASCADE", "RESTRICT", "NO ACTION"])
def test_a_record_that_a_persons_record_refers_to_stays_whatever_its_foreign_key_says(
    loaded: Connection[Any], ends: str
) -> None:
    loaded.execute(
        "CREATE TABLE crm.notes (id int PRIMARY KEY, account_id bigint "
        f"REFERENCES crm.accounts ON DELETE {ends})".encode()
    )
    loaded.execute("INSERT INTO crm.notes SELECT 1, id FROM crm.accounts")

    left = removed(loaded)

    assert rows(loaded, "SELECT account_id IS NULL FROM crm.notes") == [(False,)]
    assert left.crm["crm.accounts"] == {"removed": 0, "kept": 1}
    assert left.crm["crm.contacts"] == {"removed": 1, "kept": 0}
    assert [k.because for k in left.kept] == [
        "a record of crm.notes that stays refers to it (notes_account_id_fkey)"
    ]


def test_what_a_record_that_stays_refers_to_stays_too(connection: Connection[Any]) -> None:
    tree = [customer("1"), customer("2", ParentRef={"value": "1"})]
    sync(connection, known(), *tree, customer("3", ParentRef={"value": "2"}), customer("4"))
    settle(connection)
    key = "SELECT id FROM crm.accounts WHERE quickbooks_customer_id = '2'"
    by_hand(connection, "crm.contacts", last_name="By hand", account_id=one(connection, key))

    removed(connection)

    query = "SELECT quickbooks_customer_id FROM crm.accounts ORDER BY 1"
    assert rows(connection, query) == [("1",), ("2",)]


def guard(connection: Connection[Any], table: str, body: str) -> None:
    """Let a trigger decide which records of a table may be removed."""
    connection.execute(
        "CREATE FUNCTION crm.own() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} END $$".encode()
    )
    connection.execute(
        f"CREATE TRIGGER own BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION "
        "crm.own()".encode()
    )


REFUSES = "IF OLD.name = 'Item 8' THEN RAISE EXCEPTION '% stays', OLD.name; END IF; RETURN OLD;"
DROPS = "IF OLD.name = 'Item 8' THEN RETURN NULL; END IF; RETURN OLD;"


@pytest.mark.parametrize(
    ("body", "because"),
    [
        (REFUSES, "the table does not let it go (P0001)"),
        (DROPS, "a trigger of the table kept it"),
    ],
)
def test_a_record_that_the_table_does_not_let_go_stays_and_the_others_do_not(
    connection: Connection[Any], body: str, because: str
) -> None:
    sync(connection, known(), item("7"), item("8"), item("9"))
    settle(connection)
    guard(connection, "crm.products", body)

    left = removed(connection)

    assert rows(connection, "SELECT name FROM crm.products") == [("Item 8",)]
    assert [k.because for k in left.kept] == [because]
    assert "Item 8" not in str(acts.listed(connection, None, 9))


BILLS = """\
entities: [Invoice]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id}
fields: {quickbooks_invoice_id: {from: Id}, number: {from: DocNumber}, kind: {value: invoice}}
lines:
  from: Line
  table: crm.invoice_lines
  parent: invoice_id
  position: position
  fields: {description: {from: Description}}
"""


@pytest.mark.parametrize("body", [REFUSES, DROPS])
def test_a_document_that_the_table_does_not_let_go_keeps_its_lines(
    connection: Connection[Any], body: str
) -> None:
    bills = parse_all({"bills": BILLS})
    for id in ("7", "8"):
        bill = {"Id": id, "DocNumber": f"Item {id}", "Line": [{"Description": f"Of {id}"}]}
        sync(connection, bills, Record("Invoice", id, bill))
    settle(connection)
    guard(connection, "crm.invoices", body.replace("OLD.name", "OLD.number"))

    removed(connection)

    assert rows(connection, "SELECT number FROM crm.invoices") == [("Item 8",)]
    assert rows(connection, "SELECT description FROM crm.invoice_lines") == [("Of 8",)]


@pytest.mark.parametrize("ends", ["SET NULL", "CASCADE", "RESTRICT"])
def test_what_the_lines_of_a_document_that_stays_refer_to_stays_too(
    connection: Connection[Any], ends: str
) -> None:
    of_products = products()["products"].text
    sold = BILLS.replace(
        "{description:", "{product_id: {from: Item, refers: products}, description:"
    )
    mappings = parse_all({"products": of_products, "bills": sold})
    [rule] = rows(
        connection,
        "SELECT conname FROM pg_constraint WHERE conrelid = 'crm.invoice_lines'::regclass "
        "AND confrelid = 'crm.products'::regclass",
    )
    connection.execute(
        f"ALTER TABLE crm.invoice_lines DROP CONSTRAINT {rule[0]}, ADD FOREIGN KEY (product_id) "
        f"REFERENCES crm.products ON DELETE {ends}".encode()
    )
    for id in ("7", "8"):
        bill = {"Id": id, "Line": [{"Description": f"Of {id}", "Item": id}]}
        sync(connection, mappings, item(id), Record("Invoice", id, bill))
    settle(connection)
    connection.execute("CREATE TABLE crm.notes (invoice_id bigint REFERENCES crm.invoices)")
    connection.execute(
        "INSERT INTO crm.notes SELECT id FROM crm.invoices WHERE quickbooks_invoice_id = '8'"
    )

    removed(connection)

    assert rows(connection, "SELECT name FROM crm.products") == [("Item 8",)]
    query = "SELECT description, product_id IS NULL FROM crm.invoice_lines"
    assert rows(connection, query) == [("Of 8", False)]


def test_flags_that_the_table_refuses_change_nothing(loaded: Connection[Any]) -> None:
    loaded.execute("ALTER TABLE crm.products ADD CHECK (active)")
    before = left_of(loaded, REALM)

    with pytest.raises(RunError) as stopped:
        remove_company(loaded, "sample", "flag", "ann")

    assert str(stopped.value) == (
        "crm.products does not take the flags of when_deleted (23514, products_active_check). "
        "Nothing was changed. Let the records be kept instead."
    )
    assert left_of(loaded, REALM) == before


def test_what_a_trigger_says_of_a_flag_is_not_repeated(loaded: Connection[Any]) -> None:
    loaded.execute(
        "CREATE FUNCTION crm.says() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% stays', NEW.name; END $$"
    )
    loaded.execute(
        "CREATE TRIGGER says BEFORE UPDATE ON crm.products FOR EACH ROW EXECUTE FUNCTION crm.says()"
    )

    with pytest.raises(RunError, match=r"when_deleted \(P0001\)") as stopped:
        remove_company(loaded, "sample", "flag", "ann")

    assert "Item 7" not in "".join(traceback.format_exception(stopped.value))


def test_a_table_that_is_gone_stops_nothing_and_is_told(loaded: Connection[Any]) -> None:
    loaded.execute("DROP TABLE crm.contacts CASCADE")

    left = removed(loaded)

    assert left.notes == ["The table crm.contacts of contacts is not there any more."]
    assert count(loaded, "crm.accounts") == 0


def test_records_under_keys_that_mean_others_by_now_stay_and_are_told(
    connection: Connection[Any],
) -> None:
    """A record that a person made has the number that a record of the company had."""
    sync(connection, products(), item("6"))
    sync(connection, products(), item("7"))
    connection.execute("DELETE FROM crm.products WHERE name = 'Item 6'")
    by_hand(connection, "crm.products", company_id="sample", name="By hand")
    settle(connection)
    connection.execute("ALTER TABLE crm.products DROP id CASCADE, ADD id bigserial PRIMARY KEY")

    left = removed(connection)

    query = "SELECT name FROM crm.products ORDER BY name"
    assert rows(connection, query) == [("By hand",), ("Item 7",)]
    assert left.notes == [
        "The primary key of crm.products is another column than when products was loaded: its "
        "records cannot be told from others any more, and stay as they are."
    ]
