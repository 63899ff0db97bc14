"""Rows of the database with exact numbers, also where they are in JSON."""

import json
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads


def cursor(connection: Connection[Any]) -> Cursor[dict[str, Any]]:
    """A cursor whose rows are known by the names of their columns."""
    found = connection.cursor(row_factory=dict_row)
    set_json_loads(partial(json.loads, parse_float=Decimal), found)
    return found
