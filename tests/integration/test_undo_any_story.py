"""Any runs, undone the last first, leave everything as it was before each; done again, as after it.

Products with keywords and descriptions that people edit, accounts with owners and parents, their
contacts, their invoices with lines; customers and products that are merged; contacts and lines that
the table refuses; runs of some of the modules, and other rules for sub-customers. SEQUENCES=5000
tells so many stories instead of a few.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as any_of
from psycopg import Connection, sql

from quickbooks_crm import stand_ins
from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import (
    REALM,
    Record,
    by_hand,
    customer,
    gone,
    item,
    ready,
    rows,
    sync,
)
from tests.integration.documents import invoice, line, with_customers
from tests.integration.keyword_lists import listed
from tests.integration.undo import undo
from tests.stories import so_many, soon_told, telling

pytestmark = pytest.mark.slow

STORIES = so_many(5)
CRM = """
    SELECT 'product', to_jsonb(c.*) - 'updated_at' FROM crm.products AS c UNION ALL
    SELECT 'account', to_jsonb(c.*) - 'updated_at' FROM crm.accounts AS c UNION ALL
    SELECT 'contact', to_jsonb(c.*) - 'updated_at' FROM crm.contacts AS c UNION ALL
    SELECT 'invoice', to_jsonb(c.*) - 'updated_at' FROM crm.invoices AS c UNION ALL
    SELECT 'line', to_jsonb(l.*) FROM crm.invoice_lines AS l UNION ALL
    SELECT 'keyword', to_jsonb(k.*) FROM crm.keyword_values AS k UNION ALL
    SELECT 'link', to_jsonb(l.*) FROM sync.link AS l WHERE run_id <> 'by hand' UNION ALL
    SELECT 'open', to_jsonb(p.*) - 'run_id' FROM sync.parked AS p
     WHERE (realm, entity, id, module) IN (SELECT realm, entity, id, module FROM sync.link)
     UNION ALL
    SELECT 'conflict', to_jsonb(c.*) FROM sync.conflict AS c"""
"""What a run may change. A link by hand says only that a person gave a CRM record a QuickBooks id:
no run made it, and none takes it back. What never came into the CRM is nothing to undo, and goes on
waiting for what it refers to."""
HELD = "SELECT 'held', to_jsonb(h.*) FROM sync.held AS h WHERE reason <> 'undone'"
EMPTY = """
    TRUNCATE crm.products, crm.accounts, crm.contacts, crm.invoices, crm.invoice_lines, sync.run,
             sync.link, sync.held, sync.parked, sync.former, sync.outcome, sync.module_position,
             sync.resolved_reference, sync.generation, sync.staged, sync.stage, sync.conflict,
             sync.stand_in, sync.moved, sync.merge, sync.added_keyword, quickbooks.record CASCADE;
    DELETE FROM crm.keyword_values WHERE id NOT IN (71, 72);
    ALTER TABLE crm.keyword_values ALTER id RESTART WITH 101"""

PRODUCTS = """\
entities: [Item]
table: crm.products
company: company_id
import: {key: quickbooks_product_id, check: [name], unknown_keywords: insert}
fields:
  quickbooks_product_id: {from: Id}
  name:        {from: Name}
  terms:       {from: Terms}
  description: {from: Description, edits: crm}
"""
ACCOUNTS = """\
entities: [Customer]
table: crm.accounts
company: company_id
import: {key: quickbooks_customer_id, check: [name]}
fields:
  quickbooks_customer_id: {from: Id}
  name:      {from: DisplayName}
  active:    {from: Active}
  parent_id: {from: ParentRef.value, refers: accounts}
  owner_id:  {from: Rep, owner: true}
"""
CONTACTS = """\
entities: [Customer]
table: crm.contacts
company: company_id
exclude: [{where: {FamilyName: {blank: true}}, because: nobody is named}]
import: {key: quickbooks_customer_id, check: [last_name, account_id]}
fields:
  quickbooks_customer_id: {from: Id}
  last_name:  {from: FamilyName}
  account_id: {from: Of, refers: accounts}
  owner_id:   {owner: account_id}
"""

SOME = [("products",), ("accounts", "documents"), ("products", "contacts"), ("documents",)]
"""Modules that a run may take instead of all."""
MAPPED = {
    "products": PRODUCTS,
    "accounts": ACCOUNTS,
    "contacts": CONTACTS,
    "documents": with_customers()["documents"].text,
}
REFUSES = """
    ALTER TABLE crm.contacts ADD CHECK (last_name <> 'D');
    ALTER TABLE crm.invoice_lines ADD CHECK (description <> 'D')"""

IDS = any_of.sampled_from("1234")
NAMES = any_of.sampled_from("ABCD")
MAYBE = any_of.none() | NAMES


@dataclass(frozen=True)
class Edit:
    """A person changes a column of the record with this id."""

    table: str
    column: str
    id: str
    value: str | None


@any_of.composite
def customers(draw: Any) -> Record:
    """A customer, perhaps a person, perhaps below another, perhaps inactive or deleted."""
    fields: dict[str, Any] = {"DisplayName": draw(NAMES), "Active": draw(any_of.booleans())}
    if parent := draw(any_of.none() | IDS):
        fields["ParentRef"] = {"value": parent}
    fields |= {"FamilyName": draw(MAYBE), "Of": draw(IDS), "Rep": draw(MAYBE)}
    return _perhaps_gone(draw, customer(draw(IDS), **fields))


@any_of.composite
def items(draw: Any) -> Record:
    """A product, perhaps with a keyword and a description."""
    fields = {"Terms": draw(MAYBE), "Description": draw(MAYBE)}
    return _perhaps_gone(draw, item(draw(IDS), Name=draw(NAMES), **fields))


@any_of.composite
def invoices(draw: Any) -> Record:
    """A document with up to three lines."""
    pairs = draw(any_of.lists(any_of.tuples(NAMES, any_of.none() | IDS), max_size=3))
    lines = [line(text, product) for text, product in pairs]
    fields: dict[str, Any] = {"DocNumber": draw(NAMES), "CustomerRef": {"value": draw(IDS)}}
    return _perhaps_gone(draw, invoice(draw(IDS), *lines, **fields))


def _perhaps_gone(draw: Any, record: Record) -> Record:
    return gone(record) if draw(any_of.integers(0, 5)) == 0 else record


Merge = tuple[str, str, str]
"""Of which entity, and who was merged into whom."""


@dataclass(frozen=True)
class Period:
    """What people edit, which merges are told, and then QuickBooks' records that a run brings in:
    of which modules, and what their mapping says of sub-customers."""

    edits: list[Edit]
    merges: list[Merge]
    records: list[Record]
    modules: tuple[str, ...]
    children: str | None


EDITED = any_of.sampled_from([("products", "description"), ("accounts", "phone")])
EDITS = EDITED.flatmap(lambda place: any_of.builds(Edit, *map(any_of.just, place), IDS, MAYBE))
MERGES = any_of.tuples(any_of.sampled_from(("Customer", "Customer", "Item")), IDS, IDS)
PERIODS = any_of.builds(
    Period,
    any_of.lists(EDITS, max_size=2, unique_by=lambda edit: (edit.table, edit.id)),
    any_of.lists(MERGES.filter(lambda told: told[1] != told[2]), max_size=2),
    any_of.lists(
        customers() | items() | invoices(),
        min_size=1,
        max_size=6,
        unique_by=lambda record: (record.entity, record.id),
    ),
    any_of.sampled_from([tuple(MAPPED)] * len(SOME) + SOME),
    any_of.sampled_from([None] * 4 + ["roll_up", "skip"]),
)
READ = "SELECT {column} FROM {table} WHERE {key} = %s"
WRITE = "UPDATE {table} SET {column} = %s WHERE {key} = %s"
KEYS = {"products": "quickbooks_product_id", "accounts": "quickbooks_customer_id"}


@pytest.fixture
def crm(connection: Connection[Any]) -> Connection[Any]:
    listed(connection, "terms")
    connection.execute(REFUSES)
    for name in "AB":
        by_hand(connection, "crm.users", name=name, external_user_id=name)
    ready(connection)
    return connection


def edit(connection: Connection[Any], what: Edit) -> Edit:
    """Do it; what would take it back."""
    names = {
        "table": sql.Identifier("crm", what.table),
        "column": sql.Identifier(what.column),
        "key": sql.Identifier(KEYS[what.table]),
    }
    held = connection.execute(sql.SQL(READ).format(**names), [what.id]).fetchone()
    connection.execute(sql.SQL(WRITE).format(**names), [what.value, what.id])
    return replace(what, value=held[0] if held else None)


def mapped(children: str | None) -> dict[str, Mapping]:
    """The mappings, with what that of accounts says of sub-customers."""
    says = f"import: {{child_accounts: {children}, " if children else "import: {"
    return parse_all(MAPPED | {"accounts": ACCOUNTS.replace("import: {", says)})


def loaded(connection: Connection[Any], run_id: str) -> bool:
    """Whether a run had anything to do: what did nothing cannot be undone."""
    query = "SELECT FROM sync.activity WHERE run_id = %s LIMIT 1"
    return connection.execute(query, [run_id]).fetchone() is not None


def state(connection: Connection[Any], *queries: str) -> list[Any]:
    return rows(connection, " UNION ALL ".join([CRM, *queries]) + " ORDER BY 1, 2")


@pytest.mark.timeout(0)
@telling(STORIES)
@given(any_of.lists(PERIODS, min_size=1, max_size=3), any_of.sets(IDS, max_size=2))
@soon_told
def test_runs_undone_the_last_first_leave_what_was_before_each_and_done_again_what_was_after_it(
    crm: Connection[Any], periods: list[Period], made_by_hand: set[str]
) -> None:
    crm.execute(EMPTY)
    for id in sorted(made_by_hand):
        by_hand(crm, "crm.accounts", name=f"Own {id}", quickbooks_customer_id=id)
    before, after, back = [], [], []
    for number, period in enumerate(periods):
        back.append([edit(crm, what) for what in period.edits])
        before.append(state(crm))
        for told in period.merges:
            stand_ins.tell_merge(crm, REALM, told, "a person")
        known = mapped(period.children)
        sync(crm, known, *period.records, run_id=f"run-{number}", modules=period.modules)
        after.append(state(crm))
    held = state(crm, HELD)

    for number in reversed(range(len(periods))):
        if loaded(crm, f"run-{number}"):
            undo(crm, known, f"run-{number}", run_id=f"back-{number}")
        assert state(crm) == before[number]
        for what in back[number]:
            edit(crm, what)
    for number, period in enumerate(periods):
        for what in period.edits:
            edit(crm, what)
        if loaded(crm, f"run-{number}"):
            undo(crm, known, f"back-{number}", run_id=f"forth-{number}")
        assert state(crm) == after[number]
    assert state(crm, HELD) == held
