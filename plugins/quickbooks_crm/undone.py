"""The run that is undone: whether it can be, and what of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from quickbooks_crm.errors import UndoImpossible
from quickbooks_crm.runs import SILENCE, Run
from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Undone:
    """The run that is undone. `modules` are those that it changed, each with whether all that an
    undo needs is still there; `again` says that it is an undo itself, whose undo does the run
    before it again, and `origin` which run all of these are about; `before` that something of it
    may have been undone already."""

    run_id: str
    kind: str
    modules: dict[str, bool]
    again: bool
    origin: str
    before: bool
    done_at: datetime


def find(connection: Connection[Any], run: Run, undone: str) -> Undone:
    """The run that is to be undone. Raises `UndoImpossible` when that cannot be."""
    where = {"realm": run.realm, "run_id": run.run_id, "undone": undone}
    blocks = statements("undo")
    row = connection.execute(blocks["undone_run"], where | {"silence": SILENCE}).fetchone()
    if row is None or row[0] != run.company:
        raise UndoImpossible(
            f"Company {run.company} has no run {undone}. Its runs are on the page Activity, and in "
            f"a terminal: python -m quickbooks_crm activity --company {run.company} --limit 20"
        )
    if row[3]:
        raise UndoImpossible(f"Run {undone} is still at work. Undo it when it has finished.")
    if row[1] == "preview":
        raise UndoImpossible(f"Run {undone} was a preview: it has changed nothing.")
    modules = dict(connection.execute(blocks["modules"], where).fetchall())
    if not modules:
        raise UndoImpossible(f"Run {undone} has changed nothing in the CRM.")
    [(undos, origin)] = connection.execute(blocks["chain"], where).fetchall()
    [(before,)] = connection.execute(blocks["undone_before"], where).fetchall()
    [(done_at,)] = connection.execute(blocks["done_at"], where).fetchall()
    return Undone(
        undone,
        row[1],
        {module: whole and not row[2] for module, whole in modules.items()},
        again=bool(undos % 2),
        origin=origin or undone,
        before=before,
        done_at=done_at,
    )


def require_images(undone: Undone, modules: list[str]) -> None:
    """Raise `UndoImpossible` when what some module held before the run is no longer kept."""
    lost = [module for module in modules if not undone.modules[module]]
    if lost:
        raise UndoImpossible(
            f"Run {undone.run_id} cannot be undone: what {', '.join(lost)} held before it is no "
            "longer kept. Nothing was undone. Correct the records in QuickBooks or in the CRM; "
            "other modules can be undone with --module."
        )


def hold_images(connection: Connection[Any], undone: Undone, where: dict[str, Any]) -> None:
    """Let nobody throw away what a module held before the run until the transaction ends. Raises
    `UndoImpossible` when somebody has, since the run was found."""
    if connection.execute(statements("undo")["hold_images"], where).fetchone() == (False,):
        module = where["module"]
        raise UndoImpossible(
            f"Run {undone.run_id} cannot be undone: what {module} held before it is no longer "
            f"kept, since retention has just thrown it away. Nothing of {module} was undone. "
            "Correct its records in QuickBooks or in the CRM."
        )


def begin(connection: Connection[Any], run: Run, undone: Undone, modules: list[str]) -> None:
    """Say of a run that it undoes another one."""
    where = {"realm": run.realm, "run_id": run.run_id, "undone": undone.run_id}
    connection.execute(statements("undo")["begin"], where | {"modules": modules})


def would_begin(connection: Connection[Any], run: Run, undone: Undone, modules: list[str]) -> None:
    """Say of a preview that it shows what it would be to undo a run."""
    where = {"realm": run.realm, "run_id": run.run_id, "undone": undone.run_id}
    connection.execute(statements("undo")["would_begin"], where | {"modules": modules})
