"""Checks the mappings against a CRM: the one Airflow knows, the demo's, or one made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import airflow, postgres, processes
from demo import settings as settings_file
from demo.home import PROJECT, Home
from demo.settings import Settings

_CONNECTION = "AIRFLOW_CONN_CRM"


def check(home: Home) -> int:
    """Say what is wrong with the mappings; the exit code of that command."""
    settings = settings_file.load(home)
    if _CONNECTION in os.environ:
        return _command("check", dict(os.environ))
    if settings and _answers(home, settings):
        return _command("check", airflow.environment(home, settings))
    with tempfile.TemporaryDirectory() as scratch, postgres.cluster(Path(scratch)) as server:
        address = server.create_database("crm")
        quiet = {**processes.environment(), "AIRFLOW_HOME": scratch, _CONNECTION: address}
        made = [_command(command, quiet, subprocess.PIPE) for command in ("migrate", "install-crm")]
        return max(made) or _command("check", quiet)


def _answers(home: Home, settings: Settings) -> bool:
    return postgres.answers(home.path, settings.postgres_password, settings.postgres_port)


def _command(command: str, environment: dict[str, str], output: int | None = None) -> int:
    line = [sys.executable, "-m", "quickbooks_crm", command]
    return subprocess.run(line, env=environment, cwd=PROJECT, stdout=output).returncode
