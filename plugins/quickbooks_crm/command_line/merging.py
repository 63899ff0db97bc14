"""The command that tells what QuickBooks tells in webhooks only: which record was merged into
which."""

import argparse
import getpass
import json
from typing import Any

from psycopg import Connection

from quickbooks_crm import database, leaving, mapping, pipeline, stand_ins
from quickbooks_crm.command_line.command import YES, Command
from quickbooks_crm.errors import SettingsError


def _merged(asked: argparse.Namespace) -> None:
    if len(asked.company) != 1:
        raise SettingsError("Say whose records they are: --company NAME, once.")
    merge = (asked.entity, asked.loser, asked.survivor)
    known = mapping.load(pipeline.INCLUDE / "mappings")
    with database.connect() as connection:
        database.require_current(connection)
        realm = leaving.realm_of(connection, asked.company[0])
        _require(connection, realm, merge)
        with connection.transaction():
            referring = stand_ins.referring(connection, known, realm, asked.entity, asked.loser)
        if not asked.preview:
            stand_ins.tell_merge(connection, realm, merge, getpass.getuser())
    _say(asked, referring)


def _require(connection: Connection[Any], realm: str, merge: tuple[str, str, str]) -> None:
    """Raise `SettingsError` when QuickBooks' own records say otherwise."""
    entity, loser, survivor = merge
    if loser == survivor:
        raise SettingsError(f"{entity} {loser} cannot be merged into itself. Say two ids.")
    for id in (loser, survivor):
        if stand_ins.state(connection, realm, entity, id) is None:
            raise SettingsError(
                f"There is no {entity} {id} in what was read of this company. Look the id up in "
                "QuickBooks, or run a sync first."
            )
    if stand_ins.state(connection, realm, entity, loser) == "active":
        raise SettingsError(
            f"{entity} {loser} is active in QuickBooks, so it was not merged away. Merge it there, "
            "run a sync, then tell it here."
        )


def _say(asked: argparse.Namespace, referring: dict[str, int]) -> None:
    told = {"entity": asked.entity, "loser": asked.loser, "survivor": asked.survivor}
    if asked.json:
        print(json.dumps(told | {"told": not asked.preview, "referring": referring}))
        return
    counts = ", ".join(f"{count:,} of {module}" for module, count in sorted(referring.items()))
    print(
        f"{asked.entity} {asked.loser} was merged into {asked.survivor}. Records that refer to "
        f"{asked.loser} and will mean {asked.survivor}: {counts or 'none'}."
    )
    if asked.preview:
        print("Nothing was written. Without --preview it is told.")
    else:
        print("The next sync brings it into the CRM.")


COMMANDS = {
    "merged": Command(
        _merged,
        "tell that a customer or vendor was merged into another in QuickBooks",
        {
            "entity": {"choices": ["Customer", "Vendor"], "help": "what kind of record they are"},
            "loser": {"metavar": "LOSER", "help": "the id of the record that was merged away"},
            "survivor": {"metavar": "SURVIVOR", "help": "the id of the record that is left"},
            "--preview": YES | {"help": "only say which records refer to the one merged away"},
        },
    ),
}
