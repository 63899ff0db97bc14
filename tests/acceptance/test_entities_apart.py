"""An entity that cannot be read stops only the modules that read it, and the run says so."""

from collections.abc import Iterator

import psycopg
import pytest

from quickbooks_crm import breakers, pipeline, wording
from quickbooks_crm.errors import (
    BreakerTripped,
    QuickBooksAsksToWait,
    QuickBooksClosed,
    SyncFailed,
)
from tests.acceptance.kept_in_step import BY_HAND, Kept, counts, kept_in_step


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def live(kept: Kept, entity: str) -> int:
    return len(kept.quickbooks.rows(entity))


def test_a_page_that_fails_for_ever_stops_only_its_own_modules(kept: Kept) -> None:
    kept.quickbooks.fail("query", 400, matching="FROM Customer", times=1000)

    with pytest.raises(SyncFailed, match="accounts, contacts"):
        kept.sync("run-1")

    run = kept.run("run-1")
    told = wording.summary(run)
    assert (run.state, list(counts(run))) == ("failed", ["products"])
    assert counts(run)["products"]["added"] == live(kept, "Item")
    assert sorted(run.blocked) == ["accounts", "contacts"]
    assert "Customer could not be read: QuickBooks refused a query" in told
    assert "status 400" in told

    kept.quickbooks.clear_faults()
    kept.quickbooks.reset_calls()
    assert kept.sync("run-2").state == "success"
    asked = {c.statement for c in kept.quickbooks.calls if c.kind == "query"}
    assert all("FROM Customer" in statement for statement in asked)


def test_a_repeated_extract_that_goes_well_unblocks_the_modules(kept: Kept) -> None:
    kept.quickbooks.fail("query", 400, matching="FROM Item")
    pipeline.check_settings("sample", "run-1", BY_HAND)

    assert pipeline.extract("sample", "run-1")["work"] == ["accounts", "contacts"]
    assert pipeline.extract("sample", "run-1")["work"] == ["products", "accounts", "contacts"]
    assert kept.run("run-1").blocked == {}


@pytest.mark.parametrize("kind", ["query", "cdc"])
def test_when_quickbooks_asks_to_wait_no_other_entity_is_asked_for(kept: Kept, kind: str) -> None:
    """It asks for the whole company, not for the entity that happened to be read."""
    kept.sync("run-1")
    kept.quickbooks.reset_calls()
    kept.quickbooks.fail(kind, 429, matching="Item", headers={"Retry-After": "120"})

    with pytest.raises(QuickBooksAsksToWait, match="Nothing is called for 120 seconds"):
        kept.sync("run-2", everything=kind == "query")

    asked = [(call.kind, call.status) for call in kept.quickbooks.calls]
    assert (asked[-1], asked.count((kind, 429))) == ((kind, 429), 1)
    [problem] = kept.run("run-2").problems
    assert (problem.task, problem.code) == ("extract", "quickbooks_asks_to_wait")
    assert kept.sync("run-3").state == "success"


@pytest.mark.parametrize(("status", "code"), [(403, None), (400, "6190")])
@pytest.mark.parametrize("everything", [False, True])
def test_a_company_that_is_closed_to_us_is_asked_once_and_not_for_each_entity(
    kept: Kept, status: int, code: str | None, everything: bool
) -> None:
    """N24, N25: disconnected, or its subscription has lapsed."""
    kept.sync("run-1")
    kept.quickbooks.reset_calls()
    kept.quickbooks.fail("*", status, times=1000, code=code)

    with pytest.raises(QuickBooksClosed):
        kept.sync("run-2", everything=everything)

    assert len(kept.quickbooks.calls) == 1


def test_every_breaker_that_tripped_can_be_released_though_nothing_could_be_read(
    kept: Kept, database_url: str
) -> None:
    entities = ("Customer", "Item", "Term")
    kept.sync("run-1")
    for entity in entities:
        for row in kept.quickbooks.rows(entity):
            kept.quickbooks.vanish(entity, row["Id"])

    with pytest.raises(BreakerTripped):
        kept.sync("run-2", everything=True)

    with psycopg.connect(database_url) as connection:
        names = {breaker.name for breaker in breakers.open_ones(connection, "sample")}
    assert names == {f"empty_source:{entity}" for entity in entities}
