"""What a test does to the simulator's company: void, merge, odd rows, times, another company."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from simulator import Simulator, Truth
from simulator.generate import generated
from simulator.settings import Settings
from tests.integration.simulator_caller import Caller

EPOCH = "2026-01-01T00:00:00Z"


@pytest.fixture
def quickbooks() -> Iterator[Simulator]:
    with Simulator(customers=20, items=5, invoices=15, throttle=False) as quickbooks:
        yield quickbooks


def changed(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"])


def test_a_voided_invoice_stays_with_amounts_of_0(quickbooks: Simulator) -> None:
    id = quickbooks.add("Invoice", TotalAmt=120)

    row = quickbooks.void("Invoice", id)

    assert (row["TotalAmt"], row["Balance"], row["PrivateNote"]) == (0, 0, "Voided")
    assert {line["Amount"] for line in row["Line"]} == {0}
    assert row["SyncToken"] == "1"
    assert quickbooks.company.row("Invoice", id) == row


def test_only_transactions_can_be_voided(quickbooks: Simulator) -> None:
    with pytest.raises(ValueError, match="Customer cannot be voided"):
        quickbooks.void("Customer", "1")


def test_a_merge_gives_the_survivor_all_the_loser_had(quickbooks: Simulator) -> None:
    below = quickbooks.add("Customer", DisplayName="Job", ParentRef={"value": "2"})
    invoice = quickbooks.add("Invoice", CustomerRef={"value": "2"}, TotalAmt=50)
    for id, owed in (("2", 40), ("3", 2)):
        quickbooks.change_silently("Customer", id, Balance=owed, BalanceWithJobs=owed + 1)

    kept = quickbooks.merge("Customer", "2", "3")

    name = kept["FullyQualifiedName"]
    assert (kept["Balance"], kept["BalanceWithJobs"]) == (42, 44)
    assert quickbooks.company.row("Invoice", invoice)["CustomerRef"] == {"value": "3", "name": name}
    job = quickbooks.company.row("Customer", below)
    assert (job["ParentRef"]["value"], job["FullyQualifiedName"]) == ("3", f"{name}:Job")


def test_the_loser_of_a_merge_is_inactive_and_nothing_refers_to_it(quickbooks: Simulator) -> None:
    quickbooks.merge("Customer", "2", "3")

    loser = quickbooks.company.row("Customer", "2")
    assert not loser["Active"] and loser["DisplayName"].endswith(" (deleted)")
    assert loser["Balance"] == 0
    assert "2" not in {row["CustomerRef"]["value"] for row in quickbooks.rows("Invoice")}


@pytest.mark.parametrize(
    ("entity", "loser", "survivor", "problem"),
    [
        ("Item", "1", "2", "Item cannot be merged"),
        ("Customer", "1", "1", "1 cannot be merged into 1"),
        ("Customer", "1", "{below 1}", "which is itself or below"),
    ],
)
def test_what_quickbooks_does_not_merge_is_refused(
    quickbooks: Simulator, entity: str, loser: str, survivor: str, problem: str
) -> None:
    if survivor == "{below 1}":
        survivor = quickbooks.add("Customer", DisplayName="Job", ParentRef={"value": "1"})

    with pytest.raises(ValueError, match=problem):
        quickbooks.merge(entity, loser, survivor)


def test_the_truth_tells_versions_inactive_and_deleted_ones(quickbooks: Simulator) -> None:
    quickbooks.change("Customer", "1", Notes="new")
    quickbooks.inactivate("Customer", "2")
    quickbooks.delete("Invoice", "3")

    customers, invoices = quickbooks.truth("Customer"), quickbooks.truth("Invoice")

    versions = {id: int(quickbooks.company.row("Customer", id)["SyncToken"]) for id in "12"}
    assert customers["1"] == Truth(versions["1"])
    assert customers["2"] == Truth(versions["2"], active=False)
    assert invoices["3"] == Truth(-1, active=False, deleted=True)
    live = {id for id, truth in invoices.items() if not truth.deleted}
    assert live == {row["Id"] for row in quickbooks.rows("Invoice")}


def test_a_silent_change_moves_neither_version_nor_times(quickbooks: Simulator) -> None:
    before = quickbooks.company.row("Customer", "1")

    after = quickbooks.change_silently("Customer", "1", Balance=12345)

    assert after == {**before, "Balance": 12345}
    assert Caller(quickbooks).rows("SELECT * FROM Customer WHERE Id = '1'")[0]["Balance"] == 12345


def test_a_vanished_row_is_told_by_nothing(quickbooks: Simulator) -> None:
    quickbooks.vanish("Invoice", "3")

    app = Caller(quickbooks)
    assert "3" not in app.ids("SELECT * FROM Invoice MAXRESULTS 1000")
    assert "3" not in [row["Id"] for row in app.changes("Invoice", EPOCH).get("Invoice", [])]
    assert "3" not in quickbooks.truth("Invoice")


def test_an_odd_row_is_served_as_it_is(quickbooks: Simulator) -> None:
    quickbooks.put("Customer", {"Id": "900", "DisplayName": "No times\x00"})
    quickbooks.put("Customer", {"Id": "901"}, served=b'{"Id":"901","Balance":1e999}')

    response = Caller(quickbooks).query("SELECT * FROM Customer WHERE Id IN ('900', '901')")

    assert rb'{"Id":"900","DisplayName":"No times\u0000"}' in response.content
    assert b'{"Id":"901","Balance":1e999}' in response.content


def test_time_goes_back_too(quickbooks: Simulator) -> None:
    first = changed(quickbooks.change("Item", "1", Name="A"))

    quickbooks.advance(-3600)

    assert changed(quickbooks.change("Item", "1", Name="B")) < first


def test_while_the_clock_stands_all_changes_carry_one_second(quickbooks: Simulator) -> None:
    quickbooks.stop_clock()
    tied = {changed(quickbooks.change("Item", id, Name=f"N{id}")) for id in "123"}
    quickbooks.advance(60)
    later = changed(quickbooks.change("Item", "1", Name="A"))
    quickbooks.start_clock()
    going = quickbooks.company.clock.now()

    assert len(tied) == 1
    assert (later - tied.pop()).total_seconds() == 60
    assert going >= later.timestamp()
    assert quickbooks.company.clock.now() > going


def test_a_late_change_carries_a_time_gone_by(quickbooks: Simulator) -> None:
    on_time = changed(quickbooks.change("Item", "1", Name="A"))

    quickbooks.change_late(300)

    late = changed(quickbooks.change("Item", "2", Name="B"))
    assert 295 < (on_time - late).total_seconds() <= 300


def test_the_company_can_be_renamed(quickbooks: Simulator) -> None:
    quickbooks.rename_company("Other Name Ltd.")

    info = Caller(quickbooks).get("companyinfo/1").json()["CompanyInfo"]
    assert (info["CompanyName"], info["LegalName"]) == ("Other Name Ltd.", "Other Name Ltd.")


def test_the_same_login_can_lead_to_another_company(quickbooks: Simulator) -> None:
    app = Caller(quickbooks)
    other = generated(Settings(customers=3, items=0, invoices=0, seed=7))
    other.change("CompanyInfo", "1", {"CompanyName": "Another"})

    quickbooks.switch_company(other)
    quickbooks.change("Customer", "1", Notes="of the other")

    assert app.get("companyinfo/1").json()["CompanyInfo"]["CompanyName"] == "Another"
    assert app.rows("SELECT * FROM Customer WHERE Id = '1'")[0]["Notes"] == "of the other"
