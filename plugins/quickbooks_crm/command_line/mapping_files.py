"""Commands about mapping files. They import nothing of Airflow, and so answer at once."""

import argparse
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

from quickbooks_crm import catalog, checking, companies, database, mapping, proposing
from quickbooks_crm.command_line.command import SEVERAL, Command
from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.mapping.document import of_file
from quickbooks_crm.mapping.suggest import Filled, suggest
from quickbooks_crm.mapping.words import ENTITIES


def _check(asked: argparse.Namespace) -> None:
    found = checking.check(asked.company)
    if asked.json:
        print(json.dumps({"problems": 0, **asdict(found)}))
        return
    print(*checking.lines(found), "Mappings, companies and tables fit together.", sep="\n")


def _suggest(asked: argparse.Namespace) -> None:
    with database.looking() as connection:
        table = catalog.read(connection, asked.table)
    candidates = list(proposing.candidates(table))
    text = suggest(table.name, candidates, asked.entity, _filled())
    print(json.dumps({"mapping": text}) if asked.json else text, end="\n" if asked.json else "")


def _filled() -> list[Filled]:
    """What the mappings fill that there are. One that is not valid, such as the file that this very
    proposal is on its way to, is left out."""
    return proposing.filled(_valid())


def _valid() -> Iterator[Mapping]:
    for file in sorted((companies.INCLUDE / "mappings").glob("*.yaml")):
        text, problems = of_file(file)
        with suppress(MappingError):
            if not problems:
                yield mapping.parse(file.stem, text, file.name)


COMMANDS = {
    "check": Command(
        _check,
        "check mappings, companies and tables without touching any data, and show what is mapped",
        migrated=False,
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
        migrated=False,
    ),
}
