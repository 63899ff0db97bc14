"""The DAG that tells what needs a person: there only where a company's file names a notifier."""

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from quickbooks_crm import companies
from tests.acceptance.kept_in_step import kept_in_step, own_include
from tests.dags.test_dags import DAGS, states

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


def test_a_company_that_names_a_notifier_is_looked_at_every_quarter_of_an_hour(
    airflow_metadata: None,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    own_include(tmp_path, monkeypatch, "[products]")
    file, said = companies.INCLUDE / "companies" / "sample.yaml", tmp_path / "said.txt"
    without = DagBag(DAGS).dags.get("watch_quickbooks_crm")
    file.write_text(
        f"{file.read_text()}\nnotify:\n  notifier: tests.integration.to_file.ToFile\n"
        f"  arguments: {{path: {said}, subject: '{{{{ run_id }}}} {{{{ quickbooks.subject }}}}'}}\n"
    )
    dag = DagBag(DAGS).dags["watch_quickbooks_crm"]
    with kept_in_step(database_url, monkeypatch, customers=1, items=2) as company:
        company.sync()
        company.ask("UPDATE sync.token SET state = 'reconnect_needed' RETURNING 1")

        runs = [dag.test(), dag.test()]

    assert without is None
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == ("*/15 * * * *", 1, False)
    assert [states(run) for run in runs] == [{"tell_sample": "success"}] * 2
    [told] = said.read_text().strip().splitlines()
    assert told.endswith("Sample company: QuickBooks has to be connected again")
    assert runs[0].run_id in told
