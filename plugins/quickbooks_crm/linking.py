"""Settles for good what no rule can: which CRM record a QuickBooks record is, that it is none, or
that two things are not the same. Every such act is written down with who did it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from quickbooks_crm import acts
from quickbooks_crm.dedupe import Target, of_kind, typed_id
from quickbooks_crm.errors import CompanyBusy, LinkRefused
from quickbooks_crm.refusals import let_faults_through
from quickbooks_crm.sql import statements

_TAKEN_BACK = {
    "different": "no_longer_different",
    "same": "no_longer_same",
    "linked": "no_longer_linked",
}


STAYS = "stays unlinked until you ask for it"
"""What is said of a record that does not come back by itself."""

_LEFT_TO_SETTLE = "What is left to settle is on Review."


@dataclass(frozen=True)
class Place:
    """One QuickBooks record as a module takes it. `sharing` are the modules that load the same
    table, this one included."""

    company: str
    realm: str
    target: Target
    sharing: tuple[str, ...]
    entity: str
    id: str

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that the statements share."""
        mapping = self.target.mapping
        return {
            "realm": self.realm,
            "module": mapping.module,
            "entity": self.entity,
            "id": self.id,
            "hash": mapping.hash,
            "table": self.target.table.name,
            "company": self.target.company,
            "sharing": list(self.sharing),
        }

    @property
    def named(self) -> str:
        """It for a person."""
        return f"{self.entity} {self.id}"


@dataclass(frozen=True)
class Seen:
    """How a QuickBooks record and a CRM record were linked when a person looked: the CRM record
    that the former was, and the other QuickBooks record that the latter was; empty for none."""

    record_key: str
    entity: str
    id: str


def link(connection: Connection[Any], place: Place, record_key: str, by_whom: str) -> str:
    """Make a QuickBooks record be a CRM record for good; the next sync brings the record up to
    date, if any does. What was done, in a sentence. Raises `LinkRefused` when it cannot be."""
    where = _begin(connection, place, "link_alone") | {
        "record_key": record_key,
        "by_whom": by_whom,
    }
    _require_both(connection, place, record_key)
    own = connection.execute(statements("linking")["link_of"], where).fetchone()
    if own == (record_key,):
        raise LinkRefused(f"{place.named} is CRM record {record_key} already. Nothing to do.")
    if own and _record(connection, place, own[0]):
        raise LinkRefused(
            f"{place.named} is CRM record {own[0]}. Unlink it first.", _command("unlink", place)
        )
    taken = connection.execute(statements("linking")["linked_to"], where).fetchone()
    if taken:
        raise _linked_to(place, record_key, *taken)
    then = _what_a_sync_does(connection, place)
    for name in ("moves", "link", "forget_parted", "no_longer_parted"):
        connection.execute(statements("linking")[name], where)
    connection.execute(statements("linking")["hold"], where | {"reason": "linked", "due": True})
    _note(connection, place, "linked", where)
    return f"{place.named} is CRM record {record_key} from now on; {then}."


def _linked_to(place: Place, key: str, entity: str, id: str, elsewhere: bool) -> LinkRefused:
    if elsewhere:
        return LinkRefused(
            f"CRM record {key} is a record of another company. {_LEFT_TO_SETTLE}",
            _of_module("review", place),
        )
    return LinkRefused(
        f"CRM record {key} is QuickBooks' {entity} {id}. Name another record, or unlink that "
        "first.",
        _command("unlink", replace(place, entity=entity, id=id)),
    )


def _what_a_sync_does(connection: Connection[Any], place: Place) -> str:
    """What becomes of a record that is linked now."""
    mode = place.target.mapping.mode
    if mode != "merge":
        return f"no sync updates it, since its mapping has mode: {mode}"
    if connection.execute(statements("linking")["is_excluded"], place.where).fetchone() is not None:
        return "no sync updates it as long as its mapping excludes it"
    return "the next sync updates it"


def link_instead(
    connection: Connection[Any], place: Place, record_key: str, seen: Seen, by_whom: str
) -> str:
    """The same, parting both from what they are linked to, as a person has seen it. What was done,
    in a sentence. Raises `LinkRefused` also when that has changed meanwhile."""
    where = _begin(connection, place) | {"record_key": record_key}
    own = connection.execute(statements("linking")["link_of"], where).fetchone()
    taken = connection.execute(statements("linking")["linked_to"], where).fetchone()
    if Seen(own[0] if own else "", *(taken[:2] if taken else ("", ""))) != seen:
        raise LinkRefused(
            f"Somebody has linked or parted {place.named} or CRM record {record_key} meanwhile. "
            "Load the page again to see how they are now."
        )
    if own and own != (record_key,):
        unlink(connection, place, by_whom)
    if taken and not taken[2]:
        unlink(connection, replace(place, entity=taken[0], id=taken[1]), by_whom)
    return link(connection, place, record_key, by_whom)


def unlink(connection: Connection[Any], place: Place, by_whom: str) -> str:
    """Part a QuickBooks record from its CRM record, which is left alone from now on. What was done,
    in a sentence."""
    where = _begin(connection, place) | {"by_whom": by_whom}
    own = connection.execute(statements("linking")["link_of"], where).fetchone()
    if own is None:
        raise _not_linked(connection, place)
    where["record_key"] = own[0]
    for name in ("moves", "unlink", "wait_no_more", "in_conflict_no_more", "part"):
        connection.execute(statements("linking")[name], where)
    connection.execute(statements("linking")["hold"], where | {"reason": "unlinked", "due": False})
    _note(connection, place, "unlinked", where)
    return f"{place.named} is parted from CRM record {own[0]}, which no sync touches any more."


def _not_linked(connection: Connection[Any], place: Place) -> LinkRefused:
    said = f"{place.named} is no CRM record of {place.target.mapping.module}"
    if connection.execute(statements("linking")["is_parted"], place.where).fetchone() is None:
        return LinkRefused(f"{said}. {_LEFT_TO_SETTLE}", _of_module("review", place))
    again = f"{_of_module('retry', place)} --reason unlinked"
    return LinkRefused(f"{said}, and {STAYS}.", again)


def tell_apart(connection: Connection[Any], place: Place, record_key: str, by_whom: str) -> str:
    """Remember that a QuickBooks record is not this CRM record: it is no duplicate of it, and never
    found as it. A QuickBooks id in the CRM record that says otherwise is taken out. What was done,
    in sentences."""
    where = _begin(connection, place) | {"record_key": record_key, "by_whom": by_whom}
    _require_both(connection, place, record_key)
    if connection.execute(statements("linking")["link_of"], where).fetchone() == (record_key,):
        raise LinkRefused(
            f"{place.named} is CRM record {record_key}. Unlink it.", _command("unlink", place)
        )
    where |= {"other_key": ""}
    for name in ("moves", "no_duplicate", "try_again"):
        connection.execute(statements("linking")[name], where)
    where["emptied"], said = _take_id_out(connection, place, record_key)
    if _is_new(connection, "tell_apart", where) or where["emptied"]:
        _note(connection, place, "told_apart", where)
    told = f"{place.named} and CRM record {record_key} are different"
    if connection.execute(statements("linking")["is_parted"], where).fetchone() is None:
        return f"{told}; the next sync knows.{said}"
    return f"{told}.{said} {place.named} {STAYS}: Try again what is held back, on a run's page."


def _take_id_out(
    connection: Connection[Any], place: Place, record_key: str
) -> tuple[str | None, str]:
    """Empty the column by which the CRM record would be this QuickBooks record, unless it is
    another one's: the column, if it was, and what there is to say of it."""
    target = place.target
    if target.typed_id is None:
        return None, ""
    query = statements("linking")["take_id_out"].format(
        table=target.table.identifier,
        key=sql.Identifier(target.table.key),
        key_type=target.table.key_type,
        column=sql.Identifier(target.typed_id),
        typed_id=typed_id(target),
        kind=of_kind(target, sql.Placeholder("entity")),
    )
    try:
        with connection.transaction():
            where = place.where | {"record_key": record_key, "kinds": Jsonb(target.kinds)}
            done = connection.execute(query, where).rowcount
    except psycopg.Error as error:
        let_faults_through(error)
        return None, (
            f" The table does not let its {target.typed_id} be emptied, which says that they are "
            "one: see to that, or no sync can add it."
        )
    emptied = f" Its {target.typed_id}, which said otherwise, was emptied."
    return (target.typed_id, emptied) if done else (None, "")


def tell_records_apart(
    connection: Connection[Any], place: Place, one: str, other: str, by_whom: str
) -> str:
    """Remember that two CRM records, which look alike, are not the same. What was done, in a
    sentence."""
    where = _begin(connection, place) | _pair(connection, place, one, other)
    where |= {"by_whom": by_whom}
    if _is_new(connection, "tell_apart", where):
        _note(connection, place, "told_apart", where)
    first, second = where["record_key"], where["other_key"]
    return f"CRM records {first} and {second} are different; review lists them no more."


def say_same(connection: Connection[Any], place: Place, record_key: str, by_whom: str) -> str:
    """Remember that a QuickBooks record is the same thing as a CRM record which another one is: it
    stays a duplicate, and nobody is asked again. What was done, in a sentence."""
    where = _begin(connection, place) | {"record_key": record_key, "other_key": ""}
    where |= {"by_whom": by_whom}
    _require_both(connection, place, record_key)
    if _is_new(connection, "say_same", where):
        _note(connection, place, "said_same", where)
    return f"{place.named} is CRM record {record_key} once more. It stays out of the CRM."


def say_records_same(
    connection: Connection[Any], place: Place, one: str, other: str, by_whom: str
) -> str:
    """Remember that two CRM records are the same thing, which no sync makes one. What was done, in
    a sentence."""
    where = _begin(connection, place) | _pair(connection, place, one, other)
    where |= {"by_whom": by_whom}
    if _is_new(connection, "say_same", where):
        _note(connection, place, "said_same", where)
    return f"CRM records {one} and {other} are the same; keep one of them in the CRM."


def take_back(
    connection: Connection[Any], place: Place, what: str, since: datetime, by_whom: str
) -> str:
    """Take back what was said at a moment: that records are `different`, the `same`, or `linked`
    where no sync has acted on it. What was done, in a sentence."""
    where = _begin(connection, place) | {"since": since, "by_whom": by_whom}
    rows = connection.execute(statements("linking")[_TAKEN_BACK[what]], where).fetchall()
    if not rows:
        raise LinkRefused(
            "That is not so any more: somebody has taken it back, or a sync has brought the record "
            "up to date. A linked record can be unlinked on its page."
        )
    for entity, id, record_key, other_key in rows:
        told = replace(place, entity=entity, id=id)
        if what == "linked":
            connection.execute(statements("linking")["part_again"], told.where)
        connection.execute(statements("linking")["try_again"], told.where)
        named = {"record_key": record_key, "other_key": other_key}
        _note(connection, told, "taken_back", where | named)
    return "It was taken back."


def _is_new(connection: Connection[Any], name: str, where: dict[str, Any]) -> bool:
    """Remember what a person says of two records; whether nobody had said it before."""
    return connection.execute(statements("linking")[name], where).rowcount == 1


def _pair(connection: Connection[Any], place: Place, one: str, other: str) -> dict[str, str]:
    """Two CRM records that are there, the lesser first."""
    for key in (one, other):
        if not _record(connection, place, key):
            raise _no_record(place, key)
    if one == other:
        raise LinkRefused("These are one and the same record. Name two.")
    first, second = sorted((one, other))
    return {"record_key": first, "other_key": second}


def _begin(connection: Connection[Any], place: Place, *also: str) -> dict[str, Any]:
    """Let no load of the table run meanwhile; to link, `also` none of another company that links
    records of none."""
    where = place.where
    try:
        connection.execute(statements("load")["settings"])
        connection.execute(statements("load")["one_writer"], where)
        for name in also:
            connection.execute(statements("dedupe")[name], where)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        raise CompanyBusy(
            f"A run is loading {where['table']}. Try again when it has finished."
        ) from error
    return where


def _require_both(connection: Connection[Any], place: Place, record_key: str) -> None:
    blocks, where = statements("linking"), place.where
    entities = place.target.mapping.entities
    if place.entity not in entities:
        raise LinkRefused(
            f"{where['module']} takes {', '.join(entities)}, not {place.entity}. Nothing was done."
        )
    known = connection.execute(blocks["in_the_mirror"], where).fetchone()
    if known is None or connection.execute(blocks["is_erased"], where).fetchone() is not None:
        raise LinkRefused(
            f"The mirror has no {place.named} of {place.company}. If QuickBooks has it, sync "
            "first.",
            _of_module("sync", place),
        )
    if not _record(connection, place, record_key):
        raise _no_record(place, record_key)


def _record(connection: Connection[Any], place: Place, record_key: str) -> bool:
    """Whether the CRM has such a record of this company or of none, by its key as its type has
    it."""
    blocks, target = statements("linking"), place.target
    company = target.mapping.company
    scope = (
        blocks["in_scope"].format(company=sql.Identifier(company))
        if company
        else blocks["everywhere"]
    )
    query = blocks["in_the_crm"].format(
        table=target.table.identifier,
        key=sql.Identifier(target.table.key),
        key_type=target.table.key_type,
        scope=scope,
    )
    try:
        with connection.transaction():
            where = place.where | {"record_key": record_key}
            return connection.execute(query, where).fetchone() == (record_key,)
    except psycopg.DataError:
        return False


def _no_record(place: Place, record_key: str) -> LinkRefused:
    return LinkRefused(
        f"{place.target.table.name} has no record {record_key} of {place.company}. Name one by its "
        f"{place.target.table.key}, as it is written there. {_LEFT_TO_SETTLE}",
        _of_module("review", place),
    )


def _command(name: str, place: Place) -> str:
    module = place.target.mapping.module
    rest = f"--company {place.company} {module} {place.entity} {place.id}"
    return f"python -m quickbooks_crm {name} {rest}"


def _of_module(name: str, place: Place) -> str:
    of = f"--company {place.company} --module {place.target.mapping.module}"
    return f"python -m quickbooks_crm {name} {of}"


def _note(connection: Connection[Any], place: Place, kind: str, where: dict[str, Any]) -> None:
    names = ("module", "record_key", "other_key", "emptied")
    told = {name: where[name] for name in names if where.get(name)}
    subject = place.named if place.entity else f"CRM record {where['record_key']}"
    acts.note(connection, kind, subject, where["by_whom"], told, place.company)
