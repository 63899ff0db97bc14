"""What the model's CRM holds and its sync remembers, and how both are taken back."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.model_values import (
    MODULES,
    REFERS,
    Cause,
    Conflict,
    Customer,
    End,
    Invoice,
    Key,
    Link,
    Place,
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
    parked: dict[Place, str] = field(default_factory=dict)
    refused: set[Place] = field(default_factory=set)  # what a refused version waits for
    forgotten: set[Who] = field(default_factory=set)  # whose version waits for nobody knows what
    arrived: set[Who] = field(default_factory=set)  # for whom what they wait for has come
    causes: dict[Who, Cause] = field(default_factory=dict)
    mirror: dict[str, Customer] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    changed: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in MODULES})
    loaded_with: dict[str, Settings] = field(default_factory=dict)
    ends: dict[Who, End] = field(default_factory=dict)
    children: str = "child_account"  # what the company says of sub-customers
    typed_ids: bool = False
    rolls_up: bool = False
    users: dict[Key, User] = field(default_factory=dict)
    default_owner: str | None = None
    tags: set[str] = field(default_factory=set)
    aliases: Mapping[str, str] = field(default_factory=dict)
    conflicts: dict[Who, Conflict] = field(default_factory=dict)
    by_hand: dict[Who, Link] = field(default_factory=dict)
    """What was linked before the last run loaded anything, or in one that does not take accounts,
    since a person gave it the id that a reference was to: an undo goes through what the run took,
    and takes none of it back."""
    merges: dict[str, str] = field(default_factory=dict)  # the latest told comes last
    meanings: dict[str, str | None] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)  # customers who are another account than before
    before: "Memory | None" = None
    after: "Memory | None" = None

    # What people do

    def remove(self, module: str, key: Key) -> None:
        """A person deletes a record; whatever pointed to it points nowhere."""
        del self.records[module][key]
        if module == "accounts":
            documents = self.records["documents"].values()
            lines = [line for document in documents for line in document["@lines"]]
            own = [
                (record, REFERS[name]) for name in REFERS for record in self.records[name].values()
            ]
            for record, column in own + [(one, "account_id") for one in [*documents, *lines]]:
                if record[column] == key:
                    record[column] = None

    def change_line(self, key: Key, position: int, text: str | None) -> None:
        """A person changes the text of a document's line, or deletes it."""
        record = self.records["documents"][key]
        lines = [line for line in record["@lines"] if line["position"] != position or text]
        record["@lines"] = [
            line | {"text": text} if line["position"] == position else line for line in lines
        ]

    # What QuickBooks says

    def merge(self, loser: str, survivor: str) -> None:
        """One customer was merged into another."""
        self.merges.pop(loser, None)
        self.merges[loser] = survivor

    def arrive(self, customer: Customer) -> None:
        """A customer comes into the mirror."""
        self.mirror[customer.id] = customer
        for module in REFERS:
            self.changed[module].add(customer.id)

    def bill(self, invoice: Invoice) -> None:
        """An invoice comes into the mirror."""
        self.invoices[invoice.id] = invoice
        self.changed["documents"].add(invoice.id)

    # What becomes of what a run did

    def undo(self) -> None:
        """Take back what the run just now did: everything is as it was, and what it changed waits
        until it, or the mapping, changes."""
        assert self.before
        after = deepcopy(self)
        by_hand = {
            who: deepcopy(link)
            for who, link in self.by_hand.items()
            if who in self.links and self.links[who].key == link.key
        }
        removed = {
            (module, key)
            for module, records in self.records.items()
            for key in records.keys() - self.before.records[module].keys()
        }
        for what in ("records", "links", "parked", "refused", "conflicts", "tags"):
            setattr(self, what, deepcopy(getattr(self.before, what)))
        self.links = {**by_hand, **self.links}
        self.moved |= {
            id
            for (module, id), link in after.links.items()
            if module == "accounts"
            and link.key in self.records[module]
            and ((module, id) not in self.links or self.links[module, id].key != link.key)
        }
        linked = self.links.keys() | after.links.keys()
        self.parked = {place: id for place, id in self.parked.items() if place[:2] in linked} | {
            place: id for place, id in after.parked.items() if place[:2] not in linked
        }
        self.refused = {place for place in self.refused if place[:2] in linked} | {
            place for place in after.refused if place[:2] not in linked
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
        self.forgotten |= {
            place[:2]
            for place in after.refused
            if place[:2] in linked
            and place[:2] in self.ends
            and self.ends[place[:2]].reason == "refused_by_table"
        }
        self.after = after

    def redo(self) -> None:
        """Undo the undo."""
        assert self.after
        for what in ("records", "links", "parked", "refused", "conflicts", "tags", "held"):
            setattr(self, what, deepcopy(getattr(self.after, what)))
        self.causes |= {who: at for who, at in self.after.causes.items() if who in self.held}
        self.forgotten = set(self.after.forgotten)

    # Who is meant

    def _follow_merges(self, tried_again: set[Who]) -> None:
        """Records that refer to a customer who means another one now, or is another account, come
        again, and those of which the CRM does not know yet that they were merged away."""
        meanings = {id: self._survivor(id) for id in [*self.merges, *self.mirror] if self._next(id)}
        changed = {id for id, meant in meanings.items() if self.meanings.get(id, "") != meant}
        changed |= {id for id, meant in self.meanings.items() if meant and id not in meanings}
        self.meanings = meanings
        settled = {
            id
            for id in self.moved
            if self._target(id) is not None or ("accounts", id) in tried_again
        }
        self.moved -= settled
        changed |= settled | {id for id, meant in meanings.items() if meant in settled}
        again = {c.id for c in self.mirror.values() if self._refers_to(c, changed)}
        for (module, id), link in self.links.items():
            known = link.state == "merged"
            news = known != self._is_merged_away(id) and link.state in ("merged", "inactive")
            held = (module, id) in self.held and self.held[module, id].reason != "key_known"
            if module in REFERS and id in self.merges and news and not held:
                again.add(id)
        for module in REFERS:
            self.changed[module] |= {
                id for id in again & self.mirror.keys() if not self._is_undone(module, id)
            }
        for invoice in self.invoices.values():
            refers = {invoice.of, *[line.of for line in invoice.lines]} & changed
            if refers and not self._is_undone("documents", invoice.id):
                self.changed["documents"].add(invoice.id)

    def _refers_to(self, customer: Customer, changed: set[str]) -> bool:
        """As an account to its parent, or as a contact to its own account; not as what was undone,
        or is to be loaded anyway."""
        named = {"accounts": customer.said["ParentRef"], "contacts": customer.id}
        return any(
            id in changed
            and customer.id not in self.changed[module]
            and not self._is_undone(module, customer.id)
            for module, id in named.items()
        )

    def _is_undone(self, module: str, id: str) -> bool:
        end = self.held.get((module, id))
        return end is not None and end.reason == "undone"

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
        while following := self._next(passed[-1]):
            passed.append(following)
            if passed[-1] in passed[:-1]:
                return None
        return passed[-1]

    def _next(self, id: str) -> str | None:
        """Whom a reference to a customer means instead: the survivor, or the parent."""
        if self._is_merged_away(id):
            return self.merges[id]
        own = self.mirror.get(id)
        return own.said["ParentRef"] if own and self.rolls_up else None

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

    def _link_known(self, module: str, says: Settings, rows: list[Row]) -> None:
        for row, key in self._known(module, says, rows):
            self.links[module, row.customer.id] = Link(key, {}, row.state)

    def _known(self, module: str, says: Settings, rows: list[Row]) -> list[tuple[Row, Key]]:
        """Who is left alone is the record that a person gave the id, if that is nobody else."""
        known: dict[Key, list[Row]] = {}
        for row in rows:
            if row.end and row.end.reason == "key_known" and says.typed_ids:
                assert row.end.collides is not None
                record = self.records[module][row.end.collides]
                if normal(record["quickbooks_id"]) == normal(row.customer.id):
                    known.setdefault(row.end.collides, []).append(row)
        return [
            (found[0], key)
            for key, found in known.items()
            if len(found) == 1 and not self._is_another(module, key)
        ]

    def _forget_what_is_gone(self, who: Who) -> None:
        """A record that a person deleted is nobody's any more, for those that refer to it."""
        if who in self.links and self.links[who].key not in self.records["accounts"]:
            del self.links[who]
            self.moved.add(who[1])
        end = self.held.get(who)
        if end and end.collides and end.collides not in self.records["accounts"]:
            self.held[who] = replace(end, collides=None)
            self.moved.add(who[1])

    # What is kept of a load

    def _note_moving(self, row: Row) -> None:
        """Whether the customer is another account than the one that references mean."""
        assert row.end
        brought_in = row.end.outcome in ("added", "updated", "unchanged")
        now = row.found if brought_in else row.end.collides
        if self._target(row.customer.id) not in (None, now):
            self.moved.add(row.customer.id)

    def _remember(self, module: str, says: Settings, row: Row, linked: bool) -> None:
        assert row.end
        who = (module, row.customer.id)
        if module == "accounts" and module in self.loaded_with and not linked:
            self._note_moving(row)
        self.ends[who] = row.end
        self.held.pop(who, None)
        if row.end.outcome in ("duplicate", "not_added", "excluded"):
            self.held[who] = row.end
        else:
            self._remember_link(module, says, row, who)
        waits_for = {REFERS[module]: row.waits_for} if row.waits_for else {}
        if not (linked and row.only_flags):
            self._park(who, waits_for, row.end, linked)
        elif row.end.reason is None:  # what a refused version waits for is of no use any more
            for place in [place for place in self.refused if place[:2] == who]:
                del self.parked[place]
                self.refused.discard(place)

    def _park(self, who: Who, waits_for: Mapping[str, str], end: End, linked: bool) -> None:
        """Whoever was not brought up to date goes on waiting for what they waited for."""
        if not linked or end.reason in (None, "refused_by_table"):
            for place in [place for place in self.parked if place[:2] == who]:
                del self.parked[place]
                self.refused.discard(place)
        if end.reason in (None, "refused_by_table"):
            self.parked |= {(*who, name): meant for name, meant in waits_for.items()}
        if end.reason == "refused_by_table":
            self.refused |= {(*who, name) for name in waits_for}

    def _remember_link(self, module: str, says: Settings, row: Row, who: Who) -> None:
        assert row.end and row.found is not None
        known = self.links.get(who)
        same = known and known.said == row.said and not row.was_closed
        if row.end.outcome != "unchanged" or not same:
            record = self.records[module][row.found]
            wrote = {column: record[column] for column in filled(module, says) - row.kept}
            own = row.own & (wrote.keys() | row.base.keys())
            self.links[who] = Link(row.found, wrote, row.state, row.said, own)
        self.links[who].wrote |= row.base

    def _remember_conflicts(self, module: str, rows: list[Row]) -> None:
        """A conflict is over when the row has none any more."""
        for row in rows:
            who = (module, row.customer.id)
            if row.end and row.end.outcome in ("added", "updated", "unchanged"):
                self.conflicts.pop(who, None)
                if row.conflict:
                    self.conflicts[who] = row.conflict

    def _end_conflicts(self, module: str, says: Settings) -> None:
        """A conflict is over when a person has written what QuickBooks says, which no sync did."""
        for who in [who for who in self.conflicts if who[0] == module]:
            link, conflict = self.links[who], self.conflicts[who]
            record = self.records[module].get(link.key)
            if not says.notes_are_theirs:
                del self.conflicts[who]
            elif not record or record["note"] == conflict.quickbooks:
                del self.conflicts[who]
                link.wrote["note"] = conflict.quickbooks
                link.own.discard("note")

    def _remember_cause(self, module: str, says: Settings, row: Row) -> None:
        """What is in the way of a row that is held back: when that changes, the row comes again."""
        who = (module, row.customer.id)
        self.causes.pop(who, None)
        if row.end and row.end.outcome in ("duplicate", "not_added"):
            keys = row.in_the_way or tuple(k for k in (row.end.collides,) if k is not None)
            self.causes[who] = (keys, self._seen(who, says, keys))

    def _seen(self, who: Who, says: Settings, keys: tuple[Key, ...]) -> Any:
        """What is compared of records, and whose they are; of what is not added also what tags are
        listed, and, where an owner is sought, who there is."""
        module = who[0]
        not_added = self.held[who].outcome == "not_added"
        columns = {"company", *says.check, says.key} | (
            {"quickbooks_id"} if says.typed_ids else set()
        )
        in_the_way = [
            (
                [self.records[module][key][column] for column in sorted(filter(None, columns))],
                [self._held_form(module, key, c) for c in says.check if c == REFERS[module]],
                sorted(
                    (who, link.state)
                    for who, link in self.links.items()
                    if link.key == key and who[0] == module
                ),
            )
            for key in sorted(keys)
            if key in self.records[module]
        ]
        active = {key for key, user in self.users.items() if user.active}
        owners = active if not_added and module == "accounts" else set()
        return in_the_way, owners, frozenset(self.tags) if not_added else set()

    def _held_form(self, module: str, key: Key, column: str) -> str | None:
        """What is compared of a record; of a reference that is open, for whom it waits."""
        own = normal(self.records[module][key][column])
        if own is not None or column != REFERS[module]:
            return own
        waiting = [
            f" {self.parked[module, id, column]}"
            for (name, id), link in self.links.items()
            if name == module and link.key == key and (module, id, column) in self.parked
            if (module, id, column) not in self.refused
        ]
        return min(waiting, default=None)

    def _close_references(self, module: str) -> None:
        """What waited for a record that is there now, in whatever run it was loaded: whoever refers
        to the module's records, and its own ones."""
        for place, meant in list(self.parked.items()):
            who, target = place[:2], self._target(meant)
            if module not in ("accounts", place[0]):
                continue
            if target is None or not self._can_be_closed(place):
                continue
            news = self._close(place, target)
            told = self.ends.get(who)
            if news and told and told.outcome == "unchanged":
                self.ends[who] = replace(told, outcome="updated")
            del self.parked[place]

    def _can_be_closed(self, place: Place) -> bool:
        """A version that the table refused is read again, whole, instead."""
        link = self.links.get(place[:2])
        refused = place in self.refused or self._is_refused(place)
        return bool(link and link.key in self.records[place[0]] and not refused)

    def _is_refused(self, place: Place) -> bool:
        """Whether the table refused the newest version."""
        held = self.held.get(place[:2])
        return held is not None and held.reason == "refused_by_table"

    def _comes_again(self, place: Place, target: str, read: set[str], merges: bool) -> bool:
        """Whether what waits is of the newest version, and what it waits for is there. A version
        that the table refused comes with it, too, if that is read. What is held back otherwise only
        gets its reference."""
        is_there = self._target(target) is not None
        if place in self.refused:
            return self._is_refused(place) and (is_there or target in read)
        return merges and place[:2] not in self.held and is_there

    def _close(self, place: Place, target: Key) -> bool:
        """Close an open reference; whether the record did not hold it already."""
        module, id, column = place
        link = self.links[module, id]
        record = self.records[module][link.key]
        if module == "contacts" and record["owner_id"] is None:
            record["owner_id"] = self.records["accounts"][target]["owner_id"]
            if "owner_id" in link.wrote and link.wrote["owner_id"] is None:
                link.wrote["owner_id"] = record["owner_id"]
                link.own.add("owner_id")
        return self._close_column(link, record, column, target)

    def _close_column(self, link: Link, record: dict[str, Any], column: str, target: Key) -> bool:
        """What the record held already, no sync has put there."""
        news = bool(record[column] != target)
        if news:
            link.own.add(column)
        elif column not in link.still_own(record):
            link.own.discard(column)
        record[column] = link.wrote[column] = target
        return news
