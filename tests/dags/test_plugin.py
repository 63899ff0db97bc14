"""Airflow finds one plugin and imports nothing else from plugins/ under a bare name."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

LOADED = f"""
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
views, _ = plugins_manager._get_ui_plugins()
files = {{name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}}
print("told=" + json.dumps({{
    "plugins": [plugin.name for plugin in plugins if "quickbooks" in str(plugin.source).lower()],
    "errors": errors,
    "views": views,
    "modules": sorted(name for name, file in files.items() if file.startswith({str(PLUGINS)!r})),
}}))
"""

PARSED = f"""
import json, sys
NEEDED = ("quickbooks_crm.", "pandas", "psycopg", "airflow.providers.postgres.hooks")
from airflow import plugins_manager
plugins_manager._get_plugins()
before = set(sys.modules)
from airflow.dag_processing.dagbag import DagBag
errors = DagBag({str(PLUGINS.parent / "dags")!r}).import_errors
print("told=" + json.dumps({{
    "errors": errors,
    "imported": [name for name in sys.modules.keys() - before if name.startswith(NEEDED)],
}}))
"""

WITHOUT_TASKS = """
import json, sys
sys.modules["quickbooks_crm.pipeline"] = None
class HalfCopied:
    def find_spec(self, name, *others):
        if name == "quickbooks_crm.trying_again":
            raise SyntaxError("half a file")
sys.meta_path.insert(0, HalfCopied())
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
print("told=" + json.dumps([errors, "quickbooks_crm" in [plugin.name for plugin in plugins]]))
"""

WITHOUT_PAGES = """
import json, sys
sys.modules["quickbooks_crm.pages.app"] = None
from airflow import plugins_manager
print("told=" + json.dumps(plugins_manager.get_fastapi_plugins()))
"""


@pytest.fixture(scope="module")
def loaded() -> Any:
    """What Airflow found in plugins/."""
    return _told(LOADED)


def test_airflow_finds_one_plugin_and_no_errors(loaded: Any) -> None:
    assert (loaded["plugins"], loaded["errors"]) == (["quickbooks_crm"], {})


def test_nothing_else_in_plugins_is_imported_under_its_bare_name(loaded: Any) -> None:
    bare = [name for name in loaded["modules"] if name.split(".")[0] != "quickbooks_crm"]

    assert bare == ["quickbooks_crm_plugin"]


def test_processes_that_serve_no_pages_do_not_import_them(loaded: Any) -> None:
    """A task would pay half a second for it."""
    assert [name for name in loaded["modules"] if ".pages." in name] == []


def test_what_dags_need_is_there_before_a_process_is_forked_for_them() -> None:
    """A task would pay another half a second for it."""
    assert _told(PARSED) == {"errors": {}, "imported": []}


def test_airflow_starts_even_when_what_tasks_need_cannot_be_imported() -> None:
    assert _told(WITHOUT_TASKS) == [{}, True]


def test_the_pages_are_linked_relatively_so_that_they_survive_a_proxy(loaded: Any) -> None:
    linked = {view["destination"]: view["href"] for view in loaded["views"]}

    of_run = "quickbooks-crm/airflow/{DAG_ID}/{RUN_ID}"
    assert linked == {"nav": "quickbooks-crm/", "dag_run": of_run, "task_instance": of_run}
    assert all(view["icon"].startswith("quickbooks-crm/") for view in loaded["views"])


def test_airflow_starts_even_when_the_pages_cannot_be_imported() -> None:
    assert _told(WITHOUT_PAGES) == [[], []]


def _told(script: str) -> Any:
    """What a fresh process says: plugins are loaded once per process."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    [told] = [line for line in finished.stdout.splitlines() if line.startswith("told=")]
    return json.loads(told.removeprefix("told="))
