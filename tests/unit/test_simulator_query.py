"""The simulator's query language."""

import pytest

from simulator.errors import Refused
from simulator.query import Condition, Statement, parse


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("SELECT * FROM Item", Statement("Item")),
        ("select count(*) from Item", Statement("Item", count=True)),
        ("SELECT Id, Name FROM Item", Statement("Item", projection=("Id", "Name"))),
        (
            "SELECT * FROM Item ORDERBY Id STARTPOSITION 11 MAXRESULTS 5",
            Statement("Item", order="Id", start=11, size=5),
        ),
        (
            "SELECT * FROM Item order by Name desc maxresults 5 startposition 11",
            Statement("Item", order="Name", descending=True, start=11, size=5),
        ),
        (
            "SELECT * FROM Item WHERE Active IN (true, FALSE) AND Name LIKE 'A%'",
            Statement(
                "Item",
                conditions=(
                    Condition("Active", "IN", ("true", "false")),
                    Condition("Name", "LIKE", ("A%",)),
                ),
            ),
        ),
        (
            r"SELECT * FROM Customer WHERE DisplayName = 'Mickey O\'Neil \\ Co'",
            Statement(
                "Customer", conditions=(Condition("DisplayName", "=", ("Mickey O'Neil \\ Co",)),)
            ),
        ),
    ],
)
def test_a_statement_means_what_it_says(text: str, meant: Statement) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("SELECT * FROM Invoice TxnDate", 23, '" <IDENTIFIER> "TxnDate ""'),
        ("SELECT * FROM NULL", 15, '" "null" "NULL ""'),
        ("SELECT * FROM Item WHERE UnitPrice > 1.50", 38, '" <DECIMAL_LITERAL> "1.50 ""'),
        ("SELECT * FROM Item WHERE Name = 'a' OR Name = 'b'", 37, '" <IDENTIFIER> "OR ""'),
        ("SELECT * FROM", 14, "<EOF>"),
        ("", 1, "<EOF>"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_column(text: str, column: int, found: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)

    begins = f"QueryParserError: Encountered {found} at line 1, column {column}.\nWas expecting"
    assert refused.value.code == "4000"
    assert refused.value.detail.startswith(begins)


def test_a_recorded_parse_error_is_worded_alike() -> None:
    with pytest.raises(Refused) as refused:
        parse("SELECT * FROM NULL")

    assert refused.value.detail == (
        'QueryParserError: Encountered " "null" "NULL "" at line 1, column 15.\n'
        "Was expecting:\n    <IDENTIFIER> ...\n    "
    )
