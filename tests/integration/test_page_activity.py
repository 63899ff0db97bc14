"""The Activity pages over HTTP: which runs are listed, and which records, also as a file."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm import finding
from tests.integration.runs import NOON, REALM, counted, ended, started
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

LIST = "/quickbooks-crm/activity"
ROWS = f"/quickbooks-crm/runs/{REALM}/run-1/products"
CSV = f"/quickbooks-crm/csv/{REALM}/run-1"


@pytest.fixture
def several(connection: Connection[Any]) -> None:
    """A run of each sort, an hour apart."""
    sorts: dict[str, dict[str, Any]] = {
        "scheduled": {"trigger": "scheduled", "started_by": None},
        "failed": {"state": "failed", "started_by": "Anna Acker"},
        "preview": {"kind": "preview", "work": ["contacts"]},
        "other": {"company": "other", "started_at": NOON + timedelta(days=2)},
    }
    for hour, (run_id, sort) in enumerate(sorts.items()):
        started(connection, run_id, **{"started_at": NOON + timedelta(hours=hour)} | sort)
    connection.commit()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("", ["other", "preview", "failed", "scheduled"]),
        ("company=other", ["other"]),
        ("kind=preview", ["preview"]),
        ("state=failed", ["failed"]),
        ("module=contacts", ["preview"]),
        ("who=anna", ["failed"]),
        ("who=sched", ["scheduled"]),
        ("who=The+schedule", ["scheduled"]),
        ("from=2025-03-02", ["other"]),
        ("to=2025-03-01&kind=sync", ["failed", "scheduled"]),
        ("from=2025-03-01&to=2025-03-01&state=success", ["preview", "scheduled"]),
        ("company=&kind=&state=&module=&who=&from=&to=", None),
        ("kind=undo", []),
    ],
)
def test_the_list_is_narrowed_to_what_is_asked_for(
    viewer: httpx.Client, several: None, asked: str, shown: list[str] | None
) -> None:
    answer = viewer.get(f"{LIST}?{asked}")

    every = ["other", "preview", "failed", "scheduled"]
    assert re.findall(r"runs/\d+/([\w-]+)\"", answer.text) == (every if shown is None else shown)


def test_what_was_asked_for_stays_in_the_form_and_on_the_next_page(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    for number in range(51):
        started(connection, f"run-{number}", started_at=NOON + timedelta(minutes=number))
    connection.commit()

    page = viewer.get(f"{LIST}?who=adm&from=2025-03-01")

    assert 'name="who" value="adm"' in page.text
    [older] = re.findall(r'rel="next" href="([^"]*)"', page.text)
    assert "who=adm&amp;from=2025-03-01&amp;before=" in older


def test_a_list_that_is_narrowed_to_nothing_says_so(viewer: httpx.Client, several: None) -> None:
    assert "No run is like that." in viewer.get(f"{LIST}?kind=undo").text


@pytest.mark.parametrize("asked", ["from=yesterday", "to=2025-02-30"])
def test_a_day_that_is_none_is_no_page(viewer: httpx.Client, several: None, asked: str) -> None:
    assert viewer.get(f"{LIST}?{asked}").status_code == 404


@pytest.mark.parametrize(
    ("kind", "ended", "said"),
    [
        ("undo", {"updated": 2}, "Undone. Products: 2 read, 2 updated."),
        ("replay", {"updated": 2}, "Brought to the mappings. Products: 2 read, 2 updated."),
        ("retry", {"added": 1}, "Tried again. Products: 1 read, 1 added."),
    ],
)
def test_what_was_put_right_is_said_on_top(
    viewer: httpx.Client, connection: Connection[Any], kind: str, ended: dict[str, int], said: str
) -> None:
    started(connection, "run-1", kind=kind)
    counted(connection, "run-1", "products", **ended)
    connection.commit()

    assert said in text_of(viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1"))


def test_the_list_and_the_run_tell_in_which_mode_each_module_was_loaded(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1", modules=["products", "accounts"])
    counted(connection, "run-1", "products", added=2, mode="create")
    counted(connection, "run-1", "accounts", duplicate=3, mode="ignore")
    connection.commit()

    listed = text_of(viewer.get(LIST))
    run = text_of(viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1"))

    assert "products 2 read, 2 added" in listed and " create, ignore admin" in listed
    assert "products 2 2 0 0 0 0 0 create" in run
    assert "accounts 3 0 0 0 3 0 0 ignore" in run


@pytest.fixture
def held(connection: Connection[Any]) -> None:
    """A run that has not added three records, for two reasons."""
    started(connection, "run-1")
    counted(connection, "run-1", "products", not_added=3)
    for id, name, reason in (
        ("7", "Garden hose", "missing_required"),
        ("8", "Big garden fork", "invalid_value"),
        ("9", "Spade 7", "invalid_value"),
    ):
        ended(connection, "run-1", "products", id, "not_added", reason=reason)
        _mirrored(connection, id, name)
    connection.commit()


@pytest.fixture
def noted(held: None, connection: Connection[Any]) -> None:
    """Notes on two of the three."""
    notes = [{"label": "Owner", "value": "u1", "rule": "is nobody"}, {"label": "X", "rule": "is y"}]
    connection.execute(
        "UPDATE sync.outcome SET details = %s WHERE id IN ('7', '9')", [Jsonb({"notes": notes})]
    )
    connection.commit()


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [
        ("GARDEN", "", ["7", "8"]),
        ("garden", "&reason=invalid_value", ["8"]),
        ("7", "", ["7"]),
        ("8", "&reason=missing_required", []),
        ("", "&reason=invalid_value", ["8", "9"]),
        ("", "&noted=yes", ["7", "9"]),
        ("", "&noted=", ["7", "8", "9"]),
        ("", "&noted=yes&reason=invalid_value", ["9"]),
        ("garden", "&noted=yes", ["7"]),
        ("9", "&noted=yes", ["9"]),
        ("8", "&noted=yes", []),
        ("%", "", []),
    ],
)
def test_records_are_found_by_id_name_reason_and_notes(
    viewer: httpx.Client, held: None, noted: None, text: str, asked: str, found: list[str]
) -> None:
    answer = viewer.get(f"{ROWS}?outcome=not_added{asked}", headers={"sought": text})

    assert re.findall(r"Item</span> <bdi>(\d+)</bdi>", answer.text) == found


def test_a_run_leads_to_its_records_with_notes_and_these_to_a_file(
    viewer: httpx.Client, noted: None, connection: Connection[Any]
) -> None:
    run = viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1")
    [way] = re.findall(r'href="([^"]*noted=yes)">2</a>', run.text)
    records = viewer.get(str(run.url.join(way.replace("&amp;", "&"))))
    [file] = re.findall(r'download href="([^"]*)"', records.text)

    lines = _lines(viewer.get(str(records.url.join(file.replace("&amp;", "&")))))

    assert "Owner 'u1' is nobody. X is y. " in text_of(records)
    assert '<option value="yes" selected>only with notes (2)</option>' in records.text
    told = [(line["QuickBooks id"], line["Also told"]) for line in lines]
    assert told == [
        ("7", "Owner 'u1' is nobody.\nX is y."),
        ("9", "Owner 'u1' is nobody.\nX is y."),
    ]


@pytest.mark.parametrize(
    ("part", "text", "found"),
    [({"PAGE": 1}, "", "Garden hose"), ({"PATIENCE": 0, "WINDOW": 1}, "spade", "Nothing found")],
)
def test_a_list_or_search_of_records_with_notes_goes_on_among_these(
    viewer: httpx.Client,
    noted: None,
    monkeypatch: pytest.MonkeyPatch,
    part: dict[str, int],
    text: str,
    found: str,
) -> None:
    for name, value in part.items():
        monkeypatch.setattr(finding, name, value)
    first = viewer.get(f"{ROWS}?noted=yes", headers={"sought": text})
    [on] = re.findall(r'rel="next"[^>]* href="([^"]*)"', first.text)

    second = viewer.get(str(first.url.join(on.replace("&amp;", "&"))), headers={"sought": text})

    assert found in first.text and "fork" not in first.text
    assert "Spade 7" in second.text and "fork" not in second.text


def test_where_no_record_has_notes_nothing_is_said_of_them(
    viewer: httpx.Client, held: None
) -> None:
    answers = [viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1"), viewer.get(ROWS)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer for answer in answers if "with notes" in answer.text] == []


def test_records_that_are_no_longer_kept_are_told_as_such(
    viewer: httpx.Client, noted: None, connection: Connection[Any]
) -> None:
    connection.execute("DELETE FROM sync.outcome")
    connection.execute("UPDATE sync.run SET emptied_at = now()")
    connection.commit()

    assert "is no longer kept" in viewer.get(f"{ROWS}?noted=yes").text


def test_what_is_found_by_its_id_can_be_looked_for_in_names_too(
    viewer: httpx.Client, held: None
) -> None:
    sought = {"sought": "7"}
    found = viewer.get(f"{ROWS}?outcome=not_added", headers=sought)
    [on] = re.findall(r'rel="next" href="([^"]*)"', found.text)

    named = viewer.get(str(found.url.join(on.replace("&amp;", "&"))), headers=sought)

    assert "Found by the QuickBooks id." in found.text
    assert "Spade 7" in named.text and "Garden hose" not in named.text


def test_a_search_beyond_ascii_is_understood(
    viewer: httpx.Client, held: None, connection: Connection[Any]
) -> None:
    connection.execute('UPDATE quickbooks.record SET payload = \'{"Name": "Gießkanne"}\'')
    connection.commit()

    answer = viewer.get(f"{ROWS}?outcome=not_added", headers={"sought": "gie%C3%9Fk"})

    assert "Gießkanne" in answer.text


def test_the_text_of_a_search_stands_in_no_address(viewer: httpx.Client, held: None) -> None:
    """Addresses are logged, and the text may be a customer's name."""
    page = viewer.get(f"{ROWS}?outcome=not_added", headers={"sought": "garden"}).text

    form = page[page.index("<form") : page.index("</form>")]
    assert re.findall(r'name="(\w+)"', form) == ["outcome", "reason"]
    assert "garden" not in " ".join(re.findall(r'(?:href|action)="([^"]*)"', page))


def test_what_nobody_finds_is_told(viewer: httpx.Client, held: None) -> None:
    page = viewer.get(f"{ROWS}?outcome=not_added", headers={"sought": "rake"}).text

    assert "No record that is not added is like that." in page


def test_a_file_has_a_line_for_each_record_of_an_outcome(viewer: httpx.Client, held: None) -> None:
    answer = viewer.get(f"{CSV}?module=products&outcome=not_added")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = "sample-20250301-1200-products-not_added.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content.startswith(b"\xef\xbb\xbfCompany,Run,")
    assert _lines(answer)[0] == {
        **{"Company": "sample", "Run": "run-1", "Module": "products", "Outcome": "not added"},
        **{"Entity": "Item", "QuickBooks id": "7", "Name": "Garden hose"},
        **{"Reason": "missing_required", "Why": "a required field is blank"},
        **{"Message": "The record 7 is not_added.", "Also told": ""},
        **{"CRM record": "", "Collides with": "", "Changed fields": ""},
    }
    assert [line["QuickBooks id"] for line in _lines(answer)] == ["7", "8", "9"]


def test_a_file_may_be_of_one_reason_or_of_everything_a_run_did(
    viewer: httpx.Client, held: None, connection: Connection[Any]
) -> None:
    counted(connection, "run-1", "accounts", updated=1)
    images = {"before": '{"name": "A", "vip": true}', "after": '{"name": "B", "vip": null}'}
    ended(connection, "run-1", "accounts", "1", "updated", entity="Customer", **images)
    connection.commit()

    one = _lines(viewer.get(f"{CSV}?reason=invalid_value"))
    every = _lines(viewer.get(CSV))

    assert [line["QuickBooks id"] for line in one] == ["8", "9"]
    assert sorted(line["QuickBooks id"] for line in every) == ["1", "7", "8", "9"]
    [updated] = [line for line in every if line["Outcome"] == "updated"]
    assert updated["Changed fields"] == "vip true → nothing\nname A → B"


@pytest.mark.parametrize(
    "asked", ["reason=%00", "reason=nonsense", "outcome=nonsense", "module=%00", "noted=no"]
)
def test_a_file_of_what_cannot_be_is_refused_before_it_begins(
    viewer: httpx.Client, held: None, asked: str
) -> None:
    assert viewer.get(f"{CSV}?{asked}").status_code == 404


def test_a_file_is_read_piece_by_piece_to_its_last_line(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from quickbooks_crm.pages import activity

    monkeypatch.setattr(activity, "AT_A_TIME", 2)
    started(connection, "run-1")
    counted(connection, "run-1", "products", excluded=5)
    for number in range(5):
        ended(connection, "run-1", "products", f"{number}", "excluded", reason="x")
    connection.commit()

    lines = _lines(viewer.get(f"{CSV}?outcome=excluded"))

    assert [line["QuickBooks id"] for line in lines] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil","x")', "+1", "-1", "@x", "\tx", "＝1"])
def test_a_name_in_a_file_never_becomes_a_formula(
    viewer: httpx.Client, held: None, connection: Connection[Any], name: str
) -> None:
    connection.execute("UPDATE quickbooks.record SET payload = %s", [Jsonb({"Name": name})])
    connection.commit()

    lines = _lines(viewer.get(f"{CSV}?outcome=not_added"))

    assert {line["Name"] for line in lines} == {f"'{name}"}


def test_quotes_commas_and_line_ends_are_written_as_the_standard_says(
    viewer: httpx.Client, held: None, connection: Connection[Any]
) -> None:
    name = 'A "quoted", long\r\nname'
    connection.execute("UPDATE quickbooks.record SET payload = %s", [Jsonb({"Name": name})])
    connection.commit()

    answer = viewer.get(f"{CSV}?outcome=not_added")

    assert b'"A ""quoted"", long\r\nname"' in answer.content
    assert {line["Name"] for line in _lines(answer)} == {name}


@pytest.mark.parametrize("asked", ["module=never", "outcome=lost"])
def test_there_is_no_file_of_what_is_not_there(
    viewer: httpx.Client, held: None, asked: str
) -> None:
    assert viewer.get(f"{CSV}?{asked}").status_code == 404


def _lines(answer: httpx.Response) -> list[dict[str, str]]:
    """What a spreadsheet reads."""
    text = io.StringIO(answer.content.decode("utf-8-sig"), newline="")
    return list(csv.DictReader(text, strict=True))


def _mirrored(connection: Connection[Any], id: str, name: str) -> None:
    connection.execute(
        "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
        " VALUES (%s, 'Item', %s, 0, 1, %s)",
        [REALM, id, Jsonb({"Name": name})],
    )


# From Airflow's own pages and back


@pytest.mark.parametrize("dag", ["quickbooks_to_crm_sample", "preview_sample", "correct_sample"])
def test_airflows_page_of_a_run_leads_to_its_activity(
    viewer: httpx.Client, connection: Connection[Any], dag: str
) -> None:
    started(connection, "manual__2025-03-01T12:00:00+00:00")
    connection.commit()

    answer = viewer.get(f"/quickbooks-crm/airflow/{dag}/manual__2025-03-01T12%3A00%3A00%2B00%3A00")

    way = str(answer.url.join(answer.headers["location"]))
    assert way.endswith(f"/quickbooks-crm/runs/{REALM}/manual__2025-03-01T12:00:00+00:00")
    assert viewer.get(way).status_code == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("somebodys_dag/run-1", "This run is of no company here"),
        ("quickbooks_to_crm_never/run-1", "This run is of no company here"),
        ("quickbooks_to_crm_sample/run-1", "Nothing is known of this run yet"),
    ],
)
def test_a_run_that_is_not_known_here_says_so(viewer: httpx.Client, path: str, said: str) -> None:
    answer = viewer.get(f"/quickbooks-crm/airflow/{path}")

    assert (answer.status_code, said in answer.text) == (404, True)


def test_a_run_of_a_company_that_one_may_not_see_is_not_told(
    viewer: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    started(connection, "run-1")
    connection.commit()
    monkeypatch.setattr(SimpleAuthManager, "filter_authorized_dag_ids", lambda *_, **__: set())

    answer = viewer.get("/quickbooks-crm/airflow/quickbooks_to_crm_sample/run-1")

    assert "This run is of no company here" in answer.text


def test_a_run_leads_to_its_tasks_in_airflow(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    error = {"code": "quickbooks_unavailable", "message": "QuickBooks does not answer."}
    started(connection, "run-1", state="failed", errors={"extract": error, "run": error})
    counted(connection, "run-1", "products", added=1)
    connection.commit()

    page = viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1").text

    tasks = re.findall(r"dags/quickbooks_to_crm_sample/runs/run-1/tasks/([^\"]+)\"", page)
    assert tasks == ["extract", "products.load", "extract"]
