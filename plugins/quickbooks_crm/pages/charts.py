"""The charts of a company's activity: drawn here, as pictures without a script."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from quickbooks_crm import activity, database, figures, wording
from quickbooks_crm.figures import Figures, Span, Step
from quickbooks_crm.pages.drawing import Chart, Series, drawn
from quickbooks_crm.pages.looks import Page, page
from quickbooks_crm.pages.reaching import reading
from quickbooks_crm.pages.security import See, configured, readable

SPANS: dict[int, Step] = {7: "day", 30: "day", 90: "week", 365: "month"}
DRAWN = ("added", "updated", "duplicate", "not_added", "excluded")
"""The outcomes that are drawn. What is unchanged would hide all others; it is in the table."""

Days = Literal["7", "30", "90", "365"]

router = APIRouter()


@router.get("/charts/{company}", response_class=HTMLResponse)
def charts(request: Request, caller: See, company: str, days: Days = "30") -> Response:
    """What a company's runs did in the last days."""
    with reading() as connection:
        span = Span(database.now(connection), int(days), SPANS[int(days)])
        ran = readable(caller.user, activity.companies(connection))
        found = figures.of(connection, company, span)
    there = set(configured())
    return page(
        request,
        Page("charts.html"),
        companies=sorted({company, *ran} & there),
        company=company,
        title=caller.settings.title,
        days=int(days),
        spans=list(SPANS),
        charts=[(chart, drawn(chart)) for chart in _charts(found)],
    )


def _charts(found: Figures) -> Iterator[Chart]:
    yield _outcomes(found)
    yield _modules(found)
    yield _durations(found)
    yield _calls(found)
    yield _budgets(found)
    yield _fresh(found)


def _outcomes(found: Figures) -> Chart:
    steps = found.span.steps
    return Chart(
        "outcomes",
        "How records ended",
        f"Records that changed in the CRM or were kept out of it, by {found.span.step}. "
        "Unchanged ones are in the table only.",
        "No run has loaded anything in this time.",
        categories=_named(found.span),
        series=_ends([found.outcomes.get(step, {}) for step in steps], DRAWN),
        told=_number,
        more=_ends([found.outcomes.get(step, {}) for step in steps], ("unchanged",)),
    )


def _modules(found: Figures) -> Chart:
    return Chart(
        "modules",
        "Records by module",
        "The same by module, with the sum of what is drawn beside it.",
        "No run has loaded anything in this time.",
        categories=tuple(found.modules),
        series=_ends(list(found.modules.values()), DRAWN),
        told=_number,
        more=_ends(list(found.modules.values()), ("unchanged",)),
        upright=False,
    )


def _durations(found: Figures) -> Chart:
    ran = [found.durations.get(step, (0.0, 0.0)) for step in found.span.steps]
    return Chart(
        "durations",
        "How long syncs took",
        f"Of the syncs of each {found.span.step} that ended well: the one in the middle as a "
        "column, the longest as a line.",
        "No sync has ended well in this time.",
        categories=_named(found.span),
        series=(Series("in the middle", "plain", tuple(middle for middle, _ in ran)),),
        limit=Series("longest", "limit", tuple(longest for _, longest in ran)),
        told=_long,
    )


def _calls(found: Figures) -> Chart:
    calls = tuple(float(found.calls.get(step, 0)) for step in found.span.steps)
    return Chart(
        "calls",
        "Calls to QuickBooks",
        f"How often this company's runs called QuickBooks, by {found.span.step}.",
        "QuickBooks was not called in this time.",
        categories=_named(found.span),
        series=(Series("calls", "plain", calls),),
        told=_number,
    )


def _budgets(found: Figures) -> Chart:
    return Chart(
        "budget",
        "Calls against the budget",
        "Billed calls of all companies with the same app, by month (UTC); the line is the budget.",
        "No call has counted against a budget yet.",
        categories=tuple(f"{budget.month:%b %Y}" for budget in found.budgets),
        series=(Series("used", "plain", tuple(float(b.used) for b in found.budgets)),),
        limit=Series("budget", "limit", tuple(float(b.budget) for b in found.budgets)),
        told=_number,
        upright=False,
    )


def _fresh(found: Figures) -> Chart:
    known = {module: until for module, until in found.fresh.items() if until}
    ages = tuple((found.span.now - until).total_seconds() for until in known.values())
    return Chart(
        "fresh",
        "How fresh each module is",
        "How long ago the sync began that last brought the module up to date, or found it to be.",
        "No module has been brought up to date yet.",
        categories=tuple(known),
        series=(Series("ago", "plain", ages),),
        told=_long,
        upright=False,
    )


def _ends(rows: list[dict[str, int]], names: tuple[str, ...]) -> tuple[Series, ...]:
    return tuple(
        Series(wording.words(name), name, tuple(float(row.get(name, 0)) for row in rows))
        for name in names
    )


def _named(span: Span) -> tuple[str, ...]:
    return tuple(f"{step:%b %Y}" if span.step == "month" else _day(step) for step in span.steps)


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _long(seconds: float) -> str:
    """A duration in the two largest units; days where it is that long."""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:,.0f} days"
    return wording.took(timedelta(seconds=seconds))
