"""The ledger of calls to QuickBooks, read: what a run called for, and how far a month's budget
is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from psycopg import Connection

from quickbooks_crm import runs
from quickbooks_crm.quantity import be, many
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

NEARLY = 80
"""Per cent of the budget from which a run warns."""

Key = tuple[str, str]
"""The realm and id of a run."""


@dataclass(frozen=True)
class Use:
    """How many of its billed calls an app has used in a month (UTC)."""

    client_id: str
    month: date
    used: int
    budget: int

    @property
    def sentence(self) -> str:
        """The use in words."""
        calls = f"{self.used:,} of the {many(self.budget, 'QuickBooks call')}"
        app = f"the app whose client id ends in '{self.client_id[-4:]}'"
        used = f"{be(self.used)} used, by all companies of {app}."
        return f"{calls} of {self.month:%B %Y} (UTC) {used}"

    @property
    def outlook(self) -> str:
        """What that means for runs; empty while there is plenty left."""
        if self.spent:
            until = f"{self._next_month:%Y-%m-%d} 00:00 UTC"
            return f"None are left: runs are stopped until {until}, or Calls a month is raised."
        if 100 * self.used >= NEARLY * self.budget:
            return "When none are left, runs stop until the next month."
        return ""

    @property
    def spent(self) -> bool:
        """Whether no call is left."""
        return self.used >= self.budget

    @property
    def _next_month(self) -> date:
        return (self.month.replace(day=1) + timedelta(days=31)).replace(day=1)


def by_purpose(connection: Connection[Any], keys: Sequence[Key]) -> dict[Key, dict[str, int]]:
    """How often each run called QuickBooks, by purpose; an empty purpose is not known any more."""
    found: dict[Key, dict[str, int]] = {}
    for realm, run_id, purpose, count in _asked(connection, "by_purpose", keys):
        found.setdefault((realm, run_id), {})[purpose] = count
    return found


def uses(connection: Connection[Any], keys: Sequence[Key]) -> dict[Key, Use]:
    """How far the budget of each run's month is used by now."""
    return {
        (realm, run_id): Use(*use) for realm, run_id, *use in _asked(connection, "budgets", keys)
    }


def use(connection: Connection[Any], realm: str) -> Use | None:
    """How far this month's budget of a company's app is used; nothing before its first call."""
    row = connection.execute(statements("calls")["budget"], {"realm": realm}).fetchone()
    return Use(*row) if row else None


def warn_when_nearly_used(connection: Connection[Any], run: Run) -> None:
    """Tell on the run when little is left of the month's budget; that nothing is, a stop tells."""
    found = use(connection, run.realm)
    if found and found.outlook and not found.spent:
        runs.warn(connection, run, "budget", f"{found.sentence} {found.outlook}")


def _asked(
    connection: Connection[Any], statement: str, keys: Sequence[Key]
) -> list[tuple[Any, ...]]:
    asked = {"realms": [realm for realm, _ in keys], "run_ids": [run_id for _, run_id in keys]}
    return connection.execute(statements("calls")[statement], asked).fetchall()
