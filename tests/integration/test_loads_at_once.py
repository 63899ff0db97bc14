"""Loads of one run that are at work at the same time."""

from typing import Any

import psycopg
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    CONTACTS,
    REALM,
    End,
    Record,
    accounts,
    customer,
    ends,
    load_rows,
    mirror,
    one,
    ready,
    stage_rows,
)

RUN = Run("sample", REALM, "run-1")
INVOICES = """\
entities: [Invoice]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id}
fields:
  quickbooks_invoice_id: {from: Id}
  kind:                  {value: invoice}
  account_id:            {from: CustomerRef.value, refers: accounts}
"""
OF_ONE_ACCOUNT = """
    SELECT count(*) FROM crm.contacts JOIN crm.invoices USING (account_id)"""


def test_modules_that_do_not_refer_to_each_other_load_at_the_same_time(
    connection: Connection[Any], database_url: str
) -> None:
    """Neither waits for the other, though both refer to the same account."""
    known = parse_all({"accounts": accounts(), "contacts": CONTACTS, "invoices": INVOICES})
    ready(connection)
    invoice = Record("Invoice", "9", {"Id": "9", "CustomerRef": {"value": "1"}})
    mirror(connection, RUN, customer("1", FamilyName="Vega"), invoice)
    for module in known:
        stage_rows(connection, RUN, known[module])
    load_rows(connection, RUN, known, "accounts")

    with psycopg.connect(database_url, autocommit=True) as other, connection.transaction():
        other.execute("SET lock_timeout = '5s'")
        load_rows(connection, RUN, known, "contacts")
        load_rows(other, RUN, known, "invoices")

    assert ends(connection, RUN, "contacts") == [End("1", "added")]
    assert ends(connection, RUN, "invoices") == [End("9", "added")]
    assert one(connection, OF_ONE_ACCOUNT) == 1
