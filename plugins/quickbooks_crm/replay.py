"""Brings all that the mirror has of a module to the mapping in force, without a call to QuickBooks:
a slice at a time, so that one that was stopped goes on where it was."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from psycopg import Connection, sql

from quickbooks_crm import catalog, causes, one_module, planner, runs, stage
from quickbooks_crm.mapping import Mapping
from quickbooks_crm.one_module import Apart, Bringing
from quickbooks_crm.quantity import many
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements
from quickbooks_crm.stage import Slice, Window

log = logging.getLogger(__name__)

SLICE = 100_000
"""How many records are brought in one transaction."""


def bring(connection: Connection[Any], bringing: Bringing, module: str, apart: Apart) -> None:
    """Bring everything of a module to its mapping: slice by slice, in the order of one load of all.
    Each part is loaded inside `apart`, which makes it a transaction of its own. The first load of a
    module is one part: what was brought of it is of a table that nobody knows before its end."""
    run, known = bringing.run, bringing.known[module]
    window = one_module.pending(connection, run.realm, module)
    if not window.position:
        with apart():
            one_module.bring(connection, bringing, module)
        return
    for after in range(0, _put_in_order(connection, run, known, window), SLICE):
        part = Slice(window.position, window.sealed, after, after + SLICE)
        with apart():
            counts = one_module.bring(connection, bringing, module, part)
            _execute(connection, "brought", run, known, until=part.until)
        log.info("%s: so far %s", module, one_module.words(counts))
    with apart():
        _finish(connection, bringing, module, window)
    _execute(connection, "forget_order", run, known)


def _put_in_order(connection: Connection[Any], run: Run, known: Mapping, window: Window) -> int:
    """Put the records that are still to be brought in order, in a table of this session; how many
    there are. It takes one look at all of the module, however many slices there are."""
    connection.execute(statements("load")["room_for_rows"])
    _execute(connection, "forget_order", run, known)
    reached = _execute(connection, "reached", run, known).fetchone() or (None, None, None)
    place = dict(zip(("linked", "entity", "id"), reached, strict=True))
    table = catalog.of(connection, known)
    planner.look_at(connection, table)
    order = statements("replay")["order"].format(
        table=table.identifier, key=sql.Identifier(table.key), key_type=table.key_type
    )
    values = _where(run, known) | place | {"position": window.position}
    count = connection.execute(order, values).rowcount
    for name in ("order_index", "order_statistics"):
        _execute(connection, name, run, known)
    return count


def _finish(connection: Connection[Any], bringing: Bringing, module: str, window: Window) -> None:
    """Move the module's position, now that all is brought. What one slice has kept out and a later
    one has let in is tried again with it."""
    run, known = bringing.run, bringing.known[module]
    target = one_module.target(connection, known, bringing.company)
    causes.probe(connection, run.realm, target, bringing.sharing(module))
    stage.clear_own(connection, run, known)
    one_module.stage_rows(connection, run, known, replace(window, position=window.sealed))
    one_module.load_rows(connection, bringing, module)
    _execute(connection, "done", run, known)


def note_due(connection: Connection[Any], bringing: Bringing, module: str) -> dict[str, str]:
    """Remember that what an earlier mapping has loaded stays as it is until a replay, unless the
    run brings all of it; what the run should warn of, by key. Be inside the load's transaction,
    before it moves the module's position."""
    if module in bringing.whole:
        _execute(connection, "done", bringing.run, bringing.known[module])
        return {}
    if _execute(connection, "due", bringing.run, bringing.known[module]).rowcount:
        return _warnings(connection, bringing, module)
    return {}


def tell_due(connection: Connection[Any], bringing: Bringing, modules: Iterable[str]) -> None:
    """The same in a rehearsal, which tells of it also where nothing is to be loaded, and for as
    long as no replay has come."""
    for module in (m for m in modules if m not in bringing.whole):
        _execute(connection, "due", bringing.run, bringing.known[module])
        due = _execute(connection, "is_due", bringing.run, bringing.known[module]).fetchone()
        if due is not None:
            for key, sentence in _warnings(connection, bringing, module).items():
                runs.warn(connection, bringing.run, key, sentence)


def _warnings(connection: Connection[Any], bringing: Bringing, module: str) -> dict[str, str]:
    run, known = bringing.run, bringing.known[module]
    row = _execute(connection, "linked", run, known).fetchone()
    if bringing.lenience_for(module).expected:
        return {}
    return {f"{module}.replay": _warning(run, module, row[0] if row else 0)}


def _warning(run: Run, module: str, linked: int) -> str:
    return (
        f"The mapping of {module} has changed. It applies to what changes from now on; the rest of "
        f"its {many(linked, 'record')} in the CRM stays as an earlier mapping made it, until you "
        "choose 'Bring all to the mappings' on the page of a run, or run the command `replay`."
    )


def _execute(
    connection: Connection[Any], statement: str, run: Run, known: Mapping, **values: Any
) -> Any:
    return connection.execute(statements("replay")[statement], _where(run, known) | values)


def _where(run: Run, known: Mapping) -> dict[str, Any]:
    """The parameters that the statements share."""
    return asdict(run) | {
        "module": known.module,
        "hash": known.hash,
        "entities": list(known.entities),
    }
