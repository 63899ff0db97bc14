"""Takes deliveries: proves their signature, keeps their events, answers. It does nothing else.

200 means kept, 503 that Intuit shall try again, 401 and 413 that this is nothing of Intuit's.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from quickbooks_crm.errors import QuickBooksCrmError
from quickbooks_crm.webhooks import inbox, notification, signature
from quickbooks_crm.webhooks.keeper import NOT_NOW, Keeper
from quickbooks_crm.webhooks.signature import Signing

log = logging.getLogger(__name__)

PATH = "/webhooks"
TIDIED_EVERY = 10.0


class _TooLarge(Exception):
    pass


class _NoRoom(Exception):
    pass


@dataclass(frozen=True)
class Limits:
    """How many bytes a body may have. Intuit names no limit; servers commonly take 2 MB.

    One longer than `readable` is kept as a mark only: each company then reads what changed. One
    longer than `largest` is refused. `held` is for all bodies that are being read together, which
    nobody has proven yet.
    """

    readable: int = 8 * 2**20
    largest: int = 64 * 2**20
    held: int = 64 * 2**20


@dataclass(frozen=True)
class _Body:
    """A delivery's body, or None where it is too long to be read."""

    signing: Signing
    content: bytes | None


@dataclass
class Receiver:
    """Answers deliveries. One process, one event loop."""

    tokens: Sequence[str] = field(repr=False)
    keeper: Keeper
    limits: Limits = Limits()
    _counts: Counter[str] = field(default_factory=Counter)
    _held: int = 0

    @property
    def app(self) -> Starlette:
        """The web application."""
        routes = [
            Route(PATH, self.receive, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
        ]
        return Starlette(routes=routes, lifespan=self._while_open)

    async def receive(self, request: Request) -> Response:
        """One delivery."""
        claimed = signature.told(request.headers)
        if claimed is None:
            return self._answer(401, inbox.UNSIGNED)
        try:
            body = await self._read(request)
        except _TooLarge:
            return self._answer(413, inbox.TOO_LARGE)
        except _NoRoom:
            return self._answer(503, inbox.TURNED_AWAY)
        except ClientDisconnect:
            return self._answer(400, inbox.TURNED_AWAY)
        if not body.signing.fits(claimed):
            return self._answer(401, inbox.REFUSED)
        return await self._keep(body)

    async def _read(self, request: Request) -> _Body:
        if _claimed_size(request) > self.limits.largest:
            raise _TooLarge
        signing, kept = Signing(self.tokens), bytearray()
        try:
            async for chunk in request.stream():
                signing.update(chunk)
                if signing.size > self.limits.largest:
                    raise _TooLarge
                if signing.size <= self.limits.readable:
                    self._held += len(chunk)
                    kept += chunk
                if self._held > self.limits.held:
                    raise _NoRoom
            return _Body(signing, bytes(kept) if signing.size <= self.limits.readable else None)
        finally:
            self._held -= len(kept)

    async def _keep(self, body: _Body) -> Response:
        try:
            ends = await self._stored(body)
        except NOT_NOW as error:
            log.error("A webhook could not be kept, and Intuit will try again: %s", _said(error))
            return self._answer(503, inbox.TURNED_AWAY)
        self._counts.update({end: number for end, number in ends.items() if number})
        return self._answer(200, inbox.ACCEPTED)

    async def _stored(self, body: _Body) -> dict[str, int]:
        if body.content is None:
            return await self._unread(body, "too long to be read")
        try:
            events, ignored = notification.read(body.content)
        except notification.Unreadable as error:
            return await self._unread(body, str(error))
        ends = {inbox.IGNORED: ignored}
        if events:
            ends |= await self.keeper.do(lambda connection: inbox.store(connection, events))
        return ends

    async def _unread(self, body: _Body, reason: str) -> dict[str, int]:
        sha256, size = body.signing.sha256, body.signing.size
        log.error("A signed webhook of %d bytes, SHA-256 %s, is %s.", size, sha256, reason)
        await self.keeper.do(lambda known: inbox.store_unread(known, sha256, size, reason))
        return {inbox.UNREAD: 1}

    def _answer(self, status: int, end: str) -> Response:
        self._counts[end] += 1
        # One delivery a connection: what reads too slowly is cut off as a whole.
        return Response(status_code=status, headers={"connection": "close"})

    @asynccontextmanager
    async def _while_open(self, _: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(self._tidy_again_and_again())
        yield
        tidying.cancel()
        await self._tidy()
        self.keeper.close()

    async def _tidy_again_and_again(self) -> None:
        while True:
            await self._tidy()
            await asyncio.sleep(TIDIED_EVERY)

    async def _tidy(self) -> None:
        """Write down what was counted, forget what is old; or try again the next time. What
        strangers send is logged here only: a line for each would be theirs to fill a disk with."""
        counted = self._counts.copy()
        try:
            await self.keeper.do(lambda connection: inbox.count(connection, counted))
            self._counts -= counted
            if counted:
                log.info("webhooks: %s", ", ".join(f"{n} {end}" for end, n in counted.items()))
            await self.keeper.do(inbox.forget)
        except NOT_NOW as error:
            log.warning("The counts of webhooks are kept for later: %s", _said(error))


def _claimed_size(request: Request) -> int:
    claimed = request.headers.get("content-length", "")
    return int(claimed) if claimed.isascii() and claimed.isdigit() else 0


def _said(error: Exception) -> str:
    """What went wrong, without a statement's values."""
    return str(error) if isinstance(error, QuickBooksCrmError) else type(error).__name__


async def _health(_: Request) -> Response:
    """That the process answers. Whether the database does, an answer of 503 tells."""
    return PlainTextResponse("ok")
