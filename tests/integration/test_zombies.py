"""A try that another one has taken over may not write any more, wherever it is."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import pipeline, runs
from quickbooks_crm.errors import RunSuperseded
from quickbooks_crm.mirror import Mirror
from quickbooks_crm.runs import Run
from tests.acceptance.kept_in_step import BY_HAND, Kept
from tests.faults.watched import before_each_statement
from tests.integration.at_work import FIRST, REALM, SECOND, begun, connection, fell_silent, kept

__all__ = ["connection", "kept"]


def test_an_earlier_try_may_not_write(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    zombie = runs.attempt(connection, FIRST, "extract")
    runs.attempt(connection, FIRST, "extract")

    with pytest.raises(RunSuperseded, match="taken over extract of run run-1"):
        Mirror(connection, zombie)


def test_a_try_of_an_earlier_run_may_not_write(connection: Connection[Any]) -> None:
    begun(connection, FIRST)
    zombie = runs.attempt(connection, FIRST, "extract")
    fell_silent(connection)
    begun(connection, SECOND)

    with pytest.raises(RunSuperseded):
        Mirror(connection, zombie)

    with pytest.raises(RunSuperseded):  # not even when the newer run has finished
        runs.finish(connection, SECOND)
        Mirror(connection, zombie)


def test_a_zombie_that_hangs_in_its_transaction_does_not_stop_the_next_try(
    database_url: str, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused process keeps its locks: Postgres ends its transaction after a while."""
    monkeypatch.setattr(runs, "SILENCE", timedelta(seconds=1))
    begun(connection, FIRST)
    zombie = psycopg.connect(database_url, autocommit=True)
    hung = runs.attempt(zombie, FIRST, "products.load")

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout), zombie.transaction():
        hung.require(zombie)
        runs.attempt(connection, FIRST, "products.load")
        zombie.execute("INSERT INTO crm.accounts (name) VALUES ('written by a zombie')")

    assert connection.execute("SELECT 1 FROM crm.accounts").fetchall() == []


def test_an_extract_that_is_superseded_between_two_pages_stops_there(
    kept: Kept, connection: Connection[Any]
) -> None:
    run = Run("sample", REALM, "run-1")
    pipeline.check_settings("sample", "run-1", BY_HAND)
    kept.quickbooks.when(
        "query",
        lambda: runs.attempt(connection, run, "extract"),
        matching="SELECT * FROM Item",
    )

    with pytest.raises(RunSuperseded):
        pipeline.extract("sample", "run-1")

    assert kept.ask("SELECT DISTINCT entity FROM quickbooks.record") == [{"entity": "Customer"}]
    assert kept.ask("SELECT entity FROM sync.entity_position") == [{"entity": "Customer"}]
    assert kept.ask("SELECT 1 FROM sync.generation WHERE sealed_at IS NOT NULL") == []


@pytest.mark.parametrize("stage", ["transform", "load"])
def test_a_stage_that_is_superseded_before_it_writes_writes_nothing(
    kept: Kept, connection: Connection[Any], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    if stage == "load":
        pipeline.transform("sample", "run-1", "products")
    checks = []

    def supersede(statement: str) -> None:
        checks.append("FROM sync.lease WHERE realm" in statement)
        if sum(checks) == 2 and checks[-1]:  # the first is part of beginning the try
            runs.attempt(connection, Run("sample", REALM, "run-1"), f"products.{stage}")

    before_each_statement(monkeypatch, supersede)
    with pytest.raises(RunSuperseded):
        getattr(pipeline, stage)("sample", "run-1", "products")

    assert kept.ask("SELECT 1 FROM crm.products") == []
    assert kept.ask("SELECT 1 FROM sync.outcome") == []
    assert bool(kept.ask("SELECT 1 FROM sync.stage")) is (stage == "load")
    assert bool(kept.ask("SELECT 1 FROM sync.staged")) is (stage == "load")
