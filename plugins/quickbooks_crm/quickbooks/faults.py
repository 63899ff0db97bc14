"""What an answer that was not asked for means; by status first: its body has many forms."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any
from xml.parsers import expat

import msgspec

_REDACTED = "[hidden]"
_TOKEN_LIKE = re.compile(r"(?=\S*\d)[A-Za-z0-9._~+/=-]{20,}")
_LONGEST_TEXT = 300


@dataclass(frozen=True)
class Fault:
    """QuickBooks' account of an error. No zeros lead `code`; the texts may hold secrets."""

    code: str
    message: str = ""
    detail: str = ""
    type: str = ""


class Verdict(Enum):
    """What a failed request means for whoever sent it."""

    THROTTLED = "throttled"
    DOWN = "unavailable"
    LOGIN = "login"
    FORBIDDEN = "forbidden"
    LAPSED = "subscription lapsed"
    REFUSED = "refused"


# Intuit's error codes: https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting
_THROTTLE_EXCEEDED = "3001"
_BY_CODE = {
    "3200": Verdict.LOGIN,
    "3100": Verdict.FORBIDDEN,
    "120": Verdict.FORBIDDEN,
    "6190": Verdict.LAPSED,
}
_BY_STATUS = {401: Verdict.LOGIN, 403: Verdict.FORBIDDEN}


def fault_of(body: bytes) -> Fault | None:
    """The fault in a body, be it JSON of either casing or XML; nothing for HTML and text."""
    return _json_fault(body) or _xml_fault(body)


def verdict_on(status: int, fault: Fault | None) -> Verdict:
    """Judge an answer that is not the one asked for: by status, or by code if that was fine."""
    code = fault.code if fault else ""
    if status == 429 or code == _THROTTLE_EXCEEDED:
        return Verdict.THROTTLED
    if status >= 500 or status == 408:
        return Verdict.DOWN
    fine = 200 <= status < 300
    if fine and _is_system_failure(fault):
        return Verdict.DOWN
    by_code = _BY_CODE.get(code, Verdict.REFUSED)
    return by_code if fine or status == 400 else _BY_STATUS.get(status, Verdict.REFUSED)


def explain(fault: Fault | None, verdict: Verdict, secrets: tuple[str, ...]) -> str:
    """A fault's code and text without any token: QuickBooks echoes the one it refuses."""
    if fault is None:
        return ""
    echoes = verdict in _BY_STATUS.values()
    text = ": ".join(filter(None, (fault.message, "" if echoes else fault.detail)))
    for secret in filter(None, secrets):
        text = text.replace(secret, _REDACTED)
    text = " ".join(_TOKEN_LIKE.sub(_REDACTED, text).split())
    return f"code {fault.code or 'none'}" + (f", {text[:_LONGEST_TEXT]}" if text else "")


def _is_system_failure(fault: Fault | None) -> bool:
    """Without a fault, or without a code in it, it was not QuickBooks that spoke."""
    return not (fault and fault.code) or fault.code == "10000" or fault.type == "SystemFault"


def _json_fault(body: bytes) -> Fault | None:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fault = _lowered(_lowered(answer).get("fault"))
    errors = fault.get("error")
    first = _lowered(errors[0] if isinstance(errors, list) and errors else errors)
    return _fault(first, _text(fault.get("type"))) if fault else None


def _xml_fault(body: bytes) -> Fault | None:
    """The first error of it. A document type is refused: no entity is expanded or fetched."""
    found: dict[str, str] = {}
    path: list[str] = []
    errors = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal errors
        path.append(name.rpartition(":")[2].lower())
        errors += path[-1] == "error"
        if path[-1] in ("fault", "error") and path[-1] not in found:
            found[path[-1]] = ""
            found.update({f"{path[-1]}.{key.lower()}": value for key, value in attributes.items()})

    def text(data: str) -> None:
        if path[-2:-1] == ["error"] and errors == 1:
            found[path[-1]] = found.get(path[-1], "") + data

    def refuse(*_: object) -> None:
        raise expat.ExpatError("a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = lambda _: path.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError):
        return None
    if "fault" not in found:
        return None
    first = {
        "code": found.get("error.code"),
        "message": found.get("message"),
        "detail": found.get("detail"),
    }
    return _fault(first, found.get("fault.type", ""))


def _fault(error: dict[str, Any], kind: str) -> Fault:
    code = _text(error.get("code"))
    return Fault(code.lstrip("0"), _text(error.get("message")), _text(error.get("detail")), kind)


def _lowered(value: Any) -> dict[str, Any]:
    return {key.lower(): part for key, part in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""
