"""Runs, who may write for a company, and which try of a task is the newest.

A run holds its company's lease. Every try of a task takes a new epoch; every transaction that
writes checks first that its run still holds the lease and that its epoch is still the task's
newest. So a zombie cannot write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from quickbooks_crm.errors import (
    CompanyBusy,
    QuickBooksCrmError,
    RunError,
    RunSilent,
    RunSuperseded,
    SettingsError,
)
from quickbooks_crm.images import LINES
from quickbooks_crm.mapping import Mapping, load_order, parse, parse_all, referred_by, with_children
from quickbooks_crm.mapping.model import ChildAccounts
from quickbooks_crm.sql import statements

SILENCE = timedelta(minutes=2)
"""A run that has shown no sign of life for this long has lost its lease to whoever asks; and a
transaction in which nothing happens for this long is ended by Postgres, so that whoever hangs in
one does not stop the next try."""


GIVEN_UP = "run"
"""What stands for the task on a run that was given up: nobody knows what it was doing."""


@dataclass(frozen=True)
class Run:
    """One run of one company; `run_id` is Airflow's."""

    company: str
    realm: str
    run_id: str


@dataclass(frozen=True)
class Attempt:
    """One try of one task of a run."""

    company: str
    realm: str
    run_id: str
    task: str
    epoch: int

    @property
    def run(self) -> Run:
        """The run it belongs to."""
        return Run(self.company, self.realm, self.run_id)

    def require(self, connection: Connection[Any]) -> None:
        """Be the first statement of a writing transaction: raises `RunSuperseded` when this try may
        not write. Several connections of one try may write at the same time."""
        sql = statements("runs")
        connection.execute(sql["end_when_silent"], {"silence": SILENCE})
        holder = connection.execute(sql["lease_holder"], asdict(self)).fetchone()
        newest = connection.execute(sql["newest_try"], asdict(self)).fetchone()
        if holder != (self.run_id,) or newest != (self.run_id, self.epoch):
            raise RunSuperseded(
                f"A newer run or a newer try has taken over {self.task} of run {self.run_id}; "
                "this try stops here "
                "and has changed nothing since. Look at the newer one."
            )

    def renew(self, connection: Connection[Any]) -> None:
        """Show a sign of life, where the last one is some time ago. Not inside a transaction: it
        would wait for the others that write."""
        connection.execute(statements("runs")["renew"], asdict(self) | {"silence": SILENCE})


def start(
    connection: Connection[Any],
    run: Run,
    trigger: str,
    started_by: str | None,
    kind: str = "sync",
) -> None:
    """Make the run visible, whatever becomes of it. Raises `SettingsError` when there is one of
    another kind with its id: who starts a run by Airflow's API chooses that, and what the other
    did would be lost."""
    told = {"trigger": trigger, "started_by": started_by, "kind": kind}
    with connection.transaction():
        begun = connection.execute(statements("runs")["start"], asdict(run) | told).rowcount
    if not begun:
        raise SettingsError(
            f"There is a run {run.run_id} of another kind than {kind} already. Nothing was done. "
            "Start again, and let Airflow choose the run's id."
        )


def has_begun(connection: Connection[Any], run: Run, kind: str) -> bool:
    """Whether the run is there, and not another one that is called the same."""
    values = asdict(run) | {"kind": kind}
    return connection.execute(statements("runs")["has_begun"], values).fetchone() is not None


def take_lease(connection: Connection[Any], run: Run) -> None:
    """Make this run the only one that may write for its company. Raises `CompanyBusy` while another
    is at work."""
    sql = statements("runs")
    with connection.transaction():
        connection.execute(sql["lease_row"], {"realm": run.realm})
        try:
            holder, alive = _one(
                connection.execute(sql["lease"], {"realm": run.realm, "silence": SILENCE})
            )
        except psycopg.errors.LockNotAvailable as error:
            raise _busy(run.company) from error
        if holder not in (None, run.run_id) and alive:
            raise _busy(run.company, holder)
        connection.execute(sql["take_lease"], asdict(run))
        end_silent(connection, run)


def end_silent(connection: Connection[Any], run: Run) -> list[str]:
    """End as failed the other runs of a company whose process is gone; which they were. None while
    another is in the middle of a transaction. One that was not gone goes on all the same."""
    sql = statements("runs")
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute(sql["nobody_writes"], asdict(run))
        except psycopg.errors.LockNotAvailable:
            return []
        silent = connection.execute(sql["silent"], asdict(run) | {"silence": SILENCE}).fetchall()
        for run_id, company, since in silent:
            gone = Run(company, run.realm, run_id)
            failed(connection, gone, GIVEN_UP, _silent(since))
            connection.execute(sql["finish"], asdict(gone) | {"state": "failed"})
    return [run_id for run_id, *_ in silent]


def at_work(connection: Connection[Any], run: Run) -> None:
    """Show that a run is alive until the transaction ends, however long that takes."""
    sql = statements("runs")
    connection.execute(sql["at_work"], asdict(run))
    connection.execute(sql["came_back"], asdict(run) | {"task": GIVEN_UP})


def take_out(connection: Connection[Any], run: Run) -> None:
    """Take the lease to take data out for good. Nobody keeps what a preview has seen of the company
    until the transaction ends. Raises `CompanyBusy` while another run is at work."""
    take_lease(connection, run)
    connection.execute(statements("runs")["taking_out"], asdict(run))


def take_nothing_out(connection: Connection[Any], run: Run) -> None:
    """Wait for whoever takes data of the company out for good, and let nobody else do so until the
    transaction ends."""
    connection.execute(statements("runs")["nothing_taken_out"], asdict(run))


def release_lease(connection: Connection[Any], run: Run) -> None:
    """Let other runs write for the company again."""
    with connection.transaction():
        connection.execute(statements("runs")["release_lease"], asdict(run))


def attempt(connection: Connection[Any], run: Run, task: str) -> Attempt:
    """A new try of a task: from now on its older tries may not write.

    Takes the lease too when it is free, as it is when somebody clears one task of a finished run.
    """
    sql = statements("runs")
    with connection.transaction():
        holder = connection.execute(sql["lease_holder"], {"realm": run.realm}).fetchone()
    if holder != (run.run_id,):
        take_lease(connection, run)
    with connection.transaction():
        epoch = _one(connection.execute(sql["attempt"], {**asdict(run), "task": task}))[0]
        connection.execute(sql["came_back"], {**asdict(run), "task": GIVEN_UP})
    return Attempt(**asdict(run), task=task, epoch=epoch)


def require_own_realm(connection: Connection[Any], run: Run, companies: Iterable[str]) -> None:
    """Raise `SettingsError` when another of these companies has the same company of QuickBooks:
    they would take each other's records for their own. Which one it is, is not for everybody who
    may see this one."""
    rows = connection.execute(statements("runs")["realm_of"], asdict(run)).fetchall()
    if {company for (company,) in rows} & (set(companies) - {run.company}):
        raise another_ones(run)


def another_ones(run: Run) -> SettingsError:
    """Why a company is not what its connection leads to."""
    return SettingsError(
        f"The connection of {run.company} leads to a QuickBooks company ({run.realm}) that another "
        f"company here has. Nothing was done, and nothing of it is shown. Give {run.company} a "
        "connection of its own (Admin > Connections), or remove the other's file from "
        "include/companies/."
    )


def require_same_tables(connection: Connection[Any], run: Run, known: Iterable[Mapping]) -> None:
    """Raise `SettingsError` when a module is to load another table than it has: its links are
    primary keys of that one, and would mean strangers in the other."""
    loaded = targets(connection, run.realm)
    moved = [m for m in known if loaded.get(m.module, m.table) != m.table]
    if moved:
        raise SettingsError(
            "\n".join(
                f"{m.file} line {m.line('table')}: {m.module} has been loaded into "
                f"{loaded[m.module]}, not {m.table}. Write that table again; to load another one, "
                "give the mapping a file of another name, which makes it a module of its own."
                for m in moved
            )
        )


def require_same_mappings(connection: Connection[Any], run: Run, known: Iterable[Mapping]) -> None:
    """Raise `RunError` when the run has loaded a module by another mapping: an undo goes by the one
    that the run says."""
    hashes = Jsonb({mapping.module: mapping.hash for mapping in known})
    rows = connection.execute(
        statements("runs")["loaded_otherwise"], asdict(run) | {"mappings": hashes}
    )
    if modules := [module for (module,) in rows]:
        raise RunError(
            f"Run {run.run_id} has loaded {', '.join(modules)} by another mapping than the one in "
            "force now. Start a new run: it goes on from there, by the one in force."
        )


def targets(connection: Connection[Any], realm: str) -> dict[str, str]:
    """The table that each module has been loaded into."""
    where = {"realm": realm}
    return dict(connection.execute(statements("runs")["targets"], where).fetchall())


def keys(connection: Connection[Any], run: Run) -> dict[str, dict[str, Any]]:
    """By which primary key each module's links know the records of its table, where a load has told
    so."""
    return dict(connection.execute(statements("runs")["keys"], asdict(run)).fetchall())


def settle(
    connection: Connection[Any],
    run: Run,
    known: Iterable[Mapping],
    modules: list[str],
    settings: dict[str, str | None] | None = None,
) -> None:
    """Store the mappings that this run uses, the modules it is asked for, in load order, and what
    else its loads depend on: later edits of the files do not touch it."""
    sql = statements("runs")
    hashes: dict[str, str] = {}
    names: dict[str, str] = {}
    with connection.transaction():
        for mapping in known:
            hashes[mapping.module] = mapping.hash
            names |= {mapping.module: mapping.named} if mapping.named else {}
            values = {"hash": mapping.hash, "module": mapping.module, "content": mapping.text}
            connection.execute(sql["snapshot"], values)
        used = {"mappings": Jsonb(hashes), "names": Jsonb(names), "modules": modules}
        connection.execute(sql["settle"], asdict(run) | used | {"settings": Jsonb(settings or {})})


def bring_whole(connection: Connection[Any], run: Run, modules: list[str]) -> None:
    """Store of which modules this run brings all records."""
    with connection.transaction():
        connection.execute(statements("runs")["bring_whole"], asdict(run) | {"modules": modules})


def whole(connection: Connection[Any], run: Run) -> frozenset[str]:
    """The modules of which this run brings all records, since their mapping has changed."""
    row = connection.execute(statements("runs")["whole"], asdict(run)).fetchone()
    return frozenset(row[0] if row else ())


def mappings(connection: Connection[Any], run: Run) -> dict[str, Mapping]:
    """The mappings that this run uses, in load order; those of modules it is not asked for too,
    since records refer to each other."""
    rows = connection.execute(statements("runs")["mappings"], asdict(run)).fetchall()
    if not rows:
        raise RunError(
            f"Run {run.run_id} has no mappings yet: its task check_settings has not succeeded."
        )
    used = settings(connection, run)
    texts = {module: text for module, text, _ in rows}
    names = {module: name for module, _, name in rows if name}
    known = with_children(
        parse_all(texts, names), cast(ChildAccounts, used.get("child_accounts", "child_account"))
    )
    return {module: known[module] for module in load_order(known)}


def mapping(connection: Connection[Any], run: Run, module: str) -> Mapping | None:
    """The mapping that this run uses for one module, as far as it says so itself; None when it is
    not kept."""
    where = asdict(run) | {"module": module}
    row = connection.execute(statements("runs")["mapping"], where).fetchone()
    return parse(module, row[0], module) if row else None


def settings(connection: Connection[Any], run: Run) -> dict[str, str | None]:
    """What else the loads of this run depend on, as it was settled."""
    row = connection.execute(statements("runs")["settings"], asdict(run)).fetchone()
    return dict(row[0]) if row else {}


def asked(connection: Connection[Any], run: Run) -> dict[str, Mapping]:
    """The mappings of the modules that this run is asked for, in load order."""
    known = mappings(connection, run)
    modules = _one(connection.execute(statements("runs")["asked"], asdict(run)))[0]
    return {module: known[module] for module in known if module in modules}


def asked_for(connection: Connection[Any], run: Run, module: str) -> Mapping:
    """The mapping of a module. Raises `RunError` when this run is not asked for it: then nothing
    has proven that it fits the CRM."""
    known = asked(connection, run)
    if module not in known:
        raise RunError(
            f"Run {run.run_id} is not asked for {module}, only for {', '.join(known)}. "
            "Start a run that is."
        )
    return known[module]


def will_load(
    connection: Connection[Any], run: Run, work: list[str], fetched: dict[str, int]
) -> None:
    """Note what was read from QuickBooks, and which modules the run is to load."""
    values = {**asdict(run), "fetched": Jsonb(fetched), "work": work}
    with connection.transaction():
        connection.execute(statements("runs")["extracted"], values)


def asked_for_by(
    connection: Connection[Any],
    run: Run,
    rehearses: str | None = None,
    reasons: Iterable[str] = (),
) -> None:
    """Note what a person asked for: the kind of run that a preview shows, and the reasons for which
    records are tried again."""
    wish = {"rehearses": rehearses, "reasons": list(reasons)}
    with connection.transaction():
        connection.execute(statements("runs")["asked_for_by"], asdict(run) | wish)


def has_activity(connection: Connection[Any], run: Run, module: str) -> bool:
    """Whether the run has done what it does with a module."""
    where = {"realm": run.realm, "run_id": run.run_id, "module": module}
    return bool(_one(connection.execute(statements("runs")["has_activity"], where))[0])


def has_work(
    connection: Connection[Any],
    realm: str,
    mapping: Mapping,
    known: Iterable[Mapping],
    taken: Iterable[str],
) -> bool:
    """Whether something of a module waits to be loaded: records that changed in the mirror, or
    references and records held back that can be tried again. `known` are the mappings of all
    modules: what none of them refers to it by is closed by no load of it. References to records of
    modules that are not `taken` are closed by a load of its own."""
    elsewhere = referred_by(mapping) - set(taken)
    own = [(to, field) for to in elsewhere for _, field in _referring(mapping, to)]
    referring = [place for other in known for place in _referring(other, mapping.module)]
    values = {
        "realm": realm,
        "module": mapping.module,
        "entities": list(mapping.entities),
        "looked_up": sorted(mapping.looked_up_in),
        "hash": mapping.hash,
        "mode": mapping.mode,
        "referring": [module for module, _ in referring],
        "referring_fields": [field for _, field in referring],
        "elsewhere": [module for module, _ in own],
        "own_fields": [field for _, field in own],
    }
    return bool(_one(connection.execute(statements("runs")["work"], values))[0])


def _referring(mapping: Mapping, to: str) -> Iterator[tuple[str, str]]:
    """The module and each of its fields, those of lines included, that refer to another module."""
    for part, place in zip(mapping.parts, ("", LINES + "."), strict=False):
        for field in part.fields.values():
            if field.refers and field.refers.module == to:
                yield mapping.module, place + field.column


def position(connection: Connection[Any], realm: str, module: str) -> int:
    """The last generation that the module has loaded; 0 before the first."""
    where = {"realm": realm, "module": module}
    row = connection.execute(statements("runs")["position"], where).fetchone()
    return row[0] if row else 0


def sealed(connection: Connection[Any], realm: str) -> int:
    """The newest generation of the mirror that is whole; 0 when none is."""
    return _one(connection.execute(statements("runs")["sealed"], {"realm": realm}))[0] or 0


def failed(connection: Connection[Any], run: Run, task: str, error: QuickBooksCrmError) -> None:
    """Note on the run why a task failed, in a transaction of its own."""
    with connection.transaction():
        values = {**asdict(run), "task": task, "code": error.code, "message": str(error)}
        connection.execute(statements("runs")["failed"], values)


def recovered(connection: Connection[Any], run: Run, task: str) -> None:
    """Take a task's earlier failure off the run."""
    with connection.transaction():
        connection.execute(statements("runs")["recovered"], {**asdict(run), "task": task})


def warn(connection: Connection[Any], run: Run, key: str, sentence: str) -> None:
    """Tell on the run what a person should know though nothing stopped, in a transaction of its
    own; a second warning of the same key replaces the first."""
    with connection.transaction():
        values = {**asdict(run), "key": key, "sentence": sentence}
        connection.execute(statements("runs")["warn"], values)


def block(connection: Connection[Any], run: Run, reasons: dict[str, str]) -> None:
    """Note which modules this run cannot load, each with a sentence that says why; no others of
    those that it is asked for."""
    sql = statements("runs")
    with connection.transaction():
        connection.execute(sql["unblock"], asdict(run))
        for module, sentence in reasons.items():
            values = {**asdict(run), "module": module, "sentence": sentence}
            connection.execute(sql["block"], values)


def finish(connection: Connection[Any], run: Run) -> list[str]:
    """End the run and give its lease back; what did not load: modules, or else tasks that failed.
    Empty means success. Whoever ends a run was not gone, though others may have given it up."""
    sql = statements("runs")
    with connection.transaction():
        connection.execute(sql["came_back"], {**asdict(run), "task": GIVEN_UP})
        row = connection.execute(sql["unfinished"], asdict(run)).fetchone()
        missing = list(row[0] or row[1]) if row else []
        connection.execute(
            sql["finish"], {**asdict(run), "state": "failed" if missing else "success"}
        )
        connection.execute(sql["release_lease"], asdict(run))
    return missing


def _busy(company: str, holder: str | None = None) -> CompanyBusy:
    who = f"Run {holder}" if holder else "Another run"
    return CompanyBusy(f"{who} is at work on company {company}. Try again when it has finished.")


def _silent(since: datetime) -> RunSilent:
    return RunSilent(
        f"Nothing was heard of this run after {since:%Y-%m-%d %H:%M} UTC: its process was killed, "
        "or its machine stopped. What it had committed stays, and nothing else does. The next sync "
        "goes on from there; start anything else again."
    )


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise RunError(
            "The database gave no row where there must be one. Run: python -m quickbooks_crm "
            "migrate"
        )
    return tuple(row)
