"""What a record refers to, whether it comes with it, before it, later or never."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from tests.integration.crm import (
    CONTACTS,
    End,
    Record,
    accounts,
    by_hand,
    count,
    counts,
    customer,
    item,
    mapping,
    one,
    outcome,
    rows,
    sync,
    under,
)

TREE = """
    SELECT child.name, parent.name FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id ORDER BY child.id"""


def people() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts(), "contacts": CONTACTS})


def test_a_reference_closed_in_an_unchanged_row_makes_it_an_update_with_both_images(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))

    ended = sync(connection, known, under("9", "8"), customer("9"))

    parent = one(connection, "SELECT id FROM crm.accounts WHERE name = 'Customer 9'")
    before, after = outcome(connection, "8", "before", "after")
    assert ended == [End("8", "updated"), End("9", "added")]
    assert (before["parent_id"], after["parent_id"]) == (None, parent)
    assert counts(connection, "accounts") == {"read": 2, "added": 1, "updated": 1}


def test_records_that_come_with_their_parents_are_written_once(connection: Connection[Any]) -> None:
    connection.execute("""
        CREATE FUNCTION crm.refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'written twice'; END $$""")
    connection.execute("""
        CREATE TRIGGER refuse BEFORE UPDATE ON crm.accounts
        FOR EACH ROW EXECUTE FUNCTION crm.refuse()""")
    known = parse_all({"accounts": accounts()})

    ended = sync(connection, known, under("9", "8"), customer("9"), under("7", "7"))

    assert ended == [End("7", "added"), End("8", "added"), End("9", "added")]
    assert rows(connection, TREE) == [
        ("Customer 7", "Customer 7"),
        ("Customer 8", "Customer 9"),
        ("Customer 9", None),
    ]
    assert outcome(connection, "8", "after")[0]["parent_id"] == 3
    assert (count(connection, "sync.parked"), sync(connection, known)) == (0, [])


def test_what_is_noted_of_a_record_is_the_same_when_another_is_refused_beside_it(
    connection: Connection[Any],
) -> None:
    """All others are then written one by one, and their references closed after that."""
    connection.execute("ALTER TABLE crm.accounts ADD CHECK (name <> 'Customer 7')")
    known, own = parse_all({"accounts": accounts()}), (under("9", "8"), customer("9"))

    sync(connection, known, *own)
    sync(connection, known, *own, customer("7"), realm="9341452000000002", company="other")

    noted = rows(connection, "SELECT DISTINCT id, source_hash FROM sync.link ORDER BY id")
    assert [id for id, _ in noted] == ["8", "9"]
    assert sync(connection, known, *own) == [End("8", "unchanged"), End("9", "unchanged")]


def test_a_trigger_that_reads_the_parent_finds_it_though_the_child_has_the_lower_id(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.accounts ADD path text")
    connection.execute("""
        CREATE FUNCTION crm.find_path() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.path := concat_ws(' / ', (SELECT path FROM crm.accounts WHERE id = NEW.parent_id),
                                  NEW.name);
            RETURN NEW;
        END $$""")
    connection.execute("""
        CREATE TRIGGER find_path BEFORE INSERT OR UPDATE ON crm.accounts
        FOR EACH ROW EXECUTE FUNCTION crm.find_path()""")
    known = parse_all({"accounts": accounts()})

    sync(connection, known, under("8", "7"), under("9", "8"), customer("9"))

    assert rows(connection, "SELECT path FROM crm.accounts ORDER BY id") == [
        ("Customer 9 / Customer 8 / Customer 7",),
        ("Customer 9 / Customer 8",),
        ("Customer 9",),
    ]


def test_a_parent_that_a_person_chose_is_told_as_before_when_the_reference_is_closed(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))
    chosen = by_hand(connection, "crm.accounts", name="Chosen")
    connection.execute("UPDATE crm.accounts SET parent_id = %s WHERE id <> %s", [chosen, chosen])

    sync(connection, known, under("9", "8"), customer("9"))

    assert outcome(connection, "8", "before")[0]["parent_id"] == chosen


def test_a_parent_that_a_person_has_chosen_rightly_leaves_the_row_unchanged(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "8"))
    by_hand(
        connection, "crm.accounts", name="Nine", quickbooks_customer_id="9", company_id="sample"
    )
    connection.execute("UPDATE crm.accounts SET parent_id = 2 WHERE id = 1")

    ended = sync(connection, known, under("9", "8"), customer("9"))

    assert ended == [End("8", "unchanged"), End("9", "updated")]
    assert rows(connection, TREE)[0] == ("Customer 8", "Customer 9")
    assert count(connection, "sync.parked") == 0


def test_a_contact_belongs_to_the_account_of_its_customer(connection: Connection[Any]) -> None:
    sync(connection, people(), customer("1", FamilyName="Lee"), customer("2"))

    account = one(connection, "SELECT id FROM crm.accounts WHERE name = 'Customer 1'")
    assert rows(connection, "SELECT last_name, account_id FROM crm.contacts") == [("Lee", account)]


def test_a_contact_whose_account_comes_later_is_told_in_the_run_that_brought_it(
    connection: Connection[Any],
) -> None:
    nobody = accounts().replace("name: {from: DisplayName}", "name: {from: CompanyName}")
    sync(
        connection,
        parse_all({"accounts": nobody, "contacts": CONTACTS}),
        customer("1", FamilyName="Lee"),
    )
    assert one(connection, "SELECT account_id FROM crm.contacts") is None

    ended = sync(connection, people(), customer("1", FamilyName="Lee"))

    account = one(connection, "SELECT id FROM crm.accounts")
    assert ended[0] == End("1", "added")
    assert one(connection, "SELECT account_id FROM crm.contacts") == account
    assert count(connection, "sync.parked") == 0


def test_a_row_that_is_not_brought_up_to_date_goes_on_waiting_for_its_reference(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts("balance: {from: Balance}")})
    sync(connection, known, under("9", "8"))
    sync(connection, known, customer("8", ParentRef={"value": "9"}, Balance="much"))

    sync(connection, known, customer("9"))

    assert rows(connection, TREE)[0] == ("Customer 8", "Customer 9")


def test_what_waits_for_a_record_of_another_module_than_the_mapping_says_now_is_not_led_there(
    connection: Connection[Any],
) -> None:
    """Both modules have a record with the same number."""

    def known(party: str) -> dict[str, Mapping]:
        deals = mapping("own.deals", f"party: {{from: Party, refers: {party}}}")
        agents = mapping("own.agents", entities="[Vendor]")
        buyers = mapping("own.buyers", entities="[Customer]")
        return parse_all({"agents": agents, "buyers": buyers, "deals": deals})

    connection.execute("CREATE SCHEMA own")
    for table in ("agents", "buyers", "deals"):
        connection.execute(
            f"CREATE TABLE own.{table} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "quickbooks_id text, name text, party bigint)".encode()
        )
    sync(connection, known("agents"), item("1", Party="5"))
    sync(connection, known("buyers"), item("2", Party="7"))

    sync(connection, known("buyers"), Record("Vendor", "5", {"Id": "5"}), customer("7"))

    assert rows(connection, "SELECT quickbooks_id, party FROM own.deals ORDER BY 1") == [
        ("1", None),
        ("2", 1),
    ]


def test_a_missing_reference_that_the_table_demands_is_refused_and_comes_when_it_is_there(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.contacts ALTER account_id SET NOT NULL")
    nobody = accounts().replace("name: {from: DisplayName}", "name: {from: CompanyName}")
    known = parse_all({"accounts": nobody, "contacts": CONTACTS})
    first = sync(connection, known, customer("1", FamilyName="Lee"))

    second = sync(connection, known | {"accounts": people()["accounts"]})

    assert first == [
        End("1", "not_added", "missing_required"),
        End("1", "not_added", "refused_by_table"),
    ]
    assert second == [End("1", "added"), End("1", "added")]
    assert count(connection, "sync.held") + count(connection, "sync.parked") == 0


def test_a_reference_that_the_table_refuses_leaves_all_others_alone(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "ALTER TABLE crm.accounts ADD CHECK (name <> 'Customer 7' OR parent_id IS NULL)"
    )
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "7"), under("9", "8"), customer("9"))
    assert ("Customer 8", "Customer 9") in rows(connection, TREE)

    ended = sync(connection, known)

    assert ended == [End("7", "not_added", "refused_by_table")]
    assert sync(connection, known) == []
