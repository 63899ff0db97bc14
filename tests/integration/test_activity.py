"""What runs did is read back whole, from Postgres, and told without customer data."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from demo import postgres
from quickbooks_crm import activity, finding, reasons, wording
from quickbooks_crm.activity import Wanted
from quickbooks_crm.finding import Noted, Which
from quickbooks_crm.sql import statements
from tests.integration.runs import NOON, REALM, called, counted, ended, started

PACKAGE = Path(activity.__file__).parent
DOCS = Path(__file__).resolve().parents[2] / "docs" / "activity.md"


def test_a_run_is_read_with_its_counts_and_reasons(connection: Connection[Any]) -> None:
    started(connection, "run-1", modules=["products", "contacts"], work=["products"])
    counted(connection, "run-1", "products", added=1, not_added=2)
    ended(connection, "run-1", "products", "7", "added")
    ended(connection, "run-1", "products", "8", "not_added", reason="missing_required")
    ended(connection, "run-1", "products", "9", "not_added", reason="missing_required")

    run = activity.run(connection, REALM, "run-1")

    assert run is not None
    assert [(m.module, m.read, m.added, m.not_added) for m in run.counts] == [("products", 3, 1, 2)]
    assert run.reasons == (activity.Reason("products", "not_added", "missing_required", None, 2),)
    assert run.without_counts() == {"contacts": "nothing to do"}


def test_a_run_nobody_made_is_none(connection: Connection[Any]) -> None:
    assert activity.run(connection, REALM, "never") is None


def test_runs_come_newest_first_and_page_on_without_gap_or_repeat(
    connection: Connection[Any],
) -> None:
    """Five runs, two of them started in the same instant."""
    for number, minute in enumerate([0, 1, 1, 2, 3]):
        started(connection, f"run-{number}", started_at=NOON + timedelta(minutes=minute))

    pages = list(_pages_of_runs(connection, limit=2))

    assert pages == [["run-4", "run-3"], ["run-2", "run-1"], ["run-0"]]


def _pages_of_runs(connection: Connection[Any], limit: int) -> Iterator[list[str]]:
    page = activity.runs(connection, Wanted(["sample"]), limit=limit)
    while page:
        yield [run.run_id for run in page]
        page = activity.runs(
            connection, Wanted(["sample"]), limit, (page[-1].realm, page[-1].run_id)
        )


def test_only_runs_of_the_companies_asked_for_are_read(connection: Connection[Any]) -> None:
    started(connection, "run-1", company="sample")
    started(connection, "run-2", company="other")

    assert [run.run_id for run in activity.runs(connection, Wanted(["other"]))] == ["run-2"]
    assert activity.runs(connection, Wanted([])) == []
    assert activity.companies(connection) == ["other", "sample"]


def test_rows_page_on_by_id_and_entity(connection: Connection[Any]) -> None:
    started(connection, "run-1")
    for entity, id in [("Customer", "1"), ("Vendor", "1"), ("Customer", "2")]:
        ended(connection, "run-1", "accounts", id, "excluded", entity=entity, reason="where")

    asked = (connection, REALM, "run-1", "accounts", "excluded")
    first = activity.rows(*asked, limit=2)
    second = activity.rows(*asked, after=(first[-1].id, first[-1].entity), limit=2)

    assert [(row.id, row.entity) for row in first] == [("1", "Customer"), ("1", "Vendor")]
    assert [(row.id, row.entity) for row in second] == [("2", "Customer")]


def test_an_updated_row_tells_the_fields_that_changed_and_money_stays_exact(
    connection: Connection[Any],
) -> None:
    started(connection, "run-1")
    before = '{"name": "Old", "price": 10.10, "code": "A"}'
    after = '{"name": "New", "price": 10.20, "code": "A"}'
    ended(connection, "run-1", "products", "7", "updated", before=before, after=after)

    [row] = activity.rows(connection, REALM, "run-1", "products", "updated")

    assert row.changes == (
        activity.Change("name", "Old", "New"),
        activity.Change("price", Decimal("10.10"), Decimal("10.20")),
    )


def test_the_summary_is_a_table_with_reasons_and_problems(connection: Connection[Any]) -> None:
    started(
        connection,
        "run-1",
        modules=["products", "accounts", "contacts"],
        work=["products", "accounts"],
        state="failed",
        finished_at=NOON + timedelta(seconds=75),
        fetched={"Item": 1200, "Customer": 3},
        errors={"accounts.load": {"code": "run_superseded", "message": "A newer run is at work."}},
    )
    called(connection, "run-1", Customer=4, Item=2, count=1)
    counted(connection, "run-1", "products", added=1190, excluded=10, mode="merge")
    for id in range(10):
        _excluded(connection, str(id))

    assert wording.summary(_run(connection)) == (
        "sample run-1: failed, 1 min 15 s, 7 API calls (Customer 4, Item 2, count 1)\n"
        "Fetched from QuickBooks: Customer 3, Item 1,200\n"
        "module     read  added  updated  unchanged  duplicate  not added  excluded\n"
        "products  1,200  1,190        0          0          0          0        10\n"
        "accounts  did not load\n"
        "contacts  nothing to do\n"
        "Not brought in from products:\n"
        "         10  excluded: Excluded by the mapping: a category.\n"
        "accounts.load stopped: A newer run is at work."
    )


def test_the_summary_of_a_quiet_run_is_two_lines(connection: Connection[Any]) -> None:
    ended = {"finished_at": NOON + timedelta(seconds=3), "fetched": {"Item": 0}}
    started(connection, "run-1", work=[], **ended)
    called(connection, "run-1", changes=1)

    assert wording.summary(_run(connection)) == (
        "sample run-1: success, 3 s, 1 API call (changes 1)\nNothing changed in QuickBooks."
    )


@pytest.mark.parametrize(
    ("state", "work", "told"),
    [
        ("running", None, "not yet loaded"),
        ("running", ["products"], "not yet loaded"),
        ("failed", None, "not reached"),
        ("failed", ["products"], "did not load"),
        ("success", [], "nothing to do"),
    ],
)
def test_a_module_without_counts_says_why(
    connection: Connection[Any], state: str, work: list[str] | None, told: str
) -> None:
    started(connection, "run-1", modules=["products"], state=state, work=work)

    assert _run(connection).without_counts() == {"products": told}


def test_nothing_that_may_be_logged_holds_customer_data(connection: Connection[Any]) -> None:
    started(connection, "run-1", work=["products"])
    counted(connection, "run-1", "products", not_added=1)
    row = {"message": "name: canary", "details": {"value": "canary"}, "collides_with": "canary"}
    ended(connection, "run-1", "products", "8", "not_added", reason="invalid_value", **row)

    run = _run(connection)

    assert "canary" not in wording.summary(run)
    assert "canary" not in json.dumps(activity.as_json(run))


def test_the_json_holds_one_object_a_module_with_its_counts(connection: Connection[Any]) -> None:
    started(connection, "run-1", modules=["products", "contacts"], work=["products", "contacts"])
    counted(connection, "run-1", "products", added=2)

    told = activity.as_json(_run(connection))

    assert [(m["module"], m["read"], m["added"]) for m in told["modules"]] == [("products", 2, 2)]
    assert told["asked"] == ("products", "contacts")
    assert told["without_counts"] == {"contacts": "did not load"}


def test_a_listing_for_the_terminal_cannot_drive_the_terminal(connection: Connection[Any]) -> None:
    started(connection, "run-1")
    ended(connection, "run-1", "products", "8", "excluded", reason="x", message="\x1b[2Jgone")

    rows = activity.rows(connection, REALM, "run-1", "products", "excluded")

    assert wording.listing(rows) == "Item 8  excluded  �[2Jgone"


def test_every_reason_a_stage_gives_has_a_sentence_and_a_paragraph_in_the_docs() -> None:
    stages = [*PACKAGE.glob("*.py"), *PACKAGE.glob("sql/*.sql")]
    given = re.compile(r"""\breason["']? ?[=:] ?["']([a-z_]+)["']""")

    codes = {code for stage in stages for code in given.findall(stage.read_text())}

    assert codes - set(reasons.REASONS) == set()
    documented = re.findall(r"^\| `([a-z_]+)` \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(reasons.REASONS)


@pytest.mark.parametrize("name", ["companies", "run", "counts", "modules", "reasons_of"])
def test_every_list_is_read_through_an_index(connection: Connection[Any], name: str) -> None:
    connection.execute("SET enable_seqscan = off")
    one = {"realm": REALM, "run_id": "r", "module": "m", "outcome": "added", "newest": 20}
    lists = {"companies": ["a"], "realms": [REALM], "run_ids": ["r"], "modules": ["m"]}

    explained = connection.execute(
        b"EXPLAIN " + statements("activity")[name].as_bytes(connection), one | lists
    ).fetchall()

    plan = "\n".join(line for (line,) in explained)
    assert "Index" in plan
    assert "Seq Scan" not in plan


@pytest.fixture(scope="module")
def many(server: postgres.Server, template: str) -> Iterator[Connection[Any]]:
    """A run with 100,000 excluded records, every thousandth of them for a reason of its own, the
    next one with notes, and as many runs, of which few are of any kind but a sync."""
    name = f"many_{os.getpid()}"
    url = server.create_database(name, template)
    with psycopg.connect(url, autocommit=True) as connection:
        started(connection, "run-1")
        counted(connection, "run-1", "products", excluded=100_000)
        for statement in MANY:
            connection.execute(statement, [REALM])
        connection.execute("VACUUM ANALYZE sync.outcome, sync.run, quickbooks.record")
        yield connection
    server.drop_database(name)


MANY = (
    "INSERT INTO sync.outcome"
    " (realm, run_id, module, entity, id, outcome, reason, message, details)"
    " SELECT %s, 'run-1', 'products', 'Item', i::text, 'excluded',"
    "        CASE WHEN i %% 1000 = 0 THEN 'rare' ELSE 'usual' END, 'y',"
    """        CASE WHEN i %% 1000 = 1 THEN '{"notes": []}'::jsonb ELSE '{}' END"""
    " FROM generate_series(1, 100000) AS i",
    "INSERT INTO quickbooks.record (realm, entity, id, sync_token, generation, payload)"
    " SELECT %s, 'Item', i::text, 0, 1, jsonb_build_object('Name', 'Garden hose ' || i)"
    " FROM generate_series(1, 100000) AS i",
    "INSERT INTO sync.run (realm, run_id, company, trigger, started_at, kind, state, modules, work)"
    " SELECT %s, 'run-' || i, 'sample', 'scheduled', '2020-01-01'::timestamptz + i * interval '1h',"
    "        CASE WHEN i = 7 THEN 'undo' ELSE 'sync' END, 'success', '{products}', '{}'"
    " FROM generate_series(2, 100001) AS i",
)


@pytest.mark.parametrize(
    ("which", "given"),
    [
        ([], {}),
        (["of_reason"], {"reason": "usual"}),
        (["of_reason"], {"reason": "rare"}),
        (["of_id"], {"text": "77777"}),
        (["with_notes"], {}),
        (["of_reason", "with_notes"], {"reason": "rare"}),
        (["of_reason", "with_notes"], {"reason": "usual"}),
        (["of_id", "with_notes"], {"text": "77001"}),
    ],
)
def test_a_page_out_of_a_hundred_thousand_rows_is_read_at_once(
    many: Connection[Any], which: list[str], given: dict[str, str]
) -> None:
    """Work is proportional to the page: the plan touches its rows, not the run's."""
    key = {"realm": REALM, "run_id": "run-1", "module": "products", "outcome": "excluded"}
    page = {"after_id": "50000", "after_entity": "Item", "limit": 100}

    assert _blocks(many, activity.of_those("rows", *which), key | page | given) < 900


def test_the_reasons_of_a_hundred_thousand_rows_are_found_at_once(many: Connection[Any]) -> None:
    which = Which(REALM, "run-1", "products", "excluded")

    assert finding.reasons(many, which) == ["rare", "usual"]
    assert _blocks(many, statements("activity")["reasons_of"], asdict(which)) < 50


def test_the_few_records_with_notes_are_counted_and_found_at_once(many: Connection[Any]) -> None:
    run, which = _run(many), Which(REALM, "run-1", "products", "excluded", noted=True)

    found, named = finding.part(many, which), finding.part(many, replace(which, text="HOSE 55"))

    assert finding.noted(many, run, run.counts) == [Noted("products", "excluded", 100)]
    assert ([row.id[-3:] for row in found.rows], found.next) == (["1", *["001"] * 99], None)
    assert [row.id for row in named.rows] == ["55001"]
    asked = {"modules": ["products"], "outcomes": ["excluded"], "limit": 1000}
    assert _blocks(many, statements("activity")["noted"], asdict(which) | asked) < 200


def test_of_very_many_records_with_notes_it_is_said_that_they_are_many() -> None:
    assert Noted("products", "added", 10_000).told == "10,000"
    assert Noted("products", "added", 10_001).told == "more than 10,000"


def test_a_search_by_name_looks_at_all_records_and_tells_when_it_stopped_early(
    many: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 60)
    which = Which(REALM, "run-1", "products", "excluded", text="HOSE 9999")
    assert [row.id for row in finding.part(many, which).rows] == [
        "9999",
        *(f"9999{n}" for n in range(10)),
    ]
    monkeypatch.setattr(finding, "PATIENCE", 0)

    parts = [finding.part(many, which)]
    while parts[-1].next:
        parts.append(finding.part(many, which, parts[-1].next))

    assert [part.whole for part in parts] == [False] * (100_000 // finding.WINDOW) + [True]
    assert sum(len(part.rows) for part in parts) == 11


def test_a_search_by_id_needs_no_look_at_the_others(many: Connection[Any]) -> None:
    found = finding.part(many, Which(REALM, "run-1", "products", "excluded", text="77777"))

    assert ([row.id for row in found.rows], found.next) == (["77777"], finding.NAMES)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(["sample"]),
        Wanted(["sample"], kind="sync"),
        Wanted(["sample"], who="SCHED"),
        Wanted(["sample"], first_day=date(2020, 1, 2), last_day=date(2030, 1, 1)),
    ],
)
def test_a_page_out_of_a_hundred_thousand_runs_is_read_at_once(
    many: Connection[Any], wanted: Wanted
) -> None:
    assert _blocks(many, statements("activity")["runs"], _asked(wanted)) < 400


@pytest.mark.parametrize("narrow", [{"kind": "undo"}, {"state": "failed"}, {"module": "contacts"}])
def test_for_one_run_out_of_a_hundred_thousand_each_is_looked_at_once_at_most(
    many: Connection[Any], narrow: dict[str, str]
) -> None:
    size = "SELECT pg_total_relation_size('sync.run') / current_setting('block_size')::int"
    [(blocks,)] = many.execute(size).fetchall()
    wanted = Wanted(["sample"], **narrow)

    found = activity.runs(many, wanted)

    assert len(found) == (1 if "kind" in narrow else 0)
    assert _blocks(many, statements("activity")["runs"], _asked(wanted)) <= blocks


def _asked(wanted: Wanted) -> dict[str, Any]:
    beginning = {"realm": "", "run_id": "", "begin": True, "limit": 51}
    return wanted.where | beginning


def _blocks(connection: Connection[Any], statement: sql.Composable, values: dict[str, Any]) -> int:
    """How many blocks of the database a statement looks at."""
    explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.as_bytes(connection)
    [(plan,)] = connection.execute(explain, values).fetchall()
    return int(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])


def _excluded(connection: Connection[Any], id: str) -> None:
    because = {"reason": "excluded_by_mapping", "message": "Excluded by the mapping: a category."}
    ended(connection, "run-1", "products", id, "excluded", **because)


def _run(connection: Connection[Any]) -> activity.Run:
    run = activity.run(connection, REALM, "run-1")
    assert run is not None
    return run
