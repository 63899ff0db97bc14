"""The receiver as a process of its own: `python -m quickbooks_crm webhooks`."""

import asyncio
from typing import Any

import uvicorn
from airflow.exceptions import AirflowNotFoundException
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret
from uvicorn.protocols.http.h11_impl import H11Protocol

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.webhooks.inbox import CONNECTION_ID
from quickbooks_crm.webhooks.keeper import Keeper
from quickbooks_crm.webhooks.receiver import Receiver

AT_ONCE = 500
"""Connections beyond these are answered 503."""


def serve(host: str, port: int) -> None:
    """Take deliveries until the process is told to end.

    Raises `SettingsError` when Airflow knows no verifier token.
    """
    uvicorn.Server(settings(Receiver(verifier_tokens(), Keeper()), host, port)).run()


def settings(receiver: Receiver, host: str, port: int) -> uvicorn.Config:
    """How the receiver is served."""
    return uvicorn.Config(
        receiver.app,
        host=host,
        port=port,
        http=InTime,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=5,
        access_log=False,
        log_config=None,
        server_header=False,
    )


def verifier_tokens() -> list[str]:
    """The tokens that may sign a delivery: several while one is being replaced, or for several
    apps."""
    try:
        password = BaseHook.get_connection(CONNECTION_ID).password or ""
    except AirflowNotFoundException:
        password = ""
    tokens = password.split()
    if not tokens:
        raise SettingsError(
            f"There is no verifier token. Add an Airflow connection '{CONNECTION_ID}', of any "
            "type, whose password is the verifier token that developer.intuit.com shows at the "
            "app's webhooks; or several, with spaces between them."
        )
    for token in tokens:
        mask_secret(token)
    return tokens


class InTime(H11Protocol):
    """HTTP whose every connection ends within the deadline: it is made for one delivery."""

    deadline = 10.0
    """Seconds for all of it, from the first byte of its head to the last of the answer."""

    def connection_made(self, transport: Any) -> None:
        """Begin to count."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self.deadline, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended by itself."""
        self._end.cancel()
        super().connection_lost(exc)
