"""What is the same thing twice by a check field that refers to another record does not depend on
which of them arrives first."""

import itertools

from hypothesis import given
from hypothesis import strategies as any_of
from psycopg import Connection

from quickbooks_crm.mapping import parse_all
from tests.integration.crm import CONTACTS, End, Record, accounts, by_hand, customer, rows, sync
from tests.stories import so_many, soon_told, telling

NO_PEOPLE = "exclude: [{where: {FamilyName: {blank: false}}, because: it is a person}]\n"
KNOWN = parse_all(
    {
        "accounts": accounts() + NO_PEOPLE,
        "contacts": CONTACTS.replace("{from: Id, refers", "{from: Of, refers"),
    }
)
PEOPLE = """
    SELECT lower(btrim(contact.last_name)), account.name FROM crm.contacts AS contact
      LEFT JOIN crm.accounts AS account ON account.id = contact.account_id ORDER BY 1, 2"""


def person(id: str, name: str, of: str) -> Record:
    """A contact of an account."""
    return customer(id, FamilyName=name, Of=of)


ARRIVING = [
    customer("10"),
    customer("11"),
    person("21", "Doe", "10"),
    person("22", " DOE", "10"),
    person("23", "Doe", "11"),
    person("24", "Roe", "10"),
    person("25", "doe", "10"),
]
EMPTY = """
    TRUNCATE crm.accounts, crm.contacts, sync.run, sync.link, sync.held, sync.parked, sync.former,
             sync.outcome, sync.module_position, sync.resolved_reference, sync.generation,
             sync.staged, sync.stage, sync.stand_in, sync.moved, quickbooks.record CASCADE"""
"""As each story begins."""


def test_people_before_their_account_are_the_same_thing_as_after_it(
    connection: Connection[None],
) -> None:
    sync(connection, KNOWN, person("21", "Doe", "10"))

    ended = sync(connection, KNOWN, person("22", "doe", "10"), person("23", "Doe", "11"))
    assert ended == [
        *(End(id, "excluded", "excluded_by_mapping") for id in ("22", "23")),
        End("22", "duplicate", "check_fields"),
        End("23", "added"),
    ]

    sync(connection, KNOWN, customer("10"), customer("11"))
    assert rows(connection, PEOPLE) == [("doe", "Customer 10"), ("doe", "Customer 11")]


def test_it_counts_for_whom_a_person_waits_and_not_that_both_wait(
    connection: Connection[None],
) -> None:
    """The first moves to another account, which is not there either."""
    sync(connection, KNOWN, person("21", "Doe", "10"))
    sync(connection, KNOWN, person("22", "Doe", "10"))
    sync(connection, KNOWN, person("21", "Doe", "11"))

    assert sync(connection, KNOWN) == [End("22", "added")]


def test_who_was_told_apart_is_added_though_both_wait_for_the_same(
    connection: Connection[None],
) -> None:
    sync(connection, KNOWN, person("21", "Doe", "10"))
    apart = (
        "INSERT INTO sync.different (realm, module, entity, id, record_key, other_key, by_whom) "
        "SELECT realm, module, entity, '22', record_key, '', 'me' FROM sync.link "
        "WHERE module = 'contacts'"
    )
    connection.execute(apart)

    assert sync(connection, KNOWN, person("22", "Doe", "10"))[-1] == End("22", "added")


def test_a_person_whom_the_crm_has_already_is_not_the_one_that_waits(
    connection: Connection[None],
) -> None:
    """Nobody knows yet that they are of the same account; afterwards both are there."""
    account = by_hand(connection, "crm.accounts", name="Own")
    by_hand(connection, "crm.contacts", last_name="Doe", account_id=account)

    assert sync(connection, KNOWN, person("21", "Doe", "10"))[-1] == End("21", "added")


@telling(so_many(15))
@given(any_of.permutations(ARRIVING), any_of.lists(any_of.booleans(), min_size=len(ARRIVING) - 1))
@soon_told
def test_the_same_people_are_in_the_crm_whatever_arrives_first_and_with_what(
    connection: Connection[None], order: list[Record], cuts: list[bool]
) -> None:
    connection.execute(EMPTY)
    together: list[Record] = []
    for record, then in itertools.zip_longest(order, cuts[: len(order) - 1], fillvalue=True):
        together.append(record)
        if then:
            sync(connection, KNOWN, *together)
            together = []

    assert rows(connection, PEOPLE) == [
        ("doe", "Customer 10"),
        ("doe", "Customer 11"),
        ("roe", "Customer 10"),
    ]
