"""What is odd in QuickBooks itself: brought in as it is, and told once."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import activity
from quickbooks_crm.mapping import Mapping, parse_all
from simulator import Company
from simulator.generate import generated
from simulator.load import loaded
from simulator.settings import Settings
from tests.integration.crm import (
    REALM,
    End,
    Record,
    customer,
    gone,
    item,
    one,
    outcome,
    products,
    sync,
)

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
SIZE = Settings(customers=60, items=30, invoices=60, seed=9)
DOCUMENTS = """\
entities: [Estimate, Invoice, SalesReceipt, CreditMemo, RefundReceipt, Payment]
table: crm.invoices
company: company_id
import: {key: quickbooks_invoice_id, within: kind}
fields:
  quickbooks_invoice_id: {from: Id}
  kind:
    for_entity:
      Estimate:      {value: estimate}
      Invoice:       {value: invoice}
      SalesReceipt:  {value: sales receipt}
      CreditMemo:    {value: credit memo}
      RefundReceipt: {value: refund}
      Payment:       {value: payment}
  notes:   {from: PrivateNote}
  deleted: {value: false}
when_deleted: {deleted: true}
"""


def mapped() -> dict[str, Mapping]:
    return parse_all({"documents": DOCUMENTS})


def line(amount: Any, kind: str | None = "SalesItemLineDetail", **fields: Any) -> dict[str, Any]:
    return {"Amount": amount, "DetailType": kind} | fields


def of(total: Any, *lines: dict[str, Any], entity: str = "Invoice", **fields: Any) -> Any:
    """A document that is told apart from others by an id that is given later."""
    return lambda id: Record(entity, id, {"Id": id, "TotalAmt": total, "Line": [*lines]} | fields)


def currency(code: str) -> dict[str, Any]:
    return {"CurrencyRef": {"value": code}}


IN_EUROS = {"CustomerRef": {"value": "57"}}
TAX = {"TxnTaxDetail": {"TotalTax": "1.00"}}
INCLUSIVE = {"GlobalTaxCalculation": "TaxInclusive"}
NO_WORD = "is no word that QuickBooks is known to use there."
CASES = {
    "the lines": (of("3.30", line("1.10"), line("2.20")), None),
    "not the lines": (
        of("3.31", line("1.10"), line("2.20")),
        "Total '3.31' is not what the lines and the tax add up to, 3.30.",
    ),
    "and the tax": (of(11, line(10), **TAX), None),
    "without the tax": (
        of(10, line(10), **TAX),
        "Total '10' is not what the lines and the tax add up to, 11.00.",
    ),
    "less a discount": (of(45, line(50), line(5, "DiscountLineDetail")), None),
    "and a discount": (
        of(55, line(50), line(5, "DiscountLineDetail")),
        "Total '55' is not what the lines and the tax add up to, 45.",
    ),
    "a subtotal": (of(5, line(5), line(5, "SubTotalLineDetail")), None),
    "a text": (of(5, line(5), line(None, "DescriptionOnly")), None),
    "beside a subtotal and a text": (
        of(6, line(5), line(5, "SubTotalLineDetail"), line(None, "DescriptionOnly")),
        "Total '6' is not what the lines and the tax add up to, 5.",
    ),
    "a text with an amount": (of(6, line(5), line(1, "DescriptionOnly")), None),
    "a bundle": (of(10, line(8, "GroupLineDetail"), line(2)), None),
    "a bundle that leaves it to its lines": (of(10, line(0, "GroupLineDetail")), None),
    "nothing but a subtotal": (of(81, line(75, "SubTotalLineDetail")), None),
    "no lines": (of(81), None),
    "no list of lines": (of(81, Line="5"), None),
    "an amount that is none": (of(81, line("five")), None),
    "a total that is none": (of("much", line(5)), None),
    "half a cent": (of("5.004", line(5)), None),
    "prices with the tax": (of(11, line(10), **TAX, **INCLUSIVE), None),
    "amounts with the tax": (of(11, line(11), **TAX, **INCLUSIVE), None),
    "a cent of rounding": (of("20.01", line("9.50"), line("9.50"), **TAX, **INCLUSIVE), None),
    "more than that": (
        of("20.02", line("9.50"), line("9.50"), **TAX, **INCLUSIVE),
        "Total '20.02' is not what the lines and the tax add up to, 20.00.",
    ),
    "a payment": (of(5, line(3, None), entity="Payment"), None),
    "a receipt": (
        of(5, line(3), entity="SalesReceipt"),
        "Total '5' is not what the lines and the tax add up to, 3.",
    ),
    "voided": (of(0, line(3), PrivateNote="Voided", TxnDate="2026-01-07"), None),
    "the customer's currency": (of(5, line(5), **IN_EUROS, **currency("EUR")), None),
    "another currency": (
        of(5, line(5), **IN_EUROS, **currency("USD")),
        "Currency 'USD' is not that of the customer, EUR.",
    ),
    "no currency": (of(5, line(5), **IN_EUROS), "Currency is missing, and the customer has EUR."),
    "a customer without one": (
        of(5, line(5), CustomerRef={"value": "58"}, **currency("USD")),
        None,
    ),
    "a customer who is not here": (
        of(5, line(5), CustomerRef={"value": "59"}, **currency("USD")),
        None,
    ),
    "a payment in another currency": (
        of(5, entity="Payment", **IN_EUROS, **currency("USD")),
        "Currency 'USD' is not that of the customer, EUR.",
    ),
    "a rate": (of(5, line(5), ExchangeRate="0.9"), None),
    "no rate": (
        of(5, line(5), ExchangeRate=0),
        "Exchange rate '0' is no rate at which anything can be exchanged.",
    ),
    "a known status": (of(5, line(5), entity="Estimate", TxnStatus="Pending"), None),
    "a blank status": (of(5, line(5), entity="Estimate", TxnStatus=""), None),
    "a new status": (
        of(5, line(5), entity="Estimate", TxnStatus="Viewed"),
        f"TxnStatus 'Viewed' {NO_WORD}",
    ),
    "a status of something else": (of(5, line(5), TxnStatus="Payable"), None),
    "a new way to tax": (
        of(5, line(5), GlobalTaxCalculation="TaxDeferred"),
        f"GlobalTaxCalculation 'TaxDeferred' {NO_WORD}",
    ),
    "a new kind of line": (
        of(9, line(5), line(3, "SurchargeLineDetail")),
        f"Line 2: DetailType 'SurchargeLineDetail' {NO_WORD}",
    ),
    "several": (
        of(5, line(4), ExchangeRate=-1, PrintStatus="Faxed"),
        "Total '5' is not what the lines and the tax add up to, 4. "
        "Exchange rate '-1' is no rate at which anything can be exchanged. "
        f"PrintStatus 'Faxed' {NO_WORD}",
    ),
}


def told(connection: Connection[Any], run_id: str, module: str = "documents") -> dict[str, str]:
    """What is said of each record that was brought in, but for those of which nothing is."""
    found = [
        row
        for ended in ("added", "updated")
        for row in activity.rows(connection, REALM, run_id, module, ended)
    ]
    return {row.id: " ".join(row.told) for row in found if row.told}


def warned(connection: Connection[Any], run_id: str) -> dict[str, str]:
    query = "SELECT warnings FROM sync.run WHERE run_id = %s"
    found: dict[str, str] = one(connection, query, [run_id])
    return found


def test_what_is_odd_is_brought_in_and_told(connection: Connection[Any]) -> None:
    """All cases in one load: what is said of one says nothing of another."""
    names = {str(id): name for id, name in enumerate(CASES, 1)}
    customers = [
        customer("57", **currency("EUR")),
        customer("58"),
        customer("60", **currency("USD")),
    ]

    ended = sync(
        connection, mapped(), *customers, *(CASES[name][0](id) for id, name in names.items())
    )

    assert ended == [End(id, "added") for id in names]
    assert {names[id]: said for id, said in told(connection, "run-1").items()} == {
        name: said for name, (_, said) in CASES.items() if said
    }


def test_a_run_warns_once_of_how_many_are_odd_in_which_way(connection: Connection[Any]) -> None:
    """However many loads it took, as a replay does."""
    odd = [of(5, line(4))(str(id)) for id in range(1, 12)]
    new = [line(5, "NewLineDetail")] * 2
    more = of(5, *new, entity="CreditMemo", ExchangeRate=0)("7")

    sync(connection, mapped(), *odd, run_id="first")
    sync(connection, mapped(), more, of(5, line(5))("12"), run_id="first")

    shown = "Invoice 1, Invoice 2, Invoice 3, Invoice 4, Invoice 5, Invoice 6, CreditMemo 7, "
    assert warned(connection, "first") == {
        "documents.odd": f"QuickBooks says something odd in 12 records of documents ({shown}"
        "Invoice 7, Invoice 8, Invoice 9, …): a total that is not the sum of the lines and the "
        "tax (11), an exchange rate of 0 or less (1), a word that QuickBooks is not known to use "
        "(1). That is loaded as QuickBooks has it; the details of these rows say more."
    }


def test_what_has_not_changed_is_not_told_again(connection: Connection[Any]) -> None:
    odd, other = of(5, line(4)), of(5, line(5), PrivateNote="Called")
    sync(connection, mapped(), odd("7"), of(5, line(5))("8"), run_id="first")

    again = sync(connection, mapped(), odd("7"), other("8"), run_id="again")
    sync(connection, mapped(), of(5, line(4), PrivateNote="Late")("7"), run_id="changed")
    sync(connection, mapped(), gone(odd("7")), run_id="gone")

    assert again == [End("7", "unchanged"), End("8", "updated")]
    assert outcome(connection, "7", "outcome") == ("updated",)
    assert told(connection, "first").keys() == told(connection, "changed").keys() == {"7"}
    assert (told(connection, "again"), told(connection, "gone")) == ({}, {})
    assert (warned(connection, "again"), warned(connection, "gone")) == ({}, {})


def test_a_note_comes_beside_others_and_changes_nothing(connection: Connection[Any]) -> None:
    known = products(fields="category: {from: Kind, keywords: [Tool]}")
    sent = item("7", Type="Chargeable once", Kind="Toy")

    ended = sync(connection, known, sent, item("8", Type="Service"), run_id="first")

    assert ended == [End("7", "added"), End("8", "added")]
    assert told(connection, "first", "products") == {
        "7": f"Category 'Toy' is not on the list of keywords. Type 'Chargeable once' {NO_WORD}"
    }
    assert outcome(connection, "8", "details") == (None,)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            lambda: loaded(FIXTURES),
            marks=pytest.mark.skipif(
                not FIXTURES.is_dir(), reason="the recorded rows (../shared/fixtures) are not here"
            ),
            id="recorded",
        ),
        pytest.param(lambda: generated(SIZE), id="made up"),
    ],
)
def test_of_a_real_company_and_of_one_that_the_simulator_makes_up_nothing_is_told(
    connection: Connection[Any], rows: Callable[[], Company]
) -> None:
    company = rows()
    wanted = ("Customer", "Item", *mapped()["documents"].entities)
    sent = [
        Record(entity, row.id, json.loads(row.raw, parse_float=Decimal))
        for entity in wanted
        for row in company.table(entity).rows.values()
    ]

    ended = sync(connection, mapped() | products(), *sent, run_id="first")

    assert len(ended) > 50
    assert told(connection, "first") == told(connection, "first", "products") == {}
    assert warned(connection, "first") == {}
