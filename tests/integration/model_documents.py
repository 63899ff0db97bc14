"""What an import means for documents with lines: accounts' invoices, in plain Python."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.model_memory import Memory
from tests.integration.model_values import (
    DOCUMENT,
    REFUSED,
    End,
    Invoice,
    Key,
    Link,
    Place,
    Who,
    changed,
    normal,
    wins,
)

Lines = list[dict[str, Any]]


@dataclass
class Document:
    """An invoice on its way: the values of its own columns, its lines, and which of its references
    wait for whom, by field."""

    invoice: Invoice
    values: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=list)
    waits_for: dict[str, str] = field(default_factory=dict)

    @property
    def who(self) -> Who:
        return "documents", self.invoice.id

    @property
    def said(self) -> Any:
        """What makes it the same as the last time."""
        return self.values, self.lines, self.waits_for


class Documents(Memory):
    """How invoices come into the CRM. A document and its lines are one record with one outcome;
    the lines are QuickBooks' own."""

    def _load_documents(self, new_keys: Mapping[Who, Key]) -> None:
        waiting = {id for name, id in self.arrived if name == "documents"}
        wanted = sorted(self.changed["documents"] | waiting, key=wins)
        documents = [Document(self.invoices[id]) for id in wanted]
        whole = [one for one in documents if not one.invoice.deleted and not _is_too_long(one)]
        self._find_who_is_meant(whole)
        for one in documents:
            self._shape_document(one)
            self._bring(one, new_keys)
        self._close_references("documents")
        self.changed["documents"] = set()

    def _find_who_is_meant(self, documents: Iterable[Document]) -> None:
        meant = {who for one in documents for _, who in self._references(one.invoice)}
        for who in meant:
            self._forget_what_is_gone(("accounts", who))
        self._link_typed({who for who in meant if self._target(who) is None})

    def _references(self, invoice: Invoice) -> list[tuple[str, str]]:
        """The fields that refer to a customer, and who is meant."""
        said = [("account_id", invoice.of)] + [
            (f"@lines.{place}.account_id", line.of)
            for place, line in enumerate(invoice.lines, start=1)
        ]
        return [(name, self.meanings.get(id) or id) for name, id in said if id]

    def _shape_document(self, one: Document) -> None:
        invoice = one.invoice
        if invoice.deleted:
            one.values = {"deleted": True}
            return
        meant = self._references(invoice)
        targets = {name: self._target(who) for name, who in meant}
        one.waits_for = {name: who for name, who in meant if targets[name] is None}
        one.values = {
            **{"quickbooks_id": invoice.id, "number": _value(invoice.number), "deleted": False},
            "account_id": targets.get("account_id"),
        }
        one.lines = [
            {
                **{"position": place, "text": _value(line.text)},
                "account_id": targets.get(f"@lines.{place}.account_id"),
            }
            for place, line in enumerate(invoice.lines, start=1)
        ]

    def _bring(self, one: Document, new_keys: Mapping[Who, Key]) -> None:
        known = self.links.get(one.who)
        link = known if known and known.key in self.records["documents"] else None
        if _is_too_long(one):
            self._end_document(one, link, End("not_added", "invalid_value"))
        elif link is None and one.invoice.deleted:
            self._end_document(one, link, End("excluded", "deleted_in_quickbooks"))
        elif REFUSED in [line["text"] for line in one.lines]:
            self._end_document(one, link, End("not_added", "refused_by_table"))
        elif link:
            self._end_document(one, link, self._update_document(one, link))
        else:
            self._add_document(one, new_keys.get(one.who, -1))
            self._end_document(one, link, End("added"))

    def _add_document(self, one: Document, key: Key) -> None:
        self.records["documents"][key] = {"company": "own", **one.values, "@lines": one.lines}
        self._link_document(one, key, set(), set(DOCUMENT))

    def _update_document(self, one: Document, link: Link) -> End:
        """A blank clears only what the sync itself wrote last and nobody has changed since; lines
        are what QuickBooks says in any case. A delete only flags."""
        before = self.records["documents"][link.key]
        own = link.still_own(before)
        as_written = {column for column in link.wrote if link.wrote[column] == before[column]}
        kept = {
            column
            for column in DOCUMENT
            if one.values.get(column) is None
            and column not in (own if column in one.values else as_written)
        }
        lines = before["@lines"] if one.invoice.deleted else one.lines
        after = {**before, **{c: v for c, v in one.values.items() if c not in kept}}
        after["@lines"] = lines
        self.records["documents"][link.key] = after
        if after != before or link.said != one.said or self._was_closed(one):
            self._link_document(one, link.key, kept, own | changed(before, after))
        return End("updated" if after != before else "unchanged")

    def _was_closed(self, one: Document) -> bool:
        """Whether a reference that is open again had been closed since it was read last."""
        return any(self.parked.get((*one.who, name)) != who for name, who in one.waits_for.items())

    def _link_document(self, one: Document, key: Key, kept: set[str], own: set[str]) -> None:
        record = self.records["documents"][key]
        wrote = {column: record[column] for column in DOCUMENT if column not in kept}
        state = "deleted" if one.invoice.deleted else "active"
        self.links[one.who] = Link(key, wrote, state, one.said, own & wrote.keys())

    def _end_document(self, one: Document, link: Link | None, end: End) -> None:
        self.ends[one.who] = end
        self.held.pop(one.who, None)
        if end.outcome in ("not_added", "excluded"):
            self.held[one.who] = end
        self._park(one.who, one.waits_for, end, link is not None)

    def _can_be_closed(self, place: Place) -> bool:
        """A line that a person deleted is there again when its document is read again."""
        if not super()._can_be_closed(place) or place[0] != "documents":
            return super()._can_be_closed(place)
        lines = self.records["documents"][self.links[place[:2]].key]["@lines"]
        return place[2] == "account_id" or _position(place) in [line["position"] for line in lines]

    def _close(self, place: Place, target: Key) -> bool:
        if place[0] != "documents":
            return super()._close(place, target)
        link = self.links[place[:2]]
        record = self.records["documents"][link.key]
        if place[2] == "account_id":
            return self._close_column(link, record, "account_id", target)
        record["@lines"] = [
            line | {"account_id": target} if line["position"] == _position(place) else line
            for line in record["@lines"]
        ]
        return True


def _position(place: Place) -> int:
    return int(place[2].split(".")[1])


def _value(text: str | None) -> str | None:
    return text if normal(text) else None


def _is_too_long(one: Document) -> bool:
    return any(len(line.text or "") > 10 for line in one.invoice.lines) and not one.invoice.deleted
