"""People work on in QuickBooks while it is read: one more run, and no row is missed.

The way others fail: rows move over the border of two pages while these are read one after the
other, and who reads on from the latest time that it has seen never comes back for them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from quickbooks_crm.errors import SyncFailed
from tests.acceptance.kept_in_step import Kept, kept_in_step, own_include

pytestmark = pytest.mark.slow

INVOICE_TABLE = """
    CREATE TABLE crm.bills_sent (
        id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        company_id            text,
        account_id            bigint REFERENCES crm.accounts,
        number                text,
        issued_on             date,
        total                 numeric(20, 2),
        deleted               boolean NOT NULL DEFAULT false,
        quickbooks_invoice_id text NOT NULL
    )"""
INVOICE_INDEX = "CREATE INDEX ON crm.bills_sent (sync.normal(quickbooks_invoice_id))"
INVOICE_MAPPING = {
    "entities": ["Invoice"],
    "table": "crm.bills_sent",
    "company": "company_id",
    "import": {
        "mode": "merge",
        "key": "quickbooks_invoice_id",
        "check": ["quickbooks_invoice_id"],
    },
    "fields": {
        "quickbooks_invoice_id": {"from": "Id"},
        "account_id": {"from": "CustomerRef.value", "refers": "accounts"},
        "number": {"from": "DocNumber"},
        "issued_on": {"from": "TxnDate"},
        "total": {"from": "TotalAmt"},
        "deleted": {"value": False},
    },
    "when_deleted": {"deleted": True},
}


@pytest.fixture
def kept(
    request: pytest.FixtureRequest,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Kept]:
    """A company whose invoices are kept in step too; of the size that the test asks for."""
    include = own_include(tmp_path, monkeypatch)
    (include / "mappings" / "invoices.yaml").write_text(yaml.safe_dump(INVOICE_MAPPING))
    company = include / "companies" / "sample.yaml"
    company.write_text(re.sub("modules: .*", "modules: [accounts, invoices]", company.read_text()))
    with kept_in_step(database_url, monkeypatch, **request.param) as kept:
        kept.ask(INVOICE_TABLE)
        kept.ask(INVOICE_INDEX)
        yield kept


def of_size(**size: int) -> pytest.MarkDecorator:
    none = dict.fromkeys(("estimates", "bills", "purchase_orders", "vendors"), 0)
    return pytest.mark.parametrize("kept", [none | size], indirect=True, ids=[""])


def missed(kept: Kept, entity: str) -> set[str]:
    """The ids of which the mirror has another version than QuickBooks, or none, or one of a row
    that is gone."""
    rows = kept.ask(
        "SELECT id, sync_token, coalesce(payload ->> 'Active', 'true') = 'true' AS active"
        " FROM quickbooks.record WHERE entity = %s AND NOT deleted",
        entity,
    )
    held = {(row["id"], row["sync_token"], row["active"]) for row in rows}
    truth = kept.quickbooks.truth(entity).items()
    there = {(id, row.version, row.active) for id, row in truth if not row.deleted}
    return {id for id, *_ in held ^ there}


def accounts_that_differ(kept: Kept) -> set[str]:
    """The customers that are not in the CRM, or otherwise there."""
    rows = kept.ask("SELECT quickbooks_customer_id AS id, notes, active FROM crm.accounts")
    held = {(row["id"], row["notes"], row["active"]) for row in rows}
    customers = kept.quickbooks.rows("Customer")
    there = {(row["Id"], row.get("Notes"), row["Active"]) for row in customers}
    return {id for id, *_ in held ^ there}


def touched(kept: Kept) -> None:
    """From now on people are at work on customers and invoices after every page that is read."""
    act = kept.quickbooks.random_changes
    kept.quickbooks.between_pages(
        act("Customer", edits=5, adds=1, deletes=1, reactivations=1, merges=1), "Customer"
    )
    kept.quickbooks.between_pages(act("Invoice", edits=5, adds=1, deletes=2, voids=1), "Invoice")


@of_size(customers=10_000, items=20, invoices=3_000)
def test_no_row_is_missed_when_people_work_on_during_a_full_read(kept: Kept) -> None:
    touched(kept)

    kept.sync()
    kept.quickbooks.calm()
    kept.sync()

    assert (missed(kept, "Customer"), missed(kept, "Invoice")) == (set(), set())
    assert accounts_that_differ(kept) == set()


@of_size(customers=20, items=20, invoices=1_500)
def test_no_row_is_missed_when_people_work_on_while_many_changes_are_read(kept: Kept) -> None:
    """More changes than QuickBooks tells of at once are queried, page by page too."""
    kept.sync()
    for row in kept.quickbooks.rows("Invoice")[:1_200]:
        kept.quickbooks.change("Invoice", row["Id"], PrivateNote="all at once")
    touched(kept)

    kept.sync()
    kept.quickbooks.calm()
    kept.sync()

    assert (missed(kept, "Customer"), missed(kept, "Invoice")) == (set(), set())
    assert accounts_that_differ(kept) == set()


@of_size(customers=30, items=20, invoices=60)
def test_invoices_deleted_in_quickbooks_are_deleted_here(kept: Kept) -> None:
    kept.sync()
    deleted = {row["Id"] for row in kept.quickbooks.rows("Invoice")[:50:5]}
    for id in deleted:
        kept.quickbooks.delete("Invoice", id)

    kept.sync()

    rows = kept.ask("SELECT quickbooks_invoice_id AS id FROM crm.bills_sent WHERE deleted")
    assert {row["id"] for row in rows} == deleted
    assert missed(kept, "Invoice") == set()


@of_size(customers=30, items=20, invoices=60)
def test_an_entity_that_always_fails_fails_the_run_and_stops_no_other(kept: Kept) -> None:
    kept.quickbooks.fail("query", 400, matching="FROM Invoice", times=1_000)

    with pytest.raises(SyncFailed, match="invoices"):
        kept.sync("run-1")

    run = kept.run("run-1")
    assert (run.state, list(run.blocked)) == ("failed", ["invoices"])
    assert missed(kept, "Customer") == set()
    assert accounts_that_differ(kept) == set()

    kept.quickbooks.clear_faults()
    kept.sync()
    assert missed(kept, "Invoice") == set()


@of_size(customers=30, items=20, invoices=60)
def test_odd_rows_stop_no_other_row_and_the_run_tells_of_them(kept: Kept) -> None:
    quickbooks = kept.quickbooks
    without_times = {
        name: of for name, of in quickbooks.rows("Customer")[2].items() if name != "MetaData"
    }
    quickbooks.put("Customer", without_times)
    quickbooks.change("Customer", "5", Notes="before\0after")
    quickbooks.change("Invoice", "2", TxnDate="2026-02-31")
    quickbooks.change("Invoice", "3", TotalAmt="a lot")
    endless = b'{"Id":"4","SyncToken":"9","TotalAmt":1%s}' % (b"0" * 200_000)
    quickbooks.put("Invoice", {"Id": "4", "SyncToken": "9"}, endless)

    run = kept.sync()

    assert (missed(kept, "Customer"), missed(kept, "Invoice")) == (set(), set())
    [odd] = kept.ask("SELECT notes FROM crm.accounts WHERE quickbooks_customer_id = '5'")
    assert odd["notes"] == "before\ufffdafter"
    assert accounts_that_differ(kept) == {"5"}
    rows = kept.ask("SELECT id, message FROM sync.outcome WHERE outcome = 'not_added' ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("2", "Issued on '2026-02-31' is not a date (year-month-day)."),
        ("3", "Total 'a lot' is not a number."),
    ]
    assert run.warnings == (
        "QuickBooks says something odd in 1 record of invoices (Invoice 4): no lines at all, so "
        "that those in the CRM stay (1). That is loaded as QuickBooks has it; the details of these "
        "rows say more.",
        "Customer 5 cannot be stored letter for letter: a NUL, or half of a character, "
        "became \ufffd.",
        "Invoice 4 cannot be stored: perhaps a number has too many digits, or one field stands in "
        "it twice. The CRM keeps what it had before, or gets the Id alone. Put it right in "
        "QuickBooks.",
        "Customer 3 came without a readable time of the last change: stored as sent, and of two "
        "versions the greater SyncToken counts.",
    )


@of_size(customers=5, items=5, invoices=10)
def test_a_record_that_can_no_longer_be_stored_keeps_its_values(kept: Kept) -> None:
    kept.sync()
    [before] = kept.ask("SELECT * FROM crm.bills_sent WHERE quickbooks_invoice_id = '4'")
    endless = b'{"Id":"4","SyncToken":"9","TotalAmt":1%s}' % (b"0" * 200_000)
    kept.quickbooks.put("Invoice", {"Id": "4", "SyncToken": "9"}, endless)

    run = kept.sync(everything=True)

    assert len(run.warnings) == 1
    assert kept.ask("SELECT * FROM crm.bills_sent WHERE quickbooks_invoice_id = '4'") == [before]
