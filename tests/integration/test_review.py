"""What is listed for a person to settle, and what is not."""

from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import linking, one_module, review
from quickbooks_crm.linking import Place
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.review import Alike, Review, Reviewed
from tests.integration.crm import REALM, accounts, by_hand, customer, one, ready, sync
from tests.integration.undo import company


def known() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts("email: {from: Mail, kind: email}")})


def reviewed(connection: Connection[Any], limit: int = 100, values: bool = False) -> Review:
    ready(connection)
    target = one_module.target(connection, known()["accounts"], company())
    return review.review(connection, Reviewed(REALM, target, ("accounts",), limit), values)


def account(connection: Connection[Any], name: str, **values: Any) -> str:
    return str(by_hand(connection, "crm.accounts", name=name, **values))


SAME = [
    ("Восток", "Boctok"),
    ("Boston Pumps", "Воstоn Рumрs"),
    ("Istanbul", "İstanbul"),
    ("Ilgaz", "ılgaz"),
    ("Café Zürich", "Cafe Zurich"),
    ("A.B.C. Ltd", "ABC Ltd."),
    ("Όμικρον", "OMIKPON"),
    ("Smith & Sons", "smith  sons"),
]


@pytest.mark.parametrize(("one_name", "other_name"), SAME)
def test_names_that_look_the_same_are_possible_duplicates(
    connection: Connection[Any], one_name: str, other_name: str
) -> None:
    pair = (account(connection, one_name), account(connection, other_name))
    account(connection, "Something else")

    assert reviewed(connection).alike == (Alike(("name",), pair, 2),)


@pytest.mark.parametrize(
    ("one_name", "other_name"),
    [("Müller", "Muller2"), ("东京", "大阪"), ("Item 10", "Item 100"), ("!", "?")],
)
def test_names_that_look_different_are_none(
    connection: Connection[Any], one_name: str, other_name: str
) -> None:
    account(connection, one_name)
    account(connection, other_name)

    assert reviewed(connection).alike == ()


def test_two_records_with_one_e_mail_address_are_possible_duplicates(
    connection: Connection[Any],
) -> None:
    pair = (account(connection, "A", email="a@x.org"), account(connection, "B", email="A@X.org "))
    account(connection, "C")
    account(connection, "D")

    assert reviewed(connection).alike == (Alike(("email",), pair, 2),)


def test_records_of_other_companies_are_never_compared(connection: Connection[Any]) -> None:
    connection.execute("INSERT INTO crm.companies (id, name) VALUES ('other', 'Another')")
    account(connection, "A")
    account(connection, "A", company_id="other")

    found = reviewed(connection)

    assert (found.alike, found.unmatched_count) == ((), 1)


def test_what_a_person_has_told_apart_is_not_listed_again(connection: Connection[Any]) -> None:
    first, second, third = (account(connection, name) for name in ("A", "a", "A."))
    target = one_module.target(connection, known()["accounts"], company())
    place = Place("sample", REALM, target, ("accounts",), "", "")

    linking.tell_records_apart(connection, place, second, first, "ann")
    assert reviewed(connection).alike == (Alike(("name",), (first, second, third), 3),)
    linking.tell_records_apart(connection, place, first, third, "ann")
    assert reviewed(connection).alike == (Alike(("name",), (second, third), 2),)
    linking.tell_records_apart(connection, place, second, third, "ann")
    assert reviewed(connection).alike == ()


def test_a_duplicate_that_is_different_is_not_listed_once_it_is_in_the_crm(
    connection: Connection[Any],
) -> None:
    mine = account(connection, "Pump")
    sync(connection, known(), customer("7", DisplayName="Pump"))
    target = one_module.target(connection, known()["accounts"], company())

    linking.tell_apart(
        connection, Place("sample", REALM, target, ("accounts",), "Customer", "7"), mine, "ann"
    )
    sync(connection, known())

    found = reviewed(connection)
    assert (found.held, found.alike, found.unmatched) == ((), (), (mine,))


def test_what_is_held_back_is_listed_with_what_is_in_its_way(connection: Connection[Any]) -> None:
    mine = account(connection, "Pump")
    sync(connection, known(), customer("7", DisplayName="Pump"), customer("8", DisplayName=""))

    found = reviewed(connection)

    assert [(h.entity, h.id, h.reason, h.candidates) for h in found.held] == [
        ("Customer", "7", "check_fields", [mine])
    ]
    assert found.held_by_reason == {"check_fields": 1}
    assert found.values == {}
    named = reviewed(connection, values=True)
    assert named.values[mine]["name"] == "Pump"
    assert named.held[0].name == "Pump"


def test_a_refusal_is_listed_with_the_record_that_has_its_value(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX ON crm.accounts (email)")
    mine = account(connection, "Pump", email="a@x.org")
    connection.execute("ALTER TABLE crm.accounts ADD CHECK (name <> 'Bad')")
    sync(
        connection,
        known(),
        customer("7", DisplayName="Hose", Mail="a@x.org"),
        customer("8", DisplayName="Bad"),
    )

    found = reviewed(connection)

    assert [(h.id, h.reason, h.candidates) for h in found.held] == [
        ("7", "refused_by_table", [mine])
    ]
    assert found.held_by_reason == {"refused_by_table": 1}


def test_each_reason_has_its_own_share_of_what_is_listed(connection: Connection[Any]) -> None:
    for name in ("Pump", "Hose", "Lamp"):
        account(connection, name)
    people = [customer(str(n), DisplayName=name) for n, name in enumerate(("Pump", "Hose", "Lamp"))]
    sync(connection, known(), *people, customer("8", DisplayName="Own"))
    target = one_module.target(connection, known()["accounts"], company())
    linking.unlink(
        connection, Place("sample", REALM, target, ("accounts",), "Customer", "8"), "ann"
    )

    found = reviewed(connection, limit=2)

    assert [(held.id, held.reason) for held in found.held] == [
        ("0", "check_fields"),
        ("1", "check_fields"),
        ("8", "unlinked"),
    ]
    assert found.held_by_reason == {"check_fields": 3, "unlinked": 1}


def test_crm_records_without_a_quickbooks_record_are_counted_and_listed(
    connection: Connection[Any],
) -> None:
    mine = [account(connection, f"Own {n}") for n in range(3)]
    sync(connection, known(), customer("7"))

    found = reviewed(connection, limit=2)

    assert (found.unmatched, found.unmatched_count) == (tuple(mine[:2]), 3)
    assert one(connection, "SELECT count(*) FROM crm.accounts") == 4
