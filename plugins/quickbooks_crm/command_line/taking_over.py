"""Commands that take over a CRM which has records already: what only a person can settle."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from psycopg import Connection

from quickbooks_crm import (
    companies,
    database,
    in_force,
    linking,
    mapping,
    one_module,
    reasons,
    review,
    wording,
)
from quickbooks_crm.command_line.command import (
    ONE,
    SEVERAL,
    YES,
    Command,
    every_company,
    only_company,
    person,
    positive,
)
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.quantity import be, many
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.review import Held, Review, Reviewed

ALIKE_BY = "look the same in"
_SETTLE = "python -m quickbooks_crm link (or different)"


def _review(asked: argparse.Namespace) -> None:
    for name in every_company(asked):
        company = companies.load_one(companies.INCLUDE / "companies", name)
        with database.connect() as connection:
            known = in_force.of(connection, company).mappings
        for module in _modules(company, known, asked.module):
            with database.connect() as connection:
                found = review.review(
                    connection, _reviewed(connection, company, known, module, asked), asked.values
                )
            plain = _plain(found, asked.values)
            told = "\n".join(_told(company.name, found, asked.values))
            print(json.dumps({"company": name} | plain, default=str) if asked.json else told)


def _modules(company: Company, known: dict[str, Mapping], asked: list[str]) -> list[str]:
    taken = {m for m, own in known.items() if company.takes(m, own.by_name)}
    unknown = [name for name in asked if name not in taken]
    in_order = [m for m in mapping.load_order(known) if m in taken]
    if unknown:
        raise SettingsError(
            f"Company {company.name} does not take {', '.join(unknown)}. It takes: "
            f"{', '.join(in_order)}."
        )
    return [m for m in in_order if m in (asked or taken)]


def _reviewed(
    connection: Connection[Any],
    company: Company,
    known: dict[str, Mapping],
    module: str,
    asked: argparse.Namespace,
) -> Reviewed:
    target = one_module.target(connection, known[module], company)
    return Reviewed(_realm(company), target, _sharing(known, module), asked.limit)


def _realm(company: Company) -> str:
    return QuickBooksHook(company.quickbooks).connection_settings().realm


def _sharing(known: dict[str, Mapping], module: str) -> tuple[str, ...]:
    return tuple(name for name, other in known.items() if other.table == known[module].table)


def _told(company: str, found: Review, values: bool) -> Iterator[str]:
    """A review for a person's terminal; with values it holds customer data: never log it."""
    yield f"{company}, {found.module} ({found.table})"
    for reason, count in found.held_by_reason.items():
        yield f"  {count:,} held back: {reasons.REASONS.get(reason, reason)}"
        listed = tuple(held for held in found.held if held.reason == reason)
        yield from (f"    {_held(held, values)}" for held in listed)
        if count > len(listed):
            yield f"    and {count - len(listed):,} more"
    if found.held:
        yield f"  To settle one: {_SETTLE} --company {company} {found.module} ENTITY ID RECORD_KEY"
    unmatched = many(found.unmatched_count, "CRM record")
    yield f"  {unmatched} {be(found.unmatched_count)} no record of QuickBooks"
    if found.unmatched:
        yield f"    {', '.join(found.unmatched)}{_more(found.unmatched_count, found.unmatched)}"
    yield f"  {many(found.alike_count, 'possible duplicate')} in the CRM"
    for alike in found.alike:
        more = _more(alike.size, alike.keys)
        yield f"    {', '.join(alike.keys)}{more} {ALIKE_BY} {', '.join(alike.by)}"
    for key, held_values in found.values.items() if values else ():
        yield wording.printable(f"  CRM record {key}: {_values(held_values)}")


def _held(held: Held, values: bool) -> str:
    records = be(len(held.candidates), "CRM record", "CRM records")
    way = f": {records} {', '.join(held.candidates)}" if held.candidates else ""
    named = f" {wording.printable(held.name or '')}" if values and held.name else ""
    return f"{held.entity} {held.id}{named}  {held.reason}{way}"


def _more(count: int, shown: tuple[str, ...]) -> str:
    return f" and {count - len(shown):,} more" if count > len(shown) else ""


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _plain(found: Review, values: bool) -> dict[str, Any]:
    plain = asdict(found)
    if not values:
        del plain["values"]
        for held in plain["held"]:
            del held["name"]
    return plain


def _link(asked: argparse.Namespace) -> None:
    _settle(asked, lambda c, place: linking.link(c, place, asked.record_key, person()))


def _unlink(asked: argparse.Namespace) -> None:
    _settle(asked, lambda c, place: linking.unlink(c, place, person()))


def _different(asked: argparse.Namespace) -> None:
    who = person()
    match asked.which:
        case [one, other]:
            asked.entity, asked.id = "", ""
            _settle(asked, lambda c, p: linking.tell_records_apart(c, p, one, other, who))
        case [entity, id, record_key]:
            asked.entity, asked.id = entity, id
            _settle(asked, lambda c, p: _typed(p, linking.tell_apart(c, p, record_key, who)))
        case _:
            raise SettingsError(
                "Name two CRM records of the module by their keys, or a QuickBooks record and a "
                "CRM record: ENTITY ID RECORD_KEY."
            )


def _typed(place: Place, said: str) -> str:
    """With what to type, where there is more to do."""
    if linking.STAYS not in said:
        return said
    where = f"--company {place.company} --module {place.target.mapping.module}"
    return f"{said} To do it here: python -m quickbooks_crm retry {where} --reason unlinked"


def _settle(asked: argparse.Namespace, act: Callable[[Connection[Any], Place], str]) -> None:
    with _settling(asked) as (connection, place):
        said = act(connection, place)
    if asked.json:
        print(json.dumps({"plan": asked.plan, "done": said}))
    else:
        print(f"This would be done: {said}" if asked.plan else said)


@contextmanager
def _settling(asked: argparse.Namespace) -> Iterator[tuple[Connection[Any], Place]]:
    """A transaction for one act on one record; of a plan nothing stays."""
    company = companies.load_one(companies.INCLUDE / "companies", only_company(asked))
    with database.connect() as connection:
        known = in_force.of(connection, company).mappings
        [module] = _modules(company, known, [asked.module])
        target = one_module.target(connection, known[module], company)
        who = (company.name, _realm(company), target, _sharing(known, module))
        with connection.transaction(force_rollback=asked.plan):
            yield connection, Place(*who, asked.entity, asked.id)


_MODULE: dict[str, Any] = {"metavar": "MODULE", "help": "such as accounts"}
_RECORD: dict[str, dict[str, Any]] = {
    "module": _MODULE,
    "entity": {"metavar": "ENTITY", "help": "QuickBooks' name for it, such as Customer"},
    "id": {"metavar": "ID", "help": "its id in QuickBooks"},
}
_KEY: dict[str, Any] = {"metavar": "RECORD_KEY", "help": "the CRM record, by its primary key"}
_PLAN = YES | {"help": "only check and tell what would be done"}

COMMANDS = {
    "review": Command(
        _review,
        "show what only a person can settle: records in each other's way, CRM records without one "
        "in QuickBooks, possible duplicates",
        {
            "--module": SEVERAL | {"help": "only this module; may be repeated"},
            "--values": YES | {"help": "also names and values (customer data)"},
            "--limit": {
                "type": positive,
                "default": 100,
                "metavar": "N",
                "help": "how many of each sort are listed; default: 100",
            },
        },
    ),
    "link": Command(
        _link,
        "make a QuickBooks record be a CRM record, for good",
        _RECORD | {"record_key": _KEY, "--company": ONE, "--plan": _PLAN},
    ),
    "unlink": Command(
        _unlink,
        "part a QuickBooks record from its CRM record, which no sync touches any more",
        _RECORD | {"--company": ONE, "--plan": _PLAN},
    ),
    "different": Command(
        _different,
        "say that two records which look alike are not the same",
        {
            "module": _MODULE,
            "which": {
                "nargs": "+",
                "metavar": "RECORD",
                "help": "two CRM records by their keys, or ENTITY ID RECORD_KEY",
            },
            "--company": ONE,
            "--plan": _PLAN,
        },
    ),
}
