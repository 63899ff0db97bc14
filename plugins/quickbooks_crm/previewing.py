"""A whole preview: what a sync, a replay or a retry would do, told by doing it and taking it back.

check_settings ▶ rehearse ▶ record_activity
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from psycopg import Connection

from quickbooks_crm import database, pipeline, preview, replay, retry, running, runs
from quickbooks_crm.failures import noted
from quickbooks_crm.judge import TO_A_MAPPING, Lenience
from quickbooks_crm.running import Request, run_of
from quickbooks_crm.runs import Run


def check_settings(company: str, run_id: str, request: Request) -> list[str]:
    """The same as of a sync, for a run that only rehearses: it keeps no other one away."""
    return running.settle(run_of(company, run_id), request, "preview")


def rehearse(company: str, run_id: str, read: bool = False) -> list[str]:
    """What a sync that began now would do, kept as this run's activity, after `check_settings`; the
    modules with something to load. QuickBooks is asked for what changed only to `read` it."""
    run = run_of(company, run_id)
    with database.connect() as connection, noted(connection, run, "preview"):
        fetched = pipeline.extract(company, run_id)["fetched"] if read else {}
        runs.release_lease(connection, run)
        bringing = running.bringing(connection, run, Lenience(rehearsal=True))
        asked = list(runs.asked(connection, run))
        work = preview.rehearse(run, lambda inside: preview.sync(inside, bringing, asked))
        runs.will_load(connection, run, work, fetched)
    return work


def sync(company: str, run_id: str, request: Request, read: bool = False) -> None:
    """A whole rehearsal of a sync, one stage after the other. Raises what stopped it."""
    with running.ended(company, run_id, "preview"):
        check_settings(company, run_id, request)
        rehearse(company, run_id, read)


def replays(company: str, run_id: str, request: Request) -> None:
    """A whole rehearsal of a replay. Raises what stopped it."""
    asks = partial(runs.asked_for_by, rehearses="replay")
    _again(run_of(company, run_id), request, TO_A_MAPPING, replay.bring, asks)


def retries(company: str, run_id: str, request: Request, reasons: Sequence[str] = ()) -> None:
    """A whole rehearsal of a retry. Raises what stopped it."""
    asks = partial(runs.asked_for_by, rehearses="retry", reasons=reasons)
    bring = partial(retry.bring, reasons=reasons)
    _again(run_of(company, run_id), request, frozenset(), bring, asks)


def _again(
    run: Run,
    request: Request,
    expected: frozenset[str],
    bring: preview.Bring,
    asks: Callable[[Connection[Any], Run], None],
) -> None:
    with running.ended(run.company, run.run_id, "preview"):
        modules = check_settings(run.company, run.run_id, request)
        with database.connect() as connection, noted(connection, run, "preview"):
            asks(connection, run)
            bringing = running.bringing(connection, run, Lenience(expected, rehearsal=True))
            preview.rehearse(run, lambda inside: preview.again(inside, bringing, modules, bring))
            runs.will_load(connection, run, modules, {})
