"""Never more than Intuit allows or the month's budget has, however many processes call (N18)."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import psycopg
import pytest

from quickbooks_crm import calls
from quickbooks_crm.errors import BudgetSpent
from quickbooks_crm.quickbooks.limiter import IN_FLIGHT, LONGEST, Outcome, SharedLimits
from quickbooks_crm.quickbooks.settings import Settings
from tests.integration.connected import client_of, company, settings

CUSTOMERS = "SELECT * FROM Customer ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000"


def known(realm: str = "9341", client_id: str = "client-a", **changed: Any) -> Settings:
    given = {"environment": "production", "client_secret": "", "first_refresh_token": ""}
    given |= {"api_url": "", "discovery_url": "", **changed}
    return Settings(realm=realm, client_id=client_id, **given)


class Time:
    """A pause that takes none: all turns so far move into the past instead."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.paused = 0.0
        self._begun = monotonic()

    @property
    def now(self) -> float:
        return monotonic() - self._begun + self.paused

    def pause(self, seconds: float) -> None:
        self.paused += seconds
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "LOCK TABLE sync.turn IN EXCLUSIVE MODE"
            )  # or two could wait in a ring
            connection.execute(
                "UPDATE sync.turn SET begun_at = begun_at - %s", [timedelta(seconds=seconds)]
            )

    def limits(self, run_id: str = "run-1", **changed: Any) -> SharedLimits:
        """The limits as one more process sees them."""
        connect = partial(psycopg.connect, self.url, autocommit=True)
        return SharedLimits(connect, known(**changed), run_id, self.pause)


@pytest.fixture
def time(database_url: str) -> Time:
    return Time(database_url)


@pytest.fixture
def ask(database_url: str) -> Iterator[Any]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda statement, *values: connection.execute(statement, values).fetchall()


def take(limits: SharedLimits, count: int = 1, outcome: Outcome = Outcome.BILLED) -> None:
    for _ in range(count):
        with limits.turn("Customer") as turn:
            turn.outcome = outcome


def test_ten_requests_may_start_at_once(time: Time) -> None:
    take(time.limits(), 10)

    assert time.paused == 0


def test_no_second_has_more_than_its_share_over_all_processes(time: Time, ask: Any) -> None:
    processes, starts = [time.limits(), time.limits()], []

    for turn in range(200):
        take(processes[turn % 2])
        [(begun,)] = ask("SELECT extract(epoch FROM max(begun_at)) FROM sync.turn")
        starts.append(float(begun) + time.paused)

    assert _most_within(1.2, starts) == 10
    assert ask("SELECT sum(calls) FROM sync.call") == [(200,)]


def _most_within(seconds: float, starts: list[float]) -> int:
    return max(sum(start <= other < start + seconds for other in starts) for start in starts)


def test_no_minute_has_more_than_its_share(time: Time, ask: Any) -> None:
    take(time.limits())
    ask(
        "INSERT INTO sync.turn"
        " (client_id, month, realm, run_id, purpose, metered, begun_at, ended_at)"
        " SELECT client_id, month, realm, run_id, purpose, metered,"
        " clock_timestamp() - n * interval '0.1 s', now()"
        " FROM sync.turn CROSS JOIN generate_series(21, 499) AS n RETURNING turn"
    )

    take(time.limits())

    assert 10 < time.paused < 10.2


def test_another_company_has_limits_of_its_own(time: Time) -> None:
    take(time.limits(realm="1"), 10)
    take(time.limits(realm="2"), 10)

    assert time.paused == 0


def test_ten_requests_are_in_flight_at_most_over_all_processes(time: Time, ask: Any) -> None:
    lock, seen = threading.Lock(), [0, 0]

    def request(limits: SharedLimits) -> None:
        with limits.turn("Customer"):
            with lock:
                seen[0] += 1
                seen[1] = max(seen)
            ask("SELECT pg_sleep(0.02)")
            with lock:
                seen[0] -= 1

    processes = [time.limits() for _ in range(3)]
    with ThreadPoolExecutor(30) as pool:
        for future in [pool.submit(request, processes[n % 3]) for n in range(60)]:
            future.result()

    assert seen == [0, IN_FLIGHT]


def test_a_killed_process_keeps_its_place_only_until_its_request_must_be_over(
    time: Time, ask: Any
) -> None:
    killed = time.limits()
    for _ in range(IN_FLIGHT):
        killed._begun("Customer")
    time.pause(LONGEST.total_seconds() - 1)

    take(time.limits())

    assert LONGEST.total_seconds() - 0.2 < time.now < LONGEST.total_seconds() + 1
    assert ask("SELECT calls, metered FROM sync.call") == [(11, 11)]


def test_a_clock_that_is_put_back_stops_nobody(time: Time, ask: Any) -> None:
    take(time.limits(), 10)
    ask("UPDATE sync.turn SET begun_at = begun_at + interval '1 day' RETURNING turn")

    take(time.limits())

    assert 0 < time.paused <= 1.25


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [(Outcome.BILLED, (1, 1)), (Outcome.FREE, (1, 0)), (Outcome.UNSENT, (0, 0))],
)
def test_a_call_is_in_the_ledger_with_what_it_cost(
    time: Time, ask: Any, outcome: Outcome, counted: tuple[int, int]
) -> None:
    take(time.limits("run-7"), outcome=outcome)

    written = ask("SELECT client_id, realm, run_id, purpose, calls, metered FROM sync.call")
    assert written == [("client-a", "9341", "run-7", "Customer", *counted)]
    assert ask("SELECT used, budget FROM sync.budget") == [(counted[1], 500_000)]


def test_a_call_of_which_nobody_knows_what_became_stays_billed(time: Time, ask: Any) -> None:
    with pytest.raises(KeyError), time.limits().turn("changes"):
        raise KeyError

    assert ask("SELECT purpose, calls, metered FROM sync.call") == [("changes", 1, 1)]


def test_a_sandbox_costs_nothing(time: Time, ask: Any) -> None:
    take(time.limits(environment="sandbox", monthly_calls=1), 3)

    assert ask("SELECT calls, metered FROM sync.call") == [(3, 0)]
    assert ask("SELECT * FROM sync.budget") == []


def test_never_more_than_the_budget_is_called_over_all_processes(time: Time, ask: Any) -> None:
    """Two companies with one app, asked by four processes at once."""
    processes = [time.limits(realm=str(n % 2), monthly_calls=25) for n in range(4)]
    granted = []

    def call(limits: SharedLimits) -> None:
        try:
            take(limits)
            granted.append(1)
        except BudgetSpent:
            granted.append(0)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(call, processes * 15))

    assert (sum(granted), len(granted)) == (25, 60)
    assert ask("SELECT used FROM sync.budget") == [(25,)]
    assert ask("SELECT sum(calls), sum(metered) FROM sync.call") == [(25, 25)]


def test_what_was_not_billed_is_given_back_to_the_budget(time: Time) -> None:
    limits = time.limits(monthly_calls=2)

    take(limits, 20, Outcome.FREE)
    take(limits, 2)

    with pytest.raises(BudgetSpent):
        take(limits)


def test_another_app_has_a_budget_of_its_own(time: Time) -> None:
    take(time.limits(client_id="one", monthly_calls=1))

    take(time.limits(client_id="two", monthly_calls=1))


def test_a_spent_budget_is_told_to_who_can_raise_it(time: Time) -> None:
    take(time.limits(client_id="ABclient9xyz", monthly_calls=3), 3)

    with pytest.raises(BudgetSpent) as caught:
        take(time.limits(client_id="ABclient9xyz", monthly_calls=3))

    now = datetime.now(UTC)
    until = (now.replace(day=1) + timedelta(days=31)).replace(day=1)
    assert str(caught.value) == (
        f"The QuickBooks app whose client id ends in '9xyz' has used 3 calls in {now:%B %Y}, of 3 "
        f"that it may. Nothing is called before {until:%Y-%m-%d} 00:00 UTC, and the first run "
        "after that goes on from here. If Intuit's plan allows more, raise Calls a month in the "
        "connections of all companies with this app (Admin > Connections)."
    )


def test_the_next_month_begins_with_nothing_used(time: Time, ask: Any) -> None:
    take(time.limits(monthly_calls=1))
    ask("UPDATE sync.budget SET month = month - interval '1 month' RETURNING month")

    take(time.limits(monthly_calls=1))

    assert ask("SELECT used FROM sync.budget") == [(1,), (1,)]


def test_a_lost_connection_to_the_database_costs_no_answer_and_no_later_call(
    time: Time, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    limits = time.limits()
    with limits.turn("Customer"):
        ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    take(limits)

    assert "The end of a QuickBooks call was not noted: AdminShutdown" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    assert ask("SELECT calls, metered FROM sync.call") == [(2, 2)]


def test_closed_limits_leave_no_connection_behind(time: Time, ask: Any) -> None:
    with closing(time.limits()) as limits:
        take(limits)
    forgotten = time.limits()
    take(forgotten)
    del forgotten

    for _ in range(100):
        others = ask(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        if not others:
            return
        ask("SELECT pg_sleep(0.02)")
    pytest.fail("connections are left")


def test_two_processes_and_many_threads_read_a_company_within_its_limits(
    database_url: str, ask: Any
) -> None:
    connect = partial(psycopg.connect, database_url, autocommit=True)
    with company(customers=100, latency_ms=30) as quickbooks:
        two = [SharedLimits(connect, settings(quickbooks), "run-1") for _ in range(2)]
        clients = [client_of(quickbooks, limits=limits) for limits in two]
        for client in clients:
            client.company_info()
        with ThreadPoolExecutor(20) as pool:
            pages = list(pool.map(lambda n: clients[n % 2].query(CUSTOMERS), range(24)))

        assert {len(page) for page in pages} == {len(pages[0])}
        assert quickbooks.maxima["in_flight"] <= 10
        assert quickbooks.maxima["per_second"] <= 10
        assert {call.status for call in quickbooks.calls} == {200}
        assert ask("SELECT used FROM sync.budget") == [(quickbooks.metered,)]
    assert ask("SELECT purpose, calls FROM sync.call ORDER BY 1") == [
        ("Customer", 24),
        ("companyinfo", 2),
    ]


def test_a_companys_use_of_the_month_is_told(time: Time, database_url: str) -> None:
    take(time.limits(client_id="ABclient9xyz", monthly_calls=1_000), 3)

    with psycopg.connect(database_url) as connection:
        use = calls.use(connection, "9341")

    assert use is not None
    assert use.sentence == (
        f"3 of the 1,000 QuickBooks calls of {datetime.now(UTC):%B %Y} (UTC) are used, by all "
        "companies of the app whose client id ends in '9xyz'."
    )
