"""What may happen to a company's records."""

from collections.abc import Callable
from functools import cache
from typing import Any

from simulator import Company, Simulator
from simulator.clock import pacific

FEW = 4  # a company never has fewer records of an entity: that it has none at all is another story

NAMES = {"Customer": "DisplayName", "Item": "Name", "Invoice": "DocNumber"}


def small_company() -> Company:
    """A few customers, items and invoices, changed last some days ago."""
    company = Company()
    for entity, rows in _rows().items():
        company.load(entity, rows)
    return company


@cache
def _rows() -> dict[str, list[dict[str, Any]]]:
    long_ago = pacific(Company().clock.now() - 400 * 86_400)
    times = {"MetaData": {"CreateTime": long_ago, "LastUpdatedTime": long_ago}}
    same = {"domain": "QBO", "sparse": False, "SyncToken": "0", **times}
    named = {"Active": True}
    return {
        "Customer": [
            {**same, **named, "Id": str(n), "DisplayName": f"Customer {n}"} for n in range(1, 15)
        ],
        "Item": [{**same, **named, "Id": str(n), "Name": f"Item {n}"} for n in range(1, 7)],
        "Invoice": [
            {**same, "Id": str(n), "DocNumber": f"{n}", "CustomerRef": {"value": str(1 + n % 9)}}
            for n in range(1, 20)
        ],
    }


def happen(quickbooks: Simulator, what: str, entity: str, number: int) -> None:
    """Let it happen, as far as it can: a company has no invoices that are inactive."""
    with quickbooks.company.lock:
        HAPPENINGS[what](quickbooks, entity, number)


def _pick(quickbooks: Simulator, entity: str, number: int) -> dict[str, Any]:
    rows = quickbooks.rows(entity)
    return rows[number % len(rows)]


def _edit(quickbooks: Simulator, entity: str, number: int) -> None:
    id = _pick(quickbooks, entity, number)["Id"]
    quickbooks.change(entity, id, PrivateNote=f"Note {number}")


def _rename(quickbooks: Simulator, entity: str, number: int) -> None:
    id = _pick(quickbooks, entity, number)["Id"]
    quickbooks.change(entity, id, **{NAMES[entity]: f"{'AZ'[number % 2]} renamed {number}"})


def _add(quickbooks: Simulator, entity: str, number: int) -> None:
    quickbooks.add(entity)


def _add_again(quickbooks: Simulator, entity: str, number: int) -> None:
    """Another of the same name, once the first is gone."""
    name = _pick(quickbooks, entity, number)[NAMES[entity]]
    _remove(quickbooks, entity, number)
    quickbooks.add(entity, **{NAMES[entity]: name})


def _remove(quickbooks: Simulator, entity: str, number: int) -> None:
    """As a person would: a name becomes inactive."""
    id = _pick(quickbooks, entity, number)["Id"]
    if entity == "Invoice":
        _delete(quickbooks, entity, number)
    else:
        quickbooks.inactivate(entity, id)


def _delete(quickbooks: Simulator, entity: str, number: int) -> None:
    if len(quickbooks.rows(entity)) > FEW:
        quickbooks.delete(entity, _pick(quickbooks, entity, number)["Id"])


def _delete_first(quickbooks: Simulator, entity: str, number: int) -> None:
    """All others move up."""
    for _ in range(1 + number % 3):
        _delete(quickbooks, entity, 0)


def _reactivate(quickbooks: Simulator, entity: str, number: int) -> None:
    inactive = [row for row in quickbooks.rows(entity) if not row.get("Active", True)]
    if inactive:
        quickbooks.reactivate(entity, inactive[number % len(inactive)]["Id"])


def _void(quickbooks: Simulator, entity: str, number: int) -> None:
    quickbooks.void("Invoice", _pick(quickbooks, "Invoice", number)["Id"])


def _merge(quickbooks: Simulator, entity: str, number: int) -> None:
    loser, survivor = (_pick(quickbooks, "Customer", n)["Id"] for n in (number, number + 1))
    quickbooks.merge("Customer", loser, survivor)


def _vanish(quickbooks: Simulator, entity: str, number: int) -> None:
    if len(quickbooks.rows(entity)) > FEW:
        quickbooks.vanish(entity, _pick(quickbooks, entity, number)["Id"])


def _come_and_go(quickbooks: Simulator, entity: str, number: int) -> None:
    quickbooks.delete("Invoice", quickbooks.add("Invoice"))


def _edit_all(quickbooks: Simulator, entity: str, number: int) -> None:
    """More than QuickBooks tells of at once."""
    for row in quickbooks.rows(entity)[number % 7 :]:
        quickbooks.change(entity, row["Id"], PrivateNote=f"All {number}")


HAPPENINGS: dict[str, Callable[[Simulator, str, int], None]] = {
    "edit": _edit,
    "rename": _rename,
    "add": _add,
    "add again": _add_again,
    "remove": _remove,
    "delete": _delete,
    "delete the first": _delete_first,
    "reactivate": _reactivate,
    "void": _void,
    "merge": _merge,
    "vanish": _vanish,
    "come and go": _come_and_go,
    "edit all": _edit_all,
}
