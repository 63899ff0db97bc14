"""Rehearses a run: the very stages, in one transaction that is rolled back. What became of every
record is carried out of it, and kept as the activity of the rehearsal's own run.

It takes no lease, so that it neither stops a run nor is stopped by one. What it locks it locks from
the first load to the end.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection, sql

from quickbooks_crm import database, one_module, replay, runs, stand_ins
from quickbooks_crm.errors import CompanyBusy
from quickbooks_crm.one_module import Apart, Bringing
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

log = logging.getLogger(__name__)

PATIENCE = 10_000
"""Milliseconds that a rehearsal waits for others that write to the same tables."""

IN_THE_WAY = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)
"""How the database tells that others write to the same rows."""

Act = Callable[[Connection[Any]], list[str]]
"""Does something on a connection; the modules that it has loaded."""

Bring = Callable[[Connection[Any], Bringing, str, Apart], None]
"""Brings a module's records in again."""


@dataclass(frozen=True)
class _Telling:
    """A table that says what runs did."""

    name: str
    columns: list[str]

    def names(self, run: Run) -> dict[str, sql.Composable]:
        """What its statements are made with."""
        return {
            "table": sql.Identifier(self.name),
            "basket": sql.Identifier(f"told_{self.name}"),
            "columns": sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            "realm": sql.Literal(run.realm),
            "run_id": sql.Literal(run.run_id),
        }


def rehearse(run: Run, act: Act) -> list[str]:
    """Do what `act` does in a transaction of which nothing stays, and keep what it tells as the
    run's activity; what it gives. Raises `CompanyBusy` when others write to the same tables
    meanwhile."""
    with database.connect() as inside, database.connect() as outside:
        tables = _tables(outside)
        with outside.transaction():
            for table in tables:
                _do(outside, "forget", run, table)
        with outside.transaction():
            runs.at_work(outside, run)
            with _one_moment(inside, outside, run):
                taken_out = _one(inside, "taken_out", run)
                loaded = act(inside)
                warnings = _one(inside, "warnings", run)
                for table in tables:
                    _carry(inside, outside, run, table)
            _require_nothing_taken_out(outside, run, taken_out)
            for table in tables:
                _do(outside, "keep", run, table)
        for key, sentence in warnings.items():
            runs.warn(outside, run, key, sentence)
    return loaded


@contextmanager
def _one_moment(inside: Connection[Any], outside: Connection[Any], run: Run) -> Iterator[None]:
    """A transaction that sees the database as it is now, and of which nothing stays."""
    try:
        with inside.transaction(force_rollback=True):
            inside.execute(statements("preview")["one_moment"])
            inside.execute(statements("preview")["patience"], {"milliseconds": str(PATIENCE)})
            positions = _one(inside, "positions", run)
            yield
            if _one(outside, "positions", run) != positions:
                raise psycopg.errors.SerializationFailure
    except IN_THE_WAY:
        raise CompanyBusy(
            f"Something else writes to the CRM tables of company {run.company}. This preview has "
            "changed nothing, and told nothing. Try again when it has finished."
        ) from None


def _require_nothing_taken_out(outside: Connection[Any], run: Run, before: int) -> None:
    """Nobody is erased, and the company not removed, from here to the end of the transaction. What
    was, since the rehearsal's moment, may be in all that it tells: then raises `CompanyBusy`."""
    runs.take_nothing_out(outside, run)
    if _one(outside, "taken_out", run) != before:
        raise CompanyBusy(
            f"A person was erased, or company {run.company} removed, while this preview was at "
            "work. It has changed nothing, and told nothing. Start it again."
        )


def sync(connection: Connection[Any], bringing: Bringing, asked: list[str]) -> list[str]:
    """What a sync does with these modules; those that have work. All are staged first, so that
    what is locked is not locked for that long."""
    run, known = bringing.run, bringing.known
    replay.tell_due(connection, bringing, asked)
    stand_ins.work_out(connection, run, known)
    work = one_module.with_work(connection, bringing, asked)
    for module in work:
        window = one_module.wanted(connection, bringing, module)
        one_module.stage_rows(connection, run, known[module], window)
    take_turn(connection, bringing)
    for module in work:
        with whole(connection):
            counts = one_module.load_rows(connection, bringing, module)
        log.info("%s: would be %s", module, one_module.words(counts))
    return work


def again(
    connection: Connection[Any], bringing: Bringing, modules: list[str], bring: Bring
) -> list[str]:
    """What a replay or a retry does, which is `bring`, with these modules: the same ones."""
    stand_ins.work_out(connection, bringing.run, bringing.known)
    take_turn(connection, bringing)
    for module in modules:
        bring(connection, bringing, module, partial(whole, connection))
    return modules


def take_turn(connection: Connection[Any], bringing: Bringing) -> None:
    """Become the only one that writes to the tables of these modules, or give up soon."""
    company = bringing.company.crm_company
    for table in sorted({mapping.table for mapping in bringing.known.values()}):
        values = {"table": table, "company": company}
        connection.execute(statements("load")["one_writer"], values)


@contextmanager
def whole(connection: Connection[Any]) -> Iterator[None]:
    """A load that is a transaction of its own where it is no rehearsal: what it leaves for the end
    of that is removed here."""
    yield
    blocks = statements("preview")
    for (name,) in connection.execute(blocks["temporary"]).fetchall():
        connection.execute(blocks["drop"].format(table=sql.Identifier(name)))


def _tables(connection: Connection[Any]) -> list[_Telling]:
    rows = connection.execute(statements("preview")["telling"]).fetchall()
    return [_Telling(name, columns) for name, columns in rows]


def _carry(inside: Connection[Any], outside: Connection[Any], run: Run, table: _Telling) -> None:
    """Carry what a table tells of the run over, block by block."""
    blocks, names = statements("preview"), table.names(run)
    _do(outside, "basket", run, table)
    with (
        inside.cursor().copy(blocks["carry_out"].format(**names)) as told,
        outside.cursor().copy(blocks["carry_in"].format(**names)) as basket,
    ):
        for block in told:
            basket.write(block)


def _do(connection: Connection[Any], statement: str, run: Run, table: _Telling) -> None:
    connection.execute(statements("preview")[statement].format(**table.names(run)), asdict(run))


def _one(connection: Connection[Any], statement: str, run: Run) -> Any:
    """The one value of a statement that always gives one."""
    row = connection.execute(statements("preview")[statement], asdict(run)).fetchone()
    return row[0] if row else None
