"""Another company behind the connection stops a run before any row moves."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import breakers, company_check
from quickbooks_crm.errors import BreakerTripped
from quickbooks_crm.quickbooks.hook import QuickBooksHook
from quickbooks_crm.quickbooks.identity import Identity, identity_of
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.runs import Run
from tests.integration.connected import company, typed_as_json
from tests.integration.runs import REALM, started

OURS = Identity(REALM, "sandbox", "Sample Ltd", datetime(2020, 5, 17, 12, tzinfo=UTC))
RUN = Run("sample", REALM, "run-1")


@dataclass(frozen=True)
class Seen:
    """A connection that leads to this company."""

    identity: Identity

    def company(self) -> Identity:
        return self.identity


@pytest.fixture
def bound(connection: Connection[Any]) -> Connection[Any]:
    """A database in which our company is bound, and runs have begun, one for another company id."""
    connection.autocommit = True
    for realm in (REALM, "123"):
        started(connection, RUN.run_id, realm=realm)
    company_check.require_same_company(connection, RUN, Seen(OURS))
    return connection


def known(connection: Connection[Any]) -> tuple[Any, ...] | None:
    return connection.execute(
        "SELECT realm, environment, name, created_at FROM sync.company"
    ).fetchone()


def check(connection: Connection[Any], **changed: Any) -> None:
    """What a run does whose connection leads to a company that differs so."""
    seen = replace(OURS, **changed)
    run = replace(RUN, realm=seen.realm)
    try:
        company_check.require_same_company(connection, run, Seen(seen))
    except BreakerTripped as tripped:
        breakers.note(connection, run, tripped.danger)
        raise


def release(connection: Connection[Any]) -> None:
    breakers.release(connection, "sample", "wrong_company", "anna", "we moved")


def test_the_first_company_seen_is_bound(bound: Connection[Any]) -> None:
    assert known(bound) == ("9341452000000001", "sandbox", "Sample Ltd", OURS.created_at)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"realm": "123"}, "company id"),
        ({"environment": "production"}, "environment"),
        ({"name": "Another Ltd"}, "name"),
        ({"created_at": datetime(2021, 1, 1, tzinfo=UTC)}, "time of creation"),
        ({"realm": "123", "name": "Another Ltd"}, "company id, name"),
    ],
)
def test_another_company_stops_the_run_until_a_person_releases_it(
    bound: Connection[Any], changed: dict[str, Any], what: str
) -> None:
    before = known(bound)

    with pytest.raises(BreakerTripped, match=f"not the same: {what}[.] .*release it on"):
        check(bound, **changed)

    assert known(bound) == before
    release(bound)
    check(bound, **changed)
    found = replace(OURS, **changed)
    assert known(bound) == (found.realm, found.environment, found.name, found.created_at)


def test_a_release_lets_one_change_pass_and_not_the_next(bound: Connection[Any]) -> None:
    with pytest.raises(BreakerTripped):
        check(bound, name="Another Ltd")
    release(bound)
    check(bound, name="Another Ltd")

    with pytest.raises(BreakerTripped):
        check(bound, name="Third Ltd")


def test_a_release_is_for_the_company_that_was_shown(bound: Connection[Any]) -> None:
    with pytest.raises(BreakerTripped):
        check(bound, name="Another Ltd")
    release(bound)

    with pytest.raises(BreakerTripped):
        check(bound, name="Third Ltd")


def test_names_are_only_in_the_breakers_details(bound: Connection[Any]) -> None:
    with pytest.raises(BreakerTripped) as stopped:
        check(bound, name="Another Ltd")

    [breaker] = breakers.open_ones(bound, "sample")
    assert "Ltd" not in str(stopped.value) + breaker.message
    assert breaker.details["bound"]["name"] == "Sample Ltd"
    assert breaker.details["found"]["name"] == "Another Ltd"


@pytest.mark.parametrize("changed", [{"realm": "123"}, {"name": "Another Ltd"}])
def test_a_connection_put_right_ends_the_breaker(
    bound: Connection[Any], changed: dict[str, Any]
) -> None:
    with pytest.raises(BreakerTripped):
        check(bound, **changed)

    company_check.require_same_company(bound, RUN, Seen(OURS))

    assert breakers.open_ones(bound, "sample") == []


def test_what_quickbooks_does_not_say_is_no_difference_and_is_filled_in_later(
    connection: Connection[Any],
) -> None:
    connection.autocommit = True
    started(connection, RUN.run_id)

    for seen in (replace(OURS, name="", created_at=None), OURS, replace(OURS, name="")):
        company_check.require_same_company(connection, RUN, Seen(seen))

    assert known(connection) == (REALM, "sandbox", "Sample Ltd", OURS.created_at)


def test_the_check_is_due_when_new_when_a_day_old_and_for_another_company_id(
    connection: Connection[Any],
) -> None:
    connection.autocommit = True
    started(connection, RUN.run_id)
    assert company_check.is_due(connection, RUN)

    company_check.require_same_company(connection, RUN, Seen(OURS))

    assert not company_check.is_due(connection, RUN)
    assert company_check.is_due(connection, replace(RUN, realm="123"))
    assert company_check.is_due(connection, replace(RUN, company="other"))
    connection.execute("UPDATE sync.company SET checked_at = now() - interval '25 hours'")
    assert company_check.is_due(connection, RUN)
    company_check.require_same_company(connection, RUN, Seen(OURS))
    assert not company_check.is_due(connection, RUN)


@pytest.mark.parametrize(
    ("info", "name", "created"),
    [
        (
            {
                "CompanyName": "A & B",
                "MetaData": {"CreateTime": "2014-09-18T14:59:46-07:00"},
            },
            "A & B",
            datetime(2014, 9, 18, 21, 59, 46, tzinfo=UTC),
        ),
        ({"MetaData": {"CreateTime": "2014-09-18"}}, "", datetime(2014, 9, 18, tzinfo=UTC)),
        ({"CompanyName": None, "MetaData": {"CreateTime": "soon"}}, "", None),
        ({"MetaData": []}, "", None),
    ],
)
def test_an_identity_is_what_quickbooks_says_of_the_company(
    info: dict[str, Any], name: str, created: datetime | None
) -> None:
    settings = Settings("sandbox", "9341", "id", "hush", "", "", "")

    assert identity_of(settings, info) == Identity("9341", "sandbox", name, created)


def test_a_change_of_offset_alone_is_no_other_company(bound: Connection[Any]) -> None:
    """QuickBooks writes the same moment with another offset when the clocks change."""
    assert OURS.created_at
    check(bound, created_at=OURS.created_at.astimezone(timezone(timedelta(hours=-7))))


def test_the_connection_tells_its_company_in_one_call(
    crm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company(customers=1, items=1) as quickbooks:
        monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", typed_as_json(quickbooks))

        found = QuickBooksHook("quickbooks_sample").company()

        assert (found.realm, found.environment) == (quickbooks.realm, "simulator")
        assert found.name == quickbooks.rows("CompanyInfo")[0]["CompanyName"]
        assert found.created_at is not None
        assert [call.kind for call in quickbooks.calls].count("companyinfo") == 1
