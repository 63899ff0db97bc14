"""A person connects a company to QuickBooks: to Intuit's consent page, and back once.

The way back is guarded by a state: a random word that is good for one answer, of one person, about
one company, for ten minutes. What comes of it replaces the stored login only when QuickBooks shows
that it opens this very company.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import class_row

from quickbooks_crm import companies, runs
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import (
    ConsentRefused,
    QuickBooksClosed,
    QuickBooksRefused,
    QuickBooksUnavailable,
    SettingsError,
)
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.quickbooks.login import InvalidGrant
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.spool import hash_of
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

LIFETIME = 600
"""Seconds within which the browser has to come back; Intuit's code lasts as long."""

_AGAIN = "The connection is as it was before. Press Connect to QuickBooks again"


@dataclass(frozen=True)
class Person:
    """Who connects a company, and what they are called."""

    id: str
    name: str


@dataclass(frozen=True)
class Answer:
    """What the browser brings back from Intuit: a code for a company, or an error."""

    state: str
    code: str = ""
    realm: str = ""
    error: str = ""


@dataclass(frozen=True)
class Ended:
    """How a consent ended: connected, denied, late, other_company or refused; in words, too."""

    company: str
    ended: str
    said: str
    ended_at: datetime
    user_name: str


@dataclass(frozen=True)
class _Asked:
    """A consent, as it was asked for and as far as it has come."""

    state_hash: str
    company: str
    user_id: str
    redirect_uri: str
    ended: str | None
    said: str | None
    late: bool


def begin(connection: Connection[Any], company: Company, who: Person, redirect_uri: str) -> str:
    """The address at Intuit to which this person's browser goes. Raises `SettingsError` when the
    connection is not complete or leads to another company's, and as `login.log_in` does."""
    hook = QuickBooksHook(company.quickbooks)
    settings = hook.connection_settings()
    _require_own(connection, company, settings)
    state = secrets.token_urlsafe(32)
    address = hook.consent_page(redirect_uri, state)
    asked = {
        "state_hash": hash_of(state),
        "company": company.name,
        "realm": settings.realm,
        "user_id": who.id,
        "user_name": who.name,
        "redirect_uri": redirect_uri,
    }
    with connection.transaction():
        connection.execute(statements("consent")["forget"], asked)
        connection.execute(statements("consent")["begin"], asked)
    return address


def company_of(connection: Connection[Any], state: str, who: Person) -> str:
    """The company that this person was asked to connect. Raises `ConsentRefused` when nobody was
    asked with this state, or somebody else was."""
    return _asked(connection, state, who).company


def come_back(connection: Connection[Any], answer: Answer, who: Person) -> None:
    """Take what the browser brings back; the same answer a second time changes nothing.

    Raises `ConsentRefused` as `company_of` does, and another `QuickBooksError` when it is not known
    yet what comes of it: then the same answer may be brought again.
    """
    with connection.transaction():
        _one_at_a_time(connection, answer.state)
        asked = _asked(connection, answer.state, who)
        if asked.ended is None:
            ended, said = _judged(connection, asked, answer)
            where = {"state_hash": asked.state_hash, "ended": ended, "said": said}
            connection.execute(statements("consent")["end"], where)


def disconnect(connection: Connection[Any], company: Company) -> bool:
    """End a company's login; False when that was done before. Raises `SettingsError` when its
    connection leads to another company's, and as `TokenStore.disconnect` does."""
    with closing(QuickBooksHook(company.quickbooks)) as quickbooks:
        _require_own(connection, company, quickbooks.connection_settings())
        return quickbooks.disconnect()


def last(connection: Connection[Any], companies: Iterable[str]) -> dict[str, Ended]:
    """How the newest consent of each company ended."""
    with connection.cursor(row_factory=class_row(Ended)) as cursor:
        asked = {"companies": list(companies)}
        found = cursor.execute(statements("consent")["last"], asked).fetchall()
    return {each.company: each for each in found}


def _one_at_a_time(connection: Connection[Any], state: str) -> None:
    where = {"state_hash": hash_of(state)}
    try:
        for name in ("one_answer", "one_at_a_time"):
            connection.execute(statements("consent")[name], where)
    except errors.LockNotAvailable:
        raise QuickBooksUnavailable(
            "This answer of Intuit's is at work already, perhaps from another window. Try again in "
            "a moment, and see on the page Connections what came of it."
        ) from None


def _asked(connection: Connection[Any], state: str, who: Person) -> _Asked:
    where = {"state_hash": hash_of(state), "lifetime": LIFETIME}
    with connection.cursor(row_factory=class_row(_Asked)) as cursor:
        asked = cursor.execute(statements("consent")["asked"], where).fetchone()
    if asked is None:
        raise ConsentRefused(
            "Nobody here has asked to connect a company in this way, so nothing was done. Press "
            "Connect to QuickBooks on the page Connections."
        )
    if asked.user_id != who.id:
        raise ConsentRefused(
            f"Somebody else has begun to connect {asked.company}, and only they can end it; "
            "nothing was done. Let them come back from Intuit, or begin yourself: Connect to "
            "QuickBooks on the page Connections."
        )
    return asked


def _judged(connection: Connection[Any], asked: _Asked, answer: Answer) -> tuple[str, str]:
    """How a consent ends, and in which words."""
    if asked.late:
        return "late", (
            "More than ten minutes have passed before the browser came back from Intuit, so for "
            f"safety nothing was done. {_AGAIN}, and choose the company at once."
        )
    if answer.error == "access_denied":
        return "denied", f"Nobody agreed at Intuit. {_AGAIN} when the company's owner agrees."
    if answer.error or not answer.code:
        return "refused", (
            f"Intuit sent the browser back without a code. {_AGAIN}. If it happens again, compare "
            "the client id and the redirect address with the app's at developer.intuit.com."
        )
    try:
        return _connected(connection, asked, answer)
    except InvalidGrant:
        return "refused", f"Intuit says that the code is too old or was used before. {_AGAIN}."
    except (SettingsError, QuickBooksClosed, QuickBooksRefused) as error:
        return "refused", str(error)


def _connected(connection: Connection[Any], asked: _Asked, answer: Answer) -> tuple[str, str]:
    company = companies.load_one(companies.INCLUDE / "companies", asked.company)
    with closing(QuickBooksHook(company.quickbooks)) as quickbooks:
        settings = quickbooks.connection_settings()
        _require_own(connection, company, settings)
        if answer.realm != settings.realm:
            return "other_company", _another(company, settings, answer.realm)
        found = quickbooks.connect(asked.redirect_uri, answer.code, f"consent {asked.state_hash}")
    if found is None:
        return "other_company", (
            f"What Intuit gave does not open the company that {company.name} was read from so far "
            f"(company id {settings.realm}). {_AGAIN}, and choose the right company."
        )
    name = found.name or "a company without a name"
    return (
        "connected",
        f"Connected to {name} ({found.environment}, company id {found.realm}).",
    )


def _another(company: Company, settings: Settings, chosen: str) -> str:
    shown = chosen if chosen.isascii() and chosen.isdigit() and len(chosen) < 30 else "unknown"
    return (
        f"At Intuit the company with the id {shown} was chosen, but {company.name} is the one with "
        f"the id {settings.realm}. {_AGAIN}, and choose that company. If {shown} is right, write "
        f"it into Company id (realm) of the connection {company.quickbooks} first (Admin > "
        "Connections)."
    )


def _require_own(connection: Connection[Any], company: Company, settings: Settings) -> None:
    """Raise `SettingsError` when another company here has the same company of QuickBooks."""
    named = companies.names(companies.INCLUDE / "companies")
    run = Run(company.name, settings.realm, "")
    runs.require_own_realm(connection, run, named)
    if settings.realm in _realms(name for name in named if name != company.name):
        raise runs.another_ones(run)


def _realms(names: Iterable[str]) -> Iterator[str]:
    """The ids of the companies that these companies' connections lead to, as far as they can be
    read."""
    for name in names:
        with suppress(SettingsError):
            found = companies.load_one(companies.INCLUDE / "companies", name)
            yield QuickBooksHook(found.quickbooks).connection_settings().realm
