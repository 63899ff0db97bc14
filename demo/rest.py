"""Airflow's REST API, as far as the demo uses it."""

from __future__ import annotations

from typing import Any

import requests

from demo.settings import Settings


class AirflowRefused(Exception):
    """Airflow did not do what it was asked to; the message has its reason."""


class Rest:
    """Airflow's API on behalf of the demo's administrator."""

    def __init__(self, settings: Settings) -> None:
        """Log in."""
        self._url = settings.airflow
        self._session = requests.Session()
        self._session.trust_env = False
        login = {"username": "admin", "password": settings.admin_password}
        token = self._send("POST", "/auth/token", login).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, missing: Any = None) -> Any:
        """What is at the path, or `missing` when nothing is."""
        answer = self._send("GET", f"/api/v2{path}", accept=(404,))
        return missing if answer.status_code == 404 else answer.json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Make something."""
        return self._send("POST", f"/api/v2{path}", body).json()

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something."""
        return self._send("PATCH", f"/api/v2{path}", body).json()

    def _send(
        self, method: str, path: str, body: Any = None, accept: tuple[int, ...] = ()
    ) -> requests.Response:
        answer = self._session.request(method, self._url + path, json=body, timeout=60)
        if not answer.ok and answer.status_code not in accept:
            reason = answer.text[:500]
            raise AirflowRefused(f"{method} {path} was answered {answer.status_code}: {reason}")
        return answer
