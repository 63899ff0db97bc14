"""Owners: which CRM user a record belongs to."""

from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import catalog, owners
from quickbooks_crm.mapping import Mapping, load, parse_all
from tests.integration.crm import (
    End,
    Record,
    by_hand,
    count,
    customer,
    item,
    mapping,
    one,
    outcome,
    rows,
    sync,
)

SHIPPED = Path(__file__).resolve().parents[2] / "include" / "mappings"
OWNED = """
    SELECT quickbooks_customer_id, users.name FROM crm.accounts
      LEFT JOIN crm.users ON users.id = owner_id ORDER BY quickbooks_customer_id::integer"""
PEOPLE = """
    SELECT contacts.quickbooks_customer_id, users.name FROM crm.contacts
      LEFT JOIN crm.users ON users.id = contacts.owner_id ORDER BY 1"""


def user(connection: Connection[Any], name: str, **values: Any) -> int:
    return by_hand(connection, "crm.users", name=name, **values)


def accounts(
    owner: str = "{from: Rep, owner: true}", settings: str = "", **more: str
) -> dict[str, Mapping]:
    """A mapping of Customer to accounts with an owner, and mappings of other modules."""
    text = (
        "entities: [Customer]\ntable: crm.accounts\ncompany: company_id\n"
        f"import: {{key: quickbooks_customer_id{settings}}}\n"
        "fields: {quickbooks_customer_id: {from: Id}, name: {from: DisplayName}, "
        f"owner_id: {owner}}}\n"
    )
    return parse_all({"accounts": text} | more)


CONTACTS = (
    "entities: [Customer]\ntable: crm.contacts\ncompany: company_id\n"
    "import: {key: quickbooks_customer_id}\n"
    "fields: {quickbooks_customer_id: {from: Id}, last_name: {from: DisplayName}, "
    "account_id: {from: Account, refers: accounts}, owner_id: {owner: account_id}}\n"
)
REJECT = ", unknown_owner: reject"
OWNER_MISSING = "Owner is required, and nobody is named."
OWNER_UNKNOWN = "Owner 'nobody' is the External User Id of no active user."
SECOND_MISSING = "Second is required, and nobody is named."
NAME_MISSING = "Account name is required but blank in QuickBooks."
NAME_TOO_LONG = f"Account name '{'x' * 39}…' is longer than 500 characters."
TERMS_MISSING = "Payment terms is required, and no keyword of it is on its list."


def test_the_owner_is_the_active_user_with_that_external_user_id(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    user(connection, "Bob", external_user_id="U-2")

    sync(connection, accounts(), customer("7", Rep="u-2 "), customer("8", Rep="U-1"))

    assert rows(connection, OWNED) == [("7", "Bob"), ("8", "Ann")]


def test_a_user_without_an_external_user_id_owns_nothing_that_is_imported(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    user(connection, "Bob")

    sync(connection, accounts(), customer("7", Rep="Bob"), customer("8", Rep="U-1"))

    assert rows(connection, OWNED) == [("7", None), ("8", "Ann")]


@pytest.mark.parametrize(("named", "active"), [("U-9", True), ("U-1", False)])
def test_an_unknown_or_inactive_owner_becomes_the_default_owner_and_is_told(
    connection: Connection[Any], named: str, active: bool
) -> None:
    user(connection, "Ann", external_user_id="U-1", active=active)
    user(connection, "Dora", external_user_id="D")

    ended = sync(connection, accounts(), customer("7", Rep=named), default_owner="d")

    assert ended == [End("7", "added")]
    assert rows(connection, OWNED) == [("7", "Dora")]
    assert outcome(connection, "7", "details")[0]["notes"] == [
        {
            "reason": "unknown_owner",
            "field": "owner_id",
            "label": "Owner",
            "value": named,
            "rule": "is the External User Id of no active user",
        }
    ]


@pytest.mark.parametrize(("named", "active"), [("U-9", True), ("U-1", False)])
def test_under_reject_a_record_of_an_unknown_or_inactive_owner_is_not_added(
    connection: Connection[Any], named: str, active: bool
) -> None:
    user(connection, "Ann", external_user_id="U-1", active=active)
    user(connection, "Dora", external_user_id="D")
    known = accounts(settings=REJECT)

    ended = sync(connection, known, customer("7", Rep=named), customer("8"), default_owner="D")

    assert ended == [End("7", "not_added", "unknown_owner"), End("8", "added")]
    message = outcome(connection, "7", "message")[0]
    assert message == f"Owner '{named}' is the External User Id of no active user."
    assert rows(connection, OWNED) == [("8", "Dora")]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO crm.users (name, external_user_id) VALUES ('Bob', 'U-9')",
        "UPDATE crm.users SET external_user_id = 'U-9'",
    ],
)
def test_a_refused_record_is_tried_again_once_its_owner_is_a_user(
    connection: Connection[Any], change: str
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = accounts(settings=REJECT)
    sync(connection, known, customer("7", Rep="U-9"))
    assert sync(connection, known) == []

    connection.execute(change.encode())

    assert sync(connection, known) == [End("7", "added")]


def test_a_record_that_is_there_stays_as_it_is_while_its_new_owner_is_unknown(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = accounts(settings=REJECT)
    sync(connection, known, customer("7", Rep="U-1"), customer("8", Rep="U-1"))

    news = customer("7", Rep="U-9", DisplayName="New"), customer("8", Rep="U-1", DisplayName="New")
    ended = sync(connection, known, *news)

    assert ended == [End("7", "not_added", "unknown_owner"), End("8", "updated")]
    assert rows(connection, "SELECT name FROM crm.accounts ORDER BY id") == [
        ("Customer 7",),
        ("New",),
    ]


@pytest.mark.parametrize("who", [{"external_user_id": "Admin"}, {"email": "ADMIN"}])
def test_without_a_source_value_the_owner_is_who_runs_the_import(
    connection: Connection[Any], who: dict[str, str]
) -> None:
    user(connection, "Ann", **who)
    user(connection, "Dora", external_user_id="D")

    sync(connection, accounts(), customer("7"), default_owner="D")

    assert rows(connection, OWNED) == [("7", "Ann")]


def test_without_a_source_value_a_scheduled_run_gives_the_default_owner(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="admin")
    user(connection, "Dora", external_user_id="D")
    connection.execute(
        "CREATE FUNCTION sync.scheduled() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.trigger := 'scheduled'; RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER scheduled BEFORE INSERT ON sync.run FOR EACH ROW "
        "EXECUTE FUNCTION sync.scheduled()"
    )

    sync(connection, accounts("{owner: true}"), customer("7"), default_owner="D")

    assert rows(connection, OWNED) == [("7", "Dora")]


def test_the_default_owner_of_a_mapping_counts_more_than_that_of_the_company(
    connection: Connection[Any],
) -> None:
    user(connection, "Dora", external_user_id="D")
    user(connection, "Emil", external_user_id="E")
    known = accounts(settings=", default_owner: E")

    sync(connection, known, customer("7"), default_owner="D")

    assert rows(connection, OWNED) == [("7", "Emil")]


def test_nobody_known_and_no_default_owner_leave_the_owner_blank(
    connection: Connection[Any],
) -> None:
    assert sync(connection, accounts(), customer("7")) == [End("7", "added")]
    assert rows(connection, OWNED) == [("7", None)]


def test_what_a_record_that_cannot_be_read_lacks_is_not_told(connection: Connection[Any]) -> None:
    """It follows from that, if it is so at all."""
    known = accounts("{from: Rep.Id, owner: true, required: true}")

    ended = sync(connection, known, customer("7", Rep="U-1"))

    assert ended == [End("7", "not_added", "invalid_value")]
    assert outcome(connection, "7", "message") == ("Rep is not an object.",)


def test_a_required_owner_whom_nobody_names_is_missing(connection: Connection[Any]) -> None:
    known = accounts("{from: Rep, owner: true, required: true}")

    assert sync(connection, known, customer("7")) == [End("7", "not_added", "missing_required")]


@pytest.mark.parametrize(
    ("settings", "said", "told"),
    [
        ("", {}, [OWNER_MISSING, SECOND_MISSING]),
        ("", {"Rep": "nobody"}, [OWNER_MISSING, SECOND_MISSING]),
        ("", {"Second": "nobody"}, [OWNER_MISSING, SECOND_MISSING]),
        (REJECT, {"Rep": "nobody"}, [OWNER_UNKNOWN, SECOND_MISSING]),
        (REJECT, {"Second": "U-1"}, [OWNER_MISSING]),
        (
            ", unknown_keywords: ignore",
            {"Terms": "x"},
            [TERMS_MISSING, OWNER_MISSING, SECOND_MISSING],
        ),
        (
            ", unknown_keywords: ignore",
            {"Terms": "x", "DisplayName": "\u200b"},
            [NAME_MISSING, TERMS_MISSING, OWNER_MISSING, SECOND_MISSING],
        ),
        (
            REJECT,
            {"DisplayName": "", "Rep": "nobody"},
            [NAME_MISSING, OWNER_UNKNOWN, SECOND_MISSING],
        ),
        ("", {"DisplayName": "x" * 501}, [NAME_TOO_LONG, OWNER_MISSING, SECOND_MISSING]),
        (REJECT, {"DisplayName": "", "Rep": "U-1", "Second": "u-1"}, [NAME_MISSING]),
    ],
)
def test_whatever_a_record_lacks_is_told_at_once(
    connection: Connection[Any], settings: str, said: dict[str, str], told: list[str]
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    connection.execute("ALTER TABLE crm.accounts ADD COLUMN second bigint REFERENCES crm.users")
    known = accounts(
        "{from: Rep, owner: true, required: true}, "
        "second: {from: Second, owner: true, required: true}, "
        "terms: {from: Terms, default: Net 30, required: true}",
        settings,
    )

    sync(connection, known, customer("7", **said))

    reason, message, details = outcome(connection, "7", "reason", "message", "details")
    assert (reason, message) == ("missing_required", " ".join(told))
    assert [each["rule"] + "." for each in details[: len(told)]] == [
        text[text.index(" is ") + 1 :] for text in told
    ]


def test_a_record_keeps_its_owner_when_quickbooks_names_none(connection: Connection[Any]) -> None:
    ann = user(connection, "Ann", external_user_id="U-1")
    user(connection, "Dora", external_user_id="D")
    by_hand(connection, "crm.accounts", name="A", quickbooks_customer_id="8", owner_id=ann)
    sync(connection, accounts(), customer("7", Rep="U-1"), customer("8"), default_owner="D")

    ended = sync(connection, accounts(), customer("7", DisplayName="B"), default_owner="D")

    assert ended == [End("7", "updated")]
    assert rows(connection, OWNED) == [("7", "Ann"), ("8", "Ann")]


def test_a_record_without_an_owner_gets_one_when_it_changes(connection: Connection[Any]) -> None:
    sync(connection, accounts(), customer("7"))
    user(connection, "Dora", external_user_id="D")

    sync(connection, accounts(), customer("7", DisplayName="B"), default_owner="D")

    assert rows(connection, OWNED) == [("7", "Dora")]


def test_an_owner_that_changes_in_quickbooks_changes_in_the_crm(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    user(connection, "Bob", external_user_id="U-2")
    sync(connection, accounts(), customer("7", Rep="U-1"))

    assert sync(connection, accounts(), customer("7", Rep="U-2")) == [End("7", "updated")]
    assert sync(connection, accounts(), customer("7", Rep="u-2")) == [End("7", "unchanged")]
    assert rows(connection, OWNED) == [("7", "Bob")]


def test_a_constant_names_the_owner_of_all(connection: Connection[Any]) -> None:
    user(connection, "Ann", external_user_id="U-1")

    sync(connection, accounts("{value: U-1, owner: true}"), customer("7"))

    assert rows(connection, OWNED) == [("7", "Ann")]


def test_contacts_have_the_owner_of_their_account_also_one_decided_in_the_same_run(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    user(connection, "Bob", external_user_id="U-2")
    known = accounts(contacts=CONTACTS)

    sync(connection, known, customer("7", Rep="U-1", Account="7"), customer("8", Account="7"))
    assert rows(connection, PEOPLE) == [("7", "Ann"), ("8", "Ann")]

    sync(connection, known, customer("7", Rep="U-2", Account="7", DisplayName="New"))
    assert rows(connection, PEOPLE) == [("7", "Bob"), ("8", "Ann")]


def test_as_shipped_a_contact_has_the_owner_of_its_account_whoever_imports_it(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="admin")
    bob = user(connection, "Bob")
    by_hand(connection, "crm.accounts", name="A", quickbooks_customer_id="8", owner_id=bob)
    known = {name: load(SHIPPED)[name] for name in ("accounts", "contacts")}

    sync(connection, known, customer("7", FamilyName="Pye"), customer("8", FamilyName="Roe"))

    assert rows(connection, OWNED) == [("7", "Ann"), ("8", "Bob")]
    assert rows(connection, PEOPLE) == [("7", "Ann"), ("8", "Bob")]


def test_a_contact_follows_when_its_account_gets_another_owner(connection: Connection[Any]) -> None:
    for name, code in (("Ann", "U-1"), ("Bob", "U-2")):
        user(connection, name, external_user_id=code)
    known = accounts(contacts=CONTACTS)
    sync(connection, known, customer("7", Rep="U-1", Account="7"))

    ended = sync(connection, known, customer("7", Rep="U-2", Account="7"))

    assert ended == [End("7", "updated"), End("7", "updated")]
    assert rows(connection, OWNED) == [("7", "Bob")]
    owner = "SELECT users.name FROM crm.contacts JOIN crm.users ON users.id = owner_id"
    assert rows(connection, owner) == [("Bob",)]


def test_a_record_that_is_not_read_keeps_its_owner_and_follows_when_it_is_read_again(
    connection: Connection[Any],
) -> None:
    for name, code in (("Ann", "U-1"), ("Bob", "U-2")):
        user(connection, name, external_user_id=code)
    known = accounts(contacts=CONTACTS)
    other = customer("8", Account="7")
    sync(connection, known, customer("7", Rep="U-1", Account="7"), other)

    sync(connection, known, customer("7", Rep="U-2", Account="7"))
    assert rows(connection, PEOPLE) == [("7", "Bob"), ("8", "Ann")]

    sync(connection, known, other)
    assert rows(connection, PEOPLE) == [("7", "Bob"), ("8", "Bob")]


def test_a_contact_has_no_owner_when_its_account_has_none_any_more(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = accounts(contacts=CONTACTS)
    other = customer("8", Account="7")
    sync(connection, known, customer("7", Rep="U-1", Account="7"), other)
    connection.execute("UPDATE crm.accounts SET owner_id = NULL")

    sync(connection, known, other)

    assert rows(connection, PEOPLE) == [("7", "Ann"), ("8", None)]


def test_inside_one_module_the_owner_is_that_of_the_parent_before_the_load(
    connection: Connection[Any],
) -> None:
    for name, code in (("Ann", "U-1"), ("Bob", "U-2")):
        user(connection, name, external_user_id=code)
    connection.execute("ALTER TABLE crm.accounts ADD COLUMN lead_id bigint REFERENCES crm.users")
    above = "parent_id: {from: Parent, refers: accounts}, lead_id: {owner: parent_id}"
    known = accounts(f"{{from: Rep, owner: true}}, {above}")
    leads = """
        SELECT users.name FROM crm.accounts LEFT JOIN crm.users ON users.id = lead_id
         WHERE quickbooks_customer_id = '8'"""
    child = customer("8", Parent="7")
    sync(connection, known, customer("7", Rep="U-1"), child)
    assert rows(connection, leads) == [("Ann",)]

    sync(connection, known, customer("7", Rep="U-2"), child)
    assert rows(connection, leads) == [("Ann",)]

    sync(connection, known, child)
    assert rows(connection, leads) == [("Bob",)]


def test_a_contact_whose_account_comes_later_gets_its_owner_then(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1")
    known = accounts(contacts=CONTACTS)
    sync(connection, known, customer("7", Account="9"))
    assert rows(connection, PEOPLE) == [("7", None)]

    sync(connection, known, customer("9", Rep="U-1"))

    assert rows(connection, PEOPLE)[0] == ("7", "Ann")


STAFF = """
    CREATE TABLE public.staff (code uuid PRIMARY KEY DEFAULT gen_random_uuid(), nick text,
                               qb_code text, employed boolean);
    INSERT INTO public.staff (nick, qb_code, employed)
    VALUES ('Ann', 'U-1', true), ('Bob', 'U-2', false), ('Cid', 'U-3', true), ('Cyd', 'U-3', true);
    CREATE TABLE public.firms (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text,
                               quickbooks_id text, rep uuid)"""
FIRMS = """
    SELECT name, nick FROM public.firms LEFT JOIN public.staff ON code = rep ORDER BY name"""


def test_a_table_of_ones_own_says_where_its_users_are(connection: Connection[Any]) -> None:
    connection.execute(STAFF.encode())
    owner = "{from: Rep, owner: {users: public.staff, external_id: qb_code, active: employed}}"
    text = mapping("public.firms", f"rep: {owner}")
    people = [item_of(str(n)) for n in (1, 2, 3)]

    sync(connection, parse_all({"firms": text}), *people)

    assert rows(connection, FIRMS) == [("Firm 1", "Ann"), ("Firm 2", None), ("Firm 3", None)]


def item_of(number: str) -> Record:
    return item(number, Name=f"Firm {number}", Rep=f"U-{number}")


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("owner: true", "points to no table of users. Give it a foreign key, or write the table"),
        ("owner: {users: public.staff}", "has no column external_user_id, by which owners are"),
        (
            "owner: {users: public.staff, external_id: qb_code, active: nick}",
            "does not tell who is active: it is no column of true and false",
        ),
        ("owner: {users: public.nobody}", "The CRM database has no table public.nobody"),
    ],
)
def test_an_owner_column_that_leads_to_no_users_is_told_before_any_run(
    connection: Connection[Any], owner: str, said: str
) -> None:
    connection.execute(STAFF.encode())
    known = parse_all({"firms": mapping("public.firms", f"rep: {{from: Rep, {owner}}}")})["firms"]
    table = catalog.read(connection, "public.firms")

    (problem,) = owners.misfits(connection, known, table, None)

    assert problem.startswith("firms.yaml line 4: fields.rep.owner: ")
    assert said in problem


def test_a_default_owner_who_is_no_active_user_is_told_before_any_run(
    connection: Connection[Any],
) -> None:
    user(connection, "Ann", external_user_id="U-1", active=False)
    user(connection, "Bob", external_user_id="U-2")
    table = catalog.read(connection, "crm.accounts")
    known = accounts()["accounts"]

    (problem,) = owners.misfits(connection, known, table, "U-1")

    assert "the company's default_owner 'U-1' is the External User Id of no active user" in problem
    assert list(owners.misfits(connection, known, table, "u-2")) == []
    own = accounts(settings=", default_owner: U-1")["accounts"]
    (problem,) = owners.misfits(connection, own, table, "u-2")
    assert "line 4: import.default_owner: 'U-1' is the External User Id of no active" in problem
    assert count(connection, "crm.users") == one(connection, "SELECT 2")


def test_a_default_owner_for_whose_key_the_column_is_too_short_is_not_cut_off_to_another_user(
    connection: Connection[Any],
) -> None:
    connection.execute(STAFF.encode())
    connection.execute(
        "CREATE TABLE public.crew (id bigint PRIMARY KEY, external_user_id text, active boolean); "
        "INSERT INTO public.crew VALUES (12345, 'U-1', true), (123, 'U-2', true); "
        "ALTER TABLE public.firms ALTER rep TYPE varchar(3)"
    )
    owner = "{from: Rep, owner: {users: public.crew}}"
    text = mapping("public.firms", f"rep: {owner}", **{"import": "{key: quickbooks_id}"})
    known = parse_all({"firms": text})
    sync(connection, known, item("1"))

    new = sync(connection, known, item("7"), item("8", Rep="U-2"), default_owner="U-1")
    changed = sync(connection, known, item("1", Name="Firm"), default_owner="U-1")

    assert new == [End("7", "not_added", "refused_by_table"), End("8", "added")]
    assert changed == [End("1", "not_added", "refused_by_table")]
    assert rows(connection, "SELECT quickbooks_id, rep FROM public.firms ORDER BY 1") == [
        ("1", None),
        ("8", "123"),
    ]
