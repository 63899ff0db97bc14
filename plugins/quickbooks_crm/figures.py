"""What the runs of a company did in a time, summed up for charts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import dict_row

from quickbooks_crm.activity import OUTCOMES
from quickbooks_crm.sql import statements

Step = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Span:
    """A time that ends now, in steps: days, weeks from Monday, or months (UTC)."""

    now: datetime
    days: int
    step: Step

    @property
    def first(self) -> datetime:
        """When its first step begins."""
        day = (self.now.astimezone(UTC) - timedelta(days=self.days - 1)).date()
        if self.step == "week":
            day -= timedelta(days=day.weekday())
        elif self.step == "month":
            day = day.replace(day=1)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    @property
    def steps(self) -> list[date]:
        """The first day of each step."""
        return list(self._steps())

    def _steps(self) -> Iterator[date]:
        day = self.first.date()
        while day <= self.now.astimezone(UTC).date():
            yield day
            if self.step == "month":
                day = (day + timedelta(days=31)).replace(day=1)
            else:
                day += timedelta(days=7 if self.step == "week" else 1)


@dataclass(frozen=True)
class Budget:
    """How many calls a month (UTC) allows, and how many were used."""

    month: date
    used: int
    budget: int


@dataclass(frozen=True)
class Figures:
    """`outcomes`, `calls` and `durations` (the middle one and the longest, in seconds) are by step
    of the span; what nothing is known of is not in them. `fresh` says up to when each module is as
    QuickBooks was, or None."""

    span: Span
    outcomes: dict[date, dict[str, int]]
    modules: dict[str, dict[str, int]]
    calls: dict[date, int]
    budgets: tuple[Budget, ...]
    durations: dict[date, tuple[float, float]]
    fresh: dict[str, datetime | None]


def of(connection: Connection[Any], company: str, span: Span) -> Figures:
    """The figures of a company."""
    asked = {"company": company, "first": span.first, "step": span.step}
    blocks = statements("figures")

    def ask(statement: str, **parts: sql.SQL) -> list[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(blocks[statement].format(**parts), asked).fetchall()

    return Figures(
        span,
        outcomes={row["since"]: _ends(row) for row in ask("outcomes", by=blocks["by_step"])},
        modules={row["module"]: _ends(row) for row in ask("outcomes", by=blocks["by_module"])},
        calls={row["since"]: row["calls"] for row in ask("calls")},
        budgets=tuple(Budget(**row) for row in ask("budgets"))[::-1],
        durations={row["since"]: (row["middle"], row["longest"]) for row in ask("durations")},
        fresh={row["module"]: row["until"] for row in ask("fresh")},
    )


def _ends(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in OUTCOMES}
