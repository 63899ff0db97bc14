"""Every SQL statement, in files named after the stage that uses them.

A file is a list of blocks. A block begins with `-- name --` and is one statement; values in it are
parameters (`%(run_id)s`), identifiers are `{table}`, filled in with `psycopg.sql.Identifier`.
"""

import re
from functools import cache
from pathlib import Path

from psycopg import sql

HERE = Path(__file__).parent
_BLOCK = re.compile(r"^-- ([a-z_]+) --\n", re.MULTILINE)


@cache
def statements(stage: str) -> dict[str, sql.SQL]:
    """The statements of `<stage>.sql` by name."""
    parts = _BLOCK.split((HERE / f"{stage}.sql").read_text(encoding="utf-8"))
    return {
        name: sql.SQL(text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }
