"""The charts of a company's runs: their numbers, drawn and in tables."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import figures
from quickbooks_crm.figures import Span
from tests.integration.runs import CLIENT, REALM, called, counted, started
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

NOW = datetime(2025, 3, 12, 15, tzinfo=UTC)
WEEK = Span(NOW, 7, "day")
PAGE = "/quickbooks-crm/charts/sample"


def ran(connection: Connection[Any], run_id: str, at: datetime, **given: Any) -> None:
    started(connection, run_id, started_at=at, finished_at=at + timedelta(seconds=60), **given)


@pytest.fixture
def recent(connection: Connection[Any]) -> None:
    """A run of half an hour ago and one of yesterday."""
    now = datetime.now(UTC)
    ran(connection, "new", now - timedelta(minutes=30))
    ran(connection, "old", now - timedelta(days=1))
    counted(connection, "new", "products", added=1200, updated=30, unchanged=5000, not_added=4)
    counted(connection, "old", "products", duplicate=7, excluded=2)
    called(connection, "new", Customer=11)
    connection.execute(
        "INSERT INTO sync.budget (client_id, month, budget, used) VALUES (%s, %s, 500, 9)",
        [CLIENT, date(2025, 2, 1)],
    )
    connection.commit()


@pytest.mark.parametrize(
    ("days", "step", "first", "steps"),
    [
        (7, "day", date(2025, 3, 6), 7),
        (30, "day", date(2025, 2, 11), 30),
        (90, "week", date(2024, 12, 9), 14),
        (365, "month", date(2024, 3, 1), 13),
    ],
)
def test_a_span_has_all_its_steps_to_the_last(
    days: int, step: figures.Step, first: date, steps: int
) -> None:
    span = Span(NOW, days, step)

    assert (span.first.date(), span.steps[0], len(span.steps)) == (first, first, steps)
    assert span.steps[-1] <= NOW.date()


def test_ends_are_summed_by_day_and_by_module_without_previews_and_undos(
    connection: Connection[Any],
) -> None:
    ran(connection, "a", NOW)
    ran(connection, "b", NOW - timedelta(hours=1), kind="replay")
    ran(connection, "preview", NOW, kind="preview")
    ran(connection, "undo", NOW, kind="undo")
    ran(connection, "long ago", NOW - timedelta(days=8))
    ran(connection, "other", NOW, company="other")
    for run_id in ("a", "b", "preview", "undo", "long ago", "other"):
        counted(connection, run_id, "products", added=2, unchanged=1)
    counted(connection, "a", "accounts", excluded=3)

    found = figures.of(connection, "sample", WEEK)

    none = dict.fromkeys(("updated", "duplicate", "not_added"), 0)
    assert found.outcomes == {NOW.date(): {"added": 4, "unchanged": 2, "excluded": 3, **none}}
    assert found.modules == {
        "accounts": {"added": 0, "unchanged": 0, "excluded": 3, **none},
        "products": {"added": 4, "unchanged": 2, "excluded": 0, **none},
    }


def test_durations_are_those_of_syncs_that_ended_well(connection: Connection[Any]) -> None:
    for number, seconds in enumerate([10, 20, 90]):
        at = NOW - timedelta(hours=number)
        end = {"finished_at": at + timedelta(seconds=seconds)}
        started(connection, f"run-{number}", started_at=at, **end)
    ran(connection, "failed", NOW, state="failed")
    started(connection, "running", started_at=NOW, state="running")

    assert figures.of(connection, "sample", WEEK).durations == {NOW.date(): (20, 90)}


def test_a_module_is_fresh_from_the_sync_on_that_loaded_it_or_found_nothing_to_do(
    connection: Connection[Any],
) -> None:
    asked = {"modules": ["products", "accounts", "contacts", "vendors", "quotes"]}
    hours = [NOW - timedelta(hours=hour) for hour in range(4)]
    ran(connection, "0", hours[0], **asked, work=None, state="failed")
    blocked = {"contacts": "Customer could not be read."}
    ran(connection, "1", hours[1], **asked, work=["products"], blocked=blocked)
    counted(connection, "1", "products", added=1)
    ran(connection, "2", hours[2], **asked, work=["accounts", "vendors", "quotes"])
    counted(connection, "2", "accounts", added=1)
    connection.execute("UPDATE sync.run SET work = '{vendors,quotes}' WHERE run_id = '1'")
    counted(connection, "2", "vendors", added=1)

    fresh = figures.of(connection, "sample", WEEK).fresh

    assert fresh == {
        **{"products": hours[1], "accounts": hours[1], "contacts": hours[2]},
        **{"vendors": hours[2], "quotes": None},
    }


def test_calls_are_counted_by_day_and_against_the_budget_of_their_app(
    connection: Connection[Any],
) -> None:
    ran(connection, "a", NOW)
    called(connection, "a", Customer=3, Item=2)
    for month, used in (("2025-02-01", 7), ("2025-03-01", 9)):
        connection.execute(
            "INSERT INTO sync.budget (client_id, month, budget, used) VALUES (%s, %s, 500, %s)",
            [CLIENT, month, used],
        )

    found = figures.of(connection, "sample", WEEK)

    assert found.calls == {NOW.date(): 5}
    assert [(b.month.month, b.used, b.budget) for b in found.budgets] == [(2, 7, 500), (3, 9, 500)]


def test_each_chart_is_drawn_and_has_a_table_with_the_same_numbers(
    viewer: httpx.Client, recent: None
) -> None:
    page = viewer.get(f"{PAGE}?days=7")

    charts = re.findall(r'<section class="chart".*?</section>', page.text, re.DOTALL)
    assert len(charts) == 6
    for chart in charts:
        [drawn] = re.findall(r'<svg viewBox="0 0 720.*?</svg>', chart, re.DOTALL)
        assert '<rect class="mark"' in drawn
        assert "<table>" in chart
        assert 'role="img" aria-labelledby=' in drawn
    assert "products 1,200 30 7 4 2 5,000" in text_of(page)
    assert "9 of 500" in text_of(page)
    assert "30 min 0 s" in text_of(page)


def test_every_pattern_that_is_used_is_there_once(viewer: httpx.Client, recent: None) -> None:
    page = viewer.get(PAGE).text

    there = re.findall(r'<pattern id="([^"]+)"', page)
    assert set(re.findall(r'fill="url\(#([^"]+)\)"', page)) <= set(there)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "style=" not in page and "<style" not in page


def test_before_the_first_run_each_chart_says_what_will_be_there(viewer: httpx.Client) -> None:
    text = text_of(viewer.get(PAGE))

    assert "No run has loaded anything in this time." in text
    assert "No module has been brought up to date yet." in text
    assert "QuickBooks was not called in this time." in text


@pytest.mark.parametrize(
    ("path", "status"), [("sample?days=8", 404), ("never", 404), ("sample?days=365", 200)]
)
def test_there_are_charts_of_known_companies_and_times(
    viewer: httpx.Client, path: str, status: int
) -> None:
    assert viewer.get(f"/quickbooks-crm/charts/{path}").status_code == status


@pytest.mark.parametrize("page", ["charts/sample", "activity"])
def test_no_charts_are_offered_of_a_company_that_has_left(
    viewer: httpx.Client, connection: Connection[Any], page: str
) -> None:
    started(connection, "run-1")
    started(connection, "run-2", company="a_former_one", realm="2")
    connection.commit()

    shown = viewer.get(f"/quickbooks-crm/{page}").text

    assert "charts/sample" in shown
    assert "charts/a_former_one" not in shown


def test_a_year_of_hourly_runs_is_summed_up_before_a_person_notices(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "INSERT INTO sync.run (realm, run_id, company, trigger, started_at, finished_at, kind,"
        " state, modules, work) SELECT %(realm)s, 'run-' || i, 'sample', 'scheduled', at,"
        " at + interval '1 min', 'sync', 'success', '{products,accounts}', '{products}'"
        " FROM (SELECT i, %(now)s - i * interval '1h' AS at FROM generate_series(1, 8760) AS i)"
        " AS hourly",
        {"realm": REALM, "now": NOW},
    )
    connection.execute(
        "INSERT INTO sync.activity (realm, run_id, module, mapping_hash, mode, from_generation,"
        " to_generation, read, added, updated, unchanged, duplicate, not_added, excluded,"
        " deactivated, deleted, resolved) SELECT realm, run_id, 'products', '', 'merge', 0, 1,"
        " 1, 1, 0, 0, 0, 0, 0, 0, 0, 0 FROM sync.run"
    )
    connection.execute("ANALYZE sync.run, sync.activity")
    begun = datetime.now(UTC)

    found = figures.of(connection, "sample", Span(NOW, 365, "month"))

    assert sum(ends["added"] for ends in found.outcomes.values()) == 8760
    assert datetime.now(UTC) - begun < timedelta(seconds=1)
