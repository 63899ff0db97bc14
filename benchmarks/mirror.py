"""From QuickBooks into the mirror: rows per second beside the two limits nobody can beat.

    python benchmarks/mirror.py [--customers 100000] [--items 20000] [--invoices 50000]
                                [--latency-ms 0 300] [--times 3]

Measured, each in a process of its own, with the product's own code and without its limiter (Intuit
allows ten calls a second, which no machine of today would notice as work):

    fetch   the same pages only fetched and parsed, and forgotten
    copy    the same rows, held in memory in the form that Postgres takes, only copied into a table
            like the mirror, in one transaction; and copy-2, through two connections at a time
    mirror  both, as a run does it: every page looked up, written and remembered in a transaction
    again   the same once more, when nothing has changed

The simulator, Postgres (durable, with its own defaults) and this program share the machine. CPU is
what each of the three has used. Memory is the peak of the measured process; the last lines show it
for a company of half the size. The figures are medians.

The floor is what no single Python process could beat on this machine, though it had nothing to do
but fetch and copy: the program's own CPU for both, one thread of it at a time; or the CPU of all
three, shared out evenly over cores that never wait; whichever is longer.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import psycopg
from tenacity import retry, stop_after_delay, wait_fixed

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from demo import postgres  # noqa: E402 - found by the path above

REALM = "9341452000000001"
ENTITIES = ["Customer", "Invoice", "Item"]
CONNECTIONS = 2
MEASURED = ("fetch", "copy", "copy-2", "mirror", "again")
PREPARE = """
    INSERT INTO sync.run (realm, run_id, company, trigger) VALUES ('{realm}', 'run', 'a', 'b')
        ON CONFLICT DO NOTHING;
    INSERT INTO sync.lease (realm, run_id) VALUES ('{realm}', 'run') ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS copied (LIKE quickbooks.record INCLUDING ALL);
    ALTER TABLE copied SET (toast_tuple_target = 8160);
"""


# Each measurement, in a process of its own


@dataclass
class Token:
    """An access token, fetched once."""

    token: str

    def access_token(self) -> str:
        """The token."""
        return self.token

    def renewed(self, rejected: str) -> str:
        """No benchmark takes an hour: a token that is rejected was never good."""
        raise RuntimeError("The simulator rejected the access token it has given. Start it anew.")

    def refused(self) -> None:
        """Nothing is counted."""

    def accepted(self) -> None:
        """Nothing was counted."""


class Counted:
    """No limits, only a count."""

    def __init__(self) -> None:
        self.turns: list[Any] = []

    @contextmanager
    def turn(self, purpose: str) -> Iterator[Any]:
        """A request begins."""
        from quickbooks_crm.quickbooks.limiter import Turn

        self.turns.append(Turn())
        yield self.turns[-1]


class Books:
    """A client as extract's source."""

    def __init__(self, url: str) -> None:
        from quickbooks_crm.quickbooks.client import QuickBooksClient
        from quickbooks_crm.quickbooks.login import log_in
        from quickbooks_crm.quickbooks.settings import Connection, settings_of

        extra = {
            "environment": "simulator",
            "realm_id": REALM,
            "refresh_token": "simulator-refresh-token",
            "api_url": url,
            "discovery_url": f"{url}/.well-known/openid_configuration",
        }
        settings = settings_of(Connection("qb", "simulator-client", "simulator-secret", extra))
        self.counted = Counted()
        token = Token(log_in(settings, "simulator-refresh-token").access_token)
        self.client = QuickBooksClient(settings, token, self.counted)

    def everything(self, entity: str, done: Any = ()) -> Any:
        """Every page."""
        from quickbooks_crm.quickbooks import reading

        return reading.everything(self.client, entity, done=done)

    def named(self, entity: str, ids: Any) -> Any:
        """Records by id."""
        from quickbooks_crm.quickbooks import reading

        return reading.named(self.client, entity, ids)


def fetch(books: Books, _: str) -> int:
    """Pages fetched and parsed, and forgotten."""
    return sum(len(page) for entity in ENTITIES for page in books.everything(entity))


def copy(books: Books, database: str, connections: int) -> tuple[int, float]:
    """The rows of all pages copied into a table; they are fetched before the clock starts."""
    pages = [_lines(page) for entity in ENTITIES for page in books.everything(entity)]
    rows = sum(map(len, pages))
    began = time.perf_counter()
    shares = [pages[n::connections] for n in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda share: _copy_pages(database, share), shares))
    return rows, time.perf_counter() - began


def _lines(page: Any) -> list[bytes]:
    """The rows of a page as COPY takes them; the last is the first of the next page."""
    from quickbooks_crm.copying import columns, digest, line

    stamp = (REALM.encode(), b"1")
    records = page.records[:-1] if page.span.full else page.records
    return [line(*stamp, *columns(record, digest(record))) for record in records]


def _copy_pages(database: str, pages: list[list[bytes]]) -> None:
    statement = (
        "COPY copied (realm, generation, entity, id, sync_token, updated_at, deleted, digest,"
        " payload) FROM STDIN"
    )
    with psycopg.connect(database) as connection, connection.cursor().copy(statement) as target:
        for page in pages:
            target.write(b"".join(page))


def mirror(books: Any, database: str) -> int:
    """As a run reads everything; nothing else is asked of the books."""
    from quickbooks_crm.breakers import Thresholds
    from quickbooks_crm.extract import Due, extract
    from quickbooks_crm.runs import Run, attempt

    with (
        psycopg.connect(database, autocommit=True) as first,
        psycopg.connect(database, autocommit=True) as second,
    ):
        tried = attempt(first, Run("a", REALM, "run"), "extract")
        due = Due({}, tuple(ENTITIES))
        extracted = extract([first, second], books, tried, due, Thresholds())
        assert not extracted.failed, extracted.failed
        return sum(extracted.fetched.values())


def measure(name: str, url: str, database: str) -> None:
    """Measure one thing, and print it."""
    books = Books(url)
    for module in ("copying", "extract", "quickbooks.reading"):
        import_module(f"quickbooks_crm.{module}")  # takes as long as half the work
    before = cpu()
    began = time.perf_counter()
    if name.startswith("copy"):
        rows, seconds = copy(books, database, 1 if name == "copy" else CONNECTIONS)
    else:
        rows = fetch(books, database) if name == "fetch" else mirror(books, database)
        seconds = time.perf_counter() - began
    told = {"rows": rows, "seconds": seconds, "calls": len(books.counted.turns)}
    print(json.dumps(told | {"cpu": cpu() - before, "peak": peak()}))


def peak() -> float:
    """Megabytes. What the kernel tells of a child includes the program that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# All measurements


def main() -> None:
    """Measure everything, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--invoices", type=int, default=50_000)
    parser.add_argument("--latency-ms", type=int, nargs="+", default=[0, 300])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        return measure(*asked.measure)
    with tempfile.TemporaryDirectory() as place, postgres.cluster(Path(place), {}) as server:
        _migrate(server.create_database("template_mirror"))
        for latency in asked.latency_ms:
            sizes = [asked.customers, asked.items, asked.invoices]
            _table(server, sizes, latency, asked.times)
        half = [size // 2 for size in sizes]
        _table(server, half, asked.latency_ms[0], 1)


def _migrate(database: str) -> None:
    from quickbooks_crm.database import migrate

    with psycopg.connect(database) as connection:
        migrate(connection)


def _table(server: postgres.Server, sizes: list[int], latency: int, times: int) -> None:
    customers, items, invoices = sizes
    print(
        f"\n{customers:,} customers, {items:,} items, {invoices:,} invoices; {latency} ms per call;"
        f" median of {times}; {os.cpu_count()} cores"
    )
    print("            seconds    rows/s  calls  CPU: program  Postgres  simulator  peak memory")
    with _simulated(sizes, latency) as (url, simulator):
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in MEASURED}
        for number in range(times):
            unused = f"mirror_{customers}_{latency}_{number}"
            database = server.create_database(unused, "template_mirror")
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(PREPARE.format(realm=REALM).encode())
            for name in MEASURED:
                _emptied(database)
                runs[name].append(_measured(name, url, database, simulator))
    figures = {name: _median(runs[name]) for name in MEASURED}
    for name, f in figures.items():
        print(
            f"  {name:8} {f['seconds']:8.2f} {f['rows'] / f['seconds']:9,.0f} {f['calls']:6.0f}"
            f" {f['cpu']:13.2f} {f['postgres']:9.2f} {f['simulator']:10.2f} {f['peak']:9.0f} MB"
        )
    slower = max(figures["fetch"]["seconds"], figures["copy"]["seconds"])
    print(f"  mirror is {figures['mirror']['seconds'] / slower:.2f} x the slower of fetch and copy")
    floor = _floor(figures["fetch"], figures["copy"])
    print(f"  the floor is {floor:.2f} s, {floor / slower:.2f} x the slower of fetch and copy")
    print("  (CPU of the program in copy and copy-2 includes fetching; their seconds do not)")


def _floor(fetch: dict[str, float], copy: dict[str, float]) -> float:
    """The fewest seconds for both at once. The program of `copy` has fetched too."""
    work = fetch["simulator"] + copy["cpu"] + copy["postgres"]
    return max(work / (os.cpu_count() or 1), copy["cpu"], fetch["seconds"], copy["seconds"])


def _emptied(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("TRUNCATE copied")


def _measured(name: str, url: str, database: str, simulator: psutil.Process) -> dict[str, float]:
    postmaster = postmaster_of(database)
    busy = {"postgres": postgres_cpu(postmaster), "simulator": _busy(simulator)}
    command = [sys.executable, __file__, "--measure", name, url, database]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    figures: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    figures["postgres"] = postgres_cpu(postmaster) - busy["postgres"]
    figures["simulator"] = _busy(simulator) - busy["simulator"]
    return figures


def _median(figures: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(f[key] for f in figures) for key in figures[0]}


def _busy(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def postmaster_of(database: str) -> psutil.Process:
    with psycopg.connect(database) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    return postmaster


def postgres_cpu(postmaster: psutil.Process) -> float:
    """What our Postgres has used: its processes, and those that have ended."""
    ended = postmaster.cpu_times()
    living = sum(map(_busy, [postmaster, *postmaster.children(recursive=True)]))
    return living + ended.children_user + ended.children_system


@contextmanager
def _simulated(sizes: list[int], latency: int) -> Iterator[tuple[str, psutil.Process]]:
    counts = ("--customers", "--items", "--invoices")
    options = [text for flag, size in zip(counts, sizes, strict=True) for text in (flag, str(size))]
    command = [sys.executable, "-m", "simulator", "--no-throttle", "--port", "8798"]
    command += [*options, "--latency-ms", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            line = started.stdout.readline()
            url = line.partition(" on ")[2].partition(",")[0]
            _warm(url)
            yield url, psutil.Process(started.pid)
        finally:
            started.terminate()


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _warm(url: str) -> None:
    """The simulator, once it is up, sorts each entity once, as the first page is asked for."""
    fetch(Books(url), "")


if __name__ == "__main__":
    main()
