"""What Postgres picks at a path of a record."""

import json
from typing import Any

import pytest
from psycopg import Connection, sql

from quickbooks_crm.mapping.paths import parse_path
from quickbooks_crm.picking import picked
from tests.integration.crm import one

RECORD = {
    "Id": "7",
    "BillAddr": {"City": "Bayshore", "Lines": ["1 Pier"]},
    "Balance": 0.10,
    "Nothing": None,
    "CustomField": [
        {"DefinitionId": "1", "Name": "Crew #", "StringValue": "102"},
        {"DefinitionId": "2", "Name": "Sales Rep", "Type": "StringType"},
        {"DefinitionId": "3", "Name": "Sales Rep", "StringValue": "Amy"},
        {"DefinitionId": "4", "Name": "Sales Rep", "StringValue": "Bob"},
        {"DefinitionId": "5", "Name": 'a "b" ]', "StringValue": "odd"},
        {"DefinitionId": "6", "Name": "Gone", "StringValue": None},
        {"DefinitionId": "7", "Name": "% off {x} %s", "StringValue": "5"},
    ],
    "Phones": [
        {"Type": {"value": "Home"}, "Free": "1", "Primary": False, "Order": 2},
        {"Type": {"value": "Work"}, "Free": "2", "Primary": True, "Order": 1.0},
    ],
    "Line": [
        {"Kind": "Group", "Lines": [{"Kind": "Item", "Amount": 5}]},
        {"Kind": "Group", "Lines": [{"Kind": "Total", "Amount": 9}]},
    ],
    "Single": {"Name": "x", "Value": "y"},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Id", "7"),
        ("BillAddr.City", "Bayshore"),
        ("BillAddr.Country", None),
        ("Nothing", None),
        ("Nothing.More", None),
        ("Id.More", None),
        ("Balance", "0.1"),
        ("CustomField[Name=Sales Rep].StringValue", "Amy"),
        ("CustomField[Name='Crew #'].StringValue", "102"),
        ('CustomField[Name="a ""b"" ]"].StringValue', "odd"),
        ("CustomField[Name=% off {x} %s].StringValue", "5"),
        ("CustomField[Name=sales rep].StringValue", None),
        ("CustomField[Name=Gone].StringValue", None),
        ("CustomField[DefinitionId=4].StringValue", "Bob"),
        ("Phones[Type.value=Work].Free", "2"),
        ("Phones[Primary=true].Free", "2"),
        ("Phones[Order=1].Free", "2"),
        ("Phones[Order=2].Primary", "false"),
        ("Line[Kind=Group].Lines[Kind=Total].Amount", "9"),
        ("Single[Name=x].Value", "y"),
        ("Single[Name=z].Value", None),
        ("Id[Name=x].Value", None),
        ("Missing[Name=x].Value", None),
    ],
)
def test_the_first_item_that_fits_and_has_the_value_counts(
    connection: Connection[Any], path: str, value: str | None
) -> None:
    known = parse_path(path)
    assert known is not None

    query = sql.SQL("SELECT {} FROM (SELECT %s::jsonb AS payload) AS record").format(picked(known))

    assert one(connection, query, [json.dumps(RECORD)]) == value
