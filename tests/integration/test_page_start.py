"""The first page, and what can be imported: over HTTP, inside Airflow's own application."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import companies, database, in_force
from tests.acceptance.kept_in_step import own_include
from tests.integration.airflows_runs import airflow_has, none_left
from tests.integration.runs import REALM
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

PAGES = "/quickbooks-crm/"
START = f"{PAGES}import/sample/products/start"
FROM_A_PAGE = {"sec-fetch-site": "same-origin"}


@pytest.fixture(autouse=True)
def tidied(web: object) -> Iterator[None]:
    with none_left():
        yield


def test_a_company_without_a_connection_says_so_and_where_to_connect(viewer: httpx.Client) -> None:
    page = viewer.get(PAGES)

    assert "Sample company not connected to QuickBooks Connect it" in text_of(page)
    assert "quickbooks_sample" in text_of(page)


def test_import_is_the_main_action_of_a_module_while_it_is_empty(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connected: None,
    connection: Connection[Any],
) -> None:
    signed_in_as("user")
    _in_the_crm(connection, "Item", "products", 2)

    page = anonymous.get(PAGES)

    assert _link(page, "import/sample/accounts").startswith('class="button main"')
    assert not _link(page, "import/sample/products").startswith("class=")
    assert "products 2 2025-03-01 12:00:00 nothing Import again" in text_of(page)
    assert "accounts 0 never nothing Import accounts" in text_of(page)


def test_who_may_only_look_is_not_asked_to_import(viewer: httpx.Client, connected: None) -> None:
    page = viewer.get(PAGES)

    assert "button main" not in page.text
    assert "Mapping accounts" in text_of(page)


def test_what_waits_in_the_mirror_is_counted(
    viewer: httpx.Client, connected: None, connection: Connection[Any]
) -> None:
    _in_the_mirror(connection, "Item", 12)
    _in_the_mirror(connection, "Customer", 10_500)

    shown = text_of(viewer.get(PAGES))

    assert "products 0 never 12 changed" in shown
    assert "accounts 0 never more than 10,000 changed" in shown


def test_nothing_waits_of_a_module_that_was_loaded_with_another_policy_for_sub_customers(
    viewer: httpx.Client,
    connected: None,
    connection: Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The policy is a part of what the module was loaded with."""
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    company.write_text(company.read_text() + "child_accounts: roll_up\n")
    sample = companies.load_one(companies.INCLUDE / "companies", "sample")
    used = in_force.for_loads(connection, sample)["accounts"].hash
    _in_the_crm(connection, "Customer", "accounts", 2, used)
    connection.execute(
        "INSERT INTO sync.held (realm, module, entity, id, outcome, reason, mapping_hash, run_id)"
        " VALUES (%s, 'accounts', 'Customer', '9', 'excluded', 'excluded_by_mapping', %s, 'run-1')",
        [REALM, used],
    )
    connection.commit()

    assert "accounts 2 2025-03-01 12:00:00 nothing Mapping" in text_of(viewer.get(PAGES))


def test_a_company_whose_file_is_wrong_keeps_no_other_from_being_shown(
    viewer: httpx.Client, connected: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = own_include(tmp_path, monkeypatch)
    (include / "companies" / "broken.yaml").write_text("name: Broken\nschedul: daily\n")

    shown = text_of(viewer.get(PAGES))

    assert "schedul is not a key here: 'schedul'. Did you mean 'schedule'?" in shown
    assert "Sample company" in shown and "accounts 0 never" in shown


def test_mappings_that_are_wrong_are_told_on_the_page(
    viewer: httpx.Client, connected: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = own_include(tmp_path, monkeypatch)
    (include / "mappings" / "accounts.yaml").write_text("entities: [Customers]\n")

    answer = viewer.get(PAGES)

    assert answer.status_code == 200
    assert "accounts.yaml is not a valid mapping" in text_of(answer)


@pytest.mark.parametrize("path", ["", "import"])
def test_previews_that_wait_for_an_answer_are_listed_wherever_they_were_started(
    viewer: httpx.Client, connected: None, path: str
) -> None:
    airflow_has("preview_sample", "manual__1", "running", asks=True, triggering_user_name="anna")
    airflow_has("preview_sample", "manual__2", "running", answer="Yes")
    airflow_has("preview_secret", "manual__3", "running", asks=True)
    airflow_has("correct_sample", "manual__4", "running", asks=True)

    page = viewer.get(f"{PAGES}{path}")

    assert "Waiting for a Yes or No Import for sample, asked" in text_of(page)
    assert "started by anna" in text_of(page)
    assert "started/sample/manual__1" in page.text
    assert "corrections/sample/manual__4" in page.text
    assert "manual__2" not in page.text and "manual__3" not in page.text


def test_an_import_begins_with_the_preview_of_the_module(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connected: None,
    connection: Connection[Any],
) -> None:
    signed_in_as("user")
    database.add_companies(connection, companies.INCLUDE / "crm", {"sample": "Sample company"})
    connection.commit()

    answer = anonymous.post(START, json={"read": True}, headers=FROM_A_PAGE)

    assert answer.json() == {
        "begin": "preview_sample",
        "conf": {"modules": ["products"], "read": True, "older": True, "versions": {}},
        "then": "started/sample/",
    }


def test_an_import_without_a_connection_is_refused_and_says_where_to_connect(
    anonymous: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    signed_in_as("user")

    answer = anonymous.post(START, json={}, headers=FROM_A_PAGE)

    assert answer.status_code == 409
    assert answer.json()["message"] == (
        "Sample company is not connected to QuickBooks, so nothing can be imported. Connect it on "
        "the page Connections, then start again."
    )


def test_an_import_that_leaves_mandatory_fields_out_is_refused_with_all_of_them(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connected: None,
    connection: Connection[Any],
) -> None:
    signed_in_as("user")
    connection.execute(
        "INSERT INTO crm.form_field (table_name, column_name, label, type, required) VALUES"
        " ('crm.products', 'created_at', 'Made on', 'date_time', false)"
        " ON CONFLICT DO NOTHING"
    )
    connection.execute("ALTER TABLE crm.products ADD size text NOT NULL, ADD color text NOT NULL")
    connection.commit()

    answer = anonymous.post(START, json={}, headers=FROM_A_PAGE)

    assert answer.status_code == 409
    said = answer.json()["message"]
    assert "products.yaml line 14: fields: nothing fills crm.products.size (Size)" in said
    assert "nothing fills crm.products.color (Color)" in said


@pytest.mark.parametrize("path", ["import/sample/never", "import/never/products"])
def test_a_module_that_is_not_taken_is_not_found(viewer: httpx.Client, path: str) -> None:
    assert viewer.get(f"{PAGES}{path}").status_code == 404


def _link(page: httpx.Response, way: str) -> str:
    """What stands before the address of a link."""
    return page.text.partition(f'href="./{way}"')[0].rpartition("<a ")[2]


def _in_the_crm(
    connection: Connection[Any], entity: str, module: str, count: int, used: str = ""
) -> None:
    connection.execute(
        "INSERT INTO sync.link"
        " (realm, entity, id, module, record_key, source_hash, written, run_id)"
        " SELECT %s, %s, n::text, %s, n::text, '', '{}', 'run-1' FROM generate_series(1, %s) AS n",
        [REALM, entity, module, count],
    )
    connection.execute(
        "INSERT INTO sync.module_position"
        " (realm, module, generation, target, mapping_hash, run_id, loaded_at)"
        " VALUES (%s, %s, 1, 'crm.' || %s, %s, 'run-1', '2025-03-01 12:00 UTC')",
        [REALM, module, module, used],
    )
    connection.commit()


def _in_the_mirror(connection: Connection[Any], entity: str, count: int) -> None:
    connection.execute(
        "INSERT INTO sync.generation (realm, run_id, sealed_at) VALUES (%s, 'run-1', now())",
        [REALM],
    )
    connection.execute(
        "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
        " SELECT %s, %s, n::text, 0, max(generation), '{}'"
        " FROM sync.generation, generate_series(1, %s) AS n GROUP BY n",
        [REALM, entity, count],
    )
    connection.commit()
