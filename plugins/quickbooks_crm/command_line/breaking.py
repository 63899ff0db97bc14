"""Commands that show what stopped a company's runs, and let it pass."""

import argparse
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from quickbooks_crm import activity, breakers, companies, database, wording
from quickbooks_crm.breakers import Breaker, Thresholds
from quickbooks_crm.command_line.command import (
    ONE,
    SEVERAL,
    Command,
    only_company,
    person,
    positive,
    told_of,
)
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.quantity import many

log = logging.getLogger(__name__)


def _release(asked: argparse.Namespace) -> None:
    if not asked.because.strip():
        raise SettingsError('Say why: --because "...". It is kept with your name.')
    company, who = only_company(asked), person()
    with database.connect() as connection:
        with connection.transaction():  # all that are named, or none
            released = [
                breakers.release(connection, company, name, who, asked.because)
                for name in dict.fromkeys(asked.breaker)
            ]
        waiting = breakers.open_ones(connection, company)
    for passed in released:
        log.info("%s released %s of company %s", who, passed.name, company)
        if asked.json:
            print(json.dumps({"company": company, "released": passed.name, "by": who}))
        else:
            print(f"Released {passed.name} of {company}: {passed.message}")
    if not asked.json:
        print(
            *_next(company, [breaker for breaker in waiting if breaker.state == "open"]), sep="\n"
        )


def _next(company: str, still: list[Breaker]) -> Iterator[str]:
    """What follows a release, while others are `still` open."""
    yield f"The next run goes on with it, once: {breakers.again(company)}"
    if still:
        names = ", ".join(breaker.name for breaker in still)
        yield (
            f"Still open: {names}. One cause may trip several breakers, and each is released by "
            f"its name. See: python -m quickbooks_crm breakers --company {company}"
        )


def _breakers(asked: argparse.Namespace) -> None:
    with database.connect() as connection:
        ran = activity.companies(connection)
        of = told_of(asked, ran)
        if not of and not asked.json:
            print("No company has had a run yet, so no breaker has stopped one.")
            print(*_limits(Thresholds()), sep="\n")
        for company in of:
            found = breakers.open_ones(connection, company)
            found += breakers.past_ones(connection, company, asked.limit)
            for breaker in found:
                print(json.dumps(_plain(breaker)) if asked.json else "\n".join(_told(breaker)))
            if asked.json or found:
                continue
            if company in ran:
                print(f"{company}: no breaker has ever stopped a run.")
            else:
                own = companies.load_one(companies.INCLUDE / "companies", company).breakers
                print(f"{company}: no run has been yet, so no breaker has stopped one.")
                print(*_limits(own), sep="\n")


def _limits(thresholds: Thresholds) -> Iterator[str]:
    """When breakers will trip."""
    yield "A run will be stopped before it writes what is too much at once:"
    for limit in fields(thresholds):
        yield f"  {limit.name}: {getattr(thresholds, limit.name).said}"
    yield "A company's file can set other limits. What each counts: docs/operating.md, Breakers."


def _plain(breaker: Breaker) -> dict[str, Any]:
    plain = {"name": breaker.name, "state": breaker.state} | asdict(breaker)
    return {
        what: value.isoformat() if isinstance(value, datetime) else value
        for what, value in plain.items()
    }


def _told(breaker: Breaker) -> Iterator[str]:
    """A breaker for a person's terminal. It may hold customer data: never log it."""
    yield f"{breaker.company} {breaker.name}: {breaker.state}"
    yield f"  {breaker.message}"
    runs = many(breaker.trips, "run")
    yield f"  stopped {runs}, first {_when(breaker.tripped_at)}, last {breaker.run_id}"
    if breaker.released_at:
        said = wording.printable(breaker.because or "")
        yield f"  released {_when(breaker.released_at)} by {breaker.released_by}: {said}"
    if breaker.ended_at:
        yield f"  {breaker.state} {_when(breaker.ended_at)} in {breaker.ended_in}"
    for what, value in breaker.details.items():
        yield from _detail(breaker, what, value)
    if breaker.state == "open":
        yield f"  {breakers.REMEDY}"
        yield f"  {breakers.typed(breaker.company, breaker.name)}"


def _detail(breaker: Breaker, what: str, value: Any) -> Iterator[str]:
    """What is known of one thing, or, under a heading, of the first of several."""
    if not isinstance(value, list):
        yield wording.printable(f"  {what}: {_words(value)}")
        return
    few = len(value) < breaker.count
    yield f"  the first {len(value):,} of {breaker.count:,} {what}:" if few else f"  {what}:"
    yield from (wording.printable(f"    {_words(each)}") for each in value)


def _words(detail: Any) -> str:
    if isinstance(detail, dict):
        return ", ".join(f"{what} {value}" for what, value in detail.items())
    return str(detail)


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


COMMANDS = {
    "breakers": Command(
        _breakers,
        "show what looked like an accident and stopped runs, open and past (customer data)",
        {
            "--limit": {
                "type": positive,
                "default": 5,
                "metavar": "N",
                "help": "how many past ones of each company; default: 5",
            }
        },
    ),
    "release": Command(
        _release,
        "let the next run of one company pass a breaker, once",
        {
            "--company": ONE,
            "--breaker": SEVERAL
            | {
                "required": True,
                "help": "as `breakers` calls it, such as mass_delete:Customer; may be repeated",
            },
            "--because": {
                "required": True,
                "metavar": "WHY",
                "help": "why it is no accident; kept with your name and the time",
            },
        },
    ),
}
