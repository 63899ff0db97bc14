"""The accounting API under /v3/company/{realm}: query, cdc, batch, companyinfo and read."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator import as_xml, batch, faults, selection
from simulator.answering import JSON, answered, faulty
from simulator.cdc import Cdc
from simulator.clock import envelope_time
from simulator.entities import entity
from simulator.errors import Refused, not_found, unsupported
from simulator.rows import encode
from simulator.world import World


class Api:
    """The routes of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cdc = Cdc(world.settings)

    def routes(self) -> list[Route]:
        """One route: QuickBooks too tells operations apart only after it knows who asks."""
        methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        return [Route("/v3/company/{realm}/{operation:path}", self._call, methods=methods)]

    async def _call(self, request: Request) -> Response:
        """Count the call against the limits while it is in flight."""
        world = self._world
        kind, statement = await _described(request)
        let_in = world.throttle.enter(kind)
        try:
            serve = self._serve if let_in and not self._over_quota() else self._refuse_as_too_many
            if world.settings.latency_ms:
                await asyncio.sleep(world.settings.latency_ms / 1000)
            return await answered(world, request, kind, statement, serve)
        finally:
            world.throttle.leave()

    def _over_quota(self) -> bool:
        quota = self._world.settings.quota
        ledger, now = self._world.ledger, self._world.clock.now()
        return quota is not None and ledger.metered_this_month(now) >= quota

    async def _refuse_as_too_many(self, request: Request, statement: str) -> Response:
        return faulty(faults.throttled(self._world.settings.throttle_form, self._world.clock.now()))

    async def _serve(self, request: Request, statement: str) -> Response:
        now = self._world.clock.now()
        denied = self._denied(request)
        if denied:
            return faulty(faults.fault(denied, "lower", now))
        wants_json = "json" in request.headers.get("accept", "")
        try:
            sent = await request.body() if request.method == "POST" else b""
            body = self._answer(request, statement, sent)
        except Refused as refused:
            return faulty(faults.fault(refused, "upper" if wants_json else "xml", now))
        if wants_json:
            return Response(body, headers={"content-type": JSON})
        return Response(
            as_xml.document(body), headers={"content-type": "application/xml;charset=utf-8"}
        )

    def _denied(self, request: Request) -> Refused | None:
        """Why the caller may not see this company; the detail echoes the token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._world.tokens.valid(token):
            message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
            return Refused("3200", message, f"Token expired: {token}", 401)
        if request.path_params["realm"] != self._world.settings.realm:
            message = "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"
            return Refused("3100", message, "", 403)
        return None

    def _answer(self, request: Request, statement: str, sent: bytes) -> bytes:
        operation, _, rest = request.path_params["operation"].partition("/")
        company, parameters = self._world.company, request.query_params
        if operation == "query" and not rest and request.method in ("GET", "POST"):
            return selection.answer(company, statement, getattr(request.state, "trick", ""))
        if operation == "batch" and not rest and request.method == "POST":
            return batch.answer(company, sent)
        if request.method != "GET":
            raise unsupported(request.url.path)
        if operation == "cdc" and not rest:
            return self._cdc.answer(
                company, parameters.get("entities", ""), parameters.get("changedSince", "")
            )
        if operation == "companyinfo":
            return self._row("CompanyInfo", None)
        about = entity(operation)
        if about is None or not rest or "/" in rest:
            raise unsupported(request.url.path)
        return self._row(about.name, rest)

    def _row(self, name: str, id: str | None) -> bytes:
        """A single row in its envelope; CompanyInfo has only one, whatever its id."""
        company = self._world.company
        with company.lock:
            rows = company.table(name).rows
            row = rows.get(id) if id else next(iter(rows.values()), None)
            time = envelope_time(company.clock.now())
        if row is None:
            raise not_found()
        return b'{"%s":%s,"time":%s}' % (name.encode(), row.raw, encode(time))


async def _described(request: Request) -> tuple[str, str]:
    """The kind of a call, and what it asks: the ledger's words for it."""
    operation, _, rest = request.path_params["operation"].partition("/")
    if operation == "query":
        if request.method == "POST":
            return "query", (await request.body()).decode("utf-8", "replace")
        return "query", request.query_params.get("query", "")
    if operation == "batch" and request.method == "POST":
        return "batch", batch.queries(await request.body())
    if operation in ("cdc", "companyinfo"):
        wanted = {
            name: value for name, value in request.query_params.items() if name != "minorversion"
        }
        return operation, "&".join(f"{name}={value}" for name, value in wanted.items())
    return ("read" if entity(operation) and request.method == "GET" else "other"), rest
