"""The page that follows a run from its start: over HTTP, inside Airflow's own application."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm import companies, mapping, runs
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.airflows_runs import airflow_has, none_left
from tests.integration.runs import REALM, counted, ended, started
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

PAGE = "/quickbooks-crm/started/sample/run-1"
PREVIEW, SYNC = "preview_sample", "quickbooks_to_crm_sample"


@pytest.fixture(autouse=True)
def tidied(web: object) -> Iterator[None]:
    with none_left():
        yield


def test_a_run_that_waits_for_its_turn_says_so_and_looks_again(viewer: httpx.Client) -> None:
    airflow_has(SYNC, "run-1")

    page = viewer.get(PAGE)

    assert "It waits for its turn in Airflow" in text_of(page)
    assert 'data-again="2"' in page.text


def test_a_run_of_a_dag_that_is_switched_off_says_so_and_can_be_switched_on(
    viewer: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    airflow_has(PREVIEW, "run-1", paused=True)

    seen = viewer.get(PAGE)
    signed_in_as("user")
    may = viewer.get(PAGE)

    assert "preview_sample is switched off in Airflow" in text_of(seen)
    assert "data-unpause" not in seen.text
    assert 'data-unpause="preview_sample"' in may.text


def test_a_run_that_broke_before_its_first_task_has_failed(viewer: httpx.Client) -> None:
    airflow_has(SYNC, "run-1", "failed")

    page = viewer.get(PAGE)

    assert "The import has failed" in text_of(page)
    assert "data-again" not in page.text


def test_a_run_at_work_shows_what_is_brought_in_and_what_waits(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(SYNC, "run-1", "running")
    modules = ["products", "accounts", "contacts"]
    started(connection, "run-1", state="running", modules=modules, work=modules)
    counted(connection, "run-1", "products", added=12)
    connection.execute(
        "INSERT INTO sync.stage (realm, run_id, module, generation, rows, checksum)"
        " VALUES (%s, 'run-1', 'accounts', 1, 1234, 0)",
        [REALM],
    )
    connection.commit()

    page = viewer.get(PAGE)

    shown = text_of(page)
    assert "products 12 12 0 0 0 0 0" in shown
    assert "accounts being brought in: 1,234 rows" in shown
    assert "contacts not yet loaded" in shown
    assert 'data-again="2"' in page.text


def test_a_run_that_reads_shows_how_much_it_has_read(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(SYNC, "run-1", "running")
    started(connection, "run-1", state="running", modules=[], work=None)
    _settled(connection, "run-1", ["products"])
    connection.execute("INSERT INTO sync.generation (realm, run_id) VALUES (%s, 'run-1')", [REALM])
    connection.execute(
        "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
        " SELECT %s, 'Item', n::text, 0, max(generation), '{}'"
        " FROM sync.generation, generate_series(1, 7) AS n GROUP BY n",
        [REALM],
    )
    connection.commit()

    assert "QuickBooks is being read. Read so far: 7 Item" in text_of(viewer.get(PAGE))


def test_an_import_that_went_well_names_its_counts_and_leads_on(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(SYNC, "run-1", "success")
    started(connection, "run-1")
    counted(connection, "run-1", "products", added=1200, excluded=3)
    connection.commit()

    page = viewer.get(PAGE)

    shown = text_of(page)
    assert "Imported. Products: 1,203 read, 1,200 added, 3 excluded" in shown
    assert f'href="../../runs/{REALM}/run-1"' in page.text
    assert f'href="../../runs/{REALM}/run-1/products?outcome=added"' in page.text
    assert "data-again" not in page.text


def test_an_import_that_failed_says_why_in_words(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(SYNC, "run-1", "failed")
    error = {"code": "quickbooks_unavailable", "message": "QuickBooks does not answer."}
    started(connection, "run-1", state="failed", work=None, errors={"extract": error})
    connection.commit()

    shown = text_of(viewer.get(PAGE))

    assert "The import has failed" in shown
    assert "QuickBooks does not answer." in shown


def test_a_run_whose_process_was_killed_has_failed_though_nothing_says_so(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(SYNC, "run-1", "failed")
    started(connection, "run-1", state="running")
    connection.commit()

    assert "The import has failed" in text_of(viewer.get(PAGE))


def test_a_preview_asks_with_counts_settings_and_rows_from_before_to_after(
    viewer: httpx.Client, connection: Connection[Any], signed_in_as: Callable[[str], None]
) -> None:
    signed_in_as("user")
    _asking(connection)

    page = viewer.get(PAGE)

    shown = text_of(page)
    assert "Nothing has been changed yet" in shown
    assert "Mode Create new records and merge to existing" in shown
    assert "Key field QuickBooks product id" in shown
    assert "Check fields Product name" in shown
    assert "Sub-customers and jobs Accounts of their own" in shown
    assert "Price 10.10 → 10.20" in shown
    assert "and 1 more" in shown
    assert 'data-answer="Yes"' in page.text and 'data-answer="No"' in page.text


@pytest.mark.parametrize(
    ("says", "separator", "keywords", "owners"),
    [
        (
            "separator: '|', unknown_keywords: ignore, unknown_owner: default_owner",
            "| (a bar)",
            "Leave them out; Product type: add them to the list; Category: add them to the list",
            "Give the record to the default owner",
        ),
        (
            "separator: ';', unknown_keywords: insert, unknown_owner: reject",
            "; (a semicolon)",
            "Add them to the list",
            "Do not add the record",
        ),
    ],
)
def test_a_preview_asks_with_separator_and_what_becomes_of_unknown_keywords_and_owners(
    viewer: httpx.Client,
    connection: Connection[Any],
    says: str,
    separator: str,
    keywords: str,
    owners: str,
) -> None:
    _asking(connection, of=_products(says))

    shown = text_of(viewer.get(PAGE))

    assert (
        f"Separator of keywords {separator} Keywords that are not on the list {keywords} "
        f"Owners that are not known {owners} "
    ) in shown


def test_a_preview_asks_with_what_becomes_of_unknown_keywords_in_lines_of_documents(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    file = companies.INCLUDE / "mappings" / "invoices.yaml"
    own = file.read_text().replace("{from: Description}", "{from: Description, keywords: insert}")
    known = mapping.load(companies.INCLUDE / "mappings")
    known = parse_all({module: each.text for module, each in known.items()} | {"invoices": own})
    airflow_has(PREVIEW, "run-1", "running", asks=True)
    started(connection, "run-1", kind="preview")
    _settled(connection, "run-1", ["invoices"], known)
    counted(connection, "run-1", "invoices", added=1)
    connection.commit()

    assert (
        "Keywords that are not on the list Leave them out; "
        "Description of the lines: add them to the list"
    ) in text_of(viewer.get(PAGE))


def test_the_question_and_the_run_say_whose_older_records_follow_a_changed_mapping(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    _asking(connection, whole=["products"])

    asked, run = viewer.get(PAGE), viewer.get(f"/quickbooks-crm/runs/{REALM}/run-1")

    assert "Older records brought to the mapping, too" in text_of(asked)
    assert "Older records would be brought to the changed mapping, too: products" in text_of(run)


def test_the_records_behind_the_question_are_told_by_the_same_labels(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    _asking(connection)
    rows = f"/quickbooks-crm/runs/{REALM}/run-1/products?outcome=updated"

    labelled = text_of(viewer.get(rows))
    connection.execute("UPDATE sync.run SET mappings = '{}'")
    connection.commit()

    assert "Price 10.10 → 10.20" in labelled
    assert "price 10.10 → 10.20" in text_of(viewer.get(rows)), "where its mapping is not kept"


@pytest.mark.parametrize(
    ("way", "current"),
    [
        ("", "Start"),
        ("started/sample/run-1", "Import"),
        (f"runs/{REALM}/run-2/products", "Activity"),
        ("charts/sample", "Activity"),
        ("corrections/sample/run-3", "Activity"),
        ("callback", "Connections"),
    ],
)
def test_every_page_stands_below_an_entry_of_the_navigation(
    viewer: httpx.Client, connection: Connection[Any], way: str, current: str
) -> None:
    _asking(connection)
    started(connection, "run-2", trigger="operator_triggered", previewed="run-1")
    counted(connection, "run-2", "products", not_added=1)
    started(connection, "run-3", kind="preview", rehearses="replay")
    connection.commit()

    page = viewer.get(f"/quickbooks-crm/{way}").text.partition("</nav>")[0]

    assert re.findall(r'aria-current="page">(\w+)<', page) == [current]


def test_a_run_says_in_words_what_has_begun_it(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-2", trigger="operator_triggered", previewed="run-1")
    connection.commit()

    assert "Started by admin, a Yes" in text_of(viewer.get(f"/quickbooks-crm/runs/{REALM}/run-2"))
    assert "admin, a Yes" in text_of(viewer.get("/quickbooks-crm/activity"))


def test_who_may_not_start_runs_cannot_answer(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    _asking(connection)

    page = viewer.get(PAGE)

    assert "Somebody who may start runs has to answer" in text_of(page)
    assert "data-answer" not in page.text


def test_what_a_preview_shows_of_quickbooks_cannot_become_part_of_the_page(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    hostile = "\u202e<script>alert(1)</script>"
    airflow_has(PREVIEW, "run-1", "running", asks=True)
    started(connection, "run-1", kind="preview", started_by=hostile)
    _settled(connection, "run-1", ["products"])
    counted(connection, "run-1", "products", added=1, not_added=1)
    ended(connection, "run-1", "products", "8", "added", after={"name": hostile})
    ended(connection, "run-1", "products", "9", "not_added", reason=hostile, message=hostile)
    connection.commit()

    page = viewer.get(PAGE)

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_a_no_says_that_nothing_was_changed(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success", answer="No")
    started(connection, "run-1", kind="preview")
    counted(connection, "run-1", "products", added=1)
    connection.commit()

    page = viewer.get(PAGE)

    assert "Not imported. anna said No. Nothing was changed." in text_of(page)
    assert "data-again" not in page.text


def test_a_question_that_nobody_answered_in_a_day_was_a_no(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success", answer="No", by=None)
    started(connection, "run-1", kind="preview")
    connection.commit()

    assert "Nobody answered within a day, which means No." in text_of(viewer.get(PAGE))


def test_a_preview_that_could_not_ask_has_failed(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "failed")
    started(connection, "run-1", kind="preview")
    counted(connection, "run-1", "products", added=1)
    connection.commit()

    assert "The preview has failed. Nothing was changed." in text_of(viewer.get(PAGE))


def test_a_preview_of_a_stored_mapping_says_that_a_yes_puts_it_in_force(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    _asking(connection)
    drafts = Jsonb({"products": {"version": 3, "choice": 0}})
    connection.execute("UPDATE sync.run SET drafts = %s", [drafts])
    connection.commit()

    assert "version 3, which a Yes puts in force" in text_of(viewer.get(PAGE))


def test_after_a_yes_the_page_waits_for_the_sync_and_then_follows_it(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "running", answer="Yes")
    started(connection, "run-1", kind="preview")
    counted(connection, "run-1", "products", added=1)
    connection.commit()
    waits = viewer.get(PAGE)

    airflow_has(SYNC, "run-2", "success", conf={"previewed": "run-1"})
    started(connection, "run-2")
    counted(connection, "run-2", "products", added=1)
    connection.commit()
    follows = viewer.get(PAGE)

    assert "anna said Yes. The import begins in a moment." in text_of(waits)
    assert 'data-again="2"' in waits.text
    assert "The whole activity of this run" not in text_of(waits), "that would be the preview's"
    assert "Imported. Products: 1 read, 1 added" in text_of(follows)
    assert "data-again" not in follows.text


def test_a_yes_of_long_ago_leads_to_what_its_sync_did(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success", answer="Yes")
    started(connection, "run-1", kind="preview")
    started(connection, "run-2", previewed="run-1")
    connection.commit()

    answer = viewer.get(PAGE, follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"/runs/{REALM}/run-2")


def test_a_yes_that_airflow_could_not_follow_is_told(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "failed", answer="Yes")
    started(connection, "run-1", kind="preview")
    connection.commit()

    page = viewer.get(PAGE)

    assert "Airflow could not start the import" in text_of(page)
    assert "data-again" not in page.text


def test_a_sync_that_fails_before_it_can_write_anything_down_ends_the_waiting(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success", answer="Yes")
    started(connection, "run-1", kind="preview")
    connection.commit()
    airflow_has(SYNC, "run-2", "failed", conf={"previewed": "run-1"})

    page = viewer.get(PAGE)

    assert "It ended before it had begun to work: the log of its first task" in text_of(page)
    assert f"dags/{SYNC}/runs/run-2" in page.text
    assert "data-again" not in page.text


def test_a_sync_that_airflow_does_not_have_any_more_is_not_waited_for(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success", answer="Yes")
    started(connection, "run-1", kind="preview")
    connection.commit()

    page = viewer.get(PAGE)

    assert "Airflow has no run any more that came of it" in text_of(page)
    assert "data-again" not in page.text


def test_a_preview_with_nothing_to_do_says_so(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "success")
    started(connection, "run-1", kind="preview", work=[])
    connection.commit()

    assert "There is nothing to do. The CRM has all that was read" in text_of(viewer.get(PAGE))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("undone", "What an undo has taken back stays out until it changes in QuickBooks"),
        ("invalid_value", "What could not be brought in before still is not: Health says which"),
    ],
)
def test_with_nothing_to_do_what_is_left_out_is_not_told_as_being_there(
    viewer: httpx.Client, connection: Connection[Any], reason: str, said: str
) -> None:
    airflow_has(PREVIEW, "run-1", "success")
    started(connection, "run-1", kind="preview", work=[])
    connection.execute(
        "INSERT INTO sync.held (realm, module, entity, id, outcome, reason, mapping_hash, run_id)"
        " VALUES (%s, 'products', 'Item', '7', 'not_added', %s, '', 'run-0')",
        [REALM, reason],
    )
    connection.commit()

    text = text_of(viewer.get(PAGE))

    assert f"There is nothing to do. QuickBooks has nothing new. {said}" in text
    assert "The CRM has all" not in text


def test_a_preview_at_work_says_that_nothing_is_changed_yet(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    airflow_has(PREVIEW, "run-1", "running")
    started(connection, "run-1", kind="preview", state="running", modules=["products"], work=[])
    connection.commit()

    text = text_of(viewer.get(PAGE))

    assert "Every record is being worked out. Nothing is changed yet." in text
    assert "products not yet worked out" in text


def test_a_run_of_another_kind_is_shown_on_its_own_page(
    viewer: httpx.Client, connection: Connection[Any]
) -> None:
    started(connection, "run-1", kind="replay")
    connection.commit()

    answer = viewer.get(PAGE)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"../../runs/{REALM}/run-1"


def test_a_correction_is_followed_on_its_own_page(viewer: httpx.Client) -> None:
    airflow_has("correct_sample", "run-1", "running", asks=True)

    assert viewer.get(PAGE).headers["location"] == "../../corrections/sample/run-1"


@pytest.mark.parametrize("path", ["sample/never", "never/run-1"])
def test_a_run_that_is_not_there_is_not_found(viewer: httpx.Client, path: str) -> None:
    assert viewer.get(f"/quickbooks-crm/started/{path}").status_code == 404


def _asking(
    connection: Connection[Any], of: dict[str, Mapping] | None = None, **given: Any
) -> None:
    """A preview of products that waits for an answer: six would be updated."""
    airflow_has(PREVIEW, "run-1", "running", asks=True)
    started(connection, "run-1", kind="preview", **given)
    _settled(connection, "run-1", ["products"], of)
    counted(connection, "run-1", "products", updated=6)
    images = {"before": '{"price": 10.10}', "after": '{"price": 10.20}'}
    for number in range(6):
        ended(connection, "run-1", "products", str(number), "updated", **images)
    connection.commit()


def _products(says: str) -> dict[str, Mapping]:
    """The project's own mapping of products, with these words about its import."""
    text = (companies.INCLUDE / "mappings" / "products.yaml").read_text()
    imported = "{mode: merge, key: quickbooks_product_id, check: [name]"
    return parse_all(
        {"products": re.sub(r"import:\n( .*\n)+", f"import: {imported}, {says}}}\n", text)}
    )


def _settled(
    connection: Connection[Any],
    run_id: str,
    modules: list[str],
    of: dict[str, Mapping] | None = None,
) -> None:
    """The run uses these mappings, or else the project's own, and the project's own company."""
    known = of or mapping.load(companies.INCLUDE / "mappings")
    company = companies.load_one(companies.INCLUDE / "companies", "sample")
    run = Run("sample", REALM, run_id)
    runs.settle(connection, run, known.values(), modules, company.for_loads)
