"""What an import means, a second time: one row after the other, in plain Python.

This is the import semantics as a person reads them, without SQL and without a line of the product,
so that the product can be held against it. Slow, and made to be read. The CRM is two tables with
the same columns: accounts, which refer to their parents, and contacts, which refer to the account
of the same customer and belong to its owner. Both have tags, of one list of keywords. And documents
of accounts, with lines.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from tests.integration.model_documents import Documents
from tests.integration.model_values import (
    COLUMNS,
    FLAGS,
    MODULES,
    REFERS,
    REFUSED,
    SOURCES,
    Conflict,
    Key,
    Link,
    Row,
    Settings,
    Who,
    changed,
    filled,
    normal,
    wins,
)


@dataclass
class Model(Documents):
    """A CRM with its memory, and what a run does with both."""

    def run(
        self,
        settings: Mapping[str, Settings],
        new_keys: Mapping[Who, Key],
        default_owner: str | None = None,
        taken: Collection[str] = MODULES,
        replays: bool = False,
    ) -> None:
        """Bring accounts, contacts, then documents up to date, those that are `taken`, or all of
        these to their mappings. A record that is added gets its key from `new_keys`: which number
        that is, is the database's affair."""
        self.before, self.after = None, None
        before = deepcopy(self)
        self.ends, self.default_owner = {}, default_owner
        settings = {**settings, "accounts": self._with_children(settings["accounts"])}
        tried_again = {who for who in self.forgotten if who[0] in taken}
        self.rolls_up = _becomes(settings["accounts"]) == "roll_up"
        self._follow_merges(tried_again)
        self.forgotten -= tried_again
        for module, id in tried_again:
            self.changed[module].add(id)
        self.typed_ids = settings["accounts"].typed_ids
        if replays:
            self.by_hand, self.arrived = {}, set()
            self._replay(settings, new_keys, taken)
        else:
            self._sync(settings, new_keys, taken)
        if "accounts" not in taken:
            new = {who: at for who, at in self.links.items() if who not in before.links}
            self.by_hand |= deepcopy({who: at for who, at in new.items() if who[0] == "accounts"})
        self.before = before

    def _sync(
        self, settings: Mapping[str, Settings], new_keys: Mapping[Who, Key], taken: Collection[str]
    ) -> None:
        due = {who for module in REFERS if module in taken for who in self._due(module, settings)}
        known = set(self.links)
        self._link_typed(set(self.parked.values()))
        self.by_hand = deepcopy({who: at for who, at in self.links.items() if who not in known})
        self.arrived = self._arrive_with(due, settings, taken)
        for module in REFERS:
            if module in taken:
                self._load(module, settings[module], due, new_keys)
                self.loaded_with[module] = settings[module]
        if "documents" in taken:
            self._load_documents(new_keys)

    def _replay(
        self, settings: Mapping[str, Settings], new_keys: Mapping[Who, Key], taken: Collection[str]
    ) -> None:
        """All but what was undone and has not changed since, nor its mapping; then what has become
        possible by that."""
        for module in [name for name in MODULES if name in taken]:
            all_of_it = self.mirror if module in settings else self.invoices
            stays = {id for id in all_of_it if self._is_undone(module, id)}
            if module in settings and self.loaded_with.get(module) != settings[module]:
                stays = set()
            self.changed[module] |= all_of_it.keys() - stays
            if module not in settings:
                self._load_documents(new_keys)
                continue
            self._load(module, settings[module], set(), new_keys)
            self.loaded_with[module] = settings[module]
            self._load(module, settings[module], self._due(module, settings), new_keys)

    def _due(self, module: str, settings: Mapping[str, Settings]) -> set[Who]:
        """What is held back for a cause that has changed."""
        return {
            who
            for who, (keys, seen) in self.causes.items()
            if who[0] == module and self._seen(who, settings[module], keys) != seen
        }

    def _with_children(self, says: Settings) -> Settings:
        """The company's word counts where the mapping says nothing of sub-customers."""
        return says if says.children else replace(says, of_company=self.children)

    def _load(
        self, module: str, says: Settings, due: set[Who], new_keys: Mapping[Who, Key]
    ) -> None:
        wanted = self._wanted(module, says) | {id for name, id in due if name == module}
        rows = [
            Row(place, self.mirror[id], self._state(self.mirror[id]))
            for place, id in enumerate(sorted(wanted, key=wins))
        ]
        self._end_conflicts(module, says)
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
        self._link_known(module, says, [row for row in rows if row.place not in linked])
        self._list(module, rows, new_tags)
        for row in rows:
            self._remember_cause(module, says, row)
        self._remember_conflicts(module, rows)
        self._close_references(module)
        self.changed[module] = set()

    def _arrive_with(
        self, due: set[Who], settings: Mapping[str, Settings], taken: Collection[str]
    ) -> set[Who]:
        """Who comes again since what they wait for is there, or, if the table has refused them, is
        read in this run. That is settled before anything is loaded, for accounts first."""
        arrived, read = set[Who](), set[str]()
        if "accounts" in taken:
            read = self._changed("accounts", settings["accounts"])
            read |= {id for name, id in due if name == "accounts"}
        for module in [name for name in MODULES if name in taken]:
            merges = module not in settings or settings[module].mode == "merge"
            come = {
                place[:2]
                for place, target in self.parked.items()
                if place[0] == module and self._comes_again(place, target, read, merges)
            }
            read |= {id for name, id in come if name == "accounts"}
            arrived |= come
        return arrived

    def _wanted(self, module: str, says: Settings) -> set[str]:
        return self._changed(module, says) | {id for name, id in self.arrived if name == module}

    def _changed(self, module: str, says: Settings) -> set[str]:
        """What changed; what was held back, when the mapping changed."""
        changed = set(self.changed[module])
        if self.loaded_with.get(module) != says:
            changed |= {id for name, id in self.held if name == module}
        return changed

    def _shape(self, module: str, says: Settings, row: Row) -> None:
        customer, name = row.customer, SOURCES[module][0]
        said = {path: value if normal(value) else None for path, value in customer.said.items()}
        row.values = {"active": customer.active, "deleted": False}
        if customer.deleted:
            row.values = {"active": False, "deleted": True}
        elif self._is_left_out(module, says, said):
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

    def _is_left_out(self, module: str, says: Settings, said: dict[str, str | None]) -> bool:
        """What the mapping excludes, and a sub-customer where these are no accounts."""
        if module == "contacts" and not said[SOURCES[module][0]]:
            return True
        is_child = module == "accounts" and bool(said["ParentRef"])
        return (says.exclude and said["Code"] == "B") or (
            is_child and _becomes(says) != "child_account"
        )

    def _refer(self, module: str, row: Row) -> None:
        meant = self._meant(module, row.customer)
        target = self._target(meant) if meant else None
        row.values[REFERS[module]] = target
        row.waits_for = meant if target is None else None

    # What the CRM calls things

    def _end_at_once(self, module: str, says: Settings, rows: list[Row]) -> None:
        """Whoever has a record that nobody brings up to date, and whoever never had one."""
        for row in rows:
            link = self._link(module, row)
            if link and says.mode != "merge" and self._only_stands_otherwise(row, link):
                row.end = None
            if row.end:
                continue
            if link and says.mode != "merge":
                self._flag(module, says, row, link.key, link)
            elif not link and row.customer.deleted:
                row.finish("excluded", "deleted_in_quickbooks")

    def _only_stands_otherwise(self, row: Row, link: Link) -> bool:
        """A value that is wrong would not be written, and keeps no flag away."""
        wrong = row.end and row.end.reason in ("missing_required", "invalid_value")
        return bool(wrong and row.state != link.state)

    def _flag(self, module: str, says: Settings, row: Row, key: Key, link: Link | None) -> None:
        """What no mode but merge touches is flagged when it stands otherwise in QuickBooks."""
        row.only_flags, row.waits_for = True, None
        row.values = {name: row.values[name] for name in FLAGS}
        if row.state != (link.state if link else "active"):
            self._update(module, says, row, key, link)
        if row.end is None or row.end.outcome == "unchanged":
            row.finish("duplicate", "key_known", key)
            if link:
                link.state = row.state

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
            if row.found is not None and row.end and row.end.reason is None:
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
        columns = filled(module, says)
        as_written = {column for column in wrote if wrote[column] == before[column]}
        own = link.still_own(before) if link else set()
        row.kept = {
            column
            for column in columns
            if (
                row.values[column] is None and column not in own and not self._judged(says, column)
                if column in row.values
                else column not in as_written
            )
        }
        row.found = key
        after = before | {c: v for c, v in row.values.items() if c not in row.kept}
        if not row.customer.deleted and not row.only_flags:
            owner = after["owner_id"] or (before["owner_id"] if module == "accounts" else None)
            after["owner_id"] = self._owner(module, owner, after[REFERS[module]])
        if says.notes_are_theirs:
            stays = "note" not in own and not says.blank_overwrites
            self._keep_note(row, before, after, wrote, blank_stays=stays)
        place = (module, row.customer.id, REFERS[module])
        row.was_closed = row.waits_for not in (None, self.parked.get(place))
        as_said = link and link.said == row.said and not row.was_closed
        same = as_said and as_written == wrote.keys() <= columns
        inherited = module == "contacts" and after["owner_id"] != before["owner_id"]
        if same and not inherited and all(after[c] == before[c] for c in columns - wrote.keys()):
            after = before
        if after["name"] == REFUSED and after != before:
            row.found = None
            row.finish("not_added", "refused_by_table")
            return
        self.records[module][key] = after
        row.own = own | changed(before, after) | (row.base.keys() & link.own if link else set())
        row.finish("updated" if after != before else "unchanged")

    def _judged(self, says: Settings, column: str) -> bool:
        """Whether a blank is judged as any other value: also where a person's value stays."""
        return says.blank_overwrites or (says.notes_are_theirs and column == "note")

    def _keep_note(
        self,
        row: Row,
        before: Mapping[str, Any],
        after: dict[str, Any],
        wrote: Mapping[str, Any],
        blank_stays: bool,
    ) -> None:
        """A person's note stays, also from a blank if QuickBooks had only said the same. If
        QuickBooks has changed its own since, that is a conflict."""
        is_theirs = before["note"] != wrote.get("note")
        only_flags = row.customer.deleted or row.only_flags
        if not only_flags and after["note"] is None and blank_stays:
            is_theirs = before["note"] is not None
        if only_flags:
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
                for row, key in self._known(module, says, rows):
                    if row.state != "active":
                        self._flag(module, says, row, key, None)
                for row, key in found:
                    row.in_the_way = (key,)
                    self._update(module, says, row, key, None)
            for row in [row for row in todo if not row.end]:
                self._check(module, says, row)
            self._compare(module, says, [row for row in todo if not row.end])
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

    def _check(self, module: str, says: Settings, row: Row) -> None:
        wanted = [self._form(module, row, column) for column in says.check]
        if wanted and None not in wanted:
            hits = tuple(
                key
                for key, record in self._own(module)
                if [self._held_form(module, key, column) for column in says.check] == wanted
            )
            if hits:
                row.finish("duplicate", "check_fields", hits[0])
                row.in_the_way = hits

    def _form(self, module: str, row: Row, column: str) -> str | None:
        """What is compared; of a reference that is open, for whom it waits."""
        waits = column == REFERS[module] and row.waits_for
        return f" {row.waits_for}" if waits else normal(row.values[column])

    def _compare(self, module: str, says: Settings, rows: list[Row]) -> None:
        """The first of two equal rows wins."""
        winners: list[Row] = []
        for row in rows:
            better = [other for other in winners if self._same(module, says, row, other)]
            if better:
                row.finish("duplicate", "same_in_batch")
                row.lost_to = better[0]
            else:
                winners.append(row)

    def _same(self, module: str, says: Settings, row: Row, other: Row) -> bool:
        """Whether two rows are equal on the key or on all check fields."""
        groups: list[tuple[str, ...]] = [(says.key,)] if says.key else []
        groups += [says.check] if says.check else []
        for group in groups:
            own, theirs = ([self._form(module, r, c) for c in group] for r in (row, other))
            if None not in own and own == theirs:
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
        row.own = set(new)
        row.finish("added")


def _becomes(says: Settings) -> str | None:
    """What becomes of sub-customers."""
    return says.children or says.of_company
