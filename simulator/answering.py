"""How every call is answered: written down, throttled, failed as scripted, and only then served."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator import faults
from simulator.faults import Fault, Script
from simulator.ledger import Call
from simulator.rows import decode, encode
from simulator.selection import TRICKS
from simulator.world import World, new_tid

Serve = Callable[[Request, str], Awaitable[Response]]
JSON = "application/json;charset=utf-8"


async def answered(
    world: World, request: Request, kind: str, statement: str, serve: Serve
) -> Response:
    """The response of `serve`, or the fault scripted for this call; either is in the ledger."""
    script = world.faults.next(kind, statement)
    if script:
        await asyncio.sleep(script.seconds)
        if script.act:
            world.do(script.act)
    response = await _response(world, request, kind, statement, serve, script)
    if kind == "query" and response.status_code == 200:
        for act in world.unrest.after(statement):
            world.do(act)
    tid = new_tid()
    response.headers["intuit_tid"] = tid
    world.ledger.add(
        Call(
            method=request.method,
            path=request.url.path,
            kind=kind,
            statement=statement,
            status=response.status_code,
            tid=tid,
            at=world.clock.now(),
        )
    )
    return response


async def _response(
    world: World, request: Request, kind: str, statement: str, serve: Serve, script: Script | None
) -> Response:
    if script is None:
        return await serve(request, statement)
    if script.tells_the_truth:
        return await _spoiled(request, statement, serve, script)
    if kind in ("token", "revoke") and script.form == "upper" and script.body is None:
        return oauth_error(
            script.status, {"error": script.code or _OAUTH.get(script.status, "server_error")}
        )
    response = faulty(faults.scripted(script, world.clock.now()))
    response.headers.update(script.headers or {})
    return response


async def _spoiled(request: Request, statement: str, serve: Serve, script: Script) -> Response:
    """The true answer, and what becomes of it."""
    if script.form in TRICKS:
        request.state.trick = script.form
    response = await serve(request, statement)
    if script.form in ("cut", "lost"):
        return Cut(response, keep=0.5 if script.form == "cut" else 0)
    if script.drop:
        fields = decode(bytes(response.body))
        fields.pop(script.drop, None)
        response = Response(encode(fields), response.status_code, media_type="application/json")
    response.headers.update(script.headers or {})
    return response


_OAUTH = {400: "invalid_grant", 401: "invalid_client"}


def faulty(fault: Fault) -> Response:
    """A fault as a response."""
    response = Response(fault.body, fault.status)
    response.headers["content-type"] = fault.content
    if fault.status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="Intuit", error="invalid_token"'
    return response


def json_response(body: Any, status: int = 200) -> Response:
    """A small JSON answer."""
    return Response(json.dumps(body), status, media_type="application/json")


def oauth_error(status: int, body: dict[str, str]) -> Response:
    """An error of the token endpoint."""
    return json_response(body, status)


class Cut(Response):
    """An answer that breaks off: its length is announced, only a part of it is sent."""

    def __init__(self, whole: Response, keep: float) -> None:
        super().__init__(whole.body, whole.status_code, dict(whole.headers))
        self._kept = bytes(self.body)[: int(len(self.body) * keep)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the beginning; the server then closes the connection."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await send({"type": "http.response.body", "body": self._kept, "more_body": True})
