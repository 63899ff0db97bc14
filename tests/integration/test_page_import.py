"""The page that maps a module's fields: over HTTP, inside Airflow's own application."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm import companies, database
from tests.acceptance.kept_in_step import own_include
from tests.integration.runs import REALM
from tests.integration.shown import text_of

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

PAGE = "/quickbooks-crm/import/sample/accounts"
MODULES = "[products, accounts, contacts, vendors, quotes, invoices, payments]"
FROM_A_PAGE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def op(
    anonymous: httpx.Client,
    signed_in_as: Callable[[str], None],
    connection: Connection[Any],
    connected: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> httpx.Client:
    """A browser of somebody who may configure; the company is connected, and in the CRM."""
    own_include(tmp_path, monkeypatch, MODULES)
    database.add_companies(connection, companies.INCLUDE / "crm", {"sample": "Sample company"})
    connection.commit()
    signed_in_as("op")
    return anonymous


def test_each_field_shows_what_fills_it_with_its_type_and_what_the_crm_takes(
    op: httpx.Client,
) -> None:
    shown = text_of(op.get(PAGE))

    assert "Name text, up to 500 characters → Account name required text, up to 500" in shown
    assert "In force: shared file accounts.yaml" in shown
    assert "QuickBooks Customer → crm.accounts" in shown


def test_values_of_the_mirror_are_shown_beside_the_fields_that_have_them(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    _read(
        connection,
        {
            "DisplayName": "Amy's <Birds>",
            "CustomField": [
                {
                    "DefinitionId": "1",
                    "Name": "Sales Rep",
                    "Type": "StringType",
                    "StringValue": "Anna",
                }
            ],
        },
    )

    page = op.get(PAGE)

    shown = text_of(page)
    assert "characters Amy's <Birds>" in shown and "Amy's <Birds>" not in page.text
    assert "Sales Rep (custom field) text Anna" in shown


def test_values_of_another_company_are_not_shown_to_one_whose_connection_leads_there(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    twin = companies.INCLUDE / "companies" / "twin.yaml"
    twin.write_text("name: twin\nquickbooks: quickbooks_twin\n")
    connection.execute("INSERT INTO sync.lease (realm, company) VALUES (%s, 'twin')", [REALM])
    _read(connection, {"DisplayName": "Amy's Birds"})

    page = op.get(PAGE)

    assert "that another company here has" in text_of(page)
    assert "Birds" not in page.text


def test_an_empty_mirror_is_told_and_reading_offered(op: httpx.Client) -> None:
    shown = text_of(op.get(PAGE))

    assert "Nothing of this has been read from QuickBooks yet" in shown
    assert "Start the import to read it" in shown


def test_what_a_form_cannot_say_is_shown_as_it_is(op: httpx.Client) -> None:
    page = op.get(PAGE)

    shown = text_of(page)
    assert "Phone, or else Other phone" in shown
    assert "When it is deleted in QuickBooks {deleted: true, active: false} Take it out" in shown


def test_a_field_called_the_same_is_proposed_as_such_and_one_nearly_so_as_perhaps(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    connection.execute("ALTER TABLE crm.accounts ADD suffix text, ADD middle_names text")
    connection.commit()

    shown = text_of(op.get(PAGE))

    assert "Called the same: Suffix for Suffix" in shown
    assert "Perhaps: Middle name for Middle names" in shown


def test_who_may_not_configure_sees_the_mapping_and_cannot_change_it(
    op: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    signed_in_as("user")

    page = op.get(PAGE)

    assert '<fieldset class="plain" disabled>' in page.text
    assert "Start import" in page.text
    assert "Add New Field" not in page.text


def test_what_is_filled_in_is_checked_as_one_goes(op: httpx.Client) -> None:
    told = _sent(op, "check", source={"balance": "Active", "name": "", "fax": "Notes"}).json()

    assert told["missing"] == ["Account name"]
    assert told["fields"]["source:balance"] == (
        "It is true or false in QuickBooks, and crm.accounts.balance takes numeric(20,2). Map "
        "another field, or to another column."
    )
    assert told["warnings"]["fax"].startswith("It may have 2000 characters in QuickBooks")


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"constant": {"active": "perhaps"}}, "source:active", "'perhaps' is neither true nor"),
        ({"settings": {"key": ""}}, "settings:key", "With mode merge, write the column"),
        ({"settings": {"mode": "marge"}}, "settings:mode", "Did you mean 'merge'?"),
        ({"check": ["nothing"]}, "check", "names 'nothing', which no line of fields fills."),
        ({"edits": {"name": "me"}}, "source:name", "cannot be: 'me'."),
    ],
)
def test_a_mistake_is_told_beside_its_field(
    op: httpx.Client, sent: dict[str, Any], field: str, said: str
) -> None:
    assert said in _sent(op, "check", **sent).json()["fields"][field]


def test_what_is_filled_in_becomes_the_next_version_and_keeps_the_rest_as_written(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    before = (companies.INCLUDE / "mappings" / "accounts.yaml").read_text()

    told = _sent(op, "draft", source={"company_name": ""}, edits={"notes": "crm"}).json()

    assert told["version"] == 1
    [(content, made_by, origin)] = connection.execute(
        "SELECT content, made_by, origin FROM sync.mapping_version"
    ).fetchall()
    assert (made_by, origin) == ("op", "page")
    assert content == before.replace("  company_name:           {from: CompanyName}\n", "").replace(
        "{from: Notes}", "{from: Notes, edits: crm}"
    )
    assert "version 1, which op stored" in text_of(op.get(PAGE))


def test_sub_customers_and_the_default_owner_are_settings_of_a_module(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    connection.execute("INSERT INTO crm.users (name, external_user_id) VALUES ('Ann', 'U-1')")
    connection.commit()
    before = text_of(op.get(PAGE))
    assert "As the company's file says: accounts of their own, below their parent" in before

    chosen = {"child_accounts": "roll_up", "default_owner": "U-1"}
    assert _sent(op, "draft", settings=chosen).json()["version"] == 1

    stored = "SELECT content FROM sync.mapping_version"
    [(content,)] = connection.execute(stored).fetchall()
    assert "  child_accounts: roll_up\n" in content and "  default_owner: U-1\n" in content
    wrong = _sent(op, "check", settings={"default_owner": "U-9"}).json()
    assert "'U-9' is the External User Id of no active user" in str(wrong)
    assert "settings:child_accounts" not in op.get(PAGE.replace("accounts", "products")).text


def test_nothing_changed_is_nothing_stored(op: httpx.Client, connection: Connection[Any]) -> None:
    assert _sent(op, "draft").json()["version"] is None
    assert connection.execute("SELECT count(*) FROM sync.mapping_version").fetchone() == (0,)


def test_a_draft_that_is_sent_again_is_the_version_that_it_became(op: httpx.Client) -> None:
    first = _sent(op, "draft", edits={"notes": "crm"}).json()

    assert _sent(op, "draft").json()["version"] == first["version"] == 1


def test_a_draft_without_mandatory_fields_is_refused_with_all_of_them_by_label(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    connection.execute("ALTER TABLE crm.accounts ADD region text NOT NULL")
    connection.commit()

    answer = _sent(op, "draft", source={"name": ""})

    assert answer.status_code == 422
    assert (
        "These fields of accounts must be filled: Account name, Region." in answer.json()["message"]
    )
    assert "Nothing was stored." in answer.json()["message"]


def test_the_second_of_two_people_is_told_and_nothing_of_the_first_is_lost(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    mine = _base(op)
    _sent(op, "draft", edits={"notes": "crm"})

    answer = _sent(op, "draft", base=mine, edits={"website": "crm"})

    assert answer.status_code == 409
    assert "Somebody else has changed the mapping of accounts" in answer.json()["message"]
    assert "op has stored version 1" in answer.json()["message"]
    assert "what you had filled in is put on top of theirs" in answer.json()["message"]
    assert connection.execute("SELECT count(*) FROM sync.mapping_version").fetchone() == (1,)


def test_somebody_may_begin_with_what_is_in_force_instead_of_a_draft(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    _sent(op, "draft", edits={"notes": "crm"})
    base = _base(op, f"{PAGE}?which=in_force") | {"which": "in_force"}

    told = _sent(op, "draft", base=base, edits={"website": "crm"}).json()

    assert told["version"] == 2
    stored = connection.execute("SELECT content FROM sync.mapping_version WHERE version = 2")
    [(content,)] = stored.fetchall()
    assert "{from: WebAddr.URI, edits: crm}" in content and "{from: Notes}" in content


def test_who_may_not_configure_sees_what_is_in_force_and_not_a_draft(
    op: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    _sent(op, "draft", edits={"notes": "crm"})
    signed_in_as("user")

    shown = text_of(op.get(PAGE))

    assert "In force: shared file accounts.yaml" in shown
    assert "not in force yet" not in shown


def test_parts_of_a_mapping_can_be_taken_out(op: httpx.Client, connection: Connection[Any]) -> None:
    _sent(op, "draft", remove=["when_deleted", "entities", "exclude/7"])

    [(content,)] = connection.execute("SELECT content FROM sync.mapping_version").fetchall()
    assert "when_deleted" not in content
    assert "entities: [Customer]" in content


def test_a_column_of_users_offers_owners_and_one_of_records_what_quickbooks_refers_to(
    op: httpx.Client,
) -> None:
    page = op.get("/quickbooks-crm/import/sample/contacts").text

    owner = page.partition('name="source:owner_id"')[2].partition("</select>")[0]
    account = page.partition('name="source:account_id"')[2].partition("</select>")[0]
    assert "Who runs the import, or the company&#39;s default owner" in owner
    assert ">Whoever owns its Account</option>" in owner
    assert "QuickBooks id; the record of accounts it means" in account
    assert "E-mail" not in owner + account


@pytest.mark.parametrize("way", ["check", "draft", "start", "field"])
def test_a_database_that_is_down_is_told_and_nothing_is_lost(
    op: httpx.Client, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    base = _base(op)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", "postgresql://keeper:sesame@127.0.0.1:1/crm")
    body = {"start": {}, "field": {"label": "x", "type": "text"}}.get(way, base)

    answer = op.post(f"{PAGE}/{way}", json=body, headers=FROM_A_PAGE)

    assert answer.status_code == 503
    assert "The CRM database does not answer" in answer.json()["message"]


def test_a_database_that_takes_too_long_is_told(
    op: httpx.Client, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quickbooks_crm.pages.reaching.PATIENCE", "200")
    connection.execute("LOCK sync.mapping_version")

    answer = op.get(PAGE)

    assert answer.status_code == 503
    assert "takes too long to answer" in text_of(answer)


def test_a_file_that_changed_meanwhile_is_told(op: httpx.Client) -> None:
    mine = _base(op)
    file = companies.INCLUDE / "mappings" / "accounts.yaml"
    file.write_text(file.read_text() + "# changed\n")

    answer = _sent(op, "check", base=mine)

    assert answer.status_code == 409
    assert "It was changed" in answer.json()["message"]


def test_an_import_of_a_draft_begins_with_its_preview(op: httpx.Client) -> None:
    version = _sent(op, "draft", edits={"notes": "crm"}).json()["version"]

    told = op.post(f"{PAGE}/start", json={"version": version}, headers=FROM_A_PAGE).json()

    assert told["begin"] == "preview_sample"
    asked = {"modules": ["accounts"], "read": True, "older": True}
    assert told["conf"] == asked | {"versions": {"accounts": 1}}


def test_who_may_only_start_runs_imports_with_a_version_once_it_was_offered(
    op: httpx.Client, signed_in_as: Callable[[str], None]
) -> None:
    version = _sent(op, "draft", edits={"notes": "crm"}).json()["version"]
    asked = {"json": {"version": version}, "headers": FROM_A_PAGE}

    signed_in_as("user")
    before = op.post(f"{PAGE}/start", **asked)
    signed_in_as("op")
    op.post(f"{PAGE}/start", **asked)
    signed_in_as("user")
    after = op.post(f"{PAGE}/start", **asked)

    assert "was not offered for an import" in before.json()["message"]
    assert (before.status_code, after.status_code) == (409, 200)


def test_a_new_field_is_added_and_can_be_mapped_at_once(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    wanted = {"label": "Sales region", "type": "numeric", "decimals": 1, "length": 200}

    told = op.post(f"{PAGE}/field", json=wanted, headers=FROM_A_PAGE).json()

    assert told == {"column": "sales_region", "said": "Added Sales region."}
    assert 'name="source:sales_region"' in op.get(PAGE).text
    assert _sent(op, "draft", source={"sales_region": "Balance"}).json()["version"] == 1
    stored = connection.execute("SELECT content FROM sync.mapping_version").fetchone()
    assert stored and "  sales_region:           {from: Balance}\n" in stored[0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"label": "account NAME", "type": "text"}, "has a field 'Account name' already"),
        ({"label": " ", "type": "text"}, "a label is missing"),
        ({"label": "Color", "type": "keyword"}, "a keyword needs its list"),
        ({"label": "Born", "type": "date", "default": "soon"}, "does not fit: 'soon'"),
    ],
)
def test_a_new_field_that_cannot_be_says_why(
    op: httpx.Client, wanted: dict[str, Any], said: str
) -> None:
    answer = op.post(f"{PAGE}/field", json=wanted, headers=FROM_A_PAGE)

    assert answer.status_code == 409
    assert said in answer.json()["message"]


@pytest.mark.parametrize("module", re.findall(r"\w+", MODULES))
def test_every_shipped_mapping_can_be_shown_and_sent_back_unchanged(
    op: httpx.Client, module: str
) -> None:
    page = f"/quickbooks-crm/import/sample/{module}"
    checked = re.findall(r'name="check" value="([^"]+)"[^>]* checked', op.get(page).text)

    told = op.post(f"{page}/draft", json=_base(op, page) | {"check": checked}, headers=FROM_A_PAGE)

    assert told.json()["version"] is None


def test_what_is_chosen_and_not_offered_any_more_is_told(op: httpx.Client) -> None:
    answer = _sent(op, "draft", source={"name": 'CustomField[Name="Gone"].StringValue'})

    assert answer.status_code == 409
    assert "is not offered any more" in answer.json()["message"]


def test_customer_data_cannot_become_part_of_the_page(
    op: httpx.Client, connection: Connection[Any]
) -> None:
    hostile = '\u202e"><script>alert(1)</script>'
    _read(
        connection,
        {
            "DisplayName": hostile,
            "Notes": hostile,
            "CustomField": [{"Name": hostile, "StringValue": hostile}],
        },
    )

    page = op.get(PAGE)

    assert page.status_code == 200
    assert "<script>alert" not in page.text


def _base(op: httpx.Client, path: str = PAGE) -> dict[str, Any]:
    """What the page says of the text that it was made of."""
    page = op.get(path).text
    found = {word: re.search(rf'name="{word}" value="([^"]*)"', page) for word in _HIDDEN}
    base, based_on = (found[word][1] for word in _HIDDEN)  # type: ignore[index]
    return {"base": base, "based_on": int(based_on)}


_HIDDEN = ("base", "based_on")


def _sent(op: httpx.Client, way: str, base: dict[str, Any] | None = None, **given: Any) -> Any:
    """What the server answers to a form in which only this was filled in."""
    sent = {"check": ["name"], **(base or _base(op)), **given}
    return op.post(f"{PAGE}/{way}", json=sent, headers=FROM_A_PAGE)


def _read(connection: Connection[Any], payload: dict[str, Any]) -> None:
    """One customer is in the mirror."""
    connection.execute(
        "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
        " VALUES (%s, 'Customer', '1', 0, 1, %s)",
        [REALM, Jsonb(payload)],
    )
    connection.commit()
