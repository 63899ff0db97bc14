"""What a run says of the calls it made, and how it stops before Intuit blocks the app."""

from collections.abc import Iterator

import pytest

from quickbooks_crm import activity, wording
from quickbooks_crm.errors import BudgetSpent
from tests.acceptance.kept_in_step import Kept, kept_in_step
from tests.integration.connected import typed_as_json


@pytest.fixture
def kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch) as company:
        yield company


def allow(kept: Kept, patch: pytest.MonkeyPatch, calls: int) -> None:
    """Someone writes another number of calls a month into the connection."""
    value = typed_as_json(kept.quickbooks, monthly_calls=str(calls))
    patch.setenv("AIRFLOW_CONN_QUICKBOOKS_SAMPLE", value)


def test_a_run_says_how_often_it_called_and_for_what(kept: Kept) -> None:
    kept.sync()

    quiet = kept.sync()

    assert quiet.calls == {"changes": 1}
    assert wording.summary(quiet).splitlines()[0].endswith(", 1 API call (changes 1)")
    assert quiet.month is not None
    assert quiet.month.used == kept.quickbooks.metered
    assert quiet.month.sentence in wording.summary(quiet)
    assert activity.as_json(quiet)["calls"] == {"changes": 1}


def test_the_ledger_has_every_call_that_quickbooks_had(kept: Kept) -> None:
    kept.quickbooks.fail("query", 503)

    run = kept.sync()

    asked = [call for call in kept.quickbooks.calls if call.kind not in ("token", "discovery")]
    assert run.api_calls == len(asked)
    assert run.month is not None
    assert run.month.used == len(asked) - 1


def test_a_run_warns_once_when_a_fifth_of_the_budget_is_left(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = kept.sync().api_calls
    allow(kept, monkeypatch, (used + 1) * 100 // 80 + 1)
    before = kept.sync()
    allow(kept, monkeypatch, (used + 2) * 100 // 80)

    after = kept.sync()

    assert before.warnings == ()
    assert len(after.warnings) == 1
    assert "runs stop until the next month" in after.warnings[0]
    assert after.state == "success"


def test_a_spent_budget_stops_a_run_before_anything_is_called(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, image = kept.sync().api_calls, kept.image()
    allow(kept, monkeypatch, used)
    kept.quickbooks.change("Customer", "3", Notes="news")
    asked = len(kept.quickbooks.calls)

    with pytest.raises(BudgetSpent):
        kept.sync("stopped")

    run = kept.run("stopped")
    assert (run.state, [problem.code for problem in run.problems]) == ("failed", ["budget_spent"])
    assert (len(kept.quickbooks.calls), run.api_calls) == (asked, 0)
    assert kept.image() == image


def test_a_run_goes_on_when_the_budget_is_raised(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = kept.sync().api_calls
    allow(kept, monkeypatch, used)
    kept.quickbooks.change("Customer", "3", DisplayName="News")
    with pytest.raises(BudgetSpent):
        kept.sync()
    allow(kept, monkeypatch, used + 10)

    kept.sync()

    assert kept.crm("crm.accounts", "3")["name"] == "News"
