"""Puts the CRM right without a call to QuickBooks: a retry, a replay or the undo of a run. Whoever
asks for it is shown first what it would do, unless they want it at once.

begin ▶ rehearse ▶ proceed ▶ start, which begins a run of the same DAG: begin ▶ carry_out
"""

import logging
from dataclasses import dataclass, replace

from quickbooks_crm import activity, database, previewing, repeating, undoing, wording
from quickbooks_crm.errors import SettingsError
from quickbooks_crm.running import Request, run_of
from quickbooks_crm.undoing import Wish

log = logging.getLogger(__name__)


WHATS = ("retry", "replay", "undo")
"""What can be done."""


@dataclass(frozen=True)
class Correction:
    """What is to be done: `what` is retry, replay or undo, of some modules; a retry may be for some
    reasons only, an undo is of a run."""

    what: str
    request: Request
    reasons: tuple[str, ...] = ()
    run: str = ""

    @property
    def wish(self) -> Wish:
        """The same as the wish for an undo."""
        asked = self.request
        previewed = asked.previewed or None
        return Wish(self.run, asked.trigger, asked.started_by, asked.modules, previewed)


def rehearse(company: str, run_id: str, asked: Correction) -> str:
    """Show what would be done, as a preview: the question to a person, empty when nothing would."""
    _require_whole(asked)
    if asked.what == "undo":
        undoing.preview(company, run_id, asked.wish)
    elif asked.what == "replay":
        previewing.replays(company, run_id, asked.request)
    else:
        previewing.retries(company, run_id, asked.request, asked.reasons)
    found = _found(company, run_id)
    summary = wording.summary(found)
    log.info("what this would do\n%s", summary)
    return summary if found.changes else ""


def carry_out(company: str, run_id: str, asked: Correction) -> None:
    """Do it. Of what a person has said Yes to, just what they were shown is done."""
    if asked.request.previewed:
        asked = _as_previewed(company, asked.request)
    _require_whole(asked)
    if asked.what == "undo":
        undoing.carry_out(company, run_id, asked.wish)
    elif asked.what == "replay":
        repeating.replay_all(company, run_id, asked.request)
    else:
        repeating.retry_held(company, run_id, asked.request, asked.reasons)
    log.info("what this run did\n%s", wording.summary(_found(company, run_id)))


def _as_previewed(company: str, request: Request) -> Correction:
    found = _found(company, request.previewed)
    if found.rehearses is None:
        raise SettingsError(
            f"Run {request.previewed} is no preview of a retry, a replay or an undo. Nothing was "
            "done. Start again without it."
        )
    asked = replace(request, modules=found.modules)
    return Correction(found.rehearses, asked, tuple(found.tried_for), found.would_undo or "")


def _require_whole(asked: Correction) -> None:
    if asked.what not in WHATS:
        raise SettingsError(
            f"{asked.what!r} is nothing that can be done here. Nothing was done. Start again with "
            f"one of: {', '.join(WHATS)}."
        )
    if asked.what == "undo" and not asked.run:
        raise SettingsError(
            "An undo needs the run to undo. Nothing was done. Start again with its run id, which "
            "the Activity page shows, or press Undo there."
        )


def _found(company: str, run_id: str) -> activity.Run:
    run = run_of(company, run_id)
    with database.connect() as connection:
        found = activity.run(connection, run.realm, run.run_id)
    if found is None:
        raise SettingsError(f"Company {company} has no run {run_id}.")
    return found
