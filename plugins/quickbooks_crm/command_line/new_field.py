"""The command that adds a field to a table of the CRM."""

import argparse
import json
import logging
from dataclasses import asdict

from quickbooks_crm import database
from quickbooks_crm.command_line.command import YES, Command, person, positive
from quickbooks_crm.new_field import TYPES, NewField, add_field

log = logging.getLogger(__name__)


def _add_field(asked: argparse.Namespace) -> None:
    wanted = NewField(
        asked.table,
        asked.label.strip(),
        asked.type,
        asked.length,
        asked.decimals,
        asked.currency,
        asked.list,
        asked.multi_value,
        asked.default,
        asked.required,
        asked.read_only,
    )
    who = person()
    with database.connect() as connection:
        database.require_current(connection)
        added = add_field(connection, wanted, who, asked.plan)
    if not asked.plan:
        log.info("%s added the field %s.%s", who, added.table, added.column)
    if asked.json:
        print(json.dumps(asdict(added) | {"planned": asked.plan}))
        return
    if asked.plan:
        print(*added.statements, *added.notes, sep="\n")
        return
    print(f"Added '{added.label}' to {added.table}: its column is {added.column}.", *added.notes)
    print(f"Map it: a line '{added.column}: {{from: ...}}' in the mapping of {added.table}.")
    if asked.list:
        print("Values that are not on its list are left out; with 'keywords: insert' they join it.")


COMMANDS = {
    "add-field": Command(
        _add_field,
        "add a field to a table of the CRM, which can be mapped at once",
        {
            "table": {"metavar": "TABLE", "help": "schema and table, such as crm.accounts"},
            "label": {"metavar": "LABEL", "help": "what people call it, such as 'Sales region'"},
            "--type": {"required": True, "choices": TYPES, "help": "what it holds"},
            "--length": {"type": positive, "metavar": "N", "help": "of a text; default: 200"},
            "--decimals": {
                "type": int,
                "choices": range(11),
                "metavar": "N",
                "help": "of a numeric, 0 to 10; default: 2",
            },
            "--currency": YES | {"help": "the numeric is an amount of money"},
            "--list": {"metavar": "NAME", "help": "of a keyword: its list; made if there is none"},
            "--multi-value": YES | {"help": "the keyword field takes several"},
            "--default": {
                "metavar": "VALUE",
                "help": "what records get that say nothing; those there are now, too",
            },
            "--required": YES | {"help": "a record must have a value"},
            "--read-only": YES | {"help": "people cannot change it in the form; imports write it"},
            "--plan": YES | {"help": "show the SQL and change nothing"},
        },
    ),
}
