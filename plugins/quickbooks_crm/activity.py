"""What the runs did and how every record ended."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from quickbooks_crm import breakers, calls, reasons, triggers
from quickbooks_crm.calls import Use
from quickbooks_crm.reconcile import report
from quickbooks_crm.reconcile.report import Report
from quickbooks_crm.sql import statements

OUTCOMES = ("added", "updated", "unchanged", "duplicate", "not_added", "excluded")
UNDO_OUTCOMES = ("updated", "removed", "added", "unchanged", "kept")
"""How the records of an undo end: they get back what they held, are removed or brought back, only
their link is as before, or they are kept as they are."""
HELD = ("not_added", "duplicate", "excluded", "kept")
"""How those ended that are not in the CRM, or not as the run would have them."""
PAGE = 100


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
        return self.because or reasons.sentence(self.reason)


@dataclass(frozen=True)
class Module:
    """The outcomes of one module in one run, counted: read is the sum of the six that follow it.
    `reasons` are those of the records that are not in the CRM, or were not undone."""

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
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why a task of a run stopped, in words that carry no customer data."""

    task: str
    code: str
    message: str


@dataclass(frozen=True)
class Run:
    """One run of a company; `work` is None until extract has found what there is to do. `breakers`
    are sentences about those of the company that still wait for a person or a run. A preview
    `rehearses` a kind of run, a sync if nothing else is said; of an undo, one that `would_undo`. Of
    the `whole` modules it brings all records, since their mapping has changed."""

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
    rehearses: str | None
    would_undo: str | None
    tried_for: list[str]
    previewed: str | None
    whole: list[str]
    emptied_at: datetime | None
    purged_at: datetime | None
    problems: tuple[Problem, ...]
    counts: tuple[Module, ...]
    calls: dict[str, int]
    month: Use | None
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
    def begun(self) -> str:
        """What has begun it, in words."""
        return triggers.words(self.trigger, self.previewed)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why records are not in the CRM, or were not undone, in load order."""
        return tuple(reason for module in self.counts for reason in module.reasons)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The ways in which records of such a run end."""
        return UNDO_OUTCOMES if self.undoing else OUTCOMES

    @property
    def quiet(self) -> bool:
        """Whether it ended well and had nothing to do."""
        return self.state == "success" and not self.work and not self.counts

    @property
    def undoing(self) -> bool:
        """Whether it is an undo, or shows what one would do."""
        return "undo" in (self.kind, self.rehearses)

    @property
    def changes(self) -> bool:
        """Whether it has changed something in the CRM, or, a preview, would."""
        done = ("added", "updated", "removed", "resolved", *(["unchanged"] if self.undoing else []))
        return any(getattr(module, name) for module in self.counts for name in done)

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which its modules were loaded."""
        return tuple(dict.fromkeys(module.mode for module in self.tried if module.mode != "undo"))

    @property
    def read(self) -> int:
        return sum(module.read for module in self.counts)

    @property
    def tried(self) -> tuple[Module, ...]:
        """The counts that say something: a retry looks at every module, whether or not it holds
        anything back."""
        return tuple(m for m in self.counts if self.kind != "retry" or m.read or m.resolved)

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
        if self.state == "running" and self.kind != "sync":
            return "not yet worked out" if self.kind == "preview" else "not yet done"
        if self.work is not None and name not in self.work:
            return "nothing to do"
        if self.state == "running":
            return "not yet loaded"
        return "not reached" if self.work is None else "did not load"


@dataclass(frozen=True)
class Wanted:
    """Which runs to list: of which companies, but for some kinds; where more is said, only those of
    a kind, in a state, that were to load a module, begun by somebody or something whose name has
    `who` in it, or on these days (UTC)."""

    companies: Sequence[str]
    but: Sequence[str] = ()
    kind: str = ""
    state: str = ""
    module: str = ""
    who: str = ""
    first_day: date | None = None
    last_day: date | None = None

    @property
    def narrowed(self) -> bool:
        """Whether more is said than whose runs."""
        return self != Wanted(self.companies, self.but)

    @property
    def where(self) -> dict[str, Any]:
        """The parameters of the list."""
        lists = {"companies": list(self.companies), "but": list(self.but)}
        return asdict(self) | lists | {"triggers": triggers.called(self.who)}


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
        return reasons.sentence(self.reason or "")

    @property
    def told(self) -> tuple[str, ...]:
        """What else there is to say of it: keywords left out, an owner not known, a conflict."""
        notes = self.details.get("notes", ()) if isinstance(self.details, dict) else ()
        return tuple(
            f"{_of_line(note)}{note['label']}{_quoted(note.get('value'))} {note['rule']}."
            for note in notes
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
    wanted: Wanted,
    limit: int = PAGE,
    before: tuple[str, str] | None = None,
) -> list[Run]:
    """The newest runs that are wanted; `before` is the (realm, run id) to go on from."""
    asked = wanted.where | {"limit": limit, "begin": before is None}
    asked |= dict(zip(("realm", "run_id"), before or ("", ""), strict=True))
    found = _cursor(connection).execute(statements("activity")["runs"], asked).fetchall()
    return _with_counts(connection, found)


def modules(connection: Connection[Any], companies: Sequence[str]) -> list[str]:
    """The modules that the newest runs of some companies were asked for, by name."""
    asked = {"companies": list(companies), "newest": 20}
    found = _cursor(connection).execute(statements("activity")["modules"], asked)
    return [row["module"] for row in found]


def run(connection: Connection[Any], realm: str, run_id: str) -> Run | None:
    """One run with its counts, reasons and open breakers, or None when there is no such run."""
    found = counted(connection, realm, run_id)
    return explained(connection, found) if found else None


def named(connection: Connection[Any], company: str, run_id: str) -> list[Run]:
    """The run of a company that is called so, with its counts only; none, or one of each realm that
    the company has had."""
    key = {"company": company, "run_id": run_id}
    found = _cursor(connection).execute(statements("activity")["named"], key).fetchall()
    return _with_counts(connection, found)


def counted(connection: Connection[Any], realm: str, run_id: str) -> Run | None:
    """One run with its counts only: quick, however many records it had."""
    key = {"realm": realm, "run_id": run_id}
    found = _cursor(connection).execute(statements("activity")["run"], key).fetchall()
    return next(iter(_with_counts(connection, found)), None)


def after_yes(connection: Connection[Any], preview: Run) -> Run | None:
    """The run that a person's Yes to a preview has begun, once it has."""
    key = {"realm": preview.realm, "run_id": preview.run_id}
    found = _cursor(connection).execute(statements("activity")["after_yes"], key).fetchone()
    return counted(connection, preview.realm, found["run_id"]) if found else None


def explained(connection: Connection[Any], run: Run) -> Run:
    """The same run with the breakers that are open and, of a reconcile, its report."""
    return replace(
        run,
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
    return as_rows(connection, of_those("rows"), key | page)


def of_those(statement: str, *which: str) -> sql.Composed:
    """A statement of the records of one run and module that ended in one way, narrowed by blocks of
    conditions."""
    blocks = statements("activity")
    conditions = sql.SQL(" AND ").join(blocks[name].format() for name in ("ended_so", *which))
    return blocks[statement].format(ended_so=conditions)


def as_rows(
    connection: Connection[Any], statement: sql.Composed, values: dict[str, Any]
) -> list[Row]:
    """The records that a statement gives; amounts stay exact."""
    return [Row(**row) for row in _cursor(connection).execute(statement, values)]


def _with_counts(connection: Connection[Any], found: list[dict[str, Any]]) -> list[Run]:
    keys = {"realms": [row["realm"] for row in found], "run_ids": [row["run_id"] for row in found]}
    counted: dict[tuple[str, str], list[Module]] = {}
    for row in _cursor(connection).execute(statements("activity")["counts"], keys):
        counted.setdefault((row.pop("realm"), row.pop("run_id")), []).append(_module(**row))
    asked = list(zip(keys["realms"], keys["run_ids"], strict=True))
    made, months = calls.by_purpose(connection, asked), calls.uses(connection, asked)
    return [
        _run(row, counted.get(key, []), calls=made.get(key, {}), month=months.get(key))
        for key, row in zip(asked, found, strict=True)
    ]


def _module(reasons: list[dict[str, Any]], **counts: Any) -> Module:
    module = counts["module"]
    return Module(**counts, reasons=tuple(Reason(module, **each) for each in reasons))


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


def _of_line(note: dict[str, Any]) -> str:
    return f"Line {note['line']}: " if "line" in note else ""


def _quoted(value: Any) -> str:
    return "" if value is None else f" '{value}'"


def as_json(run: Run) -> dict[str, Any]:
    """The run as values that `json.dumps` takes; no customer data."""
    plain = asdict(run)
    asked, counts = plain.pop("modules"), plain.pop("counts")
    reasons = [reason for module in counts for reason in module.pop("reasons")]
    return plain | {
        "asked": asked,
        "modules": counts,
        "reasons": reasons,
        "api_calls": run.api_calls,
        "month": plain["month"] | {"month": run.month.month.isoformat()} if run.month else None,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "seconds": run.duration.total_seconds() if run.duration else None,
        "without_counts": run.without_counts(),
        "report": report.as_json(run.report) if run.report else None,
    }
