"""What becomes of a request that fails in a way nobody has thought of: an answer like all others,
and a line in the log that is found by the same reference."""

import logging
import secrets
import traceback

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickbooks_crm.pages.looks import Problem, refusal

log = logging.getLogger(__name__)


class Broken(RuntimeError):
    """An answer broke off in its middle. What happened is in the log, without customer data."""


class Unexpected:
    """Middleware that answers where the code fails. An error's own words may hold customer data, so
    neither the answer nor the log has them: only what kind it is, and where it happened."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except ClientDisconnect:
            return  # who asked has gone: nobody is there to be told, and nothing failed here
        except Exception as error:  # nobody has thought of it: that is what this is for
            reference = _noted(scope, error)
            if begun:
                raise Broken(f"Reference {reference}") from None
            problem = Problem(500, "unexpected", reference)
            await refusal(Request(scope), problem)(scope, receive, send)


def _noted(scope: Scope, error: Exception) -> str:
    """What the log has it by."""
    reference = secrets.token_hex(4)
    frames = traceback.extract_tb(error.__traceback__)
    where = "\n".join(f"  {each.filename}:{each.lineno} in {each.name}" for each in frames)
    what = f"{type(error).__module__}.{type(error).__qualname__}"
    route = getattr(scope.get("route"), "path", "a page")
    log.error("Reference %s: %s failed with %s\n%s", reference, route, what, where)
    return reference
