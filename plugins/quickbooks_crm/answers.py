"""What a person answers to a preview: written down once, and required of a run that follows it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.runs import Run
from quickbooks_crm.sql import statements

GOOD_FOR = timedelta(hours=48)
"""How long after its end a preview may be followed: a day to answer it, and a day in which the run
that follows waits for its turn."""

_ANEW = "Nothing was changed. Preview it anew, and say Yes to that."


@dataclass(frozen=True)
class _Preview:
    """A preview as a run finds it that is to follow it."""

    shows: str
    state: str
    said: str | None
    by: str | None
    at: datetime | None
    old: bool | None

    @property
    def answer(self) -> str:
        """Who answered what, and when."""
        when = f" on {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.at else ""
        return f"was answered with {self.said}{when} by {self.by or 'nobody in time'}"


def write_down(connection: Connection[Any], preview: Run, said: str, by: str | None) -> None:
    """Write down what was answered to a preview. Raises `SettingsError` when something else was
    answered before, or there is no such preview."""
    with connection.transaction():
        values = asdict(preview) | {"said": said, "by": by}
        connection.execute(statements("answers")["write_down"], values)
        found = _find(connection, preview)
    if found.said != said:
        raise SettingsError(f"Preview {preview.run_id} {found.answer}, and that stays. {_ANEW}")


def follow(connection: Connection[Any], run: Run, kind: str, previewed: str) -> None:
    """Make this run the one that does what a preview has shown. Raises `SettingsError` unless the
    preview shows a run of this kind, was answered with Yes, and is neither old nor carried out."""
    with connection.transaction():
        found = _find(connection, replace(run, run_id=previewed))
        values = asdict(run) | {"previewed": previewed}
        other = connection.execute(statements("answers")["followed_by"], values).fetchone()
        for why in _in_the_way(found, kind, other[0] if other else None):
            raise SettingsError(f"Preview {previewed} {why} {_ANEW}")
        connection.execute(statements("answers")["follow"], values)


def _in_the_way(found: _Preview, kind: str, other: str | None) -> Iterator[str]:
    if found.shows != kind:
        yield f"is about a run of the kind {found.shows}, and this one is of the kind {kind}."
    if found.state != "success":
        yield "did not end well, so nobody has seen what would become of each record."
    if found.said is None:
        yield "was not answered yet: that is done where it is shown, or in Airflow."
    if found.said != "Yes":
        yield f"{found.answer}."
    if found.old:
        hours = GOOD_FOR // timedelta(hours=1)
        yield f"ended more than {hours} hours ago, and much may have changed since."
    if other:
        yield f"was carried out already, by run {other}."


def _find(connection: Connection[Any], preview: Run) -> _Preview:
    where = asdict(preview) | {"good_for": GOOD_FOR}
    with connection.cursor(row_factory=class_row(_Preview)) as cursor:
        found = cursor.execute(statements("answers")["answered"], where).fetchone()
    if found is None:
        raise SettingsError(
            f"Company {preview.company} has no preview {preview.run_id}. Nothing was changed. "
            "Start without one, or begin with a preview, and say Yes to that."
        )
    return found
