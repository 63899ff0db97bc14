"""What the CRM holds after a load, and how each row is accounted for."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.runs import Run
from tests.integration.crm import (
    CONTACTS,
    REALM,
    End,
    accounts,
    by_hand,
    count,
    counts,
    customer,
    gone,
    item,
    mapping,
    one,
    outcome,
    products,
    rows,
    sync,
)

RUN = Run("sample", REALM, "run-1")
KEYED = "{key: quickbooks_product_id}"
FLAGS = "SELECT active, deleted FROM crm.products"
TREE = """
    SELECT child.name, parent.name FROM crm.accounts AS child
      LEFT JOIN crm.accounts AS parent ON parent.id = child.parent_id ORDER BY child.id"""


def people() -> dict[str, Mapping]:
    return parse_all({"accounts": accounts(), "contacts": CONTACTS})


def code(connection: Connection[Any]) -> str | None:
    found: str | None = one(connection, "SELECT code FROM crm.products")
    return found


def set_code(connection: Connection[Any], code: str | None) -> None:
    connection.execute("UPDATE crm.products SET code = %s", [code])


# ── the second time ─────────────────────────────────────────────────────────────────────────


def test_a_change_in_a_field_that_is_not_mapped_changes_nothing(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    before = rows(connection, "SELECT * FROM crm.products")

    assert sync(connection, products(), item("7", Description="new")) == [End("7", "unchanged")]
    assert rows(connection, "SELECT * FROM crm.products") == before


def test_only_what_changed_is_read(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7"), item("8"))

    assert sync(connection, products(), item("8", Name="Other")) == [End("8", "updated")]


def test_a_trigger_that_rewrites_values_does_not_make_every_run_an_update(
    connection: Connection[Any],
) -> None:
    trigger(connection, "NEW.name := upper(NEW.name); RETURN NEW;")

    sync(connection, products(), item("7", Name="Pump"))
    version = one(connection, "SELECT xmin::text FROM crm.products")
    again = sync(connection, products(), item("7", Name="Pump"))
    assert one(connection, "SELECT xmin::text FROM crm.products") == version
    renamed = sync(connection, products(), item("7", Name="Pumps"))
    in_vain = sync(connection, products(), item("7", Name="pumps"))

    assert (again, renamed) == ([End("7", "unchanged")], [End("7", "updated")])
    assert in_vain == [End("7", "unchanged")]
    assert rows(connection, "SELECT name FROM crm.products") == [("PUMPS",)]


def test_what_a_person_changed_is_overwritten_by_the_next_change_in_quickbooks(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Sku="A", UnitPrice=1))
    set_code(connection, "by hand")

    ended = sync(connection, products(), item("7", Sku="A", UnitPrice=2))

    assert ended == [End("7", "updated")]
    assert code(connection) == "A"


def test_what_a_person_changed_is_put_right_when_quickbooks_says_the_same_again(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", Sku="A"))
    set_code(connection, "by hand")

    ended = sync(connection, products(), item("7", Sku="A"))

    assert ended == [End("7", "updated")]
    assert code(connection) == "A"


# ── blanks ──────────────────────────────────────────────────────────────────────────────────


def test_a_blank_keeps_what_a_person_wrote_however_often_the_rest_changes(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")

    for name in ("Pump", "Hose", "Pump"):
        assert sync(connection, products(), item("7", Name=name)) == [End("7", "updated")]

    assert code(connection) == "by hand"


def test_a_blank_keeps_what_a_record_made_by_hand_had(connection: Connection[Any]) -> None:
    by_hand(connection, "crm.products", name="P", code="by hand", quickbooks_product_id="7")

    for name in ("Pump", "Hose"):
        sync(connection, products(), item("7", Name=name))

    assert code(connection) == "by hand"


def test_what_the_sync_wrote_over_a_persons_value_is_its_own_again(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")
    for sku in (None, "A", None):
        sync(connection, products(), item("7", Sku=sku, UnitPrice=1))

    assert code(connection) is None


def test_a_persons_value_does_not_become_the_syncs_own_by_a_delete(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")

    sync(connection, products(), gone(item("7")))
    sync(connection, products(), item("7"))

    assert code(connection) == "by hand"


def test_a_persons_value_does_not_become_the_syncs_own_when_a_reference_is_closed(
    connection: Connection[Any],
) -> None:
    known = parse_all({"accounts": accounts("notes: {from: Notes}")})
    sync(connection, known, under("9", "8"))
    connection.execute("UPDATE crm.accounts SET notes = 'by hand'")

    sync(connection, known, customer("9"))
    sync(connection, known, customer("8", DisplayName="Renamed"))

    assert rows(connection, "SELECT name, notes FROM crm.accounts ORDER BY id") == [
        ("Renamed", "by hand"),
        ("Customer 9", None),
    ]


def test_a_blank_that_overwrites_from_now_on_clears_a_record_that_did_not_change(
    connection: Connection[Any],
) -> None:
    always = "{key: quickbooks_product_id, blank_overwrites: true}"
    sync(connection, products(), item("7"))
    set_code(connection, "by hand")
    sync(connection, products(), item("7", Name="Pump"))

    assert sync(connection, products(always), item("7", Name="Pump")) == [End("7", "updated")]
    assert code(connection) is None


def test_a_blank_leaves_a_column_that_takes_none_to_its_default(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.products ADD COLUMN level integer NOT NULL DEFAULT 3")
    known = products(fields="level: {from: Level}")

    added = sync(connection, known, item("7"), item("8", Level=5))
    updated = sync(connection, known, item("8", Name="Pump"))

    assert (added, updated) == ([End("7", "added"), End("8", "added")], [End("8", "updated")])
    assert rows(connection, "SELECT level FROM crm.products ORDER BY id") == [(3,), (5,)]


# ── inactive, deleted, and back ─────────────────────────────────────────────────────────────


def test_inactive_deleted_and_back_are_flags_and_are_counted(connection: Connection[Any]) -> None:
    known = products()
    sync(connection, known, item("7"))
    story = []
    for record in (
        item("7", Active=False),
        gone(item("7", Active=False)),
        gone(item("7")),
        item("7"),
    ):
        (end,) = sync(connection, known, record)
        numbers = counts(connection)
        flags = (numbers.get("deactivated", 0), numbers.get("deleted", 0))
        story.append((end.outcome, outcome(connection, "7", "flag")[0], flags))
        story.append(rows(connection, FLAGS)[0])

    assert story == [
        ("updated", "deactivated", (1, 0)),
        (False, False),
        ("updated", "deleted", (0, 1)),
        (False, True),
        ("unchanged", None, (0, 0)),
        (False, True),
        ("updated", "reactivated", (0, 0)),
        (True, False),
    ]


def test_a_delete_writes_the_flags_only(connection: Connection[Any]) -> None:
    sync(connection, products(), item("7", Name="Pump", Sku="A"))

    sync(connection, products(), gone(item("7", Name="Stub", Sku=None)))

    assert rows(connection, "SELECT name, code, deleted FROM crm.products") == [("Pump", "A", True)]


# ── rows that the table refuses ─────────────────────────────────────────────────────────────


def trigger(connection: Connection[Any], body: str) -> None:
    """What a customer's own table may do with a product before it is stored."""
    connection.execute(
        "CREATE FUNCTION crm.own() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} END $$".encode()
    )
    connection.execute(
        "CREATE TRIGGER own BEFORE INSERT OR UPDATE ON crm.products "
        "FOR EACH ROW EXECUTE FUNCTION crm.own()"
    )


CHECKED = "ALTER TABLE crm.products ADD CONSTRAINT no_bad CHECK (name <> 'Bad')"
UNIQUE = """
    CREATE UNIQUE INDEX one_bad ON crm.products (name) WHERE name = 'Bad';
    INSERT INTO crm.products (name) VALUES ('Bad')"""
DEFERRED = """
    CREATE TABLE crm.names (name text PRIMARY KEY);
    INSERT INTO crm.names VALUES ('Item 7'), ('Item 9'), ('Item 7b'), ('Item 9b');
    ALTER TABLE crm.products ADD CONSTRAINT listed FOREIGN KEY (name) REFERENCES crm.names
          DEFERRABLE INITIALLY DEFERRED"""
RAISES = "IF NEW.name = 'Bad' THEN RAISE EXCEPTION 'no bad ones'; END IF; RETURN NEW;"
DROPS = "IF NEW.name = 'Bad' THEN RETURN NULL; END IF; RETURN NEW;"
DIVIDES = "IF NEW.name = 'Bad' THEN NEW.price := 1 / 0; END IF; RETURN NEW;"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (CHECKED, 'violates check constraint "no_bad"'),
        (UNIQUE, 'violates unique constraint "one_bad"'),
        (DEFERRED, 'violates foreign key constraint "listed"'),
        (RAISES, "no bad ones"),
        (DROPS, "left the record out without saying why"),
        (DIVIDES, "division by zero"),
    ],
)
def test_what_the_table_refuses_is_not_added_with_its_reason_and_all_others_are(
    connection: Connection[Any], rule: str, said: str
) -> None:
    if "NEW" in rule:
        trigger(connection, rule)
    else:
        connection.execute(rule.encode())
    known = products(KEYED)

    ended = sync(connection, known, item("7"), item("8", Name="Bad"), item("9"))

    assert ended == [
        End("7", "added"),
        End("8", "not_added", "refused_by_table"),
        End("9", "added"),
    ]
    assert said in outcome(connection, "8", "message")[0]
    assert count(connection, "sync.link") == 2


@pytest.mark.parametrize("rule", [RAISES, DROPS])
def test_an_update_that_the_table_refuses_leaves_the_record_and_its_link(
    connection: Connection[Any], rule: str
) -> None:
    trigger(connection, rule)
    sync(connection, products(), item("7"), item("8"))

    ended = sync(connection, products(), item("7", Name="Bad"), item("8", Name="Good"))
    mended = sync(connection, products(), item("7", Name="Mended"))

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "updated")]
    assert mended == [End("7", "updated")]
    assert rows(connection, "SELECT name FROM crm.products ORDER BY id") == [("Mended",), ("Good",)]


def test_names_that_move_in_a_full_circle_pass_a_deferrable_constraint(
    connection: Connection[Any],
) -> None:
    connection.execute("ALTER TABLE crm.products ADD UNIQUE (name) DEFERRABLE")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, item("1", Name="A"), item("2", Name="B"))

    ended = sync(connection, known, item("1", Name="B"), item("2", Name="A"))

    assert ended == [End("1", "updated"), End("2", "updated")]
    held = rows(connection, "SELECT name FROM crm.products ORDER BY quickbooks_product_id")
    assert held == [("B",), ("A",)]


@pytest.mark.parametrize("names", [["B", "C", "D"], ["C", "A", "B"], ["X", "A", "B"]])
def test_names_that_move_on_from_record_to_record_pass_a_unique_index_in_any_order(
    connection: Connection[Any], names: list[str]
) -> None:
    """Only a full circle has no order in which it could be written."""
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name)")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, *[item(id, Name=name) for id, name in zip("123", "ABC", strict=True)])

    ended = sync(connection, known, *[item(i, Name=n) for i, n in zip("123", names, strict=True)])

    circle = sorted(names) == ["A", "B", "C"]
    end = ("not_added", "refused_by_table") if circle else ("updated", None)
    assert ended == [End(id, *end) for id in "123"]
    held = "SELECT name FROM crm.products ORDER BY quickbooks_product_id"
    assert [name for (name,) in rows(connection, held)] == (["A", "B", "C"] if circle else names)


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


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("crm.short", "abcdef", 'violates check constraint "short_check"'),
        ("time", "25:00", "is not a time (hours:minutes)"),
        ("interval", "a while", "invalid input syntax for type interval"),
        ("double precision", "1e999", "is not a number"),
        ("inet", "nowhere", "invalid input syntax for type inet"),
        ("text[]", "not an array", "malformed"),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
def test_a_value_that_only_the_database_can_judge_stops_its_own_row(
    connection: Connection[Any], column: str, value: str, said: str, linked: bool
) -> None:
    connection.execute("CREATE DOMAIN crm.short AS text CHECK (length(VALUE) < 4)")
    connection.execute(f"ALTER TABLE crm.products ADD COLUMN own {column}".encode())
    known = products(fields="own: {from: Own}")
    if linked:
        sync(connection, known, item("7"), item("8"), item("9"))

    ended = sync(connection, known, item("7", Name="A"), item("8", Own=value), item("9", Name="B"))

    assert [end.outcome for end in ended] == [
        "updated" if linked else "added",
        "not_added",
        "updated" if linked else "added",
    ]
    assert ended[1].reason in ("refused_by_table", "invalid_value")
    assert said in outcome(connection, "8", "message")[0]


def test_a_text_arrives_with_every_character_it_has(connection: Connection[Any]) -> None:
    text = 'one\ttwo\nthree\r\\N \\. \\t {"four"}'

    sync(connection, products(), item("7", Sku=text))

    assert code(connection) == text


def test_one_bad_row_in_a_hundred_costs_only_itself(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.products ADD CHECK (code <> 'bad')")
    records = [item(str(n), Sku="bad" if n % 100 == 0 else None) for n in range(1, 2001)]

    sync(connection, products(), *records)

    assert counts(connection) == {"read": 2000, "added": 1980, "not_added": 20}
    assert count(connection, "crm.products") == 1980


# ── references ──────────────────────────────────────────────────────────────────────────────


def under(parent: str, id: str) -> Any:
    return customer(id, ParentRef={"value": parent})


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


def test_a_reference_that_the_table_refuses_leaves_all_others_alone(
    connection: Connection[Any],
) -> None:
    connection.execute(
        "ALTER TABLE crm.accounts ADD CHECK (name <> 'Customer 7' OR parent_id IS NULL)"
    )
    known = parse_all({"accounts": accounts()})
    sync(connection, known, under("9", "7"), under("9", "8"), customer("9"))

    ended = sync(connection, known)

    assert ended == [End("7", "not_added", "refused_by_table"), End("8", "updated")]
    assert sync(connection, known) == []
    assert ("Customer 8", "Customer 9") in rows(connection, TREE)


# ── rows held back ──────────────────────────────────────────────────────────────────────────


def test_rows_held_back_are_tried_again_when_the_mapping_changes_and_only_then(
    connection: Connection[Any],
) -> None:
    by_hand(connection, "crm.products", name="Pump")
    strict = products(KEYED, fields="type: {from: Type, required: true}", exclude="[]")
    sync(connection, strict, item("7"), item("8", Name="Pump", Type="Service"))
    assert count(connection, "sync.held") == 1

    nothing = sync(connection, strict)
    mended = sync(connection, products(KEYED))

    assert (nothing, mended) == ([], [End("7", "added")])
    assert count(connection, "sync.held") == 0


def test_a_row_held_back_that_is_mended_in_quickbooks_leaves_the_list(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("7", UnitPrice="much"))
    assert rows(connection, "SELECT id, outcome, reason FROM sync.held") == [
        ("7", "not_added", "invalid_value")
    ]

    assert sync(connection, products(), item("7", UnitPrice="5")) == [End("7", "added")]
    assert count(connection, "sync.held") == 0


# ── every row is accounted for ──────────────────────────────────────────────────────────────


def test_images_are_what_the_table_holds_to_the_last_digit(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.products ADD COLUMN amount numeric")
    known = products(fields="amount: {from: Amount}")
    digits = Decimal("1234567890.123456789")
    sync(connection, known, item("7", UnitPrice=Decimal("0.1"), Amount=digits))

    sync(connection, known, item("7", UnitPrice=Decimal("0.3"), Amount=-digits))

    held = one(connection, "SELECT to_jsonb(p) FROM crm.products AS p")
    after = outcome(connection, "7", "after")[0]
    assert after == {name: held[name] for name in after}
    assert rows(
        connection,
        """SELECT before ->> 'amount', after ->> 'amount', before ->> 'price', after ->> 'price'
             FROM sync.outcome WHERE run_id = 'run-2'""",
    ) == [(str(digits), str(-digits), "0.1000000", "0.3000000")]
    assert one(connection, "SELECT amount FROM crm.products") == -digits


# ── again, and when it is cut off ───────────────────────────────────────────────────────────


def whole(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """All that a load may change."""
    tables = ("crm.products", "sync.outcome", "sync.link", "sync.module_position", "sync.held")
    queries = [f"SELECT * FROM {table} ORDER BY 1" for table in tables]
    return [row for query in queries for row in rows(connection, query)]


def test_a_repeated_run_that_finds_more_tells_what_it_did_in_all(
    connection: Connection[Any],
) -> None:
    sync(connection, products(), item("1"), item("2"), run_id="before")
    sync(connection, products(), item("1", Name="A"), item("3"), item("4", Name=""), run_id="run-1")

    ended = sync(
        connection,
        products(),
        item("1", Name="B"),
        item("3", Name="C"),
        item("4"),
        item("5"),
        run_id="run-1",
    )

    assert ended == [End("1", "updated"), End("3", "added"), End("4", "added"), End("5", "added")]
    assert counts(connection) == {"read": 4, "updated": 1, "added": 3}
    before, after = outcome(connection, "1", "before", "after")
    assert (before["name"], after["name"]) == ("Item 1", "B")
    assert outcome(connection, "3", "before", "after")[0] is None


# ── other tables than ours ──────────────────────────────────────────────────────────────────

UUID_KEY = """
    CREATE TABLE "Own"."Order" (
        "Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), quickbooks_id text, name text)"""
STRANGE = """
    CREATE TABLE "Own"."Order" (
        "Key" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, quickbooks_id text, name text,
        "Select" mood, "state" text, "id" text, "entity" text, "current" text, "new" text,
        "i" text, "tags" text[], "since" date, "so" boolean,
        "Twice" text GENERATED ALWAYS AS (name || name) STORED)"""
FIELDS = {
    "Select": "happy",
    "state": "CA",
    "id": "an id",
    "entity": "one",
    "current": "now",
    "new": "not old",
    "i": "j",
    "tags": "{a,b}",
    "since": "2024-02-29",
    "so": "true",
}


def own(fields: str = "", key: str = "quickbooks_id") -> dict[str, Mapping]:
    text = mapping("Own.Order", fields, **{"import": f"{{key: {key}}}"})
    return parse_all({"own": text})


@pytest.fixture
def schema(connection: Connection[Any]) -> None:
    connection.execute('CREATE SCHEMA "Own"')


@pytest.mark.usefixtures("schema")
def test_a_key_that_the_table_makes_itself_is_linked(connection: Connection[Any]) -> None:
    connection.execute(UUID_KEY)

    first = sync(connection, own(), item("7"), item("8"))
    second = sync(connection, own(), item("7", Name="Pump"), item("8"))

    assert first == [End("7", "added"), End("8", "added")]
    assert second == [End("7", "updated"), End("8", "unchanged")]
    assert count(connection, "Own.Order") == 2


@pytest.mark.usefixtures("schema")
def test_names_and_types_of_every_sort_load_and_load_again(connection: Connection[Any]) -> None:
    connection.execute("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    connection.execute(STRANGE)
    known = own(", ".join(f"{name}: {{from: {name}X}}" for name in FIELDS))
    record = item("7", Name="A", **{f"{name}X": value for name, value in FIELDS.items()})

    first = sync(connection, known, record)
    second = sync(connection, known, record)
    other = item("7", Name="B", stateX="NY", currentX="then", SelectX="sad", soX="false")
    third = sync(connection, known, other)

    assert (first, second) == ([End("7", "added")], [End("7", "unchanged")])
    assert third == [End("7", "updated")]
    columns = 'name, "Select"::text, state, current, new, tags, so, "Twice"'
    assert rows(connection, f'SELECT {columns} FROM "Own"."Order"') == [
        ("B", "sad", "NY", "then", None, None, False, "BB")
    ]


@pytest.mark.usefixtures("schema")
def test_a_trigger_that_gives_keys_of_its_own_is_obeyed(connection: Connection[Any]) -> None:
    connection.execute(UUID_KEY)
    connection.execute("""
        CREATE FUNCTION own_key() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW."Key" := gen_random_uuid(); RETURN NEW; END $$""")
    connection.execute("""
        CREATE TRIGGER own_key BEFORE INSERT ON "Own"."Order"
        FOR EACH ROW EXECUTE FUNCTION own_key()""")

    first = sync(connection, own(), item("7"), item("8"))
    second = sync(connection, own(), item("7"), item("8", Name="Pump"))

    assert first == [End("7", "added"), End("8", "added")]
    assert second == [End("7", "unchanged"), End("8", "updated")]


@pytest.mark.usefixtures("schema")
def test_of_two_rows_with_the_same_mapped_primary_key_one_is_refused(
    connection: Connection[Any],
) -> None:
    connection.execute(
        'CREATE TABLE "Own"."Order" ("Key" text PRIMARY KEY, quickbooks_id text, name text)'
    )

    ended = sync(connection, own("Key: {from: Sku}"), item("7", Sku="A"), item("8", Sku="A"))

    assert ended == [End("7", "added"), End("8", "not_added", "refused_by_table")]
    assert outcome(connection, "8", "record_key") == (None,)
