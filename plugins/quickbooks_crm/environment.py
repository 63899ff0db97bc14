"""The CRM connection as Airflow would find it in the environment, without importing Airflow.

Airflow takes seconds to import, and what only reads the CRM's tables need not wait for it. Where
Airflow might find another connection, or read this one differently, the answer is None: ask it.
"""

import json
import os
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

_VARIABLES = ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__WORKERS__SECRETS_BACKEND")
_OPTIONS = [
    (section, option + how)
    for section, option in (("secrets", "backend"), ("workers", "secrets_backend"))
    for how in ("", "_cmd", "_secret")
]
_POSTGRES = ("postgres", "postgresql")


def connection(id: str) -> dict[str, Any] | None:
    """What opens the Postgres connection of that id; None when only Airflow can tell."""
    written = os.environ.get(f"AIRFLOW_CONN_{id.upper()}", "")
    if not written or _asks_elsewhere_first():
        return None
    try:
        found = _of_json(written) if written.lstrip().startswith("{") else _of_address(written)
        make_conninfo(**found)
    except (ValueError, TypeError, AttributeError, ProgrammingError):
        return None
    return found


def has_connection(id: str) -> bool:
    """Whether the environment, where Airflow looks, says anything of a connection of that id."""
    return bool(os.environ.get(f"AIRFLOW_CONN_{id.upper()}"))


def _of_address(written: str) -> dict[str, Any]:
    address = urlsplit(written)
    if (
        address.scheme not in _POSTGRES
        or written.count("://") != 1
        or "%" in _place(address.netloc)
    ):
        raise ValueError("not a plain address of Postgres")
    opening = {
        "host": address.hostname,
        "user": unquote(address.username or ""),
        "password": unquote(address.password or ""),
        "dbname": unquote(address.path[1:]),
        "port": address.port,
    }
    return _given(opening) | dict(parse_qsl(address.query, keep_blank_values=True))


def _place(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def _of_json(written: str) -> dict[str, Any]:
    parts = json.loads(written)
    if parts.get("conn_type") not in _POSTGRES:
        raise ValueError("not a connection to Postgres")
    names = {"host": "host", "user": "login", "password": "password", "dbname": "schema"}
    opening = {name: parts.get(written) for name, written in names.items()}
    extra = parts.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    return _given(opening | {"port": parts.get("port")}) | extra


def _given(opening: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in opening.items() if value}


def _asks_elsewhere_first() -> bool:
    """Whether a secrets backend, which comes before the environment, may be set."""
    if any(value and name.startswith(_VARIABLES) for name, value in os.environ.items()):
        return True
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    file = Path(os.environ.get("AIRFLOW_CONFIG") or home / "airflow.cfg").expanduser()
    settings = RawConfigParser(strict=False)
    try:
        settings.read(file, encoding="utf-8")
    except (OSError, Error, UnicodeDecodeError):
        return True
    return any(settings.get(*option, fallback="").strip() for option in _OPTIONS)
