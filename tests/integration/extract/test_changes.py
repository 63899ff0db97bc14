"""Whatever happens to a record, also while it is read, the mirror ends as QuickBooks has it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.quickbooks import reading
from quickbooks_crm.runs import Attempt
from simulator import Simulator
from tests.integration.connected import client_of, company
from tests.integration.extracting import ALL, Books, extract, mirrored, truth, versions


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param([lambda q: q.inactivate("Customer", "3")], id="inactive"),
        pytest.param(
            [lambda q: q.inactivate("Customer", "3"), lambda q: q.reactivate("Customer", "3")],
            id="inactive, then active again",
        ),
        pytest.param([lambda q: q.void("Invoice", "2")], id="voided"),
        pytest.param([lambda q: q.merge("Customer", "3", "4")], id="merged away"),
        pytest.param([lambda q: q.delete("Invoice", "2")], id="deleted"),
        pytest.param(
            [lambda q: q.delete("Invoice", q.add("Invoice", CustomerRef={"value": "1"}))],
            id="created and deleted in between",
        ),
    ],
)
def test_what_happens_to_a_record_between_two_runs_reaches_the_mirror(
    connection: Connection[Any],
    attempt: Attempt,
    happens: list[Callable[[Simulator], object]],
) -> None:
    with company(customers=30, items=5, invoices=20, throttle=False) as quickbooks:
        books = Books(client_of(quickbooks))
        extract(connection, books, attempt, ALL, everything=False)
        for happen in happens:
            happen(quickbooks)
            extract(connection, books, attempt, ALL, everything=False)

        for entity in ALL:
            rows = mirrored(connection, entity).items()
            assert versions(connection, entity) == truth(quickbooks, entity)
            assert {id: row["payload"] for id, row in rows if not row["deleted"]} == {
                row["Id"]: row
                for row in json.loads(json.dumps(quickbooks.rows(entity), default=float))
            }


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda q: q.add("Customer", DisplayName="Aaa"), id="a row is added"),
        pytest.param(lambda q: q.change("Customer", "3", DisplayName="Zzz"), id="renamed"),
        pytest.param(lambda q: q.inactivate("Customer", "3"), id="made inactive"),
        pytest.param(lambda q: q.delete("Customer", "29"), id="deleted behind it"),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_company_that_changes_while_it_is_read_loses_nothing_after_one_more_run(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    meanwhile: Callable[[Simulator], object],
    page: int,
) -> None:
    books = Books(client_of(quickbooks))
    quickbooks.when("query", lambda: meanwhile(quickbooks), matching="SELECT *", after=page)

    extract(connection, books, attempt, ["Customer"], everything=False)
    extract(connection, books, attempt, ["Customer"], everything=False)

    assert versions(connection) == truth(quickbooks)


def test_a_delete_while_reading_hides_no_other_row_from_the_mirror(
    connection: Connection[Any],
    attempt: Attempt,
    quickbooks: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rows behind it move down by one, and the next page would begin one too late."""
    monkeypatch.setattr(reading, "CONNECTIONS", 1)  # pages come in order
    quickbooks.when(
        "query", lambda: quickbooks.delete("Customer", "1"), matching="STARTPOSITION", after=1
    )

    extract(connection, Books(client_of(quickbooks)), attempt, ["Customer"], everything=False)

    assert mirrored(connection).keys() == {str(n) for n in range(1, 31)}
