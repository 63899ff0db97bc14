"""A company that has been synced once, reconciled in one line, and brought out of step."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from quickbooks_crm import reconciling
from quickbooks_crm.activity import Run
from quickbooks_crm.reconcile.comparing import Wish
from quickbooks_crm.reconcile.report import Report
from tests.acceptance.kept_in_step import BY_HAND, FirstSyncs, Kept

COUNTS = Wish()
EVERYTHING = Wish(everything=True)
REPAIR = Wish(repair=True)
REPAIR_EVERYTHING = Wish(everything=True, repair=True)


@pytest.fixture
def kept(first_syncs: FirstSyncs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A company that has been synced once, its calls to come counted from zero."""
    with first_syncs.company(monkeypatch) as company:
        yield company


def reconcile(kept: Kept, wish: Wish = COUNTS) -> tuple[Report, Run]:
    run_id = kept.new_run_id()
    report = reconciling.reconcile("sample", run_id, BY_HAND, wish)
    return report, kept.run(run_id)


def drift(report: Report) -> dict[str, list[str]]:
    """What differs: `subject kind` -> ids."""
    return {f"{drift.subject} {drift.kind}": drift.ids for drift in report.drift}


def people(kept: Kept) -> list[str]:
    """Active customers that are nobody's parent, with an account and a contact."""
    there = kept.quickbooks.rows("Customer")
    parents = {c.get("ParentRef", {}).get("value") for c in there}
    return [
        c["Id"] for c in there if c["Active"] and c.get("FamilyName") and c["Id"] not in parents
    ]


def person(kept: Kept) -> str:
    return people(kept)[0]


def totals(report: Report, name: str) -> dict[str, Decimal]:
    """The differences of one total, by currency."""
    return {t.currency: t.difference for t in report.totals if f"{t.subject}.{t.field}" == name}


def mirror(kept: Kept, statement: str, id: str, entity: str = "Customer") -> None:
    """Do something to a record of the mirror that no sync does."""
    kept.ask(f"{statement} WHERE entity = %s AND id = %s", entity, id)


def lose(kept: Kept, id: str) -> None:
    """Delete a customer so long ago that QuickBooks no longer tells of it."""
    kept.quickbooks.company.tables["Customer"].rows.pop(id)
