"""Is it still the same company? What a run reads may only go where that company's records are.

The first run binds our company (a file in include/companies/) to the company of QuickBooks that it
leads to. From then on another one stops the run before any row moves, until a person releases it.
"""

from dataclasses import asdict
from datetime import UTC
from typing import Any, Protocol

from psycopg import Connection
from psycopg.rows import class_row

from quickbooks_crm import breakers
from quickbooks_crm.breakers import Danger
from quickbooks_crm.quickbooks.identity import Identity
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

CODE = "wrong_company"


class Source(Protocol):
    """What the check needs of QuickBooks."""

    def company(self) -> Identity:
        """The company that the connection leads to: one call."""


def is_due(connection: Connection[Any], run: Run) -> bool:
    """Whether the check has to be made although nothing is read wholly: it is a day old, or the
    connection leads to another company id than it did."""
    row = connection.execute(statements("company_check")["is_due"], asdict(run)).fetchone()
    return row is None or bool(row[0])


def require_same_company(connection: Connection[Any], run: Run, quickbooks: Source) -> None:
    """Raise `BreakerTripped` unless QuickBooks shows the company that ours is bound to, or a person
    has released the other one. The first company to be seen, or released, is bound."""
    found = quickbooks.company()
    with connection.transaction():
        _bind_or_stop(connection, run, found)


def _bind_or_stop(connection: Connection[Any], run: Run, found: Identity) -> None:
    sql, values = statements("company_check"), asdict(run) | asdict(found)
    bound = _bound(connection, run)
    different = found.differences(bound) if bound else ()
    if bound and different:
        danger = _danger(run, bound, found, different)
        breakers.pass_or_stop(connection, run.realm, run.run_id, danger)
    elif bound:
        _nobody_need_release(connection, run)
    connection.execute(sql["checked" if bound and not different else "bind"], values)


def _bound(connection: Connection[Any], run: Run) -> Identity | None:
    with connection.cursor(row_factory=class_row(Identity)) as cursor:
        return cursor.execute(statements("company_check")["bound"], asdict(run)).fetchone()


def _danger(run: Run, bound: Identity, found: Identity, different: tuple[str, ...]) -> Danger:
    """Names stay in the details: they are values."""
    return Danger(
        code=CODE,
        subject="",
        count=1,
        of=1,
        message=(
            f"The connection of {run.company} leads to another company of QuickBooks than before: "
            f"{_told(found)} instead of {_told(bound)}; not the same: {', '.join(different)}."
        ),
        details={"bound": _plain(bound), "found": _plain(found)},
    )


def _told(company: Identity) -> str:
    return f"{company.realm} ({company.environment})"


def _plain(company: Identity) -> dict[str, str]:
    """As text that is the same for the same company: a release is for what was shown."""
    made = company.created_at.astimezone(UTC).isoformat() if company.created_at else ""
    plain = asdict(company) | {"created_at": made}
    return {what: value for what, value in plain.items() if value}


def _nobody_need_release(connection: Connection[Any], run: Run) -> None:
    """End what stopped this company's runs: its connection was put right."""
    for stopped in breakers.open_ones(connection, run.company):
        if stopped.code == CODE:
            breakers.clear(connection, stopped.realm, run.run_id, [CODE], stopped.subject)
