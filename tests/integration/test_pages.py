"""The Activity pages over HTTP, inside Airflow's own application and behind its login."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from quickbooks_crm import breakers
from quickbooks_crm.breakers import Danger
from quickbooks_crm.pages.unexpected import Unexpected
from quickbooks_crm.runs import Run
from tests.integration.runs import NOON, REALM, called, counted, ended, started

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

RUN = f"/quickbooks-crm/runs/{REALM}/run-1"


@pytest.mark.parametrize(
    "path", ["docs", "redoc", "openapi.json", "nothing", "assets/%2e%2e%2fapp.py"]
)
def test_there_is_nothing_but_the_pages(viewer: httpx.Client, path: str) -> None:
    assert viewer.get(f"/quickbooks-crm/{path}").status_code == 404


@pytest.mark.parametrize("bad", ["nonsense", "e30.e30.", ""])
def test_a_forged_token_opens_nothing(anonymous: httpx.Client, bad: str) -> None:
    anonymous.cookies.set("_token", bad)

    assert anonymous.get("/quickbooks-crm/activity").status_code in (401, 403)


def test_who_is_not_signed_in_any_more_is_told_how_to_be(anonymous: httpx.Client) -> None:
    """In Airflow's frame no link may lead to the login: Airflow would open in the frame."""
    framed = anonymous.get("/quickbooks-crm/activity", headers={"sec-fetch-dest": "iframe"}).text
    alone = anonymous.get("/quickbooks-crm/activity").text

    assert "Load this window again, and sign in." in framed
    assert "Sign in again</a>" not in framed
    assert '<a data-airflow href="./../">Sign in again</a>' in alone


def test_the_page_of_who_is_not_signed_in_looks_as_the_others_and_leads_nowhere_but_to_the_login(
    anonymous: httpx.Client,
) -> None:
    page = anonymous.get("/quickbooks-crm/runs/1/2")
    wanted = re.findall(r'(?:src|href)="(?:\.\./)+(assets/[^"]+)"', page.text)
    links = re.findall(r'<a [^>]*href="([^"]*)"', page.text)

    found = [anonymous.get(f"/quickbooks-crm/{asset}") for asset in wanted]

    assert page.status_code == 401
    assert {asset.status_code for asset in found} == {200}
    assert "assets/pages.css" in wanted
    assert links == ["../../../"]


def test_who_may_look_sees_the_runs(viewer: httpx.Client, connection: Connection[Any]) -> None:
    started(connection, "run-1", modules=["products", "contacts"], work=["products", "contacts"])
    counted(connection, "run-1", "products", added=1200, excluded=3)
    connection.commit()

    shown = _text(viewer.get("/quickbooks-crm/activity"))

    assert "products 1,203 read, 1,200 added, 3 excluded" in shown
    assert "contacts did not load" in shown


def test_a_run_shows_the_breakers_that_are_open(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1")
    connection.commit()
    danger = Danger("mass_delete", "products", 30, 40, "30 of 40 <b>vanished</b>.", {"name": "X"})
    breakers.note(connection, Run("sample", REALM, "run-0"), danger)
    connection.commit()

    page = viewer.get(RUN)

    assert "Open breakers" in page.text
    assert "30 of 40 &lt;b&gt;vanished&lt;/b&gt;." in page.text
    assert "release it on the page Health" in _text(page)
    assert "python -m" not in _text(page)


def test_a_token_in_the_header_is_as_good_as_the_cookie(
    anonymous: httpx.Client, token: Callable[[str], str]
) -> None:
    header = {"Authorization": f"Bearer {token('viewer')}"}

    assert anonymous.get("/quickbooks-crm/activity", headers=header).status_code == 200


def test_companies_whose_dag_one_may_not_read_are_not_there(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's simple login knows no rights by DAG, so its answer is narrowed here."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    def only_sample(self: object, *, dag_ids: set[str], **_: object) -> set[str]:
        return dag_ids & {"quickbooks_to_crm_sample"}

    monkeypatch.setattr(SimpleAuthManager, "filter_authorized_dag_ids", only_sample)
    started(connection, "run-1", company="sample")
    started(connection, "run-2", company="secret")
    connection.commit()

    assert "secret" not in viewer.get("/quickbooks-crm/activity").text
    assert viewer.get("/quickbooks-crm/activity?company=secret").status_code == 404
    assert viewer.get(f"/quickbooks-crm/runs/{REALM}/run-2").status_code == 404
    assert viewer.get(f"/quickbooks-crm/runs/{REALM}/run-2/products").status_code == 404
    assert viewer.get(RUN).status_code == 200


@pytest.mark.parametrize("path", ["", "assets/pages.css", "nothing"])
def test_every_answer_tells_the_browser_what_it_may_do(viewer: httpx.Client, path: str) -> None:
    headers = viewer.get(f"/quickbooks-crm/{path}").headers

    assert "unsafe" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_quickbooks_sent_cannot_become_part_of_the_page(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    hostile = "\u202e<script>alert(1)</script>"
    started(
        connection,
        "run-1",
        state="failed",
        started_by=hostile,
        errors={"extract": {"code": "quickbooks", "message": hostile}},
    )
    counted(connection, "run-1", "products", updated=1, duplicate=1)
    held = {"reason": hostile, "message": hostile, "collides_with": hostile}
    ended(connection, "run-1", "products", hostile, "duplicate", **held)
    images = {"before": {hostile: hostile}, "after": {hostile: hostile + hostile}}
    ended(connection, "run-1", "products", "8", "updated", **images)
    _mirrored(connection, "8", {"Name": hostile})
    connection.commit()

    for path in ["activity", f"runs/{REALM}/run-1", *(f"{_rows()}?outcome={o}" for o in _SHOWN)]:
        answer = viewer.get(f"/quickbooks-crm/{path}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


_SHOWN = ("duplicate", "updated")


def _rows() -> str:
    return f"runs/{REALM}/run-1/products"


def test_a_run_shows_its_counts_reasons_and_problems(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    error = {"code": "quickbooks_unavailable", "message": "QuickBooks does not answer."}
    started(connection, "run-1", state="failed", errors={"extract": error})
    called(connection, "run-1", Customer=7)
    counted(connection, "run-1", "products", updated=2, not_added=1, deactivated=1)
    ended(connection, "run-1", "products", "8", "not_added", reason="missing_required")
    connection.commit()

    shown = _text(viewer.get(RUN))

    assert "extract QuickBooks does not answer." in shown
    told = "1 of the updated newly inactive or merged away in QuickBooks"
    assert f"products {told} 3 0 2 0 0 1 0" in shown
    assert "products not added A required field is blank 1" in shown
    assert "7 API calls" in shown


def test_a_reconcile_shows_what_differs_and_its_totals(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1", kind="reconcile", state="failed", work=[])
    for statement in (
        "INSERT INTO sync.compared (realm, run_id, side, subject, method, source, target)"
        " VALUES (%s, 'run-1', 'quickbooks', 'Item', 'records', 2, 1)",
        "INSERT INTO sync.drift (realm, run_id, side, subject, entity, id, kind)"
        " VALUES (%s, 'run-1', 'quickbooks', 'Item', 'Item', '7', 'not_in_mirror')",
        "INSERT INTO sync.control_total (realm, run_id, side, subject, field, currency, source,"
        " target, held, held_records) VALUES (%s, 'run-1', 'quickbooks', 'Item', 'UnitPrice', '',"
        " 1234.5, 1000, 34.5, 1200)",
    ):
        connection.execute(statement, [REALM])
    connection.commit()

    answer = viewer.get(RUN)

    shown = _text(answer)
    assert "DRIFT: 1 record differs. Nothing is repaired unasked." in shown
    assert "To repair: start its DAG in Airflow again, with Repair what differs" in shown
    assert "Item: 2 in QuickBooks, 1 in the mirror (every record compared)" in shown
    assert "Item 1 In QuickBooks, but not in the mirror 7 no" in shown
    assert "Item.UnitPrice 1,234.50 34.50 (1,200) 0.00 1,000.00 -200.00" in shown
    assert any("dags/reconcile_sample/runs/run-1" in link for link in _links(answer))
    assert "Reconcile" in _text(viewer.get("/quickbooks-crm/activity"))


def test_a_run_links_to_its_airflow_run_by_a_relative_address(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "manual__2025-03-01T12:00:00+00:00")
    connection.commit()
    path = f"/quickbooks-crm/runs/{REALM}/manual__2025-03-01T12%3A00%3A00%2B00%3A00"

    links = _links(viewer.get(path))

    run = "dags/quickbooks_to_crm_sample/runs/manual__2025-03-01T12:00:00+00:00"
    assert f"../../../{run}" in links
    assert all(not link.startswith(("/", "http")) for link in links)


def test_a_quiet_run_says_so(viewer: httpx.Client, connection: Connection[Any]) -> None:
    started(connection, "run-1", work=[], finished_at=NOON + timedelta(seconds=4))
    called(connection, "run-1", changes=1)
    connection.commit()

    assert "Nothing changed in QuickBooks" in _text(viewer.get("/quickbooks-crm/activity"))
    assert "1 API call" in _text(viewer.get(RUN))


def test_rows_show_the_record_the_reason_and_what_they_collide_with(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", duplicate=1)
    held = {"reason": "ambiguous_key", "message": "Two records have it.", "collides_with": "4,5"}
    ended(connection, "run-1", "products", "8", "duplicate", **held)
    _mirrored(connection, "8", {"Name": "Garden hose"})
    connection.commit()

    shown = _text(viewer.get(f"{RUN}/products?outcome=duplicate"))

    assert (
        "Item 8 Garden hose The key fits more than one CRM record Two records have it. 4,5" in shown
    )


def test_updated_rows_show_what_changed_from_what_to_what(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", updated=1)
    images = {"before": '{"price": 10.10, "code": null}', "after": '{"price": 10.20, "code": "A"}'}
    ended(connection, "run-1", "products", "8", "updated", **images)
    connection.commit()

    shown = _text(viewer.get(f"{RUN}/products?outcome=updated"))

    assert "code blank → A" in shown
    assert "price 10.10 → 10.20" in shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("396.5000000", "396.50"),
        ("0.1234000", "0.1234"),
        ("25.0000000", "25.00"),
        ("-3.00", "-3.00"),
        ("1E+2", "100"),
        ("7", "7"),
        ("100", "100"),
    ],
)
def test_a_number_is_shown_without_the_zeros_of_its_column(stored: str, shown: str) -> None:
    from quickbooks_crm.pages.looks import value

    assert value(Decimal(stored)) == shown


def test_rows_page_on_to_the_last_one(viewer: httpx.Client, connection: Connection[Any]) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", excluded=250)
    for number in range(250):
        ended(connection, "run-1", "products", f"{number:03}", "excluded", reason="category")
    connection.commit()

    seen, path = [], f"{RUN}/products?outcome=excluded"
    while path:
        answer = viewer.get(path)
        seen += re.findall(r"<bdi>(\d{3})</bdi>", answer.text)
        path = _next(answer)

    assert seen == [f"{number:03}" for number in range(250)]


def test_the_list_of_runs_pages_on_within_the_company(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    for number in range(60):
        at = NOON + timedelta(minutes=number)
        started(connection, f"run-{number:02}", started_at=at, state="failed")
        started(connection, f"other-{number:02}", started_at=at, company="other")
    connection.commit()

    first = viewer.get(_LIST)
    second = viewer.get(_next(first))

    numbers = re.findall(r"runs/\d+/(\w+-\d+)", first.text + second.text)
    assert numbers == [f"run-{number:02}" for number in reversed(range(60))]
    assert "There are no older runs" in viewer.get(f"{_LIST}&before={REALM}/run-00").text


_LIST = "/quickbooks-crm/activity?company=sample"


def test_before_the_first_run_the_page_says_what_will_be_here(viewer: httpx.Client) -> None:
    assert "Nothing has run yet" in _text(viewer.get("/quickbooks-crm/activity"))


@pytest.mark.parametrize(
    "path",
    [
        f"runs/{REALM}/never",
        f"runs/{REALM}/never/products",
        f"runs/{REALM}/run-1/never",
        f"runs/{REALM}/run-1/products?outcome=lost",
        "runs/%00/%00",
        "activity?company=never",
    ],
)
def test_what_is_not_there_is_not_found(
    viewer: httpx.Client, connection: Connection[Any], path: str
) -> None:
    started(connection, "run-1")
    counted(connection, "run-1", "products", added=1)
    connection.commit()

    assert viewer.get(f"/quickbooks-crm/{path}").status_code == 404


def test_a_database_without_the_tables_is_explained(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    connection.execute("DROP SCHEMA sync CASCADE")
    connection.commit()

    answer = viewer.get("/quickbooks-crm/activity")

    assert answer.status_code == 503
    assert "python -m quickbooks_crm migrate" in _text(answer)


def test_a_database_that_is_down_is_told_and_names_no_host(
    viewer: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", "postgresql://keeper:sesame@127.0.0.1:1/crm")

    answer = viewer.get("/quickbooks-crm/activity")

    assert answer.status_code == 503
    assert "The CRM database does not answer" in _text(answer)
    assert "keeper" not in answer.text and "sesame" not in answer.text


def test_a_missing_connection_is_told_by_its_name(
    viewer: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CRM")

    answer = viewer.get("/quickbooks-crm/activity")

    assert answer.status_code == 503
    assert "connection 'crm'" in _text(answer)


def test_reading_cannot_write(crm: str) -> None:
    from quickbooks_crm.pages.reaching import reading

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), reading() as connection:
        connection.execute("DELETE FROM sync.run")


def _mirrored(connection: Connection[Any], id: str, payload: dict[str, str]) -> None:
    connection.execute(
        "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
        " VALUES (%s, 'Item', %s, 0, 1, %s)",
        [REALM, id, Jsonb(payload)],
    )


def _text(answer: httpx.Response) -> str:
    """What a person reads of a page, on one line."""
    from html import unescape

    body = answer.text.partition("<main>")[2]
    text = unescape(re.sub(r"<[^>]*>", " ", body))
    return re.sub(r"\s+", " ", text).replace(" ,", ",")


def _links(answer: httpx.Response) -> list[str]:
    return re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)


def _next(answer: httpx.Response) -> str:
    found = re.search(r'rel="next" href="([^"]*)"', answer.text)
    return str(answer.url.join(found[1].replace("&amp;", "&"))) if found else ""


# What nobody has thought of


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that fails with words that hold customer data."""
    from quickbooks_crm import overview

    def fail(*_: object) -> None:
        raise psycopg.errors.UniqueViolation("Key (name)=(Acme Ltd) already exists")

    monkeypatch.setattr(overview, "at_a_glance", fail)


def test_what_fails_unexpectedly_is_told_by_a_page_with_a_reference_that_the_log_has(
    viewer: httpx.Client, broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = viewer.get("/quickbooks-crm/import")

    [line] = [r for r in caplog.records if r.name == "quickbooks_crm.pages.unexpected"]
    [reference] = re.findall(r"Reference ([0-9a-f]{8}): /import failed with", line.getMessage())
    assert answer.status_code == 500
    assert f"the reference {reference} : the log" in _text(answer)
    assert "UniqueViolation" in line.getMessage()
    assert "Acme" not in line.getMessage() + answer.text + str(line.exc_info)
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_who_goes_before_the_question_is_asked_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def goes() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def hears(message: object) -> None:
        raise AssertionError(f"nobody is there to hear {message}")

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    asyncio.run(Unexpected(asked)({"type": "http"}, goes, hears))

    assert [r for r in caplog.records if r.name == "quickbooks_crm.pages.unexpected"] == []


def test_who_asks_for_json_is_told_in_json(viewer: httpx.Client, broken: None) -> None:
    answer = viewer.get("/quickbooks-crm/import", headers={"accept": "application/json"})

    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Something went wrong here")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.errors.LockNotAvailable, "is changing the same at this moment"),
        (psycopg.errors.QueryCanceled, "takes too long to answer"),
        (psycopg.OperationalError, "does not answer"),
    ],
)
def test_a_failure_of_the_database_is_told_as_what_it_is(
    viewer: httpx.Client, monkeypatch: pytest.MonkeyPatch, error: type[Exception], said: str
) -> None:
    from quickbooks_crm import overview

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(overview, "at_a_glance", fail)
    answer = viewer.get("/quickbooks-crm/import")

    assert (answer.status_code, said in _text(answer)) == (503, True)
