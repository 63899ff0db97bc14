"""What people did outside any run, written down for good: who, when, to what, and how much."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from quickbooks_crm.sql import statements


@dataclass(frozen=True)
class Act:
    """One act. `subject` is what it was done to; `details` has ids, names and counts, never a
    value."""

    act: int
    kind: str
    company: str | None
    subject: str
    by_whom: str
    acted_at: datetime
    details: dict[str, Any]

    @property
    def words(self) -> str:
        """What it was done to, with what else took part in it."""
        told = self.details
        match self.kind:
            case "linked":
                return f"{self.subject} to CRM record {told['record_key']} of {told['module']}"
            case "unlinked":
                return f"{self.subject} from CRM record {told['record_key']} of {told['module']}"
            case "told_apart" | "said_same":
                other = told.get("other_key") or told["record_key"]
                return f"{self.subject} and CRM record {other} of {told['module']}"
            case "merge_told" | "merge_taken_back":
                return f"{self.subject} into {told['survivor']}"
        return self.subject


def note(
    connection: Connection[Any],
    kind: str,
    subject: str,
    by_whom: str,
    details: dict[str, Any],
    company: str | None = None,
) -> None:
    """Write an act down, in the transaction that does it."""
    values = {"kind": kind, "company": company, "subject": subject, "by_whom": by_whom}
    connection.execute(statements("acts")["note_act"], values | {"details": Jsonb(details)})


def listed(connection: Connection[Any], company: str | None, limit: int) -> list[Act]:
    """The newest acts, those of one company or all."""
    with connection.cursor(row_factory=class_row(Act)) as cursor:
        values = {"company": company, "limit": limit}
        return cursor.execute(statements("acts")["acts"], values).fetchall()
