"""Faults in every form QuickBooks sends them, and the script of those to come."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from simulator.clock import envelope_time
from simulator.errors import Refused

FORMS = ("upper", "lower", "xml", "html", "text", "empty")
TRUE_FORMS = ("ok", "cut", "lost", "short", "long", "again")
"""What becomes of the true answer; the status of a script does not matter then."""
_JSON = "application/json;charset=utf-8"

_THROTTLED = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
_TYPICAL = {
    400: ("4001", "Invalid query", "QueryValidationError: scripted fault"),
    401: (
        "3200",
        "message=AuthenticationFailed; errorCode=003200; statusCode=401",
        "Token expired",
    ),
    403: ("3100", "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403", ""),
    429: ("3001", _THROTTLED, "The request limit was reached.  Try again later"),
}
_TYPES = {401: "AUTHENTICATION", 403: "AUTHORIZATION", 429: "SERVICE"}


@dataclass(frozen=True)
class Script:
    """A fault to come: for calls of a kind (`*` is any) whose statement contains `matching`.

    The first `after` such calls go well, the next `times` fail. `seconds` is how long the answer
    takes; with status 0 it is late and nothing else is wrong with it. `body` is sent word for
    word instead of a fault. `act` is done as the call arrives: a row changed between two pages.
    `drop` is a field that the true answer then lacks.
    """

    kind: str = "*"
    status: int = 500
    times: int = 1
    form: str = "upper"
    code: str | None = None
    after: int = 0
    seconds: float = 0.0
    matching: str = ""
    headers: dict[str, str] | None = None
    body: str | None = None
    drop: str = ""
    act: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        forms = (*FORMS, *TRUE_FORMS)
        if self.form not in forms:
            raise ValueError(f"form cannot be {self.form!r}. It is one of: {', '.join(forms)}")
        if self.act is not None and not callable(self.act):
            raise ValueError("act cannot be sent: it is a function, for programs only")

    @property
    def tells_the_truth(self) -> bool:
        """Whether the call is served, whatever then becomes of its answer."""
        return self.status == 0 or self.form in TRUE_FORMS or bool(self.drop)


Answer = int | str | dict[str, Any]
FOR_EVER = 10**9
_NAMED: dict[str, dict[str, Any]] = {
    **{form: {"form": form} for form in TRUE_FORMS},
    "html": {"status": 200, "form": "html"},
    "empty": {"status": 200, "form": "empty"},
    "fault": {"status": 200},
    "text": {"status": 504, "form": "text"},
}


def scripts(kind: str, answers: list[Answer], forever: bool, **which: Any) -> list[Script]:
    """A script for every answer, one after the other; raises ValueError for a word unknown."""
    each = [Script(kind, **which, **_answer(answer)) for answer in answers]
    if forever and each:
        each[-1] = replace(each[-1], times=FOR_EVER)
    return each


def _answer(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, int):
        return {"status": answer} if answer != 200 else _NAMED["ok"]
    if answer not in _NAMED:
        raise ValueError(f"an answer cannot be {answer!r}. It is one of: {', '.join(_NAMED)}")
    return _NAMED[answer]


class Faults:
    """The scripted faults still to come, in the order they were scripted."""

    def __init__(self) -> None:
        self._scripts: list[Script] = []
        self._lock = threading.Lock()

    def script(self, new: Script) -> None:
        """Let calls fail from now on."""
        with self._lock:
            self._scripts.append(new)

    def clear(self) -> None:
        """Let every call go well again."""
        with self._lock:
            self._scripts.clear()

    def next(self, kind: str, statement: str) -> Script | None:
        """The fault this call shall meet, which is then used up, or None."""
        with self._lock:
            for place, script in enumerate(self._scripts):
                if (
                    script.kind not in ("*", kind)
                    or script.matching.lower() not in statement.lower()
                ):
                    continue
                if script.after:
                    self._scripts[place] = replace(script, after=script.after - 1)
                    continue
                self._scripts[place] = replace(script, times=script.times - 1)
                if script.times <= 1:
                    del self._scripts[place]
                return script
        return None


@dataclass(frozen=True)
class Fault:
    """An answer that is no answer: its body and what kind of content that is."""

    status: int
    body: bytes
    content: str


def scripted(script: Script, now: float) -> Fault:
    """The fault a script asks for."""
    if script.body is not None:
        return Fault(script.status, script.body.encode(), _JSON)
    code, message, detail = _TYPICAL.get(
        script.status, ("10000", "System Failure", "An error occurred")
    )
    refused = Refused(script.code or code, message, detail, script.status)
    return fault(refused, script.form, now)


def throttled(form: str, now: float) -> Fault:
    """Too many requests."""
    return fault(Refused("3001", _THROTTLED, _TYPICAL[429][2], 429), form, now)


def fault(refused: Refused, form: str, now: float) -> Fault:
    """A refusal in one of the forms."""
    if form == "lower":
        return Fault(refused.status, _lower(refused, now), _JSON)
    if form == "xml":
        return Fault(refused.status, _xml(refused, now), "application/xml;charset=utf-8")
    if form == "html":
        return Fault(refused.status, _html(refused), "text/html")
    if form == "text":
        return Fault(refused.status, b"stream timeout", "text/plain")
    if form == "empty":
        return Fault(refused.status, b"", "text/plain")
    return Fault(refused.status, _upper(refused, now), _JSON)


def _type(refused: Refused) -> str:
    if refused.code == "10000":
        return "SystemFault"
    return _TYPES.get(refused.status, "ValidationFault")


def _upper(refused: Refused, now: float) -> bytes:
    return json.dumps({"Fault": inside(refused), "time": envelope_time(now)}).encode()


def inside(refused: Refused) -> dict[str, Any]:
    """A `Fault` without its envelope."""
    error = {"Message": refused.message, "Detail": refused.detail, "code": refused.code}
    if refused.element is not None:
        error["element"] = refused.element
    return {"Error": [error], "type": _type(refused)}


def _lower(refused: Refused, now: float) -> bytes:
    error = {
        "message": refused.message,
        "detail": refused.detail,
        "code": refused.code,
        "element": None,
    }
    body: dict[str, Any] = {"warnings": None, "intuitObject": None}
    body["fault"] = {"error": [error], "type": _type(refused).upper()}
    body |= {
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
    }
    body |= {"syncErrorResponse": None, "requestId": None, "time": int(now * 1000), "status": None}
    return json.dumps({**body, "cdcresponse": []}).encode()


def _xml(refused: Refused, now: float) -> bytes:
    element = f" element={quoteattr(refused.element)}" if refused.element is not None else ""
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<IntuitResponse time="{envelope_time(now)}" xmlns="http://schema.intuit.com/finance/v3">'
        f'<Fault type="{_type(refused)}"><Error code="{refused.code}"{element}>'
        f"<Message>{escape(refused.message)}</Message><Detail>{escape(refused.detail)}</Detail>"
        "</Error></Fault></IntuitResponse>"
    ).encode()


def _html(refused: Refused) -> bytes:
    failed = refused.status >= 400
    title = f"{refused.status} Service Temporarily Unavailable" if failed else "Maintenance"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
