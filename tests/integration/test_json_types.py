"""D34 and E4: a field of QuickBooks that becomes of another JSON type clears nothing in the CRM."""

from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import one_module, sources, wording
from quickbooks_crm.mapping import Mapping, parse_all
from quickbooks_crm.pages import looks
from quickbooks_crm.records import Shelf
from tests.integration.crm import REALM, End, Record, customer, item, one, outcome, rows, sync
from tests.integration.documents import TEXTS, invoice, known, line
from tests.integration.own_tables import into, own, things
from tests.integration.undo import bring_all, company, undo

__all__ = ["own"]

PEOPLE = """\
entities: [Customer]
table: own.people
import: {key: quickbooks_id}
exclude: [{where: {Kind.Code: internal}, because: it is one of ours}]
fields:
  quickbooks_id: {from: Id}
  name:   {from: DisplayName}
  city:   {from: BillAddr.City}
  place:  {from: {join: [BillAddr.Line1, BillAddr.City], with: ", "}}
  email:  {from: [PrimaryEmailAddr.Address, OtherEmail]}
  mobile: {from: "Phones[Kind=Mobile].Number"}
  sent:   {from: Anything}
"""
SENT: dict[str, Any] = {
    "DisplayName": "Ada",
    "BillAddr": {"City": "Rome", "Line1": "Via 1"},
    "PrimaryEmailAddr": {"Address": "ada@example.com"},
    "Phones": [{"Kind": "Mobile", "Number": "1"}],
    "Kind": {"Code": "external"},
}
HELD = "SELECT name, city, place, email, mobile FROM own.people"


def people(own: Connection[Any]) -> dict[str, Mapping]:
    columns = "name text, city text, place text, email text, mobile text, sent jsonb"
    own.execute(f"CREATE TABLE own.people (id serial PRIMARY KEY, quickbooks_id text, {columns})")
    return parse_all({"people": PEOPLE})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"BillAddr": "Rome"}, "BillAddr is not an object."),
        ({"BillAddr": 5}, "BillAddr is not an object."),
        ({"BillAddr": [{"City": "Rome"}]}, "BillAddr is not an object."),
        ({"BillAddr": {"City": {"Name": "Rome"}}}, "BillAddr.City is not a single value."),
        ({"BillAddr": {"City": ["Rome"]}}, "BillAddr.City is not a single value."),
        ({"PrimaryEmailAddr": "ada@example.com"}, "PrimaryEmailAddr is not an object."),
        ({"OtherEmail": ["a@example.com"]}, "OtherEmail is not a single value."),
        ({"Phones": {"Kind": "Mobile", "Number": "1"}}, "Phones is not a list."),
        ({"Phones": "1"}, "Phones is not a list."),
        (
            {"Phones": [{"Kind": "Mobile", "Number": {"Free": "1"}}]},
            "Phones.Number is not a single value.",
        ),
        ({"DisplayName": {"First": "Ada"}}, "DisplayName is not a single value."),
        ({"DisplayName": [5]}, "DisplayName is not a single value."),
        ({"DisplayName": [True]}, "DisplayName is not a single value."),
        ({"Kind": "internal"}, "Kind is not an object."),
        ({"Kind": {"Code": ["internal"]}}, "Kind.Code is not a single value."),
        (
            {"BillAddr": "Rome", "DisplayName": [5]},
            "DisplayName is not a single value. BillAddr is not an object.",
        ),
    ],
    ids=repr,
)
def test_a_field_of_another_type_keeps_its_record_as_it_was(
    own: Connection[Any], said: dict[str, Any], message: str
) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT))
    before = rows(own, HELD)

    ended = sync(own, mappings, customer("1", **SENT | said), customer("2", **SENT))

    assert ended == [End("1", "not_added", "invalid_value"), End("2", "added")]
    assert outcome(own, "1", "message") == (message,)
    assert rows(own, HELD)[:1] == before
    assert sync(own, mappings, customer("1", **SENT, OtherEmail="b@c.de")) == [
        End("1", "unchanged")
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"BillAddr": None, "Phones": None, "PrimaryEmailAddr": None, "Kind": None},
        {"BillAddr": {}, "Phones": [], "PrimaryEmailAddr": {}, "Kind": {}},
        {"BillAddr": {"City": {}, "Line1": []}, "Phones": [], "PrimaryEmailAddr": {}, "Kind": {}},
        {name: None for name in SENT if name != "DisplayName"},
    ],
    ids=repr,
)
def test_what_is_empty_is_blank_and_no_other_type(
    own: Connection[Any], said: dict[str, Any]
) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT))

    assert sync(own, mappings, customer("1", **SENT | said)) == [End("1", "updated")]
    assert rows(own, HELD) == [("Ada", None, None, None, None)]


def test_a_number_or_truth_value_for_a_text_is_one_value_still(own: Connection[Any]) -> None:
    mappings = people(own)

    sync(own, mappings, customer("1", **SENT | {"DisplayName": 5, "BillAddr": {"City": True}}))

    assert rows(own, "SELECT name, city FROM own.people") == [("5", "true")]


@pytest.mark.parametrize("text", ["[2024]", '["a"]', "{}", "[]x", '{"a": 1}'])
def test_a_text_that_looks_like_a_list_or_an_object_is_a_text(
    own: Connection[Any], text: str
) -> None:
    things(own, "value text")

    ended = sync(own, into("text"), item("7", Value=text))

    assert ended == [End("7", "added")]
    assert one(own, "SELECT value FROM own.things") == (text if text != "{}" else None)


@pytest.mark.parametrize("type_", ["json", "jsonb", "own.free"])
@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ({"a": [1], "b": None}, {"a": [1], "b": None}),
        (["b", {"c": 1.10}], ["b", {"c": 1.10}]),
        ({"a\\b": '\t"\n\u2028é'}, {"a\\b": '\t"\n\u2028é'}),
        ("plain", "plain"),
        ('{"a": 1}', '{"a": 1}'),
        ("[1]", "[1]"),
        ("{broken", "{broken"),
        ("\ufdd0{broken", "{broken"),
        (5, "5"),
        (True, "true"),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_column_of_json_gets_an_object_or_list_itself_and_all_else_as_a_text(
    own: Connection[Any], type_: str, sent: Any, held: Any
) -> None:
    own.execute("CREATE DOMAIN own.free AS jsonb")
    things(own, f"value {type_}")

    ended = sync(own, into(type_), item("7", Value=sent))

    assert ended == [End("7", "added")]
    assert one(own, "SELECT value::jsonb FROM own.things") == held
    assert sync(own, into(type_), item("7", Value=sent)) == [End("7", "unchanged")]


@pytest.mark.parametrize(
    ("words", "held"),
    [
        ("{from: [Missing, BillAddr]}", {"City": "Rome"}),
        ("{from: [DisplayName, BillAddr]}", "Ada"),
        ("{from: Missing, default: '{\"a\": 1}'}", '{"a": 1}'),
        ("{from: DisplayName, for_entity: {Customer: {from: BillAddr}}}", {"City": "Rome"}),
        ("{from: {join: [DisplayName, BillAddr]}}", 'Ada {"City": "Rome"}'),
        ("{from: 'Phones[Kind=Mobile]'}", {"Kind": "Mobile", "Number": "1"}),
        ("{from: Other.value, lookup: {entity: Customer, show: BillAddr}}", {"City": "Rome"}),
        ("{from: Other.value, lookup: {entity: Customer, show: DisplayName}}", "Ada"),
    ],
)
def test_an_object_fills_a_column_of_json_from_wherever_it_comes(
    own: Connection[Any], words: str, held: Any
) -> None:
    own.execute("CREATE TABLE own.people (id serial PRIMARY KEY, quickbooks_id text, sent jsonb)")
    text = PEOPLE.split("fields:")[0] + f"fields: {{quickbooks_id: {{from: Id}}, sent: {words}}}"
    sent = SENT | {"BillAddr": {"City": "Rome"}, "Other": {"value": "1"}}

    sync(own, parse_all({"people": text}), customer("1", **sent))

    assert one(own, "SELECT sent FROM own.people") == held


def test_a_name_in_a_column_of_json_is_without_what_quickbooks_appends(
    own: Connection[Any],
) -> None:
    own.execute("CREATE TABLE own.people (id serial PRIMARY KEY, quickbooks_id text, sent jsonb)")
    text = (
        PEOPLE.split("fields:")[0]
        + "fields: {quickbooks_id: {from: Id}, sent: {from: DisplayName}}"
    )

    sync(own, parse_all({"people": text}), customer("1", DisplayName="Ada (deleted)", Active=False))

    assert one(own, "SELECT sent FROM own.people") == "Ada"


def test_lines_have_objects_in_columns_of_json_too(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.invoice_lines ADD detail jsonb")
    text = known()["documents"].text + "    detail: {from: SalesItemLineDetail}\n"
    mappings = {"products": known()["products"].text, "documents": text}

    sync(connection, parse_all(mappings), invoice("1", line("a", Qty=1), line("b", "5")))

    held = rows(connection, "SELECT detail FROM crm.invoice_lines ORDER BY position")
    assert held == [(None,), ({"ItemRef": {"value": "5"}},)]


@pytest.mark.parametrize(("edits", "kept"), [("quickbooks", {"a": 1}), ("crm", "mine")])
def test_what_an_older_release_wrote_as_a_text_becomes_the_object_without_a_conflict(
    own: Connection[Any], edits: str, kept: Any
) -> None:
    people(own)
    text = PEOPLE.replace("{from: Anything}", f"{{from: Anything, edits: {edits}}}")
    mappings, sent = parse_all({"people": text}), SENT | {"Anything": {"a": 1}}
    sync(own, mappings, customer("1", **sent), customer("2", **sent))
    _write_as_an_older_release(own)
    own.execute("UPDATE own.people SET sent = '\"mine\"' WHERE quickbooks_id = '2'")

    bring_all(own, mappings, "replay")

    assert rows(own, "SELECT sent FROM own.people ORDER BY quickbooks_id") == [({"a": 1},), (kept,)]
    assert rows(own, "SELECT id, field FROM sync.conflict") == []
    assert {end.outcome for end in bring_all(own, mappings, "again")} == {"unchanged"}


def _write_as_an_older_release(own: Connection[Any]) -> None:
    own.execute("UPDATE own.people SET sent = to_jsonb(sent::text)")
    own.execute(
        "UPDATE sync.link SET source_hash = 'older', "
        "written = written || jsonb_build_object('sent', written ->> 'sent')"
    )


def test_an_object_that_a_person_has_changed_is_not_cleared_by_a_blank(
    own: Connection[Any],
) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT | {"Anything": {"a": 1}}))
    own.execute("UPDATE own.people SET sent = '{\"a\": 2}'")

    assert sync(own, mappings, customer("1", **SENT)) == [End("1", "unchanged")]
    assert one(own, "SELECT sent FROM own.people") == {"a": 2}


def test_an_undo_brings_the_object_back(own: Connection[Any]) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT | {"Anything": {"a": [1]}}))
    sync(own, mappings, customer("1", **SENT | {"Anything": ["b"]}), run_id="b")
    assert one(own, "SELECT sent FROM own.people") == ["b"]

    undo(own, mappings, "b")

    assert one(own, "SELECT sent FROM own.people") == {"a": [1]}


def test_beside_a_crm_record_stands_the_object_that_its_column_would_get(
    own: Connection[Any],
) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT | {"Anything": {"a": 1.10}}))
    target = one_module.target(own, mappings["people"], company())
    shelf = Shelf("sample", REALM, target, ("people",))

    candidate = sources.one(own, shelf, "Customer", "1")

    assert candidate and sources.says(own, shelf, candidate)["sent"] == {"a": Decimal("1.10")}


def test_people_read_an_object_as_quickbooks_sends_it() -> None:
    sent = {"City": "Rom\u00e9", "Rate": Decimal("1.10"), "Lines": [1, None]}

    told = '{"City":"Rom\u00e9","Rate":1.10,"Lines":[1,null]}'
    assert (looks.value(sent), wording.shown(sent)) == (told, told)


def test_of_what_is_deleted_no_field_is_looked_at(own: Connection[Any]) -> None:
    mappings = people(own)
    sync(own, mappings, customer("1", **SENT))

    record = Record("Customer", "1", {"Id": "1"} | SENT | {"BillAddr": "Rome"}, deleted=True)

    assert sync(own, mappings, record) == [End("1", "unchanged")]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["B"], "Line is not an object."),
        ([line("B", SalesItemLineDetail="7")], "Line.SalesItemLineDetail is not an object."),
        (
            [line("B", SalesItemLineDetail={"ItemRef": "7"})],
            "Line.SalesItemLineDetail.ItemRef is not an object.",
        ),
        ([line("A"), line("B", Description=["B"])], "Line.Description is not a single value."),
        ([line("B", DetailType={"A": 1})], "Line.DetailType is not a single value."),
        ([line("B", GroupLineDetail={"Line": [5]})], "Line is not an object."),
        ([line("B", GroupLineDetail={"Line": 5})], "Line is not an object."),
        ([line("B", GroupLineDetail=[{"Line": [5]}])], "Line is not an object."),
        (
            [line("B", GroupLineDetail={"Line": [{"SalesItemLineDetail": 5}]})],
            "Line.SalesItemLineDetail is not an object.",
        ),
    ],
    ids=repr,
)
def test_a_field_of_another_type_in_a_line_keeps_the_document_as_it_was(
    connection: Connection[Any], said: Any, message: str
) -> None:
    sync(connection, known(), item("7"), invoice("1", line("A", "7")))
    before = rows(connection, TEXTS)

    ended = sync(connection, known(), invoice("1", Line=said), invoice("2", line("C")))

    assert ended == [End("1", "not_added", "invalid_value"), End("2", "added")]
    assert outcome(connection, "1", "message") == (message,)
    assert rows(connection, TEXTS)[:1] == before


def test_lines_that_quickbooks_does_not_speak_of_stay(connection: Connection[Any]) -> None:
    """E6: a key that is absent is not an empty list."""
    sync(connection, known(), invoice("1", line("A"), line("B")))
    before = rows(connection, TEXTS)
    bare = invoice("1", DocNumber="5")
    del bare.payload["Line"]

    assert sync(connection, known(), bare) == [End("1", "updated")]
    assert rows(connection, TEXTS) == before
    assert one(connection, "SELECT number FROM crm.invoices") == "5"
    notes = outcome(connection, "1", "details")[0]["notes"]
    assert [note["reason"] for note in notes] == ["no_lines"]

    assert sync(connection, known(), invoice("1", DocNumber="5")) == [End("1", "updated")]
    assert rows(connection, TEXTS) == []


def test_a_new_document_without_lines_comes_in(connection: Connection[Any]) -> None:
    bare = invoice("1")
    del bare.payload["Line"]

    assert sync(connection, known(), bare) == [End("1", "added")]
    assert sync(connection, known(), bare) == [End("1", "unchanged")]
    assert sync(connection, known(), invoice("1", line("A"))) == [End("1", "updated")]
    assert rows(connection, TEXTS) == [(1, "A")]
