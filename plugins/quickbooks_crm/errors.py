"""Every error that is raised on purpose, drawn as a tree.

A message says what happened, where, with which value, and what to do next, to the person who can
act. It never carries a token, a secret or customer data: ids, field names and counts only.
"""

from typing import Any


class QuickBooksCrmError(Exception):
    """The root: anything this project stops for on purpose. `code` is for machines, the message for
    people."""

    code = "error"


class SettingsError(QuickBooksCrmError):
    """A file, connection or table is not as it must be; a person has to change it before a run can
    help."""

    code = "settings"


class MappingError(SettingsError):
    """One or more mapping files are not valid; the message lists every problem with its line."""

    code = "mapping"


class MappingOutdated(SettingsError):
    """Somebody else has stored a newer version of a mapping, or put another one in force, than the
    one that this is based on; nothing was stored or put in force."""

    code = "mapping_outdated"


class MandatoryFieldsMissing(SettingsError):
    """Required CRM fields have neither a source nor a default; the message lists them all, with
    what to write."""

    code = "mandatory_fields"


class SchemaOutdated(SettingsError):
    """The database lacks migrations, or has newer ones than this version knows."""

    code = "schema_outdated"


class QuickBooksError(QuickBooksCrmError):
    """QuickBooks did not give what was asked for."""

    code = "quickbooks"


class QuickBooksUnavailable(QuickBooksError):
    """QuickBooks is throttling, down or unreachable (429, 5xx, network): trying again later
    helps."""

    code = "quickbooks_unavailable"


class ChangesTooFast(QuickBooksUnavailable):
    """So much was added or deleted while an entity was read that its pages do not meet: reading it
    anew helps."""


class QuickBooksAsksToWait(QuickBooksError):
    """QuickBooks asks not to be called for the next `seconds`, by anything: longer than a task
    should keep its place while it waits."""

    code = "quickbooks_asks_to_wait"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return str(self.args[0])


class QuickBooksRefused(QuickBooksError):
    """QuickBooks refused the request (other 4xx): trying again does not help."""

    code = "quickbooks_refused"


class QuickBooksClosed(QuickBooksError):
    """QuickBooks refuses the company or the app as a whole, whatever is asked: a person has to
    renew the company's subscription or to correct the app's keys."""

    code = "quickbooks_closed"


class QuickBooksForbidden(QuickBooksClosed):
    """QuickBooks does not let this login read this company (403): company id, environment and keys
    do not belong together."""

    code = "quickbooks_forbidden"


class QuickBooksLoginExpired(QuickBooksError):
    """The connection to QuickBooks is no longer valid: a person must connect again."""

    code = "reconnect_needed"


class ConsentRefused(QuickBooksError):
    """What a browser brings back from Intuit belongs to no consent of this person. Nothing was
    done."""

    code = "consent_refused"


class BudgetSpent(QuickBooksError):
    """The month's calls to QuickBooks are used up: nothing is called before the next month begins
    or a person raises the budget."""

    code = "budget_spent"


class RunError(QuickBooksCrmError):
    """A run cannot go on."""

    code = "run"


class DatabaseFailed(RunError):
    """The CRM database stopped a statement that should have worked; the message has its code, never
    its values."""

    code = "database"


class TableBusy(RunError):
    """Others hold a table of the CRM for longer than one may wait for it: try again later."""

    code = "table_busy"


class CompanyBusy(RunError):
    """Another run is at work on the same company: try again when it has finished."""

    code = "company_busy"


class RunSuperseded(RunError):
    """A newer run or a newer try of this task has taken over; this one may not write any more."""

    code = "run_superseded"


class RunSilent(RunError):
    """Nothing was heard of a run for long: its process was killed, or its machine stopped."""

    code = "run_silent"


class BreakerTripped(RunError):
    """What was about to be written looks like an accident: nothing was, until a person releases
    it. `danger` is what `breakers.Danger` says of it, `remedy` what the person does, `typed` how
    in a terminal."""

    code = "breaker"

    def __init__(self, danger: Any, remedy: str = "", typed: str = "") -> None:
        super().__init__(danger, remedy, typed)
        self.danger, self.typed = danger, typed

    def __str__(self) -> str:
        danger, remedy, _ = self.args
        return f"{danger.message} {remedy}".rstrip()


class LinkRefused(RunError):
    """A record cannot be linked, parted or told apart as asked: one of the two is not there, or is
    linked otherwise. Nothing was done. `words` are without the `command` that would help."""

    code = "link_refused"

    def __init__(self, words: str, command: str = "") -> None:
        super().__init__(words, command)
        self.words = words

    def __str__(self) -> str:
        words, command = self.args
        return f"{words.removesuffix('.')}: {command}" if command else str(words)


class UndoImpossible(RunError):
    """The run cannot be undone: it is not there, still at work, or what an undo needs is no longer
    kept. Nothing was undone."""

    code = "undo_impossible"


class StageIncomplete(RunError):
    """The staged rows of a module are not whole, so they are not loaded."""

    code = "stage_incomplete"


class DoesNotAddUp(RunError):
    """What a load has stored is not what it says of itself; the message says what differs. Nothing
    of it was kept."""

    code = "does_not_add_up"


class SyncFailed(RunError):
    """One or more modules of the run did not load; the message names them."""

    code = "sync_failed"


class DriftFound(RunError):
    """A reconcile found that QuickBooks, the mirror and the CRM do not agree; the run's report says
    where."""

    code = "drift"


A_PERSON_IS_NEEDED = (
    SettingsError,
    QuickBooksRefused,
    QuickBooksClosed,
    QuickBooksLoginExpired,
    BreakerTripped,
    BudgetSpent,
    DoesNotAddUp,
    RunSuperseded,
    SyncFailed,
    LinkRefused,
    UndoImpossible,
    DriftFound,
)
"""Errors after which trying again does not help."""
