"""Stops all that the demo started, also when nobody is left who remembers starting it."""

from __future__ import annotations

import shutil

from demo import airflow, postgres, processes
from demo import settings as settings_file
from demo.home import Home


def down(home: Home) -> None:
    """Stop every process; the data stays."""
    stopped = processes.stop(home, [airflow.SCHEDULER, airflow.TRIGGERER])
    stopped += processes.stop(home, processes.started(home))
    if postgres.running(home.path):
        postgres.stop(home.path)
        stopped += 1
    print(f"Stopped {stopped} processes." if stopped else "Nothing was running.")


def reset(home: Home) -> None:
    """Stop every process and remove the data, the logs and the passwords."""
    down(home)
    postgres.remove(home.path)
    if settings_file.load(home) is not None or not any(home.path.iterdir()):
        shutil.rmtree(home.path)
    print("The demo's data is gone.")
