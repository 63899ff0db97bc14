"""The same answers as XML, which QuickBooks sends to whoever does not ask for JSON."""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from simulator.rows import decode

_ATTRIBUTES = ("domain", "sparse", "status")
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_NAMESPACE = "http://schema.intuit.com/finance/v3"


def document(body: bytes) -> bytes:
    """A JSON answer written as an IntuitResponse."""
    answer = decode(body)
    time = quoteattr(str(answer.pop("time", "")))
    inside = "".join(_element(name, value) for name, value in answer.items())
    opening = f'<IntuitResponse xmlns="{_NAMESPACE}" time={time}>'
    return f"{_HEAD}{opening}{inside}</IntuitResponse>".encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, each) for each in value)
    if not isinstance(value, dict):
        return f"<{name}>{escape(_text(value))}</{name}>"
    inner = dict(value)
    attributes = "".join(
        f" {key}={quoteattr(_text(inner.pop(key)))}"
        for key in (*_ATTRIBUTES, *_PAGING)
        if key in inner
    )
    if name.endswith("Ref") and "value" in inner:
        label = f" name={quoteattr(str(inner['name']))}" if "name" in inner else ""
        return f"<{name}{label}>{escape(_text(inner['value']))}</{name}>"
    return (
        f"<{name}{attributes}>" + "".join(_element(*pair) for pair in inner.items()) + f"</{name}>"
    )


_PAGING = ("startPosition", "maxResults", "totalCount")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
