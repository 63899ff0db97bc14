"""Stops all that the demo started, also when nobody is left who remembers starting it."""

from __future__ import annotations

import shutil
from contextlib import suppress

from demo import airflow, postgres, processes
from demo import settings as settings_file
from demo.home import Home
from demo.names import POSTGRES, count


def down(home: Home) -> None:
    """Stop every service; the data stays."""
    stopped: list[str] = []
    with suppress(processes.ProcessFailed):  # tried again with all others
        stopped += processes.stop(home, [airflow.SCHEDULER, airflow.TRIGGERER])
    try:
        stopped += processes.stop(home, processes.started(home))
    finally:
        left = processes.sweep(home)
        if postgres.stop(home.path):
            stopped.append(POSTGRES)
    if stopped or not left:
        told = f"Stopped {count(len(stopped), 'service', 'services')}."
        print(told if stopped else "Nothing was running.")
    if left:
        print(f"Stopped {count(left, 'process', 'processes')} that a crash had left behind.")


def reset(home: Home) -> None:
    """Stop every service and remove the data, the logs and the passwords."""
    down(home)
    postgres.remove(home.path)
    known = settings_file.load(home) is not None
    if home.path.exists() and (known or not any(home.path.iterdir())):
        shutil.rmtree(home.path)
    print("The demo's data is gone.")
