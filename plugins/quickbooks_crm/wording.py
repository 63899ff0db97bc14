"""What the runs did in words, for the log, the terminal and the page."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import msgspec

from quickbooks_crm.activity import Change, Module, Row, Run
from quickbooks_crm.images import LINES
from quickbooks_crm.quantity import be, many
from quickbooks_crm.reconcile import report

_ENCODER = msgspec.json.Encoder(decimal_format="number")
NOTHING_HELD = (
    "Nothing to try again. What a person has undone or unlinked is tried only when that is asked "
    "for, each by its own word: --reason undone, --reason unlinked."
)


def summary(run: Run, said: Collection[str] = ()) -> str:
    """The run as plain text for the log and the terminal: counts and ids, no customer data. Why it
    stopped is left out where that is `said` already."""
    state = run.state if run.kind == "sync" else f"{run.kind} {run.state}"
    state += f" (of {run.undoes})" if run.undoes else ""
    head = f"{run.company} {run.run_id}: {state}, {_took(run)}, {called(run)}"
    return "\n".join([head, *told(run, said)])


def told(run: Run, said: Collection[str] = ()) -> Iterator[str]:
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
        yield "Nothing to do: what was fetched is as it was when it was last read."
    if fetched:
        yield "Fetched from QuickBooks: " + ", ".join(fetched)
    if run.kind == "preview":
        yield from _of_a_preview(run)
    if run.whole:
        yield f"Older records follow a changed mapping, too: {', '.join(run.whole)}."
    if run.kind == "retry" and run.counts and not run.tried and not run.problems:
        yield NOTHING_HELD
    elif run.kind != "reconcile" and (run.counts or run.without_counts()) and not run.quiet:
        yield from _table(run)
    yield from _notes(run)
    for module, reasons in groupby(run.reasons, key=lambda reason: reason.module):
        kept = "Not undone of" if run.undoing else "Not brought in from"
        yield f"{kept} {module}:"
        for reason in reasons:
            yield f"{reason.count:>11,}  {words(reason.outcome)}: {reason.sentence}"
    for problem in run.problems:
        why = "." if problem.message in said else f": {problem.message}"
        yield f"{problem.task} stopped{why}"
    stops = [problem.message for problem in run.problems]
    for warning in run.warnings:
        if not any(warning in stop for stop in stops):
            yield f"Warning: {warning}"
    yield from (f"Open breaker: {breaker}" for breaker in run.breakers)
    if run.month:
        yield run.month.sentence


def _of_a_preview(run: Run) -> Iterator[str]:
    if not run.api_calls and not run.undoing:
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
        (module.deactivated, "of the updated newly inactive or merged away in QuickBooks"),
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


def printable(text: str) -> str:
    """The text without what could make a terminal do something."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def told_by(row: Row) -> Callable[[Change], str]:
    """What puts the fields of a record into words."""
    return changed if row.outcome == "updated" else filled


def changed(change: Change) -> str:
    """What became of a field, from what to what."""
    if change.field != LINES:
        return f"{change.field} {shown(change.before)} → {shown(change.after)}"
    before, after = len(change.before or ()), len(change.after or ())
    if before == after:
        return f"{many(after, 'line')}, changed"
    return f"{many(before, 'line')} → {after}"


def filled(change: Change) -> str:
    """What a field of a new record holds."""
    if change.field != LINES:
        return f"{change.field} {shown(change.after)}"
    return many(len(change.after or ()), "line")


def shown(value: Any) -> str:
    """A CRM value as text."""
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "nothing"
    if isinstance(value, dict):
        return as_json(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(plain(value))


def as_json(value: Any) -> str:
    """An object or a list as QuickBooks sends such, with its numbers as they are."""
    return _ENCODER.encode(value).decode()


def plain(value: Any) -> Any:
    """An amount without the zeros that only its column's type adds."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


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
