"""The control API: what tests and people tell a running simulator, under /control."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answering import json_response
from simulator.faults import Answer, Script, scripts
from simulator.merging import merge
from simulator.plausible import filled_in
from simulator.rows import Data, encode
from simulator.unrest import random_changes
from simulator.voiding import void
from simulator.webhooks import Subscription
from simulator.world import World


class Control:
    """The same acts in Python and over HTTP."""

    def __init__(self, world: World) -> None:
        self._world = world

    def change(self, entity: str, id: str, fields: Data) -> Data:
        """Set fields of a row; None takes one away."""
        return self._world.company.change(entity, id, fields)

    def add(self, entity: str, fields: Data) -> str:
        """Add a row, the rest of it filled in plausibly; returns its id."""
        company = self._world.company
        return company.add(entity, filled_in(company, entity, fields))

    def inactivate(self, entity: str, id: str) -> Data:
        """Make a row of a name list inactive."""
        return self._world.company.inactivate(entity, id)

    def reactivate(self, entity: str, id: str) -> Data:
        """Make it active again."""
        return self._world.company.reactivate(entity, id)

    def delete(self, entity: str, id: str) -> None:
        """Delete a row for good."""
        self._world.company.delete(entity, id)

    def void(self, entity: str, id: str) -> Data:
        """Let a transaction stay, with 0 for all its amounts."""
        return void(self._world.company, entity, id)

    def merge(self, entity: str, loser: str, survivor: str) -> Data:
        """Let one customer or vendor become part of another."""
        return merge(self._world.company, entity, loser, survivor)

    def fail(self, script: Script) -> None:
        """Let calls to come fail."""
        self._world.faults.script(script)

    def script(self, kind: str, answers: list[Answer], forever: bool = False, **which: Any) -> None:
        """Let calls to come be answered so, one after the other."""
        for script in scripts(kind, answers, forever, **which):
            self._world.faults.script(script)

    def between_pages(self, act: Callable[[], object], entity: str = "") -> None:
        """Do this after every page."""
        self._world.unrest.between_pages(act, entity)

    def random_changes(self, entity: str, seed: int = 1, **counts: int) -> Callable[[], object]:
        """Something to do between pages."""
        return random_changes(self._world.company, entity, seed, **counts)

    def rename_company(self, name: str) -> Data:
        """Let the company have another name."""
        company = self._world.company
        id = next(iter(company.table("CompanyInfo").rows))
        return company.change("CompanyInfo", id, {"CompanyName": name, "LegalName": name})

    def routes(self) -> list[Route]:
        """`POST` acts, `GET` shows."""
        acts: dict[str, Callable[[Data], Any]] = {
            "change": lambda body: self.change(
                _word(body, "entity"), _word(body, "id"), body["fields"]
            ),
            "add": lambda body: {"id": self.add(_word(body, "entity"), body.get("fields", {}))},
            "inactivate": lambda body: self.inactivate(_word(body, "entity"), _word(body, "id")),
            "reactivate": lambda body: self.reactivate(_word(body, "entity"), _word(body, "id")),
            "delete": lambda body: self.delete(_word(body, "entity"), _word(body, "id")),
            "fail": lambda body: self.fail(Script(**body)),
            "void": lambda body: self.void(_word(body, "entity"), _word(body, "id")),
            "merge": lambda body: self.merge(
                _word(body, "entity"), _word(body, "loser"), _word(body, "survivor")
            ),
            "change-silently": lambda body: self._world.company.change_silently(
                _word(body, "entity"), _word(body, "id"), body["fields"]
            ),
            "put": lambda body: self._world.company.put(_word(body, "entity"), body["row"]),
            "vanish": lambda body: self._world.company.vanish(
                _word(body, "entity"), _word(body, "id")
            ),
            "rename-company": lambda body: self.rename_company(_word(body, "name")),
            "script": lambda body: self.script(**body),
            "between-pages": lambda body: self.between_pages(
                self.random_changes(**body), _word(body, "entity")
            ),
            "webhook": lambda body: self.webhook(**body),
            "calm": lambda body: self._world.unrest.calm(),
            "clear-faults": lambda body: self._world.faults.clear(),
            "reset-calls": lambda body: self.reset_calls(),
            "expire-access-tokens": lambda body: self._world.tokens.expire_access(),
            "revoke-refresh-token": lambda body: self._world.tokens.disconnect(),
            "connect": lambda body: self._world.tokens.connect(_word(body, "refresh_token")),
            "advance": lambda body: self._world.clock.advance(float(body["seconds"])),
            "stop-clock": lambda body: self._world.clock.stop(),
            "start-clock": lambda body: self._world.clock.start(),
            "change-late": lambda body: self.change_late(float(body["seconds"])),
        }
        return [
            Route("/health", self._health),
            Route("/control/calls", self._calls),
            Route("/control/deliveries", self._deliveries),
            Route("/control/rows/{entity}", self._rows),
            Route("/control/truth/{entity}", self._truth),
            *(
                Route(f"/control/{name}", _endpoint(act), methods=["POST"])
                for name, act in acts.items()
            ),
        ]

    def change_late(self, seconds: float) -> None:
        """Let changes be seen only so long after the time they carry."""
        self._world.company.late = seconds

    def webhook(self, url: str, verifier_token: str, **how: Any) -> None:
        """Tell this address of changes from now on."""
        self._world.webhooks.subscribe(Subscription(url, verifier_token, **how))

    def reset_calls(self) -> None:
        """Forget the calls and their maxima."""
        self._world.ledger.reset()
        self._world.throttle.reset()

    async def _health(self, request: Request) -> Response:
        tables = self._world.company.tables.items()
        rows = {name: len(table.rows) for name, table in tables if table.rows}
        return json_response({"status": "ok", "realm": self._world.settings.realm, "rows": rows})

    async def _calls(self, request: Request) -> Response:
        ledger = self._world.ledger
        calls = [call.as_dict() for call in ledger.calls()]
        maxima = self._world.throttle.maxima
        return json_response({"calls": calls, "metered": ledger.metered, "maxima": maxima})

    async def _deliveries(self, request: Request) -> Response:
        return json_response([each.as_dict() for each in self._world.webhooks.deliveries])

    async def _rows(self, request: Request) -> Response:
        try:
            rows = self._world.company.rows(request.path_params["entity"])
        except KeyError as missing:
            return _problem(f"there is no {missing}", 404)
        return Response(encode(rows), media_type="application/json")

    async def _truth(self, request: Request) -> Response:
        try:
            truth = self._world.company.truth(request.path_params["entity"])
        except KeyError as missing:
            return _problem(f"there is no {missing}", 404)
        return json_response({id: each._asdict() for id, each in truth.items()})


def _endpoint(act: Callable[[Data], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}", parse_float=Decimal)
            done = act(body)
        except KeyError as missing:
            return _problem(f"there is no {missing}", 404)
        except (TypeError, ValueError) as wrong:
            return _problem(str(wrong), 400)
        return Response(encode(done if done is not None else {}), media_type="application/json")

    return endpoint


def _word(body: Data, name: str) -> str:
    return str(body[name])


def _problem(text: str, status: int) -> Response:
    return json_response({"problem": text}, status)
