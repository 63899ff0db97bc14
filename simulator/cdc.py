"""Change data capture: what changed since, in one answer that never says when it is cut off."""

from simulator.clock import DAY, envelope_time, pacific, parse_time
from simulator.company import Company
from simulator.entities import Entity, entity
from simulator.errors import invalid_query
from simulator.rows import encode, id_order
from simulator.selection import rows_group

MOST_OBJECTS = 1000
WINDOW = 30 * DAY


def answer(company: Company, entities: str, changed_since: str) -> bytes:
    """The JSON body: a group per entity, `{}` where nothing changed; raises `Refused`.

    The order of the groups is not promised by QuickBooks, so they come in reverse.
    """
    asked = [_allowed(name.strip()) for name in entities.split(",") if name.strip()]
    if not asked:
        raise invalid_query("entities is required")
    since = max(_time(changed_since), company.clock.now() - WINDOW)
    groups, left = [], MOST_OBJECTS
    with company.lock:
        for about in asked:
            changed = _changed(company, about, since)[:left]
            left -= len(changed)
            groups.append(b"{%s}" % rows_group(about, changed, 1) if changed else b"{}")
        time = envelope_time(company.clock.now())
    return b'{"CDCResponse":[{"QueryResponse":[%s]}],"time":"%s"}' % (
        b",".join(reversed(groups)),
        time.encode(),
    )


def _allowed(name: str) -> Entity:
    about = entity(name)
    if about is None:
        raise invalid_query(f"invalid context declaration: {name}")
    if not about.in_cdc:
        raise invalid_query(f"entity {about.name} is not supported by change data capture")
    return about


def _time(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError:
        raise invalid_query(f"invalid value '{text}' for changedSince") from None


def _changed(company: Company, about: Entity, since: float) -> list[bytes]:
    """Rows of an entity, oldest change first; then what was deleted, as stubs."""
    table = company.table(about.name)
    recent = table.rows.values() if table.latest >= since else ()
    rows = [row for row in recent if row.updated >= since]
    rows.sort(key=lambda row: (row.updated, id_order(row.id)))
    deleted = sorted(
        (when, id_order(id), id) for id, when in table.deleted.items() if when >= since
    )
    return [row.raw for row in rows] + [_stub(id, when) for when, _, id in deleted]


def _stub(id: str, when: int) -> bytes:
    times = {"LastUpdatedTime": pacific(when)}
    return encode({"domain": "QBO", "status": "Deleted", "Id": id, "MetaData": times})
