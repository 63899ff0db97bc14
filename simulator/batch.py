"""Several queries in one request: each is answered, or refused, by itself."""

import msgspec

from simulator import faults, selection
from simulator.clock import envelope_time
from simulator.company import Company
from simulator.errors import Refused, invalid_query, unparsable, unsupported
from simulator.rows import Data, decode, encode

MOST_ITEMS = 30
MOST_OBJECTS = 1000


def queries(body: bytes) -> str:
    """The statements in a request, for the ledger; nothing where it cannot be read."""
    try:
        return "; ".join(str(item["Query"]) for item in _items(body) if "Query" in item)
    except Refused:
        return ""


def answer(company: Company, body: bytes) -> bytes:
    """The JSON body: an item per request, found by its `bId` alone; raises `Refused`."""
    items = _items(body)
    if len(items) > MOST_ITEMS:
        raise invalid_query(f"{len(items)} items are too many. Max allowed value is {MOST_ITEMS}")
    answers, left = [], MOST_OBJECTS
    with company.lock:
        for item in items:
            part, rows = _answered(company, item, left)
            left -= rows
            answers.append(b'{%s,"bId":%s}' % (part, encode(str(item.get("bId", "")))))
        time = encode(envelope_time(company.clock.now()))
    return b'{"BatchItemResponse":[%s],"time":%s}' % (b",".join(reversed(answers)), time)


def _items(body: bytes) -> list[Data]:
    try:
        items = decode(body)["BatchItemRequest"]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise unparsable("BatchItemRequest is required") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unparsable("BatchItemRequest is not a list of items")
    return items


def _answered(company: Company, item: Data, left: int) -> tuple[bytes, int]:
    """What stands in the item's answer, and how many rows that is."""
    try:
        if "Query" not in item:
            raise unsupported("/batch")
        group, rows = selection.group(company, str(item["Query"]))
        if rows > left:
            raise invalid_query(f"a batch answers with at most {MOST_OBJECTS} objects")
    except Refused as refused:
        return b'"Fault":%s' % encode(faults.inside(refused)), 0
    return b'"QueryResponse":{%s}' % group, rows
