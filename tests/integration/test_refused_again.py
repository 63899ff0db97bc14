"""A change that the CRM table refused goes on being tried as long as it is needed, no longer."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    REALM,
    by_hand,
    customer,
    load_rows,
    mirror,
    ready,
    rows,
    stage_rows,
    sync,
    with_work,
)
from tests.integration.documents import DOCUMENTS, invoice, line, with_customers
from tests.integration.test_undo_documents import HELD, refused_with_exclusions
from tests.integration.undo import release, undo

NEWEST = [("3", "C", None, "Customer 3")]


def demanding(connection: Connection[Any]) -> dict[str, Mapping]:
    """Documents must have a customer; one of the first is there."""
    several = with_customers()
    connection.execute("ALTER TABLE crm.invoices ALTER account_id SET NOT NULL")
    first = invoice("7", line("A"), CustomerRef={"value": "1"})
    sync(connection, several, customer("1"), first)
    return several


def version(number: str, text: str) -> Any:
    """The same document, of the customer with this number."""
    return invoice("7", line(text), DocNumber=number, CustomerRef={"value": number})


def work(connection: Connection[Any], known: dict[str, Mapping]) -> list[str]:
    """The modules with something to load."""
    every = known.values()
    return [name for name in known if runs.has_work(connection, REALM, known[name], every, known)]


# ── tried again after its run was undone ────────────────────────────────────────────────────


def test_the_newest_of_two_refused_versions_comes_in_though_its_run_was_undone(
    connection: Connection[Any],
) -> None:
    several = demanding(connection)
    sync(connection, several, version("2", "B"))
    sync(connection, several, version("3", "C"), run_id="wrong")
    undo(connection, several, "wrong")

    sync(connection, several)
    sync(connection, several, customer("3"))

    assert rows(connection, HELD) == NEWEST


def test_it_comes_in_though_what_the_older_version_waited_for_came_with_it(
    connection: Connection[Any],
) -> None:
    several = demanding(connection)
    sync(connection, several, version("2", "B"))
    sync(connection, several, customer("2"), version("3", "C"), run_id="wrong")
    undo(connection, several, "wrong")

    sync(connection, several)
    sync(connection, several, customer("3"))

    assert rows(connection, HELD) == NEWEST


def test_it_comes_in_though_a_retry_of_it_was_undone_too(connection: Connection[Any]) -> None:
    several = demanding(connection)
    sync(connection, several, version("2", "B"))
    sync(connection, several, version("3", "C"), run_id="wrong")
    release(connection, several, "refused_by_table", "retry")
    undo(connection, several, "retry")
    undo(connection, several, "wrong")

    sync(connection, several)
    sync(connection, several, customer("3"))

    assert rows(connection, HELD) == NEWEST


def test_a_sync_that_goes_on_after_an_undo_leaves_undone_what_is_undone(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    sync(connection, several, customer("1"), invoice("7", line("A"), CustomerRef={"value": "1"}))
    sync(connection, several, version("2", "B"), run_id="wrong")
    by_hand(connection, "crm.accounts", name="Hand", quickbooks_customer_id="2")
    ready(connection)
    run = Run("sample", REALM, "goes on")
    mirror(connection, run)
    assert with_work(connection, run, several) == ["accounts", "documents"]
    runs.finish(connection, run)
    undo(connection, several, "wrong")

    stage_rows(connection, run, several["documents"])
    load_rows(connection, run, several, "documents")

    assert rows(connection, HELD) == [(None, "A", None, "Customer 1")]


def test_a_reference_that_could_not_be_closed_is_tried_with_another_record(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    of_customer = {"CustomerRef": {"value": "10"}}
    sync(connection, several, invoice("7", line("A"), **of_customer))
    sync(connection, several, invoice("7", line("A"), **of_customer, TotalAmt="much"))
    connection.execute("ALTER TABLE crm.invoices ADD CONSTRAINT own CHECK (account_id IS NULL)")
    sync(connection, several, customer("10"), run_id="wrong")
    connection.execute("ALTER TABLE crm.invoices DROP CONSTRAINT own")
    undo(connection, several, "wrong")

    by_hand(connection, "crm.accounts", name="Hand", quickbooks_customer_id="10")
    sync(connection, several)

    assert rows(connection, HELD) == [(None, "A", None, "Hand")]


# ── but not for ever ────────────────────────────────────────────────────────────────────────


def test_what_is_due_of_an_entity_that_is_mapped_no_more_is_no_work(
    connection: Connection[Any],
) -> None:
    several = refused_with_exclusions(connection)
    [(last,)] = rows(connection, "SELECT run_id FROM sync.run ORDER BY started_at DESC LIMIT 1")
    fewer = without_invoices(several)
    sync(connection, fewer)

    undo(connection, several, last)
    sync(connection, fewer)

    assert work(connection, fewer) == []


def test_a_table_that_takes_more_now_is_no_work_for_an_entity_that_is_mapped_no_more(
    connection: Connection[Any],
) -> None:
    several = refused_with_exclusions(connection)
    fewer = without_invoices(several)
    sync(connection, fewer)

    connection.execute("ALTER TABLE crm.invoice_lines DROP CONSTRAINT own")
    sync(connection, fewer)

    assert work(connection, fewer) == []


def without_invoices(several: dict[str, Mapping]) -> dict[str, Mapping]:
    """The same modules, but documents of another entity only."""
    text = several["documents"].text
    for gone in ("Invoice, ", "Invoice: {value: invoice}, "):
        text = text.replace(gone, "")
    return parse_all({name: known.text for name, known in several.items()} | {"documents": text})


def test_open_references_of_a_module_that_is_left_out_are_no_work(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    sync(connection, several, invoice("7", line("A"), CustomerRef={"value": "10"}))
    fewer = {name: several[name] for name in ("products", "accounts")}

    sync(connection, fewer, customer("10"))

    assert work(connection, fewer) == []
    sync(connection, several)
    assert rows(connection, HELD) == [(None, "A", None, "Customer 10")]


def test_open_references_of_a_field_that_is_left_out_are_no_work(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    sync(connection, several, invoice("7", line("A"), CustomerRef={"value": "10"}))
    never_updated = DOCUMENTS.replace(
        "{key: quickbooks_invoice_id, within: kind}",
        "{mode: create, check: [quickbooks_invoice_id]}",
    )
    texts = {name: known.text for name, known in several.items()}
    fewer = parse_all(texts | {"documents": never_updated})
    sync(connection, fewer)

    sync(connection, fewer, customer("10"))
    sync(connection, fewer)

    assert work(connection, fewer) == []


def test_a_refused_change_that_waits_for_nothing_is_as_before_once_the_undo_is_undone(
    connection: Connection[Any],
) -> None:
    several = with_customers()
    sync(connection, several, invoice("7", line("A"), CustomerRef={"value": "10"}))
    connection.execute("ALTER TABLE crm.invoice_lines ADD CHECK (description <> 'bad')")
    sync(connection, several, invoice("7", line("bad")), run_id="wrong")

    undo(connection, several, "wrong", run_id="back")

    assert work(connection, several) == []
    undo(connection, several, "back")
    assert work(connection, several) == []


def test_a_refused_change_that_is_to_be_read_again_is_not_once_the_undo_is_undone(
    connection: Connection[Any],
) -> None:
    several = demanding(connection)
    sync(connection, several, version("2", "B"), run_id="wrong")

    undo(connection, several, "wrong", run_id="back")

    assert work(connection, several) == ["documents"]
    undo(connection, several, "back")
    assert work(connection, several) == []


# ── and told ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event", ["RETURN NULL", "RAISE EXCEPTION 'not this one'"])
def test_a_reference_that_a_trigger_keeps_open_is_told(
    connection: Connection[Any], event: str
) -> None:
    several = with_customers()
    of_customer = {"CustomerRef": {"value": "10"}}
    sync(connection, several, invoice("7", line("A"), **of_customer))
    sync(connection, several, invoice("7", line("A"), **of_customer, TotalAmt="much"))
    connection.execute(
        f"""CREATE FUNCTION crm.keep() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.account_id IS NOT NULL THEN {event}; END IF; RETURN NEW; END $$""".encode()
    )
    connection.execute(
        "CREATE TRIGGER keep BEFORE UPDATE ON crm.invoices FOR EACH ROW EXECUTE FUNCTION crm.keep()"
    )

    sync(connection, several, customer("10"), run_id="told")

    assert rows(
        connection,
        "SELECT warnings -> 'documents.account_id.stays_open' IS NOT NULL"
        " FROM sync.run WHERE run_id = 'told'",
    ) == [(True,)]
