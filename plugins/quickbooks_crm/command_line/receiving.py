"""Commands about webhooks."""

import argparse
import json

from quickbooks_crm import database
from quickbooks_crm.command_line.command import Command
from quickbooks_crm.webhooks import inbox


def _webhooks(asked: argparse.Namespace) -> None:
    from quickbooks_crm.webhooks import server  # a web server, which no other command needs

    server.serve(asked.host, asked.port)


def _allow_webhooks(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        inbox.allow(connection, asked.role)
    said = f"The role {asked.role} may keep what webhooks tell, and nothing else."
    print(json.dumps({"allowed": asked.role}) if asked.json else said)


COMMANDS = {
    "webhooks": Command(
        _webhooks,
        "take QuickBooks' webhooks, which make a sync start early; runs until it is stopped",
        {
            "--host": {
                "default": "127.0.0.1",
                "help": "the address to listen on; default: this machine only",
            },
            "--port": {"type": int, "default": 8090, "help": "default: 8090"},
        },
        migrated=False,
    ),
    "allow-webhooks": Command(
        _allow_webhooks,
        "let a database role keep what webhooks tell, and nothing else",
        {"--role": {"required": True, "help": "a role that may log in to the CRM database"}},
    ),
}
