"""Change data capture: what changed since, in one answer that never says when it is cut off."""

from random import Random

from simulator.clock import DAY, envelope_time, pacific, parse_time
from simulator.company import Company
from simulator.entities import Entity, entity
from simulator.errors import invalid_query
from simulator.rows import encode, id_order
from simulator.selection import rows_group
from simulator.settings import Settings

WINDOW = 30 * DAY
CHOICES = {
    "cdc_cap": ("shared", "each"),
    "cdc_order": ("reversed", "asked", "shuffled"),
    "cdc_stubs": ("times", "bare"),
    "cdc_old": ("cut", "served", "refused"),
}
"""What nobody knows for certain, and how it may be: see docs/simulator.md."""


class Cdc:
    """The call as the settings have it; raises ValueError for a word that is none of `CHOICES`."""

    def __init__(self, settings: Settings) -> None:
        for name, choices in CHOICES.items():
            chosen = getattr(settings, name)
            if chosen not in choices:
                raise ValueError(f"{name} cannot be {chosen!r}. It is one of: {', '.join(choices)}")
        self._settings = settings
        self._random = Random(f"{settings.seed} cdc")

    def answer(self, company: Company, entities: str, changed_since: str) -> bytes:
        """The JSON body: a group per entity, `{}` where nothing changed; raises `Refused`."""
        asked = [_allowed(name.strip()) for name in entities.split(",") if name.strip()]
        if not asked:
            raise invalid_query("entities is required")
        since = self._since(_time(changed_since), company.clock.now())
        groups, left = [], self._settings.cdc_most
        with company.lock:
            for about in asked:
                changed = self._changed(company, about, since)[:left]
                left -= len(changed) if self._settings.cdc_cap == "shared" else 0
                groups.append(b"{%s}" % rows_group(about, changed, 1) if changed else b"{}")
            time = envelope_time(company.clock.now())
        return b'{"CDCResponse":[{"QueryResponse":[%s]}],"time":"%s"}' % (
            b",".join(self._ordered(groups)),
            time.encode(),
        )

    def _since(self, since: float, now: float) -> float:
        if since >= now - WINDOW or self._settings.cdc_old == "served":
            return since
        if self._settings.cdc_old == "refused":
            raise invalid_query("changedSince is more than 30 days ago")
        return now - WINDOW

    def _changed(self, company: Company, about: Entity, since: float) -> list[bytes]:
        """Rows of an entity, oldest change first; then what was deleted, as stubs."""
        table = company.table(about.name)
        recent = table.rows.values() if table.latest >= since else ()
        rows = [row for row in recent if row.updated >= since]
        rows.sort(key=lambda row: (row.updated, id_order(row.id)))
        deleted = sorted(
            (when, id_order(id), id) for id, when in table.deleted.items() if when >= since
        )
        return [row.raw for row in rows] + [self._stub(id, when) for when, _, id in deleted]

    def _stub(self, id: str, when: int) -> bytes:
        stub = {"domain": "QBO", "status": "Deleted", "Id": id}
        if self._settings.cdc_stubs == "bare":
            return encode(stub)
        return encode({**stub, "MetaData": {"LastUpdatedTime": pacific(when)}})

    def _ordered(self, groups: list[bytes]) -> list[bytes]:
        """QuickBooks promises no order."""
        if self._settings.cdc_order == "shuffled":
            return self._random.sample(groups, len(groups))
        return groups[::-1] if self._settings.cdc_order == "reversed" else groups


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
