"""The DAG that throws away what is old: one for all companies, every day."""

from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.acceptance.kept_in_step import kept_in_step
from tests.dags.test_dags import DAGS

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture
def dag(airflow_metadata: None) -> Any:
    return DagBag(DAGS).dags["purge_quickbooks_crm"]


def test_it_runs_every_day_one_at_a_time(dag: Any) -> None:
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == ("23 3 * * *", 1, False)
    assert [(task.task_id, task.retries) for task in dag.tasks] == [("throw_away", 3)]


def test_it_throws_away_what_is_old_of_every_company(
    dag: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_in_step(database_url, monkeypatch, customers=3, items=2) as company:
        company.sync()
        company.ask("UPDATE sync.run SET finished_at = now() - interval '500 days' RETURNING 1")

        run = dag.test()

        assert str(run.state) == "success"
        assert company.ask("SELECT 1 FROM sync.outcome") == []
        assert company.ask("SELECT by_whom FROM sync.act") == [{"by_whom": "airflow"}]
