"""Commands that tell what needs a person."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from quickbooks_crm import breakers, companies, database, health, notifying
from quickbooks_crm.command_line.command import ONE, Command, every_company, only_company
from quickbooks_crm.health import Concern


def _health(asked: argparse.Namespace) -> int:
    """Exit code 1 while something is stopped, for whoever watches by a program."""
    for name in asked.company:
        companies.load_one(companies.INCLUDE / "companies", name)
    names = every_company(asked)
    with database.connect() as connection:
        found = health.concerns(connection, names, database.now(connection))
    for each in found:
        plain = asdict(each) | {"urgency": each.urgency.name.lower()}
        print(json.dumps(plain, default=str) if asked.json else "\n".join(_told(each)))
    if not found and not asked.json:
        print("All is well: nothing needs a person.")
    return int(any(each.urgency == health.Urgency.STOPPED for each in found))


def _told(concern: Concern) -> Iterator[str]:
    yield f"{concern.company or 'all companies'}: {concern.title} ({concern.urgency.words})"
    yield from (f"  {line}" for line in concern.says.splitlines())
    if concern.code == "replay":
        what = f"replay --company {concern.company} --module {concern.subject}"
        yield f"  To do it: python -m quickbooks_crm {what}"
    if concern.code == "breaker":
        yield f"  {breakers.typed(concern.company, concern.subject)}"


def _notify(asked: argparse.Namespace) -> None:
    name = only_company(asked)
    notifying.try_out(name)
    print(json.dumps({"notified": name}) if asked.json else f"Sent a trial for {name}.")


COMMANDS = {
    "health": Command(
        _health, "show what needs a person, the most urgent first; exit code 1 while all is stopped"
    ),
    "notify": Command(
        _notify,
        "send a trial by the notifier that one company's file names",
        {"--company": ONE},
    ),
}
