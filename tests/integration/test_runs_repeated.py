"""A run that somebody repeats in Airflow is one run: what it did, it did in all."""

from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import End, counts, item, outcome, products, rows, sync
from tests.integration.undo import undo

NAMES = "SELECT name FROM crm.products"


@pytest.mark.parametrize("before", [[], ["Old"]], ids=["added", "updated"])
def test_what_a_run_brought_in_is_undone_though_it_could_not_be_read_when_it_was_repeated(
    connection: Connection[Any], before: list[str]
) -> None:
    for name in before:
        sync(connection, products(), item("7", Name=name))
    did = sync(connection, products(), item("7", Name="New"), run_id="run")

    assert sync(connection, products(), item("7", Name=""), run_id="run") == did

    assert outcome(connection, "7", "reason") == (None,)
    assert counts(connection) == {"read": 1, did[0].outcome: 1}
    [(warned,)] = rows(connection, "SELECT warnings FROM sync.run WHERE run_id = 'run'")
    assert warned["products.held_back_since"].startswith(
        "1 record of products that this run had brought in could not be read again when it was "
    )
    assert rows(connection, "SELECT reason FROM sync.held") == [("missing_required",)]
    ended = End("7", "updated" if before else "removed")
    assert undo(connection, products(), "run") == [ended]
    assert rows(connection, NAMES) == [(name,) for name in before]
