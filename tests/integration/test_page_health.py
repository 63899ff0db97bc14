"""What needs a person is on one page, the most urgent first, with what settles it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import breakers, database, health
from quickbooks_crm.breakers import Danger
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from tests.acceptance.kept_in_step import own_include
from tests.integration.runs import REALM, called, counted, started

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
FROM_A_PAGE = {"sec-fetch-site": "same-origin", "content-type": "application/json"}
FULL = Danger("mass_delete", "products", 30, 40, "30 of 40 <b>products</b> would go.")


@pytest.fixture
def company(
    connection: Connection[Any], crm: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """The include of a company that is well: connected, and last synced half an hour ago."""
    include = own_include(tmp_path, monkeypatch, "[products, accounts]")
    leads_to(monkeypatch, REALM)
    database.add_companies(connection, include / "crm", {"sample": "Sample company"})
    do(
        connection,
        "INSERT INTO sync.token (realm, state, seed_hash, connected_at, refresh_expires_at,"
        " hard_expires_at) VALUES (%s, 'connected', 'x', now(), now() + interval '90 days',"
        " now() + interval '4 years')",
        REALM,
    )
    at = NOW - timedelta(minutes=30)
    started(connection, "run-1", started_at=at, finished_at=at)
    connection.commit()
    return include


def leads_to(monkeypatch: pytest.MonkeyPatch, realm: str) -> None:
    """Tell Airflow of the connection."""

    nowhere = "http://127.0.0.1:1"
    extra = {"environment": "simulator", "realm_id": realm, "api_url": nowhere}
    known = {"conn_type": "quickbooks", "login": "key", "password": "secret"}
    known["extra"] = json.dumps(extra | {"discovery_url": nowhere})
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", json.dumps(known))


def do(connection: Connection[Any], statement: str, *values: Any) -> None:
    connection.execute(statement.encode(), values)
    connection.commit()


def found(connection: Connection[Any], **given: Any) -> list[tuple[str, str, str]]:
    """What needs a person: how urgent, what, and of what."""
    connection.rollback()
    concerns = health.concerns(connection, ["sample"], given.pop("now", NOW), **given)
    return [(each.urgency.name, each.code, each.subject) for each in concerns]


def text(answer: httpx.Response) -> str:
    body = re.sub(r"<dialog.*?</dialog>", "", answer.text.partition("<main>")[2], flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def held(connection: Connection[Any], count: int, **given: Any) -> None:
    row = {"module": "products", "outcome": "not_added", "reason": "missing_required", **given}
    connection.execute(
        "INSERT INTO sync.held (realm, module, entity, id, outcome, reason, mapping_hash, run_id)"
        " SELECT %s, %s, 'Item', number, %s, %s, 'x', 'run-1'"
        " FROM generate_series(1, %s) AS number",
        [REALM, row["module"], row["outcome"], row["reason"], count],
    )
    connection.commit()


def parked(connection: Connection[Any], count: int) -> None:
    connection.execute(
        "INSERT INTO sync.parked (realm, module, entity, id, field, target_module, target_entity,"
        " target_id, run_id) SELECT %s, 'accounts', 'Customer', number, 'parent_id', 'accounts',"
        " 'Customer', '7', 'run-1' FROM generate_series(1, %s) AS number",
        [REALM, count],
    )
    connection.commit()


def test_when_all_is_well_the_page_says_so(
    viewer: httpx.Client, connection: Connection[Any], company: Path
) -> None:
    do(connection, "UPDATE sync.run SET finished_at = now()")

    assert "All is well: nothing needs a person." in text(viewer.get("/quickbooks-crm/health"))


def test_the_most_urgent_comes_first(connection: Connection[Any], company: Path) -> None:
    held(connection, 2)
    do(connection, "UPDATE sync.token SET refresh_expires_at = now() + interval '3 days'")
    breakers.note(connection, Run("sample", REALM, "run-1"), FULL)
    connection.commit()

    assert found(connection, paused=["sample"]) == [
        ("STOPPED", "paused", ""),
        ("PARTLY", "breaker", "mass_delete:products"),
        ("SOON", "login_ends", ""),
        ("SOMETIME", "not_added", "products"),
    ]


@pytest.mark.parametrize("state", ["reconnect_needed", "disconnected"])
def test_a_login_that_is_over_stops_everything(
    connection: Connection[Any], company: Path, state: str
) -> None:
    do(connection, "UPDATE sync.token SET state = %s", state)

    assert found(connection) == [("STOPPED", "reconnect_needed", "")]


def test_a_company_that_was_never_connected_waits_for_that(
    connection: Connection[Any], company: Path
) -> None:
    do(connection, "DELETE FROM sync.token")

    assert found(connection) == [("STOPPED", "reconnect_needed", "")]


@pytest.mark.parametrize(("used", "urgency"), [(79, []), (80, ["SOON"]), (100, ["STOPPED"])])
def test_the_months_calls_are_told_before_they_are_gone(
    connection: Connection[Any], company: Path, used: int, urgency: list[str]
) -> None:
    do(connection, "UPDATE sync.run SET finished_at = now()")
    month = "date_trunc('month', now() AT TIME ZONE 'UTC')"
    for statement in (
        "INSERT INTO sync.budget (client_id, month, used, budget)"
        f" SELECT 'key', {month}, {used}, 100",
        "INSERT INTO sync.call (client_id, month, realm, run_id, purpose, calls, metered)"
        f" SELECT 'key', {month}, '{REALM}', 'run-1', 'Item', 1, 1",
    ):
        do(connection, statement)

    assert [each[0] for each in found(connection, now=datetime.now(UTC))] == urgency


def test_a_table_that_was_changed_so_that_a_mapping_no_longer_fits_is_told_with_the_module(
    connection: Connection[Any], company: Path
) -> None:
    do(connection, "ALTER TABLE crm.products DROP COLUMN price CASCADE")

    assert found(connection) == [("PARTLY", "mapping", "products")]


def test_a_column_that_became_mandatory_is_told_with_the_module(
    connection: Connection[Any], company: Path
) -> None:
    do(connection, "ALTER TABLE crm.products ADD COLUMN shelf text NOT NULL")

    assert found(connection) == [("PARTLY", "mapping", "products")]


@pytest.mark.parametrize("file", ["mappings/products.yaml", "companies/sample.yaml"])
def test_a_file_that_cannot_be_read_is_told(
    connection: Connection[Any], company: Path, file: str
) -> None:
    (company / file).write_text("wrong: true\n")

    [(urgency, code, _)] = found(connection)

    assert (urgency, code) == ("STOPPED", "settings")


def test_a_connection_that_is_not_complete_is_told(
    connection: Connection[Any], company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(connection, "DELETE FROM sync.token")
    leads_to(monkeypatch, "")

    assert ("STOPPED", "settings", "connection") in found(connection)


def test_references_that_are_open_are_counted(connection: Connection[Any], company: Path) -> None:
    parked(connection, 3)

    [concern] = health.concerns(connection, ["sample"], NOW)

    assert concern.title == "accounts: 3 references open"
    assert concern.since is not None


def test_a_very_long_list_is_not_counted_to_its_end(
    connection: Connection[Any], company: Path
) -> None:
    held(connection, 10_001)

    [concern] = health.concerns(connection, ["sample"], NOW)

    assert concern.title == "products: more than 10,000 records not added"


@pytest.mark.parametrize("reason", ["undone", "unlinked", "erased_on_request"])
def test_what_a_person_wanted_so_needs_none(
    connection: Connection[Any], company: Path, reason: str
) -> None:
    held(connection, 2, reason=reason)

    assert found(connection) == []


def test_the_last_sync_that_failed_says_why_and_where(
    connection: Connection[Any], company: Path
) -> None:
    error = {"code": "table_busy", "message": "Others hold crm.products."}
    ended = NOW - timedelta(minutes=5)
    started(
        connection,
        "run-2",
        state="failed",
        started_at=ended,
        finished_at=ended,
        errors={"products.load": error},
    )
    connection.commit()

    [concern] = health.concerns(connection, ["sample"], NOW)

    assert (concern.code, concern.says) == ("sync_failed", "Others hold crm.products.")
    assert concern.run == (REALM, "run-2")


def test_what_stopped_a_sync_is_told_once(connection: Connection[Any], company: Path) -> None:
    error = {"code": "reconnect_needed", "message": "QuickBooks has ended our login."}
    started(connection, "run-2", state="failed", started_at=NOW, errors={"extract": error})
    do(connection, "UPDATE sync.token SET state = 'reconnect_needed'")

    assert found(connection) == [("STOPPED", "reconnect_needed", "")]


def test_a_sync_that_went_well_since_settles_the_one_that_failed(
    connection: Connection[Any], company: Path
) -> None:
    earlier = NOW - timedelta(days=2)
    error = {"code": "table_busy", "message": "Others hold crm.products."}
    started(
        connection, "run-0", state="failed", started_at=earlier, errors={"products.load": error}
    )
    connection.commit()

    assert found(connection) == []


def hourly(company: Path) -> None:
    (company / "companies" / "sample.yaml").write_text(
        "name: Sample company\nquickbooks: quickbooks_sample\nschedule: '7 * * * *'\n"
        "modules: [products, accounts]\n"
    )


def codes(connection: Connection[Any], **given: Any) -> list[str]:
    return [code for _, code, _ in found(connection, **given)]


@pytest.mark.parametrize(("minutes", "told"), [(73, []), (75, ["overdue"])])
def test_an_hourly_sync_is_missed_when_two_should_have_begun_since(
    connection: Connection[Any], company: Path, minutes: int, told: list[str]
) -> None:
    """The last ended at 10:08, the next should have at 11:08: it is told soon after 12:07."""
    hourly(company)
    ended = datetime(2026, 1, 15, 10, 8, tzinfo=UTC)
    do(connection, "UPDATE sync.run SET finished_at = %s", ended)

    assert codes(connection, now=ended + timedelta(hours=1, minutes=minutes)) == told


@pytest.mark.parametrize(
    ("work", "told"), [(["products"], ["sync_failed"]), (None, ["overdue", "sync_failed"])]
)
def test_a_sync_that_read_quickbooks_is_none_that_is_missing_though_a_module_failed(
    connection: Connection[Any], company: Path, work: list[str] | None, told: list[str]
) -> None:
    hourly(company)
    do(connection, "UPDATE sync.run SET finished_at = %s", NOW - timedelta(hours=5))
    ended, error = NOW - timedelta(minutes=20), {"code": "table_busy", "message": "Others hold it."}
    lately = {"started_at": ended, "finished_at": ended}
    started(connection, "run-2", state="failed", work=work, errors={"a.load": error}, **lately)
    connection.commit()

    assert codes(connection) == told


@pytest.mark.parametrize("schedule", ["'@monthly'", "'@quarterly'", "null"])
def test_a_company_that_syncs_seldom_misses_nothing(
    connection: Connection[Any], company: Path, schedule: str
) -> None:
    (company / "companies" / "sample.yaml").write_text(
        f"name: Sample company\nquickbooks: quickbooks_sample\nschedule: {schedule}\n"
        "modules: [products, accounts]\n"
    )
    do(connection, "UPDATE sync.run SET finished_at = %s", NOW - timedelta(days=20))

    assert found(connection) == []


def ended_before(connection: Connection[Any], kind: str = "sync", **given: Any) -> None:
    """A company's last runs of a kind, each of which took as long and called as often."""
    took, runs = given.pop("took"), given.pop("runs", 10)
    for number in range(runs):
        began = NOW - timedelta(days=20 - number)
        what = {"kind": kind, "started_at": began, "finished_at": began + took, **given}
        started(connection, f"{kind}-{number}", **what)
        called(connection, f"{kind}-{number}", changes=1)
    connection.commit()


def working(connection: Connection[Any], kind: str = "sync", **given: Any) -> None:
    """A run that has been at work for so long, and called QuickBooks so often."""
    since, calls = NOW - given["at_work"], given.get("calls", 1)
    started(connection, "at-work", kind=kind, state="running", work=None, started_at=since)
    called(connection, "at-work", changes=calls)
    connection.commit()


SECONDS, MINUTE, HOUR = timedelta(seconds=5), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("usual", "at_work", "told"),
    [
        (20 * MINUTE, 39 * MINUTE, []),
        (20 * MINUTE, 41 * MINUTE, ["takes_long"]),
        (SECONDS, 14 * MINUTE, []),
        (SECONDS, 16 * MINUTE, ["takes_long"]),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "replay", "undo", "reconcile", "preview", "retry"])
def test_a_run_that_takes_twice_as_long_as_is_usual_is_told(
    connection: Connection[Any],
    company: Path,
    kind: str,
    usual: timedelta,
    at_work: timedelta,
    told: list[str],
) -> None:
    ended_before(connection, kind, took=usual)
    working(connection, kind, at_work=at_work)

    assert codes(connection) == told


def test_a_run_that_takes_long_is_told_with_what_to_do_and_leads_to_its_page(
    viewer: httpx.Client, connection: Connection[Any], company: Path
) -> None:
    ended_before(connection, "undo", took=SECONDS)
    working(connection, "undo", at_work=20 * MINUTE)

    [concern] = health.concerns(connection, ["sample"], NOW)

    assert (concern.urgency.name, concern.title) == ("PARTLY", "An undo takes longer than usual")
    assert concern.says.startswith(
        "Run at-work has been at work since 2026-01-15 11:40 UTC, and usually takes 5 s. "
    )
    assert "mark its run in Airflow as failed" in concern.says
    link = f'href="./runs/{REALM}/at-work"'
    assert link in viewer.get("/quickbooks-crm/health").text


@pytest.mark.parametrize(("hours", "told"), [(5, []), (7, ["takes_long"])])
@pytest.mark.parametrize("runs", [0, 2])
def test_of_a_first_sync_nobody_knows_what_is_usual(
    connection: Connection[Any], company: Path, runs: int, hours: int, told: list[str]
) -> None:
    do(connection, "DELETE FROM sync.run")
    ended_before(connection, took=SECONDS, runs=runs)
    working(connection, at_work=hours * HOUR)

    assert [code for code in codes(connection) if code != "overdue"] == told


@pytest.mark.parametrize(("hours", "told"), [(3, []), (5, ["takes_long"])])
def test_a_large_reconcile_is_measured_by_reconciles_drift_or_not(
    connection: Connection[Any], company: Path, hours: int, told: list[str]
) -> None:
    ended_before(connection, took=SECONDS)
    ended_before(connection, "reconcile", took=2 * HOUR, state="failed", work=[])
    working(connection, "reconcile", at_work=hours * HOUR)

    assert codes(connection) == told


@pytest.mark.parametrize(
    ("hours", "calls", "told"),
    [(1, 1, ["takes_long"]), (1, 100, []), (7, 1_000_000, ["takes_long"])],
)
def test_a_run_that_reads_more_than_is_usual_may_take_more_time_but_not_for_ever(
    connection: Connection[Any], company: Path, hours: int, calls: int, told: list[str]
) -> None:
    ended_before(connection, took=MINUTE)
    working(connection, at_work=hours * HOUR, calls=calls)

    assert codes(connection) == told


@pytest.mark.parametrize(
    "how",
    [
        {"state": "failed", "work": None},
        {"state": "failed", "errors": {"run": {"code": "run_silent", "message": "Nothing heard."}}},
    ],
)
def test_what_was_broken_off_is_not_what_is_usual(
    connection: Connection[Any], company: Path, how: dict[str, Any]
) -> None:
    ended_before(connection, "reconcile", took=SECONDS, **how)
    working(connection, "reconcile", at_work=HOUR)

    assert codes(connection) == []


def test_a_run_that_is_begun_again_is_at_work_since_then(
    connection: Connection[Any], company: Path
) -> None:
    ended_before(connection, took=SECONDS)
    working(connection, at_work=48 * HOUR)
    do(
        connection,
        "INSERT INTO sync.lease (realm, run_id, company, taken_at)"
        " VALUES (%s, 'at-work', 'sample', %s)",
        *(REALM, NOW - MINUTE),
    )

    assert codes(connection) == []


def test_a_run_that_waits_for_a_dag_that_is_switched_off_is_told_as_that(
    connection: Connection[Any], company: Path
) -> None:
    ended_before(connection, took=SECONDS)
    working(connection, at_work=HOUR)

    assert codes(connection, paused=["sample"]) == ["paused"]


@pytest.mark.parametrize(
    ("hours", "told"), [(1, []), (5, ["overdue", "takes_long"])], ids=["usual", "longer"]
)
def test_no_sync_is_missed_while_a_run_is_at_work_for_no_longer_than_usual(
    connection: Connection[Any], company: Path, hours: int, told: list[str]
) -> None:
    hourly(company)
    ended_before(connection, "reconcile", took=2 * HOUR)
    do(connection, "UPDATE sync.run SET finished_at = %s WHERE kind = 'sync'", NOW - 6 * HOUR)
    working(connection, "reconcile", at_work=hours * HOUR)

    assert codes(connection) == told


def test_a_company_without_a_schedule_may_be_paused(
    connection: Connection[Any], company: Path
) -> None:
    (company / "companies" / "sample.yaml").write_text(
        "name: Sample company\nquickbooks: quickbooks_sample\nschedule: null\n"
        "modules: [products, accounts]\n"
    )

    assert found(connection, paused=["sample"]) == []


def test_webhooks_that_fell_silent_are_told_when_there_were_changes(
    connection: Connection[Any], company: Path
) -> None:
    do(
        connection,
        "INSERT INTO sync.webhook_count (day, what, count, last_at)"
        " VALUES (current_date - 5, 'accepted', 9, now() - interval '5 days')",
    )
    before = found(connection)
    counted(connection, "run-1", "products", updated=1)
    do(connection, "UPDATE sync.run SET started_at = now()")

    assert before == []
    assert found(connection) == [("SOMETIME", "webhooks", "")]


def test_a_replay_that_is_due_is_begun_on_the_page_by_who_may_run(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connection: Connection[Any],
    company: Path,
) -> None:
    for statement in (
        "INSERT INTO sync.module_position (realm, module, generation, mapping_hash, target, run_id)"
        f" VALUES ('{REALM}', 'products', 1, 'an earlier one', 'crm.products', 'run-1')",
        "INSERT INTO sync.replay (realm, module, mapping_hash, run_id)"
        f" VALUES ('{REALM}', 'products', 'x', 'run-1')",
    ):
        do(connection, statement)
    told = found(connection)
    pages = {}
    for role in ("viewer", "user"):
        signed_in_as(role)
        pages[role] = anonymous.get("/quickbooks-crm/health").text

    assert told == [("SOMETIME", "replay", "products")]
    assert "python -m" not in pages["user"]
    assert 'data-start="correct_sample" data-then="corrections/sample/"' in pages["user"]
    assert "data-start" not in pages["viewer"]


def test_each_concern_leads_to_where_it_is_settled(
    viewer: httpx.Client, connection: Connection[Any], company: Path
) -> None:
    held(connection, 2)
    parked(connection, 1)
    counted(connection, "run-1", "products", not_added=2)
    do(connection, "UPDATE sync.token SET state = 'reconnect_needed'")
    do(connection, "ALTER TABLE crm.products DROP COLUMN price CASCADE")

    answer = viewer.get("/quickbooks-crm/health")

    links = re.findall(r'class="button" (?:data-airflow )?href="([^"]+)"', answer.text)
    assert links == [
        "./connections",
        "./import/sample/products",
        f"./runs/{REALM}/run-1/products?outcome=not_added",
        "./records/sample/accounts?wanted=waiting",
    ]
    answers = [viewer.get(f"/quickbooks-crm/{link}").status_code for link in links]
    assert answers == [200, 200, 200, 200]


def test_a_breaker_is_released_on_the_page_with_a_reason(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connection: Connection[Any],
    company: Path,
) -> None:
    breakers.note(connection, Run("sample", REALM, "run-1"), FULL)
    connection.commit()
    signed_in_as("user")
    shown = anonymous.get("/quickbooks-crm/health")
    asked = {"breaker": "mass_delete:products", "because": "the branch was closed"}
    asked |= {"run": "run-1"}

    empty = anonymous.post(RELEASE, headers=FROM_A_PAGE, json=asked | {"because": " "})
    done = anonymous.post(RELEASE, headers=FROM_A_PAGE, json=asked)
    again = anonymous.post(RELEASE, headers=FROM_A_PAGE, json=asked)

    assert "&lt;b&gt;products&lt;/b&gt;" in shown.text and "Release…" in shown.text
    assert (empty.status_code, list(empty.json()["fields"])) == (422, ["because"])
    assert done.json()["go"] == "health"
    assert again.status_code == 409
    connection.rollback()
    [breaker] = breakers.open_ones(connection, "sample")
    assert (breaker.released_by, breaker.because) == ("user", "the branch was closed")
    assert found(connection) == []


def test_what_a_breaker_has_become_since_somebody_looked_is_not_released(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connection: Connection[Any],
    company: Path,
) -> None:
    breakers.note(connection, Run("sample", REALM, "run-1"), FULL)
    connection.commit()
    signed_in_as("user")
    shown = anonymous.get("/quickbooks-crm/health").text
    more = replace(FULL, count=FULL.count * 10, message="Now all records are gone.")
    breakers.note(connection, Run("sample", REALM, "run-2"), more)
    connection.commit()
    asked = {"breaker": "mass_delete:products", "because": "it is right", "run": "run-1"}

    answer = anonymous.post(RELEASE, headers=FROM_A_PAGE, json=asked)

    assert '<input type="hidden" name="run" value="run-1">' in shown
    assert answer.status_code == 409
    assert "Now all records are gone." in answer.json()["message"]
    connection.rollback()
    assert [breaker.state for breaker in breakers.open_ones(connection, "sample")] == ["open"]


RELEASE = "/quickbooks-crm/health/sample/release"


def test_who_may_only_look_has_no_button_to_release(
    viewer: httpx.Client, connection: Connection[Any], company: Path
) -> None:
    breakers.note(connection, Run("sample", REALM, "run-1"), FULL)
    connection.commit()

    page = viewer.get("/quickbooks-crm/health").text

    assert "This looks like an accident" in page
    assert "<form" not in page and "<dialog" not in page


def test_every_list_of_the_page_is_read_by_an_index(
    connection: Connection[Any], company: Path
) -> None:
    """Of a million records held back that the mapping excludes, none is looked at."""
    held(connection, 20_000, outcome="excluded", reason="excluded_by_mapping")
    connection.execute("ANALYZE sync.held")
    plan = _plan(connection, "not_added") + _plan(connection, "waiting")

    assert "Seq Scan on held" not in plan and "Seq Scan on parked" not in plan
    assert "held_not_added" in plan


def _plan(connection: Connection[Any], name: str) -> str:
    where = {"realm": REALM, "modules": ["products"], "most": 10_001}
    asked = b"EXPLAIN " + statements("health")[name].as_string(connection).encode()
    return "\n".join(line for (line,) in connection.execute(asked, where).fetchall())


def test_a_company_with_a_file_that_nobody_can_read_keeps_no_other_from_being_told(
    connection: Connection[Any], company: Path
) -> None:
    (company / "companies" / "broken.yaml").write_text("wrong: true\n")
    held(connection, 1)

    told = health.concerns(connection, ["broken", "sample"], NOW)

    assert [(each.company, each.code) for each in told] == [
        ("broken", "settings"),
        ("sample", "not_added"),
    ]
