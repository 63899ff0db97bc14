"""What the model's CRM holds and its sync remembers, and how both are taken back."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.model_values import (
    REFERS,
    Cause,
    Conflict,
    Customer,
    End,
    Key,
    Link,
    Row,
    Settings,
    User,
    Who,
    filled,
    normal,
)


@dataclass
class Memory:
    """A CRM and what the sync remembers of it. Records are of the company `own`, of another one, or
    of none."""

    records: dict[str, dict[Key, dict[str, Any]]]
    links: dict[Who, Link] = field(default_factory=dict)
    held: dict[Who, End] = field(default_factory=dict)
    parked: dict[Who, str] = field(default_factory=dict)
    causes: dict[Who, Cause] = field(default_factory=dict)
    mirror: dict[str, Customer] = field(default_factory=dict)
    changed: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in REFERS})
    loaded_with: dict[str, Settings] = field(default_factory=dict)
    ends: dict[Who, End] = field(default_factory=dict)
    typed_ids: bool = False
    users: dict[Key, User] = field(default_factory=dict)
    default_owner: str | None = None
    tags: set[str] = field(default_factory=set)
    aliases: Mapping[str, str] = field(default_factory=dict)
    conflicts: dict[Who, Conflict] = field(default_factory=dict)
    merges: dict[str, str] = field(default_factory=dict)  # the latest told comes last
    meanings: dict[str, str | None] = field(default_factory=dict)
    before: "Memory | None" = None
    after: "Memory | None" = None

    # What people do

    def remove(self, module: str, key: Key) -> None:
        """A person deletes a record; whatever pointed to it points nowhere."""
        del self.records[module][key]
        for name, column in REFERS.items():
            for record in self.records[name].values():
                if module == "accounts" and record[column] == key:
                    record[column] = None

    # What QuickBooks says

    def merge(self, loser: str, survivor: str) -> None:
        """One customer was merged into another."""
        self.merges.pop(loser, None)
        self.merges[loser] = survivor

    def arrive(self, customer: Customer) -> None:
        """A customer comes into the mirror."""
        self.mirror[customer.id] = customer
        for ids in self.changed.values():
            ids.add(customer.id)

    # What becomes of what a run did

    def undo(self) -> None:
        """Take back what the run just now did: everything is as it was, and what it changed waits
        until it, or the mapping, changes."""
        assert self.before
        after = deepcopy(self)
        waited = set(self.before.parked.values())
        by_hand = {w: link for w, link in self.links.items() if not link.said and w[1] in waited}
        removed = {
            (module, key)
            for module, records in self.records.items()
            for key in records.keys() - self.before.records[module].keys()
        }
        for what in ("records", "links", "parked", "conflicts", "tags"):
            setattr(self, what, deepcopy(getattr(self.before, what)))
        self.links = {**by_hand, **self.links}
        linked = self.links.keys() | after.links.keys()
        self.parked = {who: id for who, id in self.parked.items() if who in linked} | {
            who: id for who, id in after.parked.items() if who not in linked
        }
        for who, end in self.ends.items():
            if end.outcome in ("added", "updated") or (
                end.outcome == "unchanged" and who not in self.links
            ):
                self.held[who] = End("not_added", "undone")
                self.causes.pop(who, None)
        for who, end in self.held.items():
            if (who[0], end.collides) in removed:
                self.held[who] = replace(end, collides=None)
        self.after = after

    def redo(self) -> None:
        """Undo the undo."""
        assert self.after
        for what in ("records", "links", "parked", "conflicts", "tags", "held"):
            setattr(self, what, deepcopy(getattr(self.after, what)))
        self.causes |= {who: at for who, at in self.after.causes.items() if who in self.held}

    # Who is meant

    def _follow_merges(self) -> None:
        """Records that refer to a customer who means another one now come again, and those of which
        the CRM does not know yet that they were merged away."""
        meanings = {id: self._survivor(id) for id in self.merges if self._is_merged_away(id)}
        changed = {id for id, meant in meanings.items() if self.meanings.get(id, "") != meant}
        changed |= {id for id, meant in self.meanings.items() if meant and id not in meanings}
        self.meanings = meanings
        again = {c.id for c in self.mirror.values() if {c.id, c.said["ParentRef"]} & changed}
        for (module, id), link in self.links.items():
            known = link.state == "merged"
            news = known != self._is_merged_away(id) and link.state in ("merged", "inactive")
            end = self.held.get((module, id))
            if id in self.merges and news and not (end and end.reason == "undone"):
                again.add(id)
        for ids in self.changed.values():
            ids |= again & self.mirror.keys()

    def _is_merged_away(self, id: str) -> bool:
        """Not if it is active again, or if something was merged into it later."""
        told = list(self.merges)
        own = self.mirror.get(id)
        return (
            id in told
            and id not in [self.merges[later] for later in told[told.index(id) + 1 :]]
            and not (own and own.state == "active")
        )

    def _survivor(self, id: str) -> str | None:
        passed = [id]
        while self._is_merged_away(passed[-1]):
            passed.append(self.merges[passed[-1]])
            if passed[-1] in passed[:-1]:
                return None
        return passed[-1]

    def _state(self, customer: Customer) -> str:
        merged = customer.state == "inactive" and self._is_merged_away(customer.id)
        return "merged" if merged else customer.state

    def _meant(self, module: str, customer: Customer) -> str | None:
        """Whose account the row refers to: the parent's, or that of the same customer, or of whom
        they were merged into."""
        id = customer.id if module == "contacts" else customer.said["ParentRef"]
        return self.meanings.get(id or "") or id

    def _target(self, id: str) -> Key | None:
        """The account that a reference to a customer means."""
        link, end = self.links.get(("accounts", id)), self.held.get(("accounts", id))
        if link:
            return link.key
        return end.collides if end and end.outcome == "duplicate" else None

    def _link(self, module: str, row: Row) -> Link | None:
        link = self.links.get((module, row.customer.id))
        return link if link and link.key in self.records[module] else None

    def _own(self, module: str) -> list[tuple[Key, dict[str, Any]]]:
        """The records that can be meant: those of the same company, and those of none."""
        records = sorted(self.records[module].items())
        return [(key, record) for key, record in records if record["company"] in ("own", None)]

    def _is_another(self, module: str, key: Key) -> bool:
        return any(name == module and link.key == key for (name, _), link in self.links.items())

    def _link_typed(self, meant: set[str]) -> None:
        """A reference means the one account that a person gave the id, if QuickBooks' own is not
        there."""
        for id in meant if self.typed_ids else ():
            hits = [
                key
                for key, record in self._own("accounts")
                if normal(record["quickbooks_id"]) == normal(id)
            ]
            found = len(hits) == 1 and not self._is_another("accounts", hits[0])
            if found and self._target(id) is None:
                self.links["accounts", id] = Link(hits[0], {}, "active")

    def _forget_what_is_gone(self, who: Who) -> None:
        """A record that a person deleted is nobody's any more, for those that refer to it."""
        if who in self.links and self.links[who].key not in self.records["accounts"]:
            del self.links[who]
        end = self.held.get(who)
        if end and end.collides not in self.records["accounts"]:
            self.held[who] = replace(end, collides=None)

    # What is kept of a load

    def _remember(self, module: str, says: Settings, row: Row, linked: bool) -> None:
        assert row.end
        who = (module, row.customer.id)
        self.ends[who] = row.end
        self.held.pop(who, None)
        if row.end.outcome in ("duplicate", "not_added", "excluded"):
            self.held[who] = row.end
        else:
            self._remember_link(module, says, row, who)
        if not linked or row.end.reason in (None, "refused_by_table"):
            self.parked.pop(who, None)
        if row.waits_for and row.end.reason in (None, "refused_by_table"):
            self.parked[who] = row.waits_for

    def _remember_link(self, module: str, says: Settings, row: Row, who: Who) -> None:
        assert row.end and row.found is not None
        known = self.links.get(who)
        if row.end.outcome != "unchanged" or not known or known.said != row.said:
            record = self.records[module][row.found]
            wrote = {column: record[column] for column in filled(module, says) - row.kept}
            self.links[who] = Link(row.found, wrote, row.state, row.said)
        self.links[who].wrote |= row.base

    def _remember_conflicts(self, module: str, says: Settings, rows: list[Row]) -> None:
        """A conflict is over when the row has none any more, and when both say the same."""
        for row in rows:
            who = (module, row.customer.id)
            if row.end and row.end.outcome in ("added", "updated", "unchanged"):
                self.conflicts.pop(who, None)
                if row.conflict:
                    self.conflicts[who] = row.conflict
        for who in [who for who in self.conflicts if who[0] == module]:
            link, conflict = self.links[who], self.conflicts[who]
            record = self.records[module].get(link.key)
            if not says.notes_are_theirs:
                del self.conflicts[who]
            elif not record or record["note"] == conflict.quickbooks:
                del self.conflicts[who]
                link.wrote["note"] = conflict.quickbooks

    def _remember_cause(self, module: str, says: Settings, row: Row) -> None:
        """What is in the way of a row that is held back: when that changes, the row comes again."""
        who = (module, row.customer.id)
        self.causes.pop(who, None)
        if row.end and row.end.outcome in ("duplicate", "not_added"):
            keys = row.in_the_way or tuple(k for k in (row.end.collides,) if k is not None)
            self.causes[who] = (keys, self._seen(who, says, keys))

    def _seen(self, who: Who, says: Settings, keys: tuple[Key, ...]) -> Any:
        """What is compared of records, and whose they are; of whom an owner is sought, who there
        is."""
        module = who[0]
        waits = module == "accounts" and self.held[who].outcome == "not_added"
        columns = {"company", *says.check, says.key} | (
            {"quickbooks_id"} if says.typed_ids else set()
        )
        return [
            (
                [self.records[module][key][column] for column in sorted(filter(None, columns))],
                sorted(
                    (who, link.state)
                    for who, link in self.links.items()
                    if link.key == key and who[0] == module
                ),
            )
            for key in sorted(keys)
            if key in self.records[module]
        ], {key for key, user in self.users.items() if user.active and waits}

    def _close_references(self, module: str) -> None:
        """What waited for a record that is there now, in whatever run it was loaded."""
        if module != "accounts":
            return
        for who, meant in list(self.parked.items()):
            link, target = self.links.get(who), self._target(meant)
            column = REFERS[who[0]]
            if link and target is not None and link.key in self.records[who[0]]:
                record = self.records[who[0]][link.key]
                before = record["owner_id"]
                if who[0] == "contacts" and before is None:
                    record["owner_id"] = self.records["accounts"][target]["owner_id"]
                if "owner_id" in link.wrote and link.wrote["owner_id"] == before:
                    link.wrote["owner_id"] = record["owner_id"]
                if who in self.ends and record[column] != target:
                    told = self.ends[who]
                    self.ends[who] = replace(
                        told, outcome="updated" if told.outcome == "unchanged" else told.outcome
                    )
                record[column] = link.wrote[column] = target
                del self.parked[who]
