"""Tells people what needs them, by any of Airflow's notifiers: the one that the company's file
names, with the arguments given there.

Each concern is told once, when it is found, and once more when it is settled. It counts as told
when the notifier has ended well; until then the next look tells it again.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from airflow.sdk.configuration import conf
from psycopg import Connection

from quickbooks_crm import companies, database, health
from quickbooks_crm.companies import Company, Notifier
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.health import Concern
from quickbooks_crm.pages import FRAMED
from quickbooks_crm.quantity import many
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""The code and subject of a concern."""


@dataclass(frozen=True)
class News:
    """What a notifier's templates can tell, as `quickbooks`: what is `new` of a company, the titles
    of what is `settled`, a line for a `subject`, and all of it as `text`. No customer data."""

    company: str
    new: tuple[Concern, ...]
    settled: tuple[str, ...]
    page: str

    @property
    def subject(self) -> str:
        """The news in a line."""
        if len(self.new) == 1:
            return f"{self.company}: {self.new[0].title}"
        if self.new:
            return f"{self.company}: {many(len(self.new), 'thing')} need a person"
        return f"{self.company}: {'; '.join(self.settled)}: settled"

    @property
    def text(self) -> str:
        """The news, paragraph by paragraph."""
        told = [f"{each.title} ({each.urgency.words}).\n{each.says}" for each in self.new]
        told += [f"Settled: {title}." for title in self.settled]
        return "\n\n".join([*told, f"More: {self.page}" if self.page else ""]).strip()


def wanted() -> list[str]:
    """The companies whose file names a notifier."""
    found = []
    for name in companies.names(companies.INCLUDE / "companies"):
        with suppress(SettingsError):
            if companies.load_one(companies.INCLUDE / "companies", name).notify:
                found.append(name)
    return found


def tell(name: str, context: Mapping[str, Any], now: datetime | None = None) -> int:
    """Tell what is new of a company, and what is settled; how many things that were. Raises
    `SettingsError` when its notifier cannot be used, and what the notifier raises."""
    company = companies.load_one(companies.INCLUDE / "companies", name)
    with database.connect() as connection:
        database.require_current(connection)
        found = {
            (each.code, each.subject): each
            for each in health.concerns(connection, [name], now or database.now(connection))
        }
        known = _told(connection, name)
        new = {key: each for key, each in found.items() if key not in known}
        over = {key: title for key, title in known.items() if key not in found}
        if new or over:
            news = News(company.title, tuple(new.values()), tuple(over.values()), _page())
            _notify(company, news, context)
            _remember(connection, company, new, over)
    log.info("%s: %d new, %d settled, %d in all", name, len(new), len(over), len(found))
    return len(new) + len(over)


def try_out(name: str) -> None:
    """Send a word by a company's notifier, to see that it arrives. Raises as `tell` does."""
    company = companies.load_one(companies.INCLUDE / "companies", name)
    title, said = "This is a trial", "What needs a person would be told in this way."
    trial = Concern(name, "trial", "", health.Urgency.SOMETIME, title, said)
    _notify(company, News(company.title, (trial,), (), _page()), {})


def _told(connection: Connection[Any], company: str) -> dict[Key, str]:
    rows = connection.execute(statements("notifying")["told"], {"company": company}).fetchall()
    return {(code, subject): title for code, subject, title in rows}


def _remember(
    connection: Connection[Any],
    company: Company,
    new: Mapping[Key, Concern],
    over: Mapping[Key, str],
) -> None:
    sql, of = statements("notifying"), {"company": company.name, "realm": _realm(company)}
    with connection.transaction():
        for each in new.values():
            connection.execute(sql["tell"], asdict(each) | of)
        for code, subject in over:
            connection.execute(sql["settle"], of | {"code": code, "subject": subject})


def _realm(company: Company) -> str:
    try:
        return QuickBooksHook(company.quickbooks).connection_settings().realm
    except SettingsError:
        return ""


def _notify(company: Company, news: News, context: Mapping[str, Any]) -> None:
    if company.notify is None:
        raise SettingsError(
            f"{company.name}.yaml names no notifier. Add notify to it, as docs/pages.md says under "
            "Health."
        )
    _made(company, company.notify)({**context, "quickbooks": news})


def _made(company: Company, notifier: Notifier) -> Callable[[Any], None]:
    """The notifier, with its arguments."""
    module, _, name = notifier.name.rpartition(".")
    here = f"{company.name}.yaml: notify"
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"{here}.notifier names no class: {notifier.name} ({error}). Write its module and name "
            "with dots, and see that its package is installed. Nobody was told."
        ) from None
    try:
        made: Callable[[Any], None] = kind(**notifier.arguments)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{here}.arguments are not what {name} takes: {error}. Nobody was told."
        ) from None
    return made


def _page() -> str:
    """The address of the page that shows more, where Airflow knows its own."""
    address = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{address}/{FRAMED}/health" if address else ""
