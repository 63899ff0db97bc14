"""One import with `merge` and a key that people filled links the records that a CRM has already."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import End, accounts, by_hand, count, customer, rows, sync

FIELDS = "email: {from: Mail, kind: email}, phone: {from: Phone, kind: phone}"
NAMES = "SELECT name FROM crm.accounts ORDER BY id"


def keyed(key: str) -> dict[str, Mapping]:
    text = accounts(FIELDS).replace("key: quickbooks_customer_id", f"key: {key}")
    return parse_all({"accounts": text})


FOUND = {
    "name": ("  ACME\u00a0 pumps ", {"DisplayName": "Acme Pumps"}),
    "email": ("Sales@Acme.ORG", {"Mail": "sales@acme.org"}),
    "phone": ("(555) 010-99 88", {"Phone": "555 0109988"}),
}


@pytest.mark.parametrize("key", FOUND)
def test_a_record_with_the_same_key_is_linked_and_updated(
    connection: Connection[Any], key: str
) -> None:
    entered, fields = FOUND[key]
    by_hand(connection, "crm.accounts", **({"name": "Own"} | {key: entered}))

    assert sync(connection, keyed(key), customer("7", **fields)) == [End("7", "updated")]
    assert count(connection, "crm.accounts") == 1
    assert rows(connection, NAMES) == [(fields.get("DisplayName", "Customer 7"),)]


@pytest.mark.parametrize(
    ("key", "entered", "field", "said"),
    [
        ("email", "bob@acme.org,Ann@ACME.org", "Mail", "ann@acme.org, bob@acme.org"),
        ("phone", "555 010 9988 ext. 7", "Phone", "(555) 010-9988 x7"),
        ("phone", "1-800-FLOWERS", "Phone", "1 (800) 356-9377"),
    ],
)
def test_a_key_that_is_written_otherwise_and_means_the_same_finds_the_record(
    connection: Connection[Any], key: str, entered: str, field: str, said: str
) -> None:
    by_hand(connection, "crm.accounts", **({"name": "Own"} | {key: entered}))

    assert sync(connection, keyed(key), customer("7", **{field: said})) == [End("7", "updated")]


def test_another_extension_or_vanity_number_is_another_key(connection: Connection[Any]) -> None:
    for number in ("555 010 9988 x8", "1-800-GO-FEDEX"):
        by_hand(connection, "crm.accounts", name="Own", phone=number)
    rung = (customer("7", Phone="555 010 9988 x7"), customer("8", Phone="1-800-FLOWERS"))

    assert sync(connection, keyed("phone"), *rung) == [End("7", "added"), End("8", "added")]


@pytest.mark.parametrize("key", ["email", "phone"])
def test_a_blank_key_finds_no_blank_one(connection: Connection[Any], key: str) -> None:
    by_hand(connection, "crm.accounts", name="Own")

    assert sync(connection, keyed(key), customer("7")) == [End("7", "added")]


@pytest.mark.parametrize("key", FOUND)
def test_of_several_records_with_the_key_none_is_taken(
    connection: Connection[Any], key: str
) -> None:
    entered, fields = FOUND[key]
    for _ in range(2):
        by_hand(connection, "crm.accounts", **({"name": "Own"} | {key: entered}))

    ended = sync(connection, keyed(key), customer("7", **fields))

    assert ended == [End("7", "not_added", "ambiguous_key")]
    assert count(connection, "sync.link") == 0


def test_after_the_takeover_the_links_hold_whatever_the_key(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.accounts", name="Own", email="a@x.org")
    sync(connection, keyed("email"), customer("7", DisplayName="Acme", Mail="a@x.org"))

    later = keyed("quickbooks_customer_id")
    ended = sync(connection, later, customer("7", DisplayName="New", Mail="b@x.org"))

    assert ended == [End("7", "updated")]
    assert rows(connection, NAMES) == [("New",)]
