"""A company leaves: what was read of it, and how each record ended, is forgotten; its CRM records
are kept, flagged or removed, as was asked."""

from dataclasses import asdict, dataclass, replace
from graphlib import TopologicalSorter
from typing import Any, Literal

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import acts, catalog, planner, removing, rights, runs, versions
from quickbooks_crm.dedupe import Target
from quickbooks_crm.errors import RunError, SettingsError
from quickbooks_crm.mapping import Mapping, order_of_any
from quickbooks_crm.quantity import many
from quickbooks_crm.removing import Kept
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.transform import columns

What = Literal["keep", "flag", "remove"]
WHATS: tuple[What, ...] = ("keep", "flag", "remove")
STAYS = ("call", "erased")
"""Numbers of calls are needed for the month's budget, and go when they are old; people erased on
request stay erased, whoever reads the company again."""

FORGOTTEN = {
    "quickbooks.record": ("record read from QuickBooks", "records read from QuickBooks"),
    "sync.link": ("link to a CRM record", "links to CRM records"),
    "sync.held": ("record held back", "records held back"),
    "sync.parked": ("open reference", "open references"),
    "sync.run": ("run", "runs"),
    "sync.outcome": ("outcome of a record", "outcomes of records"),
    "sync.token": ("login", "logins"),
}
"""What tables hold that a person knows."""

TOLD = 1_000
"""How many records that stay are written down; all of them are counted."""


@dataclass(frozen=True)
class Left:
    """What a company's leaving did, or would do: CRM records by table, what was forgotten by table,
    the records that could not be removed, and what to know of it."""

    company: str
    realm: str
    crm: dict[str, dict[str, int]]
    forgotten: dict[str, int]
    kept: list[Kept]
    notes: list[str]

    @property
    def words(self) -> list[str]:
        """What was forgotten, as a person would say it."""
        known = [many(self.forgotten.get(table, 0), *words) for table, words in FORGOTTEN.items()]
        other = sum(count for table, count in self.forgotten.items() if table not in FORGOTTEN)
        told = [*known, f"{many(other, 'other note')} of what runs did"]
        return [line for line in told if not line.startswith("0 ")]


def realm_of(connection: Connection[Any], company: str) -> str:
    """The QuickBooks company that one of our companies is. Raises `SettingsError` when nothing was
    ever read of it."""
    block = statements("leaving")["realm_of_company"]
    row = connection.execute(block, {"company": company}).fetchone()
    if row is None:
        raise SettingsError(
            f"Nothing was ever read of a company '{company}'. `python -m quickbooks_crm status` "
            "names those that there are."
        )
    return str(row[0])


def remove_company(
    connection: Connection[Any], company: str, what: What, by: str, plan: bool = False
) -> Left:
    """Let a company leave; with `plan` everything is tried and taken back.

    Raises `CompanyBusy` while a run is at work on it.
    """
    realm = realm_of(connection, company)
    run = Run(company, realm, "remove-company")
    with connection.transaction() as whole:
        runs.take_out(connection, run)
        left = Left(company, realm, {}, {}, [], [])
        _crm(connection, run, what, left)
        _forget(connection, realm, left)
        versions.let_go(connection, company, by)
        told = asdict(left) | {"crm_was": what, "kept": [asdict(k) for k in left.kept[:TOLD]]}
        acts.note(connection, "company_removed", f"{company} ({realm})", by, told, company)
        if plan:
            raise psycopg.Rollback(whole)
    return left


def targets_of(connection: Connection[Any], run: Run, left: list[str]) -> list[Target]:
    """The company's modules with their tables, in load order, each as it was loaded last; of those
    whose table is gone, or has another primary key than their links know its records by, `left` is
    told."""
    used, keys = _last_used(connection, run), runs.keys(connection, run)
    found = []
    for known in (used[module] for module in order_of_any(used)):
        try:
            table = catalog.read(connection, known.table)
        except SettingsError:
            left.append(f"The table {known.table} of {known.module} is not there any more.")
            continue
        known_by = keys.get(known.module)
        if known_by and catalog.moved_key(table, known_by):
            left.append(
                f"The primary key of {known.table} is another column than when {known.module} was "
                "loaded: its records cannot be told from others any more, and stay as they are."
            )
            continue
        found.append(Target(known, table, run.company, tuple(columns(known))))
    return found


def _last_used(connection: Connection[Any], run: Run) -> dict[str, Mapping]:
    """The mapping of each module by which its records were written last."""
    block = statements("leaving")["last_loads"]
    loads = connection.execute(block, {"realm": run.realm}).fetchall()
    used = {
        run_id: runs.mappings(connection, replace(run, run_id=run_id))
        for run_id in {run_id for _, run_id in loads}
    }
    return {module: used[run_id][module] for module, run_id in loads}


def _crm(connection: Connection[Any], run: Run, what: What, left: Left) -> None:
    targets = targets_of(connection, run, left.notes)
    if what != "keep":
        allowed = rights.require_for_removal if what == "remove" else rights.require_for_flags
        allowed(connection, targets)
    removing.begin(connection)
    for target in targets:
        planner.look_at(connection, target.table)
        connection.execute(statements("leaving")["take_linked"], _where(run, target))
    if what == "remove":
        left.kept.extend(removing.remove(connection, targets))
        left.crm.update(removing.counted(connection))
        return
    for target in targets:
        done = "kept" if what == "keep" else "flagged"
        count = (
            _flag(connection, run, target, left)
            if what == "flag"
            else _linked(connection, run, target)
        )
        ends = left.crm.setdefault(target.table.name, {done: 0})
        ends[done] += count


def _linked(connection: Connection[Any], run: Run, target: Target) -> int:
    row = connection.execute(statements("leaving")["linked"], _where(run, target)).fetchone()
    return row[0] if row else 0


def _flag(connection: Connection[Any], run: Run, target: Target, left: Left) -> int:
    """Write what `when_deleted` says into the records that only this company's are."""
    flags = target.mapping.when_deleted
    if not flags:
        left.notes.append(
            f"The mapping of {target.mapping.module} has no when_deleted: its records stay as they "
            "are."
        )
        return 0
    blocks, names = statements("leaving"), [sql.Identifier(name) for name in flags]
    statement = blocks["flag"].format(
        table=target.table.identifier,
        key=sql.Identifier(target.table.key),
        record=target.table.record(flags),
        columns=sql.SQL(", ").join(names),
        new_columns=sql.SQL(", ").join(blocks["new_flag"].format(column=name) for name in names),
    )
    try:
        values = _where(run, target) | {"flags": Jsonb(dict(flags))}
        return connection.execute(statement, values).rowcount
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
        raise RunError(
            f"{target.table.name} does not take the flags of when_deleted ({_code(error)}). "
            "Nothing was changed. Let the records be kept instead."
        ) from None


def _code(error: psycopg.Error) -> str:
    """What the database calls a refusal, without its words: these may be of a person."""
    return ", ".join(filter(None, (error.sqlstate, error.diag.constraint_name)))


def _forget(connection: Connection[Any], realm: str, left: Left) -> None:
    """Empty every table of what belongs to the company, those that refer to others first."""
    blocks = statements("leaving")
    rows = connection.execute(blocks["tables_of_companies"], {"kept": list(STAYS)}).fetchall()
    order: TopologicalSorter[str] = TopologicalSorter()
    names = {name: (schema, table) for schema, table, _, name in rows}
    for *_, refers, name in rows:
        order.add(name)
        for other in refers:
            order.add(other, name)
    for name in order.static_order():
        if name in names:
            statement = blocks["forget"].format(table=sql.Identifier(*names[name]))
            if count := connection.execute(statement, {"realm": realm}).rowcount:
                left.forgotten[name] = count


def _where(run: Run, target: Target) -> dict[str, Any]:
    return {"realm": run.realm, "module": target.mapping.module, "table": target.table.name}
