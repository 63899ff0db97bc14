"""What is odd in QuickBooks itself: brought in as it is, and told.

A document may have a total that is not what its lines and its tax add up to, another currency than
its customer, an exchange rate of 0, or no list of lines, not even an empty one; and a word may be
one that QuickBooks is not known to use.
Only what is active is looked at: a document that was voided says nothing any more.
"""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quantity import many
from quickbooks_crm.sql import statements

SALES = frozenset({"Estimate", "Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt"})
"""What has lines that add up to its total."""

DOCUMENTS = SALES | {"Payment"}
"""What has a customer, a currency and an exchange rate."""

WORDS = {
    "Type": (
        {"Item"},
        {
            *("Inventory", "NonInventory", "Service", "Group", "Bundle", "Category", "Assembly"),
            *("Discount", "Fixed Asset", "Other Charge", "Payment", "Subtotal", "Tax", "Tax Group"),
        },
    ),
    "TxnStatus": ({"Estimate"}, {"Pending", "Accepted", "Closed", "Rejected", "Converted"}),
    "GlobalTaxCalculation": (SALES, {"TaxExcluded", "TaxInclusive", "NotApplicable"}),
    "EmailStatus": (SALES, {"NotSet", "NeedToSend", "EmailSent"}),
    "PrintStatus": (SALES, {"NotSet", "NeedToPrint", "PrintComplete"}),
}
"""Which words QuickBooks has at a place, and of which entities. They are those of Intuit's own
schema and pages; a place of which these do not list all, such as PreferredDeliveryMethod, is not
here."""

KINDS_OF_LINES = {
    *("SalesItemLineDetail", "GroupLineDetail", "DescriptionOnly", "DiscountLineDetail"),
    *("SubTotalLineDetail", "TaxLineDetail", "TDSLineDetail", "ReimburseLineDetail"),
    *("PaymentLineDetail", "DepositLineDetail", "ItemReceiptLineDetail"),
    *("ItemBasedExpenseLineDetail", "AccountBasedExpenseLineDetail", "ItemAdjustmentLineDetail"),
    *("PurchaseOrderItemLineDetail", "SalesOrderItemLineDetail", "JournalEntryLineDetail"),
}
"""The words of a line's DetailType, whatever the document."""

TOLD = {
    "odd_total": "a total that is not the sum of the lines and the tax",
    "odd_currency": "another currency than the customer has, or none",
    "odd_rate": "an exchange rate of 0 or less",
    "no_lines": "no lines at all, so that those in the CRM stay",
    "unknown_word": "a word that QuickBooks is not known to use",
}
"""The reasons of the notes, in words for many records."""

SHOWN = 10


def note(connection: Connection[Any], mapping: Mapping, where: dict[str, Any]) -> bool:
    """Note on the rows that were brought in what is odd in them; whether anything is. Comes before
    the notes are told."""
    blocks, entities = statements("oddities"), set(mapping.entities)
    rules = [*_of_documents(entities), *_of_words(entities)]
    if not rules:
        return False
    names = {"kinds": sql.Literal(sorted(KINDS_OF_LINES)), "sales": sql.Literal(sorted(SALES))}
    beside = [blocks["customer"]] if entities & DOCUMENTS else []
    beside += [blocks["lines"]] if entities & SALES else []
    statement = blocks["note"].format(
        beside=sql.SQL("\n").join(part.format(**names) for part in beside),
        rules=sql.SQL(", ").join(rules),
        lines=blocks["unknown_kinds"] if entities & SALES else sql.SQL(""),
    )
    return connection.execute(statement, where).rowcount > 0


def _of_documents(entities: set[str]) -> Iterator[sql.Composable]:
    blocks = statements("oddities")
    if entities & SALES:
        yield from (
            blocks["total"].format(),
            blocks["no_lines"].format(sales=sql.Literal(sorted(SALES))),
        )
    if entities & DOCUMENTS:
        yield from (blocks["currency"].format(), blocks["rate"].format())


def _of_words(entities: set[str]) -> Iterator[sql.Composable]:
    for place, (which, words) in WORDS.items():
        if entities & which:
            yield statements("oddities")["word"].format(
                entities=sql.Literal(sorted(which)),
                place=sql.Literal(place),
                words=sql.Literal(sorted(words)),
            )


def told(connection: Connection[Any], mapping: Mapping, where: dict[str, Any]) -> dict[str, str]:
    """What the run should warn of, by key. Comes when the outcomes are stored."""
    asked = where | {"reasons": list(TOLD), "shown": SHOWN}
    row = connection.execute(statements("oddities")["told"], asked).fetchone()
    return _warning(mapping.module, *row) if row else {}


def _warning(module: str, count: int, ids: list[str], counts: dict[str, int]) -> dict[str, str]:
    some = ", ".join(ids) + (", …" if len(ids) < count else "")
    ways = ", ".join(f"{TOLD[reason]} ({counts[reason]:,})" for reason in TOLD if reason in counts)
    return {
        f"{module}.odd": f"QuickBooks says something odd in {many(count, 'record')} of {module} "
        f"({some}): {ways}. That is loaded as QuickBooks has it; the details of these rows say "
        "more."
    }
