"""Keywords: stored as their list spells them; what is on no list is left out or joins it."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import activity, catalog, keywords, wording
from tests.integration.crm import REALM, End, counts, item, one, outcome, products, rows, sync
from tests.integration.keyword_lists import (
    ADDED,
    KEYED,
    REQUIRED_TERMS,
    TAGS,
    TERMS,
    held,
    listed,
    mapped,
    values,
)


@pytest.mark.parametrize("said", ["Net 30", "net  30 ", "ＮＥＴ 30", "NET30", "net30"])
def test_a_keyword_is_stored_as_its_list_spells_it_whatever_its_case_its_form_or_its_alias(
    connection: Connection[Any], said: str
) -> None:
    listed(connection, "terms")

    sync(connection, mapped(TERMS), item("7", Terms=said))

    assert held(connection, "terms") == ["Net 30"]
    assert outcome(connection, "7", "details") == (None,)


def test_under_ignore_an_unknown_keyword_is_left_out_and_told_on_its_row(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")

    ended = sync(connection, mapped(TERMS), item("7", Terms="Net 45"), item("8", Terms="Net 60"))

    assert ended == [End("7", "added"), End("8", "added")]
    assert held(connection, "terms") == [None, "Net 60"]
    assert values(connection) == ["Net 30", "Net 60"]
    assert outcome(connection, "7", "details") == (
        {
            "notes": [
                {
                    "reason": "unknown_keyword",
                    "field": "terms",
                    "label": "Terms",
                    "value": "Net 45",
                    "rule": "is not on the list of keywords",
                }
            ]
        },
    )


def test_what_was_left_out_is_told_with_the_row(connection: Connection[Any]) -> None:
    listed(connection, "terms")

    sync(connection, mapped(TERMS), item("7", Terms="Net 45"), run_id="first")

    found = activity.rows(connection, REALM, "first", "products", "added")
    assert wording.listing(found) == (
        "Item 7  added  Terms 'Net 45' is not on the list of keywords."
    )


def test_under_insert_an_unknown_keyword_joins_the_list_as_it_was_first_spelled(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, unknown_keywords="insert")

    sync(
        connection,
        known,
        item("10", Terms="NET 45"),
        item("9", Terms=" Net 45"),
        item("8", Terms="Net 30"),
    )

    assert held(connection, "terms") == ["Net 30", "Net 45", "Net 45"]
    assert values(connection) == ["Net 30", "Net 45", "Net 60"]
    assert rows(connection, ADDED) == [("products", "terms", "Net 45", "crm.keyword_values", "7")]


def test_the_field_has_the_last_word_on_unknown_keywords(connection: Connection[Any]) -> None:
    listed(connection, "terms")
    known = mapped("terms: {from: Terms, keywords: ignore}", unknown_keywords="insert")

    sync(connection, known, item("7", Terms="Net 45"))

    assert held(connection, "terms") == [None]
    assert values(connection) == ["Net 30", "Net 60"]


@pytest.mark.parametrize(
    ("separator", "said", "expected"),
    [
        ("|", "net 60|NET30", ["Net 60", "Net 30"]),
        (";", "net 60; NET30 ;", ["Net 60", "Net 30"]),
        ("|", "Net 30|net 30|NET30", ["Net 30"]),
        ("|", " | ", None),
        (";", "Net 30|Net 60", None),
    ],
)
def test_the_separator_parts_the_keywords_of_a_field_of_several(
    connection: Connection[Any], separator: str, said: str, expected: list[str] | None
) -> None:
    listed(connection, "tags", several=True)

    sync(connection, mapped(TAGS, separator=separator), item("7", Tags=said))

    assert held(connection, "tags") == [expected]


def test_a_field_of_one_keyword_is_not_parted(connection: Connection[Any]) -> None:
    listed(connection, "terms")

    sync(connection, mapped(TERMS, unknown_keywords="insert"), item("7", Terms="A|B"))

    assert held(connection, "terms") == ["A|B"]


def test_of_a_mixed_cell_the_known_keywords_stay_and_the_others_are_told(
    connection: Connection[Any],
) -> None:
    listed(connection, "tags", several=True)

    sync(connection, mapped(TAGS), item("7", Tags="Net 45|net 60|Net 90|NET30"))

    assert held(connection, "tags") == [["Net 60", "Net 30"]]
    notes = outcome(connection, "7", "details")[0]["notes"]
    assert [note["value"] for note in notes] == ["Net 45", "Net 90"]


def test_of_a_mixed_cell_the_unknown_keywords_join_the_list_under_insert(
    connection: Connection[Any],
) -> None:
    listed(connection, "tags", several=True)

    sync(connection, mapped(TAGS, unknown_keywords="insert"), item("7", Tags="Net 45|net 60"))

    assert held(connection, "tags") == [["Net 45", "Net 60"]]
    assert values(connection) == ["Net 30", "Net 45", "Net 60"]


def test_a_list_of_quickbooks_is_several_keywords(connection: Connection[Any]) -> None:
    listed(connection, "tags", several=True)

    sync(connection, mapped(TAGS, separator=";"), item("7", Tags=["net 60", "NET30", None]))

    assert held(connection, "tags") == [["Net 60", "Net 30"]]


@pytest.mark.parametrize("text", ["[NaN]", "[Infinity, 1]", "[" * 4000])
def test_a_text_that_is_nearly_a_list_is_a_keyword_as_it_is(
    connection: Connection[Any], text: str
) -> None:
    listed(connection, "tags", several=True)

    sync(connection, mapped(TAGS, separator=";"), item("7", Tags="Net 60"), item("8", Tags=text))

    assert held(connection, "tags") == [["Net 60"], None]


def test_loading_keywords_twice_changes_nothing(connection: Connection[Any]) -> None:
    listed(connection, "tags", several=True)
    known = mapped(TAGS, unknown_keywords="insert")
    sync(connection, known, item("7", Tags="Net 45|net30"))

    assert sync(connection, known, item("7", Tags="Net 45|net30")) == [End("7", "unchanged")]
    assert values(connection) == ["Net 30", "Net 45", "Net 60"]


def test_a_keyword_that_is_no_longer_offered_is_on_the_list_all_the_same(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute("UPDATE crm.keyword_values SET active = false WHERE value = 'Net 30'")

    sync(connection, mapped(TERMS, unknown_keywords="insert"), item("7", Terms="net30"))

    assert held(connection, "terms") == ["Net 30"]
    assert one(connection, "SELECT active FROM crm.keyword_values WHERE value = 'Net 30'") is False


def test_a_keyword_of_a_row_that_is_not_in_the_crm_does_not_join_the_list(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute("ALTER TABLE crm.products ADD CHECK (name <> 'Bad')")
    known = mapped(TERMS, unknown_keywords="insert")

    sync(connection, known, item("7", Name="Bad", Terms="Net 45"), item("8", Terms="Net 90"))

    assert values(connection) == ["Net 30", "Net 60", "Net 90"]


@pytest.mark.parametrize(
    ("several", "said", "kept"),
    [
        (False, "Thirty days net", "Net 30"),
        (True, ["Thirty days net", "Net 60"], ["Net 30", "Net 60"]),
    ],
)
def test_an_alias_may_be_longer_than_what_the_column_takes(
    connection: Connection[Any], several: bool, said: Any, kept: Any
) -> None:
    listed(connection, "terms", several)
    type_ = "varchar(6)[]" if several else "varchar(6)"
    connection.execute(f"ALTER TABLE crm.products ALTER terms TYPE {type_}".encode())
    connection.execute(
        "INSERT INTO crm.keyword_aliases (list_id, value_id, alias) "
        "VALUES (7, 71, 'Thirty days net')"
    )

    ended = sync(connection, mapped(TERMS), item("7", Terms=said))

    assert ended == [End("7", "added")]
    assert held(connection, "terms") == [kept]


def test_under_ignore_an_unknown_keyword_may_be_too_long_for_the_column(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute("ALTER TABLE crm.products ALTER terms TYPE varchar(6)")

    ended = sync(connection, mapped(TERMS), item("7", Terms="In ninety days"))

    assert ended == [End("7", "added")]
    assert held(connection, "terms") == [None]
    assert "In ninety days" in str(outcome(connection, "7", "details"))


@pytest.mark.parametrize(
    "shorter",
    [
        pytest.param("crm.products ALTER terms", id="than its column takes"),
        pytest.param("crm.keyword_values ALTER value", id="than its list takes"),
    ],
)
def test_under_insert_a_record_with_a_new_keyword_that_is_too_long_is_not_added(
    connection: Connection[Any], shorter: str
) -> None:
    listed(connection, "terms")
    connection.execute(f"ALTER TABLE {shorter} TYPE varchar(14)".encode())
    known = mapped(TERMS, unknown_keywords="insert")
    long = "In ninety days, as both have agreed, or later"

    ended = sync(connection, known, item("7", Terms=long), item("8", Terms="Net 45"))

    assert ended == [End("7", "not_added", "invalid_value"), End("8", "added")]
    assert values(connection) == ["Net 30", "Net 45", "Net 60"]
    shown = "In ninety days, as both have agreed, or "
    rule = "is longer than 14 characters"
    assert outcome(connection, "7", "message", "details") == (
        f"Terms '{shown}' {rule}.",
        [
            {
                **{"reason": "invalid_value", "field": "terms", "label": "Terms"},
                **{"value": shown, "rule": rule},
            }
        ],
    )


def test_one_of_several_new_keywords_that_is_too_long_keeps_the_record_out(
    connection: Connection[Any],
) -> None:
    listed(connection, "tags", several=True)
    connection.execute("ALTER TABLE crm.keyword_values ALTER value TYPE varchar(14)")
    known = mapped(TAGS, unknown_keywords="insert")

    ended = sync(connection, known, item("7", Tags="Net 30|Net 45|Net 90 or later"))

    assert ended == [End("7", "not_added", "invalid_value")]
    assert values(connection) == ["Net 30", "Net 60"]


def test_a_record_that_is_there_stays_as_it_is_while_a_new_keyword_is_too_long(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute("ALTER TABLE crm.products ALTER terms TYPE varchar(6)")
    known = mapped(TERMS, unknown_keywords="insert")
    sync(connection, known, item("7", Terms="Net 30"))

    ended = sync(connection, known, item("7", Name="New", Terms="In ninety days"))

    assert ended == [End("7", "not_added", "invalid_value")]
    assert rows(connection, "SELECT name, terms FROM crm.products") == [("Item 7", "Net 30")]


def test_a_record_whose_keyword_was_too_long_comes_when_the_list_has_it_as_an_alias(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    connection.execute("ALTER TABLE crm.products ALTER terms TYPE varchar(6)")
    known = mapped(TERMS, unknown_keywords="insert")
    sync(connection, known, item("7", Terms="In sixty days"))
    alias = "INSERT INTO crm.keyword_aliases (list_id, value_id, alias) VALUES (7, 72, %s)"
    connection.execute(alias, ["in sixty days"])

    assert sync(connection, known) == [End("7", "added")]
    assert held(connection, "terms") == ["Net 60"]


def test_all_that_keeps_a_record_out_for_its_keywords_is_named_at_once(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    listed(connection, "tags", several=True)
    connection.execute("ALTER TABLE crm.keyword_values ALTER value TYPE varchar(14)")
    known = mapped(f"{REQUIRED_TERMS}, tags: {{from: Tags, keywords: insert}}")

    ended = sync(connection, known, item("7", Terms="Net 45", Tags="Net 90 or later"))

    assert ended == [End("7", "not_added", "missing_required")]
    assert outcome(connection, "7", "message") == (
        "Tags 'Net 90 or later' is longer than 14 characters. "
        "Terms is required, and no keyword of it is on its list.",
    )


def test_a_required_field_whose_keywords_are_all_unknown_is_missing(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(REQUIRED_TERMS)

    ended = sync(connection, known, item("7", Terms="Net 45"), item("8", Terms="net30"))

    assert ended == [End("7", "not_added", "missing_required"), End("8", "added")]
    assert counts(connection)["not_added"] == 1


def test_a_record_that_is_there_stays_as_it_is_while_a_required_keyword_is_unknown(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(REQUIRED_TERMS)
    sync(connection, known, item("7", Terms="Net 30"))

    ended = sync(connection, known, item("7", Name="New", Terms="Net 45"))

    assert ended == [End("7", "not_added", "missing_required")]
    assert rows(connection, "SELECT name, terms FROM crm.products") == [("Item 7", "Net 30")]


def test_an_unknown_keyword_is_a_blank_and_clears_only_what_the_sync_wrote(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS)
    sync(connection, known, item("7", Terms="Net 30"), item("8", Terms="Net 30"))
    connection.execute("UPDATE crm.products SET terms = 'Net 60' WHERE quickbooks_product_id = '8'")

    sync(connection, known, item("7", Terms="Net 45"), item("8", Terms="Net 45"))

    assert held(connection, "terms") == [None, "Net 60"]


def test_a_table_without_lists_takes_them_from_the_mapping(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE crm.products ADD COLUMN tags text[], ADD COLUMN terms text")
    known = products(
        f"{{{KEYED}, separator: ';', unknown_keywords: insert}}",
        fields="tags: {from: Tags, keywords: [Red, Blue]}, "
        "terms: {from: Terms, keywords: [Net 30]}",
    )

    sync(connection, known, item("7", Tags="blue;green; RED", Terms="net 30"))

    assert rows(connection, "SELECT tags, terms FROM crm.products") == [(["Blue", "Red"], "Net 30")]
    notes = outcome(connection, "7", "details")[0]["notes"]
    assert [note["value"] for note in notes] == ["green"]


def test_two_fields_of_one_list_add_a_keyword_once(connection: Connection[Any]) -> None:
    listed(connection, "terms")
    listed(connection, "tags", several=True)
    known = mapped(f"{TERMS}, {TAGS}", unknown_keywords="insert")

    sync(connection, known, item("7", Terms="Net 45", Tags="NET 45"))

    assert rows(connection, "SELECT terms, tags FROM crm.products") == [("Net 45", ["Net 45"])]
    assert values(connection) == ["Net 30", "Net 45", "Net 60"]


def test_a_keyword_that_a_load_adds_is_on_the_list_for_all_its_rows_and_fields(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    listed(connection, "tags", several=True)
    known = mapped(f"{REQUIRED_TERMS}, tags: {{from: Tags, keywords: insert}}")

    sync(connection, known, item("7", Terms="NET 45"), item("8", Terms="Net 60", Tags="Net 45"))

    assert held(connection, "terms") == ["Net 45", "Net 60"]


def test_when_another_load_adds_the_keyword_first_this_one_is_done_again_and_takes_its_spelling(
    connection: Connection[Any],
) -> None:
    listed(connection, "terms")
    known = mapped(TERMS, unknown_keywords="insert")
    # The other load commits after this one has looked at the list.
    connection.execute(
        "CREATE FUNCTION crm.sooner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'NET 45') "
        "ON CONFLICT DO NOTHING; RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER sooner AFTER INSERT ON crm.products EXECUTE FUNCTION crm.sooner()"
    )

    with pytest.raises(psycopg.errors.SerializationFailure):
        sync(connection, known, item("7", Terms="Net 45"))
    connection.execute("INSERT INTO crm.keyword_values (list_id, value) VALUES (7, 'NET 45')")
    sync(connection, known, run_id="again")

    assert held(connection, "terms") == ["NET 45"]
    assert values(connection) == ["NET 45", "Net 30", "Net 60"]


@pytest.mark.parametrize(
    ("prepare", "field", "said"),
    [
        (
            "ALTER TABLE crm.products ADD COLUMN terms text",
            "terms: {from: Terms, keywords: insert}",
            "the CRM has no keyword list for crm.products.terms. Write the keywords themselves, "
            "such as [Net 15, Net 30], or give the field a list in the CRM.",
        ),
        (
            "ALTER TABLE crm.products ALTER terms TYPE text",
            "terms: {from: Terms}",
            "crm.products.terms is to hold several keywords and is text. Make it a column of type "
            "text[], or the field one of a single keyword.",
        ),
    ],
)
def test_keywords_that_do_not_fit_their_column_are_told_before_any_run(
    connection: Connection[Any], prepare: str, field: str, said: str
) -> None:
    if "ALTER terms" in prepare:
        listed(connection, "terms", several=True)
    connection.execute(prepare.encode())
    known = products(fields=field)["products"]

    table = catalog.read(connection, "crm.products")

    found = [p.partition(": fields.terms.keywords: ")[2] for p in keywords.misfits(known, table)]
    assert found == [said]


@pytest.mark.parametrize(
    ("field", "unknown"),
    [
        ("tags: {value: Net 45}", "fields.tags.value 'Net 45'"),
        ("tags: {from: Tags, default: Net 30|Net 45}", "fields.tags.default 'Net 45'"),
        (
            "tags: {from: Tags, for_entity: {Item: {value: Net 45}}}",
            "fields.tags.for_entity.Item.value 'Net 45'",
        ),
        ("tags: {value: Net 45, keywords: [Net 15]}", "fields.tags.value 'Net 45'"),
        ("tags: {value: net30|NET 60}", None),
        ("tags: {value: Net 45, keywords: insert}", None),
        ("tags: {value: Net 45, keywords: [NET 45]}", None),
    ],
)
def test_a_constant_that_is_on_no_list_is_told_before_any_run(
    connection: Connection[Any], field: str, unknown: str | None
) -> None:
    listed(connection, "tags", several=True)
    known = products(fields=field)["products"]
    table = catalog.read(connection, "crm.products")

    found = list(keywords.unlisted(connection, known, table))

    assert found == (
        [
            f"products.yaml line {known.line('fields')}: {unknown} is not on the list of keywords "
            "of crm.products.tags. Take one that is, or add it to the list."
        ]
        if unknown
        else []
    )


def test_a_flag_that_is_on_no_list_is_told_before_any_run(connection: Connection[Any]) -> None:
    listed(connection, "terms")
    known = products(fields=TERMS, when_deleted="{terms: Gone}")["products"]

    found = list(keywords.unlisted(connection, known, catalog.read(connection, "crm.products")))

    assert [said.partition(": ")[2].partition(" is ")[0] for said in found] == [
        "when_deleted.terms 'Gone'"
    ]
