"""Calls a simulator as an app would: with plain HTTP, so that nothing is hidden."""

from typing import Any

import requests

from simulator import Simulator


class Caller:
    """A logged-in app."""

    def __init__(self, quickbooks: Simulator) -> None:
        self.quickbooks = quickbooks
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self.log_in()

    def log_in(self) -> None:
        """Take a new access token."""
        token = self.refresh(str(self.quickbooks.refresh_token)).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def refresh(self, refresh_token: str, **headers: str) -> requests.Response:
        """Ask the token endpoint."""
        return requests.post(
            f"{self.quickbooks.url}/oauth2/v1/tokens/bearer",
            auth=(self.quickbooks.client_id, self.quickbooks.client_secret),
            data={"grant_type": "refresh_token", "refresh_token": refresh_token},
            headers=headers,
            timeout=10,
        )

    def get(self, path: str, **parameters: str) -> requests.Response:
        """Ask the company's API."""
        company = f"{self.quickbooks.url}/v3/company/{self.quickbooks.realm}"
        return self.session.get(f"{company}/{path}", params=parameters, timeout=10)

    def query(self, statement: str) -> requests.Response:
        """Ask a query."""
        return self.get("query", query=statement, minorversion="75")

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """The rows of a query's answer."""
        response = self.query(statement).json()["QueryResponse"]
        return next((value for value in response.values() if isinstance(value, list)), [])

    def ids(self, statement: str) -> list[str]:
        """The ids of a query's answer."""
        return [row["Id"] for row in self.rows(statement)]

    def changes(self, entities: str, since: str) -> dict[str, list[dict[str, Any]]]:
        """The groups of a change data capture answer, by entity."""
        response = self.get("cdc", entities=entities, changedSince=since).json()
        groups = response["CDCResponse"][0]["QueryResponse"]
        return {
            name: value
            for group in groups
            for name, value in group.items()
            if isinstance(value, list)
        }
