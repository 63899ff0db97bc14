"""Runs a sync through Airflow's scheduler, as a person would with its buttons, and watches it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import processes
from demo.airflow import COMPONENTS, DAG_PROCESSOR
from demo.home import Home
from demo.quickbooks import connection
from demo.rest import Rest
from demo.settings import Settings

DAG = "quickbooks_to_crm_sample"
_ENDED = {"success", "failed", "upstream_failed", "skipped", "removed"}


class SyncFailed(Exception):
    """It did not end well. `run_id` is the run's, if there was one, and `reasons` has what each of
    its tasks complained of."""

    def __init__(
        self, message: str, run_id: str = "", reasons: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.reasons = reasons or {}


def connect(rest: Rest, settings: Settings) -> None:
    """Make the connection to the simulator, or point it to where the simulator is now."""
    wanted = connection(settings)
    path = f"/connections/{wanted['connection_id']}"
    if rest.get(path) is None:
        rest.post("/connections", wanted)
    else:
        rest.patch(path, wanted)


def wait_for_dag(home: Home, rest: Rest) -> None:
    """Wait until Airflow has read the DAG file."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if rest.get(f"/dags/{DAG}"):
            return
        if errors := rest.get("/importErrors")["import_errors"]:
            told = "\n".join(f"{error['filename']}\n{error['stack_trace']}" for error in errors)
            raise SyncFailed(f"Airflow could not read a DAG file.\n{told}")
        processes.require(home, COMPONENTS[2:])
        time.sleep(0.3)
    raise processes.failed(home, DAG_PROCESSOR, f"found no DAG {DAG}")


def run(home: Home, rest: Rest) -> str:
    """Trigger a run, say what its tasks do, and return its id when it has ended well."""
    started = rest.post(f"/dags/{DAG}/dagRuns", {"logical_date": _due(rest)})
    rest.patch(f"/dags/{DAG}", {"is_paused": False})
    run_id = str(started["dag_run_id"])
    path = f"/dags/{DAG}/dagRuns/{run_id}"
    state = _watch(home, rest, path)
    if state != "success":
        raise SyncFailed(f"The sync ended {state}.", run_id, dict(_reasons(home, rest, path)))
    return run_id


def _due(rest: Rest) -> str | None:
    """The scheduled moment that waits for a DAG which has never run.

    Airflow would run it as soon as the DAG is switched on, before the one that we ask for, which
    would then have nothing to do. Ours takes its place.
    """
    dag = rest.get(f"/dags/{DAG}")
    due, when = dag["next_dagrun_logical_date"], dag["next_dagrun_run_after"]
    waits = dag["is_paused"] and when and datetime.fromisoformat(when) <= datetime.now(UTC)
    return due if waits else None


def _watch(home: Home, rest: Rest, path: str) -> str:
    told: set[str] = set()
    deadline = time.monotonic() + 3600
    while time.monotonic() < deadline:
        processes.require(home, COMPONENTS)
        state = str(rest.get(path)["state"])  # asked first, so that no task's end is missed
        for task in _tasks(rest, path):
            if task["state"] in _ENDED and task["task_id"] not in told:
                told.add(task["task_id"])
                print(f"  {task['duration'] or 0:5.1f} s  {task['task_id']}: {task['state']}")
        if state in _ENDED:
            return state
        time.sleep(0.3)
    return "unfinished after an hour"


def _tasks(rest: Rest, path: str) -> list[dict[str, Any]]:
    tasks = rest.get(f"{path}/taskInstances")["task_instances"]
    return sorted(tasks, key=lambda task: task["end_date"] or "")


def _reasons(home: Home, rest: Rest, path: str) -> Iterator[tuple[str, str]]:
    """What each task that failed complained of, but for the last one: it says what the others
    did."""
    run_id = path.rsplit("/", 1)[1]
    for task in _tasks(rest, path):
        if task["state"] == "failed" and task["task_id"] != "record_activity":
            folder = f"dag_id={DAG}/run_id={run_id}/task_id={task['task_id']}"
            log = home.path / "airflow" / "logs" / folder / f"attempt={task['try_number']}.log"
            yield task["task_id"], f"{_last_error(log)}\n  Its log is {log}"


def _last_error(log: Path) -> str:
    """The last thing a task complained about: Airflow writes its logs as one JSON object a line."""
    if not log.exists():
        return "it left no log"
    entries = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    errors = [entry for entry in entries if entry.get("level") in ("error", "critical")]
    if not errors:
        return "it left no error in its log"
    details = errors[-1].get("error_detail") or [{}]
    return f"{errors[-1]['event']} {details[0].get('exc_value', '')}".strip()
