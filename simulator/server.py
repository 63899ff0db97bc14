"""The simulator as one thing to start, talk to and stop."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette

from simulator.api import Api
from simulator.company import Company
from simulator.control import Control
from simulator.faults import Script
from simulator.generate import generated
from simulator.ledger import Call
from simulator.load import loaded
from simulator.login import Login
from simulator.rows import Data
from simulator.settings import Settings
from simulator.world import World


class Simulator:
    """A QuickBooks of one company on its own port: `with Simulator(customers=20) as quickbooks:`.

    What can be set is in `Settings`; a `company` is served as it is, else one is loaded or made.
    """

    def __init__(self, company: Company | None = None, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.company = company or company_for(self.settings)
        self._world = World(self.settings, self.company)
        self._control = Control(self._world)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    @property
    def realm(self) -> str:
        """The company's id, as in the address of every call."""
        return self.settings.realm

    @property
    def client_id(self) -> str:
        """The app's id."""
        return self.settings.client_id

    @property
    def client_secret(self) -> str:
        """The app's secret."""
        return self.settings.client_secret

    @property
    def refresh_token(self) -> str | None:
        """The refresh token alive now; None once revoked."""
        return self._world.tokens.refresh_token

    @property
    def discovery_url(self) -> str:
        """Where the addresses of the OAuth endpoints are."""
        return f"{self.url}/.well-known/openid_configuration"

    def start(self) -> Self:
        """Serve in a thread; returns when calls are answered."""
        self.bind()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        while not (self._server and self._server.started):
            if not self._thread.is_alive():
                raise RuntimeError("the simulator did not start")
            self._thread.join(0.005)
        return self

    def run(self) -> None:
        """Serve in this thread, on the port that `bind` took, until interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            self._serve()

    def bind(self) -> None:
        """Take the port, which tells the `url`; raises OSError where it is in use."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self.settings.host, self.settings.port))
        except OSError:
            self._socket.close()
            raise
        self.url = f"http://{self.settings.host}:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        routes = [*Api(self._world).routes(), *Login(self._world).routes(), *self._control.routes()]
        config = uvicorn.Config(
            Starlette(routes=routes),
            lifespan="off",
            access_log=False,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Close the port and wait for the thread."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def rows(self, entity: str) -> list[Data]:
        """The ground truth: every row, inactive ones too."""
        return self.company.rows(entity)

    def change(self, entity: str, id: str, **fields: Any) -> Data:
        """Set fields of a row, None takes one away; the row as it is now."""
        return self._control.change(entity, id, fields)

    def add(self, entity: str, **fields: Any) -> str:
        """Add a row, the rest of it filled in plausibly; returns its id."""
        return self._control.add(entity, fields)

    def inactivate(self, entity: str, id: str) -> Data:
        """What "delete" does to a row of a name list."""
        return self._control.inactivate(entity, id)

    def reactivate(self, entity: str, id: str) -> Data:
        """Make an inactive row active again."""
        return self._control.reactivate(entity, id)

    def delete(self, entity: str, id: str) -> None:
        """Delete a row for good; only change data capture tells of it."""
        self._control.delete(entity, id)

    def fail(self, kind: str = "*", status: int = 500, **how: Any) -> None:
        """Let calls of a kind fail; the rest is in `Script`."""
        self._control.fail(Script(kind, status, **how))

    def when(self, kind: str, act: Callable[[], object], **which: Any) -> None:
        """Do something at the moment a call of this kind arrives, before it is answered."""
        self._control.fail(Script(kind, status=0, act=act, **which))

    def clear_faults(self) -> None:
        """Let every call go well again."""
        self._world.faults.clear()

    @property
    def calls(self) -> list[Call]:
        """Every call so far but those to the control API."""
        return self._world.ledger.calls()

    @property
    def metered(self) -> int:
        """How many of them Intuit would bill."""
        return self._world.ledger.metered

    @property
    def maxima(self) -> dict[str, int]:
        """The most calls seen `in_flight`, `per_second` and `per_minute`."""
        return self._world.throttle.maxima

    def reset_calls(self) -> None:
        """Forget the calls and the maxima."""
        self._control.reset_calls()

    def expire_access_tokens(self) -> None:
        """Let every access token be too old."""
        self._world.tokens.expire_access()

    def revoke_refresh_token(self) -> None:
        """The user disconnects the app."""
        self._world.tokens.disconnect()

    def connect(self, refresh_token: str) -> None:
        """The user connects the app again: this refresh token works from now on."""
        self._world.tokens.connect(refresh_token)

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.company.clock.advance(seconds)


def company_for(settings: Settings) -> Company:
    """The company the settings ask for: loaded from files, or generated."""
    return loaded(settings.load) if settings.load else generated(settings)


def serve(company: Company, port: int = 0, **settings: Any) -> Simulator:
    """A started simulator of a company made by the caller."""
    return Simulator(company, port=port, **settings).start()
