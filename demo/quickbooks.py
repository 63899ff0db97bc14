"""The QuickBooks simulator as one of the demo's processes, and the Airflow connection to it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import requests

from demo import processes
from demo.home import PROJECT, Home
from demo.settings import COMPANY, Settings

NAME = "simulator"
CONNECTION_ID = "quickbooks_sample"
REALM = "9341452000000001"
CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-secret"  # noqa: S105 - the simulator's, known to all


def start(home: Home, settings: Settings) -> None:
    """Start the simulator with the demo's company, and wait until it answers."""
    command = [sys.executable, "-m", "simulator", "--port", str(settings.simulator_port)]
    command += ["--realm", REALM, "--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET]
    command += ["--refresh-token", settings.refresh_token]
    for name, value in settings.company.items():
        command += [COMPANY[name], value]
    processes.start(home, NAME, command, {**processes.environment(), "PYTHONPATH": str(PROJECT)})
    _wait(home, settings)


def connection(settings: Settings) -> dict[str, Any]:
    """The Airflow connection that leads to the simulator."""
    extra = {
        "environment": "simulator",
        "realm_id": REALM,
        "refresh_token": settings.refresh_token,
        "api_url": settings.quickbooks,
        "discovery_url": f"{settings.quickbooks}/.well-known/openid_configuration",
    }
    return {
        "connection_id": CONNECTION_ID,
        "conn_type": "quickbooks",
        "port": 0,  # Airflow 3.3.2 does not test a connection that has none
        "description": "The QuickBooks simulator of this demo",
        "login": CLIENT_ID,
        "password": CLIENT_SECRET,
        "extra": json.dumps(extra),
    }


def _wait(home: Home, settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        processes.require(home, [NAME])
        try:
            if requests.get(f"{settings.quickbooks}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise processes.failed(home, NAME, "did not answer for a minute")
