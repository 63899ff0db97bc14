"""From the mirror into the CRM: rows per second of each stage, when much, nothing and little has
changed.

    python benchmarks/load.py [--customers 100000 1000000] [--items 20000] [--invoices 50000]
                              [--times 1]

The mirror is filled with the simulator's customers, items and invoices, without QuickBooks.
Measured, each in a process of its own, with the product's own code as a run calls it, for each
module:

    transform   the records read, shaped, checked, staged and sealed
    load        the staged rows brought into the CRM with their links and outcomes, in a transaction

for a first sync, for a sync that finds nothing new, for one that reads every record again and finds
each as it was, and for one after every hundredth record has changed; then `replay`, both stages in
one process, after a mapping that changes every CRM record.
`rows` are the records that the stage took.

`together` is a first sync once more as the DAG does it with two tasks at a time: a module is shaped
while others are loaded, and loaded once those are that it refers to. Its seconds are those from its
beginning to its end.

`writing alone` is the least that a first sync can take: all rows that `together` has made, those of
the CRM and those by which each is accounted for, linked and can be undone, written once more from
copies, with their indexes, constraints and foreign keys, and with nothing read, shaped or compared.

Postgres (durable, with its own defaults) and this program share the machine. CPU is what each of
the two has used, and how much of it a row: where other programs run too it is steadier than
seconds, and a row should take as long at one size as at another. Memory is the peak of the measured
process, Python and all it imports included. Each measurement is printed as it ends; of several
times the medians follow.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.mirror import REALM, cpu, peak, postgres_cpu, postmaster_of  # noqa: E402 - by that path
from demo import postgres  # noqa: E402 - by that path

COMPANY = "sample"
ENTITIES = {"Customer": "customers", "Item": "items", "Invoice": "invoices"}
MODULES = ("products", "accounts", "contacts", "invoices")
PROCESSES = 2
MOST_MEMORY = 300
"""Megabytes that no process may need, whatever the size: memory, unlike time, is no matter of the
machine."""
Task = tuple[str, str]
"""A stage, and the module."""
NEW_GENERATION = """
    INSERT INTO sync.generation (realm, run_id, sealed_at) VALUES (%s, %s, now())
    RETURNING generation"""
FILL = """
    COPY quickbooks.record (realm, entity, id, sync_token, generation, payload) FROM STDIN"""
CHANGE = """
    UPDATE quickbooks.record
       SET generation = %(generation)s, sync_token = sync_token + 1,
           payload = payload || CASE entity
               WHEN 'Item' THEN '{"Description": "Not what it was"}'::jsonb
               WHEN 'Invoice' THEN '{"PrivateNote": "Called"}'
               ELSE '{"Mobile": {"FreeFormNumber": "(555) 555-0100"}, "Notes": "Called"}' END
     WHERE realm = %(realm)s AND mod(id::bigint, 100) = 7"""
AGAIN = "UPDATE quickbooks.record SET generation = %(generation)s WHERE realm = %(realm)s"

OTHERWISE = ("{value: false}", "{value: true}")
READ = "SELECT read FROM sync.activity WHERE run_id = %s AND module = %s"
OF_THE_CRM = ("products", "accounts", "contacts", "invoices", "invoice_lines")
OF_THE_SYNC = ("link", "outcome", "shown", "held", "parked")
FILLED = [*(("crm", name) for name in OF_THE_CRM), *(("sync", name) for name in OF_THE_SYNC)]
"""The tables that a first sync fills, in the order in which they can be filled."""

STORED = """
    SELECT attname FROM pg_attribute
     WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
WRITE = sql.SQL("INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}")
WRITTEN = """
    SELECT (SELECT count(*) FROM crm.products) + (SELECT count(*) FROM crm.accounts)
         + (SELECT count(*) FROM crm.contacts) + (SELECT count(*) FROM crm.invoices)
         + (SELECT count(*) FROM crm.invoice_lines)"""


# Each measurement, in a process of its own


def fill(connection: psycopg.Connection[Any], *counted: str) -> int:
    """The simulator's customers, items and invoices in the mirror."""
    from quickbooks_crm.copying import escaped
    from simulator.generate import generated
    from simulator.settings import COUNTS, Settings

    own = dict(zip(ENTITIES.values(), map(int, counted), strict=True))
    counts: Any = dict.fromkeys(COUNTS, 0) | own
    made = generated(replace(Settings(), **counts))
    with connection.transaction():
        generation = b"%d" % _new_generation(connection, "filled")
        with connection.cursor().copy(FILL) as copy:
            for entity in ENTITIES:
                for row in made.table(entity).rows.values():
                    told = (REALM.encode(), entity.encode(), row.id.encode(), b"0", generation)
                    copy.write(b"\t".join((*told, escaped(row.raw))) + b"\n")
    return sum(len(made.table(entity).rows) for entity in ENTITIES)


def look(connection: psycopg.Connection[Any]) -> int:
    """What a sync that finds nothing does: look whether a module has work."""
    from quickbooks_crm import runs

    known = _mappings().values()
    return sum(runs.has_work(connection, REALM, each, known, MODULES) for each in known)


def transform(connection: psycopg.Connection[Any], run_id: str, module: str) -> int:
    """What the transform task of a module does."""
    from quickbooks_crm import stage
    from quickbooks_crm.one_module import pending, stage_rows
    from quickbooks_crm.runs import Run

    run, known = Run(COMPANY, REALM, run_id), _mappings()[module]
    with connection.transaction():
        stage.clear(connection, run, known)
        window = pending(connection, REALM, module)
        return stage_rows(connection, run, known, window)["staged"]


def load(connection: psycopg.Connection[Any], run_id: str, module: str) -> int:
    """What the load task of a module does."""
    from quickbooks_crm.companies import load_one
    from quickbooks_crm.one_module import Bringing, load_rows
    from quickbooks_crm.runs import Run

    company = load_one(ROOT / "include/companies", COMPANY)
    bringing = Bringing(Run(COMPANY, REALM, run_id), company, _mappings())
    with connection.transaction():
        return load_rows(connection, bringing, module)["read"]


def replay(connection: psycopg.Connection[Any], run_id: str, module: str) -> int:
    """What a replay does of a module whose mapping now says something else of every record."""
    from quickbooks_crm import replay
    from quickbooks_crm.companies import load_one
    from quickbooks_crm.judge import TO_A_MAPPING, Lenience
    from quickbooks_crm.mapping import parse_all
    from quickbooks_crm.one_module import Bringing
    from quickbooks_crm.runs import Run

    texts = {name: known.text.replace(*OTHERWISE) for name, known in _mappings().items()}
    company = load_one(ROOT / "include/companies", COMPANY)
    expected = Lenience(TO_A_MAPPING)
    bringing = Bringing(Run(COMPANY, REALM, run_id), company, parse_all(texts), expected)

    @contextmanager
    def apart() -> Iterator[None]:
        with connection.transaction():
            yield

    replay.bring(connection, bringing, module, apart)
    row = connection.execute(READ, [run_id, module]).fetchone()
    assert row is not None
    return int(row[0])


def set_apart(connection: psycopg.Connection[Any]) -> int:
    """All rows of a first sync away into copies, so that they can be written once more."""
    connection.execute("CREATE SCHEMA apart")
    for name in FILLED:
        copied = sql.SQL("CREATE UNLOGGED TABLE {} AS TABLE {}")
        connection.execute(copied.format(_apart(name), sql.Identifier(*name)))
    tables = sql.SQL(", ").join(sql.Identifier(*name) for name in FILLED)
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))
    return 0


def write(connection: psycopg.Connection[Any]) -> int:
    """The rows set apart, written once more; how many they are."""
    rows = 0
    for name in FILLED:
        stored = connection.execute(STORED, [".".join(name)]).fetchall()
        columns = sql.SQL(", ").join(sql.Identifier(column) for (column,) in stored)
        written = WRITE.format(sql.Identifier(*name), columns, _apart(name))
        rows += connection.execute(written).rowcount
    return rows


def _apart(name: tuple[str, str]) -> sql.Identifier:
    return sql.Identifier("apart", "_".join(name))


MEASURED: dict[str, Callable[..., int]] = {
    "fill": fill,
    "look": look,
    "transform": transform,
    "load": load,
    "replay": replay,
    "set_apart": set_apart,
    "write": write,
}


def _mappings() -> dict[str, Any]:
    from quickbooks_crm import mapping

    return mapping.load(ROOT / "include/mappings")


def _new_generation(connection: psycopg.Connection[Any], run_id: str) -> int:
    row = connection.execute(NEW_GENERATION, [REALM, run_id]).fetchone()
    assert row is not None
    return int(row[0])


def measure(name: str, database: str, *wanted: str) -> dict[str, float]:
    """Measure one thing."""
    get_ready()
    with psycopg.connect(database, autocommit=True) as connection:
        before, began = cpu(), time.perf_counter()
        rows = MEASURED[name](connection, *wanted)
        seconds = time.perf_counter() - began
    return {"rows": rows, "seconds": seconds, "cpu": cpu() - before, "peak": peak()}


def get_ready() -> None:
    """Import what takes longer than a small load."""
    from quickbooks_crm import one_module  # noqa: F401 - it imports all that a load needs


# All measurements


def main() -> None:
    """Measure everything, and print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[100_000])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--invoices", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        return print(json.dumps(measure(*asked.measure)))
    with tempfile.TemporaryDirectory() as place, postgres.cluster(Path(place), {}) as server:
        counts = [(customers, asked.items, asked.invoices) for customers in asked.customers]
        peaks = {each[0]: _table(server, each, asked.times) for each in counts}
    kept, told = memory_kept(peaks)
    print(told)
    sys.exit(not kept)


def memory_kept(peaks: dict[int, float]) -> tuple[bool, str]:
    """Whether the most memory that a process needed, by customers, is within the limit, and how
    that is told."""
    above = [customers for customers, peak in peaks.items() if peak > MOST_MEMORY]
    each = ", ".join(f"{peak:.0f} MB at {customers:,}" for customers, peak in peaks.items())
    verdict = "NOT kept" if above else "kept"
    return not above, f"At most {MOST_MEMORY} MB in Python: {verdict} ({each} customers)."


def _table(server: postgres.Server, counts: tuple[int, int, int], times: int) -> float:
    """Measure a size; the most memory that a process needed but to fill the mirror."""
    customers, items, invoices = counts
    filled = f"template_{customers}"
    _prepare(server.create_database(filled), counts)
    print(
        f"\n{customers:,} customers, {items:,} items, {invoices:,} invoices; {os.cpu_count()} cores"
    )
    print(f"{'rows':>33}  seconds    rows/s  CPU: program  Postgres    a row  peak memory")
    runs: dict[str, list[dict[str, float]]] = {}
    for number in range(times):
        database = server.create_database(f"load_{customers}_{number}", filled)
        for name, figures in _syncs(database):
            _keep(runs, name, figures)
        database = server.create_database(f"together_{customers}_{number}", filled)
        _keep(runs, "together", _together(database))
        [(written,)] = _asked(database, WRITTEN)
        _measured("set_apart", database)
        _keep(runs, "writing alone", _measured("write", database))
    if times > 1:
        print(f"median of {times}:")
        for name, several in runs.items():
            _print(name, _median(several))
    together, alone = (_median(runs[name]) for name in ("together", "writing alone"))
    print(
        f"A first sync: {sum(counts):,} records, {written:,} CRM rows, {together['seconds']:.1f} s;"
        f" {_processor_time(together) / _processor_time(alone):.1f} x the CPU of writing alone."
    )
    return max(figures["peak"] for several in runs.values() for figures in several)


def _asked(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def _median(several: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(f[key] for f in several) for key in several[0]}


def _processor_time(f: dict[str, float]) -> float:
    return f["cpu"] + f["postgres"]


def _keep(runs: dict[str, list[dict[str, float]]], name: str, figures: dict[str, float]) -> None:
    """Note what was measured, and print it at once: what takes hours may be stopped."""
    runs.setdefault(name, []).append(figures)
    _print(name, figures)


def _print(name: str, f: dict[str, float]) -> None:
    print(
        f"  {name:22} {f['rows']:8,.0f} {f['seconds']:8.2f} {f['rows'] / f['seconds']:9,.0f}"
        f" {f['cpu']:13.2f} {f['postgres']:9.2f} {_microseconds(f):4.0f} µs {f['peak']:8.0f} MB",
        flush=True,
    )


def _microseconds(f: dict[str, float]) -> float:
    """The CPU time of both that a row takes: what is to stay the same whatever the size."""
    return 1_000_000 * _processor_time(f) / f["rows"] if f["rows"] else 0


def _prepare(database: str, counts: tuple[int, int, int]) -> None:
    from quickbooks_crm.database import add_companies, install_crm, migrate

    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection)
        install_crm(connection, ROOT / "include/crm")
        add_companies(connection, ROOT / "include/crm", {COMPANY: "A company"})
    _measured("fill", database, *map(str, counts))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE quickbooks.record")


def _syncs(database: str) -> Iterator[tuple[str, dict[str, float]]]:
    """A first sync, one that finds nothing new, one that reads all again, one after every hundredth
    record has changed, and a replay."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield from _sync(connection, database, "first")
        yield "no change", _measured("look", database)
        for name, change in {"again": AGAIN, "1 %": CHANGE}.items():
            with connection.transaction():
                changed = {"realm": REALM, "generation": _new_generation(connection, name)}
                connection.execute(change, changed)
            yield from _sync(connection, database, name)
        yield from _sync(connection, database, "replay", ("replay",))


def _sync(
    connection: psycopg.Connection[Any],
    database: str,
    name: str,
    stages: tuple[str, ...] = ("transform", "load"),
) -> Iterator[tuple[str, dict[str, float]]]:
    from quickbooks_crm import runs

    runs.start(connection, runs.Run(COMPANY, REALM, name), "manual", None)
    whole = dict.fromkeys(("rows", "seconds", "cpu", "postgres", "peak"), 0.0)
    for module in MODULES:
        for stage in stages:
            figures = _measured(stage, database, name, module)
            yield f"{name} {module} {stage}", figures
            of_load = figures["rows"] if stage != "transform" else 0
            summed = {key: whole[key] + figures[key] for key in ("seconds", "cpu", "postgres")}
            whole |= summed | {"rows": whole["rows"] + of_load}
            whole["peak"] = max(whole["peak"], figures["peak"])
    yield f"{name}, all", whole


def _together(database: str) -> dict[str, float]:
    """A first sync in two processes, in the order in which Airflow starts the tasks: of those that
    need not wait, the one before most others first."""
    from quickbooks_crm import runs
    from quickbooks_crm.mapping import loads_after

    with psycopg.connect(database, autocommit=True) as connection:
        runs.start(connection, runs.Run(COMPANY, REALM, "together"), "manual", None)
    waiting = _tasks(loads_after(_mappings()))
    importance = {task: _behind(task, waiting) for task in waiting}
    begun: dict[Task, Future[dict[str, float]]] = {}
    with _processes(PROCESSES) as processes:
        postmaster = postmaster_of(database)
        busy, began = postgres_cpu(postmaster), time.perf_counter()
        while waiting or not all(future.done() for future in begun.values()):
            ended = {task for task, future in begun.items() if future.done()}
            ready = [task for task, before in waiting.items() if before <= ended]
            ready.sort(key=importance.__getitem__, reverse=True)
            for task in ready[: PROCESSES - (len(begun) - len(ended))]:
                del waiting[task]
                begun[task] = processes.submit(measure, task[0], database, "together", task[1])
            wait([f for f in begun.values() if not f.done()], return_when=FIRST_COMPLETED)
        seconds, used = time.perf_counter() - began, postgres_cpu(postmaster) - busy
    each = {task: future.result() for task, future in begun.items()}
    return {
        "rows": sum(figures["rows"] for (stage, _), figures in each.items() if stage == "load"),
        "seconds": seconds,
        "cpu": sum(figures["cpu"] for figures in each.values()),
        "peak": max(figures["peak"] for figures in each.values()),
        "postgres": used,
    }


def _tasks(after: dict[str, set[str]]) -> dict[Task, set[Task]]:
    """The tasks of all modules, each with those that must have ended before it."""
    shaping: dict[Task, set[Task]] = {("transform", module): set() for module in MODULES}
    loading: dict[Task, set[Task]] = {}
    for module in MODULES:
        before = after[module] & set(MODULES)
        loading["load", module] = {("transform", module), *(("load", other) for other in before)}
    return shaping | loading


def _behind(task: Task, tasks: dict[Task, set[Task]]) -> int:
    """How many tasks wait for one, or for one that waits for it."""
    found = {task}
    while more := {other for other, before in tasks.items() if before & found} - found:
        found |= more
    return len(found)


@contextmanager
def _processes(number: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes that are ready to do one thing after the other."""
    with ProcessPoolExecutor(number, multiprocessing.get_context("spawn"), get_ready) as processes:
        wait([processes.submit(time.sleep, 1) for _ in range(number)])
        yield processes


def _measured(name: str, database: str, *wanted: str) -> dict[str, float]:
    postmaster = postmaster_of(database)
    busy = postgres_cpu(postmaster)
    command = [sys.executable, __file__, "--measure", name, database, *wanted]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    figures: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    figures["postgres"] = postgres_cpu(postmaster) - busy
    return figures


if __name__ == "__main__":
    main()
