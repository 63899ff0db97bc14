"""What the CRM holds after a load, and how each row is accounted for."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from tests.integration.crm import (
    End,
    by_hand,
    code,
    count,
    counts,
    gone,
    item,
    one,
    outcome,
    products,
    rows,
    set_code,
    sync,
)

KEYED = "{key: quickbooks_product_id}"
FLAGS = "SELECT active, deleted FROM crm.products"

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


HIDDEN = """
    ALTER TABLE crm.products ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY seen ON crm.products FOR SELECT USING (true);
    CREATE POLICY added ON crm.products FOR INSERT WITH CHECK (true);
    CREATE POLICY changed ON crm.products FOR UPDATE USING (name <> 'Secret')"""


@pytest.mark.parametrize("body", ["", DROPS], ids=["security alone", "beside a trigger"])
def test_a_record_that_row_level_security_hides_from_changes_is_told_as_such(
    connection: Connection[Any], body: str
) -> None:
    sync(connection, products(), item("7", Name="Secret"), item("8"), item("9"))
    connection.execute(HIDDEN.encode())
    if body:
        trigger(connection, body)

    told = [item("7", Name="Open"), item("8", Name="Bad"), item("9", Name="Good")]
    ended = sync(connection, products(), *told)

    other = End("8", "not_added", "refused_by_table") if body else End("8", "updated")
    assert ended == [End("7", "not_added", "refused_by_table"), other, End("9", "updated")]
    assert outcome(connection, "7", "message") == (
        "Row-level security of the CRM table hides the record from the sync, which cannot change "
        "it so.",
    )
    if body:
        assert outcome(connection, "8", "message") == (
            "One of the triggers of the CRM table (own, touch) left the record out without saying "
            "why.",
        )


def test_triggers_for_other_actions_are_not_named_for_what_is_left_out(
    connection: Connection[Any],
) -> None:
    trigger(connection, DROPS)
    connection.execute(
        "CREATE FUNCTION crm.fine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    )
    for name, when in (("off", "BEFORE INSERT"), ("upd", "BEFORE UPDATE"), ("aft", "AFTER INSERT")):
        connection.execute(
            f"CREATE TRIGGER {name} {when} ON crm.products FOR EACH ROW EXECUTE FUNCTION crm.fine()"
        )
    connection.execute("ALTER TABLE crm.products DISABLE TRIGGER off")

    sync(connection, products(), item("8", Name="Bad"))

    assert outcome(connection, "8", "message") == (
        "A trigger of the CRM table (own) left the record out without saying why.",
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (CHECKED, 'violates check constraint "no_bad"'),
        (UNIQUE, 'violates unique constraint "one_bad"'),
        (DEFERRED, 'violates foreign key constraint "listed"'),
        (RAISES, "no bad ones"),
        (DROPS, "A trigger of the CRM table (own) left the record out without saying why."),
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


@pytest.mark.parametrize("names", [["B", "A"], ["B", "C", "A"]])
def test_a_record_whose_value_another_one_holds_names_it(
    connection: Connection[Any], names: list[str]
) -> None:
    connection.execute("CREATE UNIQUE INDEX unlike ON crm.products (name)")
    known = products("{key: quickbooks_product_id}")
    now = [item(str(id), Name=name) for id, name in enumerate(names, 1)]
    sync(connection, known, *[item(str(id), Name=name) for id, name in enumerate("ABC", 1)])

    sync(connection, known, *now, item("9", Name="A"))

    held = dict(rows(connection, "SELECT name, id FROM crm.products"))
    refused = (
        "The CRM table refused the record: duplicate key value violates unique constraint "
        '"unlike". In its way: CRM record {}.'
    )
    told = [outcome(connection, one.id, "message")[0] for one in now]
    assert told == [refused.format(held[name]) for name in names]
    assert outcome(connection, "9", "message")[0] == refused.format(held["A"])


def test_a_record_in_the_way_of_a_unique_index_of_some_records_is_one_of_these(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name) WHERE code LIKE 'in %'")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, item("1", Name="A", Sku="out"), item("2", Name="A", Sku="in use"))

    sync(connection, known, item("9", Name="A", Sku="in store"))

    [(key,)] = rows(connection, "SELECT id FROM crm.products WHERE code = 'in use'")
    assert outcome(connection, "9", "message")[0].endswith(f" In its way: CRM record {key}.")


def test_a_record_comes_in_when_the_one_in_its_way_is_none_of_a_unique_index_any_more(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name) WHERE NOT deleted")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, item("1", Name="A"))
    ended = sync(connection, known, item("9", Name="A"))
    connection.execute("UPDATE crm.products SET deleted = true")

    again = sync(connection, known)

    assert ended == [End("9", "not_added", "refused_by_table")]
    assert again == [End("9", "added")]


def test_nothing_is_said_to_be_in_the_way_by_a_column_that_nobody_maps(
    connection: Connection[Any],
) -> None:
    """Its value is the table's own: which record has it is not known from QuickBooks."""
    connection.execute("ALTER TABLE crm.products ADD region text NOT NULL DEFAULT 'here'")
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name, region)")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, item("1", Name="A"))
    connection.execute("UPDATE crm.products SET region = 'there'")
    sync(connection, known, item("2", Name="A"))

    sync(connection, known, item("9", Name="A"))

    assert "In its way" not in outcome(connection, "9", "message")[0]


def test_what_the_same_run_has_added_is_in_the_way_by_the_name_that_a_preview_knows(
    connection: Connection[Any],
) -> None:
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name)")

    sync(connection, products("{key: quickbooks_product_id}"), *[item(id, Name="A") for id in "12"])

    assert outcome(connection, "2", "message")[0].endswith(" In its way: QuickBooks' Item 1.")


@pytest.mark.parametrize("names", [["B", "A"], ["B", "C", "A"]])
def test_a_circle_of_names_comes_in_one_by_one_once_a_record_is_called_otherwise(
    connection: Connection[Any], names: list[str]
) -> None:
    connection.execute("CREATE UNIQUE INDEX ON crm.products (name)")
    known = products("{key: quickbooks_product_id}")
    sync(connection, known, *[item(str(id), Name=n) for id, n in enumerate(sorted(names), 1)])
    sync(connection, known, *[item(str(id), Name=name) for id, name in enumerate(names, 1)])
    connection.execute("UPDATE crm.products SET name = 'Z' WHERE quickbooks_product_id = '1'")

    ended = [sync(connection, known) for _ in names]

    backwards = range(len(names), 0, -1)
    assert ended == [[End(str(id), "updated")] for id in backwards]
    held = rows(connection, "SELECT name FROM crm.products ORDER BY quickbooks_product_id")
    assert [name for (name,) in held] == names


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
