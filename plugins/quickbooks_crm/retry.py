"""Tries records again that are held back, without a call to QuickBooks."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from psycopg import Connection

from quickbooks_crm import one_module, parted
from quickbooks_crm.one_module import Apart, Bringing
from quickbooks_crm.stage import Held


def bring(
    connection: Connection[Any],
    bringing: Bringing,
    module: str,
    apart: Apart,
    reasons: Sequence[str] = (),
) -> None:
    """Try a module's records again that are held back for one of these reasons; of none given, all
    but the excluded and those that a person has undone or unlinked."""
    run = bringing.run
    with apart():
        where = {"realm": run.realm, "run_id": run.run_id, "module": module}
        parted.let_try_again(connection, where, reasons)
        window = one_module.pending(connection, run.realm, module)
        held = Held(**asdict(window), reasons=list(reasons))
        one_module.bring(connection, bringing, module, held)
