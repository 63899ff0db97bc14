"""What a reconcile found, as values and in words. Numbers of records and ids only, but for the
control totals: these are the company's figures, and never go into a log."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from quickbooks_crm.quantity import be, many
from quickbooks_crm.sql import statements

SHOWN = 10
"""How many ids of one kind are shown where not all are asked for."""

KINDS = {
    "not_in_mirror": "in QuickBooks, but not in the mirror",
    "not_in_quickbooks": "in the mirror, but no longer in QuickBooks",
    "other_version": "in another version in the mirror than in QuickBooks",
    "other_content": "of the same version, but with other content than in QuickBooks",
    "nowhere": "neither in the CRM nor held back",
    "crm_record_gone": "once in the CRM, but deleted there",
    "original_gone": "held back as a duplicate of a CRM record that was deleted",
    "other_state": "active in the CRM though not in QuickBooks, or the other way round",
    "changed_in_crm": "changed in the CRM since the last sync wrote them",
    "mirror_record_gone": "in the CRM, but not in the mirror",
}
"""What a drift is, as a person would say it of some records."""

EDITS = frozenset({"changed_in_crm"})
"""What people may do: told, but no reason to call for help. Control totals tell when it matters."""


AGREED = "No drift: QuickBooks, the mirror and the CRM agree."
EDITED = "were changed in the CRM since a sync wrote them"


@dataclass(frozen=True)
class Compared:
    """How many records of an entity or module were compared, and how. `side` is quickbooks, with
    the mirror as target, or crm, with the mirror as source. `waiting` is left to the next sync: of
    QuickBooks and the mirror, what changed too recently to be compared. `behind` are those of the
    target that are held back from what QuickBooks has now."""

    side: str
    subject: str
    method: str
    source: int
    target: int
    held: int
    waiting: int
    behind: int


@dataclass(frozen=True)
class Drift:
    """Records that differ in the same way; `ids` are the first of them, `fields` what differs."""

    side: str
    subject: str
    entity: str
    kind: str
    repaired: bool
    count: int
    ids: list[str]
    fields: list[str]

    @property
    def sentence(self) -> str:
        """What differs, without any value."""
        which = f" ({', '.join(self.fields)})" if self.fields else ""
        return KINDS[self.kind] + which

    @property
    def silent(self) -> bool:
        """Whether QuickBooks itself has changed them without saying so, which is taken over."""
        return self.repaired and self.kind == "other_content"

    @property
    def matters(self) -> bool:
        """Whether somebody has to see to it."""
        return not self.repaired and self.kind not in EDITS


@dataclass(frozen=True)
class ControlTotal:
    """The sum of one amount on both sides, and how many records are held back or wait; an empty
    currency is the company's own."""

    side: str
    subject: str
    field: str
    currency: str
    source: Decimal
    held: Decimal
    waiting: Decimal
    target: Decimal
    held_records: int = 0
    waiting_records: int = 0

    @property
    def difference(self) -> Decimal:
        """What the target has too much, or, negative, too little."""
        return self.target - (self.source - self.held - self.waiting)

    @property
    def figures(self) -> list[str]:
        """The amounts as people write them, from source to difference, all with as many places;
        where records are held back or wait, with how many."""
        amounts = [self.source, self.held, self.waiting, self.target, self.difference]
        counts = [0, self.held_records, self.waiting_records, 0, 0]
        told = zip(_figures(amounts), counts, strict=True)
        return [f"{figure} ({count:,})" if count else figure for figure, count in told]


@dataclass(frozen=True)
class Report:
    """All that one reconcile found."""

    compared: tuple[Compared, ...]
    drift: tuple[Drift, ...]
    totals: tuple[ControlTotal, ...]

    @property
    def in_step(self) -> bool:
        """Whether there is nothing left that somebody has to see to."""
        return not any(drift.matters for drift in self.drift) and not self.unexplained

    @property
    def to_load(self) -> bool:
        """Whether a repair has left something for the next sync."""
        return any(drift.repaired for drift in self.drift)

    @property
    def unexplained(self) -> tuple[ControlTotal, ...]:
        """The totals that differ, but for those that the repair has seen to."""
        repaired = {(d.side, d.subject) for d in self.drift if d.repaired}
        return tuple(t for t in self.differing if (t.side, t.subject) not in repaired)

    @property
    def differing(self) -> tuple[ControlTotal, ...]:
        """The totals that differed when they were taken: before any repair."""
        return tuple(t for t in self.totals if t.difference)

    @property
    def repairable(self) -> bool:
        """Whether somebody has to see to what a repair would mend."""
        return not self.in_step and any(not drift.repaired for drift in self.drift)


@dataclass(frozen=True)
class Row:
    """One record that differs."""

    side: str
    subject: str
    entity: str
    id: str
    kind: str
    details: dict[str, Any]
    repaired: bool

    @property
    def line(self) -> str:
        """The record in one line: ids, names of fields and version numbers, no value."""
        versions = (f"{side} has version {v}" for side, v in sorted(self._versions().items()))
        more = "; ".join([*versions, *map(str, self.details.get("fields", ()))])
        module = "" if self.side == "quickbooks" else f"{self.subject}: "
        about = f"{module}{self.entity} {self.id}  {KINDS[self.kind]}"
        return about + (f" ({more})" if more else "") + ("; repaired" if self.repaired else "")

    def _versions(self) -> dict[str, int]:
        return {
            side: self.details[side] for side in ("quickbooks", "mirror") if side in self.details
        }


def read(connection: Connection[Any], realm: str, run_id: str) -> Report | None:
    """What a run found; None when it compared nothing."""
    where = {"realm": realm, "run_id": run_id, "shown": SHOWN}
    blocks = statements("reconcile")
    with connection.cursor(row_factory=class_row(Compared)) as cursor:
        compared = cursor.execute(blocks["read_compared"], where).fetchall()
    with connection.cursor(row_factory=class_row(Drift)) as cursor:
        drift = cursor.execute(blocks["read_drift"], where).fetchall()
    with connection.cursor(row_factory=class_row(ControlTotal)) as cursor:
        totals = cursor.execute(blocks["read_totals"], where).fetchall()
    return Report(tuple(compared), tuple(drift), tuple(totals)) if compared else None


def settle(connection: Connection[Any], realm: str, run_id: str) -> None:
    """Let the run count as failed when somebody has to see to what it found."""
    found = read(connection, realm, run_id)
    if found and not found.in_step:
        where = {"realm": realm, "run_id": run_id}
        with connection.transaction():
            connection.execute(statements("reconcile")["not_in_step"], where)


def rows(connection: Connection[Any], realm: str, run_id: str) -> Iterator[Row]:
    """Every record that differs."""
    where = {"realm": realm, "run_id": run_id}
    with connection.transaction(), connection.cursor("drift", row_factory=class_row(Row)) as cursor:
        cursor.execute(statements("reconcile")["read_rows"], where)
        yield from cursor


def words(report: Report) -> Iterator[str]:
    """The report for the log and the terminal: numbers of records and ids, no amount."""
    yield from verdict(report)
    for side, compared in groupby(report.compared, key=lambda one: one.side):
        yield "QuickBooks and the mirror:" if side == "quickbooks" else "The mirror and the CRM:"
        yield from (f"  {numbers(one)}" for one in compared)
    if report.drift:
        yield "Drift:"
    for drift in report.drift:
        yield f"  {drift.subject}: {drift.count:,} {drift.sentence}: {_ids(drift)}{_done(drift)}"
    yield from _agreement(report)


def verdict(report: Report) -> Iterator[str]:
    """Whether all agree, in a sentence or two."""
    silent = sum(drift.count for drift in report.drift if drift.silent)
    edits = sum(drift.count for drift in report.drift if drift.kind in EDITS)
    found = sum(drift.count for drift in report.drift) - silent - edits
    if silent:
        changed, them = many(silent, "record"), be(silent, "it", "them")
        yield f"QuickBooks has changed {changed} without saying so; the next sync loads {them}."
    if not found and not report.unexplained:
        yield "All else agrees." if silent else AGREED
    elif report.in_step:
        done = be(found, "it is repaired", "all are repaired")
        them = be(found, "it", "them")
        yield f"{many(found, 'record')} differed; {done}, and the next sync loads {them}."
    elif found:
        differ = be(found, "differs", "differ")
        yield f"DRIFT: {many(found, 'record')} {differ}. Nothing is repaired unasked."
    else:
        yield "DRIFT: control totals differ."
    if edits:
        were = be(edits, "was changed in the CRM since a sync wrote it", EDITED)
        yield f"{many(edits, 'record')} {were}."


def to_repair(company: str) -> str:
    """The command that repairs what a reconcile of a company found."""
    return f"python -m quickbooks_crm reconcile --company {company} --repair"


def numbers(one: Compared) -> str:
    """How many records were compared, and how, in words."""
    if one.side == "crm":
        rest = [f"{one.held:,} held back" if one.held else ""]
        rest += [f"{one.waiting:,} waiting for the next sync" if one.waiting else ""]
        behind = f" ({one.behind:,} of them held back as they were)" if one.behind else ""
        told = [f"{one.target:,} in the CRM{behind}", *filter(None, rest)]
        return f"{one.subject}: {one.source:,} in the mirror: {', '.join(told)}"
    how = {
        "counts": "compared by counts",
        "parts": "compared by counts, and by records where these differ",
        "records": "every record compared",
    }[one.method]
    here = f"{one.source:,} in QuickBooks, {one.target:,} in the mirror"
    left = f"; {one.waiting:,} of them changed too recently to compare" if one.waiting else ""
    return f"{one.subject}: {here} ({how}{left})"


def _ids(drift: Drift) -> str:
    more = drift.count - len(drift.ids)
    return f"Id {', '.join(drift.ids)}" + (f" and {more:,} more" if more else "")


def _done(drift: Drift) -> str:
    return "; repaired" if drift.repaired else ""


def _agreement(report: Report) -> Iterator[str]:
    if not report.totals:
        return
    of, unexplained = len(report.totals), report.unexplained
    if unexplained:
        yield f"Control totals: {len(unexplained)} of {of} differ: {_names(unexplained)}."
    elif not report.differing:
        yield f"Control totals: all {of} agree."
    if explained := [total for total in report.totals if total.held_records]:
        names = ", ".join(f"{_name(t)} ({many(t.held_records, 'record')})" for t in explained)
        yield f"Control totals without what is held back: {names}."
    repaired = [total for total in report.differing if total not in unexplained]
    if repaired:
        yield (
            f"Control totals: before the repair {len(repaired)} of {of} differed: "
            f"{_names(repaired)}. Reconcile once more, after the sync, to see that they agree."
        )


def _names(totals: Sequence[ControlTotal]) -> str:
    return ", ".join(map(_name, totals))


def _name(total: ControlTotal) -> str:
    return f"{total.subject}.{total.field} {total.currency}".strip()


def amounts(report: Report) -> Iterator[str]:
    """The control totals for a person's terminal. They are the company's figures: never log them.

    The source is QuickBooks beside the mirror, and the mirror beside the CRM.
    """
    head = ("total of", "currency", "source", "held back", "waiting", "target", "difference")
    lines = [
        (
            f"{t.subject}.{t.field}",
            t.currency,
            *t.figures,
        )
        for t in report.totals
    ]
    widths = [max(len(line[place]) for line in (head, *lines)) for place in range(len(head))]
    for line in (head, *lines) if lines else ():
        left, right = line[:2], line[2:]
        cells = [text.ljust(width) for text, width in zip(left, widths[:2], strict=True)]
        cells += [text.rjust(width) for text, width in zip(right, widths[2:], strict=True)]
        yield "  ".join(cells).rstrip()


def _figures(amounts: Sequence[Decimal]) -> list[str]:
    """Amounts without the zeros that only a column's type adds; two places stay, as for money."""
    texts = [f"{amount:f}".partition(".")[2] for amount in amounts]
    places = max(2, *(len(after.rstrip("0")) for after in texts))
    return [f"{amount:,.{places}f}" for amount in amounts]


def as_json(report: Report) -> dict[str, Any]:
    """The report as values that `json.dumps` takes; amounts as text, so that none is rounded."""
    totals = [
        {name: str(value) for name, value in asdict(total).items()}
        | {"difference": str(total.difference)}
        for total in report.totals
    ]
    return {
        "in_step": report.in_step,
        "compared": [asdict(one) for one in report.compared],
        "drift": [asdict(one) for one in report.drift],
        "totals": totals,
    }
