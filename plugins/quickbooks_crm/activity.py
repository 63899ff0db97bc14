"""What the runs did and how every record ended, for the log, the terminal and the page."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from quickbooks_crm import breakers, calls
from quickbooks_crm.calls import Use
from quickbooks_crm.quantity import be, many
from quickbooks_crm.reconcile import report
from quickbooks_crm.reconcile.report import Report
from quickbooks_crm.sql import statements

OUTCOMES = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")
UNDO_OUTCOMES = ("updated", "removed", "added", "unchanged", "kept")
"""How the records of an undo end: they get back what they held, are removed or brought back, only
their link is as before, or they are kept as they are."""
PAGE = 100
NOTHING_HELD = (
    "Nothing to try again. What a person has undone or unlinked is tried only when that is asked "
    "for: --reason undone."
)

REASONS = {
    "missing_required": "a required field is blank",
    "invalid_value": "a value does not fit its field",
    "ambiguous_key": "the key fits more than one CRM record",
    "unknown_owner": "the owner is no active user of the CRM",
    "refused_by_table": "the CRM's table refused the record",
    "key_known": "the CRM has a record with the same key",
    "key_taken": "the CRM record with the same key is another QuickBooks record",
    "same_key_in_batch": "another QuickBooks record has the same key",
    "check_fields": "the CRM has a record that is the same on all check fields",
    "same_in_batch": "another QuickBooks record is the same thing",
    "excluded_by_mapping": "the mapping excludes it",
    "before_start_date": "the document is older than the company's start date",
    "linked": "a person has linked it; the next sync brings it up to date",
    "erased_on_request": "erased on request",
    "unlinked": "a person has unlinked it from its CRM record",
    "undone": "undone by a person; tried again when it or its mapping changes, or with `retry "
    "--reason undone`",
    "changed_since": "changed since by somebody in the CRM or a later run",
    "linked_since": "linked, unlinked or brought up to date since",
    "gone_since": "the CRM record has been deleted since",
    "image_gone": "what it held is no longer kept",
    "number_taken": "the CRM has another record of that number by now",
    "referenced": "records that stay refer to it",
    "deleted_in_quickbooks": "deleted in QuickBooks before it was in the CRM",
}


@dataclass(frozen=True)
class Module:
    """The outcomes of one module in one run, counted: read is the sum of the six that follow it."""

    module: str
    mode: str
    read: int
    added: int
    updated: int
    unchanged: int
    duplicate: int
    not_added: int
    excluded: int
    deactivated: int
    deleted: int
    resolved: int
    removed: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Problem:
    """Why a task of a run stopped, in words that carry no customer data."""

    task: str
    code: str
    message: str


@dataclass(frozen=True)
class Reason:
    """How many records of a module are not in the CRM for one reason; exclusions say `because`."""

    module: str
    outcome: str
    reason: str
    because: str | None
    count: int

    @property
    def sentence(self) -> str:
        """The reason in words, without any customer's value."""
        return self.because or _sentence(self.reason)


@dataclass(frozen=True)
class Run:
    """One run of a company; `work` is None until extract has found what there is to do. `breakers`
    are sentences about those of the company that still wait for a person or a run."""

    realm: str
    run_id: str
    company: str
    trigger: str
    started_by: str | None
    started_at: datetime
    finished_at: datetime | None
    state: str
    modules: tuple[str, ...]
    work: tuple[str, ...] | None
    fetched: dict[str, int]
    kind: str
    warnings: tuple[str, ...]
    blocked: dict[str, str]
    undoes: str | None
    problems: tuple[Problem, ...]
    counts: tuple[Module, ...]
    calls: dict[str, int]
    month: Use | None
    reasons: tuple[Reason, ...] = ()
    breakers: tuple[str, ...] = ()
    report: Report | None = None

    @property
    def api_calls(self) -> int:
        """How often the run called QuickBooks; `calls` says for what."""
        return sum(self.calls.values())

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.finished_at else None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The ways in which records of such a run end."""
        return UNDO_OUTCOMES if self.kind == "undo" else OUTCOMES

    @property
    def quiet(self) -> bool:
        """Whether it ended well and had nothing to do."""
        return self.state == "success" and not self.work and not self.counts

    @property
    def read(self) -> int:
        return sum(module.read for module in self.counts)

    @property
    def tried(self) -> tuple[Module, ...]:
        """The counts that say something: a retry looks at every module, whether or not it holds
        anything back."""
        return tuple(m for m in self.counts if self.kind != "retry" or m.read or notes(m))

    def module(self, name: str) -> Module | None:
        """The counts of a module, or None when it did not load in this run."""
        return next((module for module in self.counts if module.module == name), None)

    def without_counts(self) -> dict[str, str]:
        """What became of the modules that have no counts, in words, in load order."""
        loaded = {module.module for module in self.tried}
        names = dict.fromkeys((*self.modules, *self.blocked))
        return {name: self._absence(name) for name in names if name not in loaded}

    def _absence(self, name: str) -> str:
        if name in self.blocked:
            return self.blocked[name]
        if self.module(name):
            return "nothing to try again"
        if self.work is not None and name not in self.work:
            return "nothing to do"
        if self.state == "running":
            return "not yet loaded"
        return "not reached" if self.work is None else "did not load"


@dataclass(frozen=True)
class Change:
    """One CRM field of an updated or added record."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Row:
    """How one QuickBooks record ended. It holds customer data: never log it."""

    entity: str
    id: str
    outcome: str
    reason: str | None
    message: str | None
    details: Any
    record_key: str | None
    collides_with: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    name: str | None

    @property
    def sentence(self) -> str:
        """The reason in words, without any customer's value."""
        return _sentence(self.reason or "")

    @property
    def told(self) -> tuple[str, ...]:
        """What else there is to say of it: keywords left out, an owner not known, a conflict."""
        notes = self.details.get("notes", ()) if isinstance(self.details, dict) else ()
        return tuple(
            f"{note['label']}{_quoted(note.get('value'))} {note['rule']}." for note in notes
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """The fields that the run changed; of an added record, those it filled."""
        before, after = self.before or {}, self.after or {}
        return tuple(
            Change(field, before.get(field), value)
            for field, value in after.items()
            if before.get(field) != value
        )


def companies(connection: Connection[Any]) -> list[str]:
    """The companies that have run, by name."""
    return [
        row["company"] for row in _cursor(connection).execute(statements("activity")["companies"])
    ]


def runs(
    connection: Connection[Any],
    companies: Sequence[str],
    limit: int = PAGE,
    before: tuple[str, str] | None = None,
    but: Sequence[str] = (),
) -> list[Run]:
    """The newest runs of some companies, but for some kinds; `before` is the (realm, run id) to go
    on from."""
    asked: dict[str, Any] = {"companies": list(companies), "limit": limit, "but": list(but)}
    if before is not None:
        asked |= {"realm": before[0], "run_id": before[1]}
    statement = statements("activity")["runs" if before is None else "runs_before"]
    return _with_counts(connection, _cursor(connection).execute(statement, asked).fetchall())


def run(connection: Connection[Any], realm: str, run_id: str) -> Run | None:
    """One run with its counts, reasons and open breakers, or None when there is no such run."""
    found = counted(connection, realm, run_id)
    return explained(connection, found) if found else None


def counted(connection: Connection[Any], realm: str, run_id: str) -> Run | None:
    """One run with its counts only: quick, however many records it had."""
    key = {"realm": realm, "run_id": run_id}
    found = _cursor(connection).execute(statements("activity")["run"], key).fetchall()
    return next(iter(_with_counts(connection, found)), None)


def explained(connection: Connection[Any], run: Run) -> Run:
    """The same run with its reasons, counted from the records that are not in the CRM, and the
    breakers that are open."""
    names = [module.module for module in run.counts]
    key = {"realm": run.realm, "run_id": run.run_id, "modules": names}
    given = _cursor(connection).execute(statements("activity")["reasons"], key)
    reasons = sorted(
        (Reason(**row) for row in given), key=lambda reason: names.index(reason.module)
    )
    return replace(
        run,
        reasons=tuple(reasons),
        breakers=tuple(_open(connection, run)),
        report=report.read(connection, run.realm, run.run_id) if run.kind == "reconcile" else None,
    )


def _open(connection: Connection[Any], run: Run) -> Iterator[str]:
    """Those that were open when the run ended and still are, without what it says of itself."""
    said = [*(problem.message for problem in run.problems), *run.blocked.values()]
    for breaker in breakers.open_ones(connection, run.company):
        told = any(breaker.message in sentence for sentence in said)
        later = run.finished_at is not None and breaker.tripped_at > run.finished_at
        if breaker.state == "released" or not (told or later):
            yield breaker.sentence


def rows(
    connection: Connection[Any],
    realm: str,
    run_id: str,
    module: str,
    outcome: str,
    after: tuple[str, str] = ("", ""),
    limit: int = PAGE,
) -> list[Row]:
    """The records of one outcome, ordered by id; `after` is the (id, entity) to go on from."""
    key = {"realm": realm, "run_id": run_id, "module": module, "outcome": outcome}
    page = {"after_id": after[0], "after_entity": after[1], "limit": limit}
    return [
        Row(**row)
        for row in _cursor(connection).execute(statements("activity")["rows"], key | page)
    ]


def _with_counts(connection: Connection[Any], found: list[dict[str, Any]]) -> list[Run]:
    keys = {"realms": [row["realm"] for row in found], "run_ids": [row["run_id"] for row in found]}
    counted: dict[tuple[str, str], list[Module]] = {}
    for row in _cursor(connection).execute(statements("activity")["counts"], keys):
        counted.setdefault((row.pop("realm"), row.pop("run_id")), []).append(Module(**row))
    asked = list(zip(keys["realms"], keys["run_ids"], strict=True))
    made, months = calls.by_purpose(connection, asked), calls.uses(connection, asked)
    return [
        _run(row, counted.get(key, []), calls=made.get(key, {}), month=months.get(key))
        for key, row in zip(asked, found, strict=True)
    ]


def _run(row: dict[str, Any], counts: list[Module], **called: Any) -> Run:
    modules, work, errors = row.pop("modules"), row.pop("work"), row.pop("errors")
    warnings = row.pop("warnings")
    order = {name: place for place, name in enumerate(modules)}
    return Run(
        **row,
        modules=tuple(modules),
        work=None if work is None else tuple(work),
        warnings=tuple(warnings[key] for key in sorted(warnings)),
        problems=tuple(
            Problem(task, error["code"], error["message"]) for task, error in sorted(errors.items())
        ),
        counts=tuple(sorted(counts, key=lambda module: order.get(module.module, len(order)))),
        **called,
    )


def _cursor(connection: Connection[Any]) -> Cursor[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    set_json_loads(partial(json.loads, parse_float=Decimal), cursor)
    return cursor


def summary(run: Run) -> str:
    """The run as plain text for the log and the terminal: counts and ids, no customer data."""
    state = run.state if run.kind == "sync" else f"{run.kind} {run.state}"
    state += f" (of {run.undoes})" if run.undoes else ""
    head = f"{run.company} {run.run_id}: {state}, {_took(run)}, {called(run)}"
    return "\n".join([head, *told(run)])


def told(run: Run) -> Iterator[str]:
    """What a run did, or would do, as lines of plain text; no customer data."""
    fetched = [f"{entity} {count:,}" for entity, count in sorted(run.fetched.items()) if count]
    if run.kind == "reconcile":
        yield from report.words(run.report) if run.report else ()
        if run.report and run.report.repairable:
            yield f"To repair: {report.to_repair(run.company)}"
        yield from (f"{module}: {why}" for module, why in sorted(run.blocked.items()))
    elif run.quiet and not run.api_calls:
        yield "Nothing to do with what QuickBooks has told so far."
    elif run.quiet and not fetched:
        yield "Nothing changed in QuickBooks."
    elif run.quiet:
        yield "Nothing to do: the CRM has all of it already."
    if fetched:
        yield "Fetched from QuickBooks: " + ", ".join(fetched)
    if run.kind == "preview":
        yield from _of_a_preview(run)
    if run.kind == "retry" and run.counts and not run.tried:
        yield NOTHING_HELD
    elif run.kind != "reconcile" and (run.counts or run.without_counts()) and not run.quiet:
        yield from _table(run)
    yield from _notes(run)
    for module, reasons in groupby(run.reasons, key=lambda reason: reason.module):
        kept = "Not undone of" if run.kind == "undo" else "Not brought in from"
        yield f"{kept} {module}:"
        for reason in reasons:
            yield f"{reason.count:>11,}  {words(reason.outcome)}: {reason.sentence}"
    for problem in run.problems:
        yield f"{problem.task} stopped: {problem.message}"
    yield from (f"Warning: {warning}" for warning in run.warnings)
    yield from (f"Open breaker: {breaker}" for breaker in run.breakers)
    if run.month:
        yield run.month.sentence


def _of_a_preview(run: Run) -> Iterator[str]:
    if not run.api_calls:
        yield "QuickBooks was not asked: what has changed there since the last read is not in it."
    outcomes = "" if run.quiet else " These would be the outcomes:"
    yield f"A preview: nothing was changed.{outcomes}"


def _table(run: Run) -> Iterator[str]:
    head = ("module", "read", *(words(outcome) for outcome in run.outcomes))
    lines = [
        (module.module, *(f"{getattr(module, name):,}" for name in ("read", *run.outcomes)))
        for module in run.tried
    ]
    absent = run.without_counts()
    first = max(map(len, [head[0], *(line[0] for line in lines), *absent]), default=0)
    widths = [max(len(line[place]) for line in (head, *lines)) for place in range(1, len(head))]
    for line in (head, *lines):
        rest = zip(line[1:], widths, strict=True)
        yield "  ".join((line[0].ljust(first), *(text.rjust(width) for text, width in rest)))
    for name, absence in absent.items():
        yield f"{name.ljust(first)}  {absence}"


def _notes(run: Run) -> Iterator[str]:
    for module in run.counts:
        yield from (f"{module.module}: {note}" for note in notes(module))


def notes(module: Module) -> list[str]:
    """What the six outcomes do not say, where there is something to say."""
    references = be(module.resolved, "reference", "references")
    told = (
        (module.deactivated, "of the updated newly inactive in QuickBooks"),
        (module.deleted, "of the updated newly deleted in QuickBooks"),
        (module.resolved, f"open {references} of records loaded earlier closed"),
    )
    return [f"{count:,} {text}" for count, text in told if count]


def listing(rows: Iterable[Row]) -> str:
    """Rows as plain text for a person's terminal. It holds customer data: never log it."""
    return "\n".join(
        printable(f"{row.entity} {row.id}  {words(row.outcome)}  {said}").rstrip()
        for row in rows
        for said in [" ".join([row.message or "", *row.told]).strip()]
    )


def _quoted(value: Any) -> str:
    return "" if value is None else f" '{value}'"


def _sentence(reason: str) -> str:
    return REASONS.get(reason, reason.replace("_", " "))


def printable(text: str) -> str:
    """The text without what could make a terminal do something."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def as_json(run: Run) -> dict[str, Any]:
    """The run as values that `json.dumps` takes; no customer data."""
    plain = asdict(run)
    asked, counts = plain.pop("modules"), plain.pop("counts")
    return plain | {
        "asked": asked,
        "modules": counts,
        "api_calls": run.api_calls,
        "month": plain["month"] | {"month": run.month.month.isoformat()} if run.month else None,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "seconds": run.duration.total_seconds() if run.duration else None,
        "without_counts": run.without_counts(),
        "report": report.as_json(run.report) if run.report else None,
    }


def words(outcome: str) -> str:
    """An outcome as people write it."""
    return outcome.replace("_", " ")


def called(run: Run) -> str:
    """How often a run called QuickBooks and for what, in words."""
    purposes = sorted(run.calls.items(), key=lambda call: (-call[1], call[0]))
    known = ", ".join(f"{purpose} {count:,}" for purpose, count in purposes if purpose)
    total = many(run.api_calls, "API call")
    return f"{total} ({known})" if known else total


def _took(run: Run) -> str:
    return "not finished" if run.duration is None else took(run.duration)


def took(duration: timedelta) -> str:
    """A duration in the two largest units a person would name."""
    seconds = round(duration.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
