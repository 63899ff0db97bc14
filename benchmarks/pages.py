"""How long the pages take with 1,000,000 rows in the mirror and 1,000 runs.

    python benchmarks/pages.py [--rows 1000000] [--times 15]

A database is filled as sets (`pages.sql`): customers, items and invoices, all of them in the CRM
with their links, records that were not added, and runs with how each record ended. Airflow's own
web application, signed in as its admin, is then asked for every page that there is: found by
following the links from the first one, three addresses of each, and those that links lead to late,
such as a list's middle. Each is asked for once before it is measured. Postgres has its own defaults
and shares the machine with the application.

Printed of each page: the median and the 95th percentile of the milliseconds of an answer, and how
many of the processor each answer took, in the application and in Postgres: what it takes where no
other programs run. The slowest address is the first.
"""

import argparse
import base64
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.mirror import cpu, postgres_cpu, postmaster_of  # noqa: E402 - by that path
from demo import postgres  # noqa: E402 - by that path

REALM, COMPANY = "9341452000000001", "sample"
HOST = "http://127.0.0.1"
MOST = 200
"""Milliseconds that the median of a page should take."""


@dataclass(frozen=True)
class Asked:
    """A page's address, with what a person looks for there."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = urlsplit(self.address)
        way = parts.path.removeprefix("/quickbooks-crm") + (
            f"?{parts.query}" if parts.query else ""
        )
        return way + "".join(f"  for {text}" for text in self.headers.values())


def late(rows: int) -> Iterator[Asked]:
    """Addresses that only many clicks lead to, and searches."""
    accounts, run = "records/sample/accounts", f"runs/{REALM}/run-0001/accounts?outcome=added"
    invoices = run.replace("accounts", "invoices")
    middle = rows // 5
    for way in (
        f"{accounts}?after={middle}",
        *(f"{accounts}?wanted={wanted}" for wanted in ("linked", "by_hand", "inactive", "deleted")),
        "records/sample/invoices?wanted=waiting",
        f"{accounts}/record?key={middle}",
        f"records/sample/invoices/record?key={middle}",
        f"records/sample/products/record?key={rows // 20}",
        f"{accounts}/review",
        "activity?state=failed",
        "activity?kind=replay",
        "activity?who=nobody",
        f"activity?before={REALM}/run-0500",
        f"runs/{REALM}/run-0001",
        run,
        f"{run}&after=Customer/{middle}",
        f"{run}&noted=yes&after=Customer/{middle}",
        f"{invoices}&noted=yes",
        f"runs/{REALM}/run-0998/accounts?outcome=not_added",
        f"runs/{REALM}/run-0998/accounts?outcome=not_added&reason=missing_required",
    ):
        yield Asked(f"{HOST}/quickbooks-crm/{way}")
    for text in ("Cedar", "garden", str(middle), "nobody at all"):
        yield Asked(f"{HOST}/quickbooks-crm/{accounts}", {"sought": text})
        for listed in (run, f"{run}&noted=yes", f"{invoices}&noted=yes"):
            yield Asked(f"{HOST}/quickbooks-crm/{listed}", {"sought": text})


def main() -> None:
    """Fill a database, ask for every page, and print how long they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, postgres.cluster(Path(place), {}) as server:
        began = time.perf_counter()
        database = server.create_database("pages")
        _prepare(database, asked.rows)
        seconds = time.perf_counter() - began
        print(f"{asked.rows:,} rows in the mirror, filled in {seconds:.0f} s", flush=True)
        with _browser(database) as get:
            every = list(every_page(get, asked.rows))
            postmaster = postmaster_of(database)
            _table([_measured(get, each, asked.times, postmaster) for each in every])


def _prepare(database: str, rows: int) -> None:
    from quickbooks_crm.database import install_crm, migrate

    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection)
        install_crm(connection, ROOT / "include/crm")
        fill(connection, rows)
        connection.execute("VACUUM ANALYZE")


def fill(connection: psycopg.Connection[Any], rows: int) -> None:
    """A company in a database that is ready, as many loads have left it."""
    from quickbooks_crm import mapping
    from quickbooks_crm.database import add_companies

    known = mapping.load(ROOT / "include/mappings")
    made = ("products", "accounts", "contacts", "invoices")
    shaped = {
        "rows": rows,
        "realm": REALM,
        "modules": list(made),
        "hashes": [known[module].hash for module in made],
        "targets": [known[module].table for module in made],
    }
    add_companies(connection, ROOT / "include/crm", {COMPANY: "Sample company"})
    filling = sql.SQL((Path(__file__).parent / "pages.sql").read_text())
    connection.execute(filling.format(**{k: sql.Literal(v) for k, v in shaped.items()}))


@contextmanager
def _browser(database: str) -> Iterator[Callable[[Asked], Any]]:
    """Airflow's web application with its admin signed in, and how to ask it."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= _settings(home, database)
        from airflow.utils import db

        db.initdb()
        from airflow.api_fastapi.app import create_app, get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from starlette.testclient import TestClient

        client = TestClient(
            create_app(apps="core"),
            base_url=HOST,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        admin = SimpleAuthManagerUser(username="admin", role="admin")
        client.cookies.set("_token", get_auth_manager().generate_jwt(admin))
        yield lambda asked: client.get(asked.address, headers=asked.headers)


def quickbooks() -> str:
    """The company's connection, in the form of an AIRFLOW_CONN_ variable."""
    connection = {"conn_type": "quickbooks", "login": "client", "password": "secret"}
    extra = {"environment": "simulator", "realm_id": REALM, "refresh_token": "first"}
    return json.dumps(connection | {"extra": extra})


def _settings(home: str, database: str) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": f"{ROOT}/dags",
        "AIRFLOW__CORE__PLUGINS_FOLDER": f"{ROOT}/plugins",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(32).hex(),
        "AIRFLOW__API__BASE_URL": HOST,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW_CONN_CRM": database,
        "AIRFLOW_CONN_QUICKBOOKS_SAMPLE": quickbooks(),
    }


def every_page(get: Callable[[Asked], Any], rows: int) -> Iterator[Asked]:
    """Addresses of every page, and the late ones."""
    from tests import walking

    found = walking.addresses(lambda address: str(get(Asked(address)).text), HOST)
    yield from (Asked(address) for addresses in found.values() for address in addresses)
    yield from late(rows)


@dataclass(frozen=True)
class Figures:
    """How long the answers to one address took, and how much of the processor each, in
    milliseconds."""

    asked: Asked
    status: int
    took: list[float]
    program: float
    postgres: float

    @property
    def median(self) -> float:
        return statistics.median(self.took)

    def __str__(self) -> str:
        last = statistics.quantiles(self.took, n=20)[-1]
        told = "" if self.status == 200 else f"  answers {self.status}"
        both = f"{self.program:8.0f} {self.postgres:9.0f}"
        return f"{self.asked!s:84.84} {self.median:6.0f} {last:6.0f} {both}{told}"


def _table(measured: list[Figures]) -> None:
    print(f"{'milliseconds':84} median   95 %  CPU: program  Postgres")
    for figures in sorted(measured, key=lambda each: -each.median):
        print(figures)
    slow = sum(figures.median >= MOST for figures in measured)
    print(f"{len(measured)} addresses, {slow} with a median of {MOST} ms or more")


def _measured(
    get: Callable[[Asked], Any], asked: Asked, times: int, postmaster: psutil.Process
) -> Figures:
    status, took = get(asked).status_code, []
    program, database = cpu(), postgres_cpu(postmaster)
    for _ in range(times):
        began = time.perf_counter()
        get(asked)
        took.append(1000 * (time.perf_counter() - began))
    each = 1000 / times
    used = each * (cpu() - program), each * (postgres_cpu(postmaster) - database)
    return Figures(asked, status, took, *used)


if __name__ == "__main__":
    main()
