"""Commands by which data leaves: a company, a person; and the list of what people did."""

import argparse
import json
import logging
from contextlib import closing
from dataclasses import asdict

from quickbooks_crm import acts, companies, database, erasing, purging
from quickbooks_crm.command_line.command import (
    ONE,
    YES,
    Command,
    every_company,
    only_company,
    person,
    positive,
)
from quickbooks_crm.erasing import Erased
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.leaving import WHATS, Left, remove_company
from quickbooks_crm.quantity import be, many
from quickbooks_crm.quickbooks.hook import QuickBooksHook

log = logging.getLogger(__name__)
PLAN = YES | {"help": "only show what would happen"}
THROWN = {
    "unchanged": "unchanged outcome",
    "images": "image",
    "outcomes": "outcome",
    "conflicts": "conflict",
    "calls": "call",
    "generations": "generation",
}
"""What `purge` throws away, as a person reads it."""
SURE = YES | {"help": "do it; without this, it is only shown"}


def is_plan(asked: argparse.Namespace) -> bool:
    """Whether a command that cannot be taken back shall only be shown."""
    return bool(asked.plan or not asked.yes)


def _remove_company(asked: argparse.Namespace) -> None:
    name, who = only_company(asked), person()
    with database.connect() as connection:
        left = remove_company(connection, name, asked.crm, who, plan=True)
        if not is_plan(asked):
            _end_login(name, left)
            done = remove_company(connection, name, asked.crm, who)
            done.notes.extend(note for note in left.notes if note not in done.notes)
            left = done
            log.info("%s removed company %s", who, name)
    if name in companies.names(companies.INCLUDE / "companies"):
        left.notes.append(
            f"include/companies/{name}.yaml is still there: remove it once the login is ended, or "
            "the next run brings everything in again."
        )
    if asked.json:
        print(json.dumps(asdict(left) | {"planned": is_plan(asked)}))
    else:
        _tell(left, is_plan(asked))


def _end_login(name: str, left: Left) -> None:
    """End the login at Intuit, as far as there still is a connection that could."""
    try:
        company = companies.load_one(companies.INCLUDE / "companies", name)
        quickbooks = QuickBooksHook(company.quickbooks)
        quickbooks.connection_settings()
    except SettingsError:
        left.notes.append(
            f"include/companies/{name}.yaml, or the connection that it names, is not there any "
            "more, so the login was only forgotten here: remove the app in QuickBooks too."
        )
        return
    with closing(quickbooks):
        quickbooks.disconnect()


def _tell(left: Left, plan: bool) -> None:
    print(f"{left.company} ({left.realm}) {'would be' if plan else 'was'} removed")
    for table, ends in left.crm.items():
        print(f"  {table}: " + ", ".join(f"{count:,} {end}" for end, count in ends.items()))
    for word in left.words:
        print(f"  forgotten: {word}")
    for kept in left.kept:
        print(f"  stays: {kept.table} {kept.record_key}: {kept.because}")
    for note in left.notes:
        print(f"  {note}")
    if plan:
        print("Nothing was changed. To do it, add --yes: it cannot be taken back.")


def _erase(asked: argparse.Namespace) -> None:
    name, who = only_company(asked), person()
    named = asked.entity is not None and asked.id is not None
    if named == (asked.email is not None):
        raise SettingsError(
            "Say who: an entity and an id, such as Customer 57; or --email ADDRESS."
        )
    with database.connect() as connection:
        people = (
            [(asked.entity, asked.id)] if named else erasing.by_email(connection, name, asked.email)
        )
        done = erasing.erase(connection, name, people, asked.crm, who, is_plan(asked))
    if not is_plan(asked):
        log.info("%s erased %s of %s", who, many(len(people), "person", "people"), name)
    if asked.json:
        print(json.dumps(asdict(done) | {"planned": is_plan(asked)}))
    else:
        _tell_erased(done, is_plan(asked))


def _tell_erased(done: Erased, plan: bool) -> None:
    who = ", ".join(f"{entity} {id}" for entity, id in done.people)
    print(f"{who} of {done.company} {'would be' if plan else 'was'} erased")
    print(f"  documents kept without the person: {done.documents:,}")
    print(f"  other records that named the person: {done.others:,}")
    for table, ends in done.removed.items():
        print(f"  {table}: " + ", ".join(f"{count:,} {end}" for end, count in ends.items()))
    for kept in done.kept:
        print(f"  not removed but blanked: {kept.table} {kept.record_key}: {kept.because}")
    for table, columns in done.columns.items():
        count = done.blanked.get(table, 0)
        where = f" in {many(count, 'record')}" if count else ""
        print(f"  {table}: blanked {', '.join(columns)}{where}")
    for note in done.notes:
        print(f"  {note}")
    for table, count in done.found.items():
        see = f"See to {be(count, 'it', 'them')} by hand."
        print(f"  still found in {table}: {many(count, 'row')}. {see}")
    if done.searched and not done.found:
        searched = many(done.searched, "table")
        print(f"  proof: {searched} searched for the person's values, none is left")
    if plan:
        print("Nothing was changed. To do it, add --yes: it cannot be taken back.")


def _purge(asked: argparse.Namespace) -> None:
    for name in every_company(asked):
        purged = purging.purge(name, person(), asked.plan)
        if asked.json:
            print(json.dumps(asdict(purged) | {"planned": asked.plan}))
            continue
        counts = asdict(purged)
        runs = many(counts.pop("runs"), "run")
        told = ", ".join(many(counts[what], one) for what, one in THROWN.items() if counts[what])
        what = "would be thrown away" if asked.plan else "thrown away"
        print(f"{name}: " + (f"{what}: {told} (of {runs})" if told else "nothing is too old"))


def _acts(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        for company in asked.company or [None]:
            found = acts.listed(connection, company, asked.limit)
            if company and not found:
                companies.load_one(companies.INCLUDE / "companies", company)
            if not found and not asked.json:
                print("Nobody has done anything of the kind yet.")
            for act in found:
                when = f"{act.acted_at:%Y-%m-%d %H:%M}"
                said = f"{when}  {act.by_whom}  {act.kind.replace('_', ' ')}: {act.words}"
                print(json.dumps(asdict(act), default=str) if asked.json else said)


COMMANDS = {
    "remove-company": Command(
        _remove_company,
        "forget one company wholly; its CRM records are kept, flagged or removed",
        {
            "--company": ONE,
            "--crm": {
                "required": True,
                "choices": WHATS,
                "help": "what becomes of its CRM records: keep them, flag them as when_deleted "
                "says, or remove them",
            },
            "--plan": PLAN,
            "--yes": SURE,
        },
    ),
    "erase": Command(
        _erase,
        "erase a person of one company on request; documents keep their amounts",
        {
            "entity": {
                "nargs": "?",
                "choices": erasing.PEOPLE,
                "metavar": "ENTITY",
                "help": "Customer, Vendor or Employee",
            },
            "id": {"nargs": "?", "metavar": "ID", "help": "the id in QuickBooks"},
            "--email": {"metavar": "ADDRESS", "help": "instead: everybody with this address"},
            "--company": ONE,
            "--crm": {
                "choices": erasing.WHATS,
                "default": "blank",
                "help": "blank what QuickBooks filled in the person's CRM records, or remove these "
                "where nothing refers to them; default: blank",
            },
            "--plan": PLAN,
            "--yes": SURE,
        },
    ),
    "purge": Command(
        _purge,
        "throw away what is older than a company's `retention` keeps it; Airflow does it every day",
        {"--plan": PLAN},
    ),
    "acts": Command(
        _acts,
        "show what people did outside runs: records linked, unlinked or told apart, fields added, "
        "companies removed, people erased, purges",
        {
            "--limit": {
                "type": positive,
                "default": 20,
                "metavar": "N",
                "help": "how many, newest first; default: 20",
            }
        },
    ),
}
