"""The command that tells what QuickBooks tells in webhooks only: which record was merged into
which."""

import argparse
import json
from typing import Any

from psycopg import Connection

from quickbooks_crm import acts, companies, database, in_force, leaving, stand_ins
from quickbooks_crm.command_line.command import ONE, YES, Command, only_company, person
from quickbooks_crm.errors import SettingsError


def _merged(asked: argparse.Namespace) -> None:
    merge = (asked.entity, asked.loser, asked.survivor)
    company = companies.load_one(companies.INCLUDE / "companies", only_company(asked))
    with database.connect() as connection:
        known = in_force.of(connection, company).mappings
        realm = leaving.realm_of(connection, only_company(asked))
        if not asked.undo:
            _require(connection, realm, merge)
        with connection.transaction(force_rollback=asked.plan):
            (_take_back if asked.undo else _tell)(connection, realm, merge)
            kind = "merge_taken_back" if asked.undo else "merge_told"
            subject = f"{asked.entity} {asked.loser}"
            told = {"survivor": asked.survivor, "realm": realm}
            acts.note(connection, kind, subject, person(), told, only_company(asked))
            referring = stand_ins.referring(connection, known, realm, asked.entity, asked.loser)
    _say(asked, referring)


def _tell(connection: Connection[Any], realm: str, merge: tuple[str, str, str]) -> None:
    stand_ins.tell_merge(connection, realm, merge, person())


def _take_back(connection: Connection[Any], realm: str, merge: tuple[str, str, str]) -> None:
    if not stand_ins.take_back(connection, realm, merge):
        entity, loser, survivor = merge
        raise SettingsError(
            f"Nobody has told that {entity} {loser} was merged into {survivor}, or it has been "
            "taken back already. Look at the ids."
        )


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
        done = "taken_back" if asked.undo else "told"
        print(json.dumps(told | {done: not asked.plan, "referring": referring}))
        return
    counts = ", ".join(f"{count:,} of {module}" for module, count in sorted(referring.items()))
    means = asked.loser if asked.undo else asked.survivor
    print(
        f"{asked.entity} {asked.loser} was {'not ' if asked.undo else ''}merged into "
        f"{asked.survivor}. Records that refer to {asked.loser} and will mean {means}: "
        f"{counts or 'none'}."
    )
    if asked.plan:
        done = "taken back" if asked.undo else "told"
        print(f"Nothing was written. Without --plan it is {done}.")
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
            "--company": ONE,
            "--undo": YES | {"help": "take it back: it was told wrongly"},
            "--plan": YES | {"help": "only say which records refer to the one merged away"},
        },
    ),
}
