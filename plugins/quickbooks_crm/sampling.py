"""What QuickBooks' fields hold: some values of each, from the first records of the mirror. They are
customer data: never log them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg import Connection
from psycopg.types.json import set_json_loads

from quickbooks_crm.mapping.paths import Item, Path, written
from quickbooks_crm.mapping.quickbooks_fields import Kind
from quickbooks_crm.sql import statements

RECORDS = 50
VALUES = 3
LONGEST = 60
_OURS = {"SyncToken", "sparse", "domain", "status"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T.+")


@dataclass
class Seen:
    """A field as records have it: of what kind, with which values, the first ones only."""

    path: Path
    kind: Kind
    values: list[str] = field(default_factory=list)


def seen(connection: Connection[Any], realm: str, entity: str) -> dict[str, Seen]:
    """The fields that the first records of an entity have, by their paths as mappings write
    them."""
    cursor = connection.cursor()
    set_json_loads(partial(json.loads, parse_float=Decimal), cursor)
    where = {"realm": realm, "entity": entity, "some": RECORDS}
    found: dict[str, Seen] = {}
    for (payload,) in cursor.execute(statements("sampling")["some_records"], where):
        for path, value in _leaves((), payload):
            known = found.setdefault(written(path), Seen(path, _kind(value)))
            text = _shown(value)
            if len(known.values) < VALUES and text not in known.values:
                known.values.append(text)
    return found


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """Every single value of a record, with its path; of lists only those told apart by a name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _OURS and name.isidentifier():
                yield from _leaves((*path, name), inner)
    elif isinstance(value, list):
        yield from _named_items(path, value)
    elif value not in (None, ""):
        yield path, value


def _named_items(path: Path, items: list[Any]) -> Iterator[tuple[Path, Any]]:
    for item in items:
        if path and isinstance(item, dict) and isinstance(item.get("Name"), str):
            step = Item(str(path[-1]), ("Name",), item["Name"])
            kept = {n: v for n, v in item.items() if n.endswith("Value")}
            yield from _leaves((*path[:-1], step), kept)


def _kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return "yes_no"
    if isinstance(value, int | Decimal):
        return "number"
    if _DAY.fullmatch(str(value)):
        return "day"
    return "moment" if _MOMENT.fullmatch(str(value)) else "text"


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
