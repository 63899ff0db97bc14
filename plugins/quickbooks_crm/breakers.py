"""Breakers: what looks like an accident is not written until a person releases it.

A stage judges what it is about to write. When that is a `Danger`, it calls `pass_or_stop` in the
transaction that would write it, which either uses up a person's release of this very danger or
raises `BreakerTripped`; whoever catches that calls `note`. When it is none, it calls `clear`.
"""

import shlex
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from quickbooks_crm.errors import BreakerTripped, SettingsError
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Threshold:
    """From how many on something is a danger: at least `at_least` and more than `percent` of all,
    or more than `always_above` however many there are."""

    percent: int
    at_least: int
    always_above: int | None = None

    def passed(self, count: int, of: int) -> bool:
        """Whether so many of so many are too many."""
        share = self._share_passed(count, of)
        return share or (self.always_above is not None and count > self.always_above)

    def words(self, count: int, of: int) -> str:
        """Which limit so many of so many have passed."""
        if self._share_passed(count, of):
            share = f"{100 * count / of:.3g} %" if of else "all"
            return f"{share}; the limit is {self.percent} %, and {self.at_least:,} records"
        return f"the limit is {self.always_above:,} records"

    @property
    def said(self) -> str:
        """The limit in words."""
        share = f"more than {self.percent} %, and {self.at_least:,} records or more"
        most = self.always_above
        return share if most is None else f"{share}; or more than {most:,} records"

    def _share_passed(self, count: int, of: int) -> bool:
        return count >= self.at_least and count * 100 > self.percent * of


@dataclass(frozen=True)
class Thresholds:
    """When the breakers of a company trip."""

    mass_delete: Threshold = Threshold(percent=5, at_least=20, always_above=500)
    mass_change: Threshold = Threshold(percent=50, at_least=100)
    mass_clear: Threshold = Threshold(percent=90, at_least=20)
    too_many_rejects: Threshold = Threshold(percent=10, at_least=50)


@dataclass(frozen=True)
class Danger:
    """What looks like an accident: `count` of the `of` things of a `subject` would be hit.

    `code` is wrong_company, empty_source, mass_delete, mass_change, mass_clear or too_many_rejects;
    `subject` the entity, module or company. `message` is a sentence without customer data;
    `details` may hold values, and go nowhere but into the table.
    """

    code: str
    subject: str
    count: int
    of: int
    message: str
    details: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What a person calls the breaker that it trips."""
        return name(self.code, self.subject)


@dataclass(frozen=True)
class Breaker:
    """A danger that stopped runs, from its first trip until a run went on or found it gone."""

    breaker: int
    realm: str
    company: str
    code: str
    subject: str
    count: int
    of: int
    message: str
    details: dict[str, Any] = field(repr=False)
    run_id: str
    trips: int
    tripped_at: datetime
    last_tripped_at: datetime
    released_by: str | None
    released_at: datetime | None
    because: str | None
    ended: str | None
    ended_at: datetime | None
    ended_in: str | None

    @property
    def name(self) -> str:
        """What a person calls it: the danger's code and what it is about."""
        return name(self.code, self.subject)

    @property
    def state(self) -> str:
        """open, released, or how it ended: used, passed or outgrown."""
        return self.ended or ("released" if self.released_at else "open")

    @property
    def sentence(self) -> str:
        """What a person who looks at the company should know of it while it has not ended; no
        customer data."""
        if self.state == "released":
            who = f"was released by {self.released_by}: the next run goes on with it"
            return f"{self.name} {who}. {self.message}"
        since = f"{self.tripped_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        what = f"{self.message} {REMEDY}"
        return f"{self.name} has stopped runs since {since}: {what}"


def name(code: str, subject: str) -> str:
    """What a person calls a breaker: mass_delete:Customer."""
    return f"{code}:{subject}" if subject else code


def pass_or_stop(connection: Connection[Any], realm: str, run_id: str, danger: Danger) -> None:
    """Go on when a person has released this very danger, and use the release up; else raise
    `BreakerTripped`. Be inside the transaction that writes: a release is used when that commits."""
    where = {"realm": realm, "run_id": run_id}
    sql = statements("breakers")
    if connection.execute(sql["use"], where | _values(danger)).rowcount == 0:
        known = connection.execute(sql["company_of"], where).fetchone()
        company = known[0] if known else "NAME"
        raise BreakerTripped(danger, REMEDY, typed(company, name(danger.code, danger.subject)))


REMEDY = (
    "Nothing of it was written. If it is right, release it on the page Health: the next run goes "
    "on with it. If it is not right, put right what caused it; the next run looks again."
)
"""What a person does about a danger."""


def typed(company: str, breaker: str) -> str:
    """The same for a terminal: how to release a breaker, and to go on."""
    return (
        f"To release it: python -m quickbooks_crm release --company {company} --breaker "
        f'{shlex.quote(breaker)} --because "...". Then run again: {again(company)}.'
    )


def again(company: str) -> str:
    """How a person at a terminal starts the run that goes on with a release."""
    return (
        f"python -m quickbooks_crm sync --company {company} (with --everything, if a run that "
        "reads everything was stopped; the same replay or retry, if that was)"
    )


def note(connection: Connection[Any], run: Run, danger: Danger) -> None:
    """Record, in a transaction of its own, that a danger has stopped a run; a danger that stops
    runs again stays one breaker."""
    values = asdict(run) | _values(danger)
    with connection.transaction():
        for statement in ("outgrow", "trip"):
            connection.execute(statements("breakers")[statement], values)


def _values(danger: Danger) -> dict[str, Any]:
    return asdict(danger) | {"details": Jsonb(danger.details)}


def clear(
    connection: Connection[Any],
    realm: str,
    run_id: str,
    codes: list[str],
    subject: str,
    details: dict[str, Any] | None = None,
) -> None:
    """End the open breakers of these codes that hold these details, released or not: the same look
    found no danger now."""
    where = {"realm": realm, "run_id": run_id, "codes": codes, "subject": subject}
    connection.execute(statements("breakers")["clear"], where | {"details": Jsonb(details or {})})


def release(
    connection: Connection[Any],
    company: str,
    breaker: str,
    who: str,
    because: str,
    seen_in: str | None = None,
) -> Breaker:
    """Let the next run of a company pass one open breaker, once, and note who did so and why.
    Raises `SettingsError` when no such breaker waits for it, or another run than the one it was
    `seen_in` has tripped it since: it may say something else now."""
    with connection.transaction():
        waiting = open_ones(connection, company)
        meant = next((found for found in waiting if found.name == breaker), None)
        if meant is None or meant.state != "open":
            raise SettingsError(_no_release(company, breaker, waiting))
        if seen_in not in (None, meant.run_id):
            raise SettingsError(
                f"Another run was stopped since you looked, and nothing was released. It now says: "
                f"{meant.message} Load the page again, and decide on that."
            )
        values = {"breaker": meant.breaker, "who": who, "because": because}
        connection.execute(statements("breakers")["release"], values)
    return meant


def _no_release(company: str, breaker: str, waiting: list[Breaker]) -> str:
    for found in waiting:
        if found.name == breaker:
            who = f"Breaker {breaker} of company {company} is already released by"
            return f"{who} {found.released_by}. The next sync goes on with it."
    names = ", ".join(found.name for found in waiting if found.state == "open") or "none"
    return (
        f"No breaker {breaker} of company {company} waits to be released. Those that do: {names}. "
        "Nothing was released."
    )


def open_ones(connection: Connection[Any], company: str) -> list[Breaker]:
    """The breakers that stop a company's runs, and those that are released and wait for a run; the
    newest first."""
    return _breakers(connection, "open", {"company": company})


def past_ones(connection: Connection[Any], company: str, limit: int) -> list[Breaker]:
    """The newest breakers of a company that are over."""
    return _breakers(connection, "past", {"company": company, "limit": limit})


def _breakers(connection: Connection[Any], statement: str, which: dict[str, Any]) -> list[Breaker]:
    with connection.cursor(row_factory=class_row(Breaker)) as cursor:
        return cursor.execute(statements("breakers")[statement], which).fetchall()
