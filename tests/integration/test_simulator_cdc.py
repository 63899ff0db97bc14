"""What nobody knows of change data capture, each way it may be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import Company, Simulator
from simulator.cdc import CHOICES
from tests.integration.simulator_caller import Caller

ASKED = "Customer,Item,Invoice,Vendor,Term"


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def changed(count: int, days: float) -> list[dict[str, Any]]:
    times = {"CreateTime": in_days(days), "LastUpdatedTime": in_days(days)}
    return [{"Id": str(id), "MetaData": times} for id in range(count)]


@pytest.mark.parametrize(("cap", "items"), [("shared", 300), ("each", 700)])
def test_the_1000_are_counted_over_all_entities_or_for_each(cap: str, items: int) -> None:
    company = Company()
    company.load("Customer", changed(1100 if cap == "each" else 700, days=-1))
    company.load("Item", changed(700, days=-1))
    with Simulator(company, cdc_cap=cap) as quickbooks:
        groups = Caller(quickbooks).changes("Customer,Item", in_days(-2))

    assert len(groups["Item"]) == items
    assert len(groups["Customer"]) == (1000 if cap == "each" else 700)


@pytest.mark.parametrize("order", CHOICES["cdc_order"])
def test_groups_come_in_any_order(order: str) -> None:
    company = Company()
    for entity in ASKED.split(","):
        company.load(entity, changed(1, days=-1))
    with Simulator(company, cdc_order=order) as quickbooks:
        found = [list(Caller(quickbooks).changes(ASKED, in_days(-2))) for _ in range(5)]

    asked = ASKED.split(",")
    if order == "shuffled":
        assert len({tuple(each) for each in found}) > 1
    else:
        assert found == [asked[::-1] if order == "reversed" else asked] * 5
    assert {frozenset(each) for each in found} == {frozenset(asked)}


@pytest.mark.parametrize(
    ("stubs", "fields"),
    [("times", {"domain", "status", "Id", "MetaData"}), ("bare", {"domain", "status", "Id"})],
)
def test_a_deleted_row_is_told_with_its_time_or_without(stubs: str, fields: set[str]) -> None:
    with Simulator(customers=1, items=0, invoices=1, cdc_stubs=stubs) as quickbooks:
        quickbooks.delete("Invoice", "1")
        [stub] = Caller(quickbooks).changes("Invoice", in_days(-1))["Invoice"]

    assert set(stub) == fields
    assert stub["status"] == "Deleted"


@pytest.mark.parametrize(("old", "status", "rows"), [("cut", 200, 1), ("served", 200, 2)])
def test_what_is_older_than_30_days_is_left_out_or_told(old: str, status: int, rows: int) -> None:
    company = Company()
    company.load("Item", changed(2, days=-40)[1:] + changed(1, days=-20))
    with Simulator(company, cdc_old=old) as quickbooks:
        groups = Caller(quickbooks).changes("Item", in_days(-50))

    assert len(groups["Item"]) == rows


def test_asking_for_more_than_30_days_may_be_refused() -> None:
    with Simulator(Company(), cdc_old="refused") as quickbooks:
        app = Caller(quickbooks)

        refused = app.get("cdc", entities="Item", changedSince=in_days(-31))
        allowed = app.get("cdc", entities="Item", changedSince=in_days(-29))

    assert (refused.status_code, allowed.status_code) == (400, 200)


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be 'odd'"):
        Simulator(Company(), **{name: "odd"})
