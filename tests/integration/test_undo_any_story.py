"""Any runs, undone the last first, leave the CRM as it was before each; done again, as after it."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as any_of
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import CONTACTS, Record, accounts, by_hand, customer, gone, rows, sync
from tests.integration.undo import undo

STATE = """
    SELECT 'account', to_jsonb(c.*) - 'updated_at' FROM crm.accounts AS c UNION ALL
    SELECT 'contact', to_jsonb(c.*) - 'updated_at' FROM crm.contacts AS c UNION ALL
    SELECT 'link', to_jsonb(l.*) FROM sync.link AS l WHERE run_id <> 'by hand' ORDER BY 1, 2"""
"""A link by hand says only that a person gave a CRM record a QuickBooks id: no run made it, and
none takes it back."""
EMPTY = "TRUNCATE crm.accounts, crm.contacts, sync.run, sync.link, sync.held, sync.parked, \
sync.former, sync.outcome, sync.module_position, sync.resolved_reference, sync.generation, \
sync.staged, sync.stage, quickbooks.record CASCADE"

IDS = any_of.sampled_from("12345")
NAMES = any_of.sampled_from("ABCDE")


@any_of.composite
def records(draw: Any) -> Record:
    """A customer, perhaps a person, perhaps below another, perhaps inactive or deleted."""
    fields: dict[str, Any] = {"DisplayName": draw(NAMES), "Active": draw(any_of.booleans())}
    if parent := draw(any_of.none() | IDS):
        fields["ParentRef"] = {"value": parent}
    if family := draw(any_of.none() | NAMES):
        fields["FamilyName"] = family
    record = customer(draw(IDS), **fields)
    return gone(record) if draw(any_of.integers(0, 5)) == 0 else record


RUNS = any_of.lists(
    any_of.lists(records(), min_size=1, max_size=5, unique_by=lambda r: r.id),
    min_size=1,
    max_size=3,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS, any_of.sets(IDS, max_size=2))
def test_runs_undone_the_last_first_leave_what_was_before_each(
    connection: Connection[Any], runs: list[list[Record]], made_by_hand: set[str]
) -> None:
    connection.execute(EMPTY)
    known = parse_all({"accounts": accounts("active: {from: Active}"), "contacts": CONTACTS})
    for id in sorted(made_by_hand):
        by_hand(connection, "crm.accounts", name=f"Own {id}", quickbooks_customer_id=id)
    states = [rows(connection, STATE)]
    for number, brought in enumerate(runs):
        sync(connection, known, *brought, run_id=f"run-{number}")
        states.append(rows(connection, STATE))

    for number in reversed(range(len(runs))):
        undo(connection, known, f"run-{number}", run_id=f"back-{number}")
        assert rows(connection, STATE) == states[number]
    for number in range(len(runs)):
        undo(connection, known, f"back-{number}", run_id=f"forth-{number}")
        assert rows(connection, STATE) == states[number + 1]
