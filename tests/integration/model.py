"""What an import means, a second time: one row after the other, in plain Python.

This is the import semantics as a person reads them, without SQL and without a line of the product,
so that the product can be held against it. Slow, and made to be read. The CRM is two tables with
the same columns: accounts, which refer to their parents, and contacts, which refer to the account
of the same customer and belong to its owner. Both have tags, of one list of keywords.
"""

import re
import unicodedata
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

Key = int
Who = tuple[str, str]  # module and QuickBooks id
Cause = tuple[tuple[Key, ...], Any]  # the records in the way of one held back, and how they were
COLUMNS = ("quickbooks_id", "name", "code", "note", "tags", "owner_id", "active", "deleted")
REFERS = {"accounts": "parent_id", "contacts": "account_id"}  # both to accounts
SOURCES = {"accounts": ("DisplayName", "ParentRef"), "contacts": ("FamilyName", "Id")}
REFUSED = "Refused"  # a name that the tables do not take


@dataclass(frozen=True)
class Settings:
    """What the mapping of a module says."""

    mode: str
    key: str | None
    check: tuple[str, ...]
    typed_ids: bool = True
    blank_overwrites: bool = False
    exclude: bool = False
    notes_are_theirs: bool = False  # edits: crm
    new_tags: bool = False  # unknown_keywords: insert
    rejects: bool = False  # unknown_owner: reject


@dataclass(frozen=True)
class Customer:
    """What QuickBooks says of a customer."""

    id: str
    said: Mapping[str, str | None]
    active: bool = True
    deleted: bool = False

    @property
    def state(self) -> str:
        """How the activity calls it."""
        return "deleted" if self.deleted else "active" if self.active else "inactive"


@dataclass
class Link:
    """Which CRM record a customer has become, what the sync wrote into it last, and what QuickBooks
    said then; nothing if a person made the record and QuickBooks' own was never loaded."""

    key: Key
    wrote: dict[str, Any]
    state: str
    said: Any = None


@dataclass
class User:
    """Somebody who may own records."""

    external_id: str
    active: bool


@dataclass(frozen=True)
class Conflict:
    """What a person wrote, and what QuickBooks says since."""

    crm: Any
    quickbooks: Any


@dataclass(frozen=True)
class End:
    """How a row ended; for a duplicate also the record that it collides with."""

    outcome: str
    reason: str | None = None
    collides: Key | None = None


@dataclass
class Row:
    """A row of a load: its place in the order in which rows win, and its values by column."""

    place: int
    customer: Customer
    state: str
    values: dict[str, Any] = field(default_factory=dict)
    waits_for: str | None = None
    end: End | None = None
    lost_to: "Row | None" = None
    found: Key | None = None
    in_the_way: tuple[Key, ...] = ()
    kept: set[str] = field(default_factory=set)
    base: dict[str, Any] = field(default_factory=dict)
    conflict: Conflict | None = None

    @property
    def said(self) -> Any:
        """What makes a row the same as the last time."""
        return self.state, dict(self.values)

    def finish(self, outcome: str, reason: str | None = None, collides: Key | None = None) -> None:
        self.end = End(outcome, reason, collides)


def normal(value: Any) -> str | None:
    """The form in which two values are compared; nothing for a blank, which equals nothing."""
    if value is None:
        return None
    text = unicodedata.normalize("NFKC", str(value)).casefold()
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return re.sub(r"\s+", " ", text).strip() or None


def wins(id: str) -> tuple[bool, int, str]:
    """Numeric ids in the order of numbers, then the others."""
    return (False, int(id), "") if id.isdigit() else (True, 0, id)


def _columns(module: str, says: Settings) -> set[str]:
    """What the mapping fills."""
    own = {*COLUMNS, REFERS[module]}
    return own if says.typed_ids else own - {"quickbooks_id"}


@dataclass
class Model:
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
    before: "Model | None" = None
    after: "Model | None" = None

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

    # What a run does

    def run(
        self,
        settings: Mapping[str, Settings],
        new_keys: Mapping[Who, Key],
        default_owner: str | None = None,
    ) -> None:
        """Bring accounts, then contacts up to date. A record that is added gets its key from
        `new_keys`: which number that is, is the database's affair."""
        self.before, self.after = None, None
        before = deepcopy(self)
        self.ends, self.default_owner = {}, default_owner
        self._follow_merges()
        due = {
            who
            for who, (keys, seen) in self.causes.items()
            if self._seen(who, settings[who[0]], keys) != seen
        }
        self.typed_ids = settings["accounts"].typed_ids
        self._link_typed(set(self.parked.values()))
        for module in REFERS:
            self._load(module, settings[module], due, new_keys)
            self.loaded_with[module] = settings[module]
        self.before = before

    def undo(self) -> None:
        """Take back what the run just now did: everything is as it was, and what it changed waits
        until it, or the mapping, changes."""
        assert self.before
        after = deepcopy(self)
        by_hand = {who: link for who, link in self.links.items() if link.said is None}
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

    def _load(
        self, module: str, says: Settings, due: set[Who], new_keys: Mapping[Who, Key]
    ) -> None:
        wanted = self._wanted(module, says) | {id for name, id in due if name == module}
        rows = [
            Row(place, self.mirror[id], self._state(self.mirror[id]))
            for place, id in enumerate(sorted(wanted, key=wins))
        ]
        for row in rows:
            self._shape(module, says, row)
        whole = [row for row in rows if not row.end and not row.customer.deleted]
        for row in whole:
            self._forget_what_is_gone(("accounts", self._meant(module, row.customer) or ""))
        for row in whole:
            self._refer(module, row)
        coming = {row.customer.id for row in whole} if module == "accounts" else set()
        self._link_typed({row.waits_for for row in whole if row.waits_for} - coming)
        for row in whole:
            self._refer(module, row)
        linked = {row.place for row in rows if self._link(module, row)}
        self._end_at_once(module, says, rows)
        new_tags = self._spell(says, rows)
        self._name_owners(module, says, rows)
        self._linked_ones(module, says, [row for row in rows if row.place in linked])
        new = [row for row in rows if row.place not in linked and not row.end]
        self._new_ones(module, says, new, new_keys)
        for row in rows:
            self._remember(module, says, row, row.place in linked)
        for row in rows:
            self._remember_cause(module, says, row)
        self._remember_conflicts(module, says, rows)
        self._list(module, rows, new_tags)
        self._close_references(module)
        self.changed[module] = set()

    def _wanted(self, module: str, says: Settings) -> set[str]:
        """What changed; what was held back, when the mapping changed; what waits for a record that
        is there now."""
        wanted = set(self.changed[module])
        if self.loaded_with.get(module) != says:
            wanted |= {id for name, id in self.held if name == module}
        return wanted | {
            id
            for (name, id), target in self.parked.items()
            if name == module and self._target(target) is not None
        }

    def _shape(self, module: str, says: Settings, row: Row) -> None:
        customer, name = row.customer, SOURCES[module][0]
        said = {path: value if normal(value) else None for path, value in customer.said.items()}
        if customer.deleted:
            row.values = {"active": False, "deleted": True}
        elif (says.exclude and said["Code"] == "B") or (module == "contacts" and not said[name]):
            row.finish("excluded", "excluded_by_mapping")
        elif not said[name]:
            row.finish("not_added", "missing_required")
        elif len(said[name] or "") > 10:
            row.finish("not_added", "invalid_value")
        else:
            typed = {"quickbooks_id": customer.id} if says.typed_ids else {}
            row.values = {
                **typed,
                **{"name": said[name], "code": said["Code"], "note": said["Note"]},
                **{"tags": said["Tags"], "owner_id": said["Rep"] if module == "accounts" else None},
                **{"active": customer.active, "deleted": False},
            }

    def _refer(self, module: str, row: Row) -> None:
        meant = self._meant(module, row.customer)
        target = self._target(meant) if meant else None
        row.values[REFERS[module]] = target
        row.waits_for = meant if target is None else None

    def _forget_what_is_gone(self, who: Who) -> None:
        """A record that a person deleted is nobody's any more, for those that refer to it."""
        if who in self.links and self.links[who].key not in self.records["accounts"]:
            del self.links[who]
        end = self.held.get(who)
        if end and end.collides not in self.records["accounts"]:
            self.held[who] = replace(end, collides=None)

    def _target(self, id: str) -> Key | None:
        """The account that a reference to a customer means."""
        link, end = self.links.get(("accounts", id)), self.held.get(("accounts", id))
        if link:
            return link.key
        return end.collides if end and end.outcome == "duplicate" else None

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

    def _link(self, module: str, row: Row) -> Link | None:
        link = self.links.get((module, row.customer.id))
        return link if link and link.key in self.records[module] else None

    # What the CRM calls things

    def _end_at_once(self, module: str, says: Settings, rows: list[Row]) -> None:
        """Whoever has a record that nobody brings up to date, and whoever never had one."""
        for row in rows:
            link = self._link(module, row)
            if row.end:
                continue
            if link and says.mode != "merge":
                row.finish("duplicate", "key_known", link.key)
            elif not link and row.customer.deleted:
                row.finish("excluded", "deleted_in_quickbooks")

    def _spell(self, says: Settings, rows: list[Row]) -> set[str]:
        """Put tags as the list spells them, each once; new ones as the first row has them. Which
        are new."""
        known = {normal(other): tag for other, tag in self.aliases.items()}
        known |= {normal(tag): tag for tag in self.tags}
        new: dict[str | None, str] = {}
        for row in rows:
            if row.end or not row.values.get("tags"):
                continue
            said: dict[str | None, str] = {}
            for one in row.values["tags"].split("|"):
                said.setdefault(normal(one), one.strip())
            said.pop(None, None)
            if says.new_tags:
                new = {form: one for form, one in said.items() if form not in known} | new
            meant = [(known | new).get(form) for form in said]
            row.values["tags"] = list(dict.fromkeys(one for one in meant if one)) or None
        return set(new.values())

    def _list(self, module: str, rows: list[Row], new: set[str]) -> None:
        """New tags that records have join the list."""
        for row in rows:
            if row.found is not None and row.end and row.end.outcome != "not_added":
                self.tags |= new & set(self.records[module][row.found]["tags"] or ())

    def _user(self, external_id: str | None) -> Key | None:
        wanted = normal(external_id)
        hits = [
            key
            for key, user in self.users.items()
            if user.active and normal(user.external_id) == wanted
        ]
        return hits[0] if hits else None

    def _name_owners(self, module: str, says: Settings, rows: list[Row]) -> None:
        """The user whom QuickBooks names; of somebody unknown the default owner, or nothing."""
        for row in rows:
            named = row.values.get("owner_id")
            if row.end or not named:
                continue
            user = self._user(named)
            if user is None and says.rejects:
                row.finish("not_added", "unknown_owner")
            else:
                row.values["owner_id"] = user or self._user(self.default_owner)

    def _owner(self, module: str, owner: Key | None, account: Key | None) -> Key | None:
        """Whose a record is to be: as its account; or whose it is; or whoever started the run."""
        if module == "contacts":
            above = self.records["accounts"][account]["owner_id"] if account is not None else None
            return above if above is not None else owner
        return owner or self._user("admin") or self._user(self.default_owner)

    # Rows that have been a CRM record before

    def _linked_ones(self, module: str, says: Settings, rows: list[Row]) -> None:
        for row in rows:
            if not row.end and (link := self._link(module, row)):
                self._update(module, says, row, link.key, link)

    def _update(self, module: str, says: Settings, row: Row, key: Key, link: Link | None) -> None:
        """A blank clears only what the sync itself wrote last and nobody has changed since."""
        before, wrote = self.records[module][key], link.wrote if link else {}
        columns = _columns(module, says)
        as_written = {column for column in wrote if wrote[column] == before[column]}
        row.kept = {
            column
            for column in columns - as_written
            if row.values.get(column) is None
            and not (says.blank_overwrites and column in row.values)
        }
        row.found = key
        after = before | {c: v for c, v in row.values.items() if c not in row.kept}
        if not row.customer.deleted:
            owner = after["owner_id"] or (before["owner_id"] if module == "accounts" else None)
            after["owner_id"] = self._owner(module, owner, after[REFERS[module]])
        if says.notes_are_theirs:
            self._keep_note(row, before, after, wrote)
        same = link and link.said == row.said and as_written == wrote.keys() <= columns
        inherited = module == "contacts" and after["owner_id"] != before["owner_id"]
        if same and not inherited and all(after[c] == before[c] for c in columns - wrote.keys()):
            after = before
        if after["name"] == REFUSED and after != before:
            row.found = None
            row.finish("not_added", "refused_by_table")
            return
        self.records[module][key] = after
        row.finish("updated" if after != before else "unchanged")

    def _keep_note(
        self, row: Row, before: Mapping[str, Any], after: dict[str, Any], wrote: Mapping[str, Any]
    ) -> None:
        """A person's note stays. If QuickBooks has changed its own since, that is a conflict."""
        is_theirs = before["note"] != wrote.get("note")
        if row.customer.deleted:
            row.base = {"note": wrote["note"]} if is_theirs and "note" in wrote else {}
        elif is_theirs and after["note"] != before["note"]:
            row.base = {"note": wrote.get("note", after["note"])}
            if "note" in wrote and wrote["note"] != after["note"]:
                row.conflict = Conflict(before["note"], after["note"])
            after["note"] = before["note"]

    # Rows that have not

    def _new_ones(
        self, module: str, says: Settings, rows: list[Row], new_keys: Mapping[Who, Key]
    ) -> None:
        """The id that a person typed, the key, the check fields, the rows before; whoever lost to a
        row that the table refuses has another chance."""
        while todo := [row for row in rows if not row.end]:
            for column in dict.fromkeys(("quickbooks_id", says.key)):
                found: list[tuple[Row, Key]] = []
                if column and column in todo[0].values:
                    self._find(module, says, column, rows, todo, found)
                for row, key in found:
                    row.in_the_way = (key,)
                    self._update(module, says, row, key, None)
            for row in [row for row in todo if not row.end]:
                self._check(module, says, row)
            self._compare(says, [row for row in todo if not row.end])
            for row in [row for row in todo if not row.end]:
                self._add(module, row, new_keys)
            for row in rows:
                if row.lost_to and row.lost_to.end and row.lost_to.end.outcome == "not_added":
                    row.end = row.lost_to = None
                    row.in_the_way = ()
        for row in rows:
            if row.end and row.lost_to:
                row.end = replace(row.end, collides=row.lost_to.found)

    def _find(
        self,
        module: str,
        says: Settings,
        column: str,
        rows: list[Row],
        todo: list[Row],
        found: list[tuple[Row, Key]],
    ) -> None:
        """Which record has the row's value in this column."""
        for row in todo:
            value = normal(row.values[column])
            if row.end or any(row is other for other, _ in found) or value is None:
                continue
            hits = [key for key, record in self._own(module) if normal(record[column]) == value]
            if not hits:
                continue
            key = hits[0]
            holders = [other for other, taken in found if taken == key]
            holders += [other for other in rows if other.found == key]
            if len(hits) > 1:
                row.finish("not_added", "ambiguous_key")
                row.in_the_way = tuple(hits)
            elif self._is_another(module, key):
                row.finish("duplicate", "key_taken", key)
            elif holders:
                row.finish("duplicate", "same_key_in_batch", key)
                row.lost_to = min(holders, key=lambda holder: holder.place)
            elif says.mode != "merge":
                row.finish("duplicate", "key_known", key)
            else:
                found.append((row, key))

    def _own(self, module: str) -> list[tuple[Key, dict[str, Any]]]:
        """The records that can be meant: those of the same company, and those of none."""
        records = sorted(self.records[module].items())
        return [(key, record) for key, record in records if record["company"] in ("own", None)]

    def _is_another(self, module: str, key: Key) -> bool:
        return any(name == module and link.key == key for (name, _), link in self.links.items())

    def _check(self, module: str, says: Settings, row: Row) -> None:
        wanted = [normal(row.values[column]) for column in says.check]
        if wanted and None not in wanted:
            hits = tuple(
                key
                for key, record in self._own(module)
                if [normal(record[column]) for column in says.check] == wanted
            )
            if hits:
                row.finish("duplicate", "check_fields", hits[0])
                row.in_the_way = hits

    def _compare(self, says: Settings, rows: list[Row]) -> None:
        """The first of two equal rows wins."""
        winners: list[Row] = []
        for row in rows:
            better = [other for other in winners if self._same(says, row, other)]
            if better:
                row.finish("duplicate", "same_in_batch")
                row.lost_to = better[0]
            else:
                winners.append(row)

    def _same(self, says: Settings, row: Row, other: Row) -> bool:
        """Whether two rows are equal on the key or on all check fields."""
        groups: list[tuple[str, ...]] = [(says.key,)] if says.key else []
        groups += [says.check] if says.check else []
        for group in groups:
            own = [normal(row.values[column]) for column in group]
            if None not in own and own == [normal(other.values[column]) for column in group]:
                return True
        return False

    def _add(self, module: str, row: Row, new_keys: Mapping[Who, Key]) -> None:
        if row.values["name"] == REFUSED:
            row.finish("not_added", "refused_by_table")
            return
        row.found = new_keys.get((module, row.customer.id), -row.place - 1)
        blank = dict.fromkeys((*COLUMNS, REFERS[module]))
        new = {"company": "own", **blank, **row.values}
        new["owner_id"] = self._owner(module, new["owner_id"], new[REFERS[module]])
        self.records[module][row.found] = new
        row.finish("added")

    # What is kept of it

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
            wrote = {column: record[column] for column in _columns(module, says) - row.kept}
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
