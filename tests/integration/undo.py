"""Undoing in one line, as the pipeline does it.

assert undo(connection, products(), "run-2") == [End("7", "updated")]
"""

from collections.abc import Callable
from collections.abc import Mapping as ReadOnly
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import catalog, one_module, replay, retry, runs
from quickbooks_crm import undo as stage
from quickbooks_crm.companies import Company
from quickbooks_crm.mapping import Mapping, load_order, parse_all
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.runs import Run
from quickbooks_crm.undo import Undo
from quickbooks_crm.undone import begin, find
from tests.integration.crm import CONTACTS, REALM, End, accounts, count, ends

LINKS = "SELECT to_jsonb(l.*) FROM sync.link AS l ORDER BY module, entity, id"
"""All that is known of links."""


def people() -> dict[str, Mapping]:
    """Accounts, and the contacts that refer to them."""
    return parse_all({"accounts": accounts(), "contacts": CONTACTS})


def company(name: str = "sample") -> Company:
    """A company as its file says it."""
    return Company(name, name, "quickbooks", None, None, name)


def undo(
    connection: Connection[Any],
    known: ReadOnly[str, Mapping],
    undone: str,
    run_id: str | None = None,
    of: tuple[str, str] = ("sample", REALM),
) -> list[End]:
    """Undo a run of a company and its realm; how each record ended, in load order."""
    run = Run(*of, run_id or f"undo-{count(connection, 'sync.run') + 1}")
    runs.start(connection, run, "manual", "admin", "undo")
    found = find(connection, run, undone)
    modules = [module for module in load_order(known) if module in found.modules]
    begin(connection, run, found, modules)
    bringing = Bringing(run, company(run.company), dict(known))
    for module in modules if found.again else modules[::-1]:
        with connection.transaction():
            with catalog.once(connection, bringing.beside(module)):
                target = one_module.target(connection, known[module], bringing.company)
                pointing = tuple(bringing.referring(connection, module))
            position = runs.position(connection, run.realm, module)
            hash_in_force = known[module].hash
            work = Undo(run, found, target, pointing, position, hash_in_force)
            stage.undo(connection, work)
    return [end for module in modules for end in ends(connection, run, module)]


def release(
    connection: Connection[Any], known: ReadOnly[str, Mapping], reason: str, run_id: str
) -> list[End]:
    """Try again what is held back for a reason; how each record ended, in load order."""
    return _again(connection, known, run_id, "retry", partial(retry.bring, reasons=[reason]))


def bring_all(connection: Connection[Any], known: ReadOnly[str, Mapping], run_id: str) -> list[End]:
    """Bring all that the mirror has to these mappings; how each record ended, in load order."""
    return _again(connection, known, run_id, "replay", replay.bring)


def _again(
    connection: Connection[Any],
    known: ReadOnly[str, Mapping],
    run_id: str,
    kind: str,
    bring: Callable[..., None],
) -> list[End]:
    run = Run("sample", REALM, run_id)
    runs.start(connection, run, "manual", "admin", kind)
    bringing = Bringing(run, company(), dict(known))
    for module in load_order(known):
        bring(connection, bringing, module, connection.transaction)
    return [end for module in load_order(known) for end in ends(connection, run, module)]
