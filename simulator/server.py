"""The simulator as one thing to start, talk to and stop."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Self

import uvicorn
from starlette.applications import Starlette

from simulator.api import Api
from simulator.company import Company, Truth
from simulator.control import Control
from simulator.faults import Answer, Script
from simulator.generate import generated
from simulator.ledger import Call, Throttle
from simulator.load import loaded
from simulator.login import Login
from simulator.rows import Data
from simulator.settings import Settings
from simulator.webhooks import Delivery
from simulator.world import World


class _Server(uvicorn.Server):
    """Looks a hundred times a second whether it shall end, and then whether all is answered.
    uvicorn does so ten times: a test that has a simulator would spend most of its time on that."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in self.servers:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(0.01)


class Simulator:
    """A QuickBooks of one company on its own port: `with Simulator(customers=20) as quickbooks:`.

    What can be set is in `Settings`; a `company` is served as it is, else one is loaded or made.
    """

    throttles: ClassVar[list[Throttle]] = []
    """Of every simulator made in this process: whether a limit was `exceeded`, and its `maxima`."""

    def __init__(self, company: Company | None = None, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self._world = World(self.settings, company or company_for(self.settings))
        self.throttles.append(self._world.throttle)
        self._api = Api(self._world)
        self._control = Control(self._world)
        if self.settings.webhook:
            self.webhook(self.settings.webhook, self.settings.verifier_token)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def copy(self) -> "Simulator":
        """Another one, not started: the same company as it is now, with the same tokens."""
        other = Simulator(self.company.copy(), **vars(self.settings))
        other._world.tokens = self._world.tokens.copy(other._world.clock)
        return other

    @property
    def company(self) -> Company:
        """The company that is served now."""
        return self._world.company

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
        # Of this very protocol: asyncio sends at once only on such sockets.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self.settings.host, self.settings.port))
        except OSError:
            self._socket.close()
            raise
        self.url = f"http://{self.settings.host}:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        routes = [*self._api.routes(), *Login(self._world).routes(), *self._control.routes()]
        config = uvicorn.Config(
            Starlette(routes=routes),
            lifespan="off",
            access_log=False,
            log_level="critical",
        )
        self._server = _Server(config)
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Close the port and wait for the thread."""
        self._world.close()
        self._world.webhooks.stop()
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
        """Stop; raises what failed in an act that a test asked for."""
        self.stop()
        if error is None and self._world.failures:
            raise self._world.failures[0]

    def rows(self, entity: str) -> list[Data]:
        """Every row as it is, inactive ones too."""
        return self.company.rows(entity)

    def truth(self, entity: str) -> dict[str, Truth]:
        """What a copy must agree with: version and state of every record, deleted ones too."""
        return self.company.truth(entity)

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

    def vanish(self, entity: str, id: str) -> None:
        """Take a row away so that nothing tells of it."""
        self.company.vanish(entity, id)

    def void(self, entity: str, id: str) -> Data:
        """Void a transaction: it stays, and all its amounts are 0."""
        return self._control.void(entity, id)

    def merge(self, entity: str, loser: str, survivor: str) -> Data:
        """Merge two customers or vendors: the loser is inactive, what was its is the survivor's."""
        return self._control.merge(entity, loser, survivor)

    def put(self, entity: str, data: Data, served: bytes | None = None) -> None:
        """Put a row as it is, odd as it may be; `served` is sent instead, were it not even JSON."""
        self.company.put(entity, data, served)

    def change_silently(self, entity: str, id: str, **fields: Any) -> Data:
        """Set fields while version and times stay: only who reads everything can notice."""
        return self.company.change_silently(entity, id, fields)

    def change_late(self, seconds: float) -> None:
        """From now on changes are seen only so long after the time they carry."""
        self._control.change_late(seconds)

    def rename_company(self, name: str) -> Data:
        """Give the company another name."""
        return self._control.rename_company(name)

    def switch_company(self, company: Company) -> None:
        """Let the same realm and tokens lead to another company from now on."""
        self._world.switch_to(company)

    def script(self, kind: str, answers: list[Answer], forever: bool = False, **which: Any) -> None:
        """Let calls of a kind be answered so, one after the other: `[503, "html", "cut"]`.

        `after` and `matching` are as in `Script`. The last answer may be repeated `forever`.
        """
        self._control.script(kind, answers, forever, **which)

    def between_pages(self, act: Callable[[], object], entity: str = "") -> None:
        """Do this after every page of rows, of the entity or of any, until `calm`."""
        self._control.between_pages(act, entity)

    def random_changes(self, entity: str, seed: int = 1, **counts: int) -> Callable[[], object]:
        """Something to do between pages: so many `edits`, `adds`, `deletes` and the like.

        The others are `reactivations`, `voids` and `merges`. The same seed takes the same rows.
        """
        return self._control.random_changes(entity, seed, **counts)

    def webhook(self, url: str, verifier_token: str, **how: Any) -> None:
        """Tell this address of changes from now on; the rest is in `Subscription`."""
        self._control.webhook(url, verifier_token, **how)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to tell of changes so far."""
        return self._world.webhooks.deliveries

    def webhooks_settled(self, timeout: float = 10) -> bool:
        """Wait until all changes are told or given up; False when that takes too many seconds."""
        return self._world.webhooks.settled(timeout)

    def calm(self) -> None:
        """Nothing changes by itself any more."""
        self._world.unrest.calm()

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
        """Let time pass at once; a negative number turns the clock back."""
        self._world.clock.advance(seconds)

    def stop_clock(self) -> None:
        """Let time stand still, so that all changes carry the same second."""
        self._world.clock.stop()

    def start_clock(self) -> None:
        """Let time go on."""
        self._world.clock.start()


def company_for(settings: Settings) -> Company:
    """The company the settings ask for: loaded from files, or generated."""
    return loaded(settings.load) if settings.load else generated(settings)


def serve(company: Company, port: int = 0, **settings: Any) -> Simulator:
    """A started simulator of a company made by the caller."""
    return Simulator(company, port=port, **settings).start()
