"""Judges what a load is about to commit: too many deletes, changes or refusals at once look like an
accident."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from quickbooks_crm.breakers import Danger, Threshold, Thresholds, clear, pass_or_stop
from quickbooks_crm.errors import BreakerTripped
from quickbooks_crm.sql import statements

CODES = ["too_many_rejects", "mass_delete", "mass_change", "mass_clear"]


@dataclass(frozen=True)
class Lenience:
    """What does not stop a load: the dangers that a person has `expected` when asking for it, and
    in a `rehearsal`, of which nothing stays, any: it tells them."""

    expected: frozenset[str] = frozenset()
    rehearsal: bool = False


STRICT = Lenience()

TO_A_MAPPING = frozenset({"mass_change"})
"""What a person expects who asks for all records of a module to be brought to its mapping."""


def judge(
    connection: Connection[Any],
    thresholds: Thresholds,
    where: dict[str, Any],
    lenience: Lenience = STRICT,
) -> dict[str, str]:
    """Stop a load that looks like an accident with `BreakerTripped`, unless a person has released
    it; what it should warn of, by key.

    Works on the temporary table `incoming` of the load's transaction, once all of its rows have
    ended; `where` are the load's parameters.
    """
    warnings = {}
    for danger in _dangers(connection, thresholds, where, lenience.expected):
        key = f"{danger.subject}.{danger.code}"
        if danger.code == "mass_change" and not _is(connection, "mapping_changed", where):
            warnings[key] = _warning(danger)
        elif lenience.rehearsal:
            warnings |= _told(connection, where, danger)
        else:
            pass_or_stop(connection, where["realm"], where["run_id"], danger)
    clear(connection, where["realm"], where["run_id"], CODES, where["module"])
    return warnings


def _told(connection: Connection[Any], where: dict[str, Any], danger: Danger) -> dict[str, str]:
    """That a danger would stop a run, where no person has released it."""
    try:
        pass_or_stop(connection, where["realm"], where["run_id"], danger)
    except BreakerTripped:
        said = f"{danger.message} A run stops here until a person releases {danger.name}."
        return {f"{danger.subject}.{danger.code}": said}
    return {}


def _dangers(
    connection: Connection[Any],
    thresholds: Thresholds,
    where: dict[str, Any],
    expected: frozenset[str],
) -> Iterator[Danger]:
    hits = _row(connection, "hits", where)
    lost, changed = hits["deleted"] + hits["deactivated"], hits["changed"]
    if thresholds.too_many_rejects.passed(hits["refused"], hits["read"]):
        limit = thresholds.too_many_rejects.words(hits["refused"], hits["read"])
        yield _too_many_rejects(connection, hits, where, limit)
    if thresholds.mass_clear.passed(changed, 0):
        yield from _mass_clear(connection, thresholds.mass_clear, where)
    judged = changed if "mass_change" not in expected else 0
    if not (thresholds.mass_delete.passed(lost, 0) or thresholds.mass_change.passed(judged, 0)):
        return  # most loads need not count all links, which takes longer than they do
    links = _row(connection, "links", where)
    if thresholds.mass_delete.passed(lost, links["live"]):
        limit = thresholds.mass_delete.words(lost, links["live"])
        covered = _is(connection, "covered", where | {"count": lost})
        yield from () if covered else [_mass_delete(connection, hits | links, where, limit)]
    if thresholds.mass_change.passed(judged, links["linked"]):
        limit = thresholds.mass_change.words(judged, links["linked"])
        yield _mass_change(connection, hits | links, where, limit)


def _too_many_rejects(
    connection: Connection[Any], hits: dict[str, int], where: dict[str, Any], limit: str
) -> Danger:
    details = _row(connection, "refused_details", where)["details"]
    reasons = ", ".join(
        f"{count:,} {reason.replace('_', ' ')}" for reason, count in details["reasons"].items()
    )
    message = (
        f"{hits['refused']:,} of the {hits['read']:,} records of {where['module']} that this load "
        f"reads would not be added ({reasons}): {limit}."
    )
    return Danger(
        "too_many_rejects", where["module"], hits["refused"], hits["read"], message, details
    )


def _mass_delete(
    connection: Connection[Any], hits: dict[str, int], where: dict[str, Any], limit: str
) -> Danger:
    count = hits["deleted"] + hits["deactivated"]
    ends = {"deleted": hits["deleted"], "inactive": hits["deactivated"]}
    told = [f"{how} ({each:,})" if each < count else how for how, each in ends.items() if each]
    message = (
        f"{count:,} of the {hits['live']:,} records that {where['module']} keeps in the CRM would "
        f"become {' or '.join(told)}: {limit}."
    )
    details = _row(connection, "gone_details", where)["details"]
    return Danger("mass_delete", where["module"], count, hits["live"], message, details)


def _mass_change(
    connection: Connection[Any], hits: dict[str, int], where: dict[str, Any], limit: str
) -> Danger:
    message = (
        f"{hits['changed']:,} of the {hits['linked']:,} records that {where['module']} keeps in "
        "the CRM would be changed, and its mapping is not the one that it loaded last: "
        f"{limit}."
    )
    details = _row(connection, "changed_details", where)["details"]
    return Danger("mass_change", where["module"], hits["changed"], hits["linked"], message, details)


def _mass_clear(
    connection: Connection[Any], threshold: Threshold, where: dict[str, Any]
) -> Iterator[Danger]:
    """The danger that a field loses its value in nearly all of the records that a load changes, as
    it does when QuickBooks sends the field no more."""
    cleared = _row(connection, "cleared", where)["fields"] or {}
    lost = {name: n for name, (n, of) in cleared.items() if threshold.passed(n, of)}
    if not lost:
        return
    name, count = max(lost.items(), key=lambda field: field[1])
    of = cleared[name][1]
    message = (
        f"{', '.join(sorted(lost))} would be cleared in {count:,} of the {of:,} records of "
        f"{where['module']} that this load changes and that have a value there: "
        f"{threshold.words(count, of)}."
    )
    details = _row(connection, "changed_details", where)["details"]
    yield Danger("mass_clear", where["module"], count, of, message, details)


def _warning(danger: Danger) -> str:
    columns = ", ".join(sorted(danger.details["columns"] or {}))
    return (
        f"{danger.count:,} of the {danger.of:,} records that {danger.subject} keeps in the CRM "
        f"were changed at once ({columns}). If nobody has changed so many in QuickBooks, look at "
        "them."
    )


def _is(connection: Connection[Any], statement: str, where: dict[str, Any]) -> bool:
    return bool(_row(connection, statement, where)["so"])


def _row(connection: Connection[Any], statement: str, where: dict[str, Any]) -> dict[str, Any]:
    """The one row of a statement that always gives one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statements("judge")[statement], where).fetchone() or {}
