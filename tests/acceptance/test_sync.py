"""The simulator in, CRM rows and activity out."""

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quickbooks_crm import pipeline
from quickbooks_crm.errors import (
    DatabaseFailed,
    MandatoryFieldsMissing,
    QuickBooksCrmError,
    QuickBooksLoginExpired,
    RunError,
    SettingsError,
)
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import (
    TABLES,
    FirstSyncs,
    Kept,
    as_text,
    counts,
    kept_in_step,
    own_include,
)

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "fylein+fyle-qbo-api"


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


@pytest.fixture
def synced(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """The first sync is done, and the calls to come are counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


def person(kept: Kept) -> dict[str, Any]:
    """An active customer who is also a contact and nobody's parent."""
    parents = {c.get("ParentRef", {}).get("value") for c in kept.quickbooks.rows("Customer")}
    return next(
        customer
        for customer in kept.quickbooks.rows("Customer")
        if customer["Active"] and customer.get("FamilyName") and customer["Id"] not in parents
    )


def product(kept: Kept) -> dict[str, Any]:
    """An active item that is no category."""
    items = kept.quickbooks.rows("Item")
    return next(item for item in items if item["Active"] and item["Type"] != "Category")


# The first run


def test_every_row_that_quickbooks_has_is_accounted_for(kept: Kept) -> None:
    run = kept.sync()

    assert (run.state, run.problems) == ("success", ())
    rows = {"products": "Item", "accounts": "Customer", "contacts": "Customer"}
    assert {m.module for m in run.counts} == set(rows)
    for module in run.counts:
        there = {row["Id"] for row in kept.quickbooks.rows(rows[module.module])}
        ended = kept.ask("SELECT id FROM sync.outcome WHERE module = %s", module.module)
        assert there <= {row["id"] for row in ended}  # and what was deleted lately
        assert len(ended) == module.read
    assert kept.mismatched() == []


def test_the_crm_has_what_the_outcomes_say_was_added(kept: Kept) -> None:
    run = kept.sync()

    for table, module in zip(TABLES, run.counts, strict=True):
        [there] = kept.ask(f"SELECT count(*) FROM {table}")
        assert there["count"] == module.added


def test_a_customer_arrives_with_its_values(kept: Kept) -> None:
    row = person(kept)
    kept.quickbooks.change("Customer", row["Id"], Balance=Decimal("1234567.89"), Notes="Ünï ☕")

    kept.sync()

    account, contact = (kept.crm(table, row["Id"]) for table in ("crm.accounts", "crm.contacts"))
    assert (account["name"], account["notes"]) == (row["DisplayName"], "Ünï ☕")
    assert account["balance"] == Decimal("1234567.89")
    assert account["company_id"] == contact["company_id"] == "sample"
    assert (contact["last_name"], contact["account_id"]) == (row["FamilyName"], account["id"])


def test_a_sub_customer_is_below_its_parent(kept: Kept) -> None:
    parent = person(kept)
    child = kept.quickbooks.add(
        "Customer", DisplayName="The child", ParentRef={"value": parent["Id"]}
    )

    kept.sync()

    parent_id = kept.crm("crm.accounts", parent["Id"])["id"]
    assert kept.crm("crm.accounts", child)["parent_id"] == parent_id


# The second run


def test_a_second_run_is_one_call_and_changes_nothing(synced: Kept) -> None:
    before = synced.image()

    run = synced.sync()

    assert [call.kind for call in synced.quickbooks.calls] == ["cdc"]
    assert (run.api_calls, run.work, run.counts, run.quiet) == (1, (), (), True)
    assert synced.image() == before


def test_reading_everything_again_changes_nothing(synced: Kept) -> None:
    before = synced.image()

    run = synced.sync(everything=True)

    assert (run.work, run.counts) == ((), ())
    assert synced.image() == before


def test_a_changed_customer_is_updated_and_nothing_else(synced: Kept) -> None:
    id = person(synced)["Id"]
    synced.quickbooks.change("Customer", id, FamilyName="Newname", Notes="new")

    run = synced.sync()

    assert counts(run) == {"accounts": {"updated": 1}, "contacts": {"updated": 1}}
    assert synced.crm("crm.accounts", id)["notes"] == "new"
    assert synced.crm("crm.contacts", id)["last_name"] == "Newname"


def test_what_changed_in_fields_that_no_mapping_takes_is_unchanged(synced: Kept) -> None:
    synced.quickbooks.change("Customer", person(synced)["Id"], PreferredDeliveryMethod="Email")

    run = synced.sync()

    assert counts(run) == {"accounts": {"unchanged": 1}, "contacts": {"unchanged": 1}}


def test_a_new_customer_is_added(synced: Kept) -> None:
    id = synced.quickbooks.add("Customer", DisplayName="Brand new", FamilyName="New")

    run = synced.sync()

    assert counts(run) == {"accounts": {"added": 1}, "contacts": {"added": 1}}
    account = synced.crm("crm.accounts", id)
    assert synced.crm("crm.contacts", id)["account_id"] == account["id"]


def test_a_customer_made_inactive_is_inactive_under_its_own_name(synced: Kept) -> None:
    row = person(synced)
    synced.quickbooks.inactivate("Customer", row["Id"])

    run = synced.sync()

    assert counts(run) == {"accounts": {"updated": 1}, "contacts": {"updated": 1}}
    assert [module.deactivated for module in run.counts] == [1, 1]
    account = synced.crm("crm.accounts", row["Id"])
    assert (account["active"], account["name"]) == (False, row["DisplayName"])
    assert not synced.crm("crm.contacts", row["Id"])["active"]


def test_a_deleted_customer_stays_in_the_crm_marked_as_deleted(synced: Kept) -> None:
    id = person(synced)["Id"]
    synced.quickbooks.delete("Customer", id)

    run = synced.sync()

    assert counts(run) == {"accounts": {"updated": 1}, "contacts": {"updated": 1}}
    assert [module.deleted for module in run.counts] == [1, 1]
    for table in ("crm.accounts", "crm.contacts"):
        row = synced.crm(table, id)
        assert (row["deleted"], row["active"]) == (True, False)


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        pytest.param(lambda q, id: q.change("Item", id, UnitPrice=Decimal("9.99")), "updated"),
        pytest.param(lambda q, id: q.add("Item", Name="Brand new", Type="Service"), "added"),
        pytest.param(lambda q, id: q.inactivate("Item", id), "updated"),
        pytest.param(lambda q, id: q.delete("Item", id), "updated"),
    ],
    ids=["changed", "new", "inactive", "deleted"],
)
def test_a_product_that_changed_arrives_and_nothing_else(
    synced: Kept, act: Any, outcome: str
) -> None:
    id = product(synced)["Id"]
    act(synced.quickbooks, id)

    run = synced.sync()

    assert counts(run) == {"products": {outcome: 1}}
    assert synced.mismatched() == []


def test_all_kinds_of_change_at_once_arrive_with_exactly_their_counts(synced: Kept) -> None:
    active = [c["Id"] for c in synced.quickbooks.rows("Customer") if c["Active"]]
    people = {c["Id"] for c in synced.quickbooks.rows("Customer") if c.get("FamilyName")}
    changed, inactive, deleted = [id for id in active if id in people][-3:]
    synced.quickbooks.change("Customer", changed, FamilyName="Changed")
    synced.quickbooks.inactivate("Customer", inactive)
    synced.quickbooks.delete("Customer", deleted)
    synced.quickbooks.add("Customer", DisplayName="Brand new", FamilyName="New")

    run = synced.sync()

    accounts = next(m for m in run.counts if m.module == "accounts")
    contacts = next(m for m in run.counts if m.module == "contacts")
    assert counts(run)["contacts"] == {"added": 1, "updated": 3}
    assert (accounts.added, accounts.updated + accounts.unchanged) == (1, 3)
    for module in (accounts, contacts):
        assert (module.deactivated, module.deleted) == (1, 1)


def test_a_deleted_customer_that_comes_back_loses_the_mark(synced: Kept) -> None:
    row = person(synced)
    synced.quickbooks.delete("Customer", row["Id"])
    synced.sync()
    synced.quickbooks.advance(1)
    synced.quickbooks.add("Customer", **{**row, "DisplayName": "Back again"})
    synced.quickbooks.change("Customer", row["Id"], SyncToken="50")

    synced.sync()

    account = synced.crm("crm.accounts", row["Id"])
    assert (account["deleted"], account["active"], account["name"]) == (False, True, "Back again")


# Real rows


@pytest.mark.skipif(not FIXTURES.exists(), reason="the recorded rows are not beside this project")
def test_of_recorded_rows_only_the_bad_one_is_not_added_and_says_why(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_in_step(database_url, monkeypatch, load=FIXTURES) as kept:
        run = kept.sync()

        accounts = next(module for module in run.counts if module.module == "accounts")
        [bad] = kept.ask(
            "SELECT id, reason, message FROM sync.outcome"
            " WHERE module = 'accounts' AND outcome = 'not_added'"
        )
        assert run.state == "success"
        assert (bad["id"], bad["reason"]) == ("12sync", "missing_required")
        assert "Account name" in bad["message"]
        assert (accounts.read, accounts.not_added) == (42, 1)
        assert accounts.added + accounts.duplicate == 41
        assert kept.mismatched() == []


# Runs that stop


def test_mandatory_fields_without_a_source_stop_the_run_before_any_row_moves(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = own_include(tmp_path, monkeypatch)
    _without(include / "mappings" / "products.yaml", "name")
    _without(include / "mappings" / "contacts.yaml", "last_name")

    with pytest.raises(MandatoryFieldsMissing) as stopped:
        kept.sync("run-1")

    assert "nothing fills crm.products.name (Product name)." in str(stopped.value)
    assert "nothing fills crm.contacts.last_name (Last name)." in str(stopped.value)
    assert kept.quickbooks.calls == []
    assert kept.ask("SELECT 1 FROM quickbooks.record UNION ALL SELECT 1 FROM crm.accounts") == []
    run = kept.run("run-1")
    assert run.state == "failed"
    assert [(p.task, p.code) for p in run.problems] == [("check_settings", "mandatory_fields")]


def test_a_module_that_is_asked_for_but_does_not_exist_is_named(kept: Kept) -> None:
    with pytest.raises(SettingsError, match="no mapping for invoice"):
        pipeline.check_settings("sample", "run-1", Request("manual", None, ("invoice",)))


def test_a_module_that_the_company_does_not_take_is_named(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = own_include(tmp_path, monkeypatch) / "companies" / "sample.yaml"
    company.write_text("name: Sample\nquickbooks: quickbooks_sample\nmodules: [products]\n")

    with pytest.raises(SettingsError, match="Company sample does not take contacts"):
        pipeline.check_settings("sample", "run-1", Request("manual", None, ("contacts",)))


def test_a_login_that_has_expired_stops_the_run_and_the_next_one_goes_on(kept: Kept) -> None:
    kept.quickbooks.revoke_refresh_token()
    with pytest.raises(QuickBooksLoginExpired):
        kept.sync("run-1")

    run = kept.run("run-1")

    assert (run.state, [(p.task, p.code) for p in run.problems]) == (
        "failed",
        [("extract", "reconnect_needed")],
    )
    [lease] = kept.ask("SELECT run_id FROM sync.lease")
    assert lease["run_id"] is None


def test_a_table_that_fails_stops_its_module_and_the_next_run_brings_all(kept: Kept) -> None:
    _table_fails(kept, "crm.accounts")
    with pytest.raises(DatabaseFailed, match="UndefinedFile"):
        kept.sync("run-1")
    kept.ask("DROP TRIGGER broken ON crm.accounts")

    run = kept.sync("run-2")

    first = kept.run("run-1")
    assert (first.state, list(counts(first))) == ("failed", ["products"])
    assert [(p.task, p.code) for p in first.problems] == [("accounts.load", "database")]
    assert list(counts(run)) == ["accounts", "contacts"]
    assert run.state == "success"


# What is not told


def test_no_token_and_no_customers_data_is_in_a_log_or_an_error(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    canaries = {
        "DisplayName": "Canary Displayname",
        "FamilyName": "Canaryfamily",
        "Notes": "canary-notes",
        "PrimaryEmailAddr": {"Address": "canary@example.test"},
    }
    caplog.set_level(logging.DEBUG)
    kept.quickbooks.add("Customer", **canaries)
    kept.sync()
    kept.quickbooks.add("Customer", **canaries | {"DisplayName": "x" * 501 + "canary"})
    _table_fails(kept, "crm.contacts")
    with pytest.raises(QuickBooksCrmError) as stopped:
        kept.sync("run-2")

    secrets = ["simulator-secret", str(kept.quickbooks.refresh_token)]
    told = caplog.text + as_text([vars(record) for record in caplog.records])
    told += _everything_of(stopped.value) + as_text(kept.ask("SELECT errors FROM sync.run"))
    found = [word for word in (*secrets, "anary", "x" * 50) if word in told]
    assert found == []
    assert "1 not added" in told  # the log is there, and the bad row was met


def test_tokens_are_not_stored_as_they_are(synced: Kept) -> None:
    stored = as_text(synced.ask("SELECT * FROM sync.token"))

    assert str(synced.quickbooks.refresh_token) not in stored


def _without(mapping: Path, field: str) -> None:
    """Take the line of a field out of a mapping, and nothing else, as a person would."""
    lines = mapping.read_text(encoding="utf-8").splitlines(keepends=True)
    left = "".join(line for line in lines if not line.startswith(f"  {field}: "))
    mapping.write_text(left, encoding="utf-8")


def _table_fails(kept: Kept, table: str) -> None:
    """Let every write to a table stop with an error that is no refusal, and that tells a value: a
    file is missing."""
    kept.ask(
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " EXECUTE format('LOAD %%L', '$libdir/plugins/' || translate(NEW::text, '/', '-')); END $$"
    )
    kept.ask(
        f"CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION broken()"
    )


def _everything_of(error: BaseException | None) -> str:
    """An error's words, and those of what it came from."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {getattr(error, '__notes__', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told


def test_a_module_can_be_brought_in_alone_and_finds_what_it_refers_to_later(kept: Kept) -> None:
    alone = Request("manual", "tester", ("contacts",))

    pipeline.sync("sample", "alone", alone)
    before = kept.ask("SELECT count(*) AS open FROM crm.contacts WHERE account_id IS NULL")
    kept.sync("all")

    assert [module.module for module in kept.run("alone").counts] == ["contacts"]
    assert before == [{"open": kept.run("alone").counts[0].added}]
    assert kept.ask("SELECT count(*) AS open FROM crm.contacts WHERE account_id IS NULL") == [
        {"open": 0}
    ]
    accounts = kept.run("all").module("accounts")
    assert accounts is not None
    assert accounts.resolved == before[0]["open"]


def test_what_the_table_refused_comes_in_with_what_it_waited_for(kept: Kept) -> None:
    kept.ask("ALTER TABLE crm.contacts ALTER account_id SET NOT NULL")
    pipeline.sync("sample", "alone", Request("manual", "tester", ("contacts",)))
    kept.sync("all")

    alone, contacts = kept.run("alone").counts[0], kept.run("all").module("contacts")
    assert contacts is not None
    assert (alone.added, contacts.added) == (0, alone.not_added)
    assert kept.ask("SELECT count(*) AS held FROM sync.held WHERE module = 'contacts'") == [
        {"held": alone.excluded}
    ]


def test_a_delete_is_confirmed_once(synced: Kept) -> None:
    synced.quickbooks.delete("Customer", person(synced)["Id"])

    calls = [synced.sync().api_calls, synced.sync().api_calls]

    assert calls == [2, 1]


def test_a_module_that_the_run_is_not_asked_for_is_not_touched(kept: Kept) -> None:
    pipeline.check_settings("sample", "one", Request("manual", None, ("accounts",)))
    pipeline.extract("sample", "one")

    with pytest.raises(RunError, match="not asked for contacts, only for accounts"):
        pipeline.load("sample", "one", "contacts")
