"""Commands about mapping files. They import nothing of Airflow, and so answer at once."""

import argparse
import json
from dataclasses import asdict

from quickbooks_crm import catalog, checking, companies, database
from quickbooks_crm.command_line.command import SEVERAL, Command
from quickbooks_crm.mapping.suggest import Candidate, suggest
from quickbooks_crm.mapping.words import ENTITIES


def _check(asked: argparse.Namespace) -> None:
    found = checking.check(companies.INCLUDE, asked.company)
    if asked.json:
        print(json.dumps({"problems": 0, **asdict(found)}))
        return
    print(*checking.lines(found), "Mappings, companies and tables fit together.", sep="\n")


def _suggest(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        table = catalog.read(connection, asked.table)
    required = {column.name for column in table.required}
    candidates = [
        Candidate(column.name, column.label, column.kind, column.name in required)
        for column in table.columns.values()
        if column.writable and not (column.sequence and column.name == table.key)
    ]
    text = suggest(table.name, candidates, asked.entity)
    print(json.dumps({"mapping": text}) if asked.json else text, end="\n" if asked.json else "")


COMMANDS = {
    "check": Command(
        _check,
        "check mappings, companies and tables without touching any data, and show what is mapped",
    ),
    "suggest": Command(
        _suggest,
        "propose a mapping for a table of the CRM from what its fields are called",
        {
            "table": {"metavar": "TABLE", "help": "schema.table, such as crm.accounts"},
            "--entity": SEVERAL
            | {
                "required": True,
                "choices": ENTITIES,
                "metavar": "ENTITY",
                "help": "a QuickBooks entity, such as Customer; may be repeated",
            },
        },
    ),
}
