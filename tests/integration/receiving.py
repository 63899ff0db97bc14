"""A receiver that listens on a real port."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import requests
import uvicorn

from quickbooks_crm.webhooks.keeper import Keeper
from quickbooks_crm.webhooks.receiver import Limits, Receiver
from quickbooks_crm.webhooks.server import InTime, settings
from tests.integration.deliveries import TOKEN, signed

PATH = "/webhooks"


def keeper(url: str) -> Keeper:
    """A way to this database."""
    return Keeper(lambda: psycopg.connect(url, autocommit=True))


@dataclass(frozen=True)
class Receiving:
    """Where a receiver listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def deliver(self, told: Any, token: str = TOKEN) -> int:
        """Send what is told, signed; the status of the answer."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return self.post(body, {"intuit-signature": signed(body, token)})

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Send exactly this; the status of the answer."""
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = requests.post(self.url, data=body, headers=raw, timeout=10)
        assert answer.content == b"", "an answer says nothing"
        return answer.status_code


@contextmanager
def receiving(
    keeper: Keeper,
    tokens: Sequence[str] = (TOKEN,),
    limits: Limits | None = None,
    protocol: type[InTime] = InTime,
) -> Iterator[Receiving]:
    """A receiver, until the block ends; then all that it counted is written."""
    config = settings(Receiver(tokens, keeper, limits or Limits()), "127.0.0.1", 0)
    config.http = protocol
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    try:
        yield Receiving(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


def until(true: Callable[[], Any], seconds: float = 120) -> None:
    """Wait for something that is about to be true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
