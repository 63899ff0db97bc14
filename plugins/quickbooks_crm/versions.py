"""Mappings that people have stored for a company, version by version, and which they have put in
force. Both are history: nothing of it is ever changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.mapping import hashed
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

OFFERED_FOR = timedelta(hours=24)
"""How long an offered version may be previewed."""

_TOO_MANY = 2**31
"""No version has this number, nor does an integer of Postgres hold it."""


@dataclass(frozen=True)
class Version:
    """One stored mapping of a company and module; `origin` says how it came here (upload, page,
    restore), `note` why."""

    company: str
    module: str
    version: int
    content: str
    hash: str
    made_by: str
    made_at: datetime
    origin: str
    note: str

    @property
    def file(self) -> str:
        """What messages call it."""
        return called(self.module, self.version)


@dataclass(frozen=True)
class Choice:
    """What a person has put in force for a module: a version, or None for its file, which then was
    `file_hash`. Choices are counted from 1."""

    module: str
    choice: int
    version: int | None
    file_hash: str | None
    chosen_by: str
    chosen_at: datetime

    @property
    def what(self) -> str:
        """What was chosen."""
        return "the file" if self.version is None else f"version {self.version}"

    @property
    def words(self) -> str:
        """Who chose it, and when."""
        return f"since {moment(self.chosen_at)} by {self.chosen_by}"


@dataclass(frozen=True)
class New:
    """A mapping to be stored. `based_on` is the newest version that whoever made it has seen, 0
    where they saw none."""

    module: str
    content: str
    based_on: int
    made_by: str
    origin: str
    note: str = ""


@dataclass(frozen=True)
class Draft:
    """A version that was previewed, and the last choice that was made before; 0 is none."""

    version: int
    choice: int


def called(module: str, version: int) -> str:
    """What messages call a version."""
    return f"{module}, version {version}"


def moment(when: datetime) -> str:
    """A moment for a person."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def one_writer(connection: Connection[Any], company: str) -> None:
    """Be the only one who stores or chooses for a company until the transaction ends."""
    connection.execute(statements("versions")["one_writer"], {"company": company})


def newest(connection: Connection[Any], company: str) -> dict[str, Version]:
    """The newest version of each module that has one."""
    return {found.module: found for found in _versions(connection, "newest", company=company)}


def versions(
    connection: Connection[Any],
    company: str,
    module: str,
    before: int = _TOO_MANY,
    limit: int = 1_000,
) -> list[Version]:
    """The versions of a module, newest first: so many of those before one."""
    where = {"company": company, "module": module, "before": before, "limit": limit}
    return _versions(connection, "versions", **where)


def version(connection: Connection[Any], company: str, module: str, number: int) -> Version:
    """One version. Raises `SettingsError` when there is none of that number."""
    where = {"company": company, "module": module, "version": number}
    found = _versions(connection, "version", **where) if 0 < number < _TOO_MANY else []
    if not found:
        raise SettingsError(
            f"Company {company} has no version {number} of {module}. Those that there are stand on "
            "the page Mappings."
        )
    return found[0]


def store(connection: Connection[Any], company: str, new: New) -> Version:
    """Store a mapping as the next version, without looking at it."""
    values = asdict(new) | {"company": company, "hash": hashed(new.content)}
    [stored] = _versions(connection, "store", **values)
    return stored


def choices(connection: Connection[Any], company: str) -> dict[str, Choice]:
    """The last choice for each module for which one was ever made."""
    with connection.cursor(row_factory=class_row(Choice)) as cursor:
        found = cursor.execute(statements("versions")["choices"], {"company": company}).fetchall()
    return {choice.module: choice for choice in found}


def choose(
    connection: Connection[Any],
    company: str,
    module: str,
    version: int | None,
    file_hash: str | None,
    chosen_by: str,
) -> None:
    """Write down what is in force from now on, without looking at it."""
    values = {"company": company, "module": module, "version": version}
    values |= {"file_hash": file_hash, "chosen_by": chosen_by}
    connection.execute(statements("versions")["choose"], values)


def let_go(connection: Connection[Any], company: str, chosen_by: str) -> None:
    """Put nothing but files in force, as of a company that leaves."""
    for module, choice in choices(connection, company).items():
        if choice.version is not None:
            choose(connection, company, module, None, None, chosen_by)


def offer(
    connection: Connection[Any], company: str, module: str, version: int, offered_by: str
) -> None:
    """Let whoever may start runs preview a version, and put it in force by a Yes."""
    values = {"company": company, "module": module, "version": version}
    connection.execute(statements("versions")["offer"], values | {"offered_by": offered_by})


def offered(connection: Connection[Any], company: str) -> dict[str, int]:
    """The version of each module that is offered: within `OFFERED_FOR`, with nothing put in force
    since."""
    where = {"company": company, "good_for": OFFERED_FOR}
    return dict(connection.execute(statements("versions")["offered"], where).fetchall())


def withdraw(connection: Connection[Any], company: str, module: str, version: int) -> None:
    """Take an offer back, as after a No."""
    values = {"company": company, "module": module, "version": version}
    connection.execute(statements("versions")["withdraw"], values)


def note_drafts(connection: Connection[Any], run: Run, drafts: Mapping[str, Draft]) -> None:
    """Note on a preview which versions it shows that are not in force."""
    plain = {module: asdict(draft) for module, draft in drafts.items()}
    connection.execute(
        statements("versions")["note_drafts"], asdict(run) | {"drafts": Jsonb(plain)}
    )


def drafts(connection: Connection[Any], run: Run) -> tuple[dict[str, Draft], str | None]:
    """The versions that a preview has shown and that were not in force, and who asked for it."""
    row = connection.execute(statements("versions")["drafts"], asdict(run)).fetchone()
    found, by = row or ({}, None)
    return {module: Draft(**draft) for module, draft in found.items()}, by


def _versions(connection: Connection[Any], statement: str, **values: Any) -> list[Version]:
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(statements("versions")[statement], values).fetchall()
