"""Whoever is erased, and whatever company is removed, while a preview is at work: nothing of it is
kept that the preview has seen."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import erasing, leaving, preview, runs
from quickbooks_crm.errors import CompanyBusy
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.runs import Run
from tests.integration.crm import REALM, accounts, customer, mirror, rows, sync
from tests.integration.test_erasing import MORE, person
from tests.integration.undo import company as a_company

ACT = Callable[[Connection[Any]], object]
TOLD = "SELECT run_id FROM sync.outcome WHERE id = '57'"
WAITS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@pytest.fixture
def run(connection: Connection[Any], crm: str) -> Run:
    """A preview that has an account of a person to tell of."""
    known = _known()
    sync(connection, known, customer("1"))
    connection.execute(
        "INSERT INTO sync.company (company, realm, environment, name) VALUES (%s, %s, 'x', 'A')",
        ["sample", REALM],
    )
    made = Run("sample", REALM, "previewed")
    mirror(connection, made, person())
    runs.settle(connection, made, known.values(), list(known))
    return made


def _known() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts(MORE)})


def rehearse(run: Run, at_its_end: ACT) -> list[str]:
    def act(inside: Connection[Any]) -> list[str]:
        loaded = preview.sync(inside, Bringing(run, a_company(), _known()), ["accounts"])
        at_its_end(inside)
        return loaded

    return preview.rehearse(run, act)


def erase(connection: Connection[Any]) -> None:
    erasing.erase(connection, "sample", [("Customer", "57")], "blank", "ann")


def remove(connection: Connection[Any]) -> None:
    leaving.remove_company(connection, "sample", "keep", "ann")


def beside(url: str, act: ACT) -> Thread:
    """Somebody else's process that does something."""

    def do() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            act(connection)

    return Thread(target=do)


def test_nothing_is_kept_of_who_is_erased_during_a_preview(
    connection: Connection[Any], run: Run
) -> None:
    with pytest.raises(CompanyBusy, match="A person was erased, or company sample removed"):
        rehearse(run, lambda _inside: erase(connection))

    assert rows(connection, TOLD) == []


def test_a_preview_waits_for_who_is_in_the_middle_of_erasing(
    connection: Connection[Any], run: Run, database_url: str
) -> None:
    with psycopg.connect(database_url) as other:
        runs.take_out(other, Run("sample", REALM, "erase"))
        waiting = Thread(target=lambda: _until_somebody_waits(connection, other))
        rehearse(run, lambda _inside: waiting.start())
        waiting.join()

    assert rows(connection, TOLD) == [("previewed",)]


def _until_somebody_waits(connection: Connection[Any], other: Connection[Any]) -> None:
    while rows(connection, WAITS) == [(0,)]:
        pass
    other.rollback()


def test_what_a_preview_keeps_is_erased_by_who_comes_after_it(
    connection: Connection[Any], run: Run
) -> None:
    rehearse(run, lambda _inside: None)
    erase(connection)

    told = rows(connection, "SELECT after FROM sync.outcome WHERE id = '57'")
    assert len(told) == 1 and "Zyxwvut" not in str(told)


def test_nothing_is_kept_of_a_company_that_is_removed_during_a_preview(
    connection: Connection[Any], run: Run, database_url: str
) -> None:
    removing = beside(database_url, remove)
    with pytest.raises(CompanyBusy, match="A person was erased, or company sample removed"):
        rehearse(run, lambda _inside: _begin(connection, removing))
    removing.join()

    assert rows(connection, TOLD) == []
    assert rows(connection, "SELECT run_id FROM sync.run") == []


def _begin(connection: Connection[Any], removing: Thread) -> None:
    """It is in its transaction, and waits for the preview's own."""
    removing.start()
    while rows(connection, WAITS) == [(0,)]:
        pass
