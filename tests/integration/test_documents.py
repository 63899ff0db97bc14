"""Documents, whatever their lines: deleted and voided, several kinds of them in one table,
and those before the start date."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import End, by_hand, gone, item, outcome, rows, sync
from tests.integration.documents import TEXTS, credit, image, invoice, known, line

# Deleted and voided


def test_a_deleted_document_keeps_its_lines_and_is_flagged(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a")))

    ended = sync(connection, known(), gone(invoice("1", line("a"))))

    assert ended == [End("1", "updated")]
    assert rows(connection, "SELECT deleted FROM crm.invoices") == [(True,)]
    assert rows(connection, TEXTS) == [(1, "a")]
    assert sync(connection, known(), gone(invoice("1"))) == [End("1", "unchanged")]


def test_a_document_that_comes_back_loses_the_flag(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a")))
    sync(connection, known(), gone(invoice("1")))

    sync(connection, known(), invoice("1", line("a"), line("b")))

    assert rows(connection, "SELECT deleted FROM crm.invoices") == [(False,)]
    assert rows(connection, TEXTS) == [(1, "a"), (2, "b")]


def test_a_voided_document_is_flagged_and_told_of(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", line("a", Amount=5), TotalAmt=5))

    void = invoice("1", line("a", Amount=0), TotalAmt=Decimal("0.00"), PrivateNote="Voided")
    ended = sync(connection, known(), void)

    assert ended == [End("1", "updated")]
    assert outcome(connection, "1", "flag") == ("deactivated",)
    assert rows(connection, "SELECT voided, total FROM crm.invoices") == [(True, 0)]


@pytest.mark.parametrize("fields", [{"TotalAmt": 0}, {"TotalAmt": 5, "PrivateNote": "Voided"}])
def test_a_document_over_nothing_or_with_such_a_note_is_not_voided(
    connection: Connection[Any], fields: dict[str, Any]
) -> None:
    sync(connection, known(), invoice("1", **fields))

    assert rows(connection, "SELECT voided FROM crm.invoices") == [(False,)]


# Several kinds of documents in one table


def test_documents_of_two_kinds_with_one_id_are_two_records(connection: Connection[Any]) -> None:
    ended = sync(connection, known(), invoice("1", line("a")), credit("1", line("b", Amount=5)))

    assert ended == [End("1", "added"), End("1", "added")]
    kinds = "SELECT kind, quickbooks_invoice_id FROM crm.invoices ORDER BY kind"
    assert rows(connection, kinds) == [("credit memo", "1"), ("invoice", "1")]
    assert rows(connection, "SELECT amount FROM crm.invoice_lines WHERE amount < 0") == [(-5,)]


@pytest.mark.parametrize("kind", ["invoice", "Credit  Memo"])
def test_a_document_that_a_person_made_is_found_by_its_kind_and_typed_id(
    connection: Connection[Any], kind: str
) -> None:
    made = by_hand(connection, "crm.invoices", kind=kind, quickbooks_invoice_id="1")

    sync(connection, known(), invoice("1", TotalAmt=1), credit("1", TotalAmt=2))

    totals = {id: total for id, total in rows(connection, "SELECT id, total FROM crm.invoices")}
    assert totals.pop(made) == (1 if kind == "invoice" else -2)
    assert list(totals.values()) == [-2 if kind == "invoice" else 1]


def test_lines_of_a_document_that_a_person_made_become_quickbooks(
    connection: Connection[Any],
) -> None:
    made = by_hand(connection, "crm.invoices", kind="invoice", quickbooks_invoice_id="1")
    by_hand(connection, "crm.invoice_lines", invoice_id=made, position=1, description="mine")
    by_hand(connection, "crm.invoice_lines", invoice_id=made, position=2, description="mine")

    assert sync(connection, known(), invoice("1", line("a"))) == [End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "a")]
    assert outcome(connection, "1", "before")[0]["@lines"] == [image(1, "mine"), image(2, "mine")]


# A start date


EARLY, LATE = ("2023-12-31", "2024-01-01")
NUMBERS = "SELECT quickbooks_invoice_id FROM crm.invoices ORDER BY 1"


def test_documents_before_the_start_date_stay_out_and_say_so(connection: Connection[Any]) -> None:
    early, late = invoice("1", line("a"), TxnDate=EARLY), invoice("2", TxnDate=LATE)

    ended = sync(connection, known(), early, late, start_date=LATE)

    assert ended == [End("1", "excluded", "before_start_date"), End("2", "added")]
    assert outcome(connection, "1", "message") == ("Dated before the company's start date.",)
    assert rows(connection, TEXTS) == []


def test_an_earlier_start_date_brings_older_documents_in(connection: Connection[Any]) -> None:
    old = [invoice(str(year), line("a"), TxnDate=f"{year}-06-01") for year in (2020, 2021, 2022)]
    sync(connection, known(), *old, start_date="2022-01-01")

    assert sync(connection, known(), start_date="2021-01-01") == [End("2021", "added")]
    assert sync(connection, known(), start_date="2021-01-01") == []
    assert sync(connection, known()) == [End("2020", "added")]
    assert rows(connection, NUMBERS) == [("2020",), ("2021",), ("2022",)]


def test_a_later_start_date_leaves_what_is_in_the_crm_and_keeps_it_up_to_date(
    connection: Connection[Any],
) -> None:
    sync(connection, known(), invoice("1", TxnDate=EARLY))

    ended = sync(connection, known(), invoice("1", TxnDate=EARLY, DocNumber="5"), start_date=LATE)

    assert ended == [End("1", "updated")]


def test_records_that_are_no_documents_know_no_start_date(connection: Connection[Any]) -> None:
    assert sync(connection, known(), item("7"), start_date=LATE) == [End("7", "added")]


def test_a_document_that_is_given_a_later_day_comes_in(connection: Connection[Any]) -> None:
    sync(connection, known(), invoice("1", TxnDate=EARLY), start_date=LATE)

    assert sync(connection, known(), invoice("1", TxnDate=LATE), start_date=LATE) == [
        End("1", "added")
    ]
